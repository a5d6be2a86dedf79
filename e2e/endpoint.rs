//! Containers that commands start: owned, limited, judged and ended, by whatever route they were started.
//!
//! | started by | ends by |
//! |---|---|
//! | `docker run` in a script; the same by `env -i`; `docker-compose up`, by `env -i` too; a service that is `docker run`; custom resources of scope `phase` and `goal` that are `docker run` | success, failure, timeout, Ctrl-C, `stop`, `kill -9` of the engine and then `stop` |
//!
//! `E2E_ROUNDS` says how often this matrix is repeated.

use crate::docker::fixture::{IMAGE, SERVE, docker};
use crate::docker::left::{Bystander, containers, expect_nothing_in_docker, of_workspace, there_is_compose, there_is_docker};
use crate::docker::run_ending::Ending::{self, Failure, Interrupt, Killed, Stop, Success, Timeout};
use crate::part::require;
use crate::world::deadline::until;
use crate::world::program::Ended;
use crate::world::workspace::Workspace;

/// Only root's commands can have a view of their own.
pub(crate) fn covered() -> bool {
    rustix::process::geteuid().is_root()
}

fn matrix(ending: Ending) {
    let part = "containers that commands start";
    if !there_is_docker(part) || !there_is_compose(part) {
        return;
    }
    let rounds = std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().expect("E2E_ROUNDS is a number"));
    for round in 0..rounds {
        // A sweep of many rounds has many of them once: to make them takes longer than a round.
        let bystanders = if rounds > 1 && round == 0 { 20 } else { 3 };
        leaves_nothing(ending, round, bystanders);
    }
}

/// A custom resource that is a container of this name.
pub(crate) fn custom(name: &str, scope: &str) -> String {
    let create = format!("docker run -d --name {name} {IMAGE} {SERVE}");
    let (exists, destroy) = (format!("docker container inspect {name}"), format!("docker rm -f {name}"));
    format!("{{ custom: {{ create: \"{create}\", exists: {exists}, destroy: {destroy} }}, scope: {scope} }}")
}

