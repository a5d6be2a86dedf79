//! Finding the container engine of this host.
//!
//! `DOCKER_HOST` decides where it is set. Otherwise the well-known sockets are tried in the order of `places`: Docker's before Podman's,
//! the machine's before the user's.

use std::fmt;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use indexmap::IndexMap;

use super::error::Hint;
use super::fleet::Fleet;
use super::inspect::Door;
use super::version::{Api, Version};

/// How long an engine may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an engine may take to begin an answer, in seconds.
const ANSWER: u64 = 120;

/// The container engine of this host. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) client: Docker,
    version: Arc<Version>,
    pub(super) door: Door,
}

/// Why an address is not a container engine that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing.
    #[error("is not there")]
    Absent,
    /// The user may not open it.
    #[error("may not be opened")]
    Denied,
    /// Nobody listens.
    #[error("nobody listens")]
    Deaf,
    /// No answer in time.
    #[error("does not answer")]
    Silent,
    /// Neither `unix://` nor `tcp://`, or TLS is asked for.
    #[error("is an address of a kind that is not supported (unix:// and plain tcp:// are)")]
    Kind,
    /// Its API is older than [`Api::OLDEST`].
    #[error("speaks API {0}, and 1.41 is needed")]
    Old(Api),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// An address that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The address, as a URL.
    pub address: String,
    /// Why it is not the one.
    pub refusal: Refusal,
}

/// There is no container engine that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NoEngine {
    /// What was tried, in this order.
    pub tried: Vec<Tried>,
    /// Whether `DOCKER_HOST` said where to look.
    pub told: bool,
}

impl NoEngine {
    /// What a person can do about it.
    pub fn hint(&self) -> Hint {
        let any = |wanted: fn(&Refusal) -> bool| self.tried.iter().any(|tried| wanted(&tried.refusal));
        if any(|refusal| *refusal == Refusal::Denied) {
            Hint::AskForAccess
        } else if any(|refusal| matches!(refusal, Refusal::Old(_))) {
            Hint::UpgradeEngine
        } else if self.told {
            Hint::CorrectDockerHost
        } else {
            Hint::StartEngine
        }
    }
}

impl fmt::Display for NoEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to find a container engine:")?;
        for (at, tried) in self.tried.iter().enumerate() {
            write!(f, "{} {} {}", if at == 0 { "" } else { ";" }, tried.address, tried.refusal)?;
        }
        Ok(())
    }
}

/// Where a container engine may be, as URLs.
fn places(env: &IndexMap<String, String>) -> Vec<String> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
    if let Some(host) = set("DOCKER_HOST") {
        return vec![host.clone()];
    }
    let runtime = set("XDG_RUNTIME_DIR").map(|dir| dir.trim_end_matches('/'));
    let mut places = vec!["unix:///var/run/docker.sock".to_owned()];
    places.extend(runtime.map(|dir| format!("unix://{dir}/docker.sock")));
    places.push("unix:///run/podman/podman.sock".to_owned());
    places.extend(runtime.map(|dir| format!("unix://{dir}/podman/podman.sock")));
    places
}

/// The socket of the container engine that an environment leads to: by what is there, without a word to it. None where there is none, or
/// it is reached otherwise.
pub fn socket_of(env: &IndexMap<String, String>) -> Option<PathBuf> {
    let is_socket = |path: &PathBuf| path.metadata().is_ok_and(|found| found.file_type().is_socket());
    sockets(env).find(is_socket)
}

/// Every place where a container engine of this host may have its socket, whether or not one is there now.
pub fn places_of_sockets(env: &IndexMap<String, String>) -> Vec<PathBuf> {
    let mut well_known = env.clone();
    well_known.shift_remove("DOCKER_HOST");
    let mut places: Vec<PathBuf> = sockets(env).chain(sockets(&well_known)).filter(|path| path.is_absolute()).collect();
    places.sort();
    places.dedup();
    places
}

fn sockets(env: &IndexMap<String, String>) -> impl Iterator<Item = PathBuf> {
    places(env).into_iter().filter_map(|place| place.strip_prefix("unix://").map(PathBuf::from))
}

