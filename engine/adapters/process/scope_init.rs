//! The small supervisor of a scope where there are no control groups: `sculpt __scope NAME MODE`, never typed by a person.
//!
//! It reads one order (a line of JSON), starts the process, says whether it did and later how it ended, as lines on its standard
//! output; it inherits every orphan and ends after the last one. SIGTERM to it ends what is below it: SIGTERM, [`GRACE`], SIGKILL.
//! Nobody needs to be listening.
//!
//! | mode | is | below it |
//! |---|---|---|
//! | `subreaper` | inherits orphans | the process |
//! | `pid-namespace` | makes the namespace, passes SIGTERM on | one `init` |
//! | `init` | number 1 of the namespace; the kernel ends the rest with it | the process |

use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::clone::Cloned;
use super::identity::{ProcessId, send};
use super::launch::{Launch, SpawnError};
use super::wait::{self, Reaped};
use super::{spawn, table, user};
use crate::base::time::Span;

/// The first argument that leads here.
pub const ENTRY: &str = "__scope";

/// The name under which nothing is started: it is only tried whether it could be.
pub(super) const PROBE: &str = "probe";

/// How long a supervisor that is itself asked to end gives the processes below it.
pub const GRACE: Span = Span::seconds(10);

/// What a supervisor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Subreaper,
    PidNamespace,
    Init,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Subreaper, Self::PidNamespace, Self::Init];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Subreaper => "subreaper",
            Self::PidNamespace => "pid-namespace",
            Self::Init => "init",
        }
    }
}

/// What to start. It comes through a pipe: arguments are for everybody to read, and an environment holds secrets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) launch: Launch,
}

/// Whether it was started.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Started {
    /// With this number, as the supervisor sees it.
    Yes {
        pid: u32,
    },
    No(SpawnError),
}

/// Runs a supervisor; `args` are what follows [`ENTRY`]. Call it before any thread is started.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.into_iter().collect();
    let mode = args.get(1).and_then(|word| Mode::ALL.into_iter().find(|mode| mode.word() == word));
    let (Some(name), Some(mode)) = (args.first(), mode) else { return ExitCode::from(2) };
    let result = match mode {
        Mode::Subreaper => {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from).and_then(|()| serve())
        }
        Mode::PidNamespace => make_namespace().and_then(|()| start_init(name)),
        Mode::Init => become_init().and_then(|()| serve()),
    };
    // Whoever reads our words sees their end; there is nobody else to tell.
    result.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A PID namespace for our children; through a user namespace where we are not root, with the same user inside.
fn make_namespace() -> io::Result<()> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut flags = UnshareFlags::NEWPID | UnshareFlags::NEWNS;
    flags.set(UnshareFlags::NEWUSER, !uid.is_root());
    #[expect(unsafe_code, reason = "there is one thread and no shared file table yet, which is what the call could break")]
    unsafe {
        rustix::thread::unshare_unsafe(flags)?;
    }
    if !uid.is_root() {
        let uid_map = format!("{0} {0} 1", uid.as_raw());
        let gid_map = format!("{0} {0} 1", gid.as_raw());
        for (file, text) in [("setgroups", "deny"), ("uid_map", &uid_map), ("gid_map", &gid_map)] {
            #[expect(clippy::disallowed_methods, reason = "our own namespace's files in /proc")]
            std::fs::write(format!("/proc/self/{file}"), text)?;
        }
    }
    // As root the mounts are still shared with the host; what we mount is ours alone.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    Ok(())
}

/// Starts number 1 of the namespace, hands it our order, and ends as it ends.
fn start_init(name: &str) -> io::Result<u8> {
    let (order_end, mut order_pipe) = io::pipe()?;
    let (words, errors) = (io::stdout().as_fd().try_clone_to_owned()?, io::stderr().as_fd().try_clone_to_owned()?);
    let stdio = [order_end.into(), words, errors];
    let init = spawn::start_own(Path::new("/proc/self/exe"), &[ENTRY, name, Mode::Init.word()], stdio).map_err(io::Error::other)?;
    if name == PROBE {
        // Its end of file tells the init that there is nothing to start.
        drop(order_pipe);
        let status = waitid(WaitId::PidFd(init.handle.as_fd()), WaitIdOptions::EXITED)?;
        return Ok(u8::from(status.and_then(|status| status.exit_status()) != Some(PROBED)));
    }
    let mut order = String::new();
    io::stdin().lock().read_line(&mut order)?;
    order_pipe.write_all(order.as_bytes())?;
    let code = run(pass_on(&init));
    // Open for as long as we live: the init reads our death from it.
    drop(order_pipe);
    code
}

