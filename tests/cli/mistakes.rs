//! Mistakes: each says what, why, and what to do, with the right exit code.

use std::fmt::Write as _;

use super::{sculpt, workspace};

const HELLO: &str = "version: \"1\"\nname: hello\nparams: { port: { type: integer, default: 1 } }\nphases:\n  greet: { run: \"true\" }\n";

#[test]
fn mistakes_and_what_to_do_about_them() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    let mut text = String::new();
    for args in [
        &["stauts"][..],
        &["run"],
        &["run", "goals/helo.yaml"],
        &["run", "goals/nothing.yaml"],
        &["run", "goals/hello.yaml", "--set", "prt=1", "--set", "port=x"],
        &["run", "goals/hello.yaml", "--profile", "fast"],
        &["run", "goals/hello.yaml", "--detach", "--junit", "out.xml"],
        &["run", "goals/hello.yaml", "--from", "greet"],
        &["retry", "nowhere"],
        &["retry", "nowhere", "--only"],
        &["status", "crm"],
        &["why", "crm/server"],
        &["logs", "crm"],
        &["stop"],
        &["stop", "crm"],
        &["down", "crm"],
        &["answer", "crm/handover", "maybe"],
        &["answer", "crm/handover", "yes"],
        &["audit", "verify"],
        &["-C", "nowhere", "status"],
    ] {
        let said = sculpt(dir.path(), args);
        writeln!(text, "$ sculpt {}\n{}", args.join(" "), said.shown(dir.path())).unwrap();
        assert!(!said.err.is_empty() && said.out.is_empty(), "{args:?}");
    }
    insta::assert_snapshot!(text);
    assert!(!dir.path().join(".opensculpt").exists(), "a mistake makes nothing");
}

#[test]
fn mistakes_as_json() {
    let dir = workspace(&[("hello.yaml", HELLO)]);
    let said = sculpt(dir.path(), &["--json", "run", "goals/hello.yaml", "--set", "prt=1"]);
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((said.code, error["error"]["exit_code"].as_u64()), (2, Some(2)));
    assert_eq!(error["error"]["causes"][0], "failed to set `prt`: the goal has no such parameter, did you mean `port`?");
}

#[test]
fn what_is_not_in_this_build_is_refused_at_its_place() {
    let agent = "version: \"1\"\nname: a\nphases:\n  think: { agent: { task: Think } }\n";
    let dir = workspace(&[("agent.yaml", agent)]);
    assert_eq!(sculpt(dir.path(), &["validate", "goals/agent.yaml"]).code, 0);
    for verb in ["plan", "run"] {
        let said = sculpt(dir.path(), &[verb, "goals/agent.yaml"]);
        assert_eq!(said.code, 2, "{verb}");
        assert!(said.err.contains("not-in-this-build") && said.err.contains("goals/agent.yaml:4:"), "{}", said.err);
    }
}
