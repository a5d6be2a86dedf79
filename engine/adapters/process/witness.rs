//! Seeing the end of a process that need not be our child: that it ended always, how it ended where the kernel tells.
//!
//! | the process | where its exit status is |
//! |---|---|
//! | has ended and its parent has not waited for it | field 52 of `/proc/PID/stat` (Linux 3.5); to who may not look into it the kernel says 0 there |
//! | its parent has waited for it | `PIDFD_GET_INFO` on a handle that was opened before (Linux 6.15) |
//! | its parent has waited for it, on an older kernel | nowhere |

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::identity::ProcessId;
use super::running::Exit;
use super::table::Stat;

/// How often it is looked at whether the parent of one that has ended, and whose status we may not read, has waited for it.
const LOOKS: u32 = 50;

/// The pause between two such looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits for the end of a process, and tells how it ended; none where it had ended before, or the kernel does not tell.
pub async fn end_of(id: &ProcessId) -> io::Result<Option<Exit>> {
    let Some(handle) = id.open()? else { return Ok(None) };
    let handle = watchable(handle)?;
    drop(handle.readable().await?);
    for _ in 0..LOOKS {
        if let Some(status) = reaped(handle.get_ref()).or_else(|| Stat::exit_status(id.pid, id.start)) {
            return Ok(Some(exit(status)));
        }
        if Stat::read(id.pid).is_none_or(|stat| stat.start != id.start) {
            // It was waited for between the two looks.
            return Ok(reaped(handle.get_ref()).map(exit));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

/// A status as `wait` tells it.
fn exit(status: i32) -> Exit {
    match status & 0x7f {
        0 => Exit::Code(status >> 8 & 0xff),
        signal => Exit::Signal(signal),
    }
}

#[expect(unsafe_code, reason = "an `OwnedFd` is the same open file for as long as it lives, which is all that is asked")]
pub(super) fn watchable(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) };
    Ok(watched?)
}

/// `struct pidfd_info` of `linux/pidfd.h`, in its first version.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `PIDFD_INFO_EXIT`.
const EXIT: u64 = 1 << 3;

/// `PIDFD_GET_INFO`.
struct GetInfo(Info);

#[expect(
    unsafe_code,
    reason = "the number and the layout are those of `linux/pidfd.h`, and the kernel writes no more than the number says"
)]
unsafe impl Ioctl for GetInfo {
    type Output = Info;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Info>(0xff, 11)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::from_mut(&mut self.0).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, info: *mut c_void) -> Result<Info, Errno> {
        Ok(unsafe { std::ptr::read(info.cast::<Info>()) })
    }
}

/// The status of a process that was waited for by its parent; none on a kernel that does not keep it.
fn reaped(handle: &OwnedFd) -> Option<i32> {
    #[expect(unsafe_code, reason = "see `GetInfo`")]
    let info = unsafe { rustix::ioctl::ioctl(handle.as_fd(), GetInfo(Info { mask: EXIT, ..Info::default() })) };
    info.ok().filter(|info| info.mask & EXIT != 0).map(|info| info.exit_code)
}
