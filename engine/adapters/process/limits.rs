//! How much a scope may use, and what became of the wish.
//!
//! Open files are not among it: the kernel limits them for each process, wherever that is, and they are part of a launch.

use rustix::process::{Resource, Rlimit, getrlimit};
use serde::Serialize;

use crate::base::size::ByteSize;
use crate::plan::explain::limits::Limit as Declared;

/// What a scope may use at most; nothing is set where nothing is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Memory of all its processes together.
    pub memory: Option<ByteSize>,
    /// Processors, in units of one: `1.5`.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// A kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Memory, in bytes.
    Memory,
    /// Processors.
    Cpus,
    /// Processes and threads.
    Pids,
}

impl Limit {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpus, Self::Pids];

    /// The controller's name in both versions of cgroups.
    pub(super) const fn controller(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpus => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// In the words of plans.
impl From<Limit> for Declared {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Memory => Self::Memory,
            Limit::Cpus => Self::Cpus,
            Limit::Pids => Self::Pids,
        }
    }
}

impl Limits {
    /// Which kinds are declared.
    pub fn declared(&self) -> impl Iterator<Item = Limit> + use<'_> {
        Limit::ALL.into_iter().filter(|limit| match limit {
            Limit::Memory => self.memory.is_some(),
            Limit::Cpus => self.cpus.is_some(),
            Limit::Pids => self.pids.is_some(),
        })
    }
}

/// Which declared limits hold, and which do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// Set, and the kernel holds to them.
    pub enforced: Vec<Limit>,
    /// Not set, each with the reason. `strict` refuses on these; `best-effort` says them and goes on.
    pub refused: Vec<(Limit, String)>,
}

/// How many of so many open files a process can be allowed here. Only root allows more than it was allowed itself, and the kernel has a
/// limit of its own: where the host is stricter than what is wanted, it is the host's word that holds.
pub(super) fn allowed_files(wanted: u64) -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = if rustix::process::geteuid().is_root() {
        let most = std::fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
        most.or(maximum)
    } else {
        maximum
    };
    most.map_or(wanted, |most| wanted.min(most))
}
