//! Going on from a run that has ended: what stands is not done again, and is said to be from before.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::deadline::until;
use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: it
params: { word: { default: none } }
phases:
  serve:
    resources:
      one: { process: { run: [ /bin/sh, -c, 'echo up > ROOT/up; exec sleep 86400.MARK' ] }, scope: goal }
    outputs: { said: 'said-{{ params.word }}' }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
  make:
    needs: [serve]
    run: 'echo {{ phases.serve.outputs.said }} $COLOUR >> ROOT/tried; test -e ROOT/allowed; touch ROOT/made'
    verify: { checks: [ { file: made } ] }
  after: { needs: [make], run: echo after >> ROOT/after }
  beside: { run: echo beside >> ROOT/beside }
";

/// A run in which `make` has failed.
fn failed() -> Workspace {
    let workspace = Workspace::with_goal(GOAL);
    workspace.sculpt("run goal.yaml --set word=yes").env("COLOUR", "red").run().expect(1);
    assert_eq!((workspace.outcome("make"), workspace.outcome("after")), ("failed".to_owned(), "skipped".to_owned()));
    workspace
}

fn service(workspace: &Workspace) -> Value {
    workspace.ps()["resources"][0]["pid"].clone()
}

fn down(workspace: &Workspace) {
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn what_failed_is_done_again_and_the_rest_is_carried_over() {
    let workspace = failed();
    let before = service(&workspace);
    workspace.write("allowed", "");
    let ended = workspace.sculpt("retry it").env("COLOUR", "green").run().expect(0);
    assert!(ended.said().contains("carried over from it.1"), "{}", ended.said());
    assert_eq!(workspace.read("tried"), "said-yes red\nsaid-yes green\n", "the parameters of the run, the environment of now");
    assert_eq!((workspace.read("beside"), workspace.read("after")), ("beside\n".to_owned(), "after\n".to_owned()));
    assert_eq!(service(&workspace), before, "the same process serves on");
    let serve = workspace.phase("serve");
    assert_eq!((serve["carried"].as_str(), serve["proof"].as_str()), (Some("it.1"), Some("proven")));
    let runs = workspace.sculpt("runs --json").run().expect(0).json();
    let told = |run: usize, key: &str| runs["runs"][run][key].clone();
    assert_eq!((told(0, "outcome"), told(1, "outcome"), told(1, "retries")), ("failed".into(), "verified".into(), "it.1".into()));
    assert!(told(0, "why").as_str().unwrap().contains("make is failed"), "{runs}");
    let shown = workspace.sculpt("runs").run().expect(0);
    assert!(shown.said().contains("goes on from it.1"), "{}", shown.said());
    let again = workspace.sculpt("retry it").run().expect(2);
    assert!(again.err.contains("nothing of it.2 is to be done again"), "{}", again.err);
    down(&workspace);
}

#[test]
fn a_phase_that_is_named_is_done_anew_and_only_it_where_asked() {
    let workspace = failed();
    workspace.write("allowed", "");
    workspace.sculpt("retry it.1 make --only").run().expect(0);
    assert_eq!((workspace.outcome("make"), workspace.outcome("after")), ("verified".to_owned(), "skipped".to_owned()));
    workspace.sculpt("retry it make").run().expect(0);
    assert_eq!(workspace.read("tried").lines().count(), 3);
    assert_eq!((workspace.outcome("make"), workspace.read("after")), ("verified".to_owned(), "after\n".to_owned()));
    let older = workspace.sculpt("retry it.1").run().expect(2);
    assert!(older.err.contains("it.1 is not the latest run of its goal: that is it.3"), "{}", older.err);
    let mistyped = workspace.sculpt("retry it mak").run().expect(2);
    assert!(mistyped.err.contains("did you mean `make`?"), "{}", mistyped.err);
    down(&workspace);
}

#[test]
fn what_died_since_is_done_again_with_what_depends_on_it() {
    let workspace = failed();
    workspace.write("allowed", "");
    let pid = i32::try_from(service(&workspace).as_i64().expect("a process that lives")).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    until("its end", || workspace.alive().is_empty().then_some(()));
    workspace.sculpt("retry it").run().expect(0);
    assert_eq!(workspace.sleepers(), 1);
    assert_eq!((workspace.phase("serve")["carried"].clone(), workspace.read("beside")), (Value::Null, "beside\n".to_owned()));
    down(&workspace);
}

#[test]
fn a_run_from_a_phase_on_takes_the_manifest_as_it_is_now() {
    let workspace = Workspace::with_goal(GOAL);
    workspace.write("allowed", "");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let changed = GOAL.replace("echo after", "echo later");
    workspace.goal(&changed);
    workspace.sculpt("run goal.yaml --from after").run().expect(0);
    assert_eq!((workspace.read("after"), workspace.read("tried").lines().count()), ("after\nlater\n".to_owned(), 1));
    workspace.goal(&changed.replace("echo beside", "echo aside"));
    let refused = workspace.sculpt("run goal.yaml --from after").run().expect(2);
    assert!(refused.err.contains("`beside` cannot be carried over from it.2: the manifest has changed for it since"), "{}", refused.err);
    let refused = workspace.sculpt("run goal.yaml --from make --set word=other").run().expect(2);
    assert!(refused.err.contains("parameters have changed"), "{}", refused.err);
    down(&workspace);
}

#[test]
fn a_goal_that_waits_for_a_person_holds_up_nobody_of_its_group() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
concurrency_group: one
phases:
  ask: { verify: { tier: ask_user, question: Well? } }
  then: { needs: [ask], run: echo then >> ROOT/done }
",
    );
    workspace.write("other.yaml", "version: \"1\"\nname: other\nconcurrency_group: one\nphases: { go: { run: echo other >> done } }\n");
    workspace.sculpt("run goal.yaml").run().expect(4);
    let ended = workspace.sculpt("run other.yaml").run().expect(0);
    assert!(!ended.err.contains("no effect"), "{}", ended.err);
    workspace.sculpt("answer it yes").run().expect(0);
    assert_eq!(workspace.read("done"), "other\nthen\n");
}
