//! Services that end by themselves: killed from outside, in a loop, with workers that keep a port, in containers, and while no engine watches.

use std::net::TcpListener;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::docker::fixture::{IMAGE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_docker};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A service that is ready as soon as it runs.
fn sleeper(keys: &str) -> Workspace {
    Workspace::with_goal(&format!(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc: {{ process: {{ run: \"echo $$ >> ROOT/starts; exec sleep 86400.MARK\" }}, scope: goal{keys} }}
    verify: {{ checks: [ {{ exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms }} ] }}
"
    ))
}

fn up(workspace: &Workspace) {
    workspace.sculpt("run goal.yaml").run().expect(0);
}

/// The service of the only goal, as `ps` shows it; none where it is not there.
fn service(workspace: &Workspace) -> Option<Value> {
    let ps = workspace.ps();
    ps["resources"].as_array().unwrap().iter().find(|one| one["name"] == "svc").cloned()
}

fn pid(workspace: &Workspace) -> i32 {
    service(workspace).and_then(|svc| svc["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok()).unwrap()
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Waits until another process than this is ready, and says so.
fn back(workspace: &Workspace, old: i32) -> Value {
    let other = |svc: &Value| svc["state"] == "ready" && svc["pid"].as_i64().is_some_and(|pid| pid != i64::from(old));
    until("the service to be ready again", || service(workspace).filter(other))
}

fn starts(workspace: &Workspace) -> usize {
    workspace.read("starts").lines().count()
}

/// The records of one kind about the service.
fn records(workspace: &Workspace, event: &str) -> usize {
    workspace.records().iter().filter(|record| record["event"] == event).count()
}

#[test]
fn a_service_that_is_killed_is_up_again_and_its_goal_recovers_by_itself() {
    let workspace = sleeper(", restart: on-failure");
    up(&workspace);
    let mut took = Vec::new();
    for round in 1..=3 {
        let old = pid(&workspace);
        let written = workspace.read("starts");
        let killed = Instant::now();
        kill(old);
        if round == 1 {
            // The first is at once: what is measured is from the kill to the new process's first line.
            until("the new process", || (workspace.read("starts") != written).then_some(()));
            took.push(killed.elapsed());
        }
        let svc = back(&workspace, old);
        assert_eq!((&svc["restarts"]["count"], &svc["restarts"]["why"]), (&round.into(), &"it ended with signal 9".into()));
    }
    println!("restart after SIGKILL, to the first line of the new process: {took:?}");
    assert_eq!(starts(&workspace), 4);
    assert_eq!(workspace.status()["outcome"], "verified");
    let why = workspace.sculpt("why it/a/svc").run().expect(0).said();
    assert!(why.contains("started again 3 times") && why.contains("signal 9"), "{why}");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
    assert_eq!(starts(&workspace), 4, "what sculpt ends stays down");
}

#[test]
fn a_crash_loop_ends_at_its_limit_and_says_so() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        process: { run: \"echo $$ >> ROOT/starts; [ ! -e ROOT/broken ] || exit 7; exec sleep 86400.MARK\" }
        restart: always
        restart_limits: { attempts: 2, interval: 1h }
        scope: goal
",
    );
    up(&workspace);
    workspace.write("broken", "");
    kill(pid(&workspace));
    until("the limit", || (records(&workspace, "not_restarted") == 1).then_some(()));
    assert_eq!(starts(&workspace), 3);
    let status = workspace.status();
    assert_eq!(status["outcome"], "regressed", "{status}");
    let why = workspace.sculpt("why it/a/svc").run().expect(0).said();
    assert!(why.contains("exit 7") && why.contains("started again 2 times within 1h: its `restart_limits` allow no more"), "{why}");
    let goal = workspace.sculpt("why it").run().expect(0).said();
    assert!(goal.contains("allow no more"), "{goal}");
    until("the supervisor to end, since nothing is promised", || workspace.engine().is_none().then_some(()));
    // The person mends it, and runs it again.
    std::fs::remove_file(workspace.path("broken")).unwrap();
    up(&workspace);
    assert_eq!((workspace.status()["outcome"].clone(), starts(&workspace)), ("unverified".into(), 4));
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_run_says_that_a_service_was_started_again_and_goes_on() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        process: { run: \"echo $$ >> ROOT/starts; [ $(wc -l < ROOT/starts) -gt 2 ] || exit 3; exec sleep 86400.MARK\" }
        healthcheck: { exec: '[ $(wc -l < ROOT/starts) -gt 2 ]', start_interval: 20ms, start_period: 60s }
        restart: on-failure
        scope: goal
    verify: { checks: [ { exec: '[ $(wc -l < ROOT/starts) -gt 2 ]' } ] }
",
    );
    workspace.write("starts", "");
    let said = workspace.sculpt("run goal.yaml").run().expect(0).said();
    assert!(said.contains("restarting it/a/svc: it ended with exit 3; again at once"), "{said}");
    assert!(said.contains("restarting it/a/svc: it ended with exit 3; again in 1"), "{said}");
    assert_eq!(workspace.phase("a")["attempts"], 1);
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

/// A server whose port is kept by a worker in a session of its own: whoever starts it again meets that, unless it is ended first.
const SERVER: &str = r#"
import os, socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
if os.fork() == 0:
    os.setsid()
while True:
    time.sleep(3600)
"#;

#[test]
fn workers_that_keep_the_port_are_ended_before_their_server_is_started_again() {
    let workspace = Workspace::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    workspace.write("server.py", SERVER);
    workspace.goal(&format!(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        process: {{ run: [ python3, ROOT/server.py, \"{port}\" ] }}
        ports: [ \"127.0.0.1:{port}\" ]
        restart: on-failure
        scope: goal
    verify: {{ checks: [ {{ tcp: \"127.0.0.1:{port}\" }} ] }}
"
    ));
    up(&workspace);
    let old = pid(&workspace);
    kill(old);
    let svc = back(&workspace, old);
    assert_eq!(svc["restarts"]["count"], 1, "one start was enough: {svc}");
    let served = workspace.alive().iter().filter(|process| process.arguments.contains("server.py")).count();
    assert_eq!(served, 2, "the old worker is gone: {:#?}", workspace.alive());
    workspace.sculpt("verify it").run().expect(0);
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_service_that_dies_while_no_engine_watches_is_started_once_by_the_next_command() {
    let workspace = sleeper(", restart: on-failure");
    up(&workspace);
    let old = pid(&workspace);
    workspace.kill_the_engine();
    kill(old);
    workspace.sculpt("gc").run().expect(0);
    let svc = back(&workspace, old);
    assert_eq!(svc["restarts"]["count"], 1, "{svc}");
    assert_eq!((starts(&workspace), workspace.sleepers()), (2, 1));
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn an_engine_that_dies_over_a_restart_leaves_one_service() {
    let workspace = sleeper(", restart: always, restart_limits: { attempts: 100 }");
    up(&workspace);
    for _ in 0..5 {
        let old = pid(&workspace);
        kill(old);
        workspace.kill_the_engine();
        workspace.sculpt("gc").run().expect(0);
        back(&workspace, old);
        assert_eq!(workspace.sleepers(), 1, "{:#?}", workspace.alive());
    }
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn down_while_a_service_backs_off_leaves_nothing() {
    for killed in [false, true] {
        let workspace = sleeper(", restart: always, restart_limits: { attempts: 100 }");
        up(&workspace);
        let mut pauses = false;
        while !pauses {
            let old = pid(&workspace);
            kill(old);
            pauses = until("a restart", || {
                let svc = service(&workspace).filter(|svc| svc["restarts"].is_object())?;
                let away = svc["restarts"]["next_in_ms"].as_u64().is_some_and(|ms| ms > 500);
                let here = svc["state"] == "ready" && svc["pid"].as_i64() != Some(i64::from(old));
                (away || here).then_some(away)
            });
        }
        let status = workspace.status();
        assert_eq!(status["outcome"], "regressed");
        assert!(status["why"].as_str().unwrap().contains("is started again in"), "{status}");
        if killed {
            workspace.kill_the_engine();
        }
        workspace.sculpt("down it").run().expect(0);
        let before = starts(&workspace);
        workspace.expect_nothing_alive("down while it backs off");
        assert_eq!((starts(&workspace), workspace.status()["outcome"].clone()), (before, "down".into()));
    }
}

#[test]
fn a_container_that_dies_is_started_again_with_its_health() {
    if !there_is_docker("a container that is started again") {
        return;
    }
    let workspace = Workspace::new();
    workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nENTRYPOINT [\"/bin/busybox\"]\n"));
    workspace.write("www/index.html", "hello");
    workspace.goal(
        "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc:
        container: { build: web, command: httpd -f -p 80 -h /www, volumes: [ \"./www:/www:ro\" ] }
        healthcheck: { test: [ CMD, test, -s, /www/index.html ], start_interval: 20ms, start_period: 60s }
        restart: on-failure
        scope: goal
    verify: { checks: [ { container: svc } ] }
",
    );
    up(&workspace);
    for round in 1..=2 {
        let [old] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
        docker(&["kill", old]);
        let svc = until("the container to be ready again", || {
            service(&workspace).filter(|svc| svc["state"] == "ready" && svc["restarts"]["count"] == round)
        });
        let [new] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
        assert_ne!(new, old, "{svc}");
        let policy = docker(&["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", new]);
        assert!(policy.is_empty() || policy == "no", "the container engine's own policy is never used: {policy}");
    }
    assert_eq!(workspace.status()["outcome"], "verified");
    // One that died while no engine watched, too.
    let [old] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
    workspace.kill_the_engine();
    docker(&["kill", old]);
    workspace.sculpt("gc").run().expect(0);
    until("the container to be ready again", || service(&workspace).filter(|svc| svc["state"] == "ready" && svc["restarts"]["count"] == 3));
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
    expect_nothing_in_docker(&workspace, "down");
}
