//! How surely each record must be kept before what it permits may happen.

use super::action::{Effect, Seen};
use super::record::Record;

/// How surely a record must be kept before what it permits may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Written: it survives the death of the engine, which is enough for local processes, since they die with the machine.
    Recorded,
    /// Synced to the disk: it survives the death of the machine.
    Durable,
}

impl Record {
    /// How surely this record must be kept.
    pub const fn strength(&self) -> Strength {
        match self {
            Self::RunStarted { .. }
            | Self::Replied { .. }
            | Self::SuspectAdopted { .. }
            | Self::RunEnded { .. }
            | Self::DownEnded { .. }
            | Self::Forgotten { .. }
            | Self::Pruned { .. }
            | Self::Quarantined { .. }
            // What is made in the file system does not die with the machine.
            | Self::Observed { seen: Seen::Begun { .. }, .. }
            | Self::Requested { effect: Effect::Prepare { .. } | Effect::Forget, .. } => Strength::Durable,
            _ => Strength::Recorded,
        }
    }
}
