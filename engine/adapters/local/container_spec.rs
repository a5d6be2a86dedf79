//! A container that is to be started → what the container engine is told.

use super::contain::ContainError;
use super::fleets::Fleets;
use crate::adapters::docker::name::name_of;
use crate::adapters::docker::spec::{ContainerSpec, Join, Limits, Mount as SpecMount, MountSource, PortMapping, Protocol, Stop};
use crate::base::label::{Label, Origin};
use crate::base::owner::Owner;
use crate::manifest::policy::Enforce;
use crate::ports::container::{Container, Made, Source};

/// Whose a thing of the container engine is.
pub(super) fn label(fleets: &Fleets, owner: &Owner, made: &Made) -> Label {
    Label {
        workspace: fleets.workspace().to_owned(),
        owner: owner.clone(),
        run: made.run.to_string(),
        attempt: made.attempt,
        origin: Origin::Declared,
        effect: None,
    }
}

/// A container as the container engine takes it: names for places, numbers for texts.
pub(super) fn spec(
    fleets: &Fleets,
    owner: &Owner,
    container: &Container,
    label: Label,
    image: String,
) -> Result<ContainerSpec, ContainError> {
    let name = |owner: &Owner| name_of(fleets.workspace(), owner);
    let mounts = container.mounts.iter().map(|mount| SpecMount {
        source: match &mount.source {
            Source::Volume(volume) => MountSource::Volume(name(volume)),
            Source::Path(path) => MountSource::Bind(path.clone()),
        },
        target: mount.target.clone(),
        read_only: mount.read_only,
    });
    let ports = container.ports.iter().map(|port| {
        let host_ip = port.address.as_ref().filter(|address| *address != "*").map(|address| {
            let address = if address == "localhost" { "127.0.0.1" } else { address };
            address.parse().map_err(|_| ContainError::Address(address.to_owned()))
        });
        Ok(PortMapping {
            host_ip: host_ip.transpose()?,
            host_port: port.port,
            container_port: port.inner.unwrap_or(port.port),
            protocol: if port.udp { Protocol::Udp } else { Protocol::Tcp },
        })
    });
    let limits = &container.limits;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the schema bounds it: 0.01 to 4096")]
    let nano_cpus = limits.cpus.map(|cpus| (cpus * 1e9).round() as u64);
    Ok(ContainerSpec {
        name: name(owner),
        label,
        image,
        entrypoint: container.entrypoint.clone(),
        command: container.command.clone(),
        env: container.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        mounts: mounts.collect(),
        ports: ports.collect::<Result<_, ContainError>>()?,
        networks: container
            .networks
            .iter()
            .map(|network| Join { network: name(network), aliases: vec![container.alias.clone()] })
            .collect(),
        user: container.user.clone(),
        working_dir: container.working_dir.clone(),
        limits: Limits {
            memory: limits.memory.map(|memory| memory.0),
            nano_cpus,
            pids: limits.pids.map(u64::from),
            open_files: limits.files,
        },
        cgroup_parent: None,
        strict: limits.enforce == Some(Enforce::Strict),
        healthcheck: None,
        stop: Stop { signal: container.stop.signal.word().to_owned(), grace: container.stop.grace },
        init: false,
    })
}
