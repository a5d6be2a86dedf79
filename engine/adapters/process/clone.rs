//! The start of a process without a copy of the engine's memory.
//!
//! `fork` copies page tables: with 200 MB in the engine that is 8 ms for each start instead of 0.6. The standard library avoids it
//! only where nothing is to be done between clone and exec; a member of a control group has to join it there. So this is what
//! `posix_spawn` does inside: the child borrows our memory on a stack of its own, while the calling thread stands still, until it
//! becomes its program or gives up. It makes system calls only, and tells the step that failed in the memory it shares.
//!
//! | step | why there |
//! |---|---|
//! | files, signals, session | nothing of the engine is inherited |
//! | groups | before the user changes, who may not write them |
//! | user | before the directory, which is to be entered with the user's rights |
//! | directory, program | |

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::user::Identity;

/// More than the few frames of system calls need, in debug builds too.
const STACK: usize = 64 * 1024;

/// What can fail between clone and exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Clone,
    Files,
    Session,
    Join,
    User,
    Directory,
    Program,
}

/// Everything about a process that is to be, in the form in which the kernel takes it.
pub(super) struct Image {
    /// Where the program may be, in the order to try.
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) cwd: Option<CString>,
    /// Standard input, output and error.
    pub(super) stdio: [OwnedFd; 3],
    pub(super) user: Option<Identity>,
    /// The files of the groups to join, in order.
    pub(super) joins: Vec<Arc<File>>,
}

/// A process that has become its program. It is to be waited for through its handle.
pub(super) struct Cloned {
    pub(super) pid: u32,
    pub(super) handle: OwnedFd,
}

/// What the child works with: made before, since it may not allocate.
struct Plan<'a> {
    image: &'a Image,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// `sh`, a place for the script, and its arguments: for a script without a first line that names its interpreter.
    shell: Vec<*const c_char>,
    failure: Option<(Step, i32)>,
}

/// Starts the process; the calling thread waits until it has become its program.
pub(super) fn start(image: &Image) -> Result<Cloned, (Step, io::Error)> {
    let pointers = |texts: &[CString]| -> Vec<*const c_char> { texts.iter().map(|t| t.as_ptr()).chain([ptr::null()]).collect() };
    let arguments = pointers(&image.arguments);
    let mut shell = vec![c"sh".as_ptr(), ptr::null()];
    shell.extend(arguments.iter().skip(1));
    let mut plan = Plan { image, arguments, environment: pointers(&image.environment), shell, failure: None };
    let mut stack = vec![0_u8; STACK];
    let (result, handle) = clone(&mut plan, &mut stack);
    let pid = match u32::try_from(result) {
        Ok(pid) if pid > 0 => pid,
        _ => return Err((Step::Clone, io::Error::last_os_error())),
    };
    #[expect(unsafe_code, reason = "the kernel has just opened it for us, and nobody else knows it")]
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    if let Some((step, errno)) = plan.failure {
        // It has exited; only its number is still to be given back.
        let _ = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED);
        return Err((step, io::Error::from_raw_os_error(errno)));
    }
    Ok(Cloned { pid, handle })
}

/// The pid and the handle on it, or -1 and nothing.
#[expect(
    unsafe_code,
    reason = "there is no safe clone. Memory and stack outlive the child's use of them, since with CLONE_VFORK this thread stands \
              still until it execs or exits; signals are held back meanwhile, so that no handler of ours runs in the child"
)]
fn clone(plan: &mut Plan<'_>, stack: &mut [u8]) -> (c_int, c_int) {
    let mut handle: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        // The stack grows downwards, from an address that the ABI wants aligned.
        let top = stack.as_mut_ptr().add(stack.len());
        let top = top.sub(top as usize % 16).cast::<c_void>();
        let result = libc::clone(child, top, flags, ptr::from_mut(plan).cast::<c_void>(), &raw mut handle);
        let errno = *libc::__errno_location();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, ptr::null_mut());
        *libc::__errno_location() = errno;
        (result, handle)
    }
}

