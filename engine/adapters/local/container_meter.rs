//! What a container used: looked at while it lives, since its control group goes with it.
//!
//! The kernel keeps the peak and the sum, so that a look misses only what came after it: the meter looks soon and often at first, then every
//! two seconds, and once more before a container is stopped. A container that ended before the first look has used an unknown amount, and
//! so has one whose container engine is on another host.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::adapters::docker::stop::Ended;
use crate::adapters::process::foreign::ForeignGroup;
use crate::kernel::action::ProcessMark;
use crate::kernel::usage::Usage;

/// How long after the first look the second one comes; each pause is twice the one before.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(2);

/// The exit code of whoever SIGKILL has ended.
const KILLED: i64 = 137;

/// What a container used, as far as it was looked at.
#[derive(Debug)]
pub(super) struct ContainerMeter {
    group: Option<ForeignGroup>,
    /// The limit that is its own: below those of the groups around it.
    limit: Option<u64>,
    seen: Mutex<Usage>,
}

impl ContainerMeter {
    /// The meter of a container that runs, with its first look.
    pub(super) fn of(process: &ProcessMark) -> Self {
        let group = process.container.as_ref().filter(|_| process.pid != 0).and_then(|id| ForeignGroup::of(process.pid, id));
        let around = group.as_ref().and_then(ForeignGroup::memory_limit_around);
        let limit = group.as_ref().and_then(ForeignGroup::memory_limit).filter(|limit| around.is_none_or(|around| *limit < around));
        let meter = Self { limit, group, seen: Mutex::default() };
        meter.look();
        meter
    }

    /// Looks once. What is gone changes nothing.
    pub(super) fn look(&self) {
        let Some(now) = self.group.as_ref().and_then(ForeignGroup::now) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let used = Usage::from(now.usage);
        // Both only grow; a group that is just going may tell less.
        seen.peak_memory = seen.peak_memory.max(used.peak_memory);
        seen.cpu_ms = seen.cpu_ms.max(used.cpu_ms);
        seen.oom_kills = seen.oom_kills.max(used.oom_kills);
    }

    /// Looks again and again, until nobody waits for it any more.
    pub(super) async fn keep_looking(&self) -> Infallible {
        let mut pause = FIRST;
        loop {
            tokio::time::sleep(pause).await;
            self.look();
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// What it used, once it has ended. Where it was killed for want of memory, and its limit is below those around it, it had all that it
    /// may have. Version 1 tells of a group's want to all in it: only who was killed was killed for it.
    pub(super) fn used(&self, ended: Option<Ended>) -> Usage {
        let mut used = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_some_and(|ended| ended.oom && (ended.code == KILLED || self.limit.is_some())) {
            used.oom_kills = used.oom_kills.max(1);
            used.peak_memory = used.peak_memory.max(self.limit);
        }
        used
    }
}
