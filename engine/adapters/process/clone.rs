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
//! | groups, where it was not born there | before the user changes, who may not write them |
//! | limit on open files | before the user changes, who may not raise it |
//! | view of the host's files | before the user changes, who may not enter it, and before the directory |
//! | user | before the directory, which is to be entered with the user's rights |
//! | directory, program | |

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::{Arc, OnceLock};

use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::clone3;
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
    Limit,
    View,
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
    /// How many files it may have open at once.
    pub(super) files: Option<u64>,
    /// The mount namespace that it is in; none for the engine's own.
    pub(super) view: Option<Arc<File>>,
    /// The group that it is a member of before its first instruction.
    pub(super) membership: Option<Membership>,
}

/// How a process becomes a member of its group.
#[derive(Debug)]
pub(super) struct Membership {
    /// The folder of a group of version 2: a process can be born there.
    pub(super) folder: Option<Arc<File>>,
    /// The file into which a process writes `0` that was born elsewhere.
    pub(super) procs: Arc<File>,
    /// The same of the groups that limit it.
    pub(super) limits: Vec<Arc<File>>,
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
    /// True where it was born in its group, with the default answer to every signal that was not ignored.
    placed: bool,
    /// The signals that are ignored.
    ignored: &'a [c_int],
    failure: Option<(Step, i32)>,
}

/// Starts the process; the calling thread waits until it has become its program.
pub(super) fn start(image: &Image) -> Result<Cloned, (Step, io::Error)> {
    let pointers = |texts: &[CString]| -> Vec<*const c_char> { texts.iter().map(|t| t.as_ptr()).chain([ptr::null()]).collect() };
    let arguments = pointers(&image.arguments);
    let mut shell = vec![c"sh".as_ptr(), ptr::null()];
    shell.extend(arguments.iter().skip(1));
    let environment = pointers(&image.environment);
    let mut plan = Plan { image, arguments, environment, shell, placed: true, ignored: ignored(), failure: None };
    let mut stack = vec![0_u8; STACK];
    let (pid, handle) = clone(&mut plan, &mut stack).map_err(|errno| (Step::Clone, errno.into()))?;
    #[expect(unsafe_code, reason = "the kernel has just opened it for us, and nobody else knows it")]
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    if let Some((step, errno)) = plan.failure {
        // It has exited; only its number is still to be given back.
        let _ = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED);
        return Err((step, io::Error::from_raw_os_error(errno)));
    }
    Ok(Cloned { pid, handle })
}

/// The pid and the handle on it.
#[expect(
    unsafe_code,
    reason = "there is no safe clone. Memory and stack outlive the child's use of them, since with CLONE_VFORK this thread stands \
              still until it execs or exits; signals are held back meanwhile, so that no handler of ours runs in the child"
)]
fn clone(plan: &mut Plan<'_>, stack: &mut [u8]) -> Result<(u32, c_int), rustix::io::Errno> {
    let folder = plan.image.membership.as_ref().and_then(|membership| membership.folder.as_ref()).map(AsRawFd::as_raw_fd);
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        let placed = ptr::from_mut(plan).cast::<c_void>();
        let born = match clone3::start(child, placed, stack, folder) {
            // Only what no older way meets as well: no memory and too many processes are answers.
            Err(errno) if !matches!(errno, rustix::io::Errno::NOMEM | rustix::io::Errno::AGAIN) => {
                plan.placed = false;
                older(plan, stack)
            }
            born => born,
        };
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, ptr::null_mut());
        born
    }
}

/// The same by the C library: the child is born beside us and moves.
///
/// # Safety
/// As [`clone`], which holds the signals back.
#[expect(unsafe_code, reason = "there is no safe clone")]
unsafe fn older(plan: &mut Plan<'_>, stack: &mut [u8]) -> Result<(u32, c_int), rustix::io::Errno> {
    let mut handle: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let result = unsafe {
        // The stack grows downwards, from an address that the ABI wants aligned.
        let top = stack.as_mut_ptr().add(stack.len());
        let top = top.sub(top as usize % 16).cast::<c_void>();
        libc::clone(child, top, flags, ptr::from_mut(plan).cast::<c_void>(), &raw mut handle)
    };
    u32::try_from(result).map(|pid| (pid, handle)).map_err(|_| {
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
        rustix::io::Errno::from_raw_os_error(errno)
    })
}

/// Whether a process can be born in this empty group and live: tried, since nothing else tells.
///
/// Linux since 6.14 ends one at its birth where the group that it is born in and the one that we are in were not killed as a whole equally often.
pub(super) fn lives_in(group: &File) -> bool {
    let mut stack = vec![0_u8; STACK];
    #[expect(unsafe_code, reason = "the child exits and does nothing else; signals may come meanwhile, and find no handler of ours")]
    let born = unsafe { clone3::start(exits, ptr::null_mut(), &mut stack, Some(group.as_raw_fd())) };
    let Ok((_, handle)) = born else { return false };
    #[expect(unsafe_code, reason = "the kernel has just opened it for us, and nobody else knows it")]
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    let ended = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED);
    ended.is_ok_and(|status| status.is_some_and(|status| status.exit_status() == Some(0)))
}

/// The whole life of a process that is only born.
#[expect(unsafe_code, reason = "it ends without a word to anybody")]
unsafe extern "C" fn exits(_: *mut c_void) -> c_int {
    unsafe { libc::_exit(0) }
}

/// The signals that this process ignores; it does not change its mind once it starts others.
#[expect(unsafe_code, reason = "the standard library cannot ask; a null asks and changes nothing")]
fn ignored() -> &'static [c_int] {
    static IGNORED: OnceLock<Vec<c_int>> = OnceLock::new();
    IGNORED.get_or_init(|| {
        let is_ignored = |signal: &c_int| unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        };
        (1..=64).filter(is_ignored).collect()
    })
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
        default_signals(self.placed.then_some(self.ignored));
        own_files(&image.stdio).map_err(|errno| (Step::Files, errno))?;
        rustix::process::setsid().map_err(|errno| (Step::Session, errno))?;
        if let Some(Membership { folder, procs, limits }) = &image.membership {
            let moves = !self.placed || folder.is_none();
            // The limits first: no member of the group runs its program without them.
            for procs in limits.iter().chain(moves.then_some(procs)) {
                rustix::io::write(procs, b"0").map_err(|errno| (Step::Join, errno))?;
            }
        }
        if let Some(files) = image.files {
            // Before the user changes, who may not have more than the engine.
            let limit = rustix::process::Rlimit { current: Some(files), maximum: Some(files) };
            rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).map_err(|errno| (Step::Limit, errno))?;
        }
        if let Some(view) = &image.view {
            rustix::thread::move_into_link_name_space(view.as_fd(), Some(rustix::thread::LinkNameSpaceType::Mount))
                .map_err(|errno| (Step::View, errno))?;
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

/// Ignored signals would survive exec, and a handler of ours must not run here: all back to what a new process has. Where the kernel has
/// done away with the handlers, only those that are ignored are left.
#[expect(
    unsafe_code,
    reason = "the standard library cannot reset signals; these calls are async-signal-safe, and the tables are the child's own"
)]
fn default_signals(ignored: Option<&[c_int]>) {
    unsafe {
        match ignored {
            Some(ignored) => {
                for signal in ignored {
                    libc::signal(*signal, libc::SIG_DFL);
                }
            }
            None => {
                for signal in 1..=64 {
                    // Refused for KILL, STOP and the C library's own two, which stay as they are.
                    libc::signal(signal, libc::SIG_DFL);
                }
            }
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
