//! What carries our labels in the container engine and no record knows: a call that made it was never answered.

use crate::docker::fixture::docker;
use crate::docker::left::{expect_nothing_in_docker, there_is_docker};
use crate::world::workspace::Workspace;

/// A network or a volume with the labels that the endpoint of a command writes.
fn make(kind: &str, workspace: &str, effect: Option<&str>, name: &str) {
    let mut args = vec![kind.to_owned(), "create".to_owned()];
    let labels = [("workspace", workspace), ("owner", "leak/work"), ("run", "leak.1"), ("attempt", "1"), ("origin", "caught")];
    for (key, value) in labels.into_iter().chain(effect.map(|effect| ("effect", effect))) {
        args.extend(["--label".to_owned(), format!("io.opensculpt.{key}={value}")]);
    }
    if name.ends_with("nameless") {
        args.extend(["--label", "io.opensculpt.nameless="].map(str::to_owned));
    }
    args.push(name.to_owned());
    docker(&args.iter().map(String::as_str).collect::<Vec<_>>());
}

fn is_there(kind: &str, name: &str) -> bool {
    docker(&[kind, "ls", "--format", "{{.Name}}"]).lines().any(|line| line == name)
}

/// With what others have, which looks like ours.
fn world() -> (Workspace, String) {
    let workspace =
        Workspace::with_goal("version: \"1\"\nname: leak\nphases:\n  work: { run: docker volume create --name known > made }\n");
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    workspace.write("goal.yaml", &workspace.read("goal.yaml").replace("known", &format!("{id}-known")));
    workspace.sculpt("run goal.yaml").run().expect(0);
    for (kind, of, effect, name) in [
        ("network", "", Some("999"), "net"),
        ("volume", "", Some("999"), "brief"),
        ("volume", "", None, "data"),
        ("volume", "", None, "nameless"),
        ("network", "0", Some("999"), "foreign"),
        ("volume", "0", Some("999"), "foreign"),
    ] {
        make(kind, &format!("{id}{of}"), effect, &format!("{id}-{name}"));
    }
    (workspace, id)
}

/// What is nobody's to remove is there, and is removed here.
fn expect_others_and_remove_them(id: &str) {
    for (kind, name) in [("network", "foreign"), ("volume", "foreign"), ("volume", "data")] {
        let name = format!("{id}-{name}");
        assert!(is_there(kind, &name), "{kind} {name} is untouched");
        docker(&[kind, "rm", &name]);
    }
}

#[test]
fn networks_and_volumes_that_no_record_knows_are_collected_and_data_is_not() {
    if !there_is_docker("networks that no record knows") {
        return;
    }
    let (workspace, id) = world();
    let dry = workspace.sculpt("gc --dry-run --json").run().expect(0);
    let things = dry.json()["things"].as_array().unwrap().clone();
    let said: Vec<(&str, &str)> = things.iter().map(|thing| (thing["kind"].as_str().unwrap(), thing["reason"].as_str().unwrap())).collect();
    let volume = ("volume", "unexplained");
    // One without a name that no container has is nobody's data.
    assert_eq!(said, [("network", "unexplained"), volume, volume], "{}", dry.said());
    assert!(dry.err.contains(&format!("the volume {id}-data was made for leak, and no record knows it")), "{}", dry.said());
    let done = workspace.sculpt("gc --json").run().expect(0);
    assert_eq!(done.json()["things"].as_array(), Some(&things), "{}", done.said());
    assert!(!is_there("network", &format!("{id}-net")) && !is_there("volume", &format!("{id}-brief")));
    assert!(!is_there("volume", &format!("{id}-nameless")));
    expect_others_and_remove_them(&id);
    workspace.sculpt("down leak --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "collected");
}

#[test]
fn an_engine_that_begins_ends_them_too() {
    if !there_is_docker("networks that no record knows, after a death") {
        return;
    }
    let (workspace, id) = world();
    workspace.kill_the_engine();
    // Any command that needs an engine begins one.
    workspace.sculpt("verify leak").run().expect(0);
    assert!(!is_there("network", &format!("{id}-net")) && !is_there("volume", &format!("{id}-brief")));
    assert!(!is_there("volume", &format!("{id}-nameless")));
    expect_others_and_remove_them(&id);
    workspace.sculpt("down leak --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "recovered");
}
