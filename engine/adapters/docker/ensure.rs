//! Making that a container runs as it is declared, whatever is there before.
//!
//! | what has the name | what happens |
//! |---|---|
//! | nobody | created and started |
//! | ours, runs, same specification and image | adopted |
//! | ours, otherwise | stopped as it wants to be, removed, created anew |
//! | somebody else's, or another place's | refused; nothing is touched |

use std::net::IpAddr;

use bollard::models::{ContainerInspectResponse, NetworkConnectRequest};
use bollard::query_parameters::CreateContainerOptions;

use crate::base::label;
use crate::base::time::Timestamp;

use super::create;
use super::error::{DockerError, status};
use super::fleet::{Fleet, labels, runs, timestamp};
use super::spec::{ContainerSpec, PortMapping, Protocol};

/// A container that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// When its main process began. It may have ended since: that is told by [`Fleet::wait`].
    pub started_at: Timestamp,
    /// Whether it was found running, as it is to be.
    pub adopted: bool,
    /// Its ports on the host, with the numbers that the engine chose.
    pub ports: Vec<PortMapping>,
}

impl Fleet {
    /// Makes that a container runs as it is declared. Doing it again changes nothing.
    ///
    /// An image that is not here is pulled; `progress` is told what is said on the way.
    ///
    /// # Errors
    /// [`DockerError::Stranger`], [`DockerError::NoImage`], [`DockerError::NoNetwork`], [`DockerError::PortTaken`],
    /// [`DockerError::Unlimited`] and [`DockerError::CannotStart`]; after each of them no container of this call is left.
    pub async fn ensure(&self, spec: &ContainerSpec, progress: impl FnMut(&str)) -> Result<Running, DockerError> {
        if *spec.label.workspace != *self.workspace {
            return Err(DockerError::NotOurs { what: spec.name.clone() });
        }
        if let Some(found) = self.look(&spec.name).await? {
            if !self.owns_container_of(&found, &spec.label.owner).await? {
                return Err(stranger(spec, &found));
            }
            if self.stands(spec, &found).await? {
                return running(&found, true);
            }
            let id = found.id.ok_or(DockerError::Answer { doing: "inspect a container", lacking: "its id" })?;
            let (signal, grace) = (found.config.as_ref().and_then(|config| config.stop_signal.clone()), spec.stop.grace);
            self.stop(&id, signal.as_deref().unwrap_or("SIGTERM"), grace).await?;
            self.remove(&id).await?;
        }
        Box::pin(self.create(spec, progress)).await
    }

    /// Whether a container of ours is what it is to be: it runs, of this specification, and its image is what the tag means today.
    async fn stands(&self, spec: &ContainerSpec, found: &ContainerInspectResponse) -> Result<bool, DockerError> {
        let same = labels(found).and_then(|labels| labels.get(label::SPEC)).is_some_and(|have| *have == spec.fingerprint().to_string());
        let idle = found.state.as_ref().is_none_or(|state| state.paused == Some(true) || state.restarting == Some(true));
        if !same || idle || !runs(found) {
            return Ok(false);
        }
        // An image that was removed from under it changes nothing.
        Ok(self.engine.image(&spec.image).await?.is_none_or(|image| found.image.as_ref() == Some(&image)))
    }

    async fn create(&self, spec: &ContainerSpec, progress: impl FnMut(&str)) -> Result<Running, DockerError> {
        if self.engine.image(&spec.image).await?.is_none() {
            self.engine.pull(&spec.image, progress).await?;
        }
        let options = CreateContainerOptions { name: Some(spec.name.clone()), ..CreateContainerOptions::default() };
        let made = match self.engine.client.create_container(Some(options), create::body(spec)).await {
            Ok(made) => made,
            Err(error) => return Err(self.not_created(spec, error).await?),
        };
        let unlimited: Vec<String> = made.warnings.into_iter().filter(|warning| is_of_limits(warning)).collect();
        let started = if spec.strict && !unlimited.is_empty() {
            Err(DockerError::Unlimited { name: spec.name.clone(), said: unlimited.join("; ") })
        } else {
            self.start(spec, &made.id).await
        };
        if let Err(error) = started {
            // What cannot start is not left behind; why it could not start is what the caller has to know.
            self.remove(&made.id).await?;
            return Err(error);
        }
        let found = self.must_own("start a container", &made.id).await?;
        running(&found, false)
    }

