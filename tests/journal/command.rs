//! `sculpt audit` on a journal that was damaged, and on one whose beginning is pruned.

use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::log::Opening;
use opensculpt::manifest::config::Retention;

use super::NOW;
use super::story::flip;
use crate::cli::{sculpt, workspace};

const HELLO: &str = "version: \"1\"\nname: hello\nphases: { greet: { run: echo hello } }\n";

/// Waits until no supervisor holds the workspace.
fn alone(dir: &std::path::Path) {
    assert_eq!(sculpt(dir, &["supervise", "--stop"]).code, 0);
}

#[test]
fn damage_is_named_with_what_it_concerns_and_set_aside_on_command() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    assert_eq!(sculpt(dir.path(), &["run", "goals/hello.yaml"]).code, 0);
    alone(dir.path());
    assert_eq!(sculpt(dir.path(), &["audit", "quarantine"]).out, "the chain is whole: there is nothing to set aside\n");
    flip(&dir.path().join(".opensculpt/journal.jsonl"), 6);
    let mut text = String::new();
    for args in [
        &["audit", "verify"][..],
        &["run", "goals/hello.yaml"],
        &["audit", "quarantine"],
        &["audit", "verify"],
        &["run", "goals/hello.yaml"],
        &["status", "hello"],
    ] {
        if text.contains("set aside in") {
            // The run whose end is set aside is gone on with by whichever command comes first: here by none that is shown.
            sculpt(dir.path(), &["resume", "hello"]);
            alone(dir.path());
        }
        std::fmt::Write::write_fmt(
            &mut text,
            format_args!("$ sculpt {}\n{}\n", args.join(" "), sculpt(dir.path(), args).shown(dir.path())),
        )
        .unwrap();
    }
    insta::assert_snapshot!(text);
    assert!(dir.path().join(".opensculpt/quarantine/000000000005/journal.jsonl").exists());
}

#[test]
fn damage_for_programs() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    assert_eq!(sculpt(dir.path(), &["run", "goals/hello.yaml"]).code, 0);
    alone(dir.path());
    flip(&dir.path().join(".opensculpt/journal.jsonl"), 6);
    let said = sculpt(dir.path(), &["audit", "verify", "--json"]);
    let report = said.json();
    assert_eq!((said.code, &report["whole"]), (1, &false.into()));
    assert_eq!((&report["damage"][0]["file"], &report["damage"][0]["line"]), (&"journal.jsonl".into(), &6.into()));
    let behind = report["damage"][0]["behind"].as_array().unwrap();
    assert!(behind[1..].iter().all(|line| line["whole"] == true && line["event"].is_string()), "{behind:?}");
    let said = sculpt(dir.path(), &["audit", "quarantine", "--json"]);
    assert_eq!((said.code, &said.json()["quarantined"][0]["kept"]), (0, &"quarantine/000000000005".into()));
}

#[test]
fn a_pruned_journal_is_whole_and_says_what_is_gone() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    let folder = dir.path().join(".opensculpt");
    for _ in 0..4 {
        assert_eq!(sculpt(dir.path(), &["run", "goals/hello.yaml"]).code, 0);
        alone(dir.path());
        let id = std::fs::read_to_string(folder.join("id")).unwrap();
        let opening = Opening { workspace: id.split(' ').next().unwrap(), doing: "a test", now: NOW };
        let Open { mut journal, state, .. } = Journal::open(&folder, &opening).unwrap();
        let ended = state.goals["hello"].past.last().unwrap().ended;
        journal.seal(ended, &state, Retention { runs: 1, days: 365 }).unwrap();
    }
    let verified = sculpt(dir.path(), &["audit", "verify"]);
    assert!(verified.code == 0 && verified.out.contains("are gone: pruned, as a later record says"), "{}{}", verified.out, verified.err);
    let runs = sculpt(dir.path(), &["runs"]);
    assert!(runs.code == 0 && runs.out.contains("hello.4") && !runs.out.contains("hello.1 "), "{}", runs.out);
    assert!(runs.out.contains("3 older runs are no longer kept"), "{}", runs.out);
    assert_eq!(sculpt(dir.path(), &["why", "hello/greet"]).code, 0);
    assert_eq!(sculpt(dir.path(), &["logs", "hello/greet"]).out, "hello\n");
}

#[test]
fn a_wrong_configuration_is_named_before_anything_runs() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    std::fs::create_dir_all(dir.path().join(".opensculpt")).unwrap();
    std::fs::write(dir.path().join(".opensculpt/config.yaml"), "retention:\n  runs: 0\n").unwrap();
    let said = sculpt(dir.path(), &["run", "goals/hello.yaml"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("line 2: `retention.runs` must be a whole number of at least 1"), "{}", said.err);
}
