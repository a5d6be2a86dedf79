//! A saved plan is carried out exactly as it was shown, or refused, with what has moved since.

use rustix::process::{Pid, Signal, kill_process};

use crate::world::deadline::until;
use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: it
include: [ parts/params.yaml ]
phases:
  build:
    run: 'echo {{ params.word }} > built'
    verify: { checks: [ { file: built } ] }
  serve:
    resources:
      one: { process: { run: sleep 86400.MARK }, scope: goal }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
";

const PARAMS: &str = "params: { word: { default: first } }\n";

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("parts/params.yaml", PARAMS);
    workspace.goal(GOAL);
    workspace
}

/// Saves a plan, lets something happen, and gives what the refusal says.
#[track_caller]
fn refused(workspace: &Workspace, happens: impl FnOnce()) -> String {
    workspace.sculpt("plan goal.yaml --out it.plan").run().expect(0);
    let runs = || workspace.sculpt("runs --json").run().expect(0).json()["runs"].as_array().unwrap().len();
    happens();
    let before = runs();
    let said = workspace.sculpt("run it.plan").run().expect(2).said();
    assert_eq!(runs(), before, "nothing was begun");
    assert!(said.contains("what it was made against has moved") && said.contains("sculpt plan goal.yaml --out it.plan"), "{said}");
    said
}

#[test]
fn a_saved_plan_is_carried_out_as_it_was_made() {
    let workspace = workspace();
    workspace.sculpt("plan goal.yaml --set word=chosen --out it.plan").run().expect(0);
    assert!(!workspace.has(".opensculpt/journal.jsonl"), "to look changes nothing");
    let said = workspace.sculpt("run it.plan --set word=other").run().expect(2).said();
    assert!(said.contains("is a saved plan"), "{said}");
    workspace.sculpt("run it.plan").run().expect(0);
    assert_eq!(workspace.read("built"), "chosen\n");
    // It was carried out: what it was made against is no more.
    let said = workspace.sculpt("run it.plan").run().expect(2).said();
    assert!(said.contains("it.1 was run since; before, there was no run"), "{said}");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_plan_is_refused_where_anything_has_moved_that_it_was_made_against() {
    let workspace = workspace();
    let said = refused(&workspace, || workspace.goal(&GOAL.replace("built", "made")));
    assert!(said.contains("`goal.yaml` has changed"), "{said}");
    workspace.goal(GOAL);
    let said = refused(&workspace, || workspace.write("parts/params.yaml", &PARAMS.replace("first", "second")));
    assert!(said.contains("`parts/params.yaml` has changed"), "{said}");
    workspace.write("parts/params.yaml", PARAMS);
    let said = refused(&workspace, || drop(workspace.sculpt("run goal.yaml").run().expect(0)));
    assert!(said.contains("it.1 was run since; before, there was no run"), "{said}");
    let said = refused(&workspace, || {
        let ps = workspace.ps();
        let pid = i32::try_from(ps["resources"][0]["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        until("its end", || workspace.alive().is_empty().then_some(()));
    });
    assert!(said.contains("it/serve/one") && said.contains("it was ready, made by attempt 1 of it.1"), "{said}");
    let said = refused(&workspace, || drop(workspace.sculpt("down it").run().expect(0)));
    assert!(said.contains("the goal was taken down since"), "{said}");
    workspace.sculpt("plan goal.yaml --out it.plan").run().expect(0);
    workspace.sculpt("run it.plan").run();
    assert_eq!(workspace.sleepers(), 1, "made anew, it is carried out");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_plan_that_was_edited_is_refused() {
    let workspace = workspace();
    workspace.sculpt("plan goal.yaml --out it.plan").run().expect(0);
    let text = workspace.read("it.plan");
    workspace.write("it.plan", &text.replace("> built", "> other"));
    let said = workspace.sculpt("run it.plan").run().expect(2).said();
    assert!(said.contains("`it.plan` is not as it was saved") || said.contains("it.plan` is not as it was saved"), "{said}");
    workspace.write("it.plan", &text.replace("\"sculpt_plan\": 1", "\"sculpt_plan\": 2"));
    let said = workspace.sculpt("run it.plan").run().expect(2).said();
    assert!(said.contains("of another form (2)"), "{said}");
    assert!(!workspace.has("built") && !workspace.has("other"));
}
