//! `sculpt plan` of a goal that is up: what it says is what a run then does.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: it
params: { word: { default: first } }
phases:
  store:
    run: echo made > file
    verify: { checks: [ { file: file } ], red_before_green: false }
  serve:
    needs: [store]
    env: { WORD: '{{ params.word }}' }
    resources:
      one: { process: { run: sleep 86400.MARK }, scope: goal }
    outputs: { word: '{{ params.word }}' }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ], red_before_green: false }
  user:
    needs: [serve]
    resources:
      two: { process: { run: sleep 86400.MARK }, scope: goal }
    verify: { checks: [ { exec: 'test -n \"{{ phases.serve.outputs.word }}\"; pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ], red_before_green: false }
  lone:
    resources:
      three: { process: { run: sleep 86400.MARK }, scope: goal }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ], red_before_green: false }
";

fn plan(workspace: &Workspace, words: &str) -> Value {
    workspace.sculpt(&format!("plan goal.yaml --json {words}")).run().expect(0).json()["difference"].take()
}

/// What becomes of each phase.
fn changes(difference: &Value) -> BTreeMap<String, String> {
    let phases = difference["phases"].as_array().unwrap_or_else(|| panic!("{difference}"));
    phases.iter().map(|phase| (phase["name"].as_str().unwrap().to_owned(), phase["change"].as_str().unwrap().to_owned())).collect()
}

fn phase<'v>(difference: &'v Value, name: &str) -> &'v Value {
    difference["phases"].as_array().unwrap().iter().find(|phase| phase["name"] == name).unwrap()
}

/// The run that made each service.
fn makers(workspace: &Workspace) -> BTreeMap<String, String> {
    let ps = workspace.ps();
    let services = ps["resources"].as_array().unwrap().iter().filter(|one| one["kind"] == "process");
    services.map(|one| (one["name"].as_str().unwrap().to_owned(), one["run"].as_str().unwrap().to_owned())).collect()
}

fn of<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, word)| (name.to_owned(), word.to_owned())).collect()
}

#[test]
fn what_a_plan_says_of_a_goal_that_is_up_is_what_a_run_does() {
    let workspace = Workspace::with_goal(GOAL);
    assert_eq!(plan(&workspace, ""), Value::Null, "nothing is up");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let stays = of([("store", "stays"), ("serve", "stays"), ("user", "stays"), ("lone", "stays")]);
    assert_eq!(changes(&plan(&workspace, "")), stays);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(makers(&workspace), of([("one", "it.1"), ("two", "it.1"), ("three", "it.1")]));

    // A parameter that one phase names.
    let difference = plan(&workspace, "--set word=second");
    let expected = of([("store", "stays"), ("serve", "replaced"), ("user", "replaced"), ("lone", "stays")]);
    assert_eq!(changes(&difference), expected);
    let serve = phase(&difference, "serve");
    assert_eq!(serve["why"], serde_json::json!(["`params.word`, which was \"first\" and is \"second\""]));
    assert_eq!((&serve["rolls_back_to"], &serve["resources"][0]["change"]), (&"it.1".into(), &"replaced".into()));
    assert_eq!(phase(&difference, "user")["why"], serde_json::json!(["it needs serve, which is served anew"]));
    let text = workspace.sculpt("plan goal.yaml --set word=second").run().expect(0).said();
    assert!(text.contains("Against what runs (it.2)") && text.contains("where that fails, it.1 serves again"), "{text}");
    workspace.sculpt("run goal.yaml --set word=second").run().expect(0);
    assert_eq!(makers(&workspace), of([("one", "it.3"), ("two", "it.3"), ("three", "it.1")]));

    // A phase that is gone, one that is new, and work that has changed.
    let lone = GOAL.find("  lone:").unwrap();
    let fresh = "  fresh: { needs: [store], run: 'touch fresh', verify: { checks: [ { file: fresh } ] } }\n";
    workspace.goal(&format!("{}{fresh}", GOAL[..lone].replace("echo made", "echo better")));
    let difference = plan(&workspace, "--set word=second");
    let expected = of([("store", "again"), ("serve", "stays"), ("user", "stays"), ("fresh", "starts")]);
    assert_eq!(changes(&difference), expected);
    assert_eq!(phase(&difference, "store")["why"], serde_json::json!(["`run`"]));
    assert_eq!(difference["ends"], serde_json::json!([{ "owner": "it/lone/three", "kind": "process", "run": "it.1" }]));
    workspace.sculpt("run goal.yaml --set word=second").run().expect(0);
    assert_eq!(makers(&workspace), of([("one", "it.3"), ("two", "it.3")]));
    assert_eq!(workspace.phase("serve")["proof"], "already");
    workspace.sculpt("down it").run().expect(0);
    assert_eq!(plan(&workspace, ""), Value::Null);
    workspace.expect_nothing_alive("down");
}