/// The child's whole life before its program: it never returns into ours.
#[expect(unsafe_code, reason = "`clone` hands the plan over as a bare pointer")]
extern "C" fn child(plan: *mut c_void) -> c_int {
    unsafe {
        let plan = &mut *plan.cast::<Plan<'_>>();
        plan.failure = Some(plan.become_program());
        libc::_exit(127)
    }
}

impl Plan<'_> {
    /// Returns only with what went wrong.
    fn become_program(&mut self) -> (Step, i32) {
        match self.prepare() {
            Ok(()) => (Step::Program, self.exec()),
            Err((step, errno)) => (step, errno.raw_os_error()),
        }
    }

    fn prepare(&self) -> Result<(), (Step, rustix::io::Errno)> {
        let image = self.image;
        default_signals();
        own_files(&image.stdio).map_err(|errno| (Step::Files, errno))?;
        rustix::process::setsid().map_err(|errno| (Step::Session, errno))?;
        for procs in &image.joins {
            rustix::io::write(procs, b"0").map_err(|errno| (Step::Join, errno))?;
        }
        if let Some(user) = &image.user {
            // (The kernel then forbids core dumps of the shared memory: of a root engine that starts others' processes, as it should be.)
            // Of this thread: it is the only one of the process that is to be, and the others here are the engine's.
            let become_user = || {
                rustix::thread::set_thread_groups(&user.groups)?;
                rustix::thread::set_thread_res_gid(user.gid, user.gid, user.gid)?;
                rustix::thread::set_thread_res_uid(user.uid, user.uid, user.uid)
            };
            become_user().map_err(|errno| (Step::User, errno))?;
        }
        if let Some(cwd) = &image.cwd {
            rustix::process::chdir(cwd.as_c_str()).map_err(|errno| (Step::Directory, errno))?;
        }
        Ok(())
    }

    /// As `execvp` does, but with the declared `PATH`: the next place where there is no such file or it may not be executed.
    fn exec(&mut self) -> i32 {
        let mut verdict = libc::ENOENT;
        for candidate in &self.image.candidates {
            match exec(candidate.as_ptr(), &self.arguments, &self.environment) {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => verdict = libc::EACCES,
                libc::ENOEXEC => {
                    self.shell[1] = candidate.as_ptr();
                    return exec(c"/bin/sh".as_ptr(), &self.shell, &self.environment);
                }
                errno => return errno,
            }
        }
        verdict
    }
}

/// Returns only with the error.
#[expect(unsafe_code, reason = "exec has no safe wrapper; the lists end with a null and their texts live in the image")]
fn exec(program: *const c_char, arguments: &[*const c_char], environment: &[*const c_char]) -> i32 {
    unsafe {
        libc::execve(program, arguments.as_ptr(), environment.as_ptr());
        *libc::__errno_location()
    }
}

/// Ignored signals would survive exec, and a handler of ours must not run here: all back to what a new process has.
#[expect(
    unsafe_code,
    reason = "the standard library cannot reset signals; these calls are async-signal-safe, and the tables are the child's own"
)]
fn default_signals() {
    unsafe {
        for signal in 1..=64 {
            // Refused for KILL, STOP and the C library's own two, which stay as they are.
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// The three standard files, and no other one, whoever forgot to say so when opening it.
#[expect(unsafe_code, reason = "there are no safe wrappers; the numbers are open files of ours, and the table is the child's own")]
fn own_files(stdio: &[OwnedFd; 3]) -> rustix::io::Result<()> {
    let result = unsafe {
        let copied = stdio.iter().zip(0..).all(|(file, number)| libc::dup2(file.as_raw_fd(), number) == number);
        copied && libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0
    };
    if result { Ok(()) } else { Err(rustix::io::Errno::from_raw_os_error(unsafe { *libc::__errno_location() })) }
}
