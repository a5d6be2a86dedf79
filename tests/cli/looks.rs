//! The looks at a workspace in which nothing was run: they change nothing.

use serde_json::json;

use super::{command, sculpt, workspace};

#[test]
fn a_workspace_in_which_nothing_was_run() {
    let dir = workspace(&[]);
    insta::assert_snapshot!("empty", sculpt(dir.path(), &[]).shown(dir.path()));
    for (verb, said) in [
        ("ps", "nothing lives: no resource is there, and no command is at work\n"),
        ("runs", "nothing was run in this workspace yet\n"),
        ("down", "nothing is up: there is nothing to take down\n"),
        ("verify", "nothing is up: there is nothing to verify\n"),
        ("gc", "nothing to collect\n"),
    ] {
        let seen = sculpt(dir.path(), &[verb]);
        assert_eq!((seen.code, seen.out.as_str(), seen.err.as_str()), (0, said, ""), "{verb}");
    }
    let dry = sculpt(dir.path(), &["gc", "--dry-run", "--evict"]);
    assert_eq!((dry.code, dry.out.as_str(), dry.err.as_str()), (0, "nothing to collect\n", ""));
    assert!(!dir.path().join(".opensculpt").exists(), "a look makes nothing");
}

#[test]
fn an_empty_workspace_as_json() {
    let dir = workspace(&[]);
    assert_eq!(sculpt(dir.path(), &["status", "--json"]).json(), json!({ "goals": [], "memory": null }));
    assert_eq!(sculpt(dir.path(), &["--json"]).json(), json!({ "goals": [], "memory": null }));
    assert_eq!(sculpt(dir.path(), &["ps", "--json"]).json(), json!({ "resources": [], "work": [], "leaks": [], "suspected": [] }));
    assert_eq!(sculpt(dir.path(), &["runs", "--json"]).json(), json!({ "runs": [], "pruned": 0 }));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let dir = workspace(&[]);
    let mut child =
        command(dir.path(), &["schema"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}
