//! What a workspace lets its goals use where they declare nothing.
//!
//! | group                                    | memory is limited to                                  |
//! |------------------------------------------|-------------------------------------------------------|
//! | the workspace's                          | `limits.memory` of its configuration                  |
//! | a goal's that declares a limit           | that                                                  |
//! | any other goal's                         | `limits.goal_memory` of the workspace's configuration |
//!
//! Both are set once for each goal, before its first process. Its groups are not limited one by one, so that they can be used again.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::files;
use super::group::Limited;
use super::pool::Pool;
use crate::adapters::process::limits::{Limit, Limits};
use crate::kernel::options::Shares;

/// What holds for all of a goal that nobody declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// The groups that limit it, the outermost first.
    pub(super) limited: Vec<Limited>,
    /// Who counts those that were killed for it.
    pub(super) kills: Option<Arc<Kills>>,
    /// What could not be set, with the reason.
    pub(super) refused: Vec<(Limit, String)>,
}

/// The count of those in a group that the kernel has killed for want of memory.
#[derive(Debug)]
pub(super) struct Kills(File);

impl Kills {
    fn open(dir: &Path) -> Option<Self> {
        ["memory.events", "memory.oom_control"].into_iter().find_map(|file| File::open(dir.join(file)).ok()).map(Self)
    }

    /// How many there were by now; none where the group is gone.
    pub(super) fn count(&self) -> u64 {
        let mut text = [0; 256];
        let length = self.0.read_at(&mut text, 0).unwrap_or_default();
        files::after(&String::from_utf8_lossy(&text[..length]), "oom_kill").unwrap_or_default()
    }
}

impl Pool {
    /// Lets the goals use so much; before the first group.
    pub(in super::super) fn share(&mut self, shares: Shares) {
        self.shares = shares;
    }

    /// Sets what holds for a goal. What this host refuses does not hold, as with any limit that is not strict, and is said.
    pub(super) fn shared(&self, goal: &str, undeclared: bool) -> Shared {
        let (mut limited, mut refused) = (Vec::new(), Vec::new());
        let shares = [("", self.shares.workspace), (goal, self.shares.goal.filter(|_| undeclared))];
        for (name, memory) in shares {
            let (set, enforcement) = self.apply(name, &Limits { memory, ..Limits::default() });
            limited.extend(set);
            refused.extend(enforcement.refused);
        }
        let kills = limited.last().filter(|_| undeclared).and_then(|limited| Kills::open(&limited.dir)).map(Arc::new);
        Shared { limited, kills, refused }
    }
}
