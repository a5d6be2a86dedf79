//! The time.

use crate::base::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than what it said before.
    fn now(&self) -> Timestamp;
}
