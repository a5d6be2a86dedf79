//! The containers of a goal and its processes in one group: what the goal may use holds for all of it together, whoever started it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::docker::fixture::{IMAGE, docker};
use crate::docker::left::{containers, expect_nothing_in_docker, there_is_buildkit, there_is_docker};
use crate::part::require;
use crate::world::table;
use crate::world::workspace::Workspace;

const MIB: u64 = 1 << 20;

/// The kernel lets whoever it ends have the last pages that this takes.
const LAST_PAGES: u64 = MIB;

/// Whether the container engine of this host puts containers where it is told to, by the word of `plan`.
fn are_together(part: &str) -> bool {
    if !there_is_docker(part) {
        return false;
    }
    let workspace = Workspace::with_goal(&format!("version: \"1\"\nname: it\nphases: {{ one: {{ image: {IMAGE}, run: \"true\" }} }}\n"));
    let plan = workspace.sculpt("plan goal.yaml --json").run().expect(0).json();
    require(part, "an engine that makes control groups by paths", plan["host"]["together"] == json!(true))
}

/// The group of a container's main process, where its memory is limited.
fn group(container: &str) -> PathBuf {
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", container]);
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let of = |line: &str| {
        let (names, path) = line.split_once(':').unwrap().1.split_once(':').unwrap();
        (names == "memory").then(|| Path::new("/sys/fs/cgroup/memory").join(path.trim_start_matches('/')))
    };
    let v2 = groups.lines().find_map(|line| line.strip_prefix("0::/")).map(|path| Path::new("/sys/fs/cgroup").join(path));
    groups.lines().find_map(of).or(v2).unwrap()
}

fn figure(group: &Path, files: [&str; 2]) -> u64 {
    let text = files.iter().find_map(|file| fs::read_to_string(group.join(file)).ok());
    text.unwrap_or_else(|| panic!("{} has none of {files:?}", group.display())).trim().parse().unwrap()
}

/// The groups of a workspace, in all hierarchies.
fn groups(workspace: &Workspace) -> Vec<PathBuf> {
    table::groups(&format!("sculpt-{}", workspace.id().unwrap()))
}

#[test]
fn what_a_goal_may_use_its_containers_have_together_and_want_of_memory_names_it() {
    if !are_together("the limits of a goal of containers") {
        return;
    }
    let service = format!("{{ container: {{ image: {IMAGE}, command: sleep 86400 }}, stop: {{ grace: 0s }}, scope: goal }}");
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: tight
limits: {{ memory: 96Mi, pids: 64, cpus: 1.5, enforce: strict }}
phases:
  serve: {{ resources: {{ one: {service}, two: {service}, three: {{ process: exec sleep 86400.MARK, scope: goal }} }} }}
  hog: {{ needs: [serve], image: {IMAGE}, run: [ tail, /dev/zero ] }}
"
    ));
    let plan = workspace.sculpt("plan goal.yaml").run().expect(0);
    assert!(plan.out.contains("enforced") && !plan.out.contains("for itself"), "{}", plan.said());
    workspace.sculpt("run goal.yaml").run().expect(1);
    let hog = workspace.phase("hog");
    assert_eq!(hog["fault"], "out-of-memory", "{hog}");
    assert!(hog["why"].as_str().unwrap().contains("the limit of its goal is 96Mi"), "{hog}");
    let running = containers(&workspace);
    assert_eq!(running.len(), 2, "those that took little live on");
    let parents: Vec<PathBuf> = running.iter().map(|id| group(id).parent().unwrap().to_owned()).collect();
    assert_eq!(parents[0], parents[1]);
    let goal = parents[0].parent().unwrap();
    assert!(groups(&workspace).iter().any(|workspace| goal.starts_with(workspace)), "{}", goal.display());
    let peak = figure(goal, ["memory.max_usage_in_bytes", "memory.peak"]);
    assert!((64 * MIB..=96 * MIB + LAST_PAGES).contains(&peak), "{peak}");
    let ps = workspace.ps();
    let states: Vec<&Value> = ps["resources"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["ready", "ready", "ready"], "nobody else was killed, or is said to have been: {ps}");
    workspace.sculpt("down tight").run().expect(0);
    expect_nothing_in_docker(&workspace, "a tight goal");
    workspace.expect_nothing_alive("a tight goal");
}

