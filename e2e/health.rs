//! Services that were ready and are not well any more: told at once, waited for, and not started again.

use serde_json::Value;

use crate::docker::fixture::{IMAGE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_docker};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A service that is well as long as there is a file `up`, asked ten times a second by this check.
fn service(check: &str) -> Workspace {
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        process: exec sleep 86400.MARK
        healthcheck: {{ {check}, interval: 100ms, retries: 2, start_period: 60s }}
        restart: always
        scope: goal
"
    ));
    workspace.write("up", "");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace
}

fn remove(workspace: &Workspace, path: &str) {
    std::fs::remove_file(workspace.path(path)).unwrap();
}

/// Waits until the goal stands so, with what is said of it.
fn stands(workspace: &Workspace, outcome: &str) -> Value {
    until(&format!("the goal to stand {outcome}"), || Some(workspace.status()).filter(|goal| goal["outcome"] == outcome))
}

fn pid(workspace: &Workspace) -> Value {
    workspace.ps()["resources"][0]["pid"].clone()
}

fn count(workspace: &Workspace, event: &str, wanted: impl Fn(&Value) -> bool) -> usize {
    workspace.records().iter().filter(|record| record["event"] == event && wanted(record)).count()
}

#[test]
fn a_service_that_is_not_well_makes_a_green_goal_regressed_until_it_is() {
    for (check, evidence) in [("file: up", "up"), ("exec: test -e up", "exit 1"), ("test: [CMD, test, -e, up]", "exit 1")] {
        let workspace = service(check);
        let before = pid(&workspace);
        remove(&workspace, "up");
        let goal = stands(&workspace, "regressed");
        let why = goal["why"].as_str().unwrap();
        assert!(why.contains("it/a/svc is unhealthy") && why.contains(evidence), "{check}: {why}");
        assert_eq!(workspace.ps()["resources"][0]["state"], "unhealthy", "{check}");
        let told = workspace.sculpt("why it/a/svc").run().expect(0).out;
        assert!(told.contains("unhealthy") && told.contains(evidence), "{check}: {told}");
        // The next engine knows, and goes on asking.
        workspace.kill_the_supervisor();
        assert_eq!(stands(&workspace, "regressed")["why"], goal["why"], "{check}");
        workspace.write("up", "");
        stands(&workspace, "unverified");
        assert_eq!(pid(&workspace), before, "{check}: it is not started again, whatever its policy");
        assert_eq!(count(&workspace, "resource_unhealthy", |_| true), 1, "{check}: only what changes is recorded");
        let asks = count(&workspace, "requested", |record| record["effect"]["do"] == "ask");
        assert!(asks <= 3, "{check}: one permit for its readiness, and one for each engine that asks on: {asks}");
        workspace.sculpt("down it").run().expect(0);
        workspace.expect_nothing_alive(check);
    }
}

#[test]
fn a_service_that_hangs_is_not_well() {
    let workspace = service("exec: 'while ! test -e up; do sleep 0.1; done', timeout: 300ms");
    remove(&workspace, "up");
    let why = stands(&workspace, "regressed")["why"].clone();
    assert!(why.as_str().unwrap().contains("300ms"), "{why}");
    workspace.write("up", "");
    stands(&workspace, "unverified");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("a service that hangs");
}

#[test]
fn what_needs_it_waits_and_says_so() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        process: exec sleep 86400.MARK
        healthcheck: { file: up, interval: 100ms, retries: 2, start_period: 60s }
        scope: goal
  b: { run: 'rm up; until grep -q resource_[u]nhealthy .opensculpt/journal.jsonl; do sleep 0.01; done', needs: [a] }
  c: { run: test -e up, needs: [a, b] }
",
    );
    workspace.write("up", "");
    let mut run = workspace.sculpt("run goal.yaml").start();
    until("the phase to wait", || {
        let told = workspace.sculpt("why it/c").run().out;
        told.contains("it/a/svc, which is unhealthy").then_some(())
    });
    assert!(!run.has_ended());
    workspace.write("up", "");
    let ended = run.wait().expect(0);
    assert!(ended.out.contains("unhealthy it/a/svc"), "{}", ended.out);
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("what waits for health");
}

