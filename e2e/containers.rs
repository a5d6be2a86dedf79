//! Goals with containers, networks and volumes, carried out by the real program in a real container engine.
//!
//! | container | ends by |
//! |---|---|
//! | a service of scope `phase`, of scope `goal`, and the work of a phase with an `image` | success, failure, timeout, Ctrl-C, `stop`, `kill -9` of the engine and then `stop` |
//!
//! `E2E_ROUNDS` says how often this matrix is repeated.

use crate::docker::fixture::{IMAGE, docker};
use crate::docker::left::{Bystander, containers, expect_nothing_in_docker, of_workspace, there_is_docker};
use crate::docker::run_ending::Ending::{self, Failure, Interrupt, Killed, Stop, Success, Timeout};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A shop of its own: a network, a volume, a web server built here, and work in an image.
const SHOP: &str = "
version: \"1\"
name: shop
phases:
  web:
    resources:
      net: { network: {}, scope: goal }
      data: { volume: {}, scope: goal }
      httpd:
        container:
          build: web
          command: httpd -f -p 80 -h /www
          volumes: [ \"data:/data\", \"./www:/www:ro\" ]
          networks: [ net ]
        ports: [ \"127.0.0.1:PORT:80\" ]
        healthcheck: { test: [ CMD, test, -s, /www/index.html ], start_interval: 20ms, start_period: 60s }
        stop: { grace: 1s }
        limits: { memory: 64Mi, pids: 32 }
        scope: goal
    verify: { checks: [ { http: { url: \"http://127.0.0.1:PORT/\", contains: hello } }, { container: httpd } ] }
  work:
    needs: [web]
    image: IMAGE
    run: |
      echo from inside > inside
      echo answer=42 >> \"$SCULPT_OUTPUT\"
    verify: { checks: [ { file: inside } ] }
";

fn shop() -> Workspace {
    let workspace = Workspace::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nENTRYPOINT [\"/bin/busybox\"]\n"));
    workspace.write("www/index.html", "hello");
    workspace.goal(&SHOP.replace("PORT", &port.to_string()).replace("IMAGE", IMAGE));
    workspace
}

#[test]
fn a_goal_of_containers_stands_is_labelled_and_goes() {
    if !there_is_docker("a goal of containers") {
        return;
    }
    let workspace = shop();
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("inside").trim(), "from inside");
    let [container] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
    let inspected = docker(&["inspect", "--format", "{{json .Config.Labels}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", container]);
    assert!(inspected.contains("\"io.opensculpt.owner\":\"shop/web/httpd\"") && inspected.ends_with("67108864 32"), "{inspected}");
    let ps = workspace.ps();
    let kinds: Vec<&str> = ps["resources"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["network", "volume", "container"]);
    // The same again changes nothing.
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(containers(&workspace), [container.clone()]);
    let logs = workspace.sculpt("logs shop/web/httpd").run().expect(0);
    assert!(logs.out.contains("Successfully built"), "{}", logs.said());
    workspace.sculpt("down shop").run().expect(0);
    assert_eq!((containers(&workspace).len(), of_workspace(&workspace, &["volume", "ls", "-q"]).len()), (0, 1), "data stays");
    workspace.sculpt("down shop --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "down --volumes");
}

#[test]
fn a_container_outlives_its_engine_and_the_next_one_watches_it() {
    if !there_is_docker("a container that outlives its engine") {
        return;
    }
    let workspace = shop();
    workspace.sculpt("run goal.yaml").run().expect(0);
    let before = containers(&workspace);
    workspace.kill_the_engine();
    workspace.sculpt("status").run().expect(0);
    until("the next engine", || workspace.engine().map(drop));
    assert_eq!(containers(&workspace), before, "the same one");
    docker(&["kill", &before[0]]);
    until("the goal to regress", || (workspace.status()["outcome"] == "regressed").then_some(()));
    until("what has ended to be removed", || containers(&workspace).is_empty().then_some(()));
    workspace.sculpt("down shop --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "down");
}

#[test]
fn without_an_engine_nothing_starts_and_what_needs_it_is_named() {
    let workspace = shop();
    workspace.write("goal.yaml", &format!("{}  host:\n    run: echo > started\n", workspace.read("goal.yaml")));
    let refused = workspace.sculpt("run goal.yaml").env("DOCKER_HOST", "unix:///nowhere/docker.sock").run().expect(1);
    assert!(!workspace.has("started"));
    for word in ["unix:///nowhere/docker.sock is not there", "shop/web/httpd", "shop/web/net", "shop/work", "DOCKER_HOST"] {
        assert!(refused.err.contains(word), "{word}\n{}", refused.said());
    }
}

#[test]
fn want_of_memory_in_a_container_is_named() {
    if !there_is_docker("want of memory in a container") {
        return;
    }
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: hog
phases:
  hog: {{ image: {IMAGE}, run: [ tail, /dev/zero ], limits: {{ memory: 16Mi }} }}
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(1);
    let phase = workspace.phase("hog");
    assert!(phase["why"].as_str().unwrap().contains("killed for want of memory: its limit is 16Mi"), "{phase}");
    expect_nothing_in_docker(&workspace, "want of memory");
}

#[test]
fn a_strangers_container_of_our_name_is_refused_and_untouched() {
    if !there_is_docker("a stranger's container") {
        return;
    }
    let workspace = shop();
    workspace.sculpt("init").run().expect(0);
    let name = format!("sculpt-{}-shop-web-httpd", &workspace.id().unwrap()[..8]);
    let stranger = docker(&["create", "--name", &name, "--label", "io.opensculpt.workspace=another", IMAGE, "true"]);
    let run = workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(run.said().contains("belongs to somebody else"), "{}", run.said());
    workspace.sculpt("down shop --volumes").run().expect(0);
    assert_eq!(docker(&["inspect", "--format", "{{.Id}}", &name]), stranger, "it is still there");
    docker(&["rm", &stranger]);
    expect_nothing_in_docker(&workspace, "down");
}

#[test]
fn a_build_that_takes_too_long_is_stopped() {
    if !there_is_docker("a build that takes too long") {
        return;
    }
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: slow
phases:
  web: { resources: { it: { container: { build: web } } }, timeout: 2s }
",
    );
    workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nRUN echo begun && sleep 3607\n"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(workspace.phase("web")["why"].as_str().unwrap().contains("timeout of 2s"), "{}", workspace.phase("web"));
    workspace.sculpt("down slow").run().expect(0);
    expect_nothing_in_docker(&workspace, "a build that takes too long");
    until("what the build ran to end", || (crate::world::table::running("sleep 3607") == 0).then_some(()));
}

fn leaves_nothing(ending: Ending) {
    if !there_is_docker("the leak matrix of containers") {
        return;
    }
    let rounds = std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().expect("E2E_ROUNDS is a number"));
    for round in 0..rounds {
        let workspace = Workspace::new();
        workspace.goal(&format!(
            "
version: \"1\"
name: leak
phases:
  before:
    resources:
      kept: {{ container: {{ image: {IMAGE}, command: sleep 86400 }}, stop: {{ grace: 0s }}, scope: goal }}
      net: {{ network: {{}}, scope: goal }}
  work:
    needs: {{ before: {{ when: finished }} }}
    image: {IMAGE}
    resources:
      side: {{ container: {{ image: {IMAGE}, command: sleep 86400, networks: [ net ] }}, stop: {{ grace: 0s }} }}
    run: |
      echo > up
      {}
    timeout: {}
",
            ending.last_line(),
            if ending == Timeout { "8s" } else { "5m" },
        ));
        workspace.sculpt("init").run().expect(0);
        let bystander = Bystander::new(&workspace);
        let mut run = workspace.sculpt("run goal.yaml").start();
        workspace.until_written("up");
        ending.bring_about(&workspace, &mut run);
        let ended = run.wait();
        let case = format!("{ending:?}, round {round}");
        assert_eq!(ended.code, ending.exit_code(), "{case}\n{}", ended.said());
        let left = containers(&workspace).len();
        let by_a_person = matches!(ending, Interrupt | Stop | Killed);
        assert_eq!(left, usize::from(!by_a_person), "{case}: what lives with its goal\n{}", ended.said());
        workspace.sculpt("down leak --volumes").run().expect(0);
        expect_nothing_in_docker(&workspace, &case);
        assert!(bystander.is_untouched(), "{case}");
    }
}

#[test]
fn containers_of_a_run_that_ends_well_leave_nothing() {
    leaves_nothing(Success);
}

#[test]
fn containers_of_a_run_that_fails_leave_nothing() {
    leaves_nothing(Failure);
}

#[test]
fn containers_of_a_run_that_takes_too_long_leave_nothing() {
    leaves_nothing(Timeout);
}

#[test]
fn containers_of_a_run_that_is_interrupted_leave_nothing() {
    leaves_nothing(Interrupt);
}

#[test]
fn containers_of_a_run_that_is_stopped_leave_nothing() {
    leaves_nothing(Stop);
}

#[test]
fn containers_of_a_run_whose_engine_is_killed_leave_nothing() {
    leaves_nothing(Killed);
}
