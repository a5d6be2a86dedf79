//! What is known of containers that commands start: the engine's events tell, and nobody waits for them.

use serde_json::Value;

use crate::docker::fixture::{IMAGE, SERVE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_docker};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A goal whose command may leave what it starts.
fn keeping(run: &str) -> Workspace {
    Workspace::with_goal(&format!(
        "
version: \"1\"
name: kept
limits: {{ memory: 256Mi }}
phases:
  work:
    capabilities: {{ docker: [ keep ] }}
    run: {run}
"
    ))
}

fn resources(workspace: &Workspace) -> Vec<Value> {
    workspace.ps()["resources"].as_array().unwrap().clone()
}

/// What was told, in order: `started`, `ended`, `removed`.
fn told(workspace: &Workspace) -> Vec<String> {
    let records = workspace.records().into_iter().filter(|record| record["event"] == "told");
    records.map(|record| record["told"]["is"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_that_removes_itself_is_listed_while_it_is_there_and_what_it_used_is_kept() {
    if !there_is_docker("a container that removes itself") {
        return;
    }
    let workspace = keeping(&format!("docker run -d --rm {IMAGE} sh -c 'while [ ! -e /tmp/end ]; do sleep 0.05; done'"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let pid = until("its process to be known", || resources(&workspace)[0]["pid"].as_u64());
    let top = workspace.sculpt("top --json").run().expect(0).json();
    let place = &top["places"][0];
    assert_eq!((&place["kind"], &place["live"], &place["limits"]["memory"]), (&"container".into(), &true.into(), &"256Mi".into()), "{top}");
    assert!(place["memory"].as_u64().unwrap() > 0 && place["peak_memory"].as_u64().unwrap() > 0, "{top}");
    let [container] = &containers(&workspace)[..] else { panic!() };
    assert_eq!(docker(&["inspect", "--format", "{{.State.Pid}}", container]), pid.to_string());
    docker(&["exec", container, "sh", "-c", "mkdir -p /tmp; touch /tmp/end"]);
    until("it to be known to be gone", || resources(&workspace).is_empty().then_some(()));
    assert_eq!(told(&workspace), ["started", "ended", "removed"]);
    let top = workspace.sculpt("top kept --json").run().expect(0).json();
    let used = top["places"].as_array().unwrap().iter().find(|place| place["kind"] == "container").unwrap();
    assert!(used["live"] == false && used["peak_memory"].as_u64().unwrap() > 0, "{top}");
    workspace.sculpt("down kept").run().expect(0);
    expect_nothing_in_docker(&workspace, "one that removes itself");
}

#[test]
fn want_of_memory_of_one_that_a_command_started_is_named() {
    if !there_is_docker("want of memory of a container that a command started") {
        return;
    }
    let workspace = keeping(&format!("docker run -d -m 16m {IMAGE} tail /dev/zero"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let evidence = |one: Value| one["evidence"].as_str().map(str::to_owned);
    let named = || resources(&workspace).pop().and_then(evidence).filter(|evidence| evidence.contains("killed for want of memory"));
    let named = until("its end to be known", named);
    assert!(named.contains("exit 137"), "{named}");
    workspace.sculpt("down kept").run().expect(0);
    expect_nothing_in_docker(&workspace, "want of memory");
}

#[test]
fn what_happens_while_no_engine_is_there_is_known_to_the_next_one() {
    if !there_is_docker("what happens while no engine is there") {
        return;
    }
    let workspace = keeping(&format!("docker run -d {IMAGE} {SERVE}; docker run -d {IMAGE} {SERVE}; docker run -d {IMAGE} {SERVE}"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    until("all to be known", || resources(&workspace).iter().all(|one| one["pid"].is_u64()).then_some(()));
    workspace.kill_the_supervisor();
    let all = containers(&workspace);
    docker(&["kill", &all[0]]);
    docker(&["rm", "-f", &all[1]]);
    let stood = || {
        let mut states: Vec<String> = resources(&workspace).iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        (states == ["ready", "unhealthy"]).then_some(())
    };
    until("the next one to have looked", stood);
    docker(&["rename", &all[2], &format!("other-{}", workspace.mark)]);
    until("its new name to be known", || told(&workspace).contains(&"renamed".to_owned()).then_some(()));
    workspace.sculpt("down kept").run().expect(0);
    expect_nothing_in_docker(&workspace, "after the death of an engine");
}