#[test]
fn the_health_of_a_containers_image_is_told_by_its_engine() {
    if !there_is_docker("the health of an image") {
        return;
    }
    let workspace = Workspace::new();
    let check = "HEALTHCHECK --interval=1s --retries=1 CMD [\"/bin/busybox\", \"test\", \"-e\", \"/up\"]";
    workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nCOPY up /up\nENTRYPOINT [\"/bin/busybox\"]\n{check}\n"));
    workspace.write("web/up", "");
    workspace.goal(
        "
version: \"1\"
name: it
phases:
  a: { resources: { svc: { container: { build: web, command: sleep 86400 }, stop: { grace: 0s }, scope: goal } } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    let id = containers(&workspace).pop().unwrap();
    let act = |words: &[&str]| docker(&[&["exec", &id, "/bin/busybox"], words].concat());
    act(&["rm", "/up"]);
    let why = stands(&workspace, "regressed")["why"].clone();
    assert_eq!(why, "it/a/svc is unhealthy: the container is unhealthy");
    // It changes while no engine listens, long enough ago that the stream of events does not tell it again.
    workspace.kill_the_supervisor();
    act(&["touch", "/up"]);
    let looks = || docker(&["inspect", "--format", "{{.State.Health.Status}} {{(index .State.Health.Log 0).ExitCode}}", &id]);
    until("the container engine to find it well five times", || (looks() == "healthy 0").then_some(()));
    stands(&workspace, "unverified");
    act(&["rm", "/up"]);
    stands(&workspace, "regressed");
    assert_eq!(count(&workspace, "requested", |record| record["effect"]["do"] == "ask"), 0, "nobody but the engine asks");
    workspace.sculpt("down it --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "a container that is not well");
    workspace.expect_nothing_alive("a container that is not well");
}

#[test]
fn the_health_of_a_container_that_a_command_started_is_told_too() {
    if !there_is_docker("the health of a container that a command started") {
        return;
    }
    let health = "--health-cmd '/bin/busybox test -e /tmp/up' --health-interval 1s --health-retries 1";
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: it
phases:
  a:
    capabilities: {{ docker: [ keep ] }}
    run: docker run -d {health} {IMAGE} sh -c 'mkdir -p /tmp; touch /tmp/up; exec sleep 86400'
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let id = containers(&workspace).pop().unwrap();
    let state = |wanted: &str| until(&format!("it to be {wanted}"), || (workspace.ps()["resources"][0]["state"] == wanted).then_some(()));
    state("ready");
    docker(&["exec", &id, "/bin/busybox", "rm", "/tmp/up"]);
    state("unhealthy");
    docker(&["exec", &id, "/bin/busybox", "touch", "/tmp/up"]);
    state("ready");
    workspace.sculpt("down it").run().expect(0);
    expect_nothing_in_docker(&workspace, "a container that a command started, and that is not well");
}

#[test]
fn a_command_that_hangs_inside_of_a_container_is_ended_and_has_no_second_beside_it() {
    if !there_is_docker("a health check that hangs inside of a container") {
        return;
    }
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        container: {{ image: {IMAGE}, command: sleep 86400 }}
        healthcheck: {{ test: [CMD, sh, -c, 'test ! -e /tmp/hang || (sleep 8640; true)'], interval: 100ms, timeout: 300ms, retries: 3, start_period: 60s }}
        stop: {{ grace: 0s }}
        scope: goal
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let id = containers(&workspace).pop().unwrap();
    docker(&["exec", &id, "sh", "-c", "mkdir -p /tmp; touch /tmp/hang"]);
    let why = stands(&workspace, "regressed")["why"].clone();
    assert!(why.as_str().unwrap().contains("300ms"), "{why}");
    let hanging = || docker(&["top", &id]).lines().filter(|line| line.ends_with("sleep 8640")).count();
    for _ in 0..20 {
        let count = hanging();
        assert!(count <= 1, "{count} of them");
    }
    docker(&["exec", &id, "rm", "/tmp/hang"]);
    stands(&workspace, "unverified");
    assert_eq!(hanging(), 0);
    workspace.sculpt("down it").run().expect(0);
    expect_nothing_in_docker(&workspace, "a command that hangs inside of a container");
}
