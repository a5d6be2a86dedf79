//! Runs within runs, and runs that wait for each other: under one supervisor.

use serde_json::Value;

use crate::world::deadline::until;
use crate::world::program;
use crate::world::workspace::Workspace;

const INNER: &str = "
version: \"1\"
name: inner
phases:
  serve:
    resources: { one: { process: { run: [ sleep, '86400.MARK' ] }, scope: goal } }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
  last: { needs: [serve], run: 'LAST' }
";

/// A workspace with an outer goal whose phase `within` runs the inner one, whose last phase does this.
fn nested(last: &str, then: &str) -> Workspace {
    let workspace = Workspace::new();
    let inner = INNER.replace("LAST", last).replace("MARK", &workspace.mark);
    workspace.write("inner.yaml", &inner);
    let sculpt = program::path();
    workspace.goal(&format!(
        "
version: \"1\"
name: it
phases:
  within: {{ run: '{} run inner.yaml > within 2>&1; {then}', verify: {{ checks: [ {{ file: within }} ] }} }}
",
        sculpt.display()
    ));
    workspace
}

/// A goal, as `status` shows it.
fn goal(workspace: &Workspace, name: &str) -> Option<Value> {
    let status = workspace.sculpt("status --json").run().expect(0).json();
    status["goals"].as_array()?.iter().find(|goal| goal["name"] == name).cloned()
}

#[test]
fn what_a_run_within_a_phase_made_goes_down_with_the_outer_goal() {
    let workspace = nested("exit 0", "exit 0");
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.sleepers(), 1, "{}", workspace.read("within"));
    let inner = goal(&workspace, "inner").unwrap();
    assert_eq!((&inner["parent"]["run"], &inner["parent"]["phase"]), (&"it.1".into(), &"it/within".into()));
    let runs = workspace.sculpt("runs").run().expect(0);
    assert!(runs.said().contains("begun by it/within in it.1"), "{}", runs.said());
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down of the outer goal");
    assert_eq!(goal(&workspace, "inner").unwrap()["outcome"], "down");
}

#[test]
fn a_phase_that_fails_takes_what_ran_within_it() {
    let workspace = nested("exit 0", "exit 1");
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.sleepers(), 0);
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_stop_of_the_outer_run_stops_the_inner_one() {
    let workspace = nested("touch there; exec sleep 86400.MARK", "exit 0");
    let started = workspace.sculpt("run goal.yaml").start();
    until("the inner run to be at work", || workspace.has("there").then_some(()));
    workspace.sculpt("stop it").run().expect(0);
    started.wait().expect(130);
    assert_eq!(goal(&workspace, "inner").unwrap()["outcome"], "cancelled");
    workspace.expect_nothing_alive("stop");
}

#[test]
fn a_goal_within_itself_is_refused_with_the_way_to_it() {
    let workspace = nested("exit 0", "exit 0");
    let sculpt = program::path();
    let inner = format!("version: \"1\"\nname: inner\nphases: {{ back: {{ run: '{} run goal.yaml > back 2>&1' }} }}\n", sculpt.display());
    workspace.write("inner.yaml", &inner);
    workspace.sculpt("run goal.yaml").run();
    let said = workspace.read("back");
    assert!(said.contains("`it` runs within itself: it → inner → it"), "{said}");
}

#[test]
fn what_is_run_by_itself_belongs_to_nobody() {
    let workspace = Workspace::new();
    workspace.write("inner.yaml", &INNER.replace("LAST", "exit 0").replace("MARK", &workspace.mark));
    let sculpt = program::path();
    let run = format!("env -u SCULPT_RUN {} run inner.yaml; exit 1", sculpt.display());
    workspace.goal(&format!("version: \"1\"\nname: it\nphases: {{ go: {{ run: '{run}' }} }}\n"));
    let ended = workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(goal(&workspace, "inner").is_some(), "{}", ended.said());
    assert_eq!((workspace.sleepers(), &goal(&workspace, "inner").unwrap()["parent"]), (1, &Value::Null));
    workspace.sculpt("down inner").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn goals_of_a_group_run_one_after_the_other() {
    let workspace = Workspace::new();
    for name in ["first", "second", "third"] {
        let run = format!("echo {name} >> order; until test -e go; do sleep 0.01; done; echo {name} >> order");
        let goal = format!("version: \"1\"\nname: {name}\nconcurrency_group: one\nphases: {{ go: {{ run: '{run}' }} }}\n");
        workspace.write(&format!("{name}.yaml"), &goal);
    }
    for name in ["first", "second", "third"] {
        workspace.sculpt(&format!("run {name}.yaml --detach")).run().expect(0);
    }
    until("the first to be at work", || workspace.has("order").then_some(()));
    let second = goal(&workspace, "second").unwrap();
    assert_eq!(second["outcome"], "running");
    assert!(second["why"].as_str().unwrap().contains("waits for first.1"), "{second}");
    let why = workspace.sculpt("why second/go").run().expect(0);
    assert!(why.said().contains("waits for first.1"), "{}", why.said());
    workspace.sculpt("stop second").run().expect(0);
    workspace.write("go", "");
    until("the third to end", || (goal(&workspace, "third")?["outcome"] == "unverified").then_some(()));
    assert_eq!(workspace.read("order"), "first\nfirst\nthird\nthird\n");
    assert_eq!(goal(&workspace, "second").unwrap()["outcome"], "cancelled");
}
