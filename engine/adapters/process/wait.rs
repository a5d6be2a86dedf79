//! Waiting for a child's end, with what it used: the kernel tells both together, and only once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::running::Exit;
use super::usage::Usage;

/// How a child of ours has ended, and what it and those that it waited for used; none while it runs.
#[expect(unsafe_code, reason = "the C library's waitid does not tell what was used; the kernel's fills the two structures, which are ours")]
pub(super) fn ended(handle: BorrowedFd<'_>) -> io::Result<Option<(Exit, Usage)>> {
    let (info, used) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let mut used: libc::rusage = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG;
        if libc::syscall(libc::SYS_waitid, libc::P_PIDFD, handle.as_raw_fd(), &raw mut info, options, &raw mut used) != 0 {
            return Err(io::Error::last_os_error());
        }
        (info, used)
    };
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let exit = if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) };
    Ok((pid != 0).then(|| (exit, of_command(&used))))
}

/// What came of a look at our children.
pub(super) enum Reaped {
    /// This one has ended.
    One(u32, Exit, Usage),
    /// There are some, and none of them has ended.
    NoneYet,
    /// There is none.
    Nobody,
}

/// Takes note of the end of any child.
#[expect(unsafe_code, reason = "there is no safe wait4; it fills the two values, which are ours")]
pub(super) fn any() -> io::Result<Reaped> {
    let (mut status, mut used) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut used) };
    match u32::try_from(pid) {
        Ok(0) => Ok(Reaped::NoneYet),
        Ok(pid) if libc::WIFEXITED(status) => Ok(Reaped::One(pid, Exit::Code(libc::WEXITSTATUS(status)), of_command(&used))),
        Ok(pid) => Ok(Reaped::One(pid, Exit::Signal(libc::WTERMSIG(status)), of_command(&used))),
        Err(_) => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ECHILD) => Ok(Reaped::Nobody),
            error => Err(error),
        },
    }
}

/// A child begins with our own memory, which the kernel counts as its own: a peak says something only where it is above ours.
fn of_command(used: &libc::rusage) -> Usage {
    let micros = |time: libc::timeval| u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or_default();
    let peak = used.ru_maxrss;
    Usage {
        peak_memory: (peak > own_peak()).then(|| u64::try_from(peak).unwrap_or_default() * 1024),
        largest_process: true,
        cpu_time: Some(micros(used.ru_utime) + micros(used.ru_stime)),
        oom_kills: 0,
        oom_kills_around: 0,
    }
}

/// In KiB.
#[expect(unsafe_code, reason = "there is no safe getrusage; it fills a structure of ours")]
fn own_peak() -> i64 {
    unsafe {
        let mut own: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &raw mut own) == 0 { own.ru_maxrss } else { i64::MAX }
    }
}
