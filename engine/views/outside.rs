//! What the journal cannot know: what time it is, which processes live, whether an engine is at work.

use crate::base::time::Timestamp;
use crate::kernel::action::ProcessMark;
use crate::kernel::resource::ResourceState;
use crate::kernel::stock::Resource;
use crate::kernel::suspect::Subject;
use crate::kernel::usage::Usage;

/// A look at the world, as far as a view needs one.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Now.
    pub now: Timestamp,
    /// Whether this very process still runs.
    pub alive: &'a dyn Fn(&ProcessMark) -> bool,
    /// What the scope of a process that runs uses now; none where that cannot be seen.
    pub usage: &'a dyn Fn(&ProcessMark) -> Option<Now>,
    /// Whether this is still on the host, as far as it can be seen.
    pub there: &'a dyn Fn(&Subject) -> bool,
    /// Whether an engine is at work in the workspace.
    pub engine: bool,
}

/// What a scope uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Its memory, in bytes: as the kernel counts it for all of it, or else the sum of what its processes have resident.
    pub memory: Option<u64>,
    /// How many processes are in it.
    pub processes: u32,
    /// What it used up to now.
    pub usage: Usage,
}

/// How a resource stands when somebody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: ResourceState,
    /// Its main process, where that runs.
    pub pid: Option<u32>,
    /// The evidence.
    pub evidence: String,
}

impl Outside<'_> {
    /// How a resource stands: as the journal says, unless its process has died unseen.
    pub fn look(&self, resource: &Resource) -> Standing {
        let as_written = |pid| Standing { state: resource.state, pid, evidence: resource.evidence.clone() };
        match &resource.process {
            // How it ended is known, and what becomes of it.
            Some(process) if resource.state.is_live() && resource.exit.is_none() => {
                if (self.alive)(process) {
                    as_written((process.pid != 0).then_some(process.pid))
                } else {
                    let evidence = format!("its process {} is gone, and nobody saw it end", process.pid);
                    Standing { state: ResourceState::Unhealthy, pid: None, evidence }
                }
            }
            _ => match &resource.adopted {
                Some(adopted) if resource.state.is_live() => {
                    let pid = adopted.subject.process().map(|process| process.pid);
                    if (self.there)(&adopted.subject) {
                        as_written(pid)
                    } else {
                        // Nobody has promised that it stays: its own end breaks nothing.
                        let evidence = "it is not there any more".to_owned();
                        Standing { state: ResourceState::Gone, pid: None, evidence }
                    }
                }
                _ => as_written(None),
            },
        }
    }
}