    /// Why a container was not created. A name may have been taken since it was looked for.
    async fn not_created(&self, spec: &ContainerSpec, error: bollard::errors::Error) -> Result<DockerError, DockerError> {
        if status(&error) == Some(409)
            && let Some(found) = self.look(&spec.name).await?
            && !self.owns_container_of(&found, &spec.label.owner).await?
        {
            return Ok(stranger(spec, &found));
        }
        Ok(not_started(spec, error))
    }

    async fn start(&self, spec: &ContainerSpec, id: &str) -> Result<(), DockerError> {
        for join in spec.networks.iter().skip(1) {
            let request = NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(create::endpoint(join)) };
            self.engine.client.connect_network(&join.network, request).await.map_err(|error| match status(&error) {
                Some(404) => DockerError::NoNetwork { name: spec.name.clone(), network: join.network.clone() },
                _ => not_started(spec, error),
            })?;
        }
        self.engine.client.start_container(id, None).await.map_err(|error| not_started(spec, error))
    }
}

/// Whether a warning says that a limit was discarded: `Your kernel does not support …`, `… or the cgroup is not mounted. Limitation discarded.`
fn is_of_limits(warning: &str) -> bool {
    let warning = warning.to_ascii_lowercase();
    ["limit", "cgroup"].iter().any(|word| warning.contains(word))
}

/// The name is somebody else's.
fn stranger(spec: &ContainerSpec, found: &ContainerInspectResponse) -> DockerError {
    let label = |key| labels(found).and_then(|labels| labels.get(key)).cloned();
    let image = found.config.as_ref().and_then(|config| config.image.clone());
    DockerError::Stranger {
        name: spec.name.clone(),
        image: image.or_else(|| found.image.clone()).unwrap_or_default(),
        workspace: label(label::WORKSPACE),
        owner: label(label::OWNER),
    }
}

/// What the container engine says in words alone is recognised by them: they have been the same since Docker 1.13, and Podman has its own.
fn not_started(spec: &ContainerSpec, error: bollard::errors::Error) -> DockerError {
    let name = spec.name.clone();
    match DockerError::of("start a container")(error) {
        DockerError::Refused { status, said, .. } if status < 600 => {
            let taken = ["port is already allocated", "address already in use"];
            if taken.iter().any(|words| said.contains(words)) {
                return DockerError::PortTaken { name, said };
            }
            let lacks = |network: &str| {
                let podmans = format!("unable to find network with name or ID {network}:");
                said.contains(&format!("network {network} not found")) || said.contains(&podmans)
            };
            if let Some(join) = spec.networks.iter().find(|join| lacks(&join.network)) {
                return DockerError::NoNetwork { name, network: join.network.clone() };
            }
            if status == 404 && said.contains("No such image") {
                return DockerError::NoImage { image: spec.image.clone(), said };
            }
            DockerError::CannotStart { name, said }
        }
        other => other,
    }
}

fn running(found: &ContainerInspectResponse, adopted: bool) -> Result<Running, DockerError> {
    let lacks = |lacking| DockerError::Answer { doing: "inspect a container", lacking };
    let started = found.state.as_ref().and_then(|state| state.started_at.as_deref());
    Ok(Running {
        id: found.id.clone().ok_or(lacks("its id"))?,
        started_at: timestamp(started).ok_or(lacks("when it was started"))?,
        adopted,
        ports: ports(found),
    })
}

/// The ports on the host, in order.
fn ports(found: &ContainerInspectResponse) -> Vec<PortMapping> {
    let map = found.network_settings.as_ref().and_then(|settings| settings.ports.as_ref());
    let mut ports = Vec::new();
    for (inside, bindings) in map.into_iter().flatten() {
        let Some((port, word)) = inside.split_once('/') else { continue };
        let protocol = if word == Protocol::Udp.word() { Protocol::Udp } else { Protocol::Tcp };
        for binding in bindings.iter().flatten() {
            let host_port = binding.host_port.as_ref().and_then(|port| port.parse().ok());
            if let (Ok(container_port), Some(host_port)) = (port.parse(), host_port) {
                let host_ip: Option<IpAddr> = binding.host_ip.as_ref().and_then(|ip| ip.parse().ok());
                ports.push(PortMapping { host_ip, host_port, container_port, protocol });
            }
        }
    }
    ports.sort_by_key(|port| (port.container_port, port.protocol.word(), port.host_ip, port.host_port));
    ports
}
