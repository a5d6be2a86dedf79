//! The time.

use std::future::Future;
use std::pin::Pin;

use crate::base::time::Timestamp;

/// Waits for a time to come.
pub type Wait<'c> = Pin<Box<dyn Future<Output = ()> + Send + 'c>>;

/// Tells the time, and waits for it.
pub trait Clock: Send + Sync {
    /// Now. Never earlier than what it said before.
    fn now(&self) -> Timestamp;

    /// Waits until something is due: this time, or on a virtual clock whatever its world has earlier. On the host's clock without a time
    /// it waits for ever, since there things come by themselves.
    fn until(&self, due: Option<Timestamp>) -> Wait<'_>;
}
