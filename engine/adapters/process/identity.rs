//! Which process: a pid alone is reused, a pid with its start and boot is not.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::fs::{fstat, fstatfs};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::table::Stat;

/// One process of one boot.
///
/// A number is used again once its process is gone. With a busy host or a small `pid_max` that can be within one tick of the clock that
/// starts are counted in (10 ms), and then only the number that the kernel gives each process once a boot tells two processes apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number, as this process's PID namespace sees it.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
    /// The kernel's boot id.
    pub boot: String,
    /// The number that no other process of this boot has: the inode of its handle. None before Linux 6.9, and of a process that was only
    /// seen in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<u64>,
}

/// The file system of the handles on processes, where their inodes are such numbers (`PID_FS_MAGIC` of `linux/magic.h`).
const PID_FS: u64 = 0x5049_4446;

/// The number that no other process of this boot has, by a handle on it.
pub(super) fn unique(handle: &OwnedFd) -> Option<u64> {
    static NUMBERED: OnceLock<bool> = OnceLock::new();
    let numbered = || fstatfs(handle).is_ok_and(|fs| u64::try_from(fs.f_type).is_ok_and(|kind| kind == PID_FS));
    NUMBERED.get_or_init(numbered).then(|| fstat(handle).ok().map(|stat| stat.st_ino)).flatten()
}

impl ProcessId {
    /// The identity of the process that has this number now; none where there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let handle = open_pid(pid).ok().flatten()?;
        // Whoever has this number now, after the handle was opened, had it then.
        let start = Stat::read(pid)?.start;
        Some(Self { pid, start, boot: boot_id().to_owned(), unique: unique(&handle) })
    }

    /// The identity of a process as the table shows it.
    pub(super) fn seen(stat: &Stat) -> Self {
        Self { pid: stat.pid, start: stat.start, boot: boot_id().to_owned(), unique: None }
    }

    /// Whether it still runs. A zombie does not run.
    pub fn alive(&self) -> bool {
        self.runs() && (self.unique.is_none() || self.open().is_ok_and(|handle| handle.is_some()))
    }

    fn runs(&self) -> bool {
        self.boot == boot_id() && Stat::read(self.pid).is_some_and(|stat| stat.start == self.start && !stat.dead())
    }

    /// A handle that stays with this process however its number is reused; none where it has ended.
    pub fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(handle) = open_pid(self.pid)? else { return Ok(None) };
        let another = self.unique.is_some_and(|known| unique(&handle).is_some_and(|found| found != known));
        // The handle was opened before this look: if the number still belongs to us now, it did then.
        Ok((!another && self.runs()).then_some(handle))
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
        let other_boot = ProcessId { boot: "another".into(), ..me.clone() };
        let within_a_tick = ProcessId { unique: me.unique.map(|unique| unique - 1), ..me.clone() };
        let known = me.unique.is_some();
        for other in [earlier, other_boot].into_iter().chain(known.then_some(within_a_tick)) {
            assert!(!other.alive());
            assert!(!other.signal(Signal::KILL).expect("a look"), "must not reach this very process");
        }
    }
}
