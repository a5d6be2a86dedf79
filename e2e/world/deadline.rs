//! Waiting for what must come.

use std::time::{Duration, Instant};

/// Nothing but a build takes this long on the slowest machine; whoever waits longer waits in vain.
pub(crate) const LIMIT: Duration = Duration::from_mins(2);

/// Looks again until there is something to see. The only pause of the suite: neither `/proc` nor another process's files tell when
/// they change, so they are looked at again, and a look that never succeeds fails the test.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(LIMIT, what, look)
}

/// The same, for what may take longer.
pub(crate) fn until_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < limit, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