impl Engine {
    /// The container engine that an environment leads to. `DOCKER_HOST` alone decides where it is set.
    ///
    /// # Errors
    /// Where none of the addresses answers, with what was tried and why each is not the one.
    pub async fn find(env: &IndexMap<String, String>) -> Result<Self, NoEngine> {
        let mut tried = Vec::new();
        let tls = env.get("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty());
        for address in places(env) {
            match Self::at(&address, tls).await {
                Ok(engine) => return Ok(engine),
                Err(refusal) => tried.push(Tried { address, refusal }),
            }
        }
        Err(NoEngine { tried, told: env.get("DOCKER_HOST").is_some_and(|host| !host.is_empty()) })
    }

    async fn at(address: &str, tls: bool) -> Result<Self, Refusal> {
        let other = |error: bollard::errors::Error| Refusal::Other(error.to_string());
        let (client, door) = if let Some(path) = address.strip_prefix("unix://") {
            knock(Path::new(path)).await?;
            (Docker::connect_with_unix(address, ANSWER, API_DEFAULT_VERSION).map_err(other)?, Door::Unix(Path::new(path).into()))
        } else if let Some(place) = address.strip_prefix("tcp://").filter(|_| !tls) {
            (Docker::connect_with_http(address, ANSWER, API_DEFAULT_VERSION).map_err(other)?, Door::Tcp(place.trim_end_matches('/').into()))
        } else {
            return Err(Refusal::Kind);
        };
        let said = tokio::time::timeout(PATIENCE, client.version()).await.map_err(|_| Refusal::Silent)?.map_err(other)?;
        let version = Version::read(&said).ok_or_else(|| Refusal::Other("names no API version".to_owned()))?;
        if version.api < Api::OLDEST {
            return Err(Refusal::Old(version.api));
        }
        Ok(Self { client, version: Arc::new(version), door })
    }

    /// Which engine it is, as it said when it was found.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Its socket on this host; none where it is reached over TCP.
    pub fn socket(&self) -> Option<&Path> {
        match &self.door {
            Door::Unix(socket) => Some(socket),
            Door::Tcp(_) => None,
        }
    }

    /// What a workspace has in it.
    pub fn fleet(&self, workspace: &str) -> Fleet {
        Fleet::of(self.clone(), workspace)
    }
}

/// Whether somebody is behind a socket: the client would not say why not.
async fn knock(path: &Path) -> Result<(), Refusal> {
    match tokio::time::timeout(PATIENCE, tokio::net::UnixStream::connect(path)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::Absent,
            io::ErrorKind::PermissionDenied => Refusal::Denied,
            io::ErrorKind::ConnectionRefused => Refusal::Deaf,
            _ => Refusal::Other(error.to_string()),
        }),
        Err(_) => Err(Refusal::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn docker_host_alone_decides() {
        assert_eq!(places(&env(&[("DOCKER_HOST", "tcp://h:1"), ("XDG_RUNTIME_DIR", "/r")])), ["tcp://h:1"]);
        assert_eq!(
            places(&env(&[("XDG_RUNTIME_DIR", "/r/"), ("DOCKER_HOST", "")])),
            ["unix:///var/run/docker.sock", "unix:///r/docker.sock", "unix:///run/podman/podman.sock", "unix:///r/podman/podman.sock"]
        );
    }

    #[tokio::test]
    async fn what_was_tried_is_said_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let deaf = dir.path().join("deaf.sock");
        drop(std::os::unix::net::UnixListener::bind(&deaf).unwrap());
        let cases = [
            (format!("unix://{}/none.sock", dir.path().display()), Refusal::Absent),
            (format!("unix://{}", deaf.display()), Refusal::Deaf),
            ("ssh://host".to_owned(), Refusal::Kind),
        ];
        for (address, refusal) in cases {
            let none = Engine::find(&env(&[("DOCKER_HOST", &address)])).await.err().unwrap();
            assert_eq!(none.tried, [Tried { address, refusal }]);
            assert_eq!(none.hint(), Hint::CorrectDockerHost);
        }
    }
}
