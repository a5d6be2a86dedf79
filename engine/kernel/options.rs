//! How a run was asked for, and why it may stop before its plan is done.

use serde::{Deserialize, Serialize};

use super::carry::Carry;
use super::nesting::Parent;
use crate::base::owner::Owner;
use crate::base::size::ByteSize;
use crate::plan::explain::limits::Limit;

/// How a run was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Tear everything down at the end.
    #[serde(default)]
    pub once: bool,
    /// Any yellow counts.
    #[serde(default)]
    pub strict: bool,
    /// What of an earlier run is not done again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<Carry>,
    /// The attempt in which it was begun, by the command of a phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The limits that the host does not enforce, as its engine has found when the run began, and since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unenforced: Vec<Unenforced>,
    /// True where each container has its goal's limits for itself, as whoever asked for the run has found on its host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// What holds where its plan limits nothing, as its engine has set it when the run began.
    #[serde(default, skip_serializing_if = "Shares::is_none")]
    pub shares: Shares,
}

impl RunOptions {
    /// Notes limits of a place that turned out not to be enforced.
    pub(super) fn miss(&mut self, owner: &Owner, limits: &[Limit]) {
        let known = self.unenforced.iter().position(|missed| missed.owner == *owner);
        let at = known.unwrap_or_else(|| {
            self.unenforced.push(Unenforced { owner: owner.clone(), limits: Vec::new() });
            self.unenforced.len() - 1
        });
        let missed = &mut self.unenforced[at].limits;
        missed.extend(limits);
        missed.sort_unstable();
        missed.dedup();
    }
}

/// The memory that the workspace lets its goals use on this host, in bytes; none where nothing enforces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// All of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<ByteSize>,
    /// Each that declares no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<ByteSize>,
}

impl Shares {
    /// True where nothing holds.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Limits that are declared at a place, and not enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unenforced {
    /// The place: the goal, a phase or a resource.
    pub owner: Owner,
    /// The limits.
    pub limits: Vec<Limit>,
}

/// Why a run stops before its plan is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StopReason {
    /// A person stopped it.
    Person,
    /// A budget ended it.
    Budget,
    /// A person is asked, nobody is there, and it was to be torn down.
    Unattended,
    /// It could not be prepared: a secret, a limit, a folder.
    Unprepared,
    /// The attempt in which it was begun has ended.
    Parent,
}

impl StopReason {
    /// What is said of phases that it cancels.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Person => "stopped by a person",
            Self::Budget => "the budget is used up",
            Self::Unattended => "a person is asked and nobody is there",
            Self::Unprepared => "it could not be prepared",
            Self::Parent => "the attempt in which it was begun has ended",
        }
    }
}