/// Passes SIGTERM on until the init has ended.
async fn pass_on(init: &Cloned) -> io::Result<u8> {
    let (mut children, mut terminate) = (signal(SignalKind::child())?, signal(SignalKind::terminate())?);
    loop {
        if let Some(status) = waitid(WaitId::PidFd(init.handle.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)? {
            return Ok(u8::from(status.exit_status() != Some(0)));
        }
        tokio::select! {
            _ = children.recv() => {}
            _ = terminate.recv() => {
                send(&init.handle, Signal::TERM)?;
            }
        }
    }
}

/// The exit code of an init that could do everything an init must.
const PROBED: i32 = 42;

/// Ties our life to the one who made the namespace, and shows the namespace's own processes.
fn become_init() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It holds the other end of this pipe for life: if it died before the line above, the pipe says so.
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    if poll(&mut fds, Some(&now))? > 0 && std::env::args().nth(2).as_deref() != Some(PROBE) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// Starts the process and stays until nothing is below us.
fn serve() -> io::Result<u8> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.is_empty() {
        return Ok(u8::try_from(PROBED).unwrap_or(u8::MAX));
    }
    let Order { launch } = serde_json::from_str(&line)?;
    run(supervise(&launch))
}

fn run(work: impl Future<Output = io::Result<u8>>) -> io::Result<u8> {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?.block_on(work)
}

async fn supervise(launch: &Launch) -> io::Result<u8> {
    // Before the start: no death may go unseen.
    let (mut children, mut terminate) = (signal(SignalKind::child())?, signal(SignalKind::terminate())?);
    let main = match start(launch) {
        Ok(pid) => pid,
        Err(error) => {
            say(&Started::No(error));
            return Ok(0);
        }
    };
    say(&Started::Yes { pid: main });
    let mut ending: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
    loop {
        if !reap(main)? {
            return Ok(0);
        }
        tokio::select! {
            _ = children.recv() => {}
            _ = terminate.recv(), if ending.is_none() => {
                signal_below(Signal::TERM)?;
                ending = Some(Box::pin(tokio::time::sleep(GRACE.std())));
            }
            () = async { if let Some(sleep) = &mut ending { sleep.await } }, if ending.is_some() => {
                signal_below(Signal::KILL)?;
                // What was started meanwhile is killed as the deaths of its parents come in.
                ending = Some(Box::pin(tokio::time::sleep(std::time::Duration::from_millis(10))));
            }
        }
    }
}

/// The process itself. It is reaped with all others, not through its handle.
fn start(launch: &Launch) -> Result<u32, SpawnError> {
    spawn::start(launch, user::resolve(launch)?, None).map(|cloned| cloned.pid)
}

/// Takes note of every death; false where nobody is left.
fn reap(main: u32) -> io::Result<bool> {
    loop {
        match wait::any() {
            Ok(Reaped::NoneYet) => return Ok(true),
            Ok(Reaped::One(pid, exit, usage)) => {
                if pid == main {
                    say(&(exit, usage));
                }
            }
            Ok(Reaped::Nobody) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn signal_below(signal: Signal) -> io::Result<()> {
    for stat in table::descendants(&[std::process::id()]) {
        if let Some(id) = ProcessId::of(stat.pid).filter(|id| id.start == stat.start) {
            id.signal(signal)?;
        }
    }
    Ok(())
}

/// One line for whoever listens. The engine may be gone by then, which must not stop us.
fn say(word: &impl Serialize) {
    let Ok(mut line) = serde_json::to_vec(word) else { return };
    line.push(b'\n');
    let mut out = io::stdout().lock();
    drop(out.write_all(&line).and_then(|()| out.flush()));
}
