//! What went wrong in a simulated world, and where: for whoever watches it.

use super::faults::Kind;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Where; none where it is the engine's or the machine's.
    pub place: Option<Owner>,
    /// What kind.
    pub fault: Kind,
    /// In words.
    pub what: String,
}
