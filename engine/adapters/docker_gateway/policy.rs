//! What an attempt may do with the container engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use crate::adapters::process::cgroup::containers::{CgroupParent, CgroupVersion};
use crate::base::label::Label;

use super::capability::{Capability, Refusal};

/// The most that a container may have; none is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Processes and threads.
    pub pids: Option<i64>,
}

/// Where a path of the host leads in the end, links followed; what does not exist yet is taken below what does. None where it cannot be said.
pub type Resolve<'a> = dyn Fn(&Path) -> Option<PathBuf> + 'a;

/// What holds for everything that comes through one endpoint.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose it is; written on all that is made.
    pub label: Label,
    /// The bounds of each container.
    pub limits: Limits,
    /// The group below which the engine is to put all of them; none where it takes none.
    pub parent: Option<CgroupParent>,
    /// The folder that may be mounted.
    pub workspace: PathBuf,
    /// The container engines' own sockets.
    pub real_sockets: Vec<PathBuf>,
    /// The capabilities, by name: see [`super::capability`].
    pub allow: BTreeSet<String>,
}

impl Policy {
    /// Refuses what the capability is missing for.
    pub fn require(&self, what: impl Into<String>, capability: Capability) -> Result<(), Refusal> {
        if self.allow.contains(&capability.to_string()) { Ok(()) } else { Err(Refusal::needs(what, capability)) }
    }

    /// Refuses a path of the host that this attempt may not see in a container. Gives where it leads.
    pub fn mount(&self, path: &str, resolve: &Resolve<'_>) -> Result<PathBuf, Refusal> {
        let what = || format!("a mount of the host's {path}");
        let written = Path::new(path);
        if !written.is_absolute() {
            return Err(Refusal::never(format!("a mount of the relative path {path}")));
        }
        let Some(real) = resolve(written) else { return Err(Refusal::never(format!("{}, which leads nowhere that can be told", what()))) };
        let sockets = self.real_sockets.iter().flat_map(|socket| [Some(socket.clone()), resolve(socket)]).flatten();
        for socket in sockets {
            if socket.starts_with(&real) {
                self.require(format!("{}, which holds the container engine's socket", what()), Capability::Word("docker-socket"))?;
                if socket == real {
                    return Ok(real);
                }
            }
        }
        let inside = |folder: &Path| resolve(folder).is_some_and(|folder| real.starts_with(folder));
        let allowed = self.allow.iter().filter_map(|name| name.strip_prefix("mount:")).any(|folder| inside(Path::new(folder)));
        if allowed || inside(&self.workspace) {
            return Ok(real);
        }
        Err(Refusal::needs(format!("{}, which is outside the workspace", what()), Capability::Mount(real)))
    }
}
