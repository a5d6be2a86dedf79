//! Green has an age: a goal that is up regresses and recovers without anybody doing anything.

use serde_json::Value;

use crate::world::deadline::until;
use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: it
reverify: 200ms
phases:
  site:
    run: echo there > page
    verify: { checks: [ { file: page } ] }
  serve:
    needs: [site]
    resources:
      one: { process: { run: sleep 86400.MARK }, scope: goal }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
";

/// Another goal, whose engine is at work until somebody lets it end.
const OTHER: &str = "
version: \"1\"
name: other
phases:
  long:
    run: 'until [ -e go ]; do sleep 0.05; done'
";

fn goal(workspace: &Workspace, name: &str) -> Value {
    let status = workspace.sculpt("status --json").run().expect(0).json();
    let found = status["goals"].as_array().unwrap().iter().find(|goal| goal["name"] == name);
    found.unwrap_or_else(|| panic!("no goal {name} in {status}")).clone()
}

#[test]
fn a_goal_that_is_up_regresses_and_recovers_by_itself() {
    let workspace = Workspace::with_goal(GOAL);
    workspace.write("other.yaml", OTHER);
    workspace.sculpt("run goal.yaml").run().expect(0);
    let other = workspace.sculpt("run other.yaml").start();
    until("the other goal to run", || workspace.path(".opensculpt/journal.jsonl").exists().then(|| goal(&workspace, "it")));
    std::fs::remove_file(workspace.path("page")).unwrap();
    let red = until("the goal to regress", || Some(goal(&workspace, "it")).filter(|goal| goal["outcome"] == "regressed"));
    let why = red["why"].as_str().unwrap();
    assert!(why.starts_with("check 1 of site now fails: "), "{why}");
    assert!(red["regressed_since"].is_string() && red["regressed_ms"].is_u64(), "{red}");
    let text = workspace.sculpt("status it").run().expect(0).said();
    assert!(text.contains("(it.1, for ") && text.contains("check 1 of site now fails"), "{text}");
    workspace.write("page", "back\n");
    let green = until("the goal to recover", || Some(goal(&workspace, "it")).filter(|goal| goal["outcome"] == "verified"));
    assert_eq!((&green["run"], &green["regressed_since"]), (&"it.1".into(), &Value::Null), "without a run");
    let ended = green["ended"].as_str().unwrap();
    assert!(green["phases"][0]["as_of"].as_str().unwrap() > ended, "the age of a green is that of the last look: {green}");
    workspace.write("go", "");
    other.wait().expect(0);
    let answers = workspace.read(".opensculpt/journal.jsonl").matches("\"stage\":\"again\"").count();
    assert!(answers <= 4, "only changes are written: {answers}");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
    assert_eq!(goal(&workspace, "it")["outcome"], "down");
}

#[test]
fn an_interrupted_verify_ends_there_and_changes_nothing() {
    let slow = |name: &str| {
        format!(
            "version: \"1\"\nname: {name}\nphases:\n  a:\n    run: touch {name}.made\n    verify: {{ checks: [ {{ exec: 'echo {name} >> asked; [ ! -e slow ] || sleep 86400.MARK; test -e {name}.made', timeout: 1h }} ] }}\n"
        )
    };
    let workspace = Workspace::new();
    for name in ["one", "two"] {
        workspace.write(&format!("{name}.yaml"), &slow(name).replace("MARK", &workspace.mark));
        workspace.sculpt(&format!("run {name}.yaml")).run().expect(0);
    }
    workspace.write("slow", "");
    workspace.write("asked", "");
    let mut verify = workspace.sculpt("verify").start();
    until("a check to be asked", || (workspace.sleepers() == 1).then_some(()));
    verify.interrupt();
    verify.wait().expect(130);
    assert_eq!(workspace.read("asked"), "one\n", "it does not go on with the next goal");
    assert_eq!(workspace.sleepers(), 0);
    for name in ["one", "two"] {
        assert_eq!(goal(&workspace, name)["outcome"], "verified", "{name}");
    }
}

#[test]
fn a_goal_without_any_process_is_asked_again_too() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
reverify: 200ms
phases: { site: { run: echo there > page, verify: { checks: [ { file: page } ] } } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    std::fs::remove_file(workspace.path("page")).unwrap();
    until("the goal to regress", || (goal(&workspace, "it")["outcome"] == "regressed").then_some(()));
    workspace.write("page", "there");
    until("the goal to recover", || (goal(&workspace, "it")["outcome"] == "verified").then_some(()));
    workspace.sculpt("down it").run().expect(0);
    until("the supervisor to end", || workspace.engine().is_none().then_some(()));
}
