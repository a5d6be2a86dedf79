//! How long a wait may last, and the wait itself.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::base::time::Span;

/// A wait that has begun and has an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    begun: Instant,
    length: Duration,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "a wait on the kernel is measured where it is made; no decision rests on it")]
    pub(super) fn after(length: Span) -> Self {
        Self { begun: Instant::now(), length: length.std() }
    }

    /// What has passed since the beginning.
    pub(super) fn passed(&self) -> Span {
        Span(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn left(&self) -> Duration {
        self.length.saturating_sub(self.begun.elapsed())
    }

    pub(super) fn over(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits for one of the events, at most until the end; false where the end came first.
    fn wait(&self, fds: &mut [PollFd<'_>]) -> io::Result<bool> {
        loop {
            let left = self.left();
            let timeout = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
            match poll(fds, Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until all of these processes have ended; false where the end came first.
    pub(super) fn wait_exits(&self, handles: &[OwnedFd]) -> io::Result<bool> {
        let mut open: Vec<&OwnedFd> = handles.iter().collect();
        while !open.is_empty() {
            let mut fds: Vec<PollFd<'_>> = open.iter().map(|handle| PollFd::new(*handle, PollFlags::IN)).collect();
            if !self.wait(&mut fds)? {
                return Ok(false);
            }
            let running: Vec<bool> = fds.iter().map(|fd| fd.revents().is_empty()).collect();
            let mut running = running.into_iter();
            open.retain(|_| running.next().unwrap_or(false));
        }
        Ok(true)
    }

    /// Waits for a change that a kernel file announces (`cgroup.events`); false where the end came first.
    pub(super) fn wait_change(&self, file: BorrowedFd<'_>) -> io::Result<bool> {
        self.wait(&mut [PollFd::from_borrowed_fd(file, PollFlags::PRI)])
    }
}
