//! The goals of this repository, carried out as the README says.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::containers::images;
use crate::docker::fixture::docker;
use crate::docker::left::{containers, expect_nothing_in_docker, of_workspace, there_is_docker};
use crate::part::require;
use crate::world::workspace::Workspace;

/// A cold build on a slow machine.
const BUILD: Duration = Duration::from_mins(15);

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A workspace with a copy of these files and folders of the repository.
fn with(parts: &[&str]) -> Workspace {
    let workspace = Workspace::new();
    for part in parts {
        let copied = Command::new("cp").arg("-r").arg(repository().join(part)).arg(workspace.root()).status();
        assert!(copied.unwrap().success(), "{part}");
    }
    workspace
}

/// A port that nobody listens on just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The target directory of this build, above its profile's folder of programs: what was built there is not built again.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).expect("a target directory").to_owned()
}

#[test]
fn every_goal_of_the_repository_is_valid_and_can_be_planned() {
    let workspace = with(&["goals"]);
    let list = |folder: &str| {
        let entries = std::fs::read_dir(workspace.path(folder)).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<String> = entries
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .map(|path| path.strip_prefix(workspace.root()).unwrap().display().to_string())
            .collect();
        assert!(!found.is_empty());
        found
    };
    for goal in list("goals").into_iter().chain(list("goals/examples")) {
        workspace.sculpt(&format!("validate {goal}")).run().expect(0);
        // A plan says what it would need and is not there: a container engine, for one.
        let contained = workspace.read(&goal).contains("container: {") || workspace.read(&goal).contains("container:\n");
        if !contained || there_is_docker(&format!("the plan of {goal}")) {
            workspace.sculpt(&format!("plan {goal}")).run().expect(0);
        }
    }
    assert!(!workspace.has(".opensculpt/journal.jsonl"), "to look changes nothing");
}

#[test]
fn hello_is_proven_and_taken_down() {
    let workspace = with(&["goals"]);
    workspace.sculpt("run goals/hello.yaml").run().expect(0);
    assert_eq!(workspace.phase("greet")["proof"], "proven");
    assert_eq!(workspace.read("var/hello/greeting.txt"), "Hello, world\n");
    workspace.sculpt("run goals/hello.yaml").run().expect(0);
    assert_eq!(workspace.phase("greet")["proof"], "already");
    workspace.sculpt("down goals/hello.yaml").run().expect(0);
    assert!(!workspace.has("var/hello"));
}

#[test]
fn a_workspace_that_is_initialized_has_a_first_goal_that_runs() {
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    workspace.sculpt("run goals/hello.yaml").run().expect(0);
    workspace.sculpt("down hello").run().expect(0);
}

#[test]
fn the_examples_do_what_they_say() {
    let workspace = with(&["goals", "LICENSE"]);
    workspace.sculpt("run goals/examples/etl.yaml").run().expect(0);
    assert!(workspace.read("var/etl/report.txt").contains("from 6 good lines"));
    workspace.sculpt("down etl").run().expect(0);
    workspace.sculpt("run goals/examples/fanout.yaml --set publish=true").run().expect(0);
    assert!(workspace.has("var/fanout/published.gz"));
    workspace.sculpt("down fanout").run().expect(0);
    workspace.sculpt("run goals/examples/approve.yaml").run().expect(4);
    workspace.sculpt("answer approve/review yes").run().expect(0);
    assert!(workspace.has("var/approve/published.txt"));
    workspace.sculpt("down approve").run().expect(0);
    assert!(!workspace.has("var/etl") && !workspace.has("var/fanout") && !workspace.has("var/approve"));
}

#[test]
fn the_crm_is_built_serves_three_leads_and_is_taken_down() {
    let workspace = with(&["goals", "demo", "engine", "tests", "e2e", "benches", "Cargo.toml", "Cargo.lock"]);
    let run = |words: &str| workspace.sculpt(words).env("CARGO_TARGET_DIR", target().to_str().unwrap()).patiently(BUILD).run();
    let first = format!("run goals/crm.yaml --set port={}", free_port());
    run(&first).expect(0);
    let status = workspace.status();
    assert_eq!(status["outcome"], "verified", "{status}");
    workspace.sculpt("verify crm").run().expect(0);
    run(&first).expect(0);
    assert_eq!(workspace.phase("leads")["proof"], "already");
    workspace.sculpt("down crm").run().expect(0);
    workspace.expect_nothing_alive("crm is down");
    assert!(workspace.has("var/crm/data/crm.db"), "the leads stay");
    workspace.sculpt("down crm --volumes").run().expect(0);
    assert!(!workspace.has("var/crm/data"));
}