#[test]
fn what_its_commands_start_is_a_part_of_it() {
    if !are_together("the limits of containers that commands start") {
        return;
    }
    // Each may have as much as all of them: only together they have too much.
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: crowd
limits: {{ memory: 96Mi }}
phases:
  start:
    capabilities: {{ docker: [ keep ] }}
    run: |
      for each in 1 2 3; do
        docker run -d {IMAGE} sh -c 'dd if=/dev/zero of=/dev/null bs=60M count=1; exec sleep 86400' >> ids
        docker run -d {IMAGE} tail /dev/zero >> hungry
      done
      docker wait $(cat hungry) > ends
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert!(workspace.read("ends").lines().all(|end| end == "137"), "{}", workspace.read("ends"));
    let ids = workspace.read("ids");
    let goal = group(ids.lines().next().unwrap()).parent().unwrap().parent().unwrap().to_owned();
    let limit = figure(&goal, ["memory.limit_in_bytes", "memory.max"]);
    let peak = figure(&goal, ["memory.max_usage_in_bytes", "memory.peak"]);
    assert_eq!(limit, 96 * MIB);
    assert!((64 * MIB..=limit + LAST_PAGES).contains(&peak), "{peak}");
    workspace.sculpt("down crowd --volumes").run().expect(0);
    expect_nothing_in_docker(&workspace, "a crowd");
    workspace.expect_nothing_alive("a crowd");
}

#[test]
fn the_steps_of_a_build_are_a_part_of_it_and_those_of_buildkit_are_not() {
    let part = "the limits of builds";
    if !are_together(part) || !there_is_buildkit(part) {
        return;
    }
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let step = "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox cat /proc/self/cgroup > /where\"]";
    workspace.write("context/Dockerfile", &format!("FROM scratch\nCOPY busybox /bin/busybox\n{step}\n"));
    fs::copy("/bin/busybox", workspace.path("context/busybox")).unwrap();
    workspace.goal(&format!(
        "
version: \"1\"
name: builds
limits: {{ memory: 96Mi }}
phases:
  build:
    run: |
      set -e
      for kit in 0 1; do
        DOCKER_BUILDKIT=$kit /usr/bin/docker build --no-cache -t {id}:$kit context
        docker run --rm {id}:$kit /bin/busybox cat /where > where$kit
        docker rmi {id}:$kit
      done
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let (classic, kit) = (workspace.read("where0"), workspace.read("where1"));
    let group = format!("/sculpt-{id}/");
    // In a namespace of control groups, which version 2 brings, nobody sees where he is.
    assert!(classic.contains(&group) || classic.lines().all(|line| line.ends_with(":/")), "{classic}");
    assert!(!kit.contains(&group), "BuildKit takes it by now, and docs/manifest.md says that none does: {kit}");
    workspace.sculpt("down builds").run().expect(0);
    expect_nothing_in_docker(&workspace, "builds");
    workspace.expect_nothing_alive("builds");
}

#[test]
fn an_engine_that_makes_no_groups_by_paths_is_said_to_limit_each_for_itself() {
    if !there_is_docker("an engine elsewhere") {
        return;
    }
    // Behind a relay it is an engine of another host, as far as anybody can tell.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            std::thread::spawn(move || relay(client));
        }
    });
    let goal = |enforce: &str| {
        format!(
            "version: \"1\"\nname: far\nlimits: {{ memory: 1Gi, enforce: {enforce} }}\nphases: {{ one: {{ image: {IMAGE}, run: [ \"true\" ] }} }}\n"
        )
    };
    let workspace = Workspace::with_goal(&goal("strict"));
    let far = |words: &str| workspace.sculpt(words).env("DOCKER_HOST", &format!("tcp://{address}"));
    let refused = far("run goal.yaml").run().expect(1);
    assert!(refused.err.contains("together they cannot be limited"), "{}", refused.said());
    workspace.goal(&goal("best-effort"));
    far("run goal.yaml").run().expect(0);
    let status = workspace.sculpt("status far").run().expect(0).out;
    assert!(status.contains("not enforced on this host: the goal's limits for its containers together"), "{status}");
    assert_eq!(workspace.status()["apart"], json!(true));
    let begun = workspace.records().into_iter().find(|record| record["event"] == "run_started").unwrap();
    assert_eq!(begun["options"]["apart"], json!(true));
    far("down far").run().expect(0);
}

/// Bytes both ways between a client and the container engine's socket.
fn relay(client: std::net::TcpStream) {
    let Ok(engine) = std::os::unix::net::UnixStream::connect("/var/run/docker.sock") else { return };
    let (mut from_client, mut to_engine) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    let (mut from_engine, mut to_client) = (engine, client);
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from_client, &mut to_engine));
        drop(to_engine.shutdown(std::net::Shutdown::Write));
    });
    drop(std::io::copy(&mut from_engine, &mut to_client));
    drop(to_client.shutdown(std::net::Shutdown::Both));
}
