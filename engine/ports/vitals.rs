//! The gauge: how much memory there is, and how much is left.

use super::runtime::LookError;
use crate::kernel::pressure::Vitals;

/// Looks at the memory of the host.
pub trait Gauge: Send + Sync {
    /// Looks once.
    ///
    /// # Errors
    /// Where it cannot be seen. Then nothing is known: neither that memory is short, nor that there is enough.
    fn read(&self) -> Result<Vitals, LookError>;
}
