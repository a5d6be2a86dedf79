//! Within which attempt a run was begun.

use serde::Serialize;

use crate::kernel::nesting::Parent;

/// The attempt whose command began a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Within {
    /// Its run.
    pub run: String,
    /// The place of its phase.
    pub phase: String,
    /// Its number, from 1.
    pub attempt: u32,
}

impl Within {
    /// The attempt, as it is shown.
    pub fn of(parent: &Parent) -> Self {
        Self { run: parent.run.to_string(), phase: parent.place(), attempt: parent.attempt }
    }

    /// In words.
    pub fn words(&self) -> String {
        format!("begun by {} in {}", self.phase, self.run)
    }
}