fn leaves_nothing(ending: Ending, round: u32, bystanders: u32) {
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    workspace.write(
        "compose.yml",
        &format!(
            "
services:
  a: {{ image: {IMAGE}, command: {SERVE}, networks: [n], volumes: [\"data:/data\"] }}
  b: {{ image: {IMAGE}, command: {SERVE}, networks: [n] }}
networks: {{ n: {{}} }}
volumes: {{ data: {{}} }}
"
        ),
    );
    let scrubbed = if covered() { "env -i PATH=\"$PATH\"" } else { "" };
    let last = ending.last_line();
    let timeout = if ending == Timeout { "20s" } else { "5m" };
    workspace.goal(&format!(
        "
version: \"1\"
name: leak
concurrency: 8
phases:
  served:
    resources:
      side: {{ process: {{ run: \"docker run --name {id}-side {IMAGE} {SERVE}\" }}, stop: {{ grace: 0s }}, scope: goal }}
  shell:
    run: |
      docker run -d --name {id}-shell -v {id}-data:/data {IMAGE} {SERVE}
      docker network create {id}-net
      docker volume create {id}-vol
      echo > up-shell
      {last}
    timeout: {timeout}
  scrubbed:
    run: |
      {scrubbed} docker run -d --name {id}-scrubbed {IMAGE} {SERVE}
      echo > up-scrubbed
      {last}
    timeout: {timeout}
  compose:
    run: |
      {scrubbed} docker-compose -p {id}c up -d
      echo > up-compose
      {last}
    timeout: {timeout}
  custom:
    resources:
      brief: {brief}
      long: {long}
    run: |
      echo > up-custom
      {last}
    timeout: {timeout}
",
        brief = custom(&format!("{id}-brief"), "phase"),
        long = custom(&format!("{id}-long"), "goal"),
    ));
    let bystanders: Vec<Bystander> = (0..bystanders).map(|_| Bystander::new(&workspace)).collect();
    let mut run = workspace.sculpt("run goal.yaml").start();
    for phase in ["shell", "scrubbed", "compose", "custom"] {
        workspace.until_written(&format!("up-{phase}"));
    }
    ending.bring_about(&workspace, &mut run);
    let ended = run.wait();
    let case = format!("{ending:?}, round {round}");
    assert_eq!(ended.code, ending.exit_code(), "{case}\n{}", ended.said());
    let by_a_person = matches!(ending, Interrupt | Stop | Killed);
    if !by_a_person {
        // The service goes on, and so does the custom resource of a phase that ended well, and with them what they made.
        let named = |name: &str| docker(&["ps", "-q", "--no-trunc", "--filter", &format!("name={id}-{name}")]);
        let mut wanted = vec![named("side"), named("long")];
        wanted.retain(|container| !container.is_empty());
        assert_eq!(wanted.len(), 1 + usize::from(ending == Success), "{case}\n{}", ended.said());
        let mut stay = containers(&workspace);
        wanted.sort();
        stay.sort();
        assert_eq!(stay, wanted, "{case}\n{}", ended.said());
        workspace.sculpt("down leak").run().expect(0);
    }
    expect_nothing_in_docker(&workspace, &case);
    // Nor is there anything of it without a label.
    let named = docker(&["ps", "-a", "-q", "--filter", &format!("name={id}")]);
    assert_eq!(named, "", "{case}");
    for bystander in bystanders {
        assert!(bystander.is_untouched(), "{case}");
    }
}

#[test]
fn what_commands_start_in_docker_and_succeed_is_ended() {
    matrix(Success);
}

#[test]
fn what_commands_start_in_docker_and_fail_is_ended() {
    matrix(Failure);
}

#[test]
fn what_commands_start_in_docker_and_take_too_long_is_ended() {
    matrix(Timeout);
}

#[test]
fn what_commands_start_in_docker_is_ended_by_an_interrupt() {
    matrix(Interrupt);
}

#[test]
fn what_commands_start_in_docker_is_ended_by_stop() {
    matrix(Stop);
}

#[test]
fn what_commands_start_in_docker_is_ended_after_the_death_of_the_engine() {
    matrix(Killed);
}

#[test]
fn what_a_command_starts_is_seen_while_it_is_there_and_gone_after() {
    if !there_is_docker("what a command starts is seen") {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    workspace.goal(&format!(
        "
version: \"1\"
name: leak
phases:
  work:
    limits: {{ memory: 64Mi, pids: 40 }}
    run: |
      docker run -d --name {id}-db {IMAGE} {SERVE}
      echo > up
      while [ ! -e go ]; do sleep 0.05; done
      docker rm -f {id}-db
      echo > removed
      while [ ! -e end ]; do sleep 0.05; done
"
    ));
    let run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    let of = |workspace: &Workspace| workspace.ps()["resources"].as_array().unwrap().clone();
    let [resource] = &of(&workspace)[..] else { panic!("{:?}", of(&workspace)) };
    assert_eq!(resource["owner"], format!("leak/work/docker:{id}-db"));
    assert_eq!((&resource["kind"], &resource["state"]), (&"container".into(), &"ready".into()));
    let limits = docker(&["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", &format!("{id}-db")]);
    assert_eq!(limits, "67108864 40");
    workspace.write("go", "");
    workspace.until_written("removed");
    until("the container to be known to be gone", || of(&workspace).is_empty().then_some(()));
    workspace.write("end", "");
    run.wait().expect(0);
    expect_nothing_in_docker(&workspace, "at the end");
}

#[test]
fn what_is_declared_to_stay_stays_until_down_and_is_remade_with_its_phase() {
    if !there_is_docker("what is declared to stay") {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let goal = |more: &str| {
        format!(
            "
version: \"1\"
name: leak
phases:
  work:
    capabilities: {{ docker: [ keep ] }}
    run: |
      docker run -d --name {id}-db -v {id}-data:/data {IMAGE} {SERVE}
      {more}
    verify: {{ checks: [ {{ exec: \"docker inspect {id}-db\" }} ] }}
"
        )
    };
    workspace.goal(&goal("true"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let first = containers(&workspace);
    assert_eq!(first.len(), 1);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(containers(&workspace), first, "verified already: it is not touched");
    // The phase is done anew: its container is, and what it holds is kept.
    workspace.goal(&goal("echo anew"));
    let anew: Ended = workspace.sculpt("run goal.yaml").run().expect(0);
    let second = containers(&workspace);
    assert!(second.len() == 1 && second != first, "{second:?}\n{}", anew.said());
    // A failed attempt takes what it started.
    workspace.goal(&goal("exit 3"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(containers(&workspace), [""; 0]);
    workspace.goal(&goal("echo once more"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down leak").run().expect(0);
    assert_eq!((containers(&workspace).len(), of_workspace(&workspace, &["volume", "ls", "-q"]).len()), (0, 1), "data stays");
    workspace.sculpt("down leak --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "down --volumes");
}

#[test]
fn what_reaches_out_is_refused_unless_it_is_allowed_by_name() {
    if !there_is_docker("what reaches out is refused") {
        return;
    }
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: leak
phases:
  refused:
    run: |
      docker run --rm --privileged {IMAGE} true || true
      docker run --rm --pid host {IMAGE} true
  allowed:
    capabilities: {{ docker: [ host-pid ] }}
    run: docker run --rm --pid host {IMAGE} true
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.phase("allowed")["outcome"], "unverified");
    let said = workspace.sculpt("logs leak/refused").run().expect(0);
    for (what, word) in [("a privileged container", "privileged"), ("PidMode `host`", "host-pid")] {
        let wanted = format!("sculpt: refused {what}; the phase may have it with `capabilities: {{ docker: [\"{word}\"] }}`");
        assert!(said.out.contains(&wanted), "{}", said.said());
    }
    expect_nothing_in_docker(&workspace, "refused and allowed");
}

#[test]
fn an_endpoint_is_served_again_after_the_death_of_its_engine() {
    if !there_is_docker("an endpoint is served again") {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let scrubbed = if covered() { "env -i PATH=\"$PATH\"" } else { "" };
    workspace.goal(&format!(
        "
version: \"1\"
name: leak
phases:
  work:
    run: |
      docker run -d --name {id}-before {IMAGE} {SERVE}
      echo > up
      while [ ! -e go ]; do sleep 0.05; done
      until docker ps; do sleep 0.05; done
      docker run -d --name {id}-after {IMAGE} {SERVE}
      until {scrubbed} docker ps; do sleep 0.05; done
      {scrubbed} docker run -d --name {id}-scrubbed {IMAGE} {SERVE}
      echo > again
      while [ ! -e end ]; do sleep 0.05; done
"
    ));
    let run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    let before = containers(&workspace);
    workspace.kill_the_engine();
    workspace.sculpt("status").run().expect(0);
    until("the next engine", || workspace.engine().map(drop));
    assert_eq!(containers(&workspace), before, "what its record knows is not touched");
    workspace.write("go", "");
    workspace.until_written("again");
    assert_eq!(containers(&workspace).len(), 3);
    assert_eq!(workspace.ps()["resources"].as_array().unwrap().len(), 3);
    workspace.write("end", "");
    drop(run);
    until("the run's end", || (workspace.status()["ended"].is_string() && containers(&workspace).is_empty()).then_some(()));
    workspace.sculpt("down leak").run().expect(0);
    expect_nothing_in_docker(&workspace, "after the second engine");
}

#[test]
fn who_may_not_use_the_engine_may_not_use_the_endpoint() {
    use std::os::unix::fs::MetadataExt as _;
    let closed = std::fs::metadata("/var/run/docker.sock").is_ok_and(|socket| socket.mode() & 0o006 == 0);
    if !there_is_docker("an endpoint of another user")
        || !require("an endpoint of another user", "root, and a socket of Docker's that is closed", covered() && closed)
    {
        return;
    }
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: leak
phases:
  root: { run: \"docker version > /dev/null\" }
  nobody: { user: nobody, run: \"docker version\" }
",
    );
    std::fs::set_permissions(workspace.root(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!((workspace.outcome("root").as_str(), workspace.outcome("nobody").as_str()), ("unverified", "failed"));
    let said = workspace.sculpt("logs leak/nobody").run().expect(0);
    assert!(said.out.contains("permission denied"), "{}", said.said());
}
