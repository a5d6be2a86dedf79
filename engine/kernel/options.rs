//! How a run was asked for, and why it may stop before its plan is done.

use serde::{Deserialize, Serialize};

use super::carry::Carry;
use super::nesting::Parent;

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
