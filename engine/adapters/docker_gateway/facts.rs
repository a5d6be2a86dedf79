//! What a decision needs to know of the container engine: asked for first, looked up outside, then decided upon.

use std::collections::HashMap;

use super::capability::{Capability, Refusal};
use super::policy::Policy;

/// A thing of the container engine, by id or name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A container.
    Container(String),
    /// A command in a container: it stands as its container does.
    Exec(String),
    /// A network.
    Network(String),
    /// A volume.
    Volume(String),
    /// An image.
    Image(String),
}

/// Whose a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This workspace's.
    Ours,
    /// Not known to be this workspace's.
    Strange,
    /// The network that is the host's own.
    Host,
    /// A network that every container engine has from the beginning: everybody's, to use.
    Common,
    /// It is not there.
    Absent,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub standing: Standing,
    /// Its whole id; of a volume, its name. None where it is not there.
    pub id: Option<String>,
    /// The paths of the host that it holds: a container by its mounts, a volume by its options.
    pub paths: Vec<String>,
    /// The volumes that a container has.
    pub volumes: Vec<String>,
    /// Where a container has something mounted, and where an image wants a volume.
    pub targets: Vec<String>,
    /// Whether it is a volume that has no name but the engine's, by our label.
    pub nameless: bool,
}

impl From<Standing> for Found {
    fn from(standing: Standing) -> Self {
        Self { standing, id: None, paths: Vec::new(), volumes: Vec::new(), targets: Vec::new(), nameless: false }
    }
}

impl Found {
    /// Whether it is a volume of this workspace that goes with the last container that has it.
    pub fn is_ours_without_a_name(&self) -> bool {
        self.nameless && self.standing == Standing::Ours
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts(pub HashMap<Thing, Found>);

impl Facts {
    /// Whose it is: strange where nobody looked.
    pub fn standing(&self, thing: &Thing) -> Standing {
        self.0.get(thing).map_or(Standing::Strange, |found| found.standing)
    }

    /// Where a container has something mounted, and where an image wants a volume.
    pub fn targets(&self, thing: &Thing) -> &[String] {
        self.0.get(thing).map_or(&[], |found| &found.targets)
    }

    /// The paths of the host that a container holds, and that its volumes do.
    pub fn paths<'a>(&'a self, container: &Thing) -> impl Iterator<Item = &'a str> {
        let own = self.0.get(container);
        let volumes = own.into_iter().flat_map(|own| &own.volumes).filter_map(|name| self.0.get(&Thing::Volume(name.clone())));
        own.into_iter().chain(volumes).flat_map(|found| &found.paths).map(String::as_str)
    }

    /// Refuses what is somebody else's. What is not there is let through, for the engine to say so.
    pub fn own(&self, policy: &Policy, what: &str, thing: &Thing) -> Result<(), Refusal> {
        match self.standing(thing) {
            Standing::Ours | Standing::Absent => Ok(()),
            Standing::Strange | Standing::Host | Standing::Common => {
                policy.require(format!("{what} {thing}, which this workspace did not make"), Capability::Word("foreign"))
            }
        }
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(name) => write!(f, "the container {name}"),
            Self::Exec(id) => write!(f, "the command {id} in a container"),
            Self::Network(name) => write!(f, "the network {name}"),
            Self::Volume(name) => write!(f, "the volume {name}"),
            Self::Image(name) => write!(f, "the image {name}"),
        }
    }
}
