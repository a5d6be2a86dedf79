//! What reaches a container engine past the endpoint of a command, on this host. `plan` says it. Looks only.
//!
//! | the engine | what commands start in it is |
//! |---|---|
//! | has a socket here, and commands can have a view of their own | owned |
//! | has a socket here, and they cannot | owned where they follow `DOCKER_HOST` |
//! | is reached by TCP or SSH, as `DOCKER_HOST` says | not owned |
//! | has a socket here, and a TCP port too | not owned where it is reached by the port |
//! | is not there when a command begins | not owned, where it is started meanwhile |
//! | is containerd, by its own socket | not owned |

use std::path::Path;

use indexmap::IndexMap;
use rustix::fs::{Access, access};

use crate::adapters::docker::connection::socket_of;
use crate::adapters::local::ports::{HostPort, holder};
use crate::adapters::process::listener::Protocol;

/// Where containerd listens: by itself, and as a part of Docker.
const CONTAINERD: [&str; 2] = ["/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock"];

/// The ports that are Docker's by custom, without and with TLS.
const PORTS: [u16; 2] = [2375, 2376];

/// Why a command could start containers that sculpt does not own.
pub(super) fn uncontained(views: bool, env: &IndexMap<String, String>) -> Vec<String> {
    let mut all: Vec<String> = door(views, env).into_iter().collect();
    all.extend(CONTAINERD.iter().filter_map(|socket| containerd(Path::new(socket))));
    all.extend(PORTS.iter().filter_map(|port| listener(*port)));
    all
}

/// The engine that the environment leads to.
fn door(views: bool, env: &IndexMap<String, String>) -> Option<String> {
    match (socket_of(env), env.get("DOCKER_HOST").filter(|host| !host.is_empty())) {
        (Some(_), _) if views => None,
        (Some(socket), _) => Some(format!(
            "uncontained: a command that does not follow its DOCKER_HOST reaches the container engine at {}, and what it starts there is not owned",
            socket.display()
        )),
        (None, Some(host)) if !host.starts_with("unix://") => Some(format!(
            "uncontained: the container engine is at {host} and has no socket here, and what commands start there is not owned"
        )),
        (None, _) => Some(
            "uncontained: no container engine is there now, and what a command starts in one that begins while it is at work is not owned"
                .to_owned(),
        ),
    }
}

/// Docker's own is made with it. Whoever may write a socket may use it.
fn containerd(socket: &Path) -> Option<String> {
    access(socket, Access::WRITE_OK).is_ok().then(|| {
        format!("uncontained: containerd listens at {}, and what a command starts there, past Docker, is not owned", socket.display())
    })
}

fn listener(port: u16) -> Option<String> {
    let holder = holder(HostPort { number: port, protocol: Protocol::Tcp })?;
    Some(format!(
        "uncontained: port {port}, which is a container engine's by custom, is held by {holder}, and what a command starts there is not owned"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_not_there_is_not_said_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("containerd.sock");
        assert_eq!(containerd(&socket), None);
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(containerd(&socket).is_some_and(|said| said.contains(&*socket.to_string_lossy())));
    }

    #[test]
    fn an_engine_that_is_not_there_yet_is_said() {
        let env = IndexMap::from([("DOCKER_HOST".to_owned(), "unix:///nowhere.sock".to_owned())]);
        assert!(door(true, &env).is_some_and(|said| said.contains("begins while it is at work")));
    }
}
