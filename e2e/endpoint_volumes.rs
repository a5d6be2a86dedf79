//! Volumes without a name, which an image declares: Compose hands them from a container to the one that takes its place, and all of them go
//! with the last container that has them.

use std::sync::OnceLock;

use crate::docker::fixture::{IMAGE, SERVE, docker};
use crate::docker::left::{expect_nothing_in_docker, of_workspace, there_is_compose, there_is_docker};
use crate::world::workspace::Workspace;

/// An image as every database has one: its data are in a volume that it declares.
const STORE: &str = "sculpt-e2e-store";

fn store() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Dockerfile"), format!("FROM {IMAGE}\nRUN mkdir /data && echo first > /data/rows\nVOLUME /data\n"))
            .unwrap();
        let built =
            std::process::Command::new("docker").args(["build", "-q", "-t", STORE]).arg(dir.path()).env("DOCKER_BUILDKIT", "0").output();
        let built = built.expect("the docker client is installed");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    });
}

/// A workspace whose phase brings a database up, writes to it, and has Compose take another container for it by every way that there is.
fn world(part: &str, capabilities: &str, last: &str) -> Option<(Workspace, String)> {
    if !there_is_docker(part) || !there_is_compose(part) {
        return None;
    }
    store();
    let workspace = Workspace::new();
    workspace.sculpt("init").run().expect(0);
    let id = workspace.id().unwrap();
    let service = |more: &str| format!("services:\n  db: {{ image: {STORE}, command: {SERVE}{more} }}\n");
    workspace.write("compose.yml", &service(""));
    workspace.write("changed.yml", &service(", environment: [ \"CHANGED=1\" ]"));
    let script = format!(
        "
set -e
up() {{
  docker-compose -p {id}c -f $1 up -d $2
  docker exec {id}c_db_1 cat /data/rows > $3
  docker exec {id}c_db_1 sh -c \"echo $3 >> /data/rows\"
  docker inspect -f '{{{{ .Id }}}}' {id}c_db_1 >> containers
  docker inspect -f '{{{{ range .Mounts }}}}{{{{ .Name }}}} {{{{ end }}}}' {id}c_db_1 >> volumes
}}
up compose.yml --no-recreate one
up compose.yml --force-recreate two
up changed.yml --no-deps three
up changed.yml --force-recreate four
{last}
echo > up
"
    );
    workspace.write("work.sh", &script);
    let goal = format!("version: \"1\"\nname: leak\nphases:\n  work: {{ {capabilities}run: sh work.sh }}\n");
    workspace.goal(&goal);
    Some((workspace, id))
}

/// The one volume that all containers of the database had, one after the other.
#[track_caller]
fn expect_one_volume(workspace: &Workspace, said: &str) -> String {
    for (file, rows) in [("one", "first"), ("two", "first\none"), ("three", "first\none\ntwo"), ("four", "first\none\ntwo\nthree")] {
        assert_eq!(workspace.read(file).trim(), rows, "{said}");
    }
    let lines = |file: &str| -> Vec<String> { workspace.read(file).lines().map(|line| line.trim().to_owned()).collect() };
    let (mut containers, mut volumes) = (lines("containers"), lines("volumes"));
    containers.dedup();
    volumes.dedup();
    assert_eq!((containers.len(), volumes.len(), volumes[0].len()), (4, 1, 64), "{said}");
    volumes.remove(0)
}

fn is_there(volume: &str) -> bool {
    docker(&["volume", "ls", "-q"]).lines().any(|line| line == volume)
}

#[test]
fn a_volume_without_a_name_is_handed_on_by_compose_and_ends_with_the_phase() {
    let Some((workspace, _)) = world("a volume that Compose hands on", "", "") else { return };
    let said = workspace.sculpt("run goal.yaml").run();
    let log = workspace.sculpt("logs leak/work").run().said();
    let volume = expect_one_volume(&workspace, &log);
    said.expect(0);
    assert!(!is_there(&volume));
    expect_nothing_in_docker(&workspace, "at the phase's end");
    workspace.sculpt("down leak").run().expect(0);
}

#[test]
fn a_volume_without_a_name_goes_with_the_last_container_that_has_it() {
    let last = "docker-compose -p ${id}c -f changed.yml down -v -t 0; docker volume ls -q > left";
    let Some((workspace, id)) = world("a volume that Compose removes", "", last) else { return };
    workspace.write("work.sh", &workspace.read("work.sh").replace("${id}", &id));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let volume = expect_one_volume(&workspace, "down -v");
    assert!(!workspace.read("left").lines().any(|line| line == volume), "it went while the phase was at work");
    expect_nothing_in_docker(&workspace, "after down -v");
}

#[test]
fn a_volume_without_a_name_stays_with_a_container_that_is_kept_and_goes_down_with_it() {
    let Some((workspace, _)) = world("a volume that stays", "capabilities: { docker: [ keep ] }, ", "") else { return };
    workspace.sculpt("run goal.yaml").run().expect(0);
    let volume = expect_one_volume(&workspace, "kept");
    assert_eq!(of_workspace(&workspace, &["volume", "ls", "-q"]), [volume.as_str()], "it is known by its label");
    // It is explained by its container: no collection takes it, or speaks of it.
    let planned = workspace.sculpt("gc --dry-run --json").run().expect(0);
    assert!(planned.json()["things"].as_array().unwrap().is_empty() && !planned.err.contains(&volume), "{}", planned.said());
    workspace.sculpt("gc").run().expect(0);
    assert!(is_there(&volume));
    workspace.sculpt("down leak").run().expect(0);
    assert!(!is_there(&volume));
    expect_nothing_in_docker(&workspace, "down");
}
