//! Which process: a pid alone is reused, a pid with its start and boot is not.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::table::Stat;

/// One process of one boot. Two different processes never have equal identities.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number, as this process's PID namespace sees it.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
    /// The kernel's boot id.
    pub boot: String,
}

impl ProcessId {
    /// The identity of the process that has this number now; none where there is none.
    pub fn of(pid: u32) -> Option<Self> {
        Stat::read(pid).map(|stat| Self { pid, start: stat.start, boot: boot_id().to_owned() })
    }

    /// Whether it still runs. A zombie does not run.
    pub fn alive(&self) -> bool {
        self.boot == boot_id() && Stat::read(self.pid).is_some_and(|stat| stat.start == self.start && !stat.dead())
    }

    /// A handle that stays with this process however its number is reused; none where it has ended.
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(handle) = open_pid(self.pid)? else { return Ok(None) };
        // The handle was opened before this look: if the number still belongs to us now, it did then.
        Ok(self.alive().then_some(handle))
    }

    /// Sends a signal to exactly this process; false where it has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match self.open()? {
            Some(handle) => send(&handle, signal),
            None => Ok(false),
        }
    }
}

/// A handle on the process that has this number now; none where there is none.
pub(super) fn open_pid(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => Ok(Some(handle)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends a signal through a handle; false where its process has ended or may not be signalled.
pub(super) fn send(handle: &OwnedFd, signal: Signal) -> io::Result<bool> {
    match pidfd_send_signal(handle, signal) {
        Ok(()) => Ok(true),
        // One that became another user is beyond an ordinary user; the look afterwards names it.
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The id of this boot; empty where the kernel does not say, which then counts as one boot.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_number_is_another_process() {
        let me = ProcessId::of(std::process::id()).expect("this process runs");
        assert!(me.alive());
        let earlier = ProcessId { start: me.start + 1, ..me.clone() };
        let other_boot = ProcessId { boot: "another".into(), ..me };
        for other in [earlier, other_boot] {
            assert!(!other.alive());
            assert!(!other.signal(Signal::KILL).expect("a look"), "must not reach this very process");
        }
    }
}
