//! `clone3`, which the C library does not offer: a process that is born in its control group, with the default answer to every signal.
//!
//! Writing into `cgroup.procs` moves a process that runs, for which the kernel waits until all processors agree: 60 µs here, and
//! milliseconds on a busy host. One that is born there is not moved (Linux 5.7). Where the kernel or its filter does not know the call,
//! [`start`] says so, and the caller goes the older way.

use std::ffi::{c_int, c_void};

use rustix::io::Errno;

/// Flags that the C library's headers do not have yet; from `linux/sched.h`.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// `struct clone_args` of `linux/sched.h`, in the version with a control group.
#[repr(C)]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Starts `child` with `plan` on this stack, in our memory, and waits until it has become its program or exited. Gives its number, and
/// the handle on it. The child must never return.
///
/// # Errors
/// What the kernel says; `ENOSYS` too where this processor's way to call it is not written here.
///
/// # Safety
/// `child` must do with `plan` only what may be done between clone and exec while the calling thread stands still, and must not return.
#[expect(unsafe_code, reason = "there is no safe clone; the caller vouches for the child")]
pub(super) unsafe fn start(
    child: unsafe extern "C" fn(*mut c_void) -> c_int,
    plan: *mut c_void,
    stack: &mut [u8],
    group: Option<c_int>,
) -> Result<(u32, c_int), Errno> {
    let mut handle: c_int = -1;
    let flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD).cast_unsigned();
    let begin = stack.as_mut_ptr() as u64;
    // It grows downwards, from an address that the ABI wants aligned.
    let end = (begin + stack.len() as u64) & !15;
    let arguments = Arguments {
        flags: u64::from(flags) | CLONE_CLEAR_SIGHAND | group.map_or(0, |_| CLONE_INTO_CGROUP),
        pidfd: std::ptr::from_mut(&mut handle) as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: begin,
        stack_size: end - begin,
        cgroup: u64::from(group.unwrap_or_default().cast_unsigned()),
        ..Arguments::default()
    };
    // SAFETY: the arguments are those of the kernel's own structure, and live as long as the call.
    let result = unsafe { call(&arguments, child, plan) };
    match u32::try_from(result) {
        Ok(pid) => Ok((pid, handle)),
        Err(_) => Err(Errno::from_raw_os_error(i32::try_from(-result).unwrap_or(libc::EINVAL))),
    }
}

/// The call itself: in the parent it gives the number or the negative error, in the child it goes on in `child`.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the child's stack is another one: no function of ours can return on it, only this")]
unsafe fn call(arguments: &Arguments, child: unsafe extern "C" fn(*mut c_void) -> c_int, plan: *mut c_void) -> i64 {
    let mut result = libc::SYS_clone3;
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") plan,
            in("r13") child,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// The same for 64-bit ARM.
#[cfg(target_arch = "aarch64")]
#[expect(unsafe_code, reason = "the child's stack is another one: no function of ours can return on it, only this")]
unsafe fn call(arguments: &Arguments, child: unsafe extern "C" fn(*mut c_void) -> c_int, plan: *mut c_void) -> i64 {
    let result: i64;
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk 1",
            "2:",
            inlateout("x0") std::ptr::from_ref(arguments) as i64 => result,
            in("x1") size_of::<Arguments>(),
            in("x8") libc::SYS_clone3,
            in("x20") plan,
            in("x21") child,
        );
    }
    result
}

/// Elsewhere the older way is gone.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[expect(unsafe_code, reason = "as where it is written")]
unsafe fn call(_: &Arguments, _: unsafe extern "C" fn(*mut c_void) -> c_int, _: *mut c_void) -> i64 {
    -i64::from(libc::ENOSYS)
}
