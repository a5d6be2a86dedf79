//! The host's clock: the only place that reads the time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::time::Timestamp;
use crate::ports::clock::{Clock, Wait};

/// The host's wall clock, never going backwards while the engine lives.
#[derive(Debug, Default)]
pub struct HostClock {
    latest: AtomicU64,
}

impl Clock for HostClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn until(&self, due: Option<Timestamp>) -> Wait<'_> {
        Box::pin(async move {
            match due {
                Some(due) => tokio::time::sleep((due - self.now()).std()).await,
                None => std::future::pending().await,
            }
        })
    }
}
