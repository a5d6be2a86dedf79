//! What is left of a workspace in the container engine, by the engine's own word, and somebody who must be.

use std::process::Command;

use super::fixture::{IMAGE, docker, image};
use crate::part::require;
use crate::world::workspace::Workspace;

/// Whether there is a container engine, with the image of the tests.
pub(crate) fn there_is_docker(part: &str) -> bool {
    let there = Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
    if require(part, "a container engine", there) {
        image();
        return true;
    }
    false
}

/// Whether there is a Compose, of whatever version.
pub(crate) fn there_is_compose(part: &str) -> bool {
    let there = Command::new("docker-compose").arg("version").output().is_ok_and(|output| output.status.success());
    require(part, "docker-compose", there)
}

/// Whether `/usr/bin/docker` speaks `BuildKit` itself. Later clients leave that to buildx.
pub(crate) fn there_is_buildkit(part: &str) -> bool {
    let own = Command::new("/usr/bin/docker").arg("--version").output();
    let own = own.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("version 20."));
    require(part, "a docker client that speaks BuildKit itself", own)
}

/// The containers of a workspace, by the container engine's own word.
pub(crate) fn containers(workspace: &Workspace) -> Vec<String> {
    of_workspace(workspace, &["ps", "-a", "-q", "--no-trunc"])
}

pub(crate) fn of_workspace(workspace: &Workspace, list: &[&str]) -> Vec<String> {
    let Some(id) = workspace.id() else { return Vec::new() };
    let filter = format!("label=io.opensculpt.workspace={id}");
    let listed = docker(&[list, &["--filter", &filter]].concat());
    listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn expect_nothing_in_docker(workspace: &Workspace, case: &str) {
    assert_eq!(containers(workspace), [""; 0], "{case}: containers");
    assert_eq!(of_workspace(workspace, &["network", "ls", "-q"]), [""; 0], "{case}: networks");
    assert_eq!(of_workspace(workspace, &["volume", "ls", "-q"]), [""; 0], "{case}: volumes");
}

/// A container of a stranger that looks like ours: another workspace's, of the same place.
pub(crate) struct Bystander(String);

impl Bystander {
    pub(crate) fn new(workspace: &Workspace) -> Self {
        let other = format!("{}0", workspace.id().unwrap());
        let labels = [format!("io.opensculpt.workspace={other}"), "io.opensculpt.owner=leak/work".to_owned()];
        Self(docker(&["run", "-d", "--label", &labels[0], "--label", &labels[1], IMAGE, "sleep", "86400"]))
    }

    pub(crate) fn is_untouched(&self) -> bool {
        docker(&["inspect", "--format", "{{.State.Running}}", &self.0]) == "true"
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.0]);
    }
}
