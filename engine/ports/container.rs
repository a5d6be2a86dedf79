//! Containers, networks and volumes as jobs: every text rendered, every name of the manifest resolved to its place.

use std::collections::BTreeSet;
use std::path::PathBuf;

use indexmap::IndexMap;

use super::job::Collect;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::{RunId, StopPolicy};
use crate::manifest::policy::Limits;
use crate::manifest::port::Listen;

/// The variables of an environment that lead to a container engine, and nothing else of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reach(Vec<(String, String)>);

impl Reach {
    /// What [`Reach`] knows of an environment.
    const VARIABLES: [&str; 4] = ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR"];

    /// Those of an environment.
    pub fn of(env: &IndexMap<String, String>) -> Self {
        let found = Self::VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), env.get(*name)?.clone())));
        Self(found.collect())
    }

    /// The engine behind a socket, and no other.
    pub fn at(socket: &std::path::Path) -> Self {
        Self(vec![("DOCKER_HOST".to_owned(), format!("unix://{}", socket.display()))])
    }

    /// As an environment.
    pub fn env(&self) -> IndexMap<String, String> {
        self.0.iter().cloned().collect()
    }
}

/// A container that is there, of which is to be told what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The goal that it is of.
    pub goal: Name,
    /// Its id.
    pub id: String,
    /// Whether a command made it, and no manifest declares it.
    pub caught: bool,
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// It has a name: it is there, or a registry has it.
    Named(String),
    /// It is built from this folder.
    Built(PathBuf),
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A volume of the goal, by its place.
    Volume(Owner),
    /// A path of this host, absolute.
    Path(PathBuf),
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What.
    pub source: Source,
    /// Where inside.
    pub target: String,
    /// Whether it cannot be written inside.
    pub read_only: bool,
}

/// Whose a thing is that the container engine is to make, and where that engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Where the container engine is.
    pub reach: Reach,
}

/// A container to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// For whom.
    pub made: Made,
    /// Its image.
    pub image: Image,
    /// What takes the place of the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// The command; the image's own where none.
    pub command: Option<Vec<String>>,
    /// Its environment.
    pub env: IndexMap<String, String>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// The ports on this host, with those inside.
    pub ports: Vec<Listen>,
    /// The networks that it joins, by their places.
    pub networks: Vec<Owner>,
    /// The name under which others find it there.
    pub alias: String,
    /// The user inside.
    pub user: Option<String>,
    /// The folder inside.
    pub working_dir: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// Whether it must not start where the goal's limits do not hold for it and the rest of the goal together.
    pub together: bool,
    /// How it is ended.
    pub stop: StopPolicy,
    /// Where its output goes.
    pub log: PathBuf,
}

/// A container to be started, and what is collected of it once it has ended; of a service nothing is.
#[derive(Clone, Debug)]
pub struct ContainJob {
    /// The container.
    pub container: Container,
    /// What is collected.
    pub collect: Option<Collect>,
}

/// A network or a volume to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectJob {
    /// For whom.
    pub made: Made,
    /// Whether it is a volume; else a network.
    pub volume: bool,
    /// Its driver; the container engine's default where none.
    pub driver: Option<String>,
}

/// A network or a volume to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveObjectJob {
    /// Where the container engine is.
    pub reach: Reach,
    /// Whether it is a volume; else a network.
    pub volume: bool,
    /// Its id, or a volume's name, where a command made it; a declared one is known by its place.
    pub id: Option<String>,
}

/// What a command may ask of the container engine through an endpoint of its own.
#[derive(Clone, Debug)]
pub struct EndpointJob {
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Where the container engine is.
    pub reach: Reach,
    /// What it may do beyond what everybody may, by the names of `capabilities: { docker: [...] }`.
    pub allow: BTreeSet<String>,
    /// The bounds of each container.
    pub limits: Limits,
    /// True where what it makes outlives the command: until the goal goes down, or with the resource that it creates.
    pub keeps: bool,
    /// True where it may have made something that is not recorded: an earlier engine served it.
    pub may_have_called: bool,
}
