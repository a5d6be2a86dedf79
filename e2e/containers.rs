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
    assert_eq!(containers(&workspace), std::slice::from_ref(container));
    let logs = workspace.sculpt("logs shop/web/httpd").run().expect(0);
    assert!(logs.out.contains("Successfully built"), "{}", logs.said());
    workspace.sculpt("down shop").run().expect(0);
    assert_eq!((containers(&workspace).len(), of_workspace(&workspace, &["volume", "ls", "-q"]).len()), (0, 1), "data stays");
    workspace.sculpt("down shop --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "down --volumes");
    assert_eq!(images(&workspace), [""; 0], "what was built goes too");
}

/// The images that were built for a workspace, with those of their steps.
pub(crate) fn images(workspace: &Workspace) -> Vec<String> {
    listed(workspace, &["images", "-q", "-a"])
}

/// The images that were built for a workspace.
fn results(workspace: &Workspace) -> Vec<String> {
    listed(workspace, &["images", "-q"])
}

fn listed(workspace: &Workspace, list: &[&str]) -> Vec<String> {
    let filter = format!("label=io.opensculpt.built.workspace={}", workspace.id().unwrap());
    let listed = docker(&[list, &["--filter", &filter]].concat());
    listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn an_image_that_somebody_uses_stays_and_that_is_said() {
    if !there_is_docker("an image that somebody uses") {
        return;
    }
    let workspace = shop();
    workspace.sculpt("run goal.yaml").run().expect(0);
    let tag = format!("sculpt-{}-shop-web-httpd:latest", &workspace.id().unwrap()[..8]);
    let user = docker(&["create", "--name", &format!("user-{}", workspace.mark), &tag, "true"]);
    let down = workspace.sculpt("down shop --volumes").run().expect(1);
    assert!(down.said().contains(&tag) && down.said().contains("it is in use"), "{}", down.said());
    assert_eq!(results(&workspace).len(), 1);
    docker(&["rm", &user]);
    // Under another name it is somebody else's: only ours goes.
    let theirs = format!("theirs-{}:latest", workspace.mark);
    docker(&["tag", &tag, &theirs]);
    workspace.sculpt("down shop --volumes").run().expect(0);
    assert_eq!(docker(&["images", "-q", &tag]), "");
    assert_eq!(results(&workspace).len(), 1);
    docker(&["rmi", &theirs]);
    assert_eq!(images(&workspace), [""; 0]);
}

#[test]
fn work_in_an_image_finds_a_service_by_its_name_and_shares_its_volume() {
    if !there_is_docker("work in an image on a network") {
        return;
    }
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: migrate
phases:
  shared:
    resources: {{ net: {{ network: {{}}, scope: goal }}, data: {{ volume: {{}}, scope: goal, keep: false }} }}
  web:
    needs: [shared]
    resources:
      httpd:
        container: {{ image: {IMAGE}, command: httpd -f -p 80 -h /data, networks: [ net ], volumes: [ \"data:/data\" ] }}
        stop: {{ grace: 0s }}
        scope: goal
  migration:
    needs: [web]
    image: {IMAGE}
    run: |
      echo from the migration > /data/page
      wget -q -O answer http://httpd/page
      cat /conf/setting > seen
    networks: [ net ]
    volumes: [ \"data:/data\", \"./conf:/conf:ro\" ]
    verify: {{ checks: [ {{ file: {{ path: answer, contains: migration }} }} ] }}
"
    ));
    workspace.write("conf/setting", "set\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!((workspace.read("answer").trim(), workspace.read("seen").trim()), ("from the migration", "set"));
    workspace.sculpt("down migrate").run().expect(0);
    expect_nothing_in_docker(&workspace, "down");
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
fn a_port_that_a_container_cannot_have_is_anothers_by_name_or_becomes_the_next() {
    if !there_is_docker("a port of a container") {
        return;
    }
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let goal = |claim: &str| {
        let check = "http: { url: \"http://127.0.0.1:{{ resources.it.port }}/\", status: 404 }";
        format!(
            "
version: \"1\"
name: ports
phases:
  web:
    resources:
      it: {{ container: {{ image: {IMAGE}, command: httpd -f -p 80 }}, ports: [ {claim} ], stop: {{ grace: 0s }}, scope: goal }}
    verify: {{ checks: [ {{ {check} }} ] }}
"
        )
    };
    let workspace = Workspace::with_goal(&goal(&format!("\"127.0.0.1:{port}:80\"")));
    let refused = workspace.sculpt("run goal.yaml").run().expect(1);
    let named = format!("port 127.0.0.1:{port}:80 is held by process {} `", std::process::id());
    assert!(refused.said().contains(&named), "{}", refused.said());
    workspace.goal(&goal(&format!("{{ port: \"127.0.0.1:{port}:80\", fallback: next-free }}")));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let chosen = workspace.ps()["resources"][0]["ports"][0]["port"].as_u64().unwrap();
    assert!(chosen > u64::from(port));
    let [container] = &containers(&workspace)[..] else { panic!("{:?}", containers(&workspace)) };
    assert_eq!(docker(&["port", container]), format!("80/tcp -> 127.0.0.1:{chosen}"));
    workspace.sculpt("down ports").run().expect(0);
    expect_nothing_in_docker(&workspace, "down");
}

#[test]
fn what_a_container_uses_is_measured_while_it_lives_and_kept() {
    if !there_is_docker("what a container uses") {
        return;
    }
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: meter
limits: {{ memory: 1Gi, pids: 64 }}
phases:
  web:
    resources:
      it: {{ container: {{ image: {IMAGE}, command: sleep 86400 }}, limits: {{ pids: 4096 }}, stop: {{ grace: 0s }}, scope: goal }}
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let top = workspace.sculpt("top --json").run().expect(0).json();
    let place = &top["places"][0];
    assert_eq!((&place["owner"], &place["kind"], &place["live"]), (&"meter/web/it".into(), &"container".into(), &true.into()), "{top}");
    assert_eq!(place["processes"], 1, "{top}");
    let peak = place["peak_memory"].as_u64().unwrap();
    assert!(peak > 0 && place["memory"].as_u64().unwrap() > 0 && place["cpu_ms"].as_u64().is_some(), "{top}");
    // None of its limits is above its goal's.
    assert_eq!((&place["limits"]["pids"], &place["limits"]["memory"]), (&64.into(), &"1Gi".into()), "{top}");
    let limits = docker(&["inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}", &containers(&workspace)[0]]);
    assert_eq!(limits, "1073741824 64");
    workspace.sculpt("down meter").run().expect(0);
    // Its last words are waited for after its end.
    let used = until("its end in the journal", || workspace.records().into_iter().find(|record| record["seen"]["saw"] == "exited"));
    let usage = &used["seen"]["usage"];
    assert!(usage["peak_memory"].as_u64().unwrap() >= peak && usage["cpu_ms"].as_u64().is_some(), "{used}");
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
    // What others on this machine build is not what this one leaves.
    let sleeps = format!("sleep {}", 100_000 + std::process::id());
    workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nRUN echo begun && {sleeps}\n"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(workspace.phase("web")["why"].as_str().unwrap().contains("timeout of 2s"), "{}", workspace.phase("web"));
    workspace.sculpt("down slow").run().expect(0);
    expect_nothing_in_docker(&workspace, "a build that takes too long");
    until("what the build ran to end", || (crate::world::table::running(&sleeps) == 0).then_some(()));
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