#[test]
fn the_crm_as_containers_stands_in_the_engine_and_leaves_nothing_there() {
    if !there_is_docker("the CRM as containers") {
        return;
    }
    let workspace = with(&["goals", "demo", "engine", "tests", "e2e", "benches", "Cargo.toml", "Cargo.lock"]);
    let run = |words: &str| workspace.sculpt(words).env("CARGO_TARGET_DIR", target().to_str().unwrap()).patiently(BUILD).run();
    let port = free_port();
    run(&format!("run goals/crm-docker.yaml --set port={port}")).expect(0);
    assert_eq!(workspace.status()["outcome"], "verified", "{}", workspace.status());
    let ps = workspace.ps();
    let listed = ps["resources"].as_array().unwrap().iter().map(|one| (one["owner"].as_str().unwrap(), one["kind"].as_str().unwrap()));
    let wanted = [("build/context", "directory"), ("server/net", "network"), ("server/data", "volume"), ("server/crm", "container")];
    let wanted: Vec<(String, &str)> = wanted.iter().map(|(place, kind)| (format!("crm-docker/{place}"), *kind)).collect();
    assert_eq!(listed.map(|(owner, kind)| (owner.to_owned(), kind)).collect::<Vec<_>>(), wanted);
    // The same by the container engine's own word.
    let one = |list: &[&str]| {
        let [one] = &of_workspace(&workspace, list)[..] else { panic!("{list:?}: {:?}", of_workspace(&workspace, list)) };
        one.clone()
    };
    let (crm, net, data) = (one(&["ps", "-q", "--no-trunc"]), one(&["network", "ls", "-q", "--no-trunc"]), one(&["volume", "ls", "-q"]));
    let inspected = |format: &str| docker(&["inspect", "--format", format, &crm]);
    assert_eq!(inspected("{{.State.Running}} {{index .Config.Labels \"io.opensculpt.owner\"}}"), "true crm-docker/server/crm");
    assert_eq!(inspected("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"), "268435456 1000000000 64");
    assert_eq!(
        inspected("{{range .NetworkSettings.Networks}}{{.NetworkID}}{{end}} {{range .Mounts}}{{.Name}}{{end}}"),
        format!("{net} {data}")
    );
    assert_eq!(docker(&["port", &crm]), format!("80/tcp -> 127.0.0.1:{port}"));
    run("verify crm-docker").expect(0);
    run("down crm-docker").expect(0);
    assert_eq!((containers(&workspace).len(), one(&["volume", "ls", "-q"])), (0, data), "the leads stay");
    run("down crm-docker --volumes").expect(0);
    expect_nothing_in_docker(&workspace, "down --volumes");
    assert_eq!(images(&workspace), [""; 0], "nor is an image that was built for it");
    assert_eq!(workspace.ps()["resources"].as_array().unwrap().len(), 0);
}

#[test]
fn software_that_nobody_here_wrote_stands_up_and_is_taken_down() {
    let there = ["/usr/sbin/nginx", "/usr/lib/postgresql"].iter().all(|path| Path::new(path).exists());
    if !require("the stack", "PostgreSQL and nginx", there) {
        return;
    }
    let workspace = with(&["goals"]);
    let mut words = format!("run goals/stack.yaml --set pg_port={} --set web_port={}", free_port(), free_port());
    if !rustix::process::geteuid().is_root() {
        write!(words, " --set service_user={}", rustix::process::geteuid().as_raw()).unwrap();
    }
    workspace.sculpt(&words).run().expect(0);
    assert!(workspace.alive().len() >= 4, "a database, its helpers, nginx and its worker");
    workspace.sculpt("verify stack").run().expect(0);
    workspace.sculpt("down stack").run().expect(0);
    workspace.expect_nothing_alive("the stack is down");
    assert!(!workspace.has("var/stack/db"));
}
