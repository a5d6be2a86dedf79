//! What a container is to be.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::base::digest::Digest;
use crate::base::label::Label;
use crate::base::time::Span;

/// What a container is to be. Never privileged, never restarted by the container engine: that is for the engine that owns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerSpec {
    /// Its name, from [`super::name::name_of`].
    pub name: String,
    /// Whose it is. No part of the fingerprint: a later run adopts what an earlier one started.
    #[serde(skip)]
    pub label: Label,
    /// The image: a tag, a digest or an id.
    pub image: String,
    /// The image's own where none.
    pub entrypoint: Option<Vec<String>>,
    /// The image's own where none.
    pub command: Option<Vec<String>>,
    /// Environment variables, beside the image's.
    pub env: BTreeMap<String, String>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// The ports that are open on the host.
    pub ports: Vec<PortMapping>,
    /// The networks that it joins; the engine's default one where empty.
    pub networks: Vec<Join>,
    /// The user inside; the image's own where none.
    pub user: Option<String>,
    /// The working directory inside; the image's own where none.
    pub working_dir: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// The group below which the engine puts its own. No part of the fingerprint: an engine that begins elsewhere has another.
    #[serde(skip)]
    pub cgroup_parent: Option<String>,
    /// Whether it must not start where the engine cannot give these limits.
    #[serde(skip)]
    pub strict: bool,
    /// How its health is asked; the image's own way where none.
    pub healthcheck: Option<Healthcheck>,
    /// How it is stopped.
    pub stop: Stop,
    /// Whether an init process reaps its orphans.
    pub init: bool,
}

/// Something of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where inside: an absolute path.
    pub target: String,
    /// Whether it cannot be written inside.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MountSource {
    /// A volume of the container engine, by its name there.
    Volume(String),
    /// An absolute path of the host, which must be there.
    Bind(PathBuf),
}

/// A port inside that is open on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PortMapping {
    /// The host's address; all of them where none.
    pub host_ip: Option<IpAddr>,
    /// The host's port; 0 for one that the engine chooses.
    pub host_port: u16,
    /// The port inside.
    pub container_port: u16,
    /// Of what kind.
    pub protocol: Protocol,
}

/// The kind of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As the container engine writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A network that a container joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Join {
    /// The network's name in the container engine.
    pub network: String,
    /// The names under which it is found there, beside its own.
    pub aliases: Vec<String>,
}

/// What a container may use; unlimited where none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory: Option<u64>,
    /// Billionths of a processor.
    pub nano_cpus: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Open files of each process.
    pub open_files: Option<u64>,
}

/// How a container's health is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]` or `["NONE"]`.
    pub test: Vec<String>,
    /// Between two questions.
    pub interval: Span,
    /// For one question.
    pub timeout: Span,
    /// How many in a row must fail.
    pub retries: u32,
    /// How long failures do not count after the start.
    pub start_period: Span,
}

/// How a container is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The signal, by its name: `SIGTERM`.
    pub signal: String,
    /// How long it may take before it is killed.
    pub grace: Span,
}

impl ContainerSpec {
    /// What the container carries in the label [`crate::base::label::SPEC`]: the SHA-256 of its JSON, whose order is that of the fields.
    pub fn fingerprint(&self) -> Digest {
        let json = serde_json::to_vec(self).expect("texts, numbers and maps of texts always have a JSON");
        Digest::of(&json)
    }
}

#[cfg(test)]
pub(super) fn example() -> ContainerSpec {
    ContainerSpec {
        name: "sculpt-w-crm-server-db".to_owned(),
        label: Label {
            workspace: "w".to_owned(),
            owner: "crm/server/db".parse().unwrap(),
            run: "crm.1".to_owned(),
            attempt: 1,
            origin: crate::base::label::Origin::Declared,
            effect: None,
        },
        image: "db:1".to_owned(),
        entrypoint: None,
        command: None,
        env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
        mounts: Vec::new(),
        ports: Vec::new(),
        networks: Vec::new(),
        user: None,
        working_dir: None,
        limits: Limits::default(),
        cgroup_parent: None,
        strict: false,
        healthcheck: None,
        stop: Stop { signal: "SIGTERM".to_owned(), grace: Span::seconds(10) },
        init: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_of_the_container_and_not_of_the_run() {
        let spec = example();
        let mut later = spec.clone();
        later.label.run = "crm.2".to_owned();
        later.label.attempt = 3;
        later.cgroup_parent = Some("/sculpt-w/crm/containers".to_owned());
        assert_eq!(spec.fingerprint(), later.fingerprint());
        let mut other = spec.clone();
        other.env.insert("A".to_owned(), "2".to_owned());
        assert_ne!(spec.fingerprint(), other.fingerprint());
        let mut other = spec.clone();
        other.limits.memory = Some(1);
        assert_ne!(spec.fingerprint(), other.fingerprint());
    }
}
