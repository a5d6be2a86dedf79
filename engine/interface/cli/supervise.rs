//! `sculpt supervise`: the one engine process of a workspace.
//!
//! | started | it stays | it says that it is ready |
//! |---|---|---|
//! | by a command that needs it, in the background | as long as something is promised | through the pipe that it was started with |
//! | by a person | until it is told | on standard output |
//! | by systemd | until it is told | to the service manager |
//!
//! Told to let go (`--stop`, SIGTERM, SIGINT, SIGHUP) it ends and nothing else does: what lives is written down, and the next one adopts it.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

use super::context::Context;
use super::remote::{DOING, Word, start};
use super::session::establish;
use super::signals::Interrupts;
use crate::adapters::notify::ServiceManager;
use crate::adapters::process::identity::ProcessId;
use crate::adapters::process::{background, delegation};
use crate::adapters::socket::Listener;
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::driver::engine::{Engine, EngineError};
use crate::driver::serving::{Service, Stay};
use crate::interface::failure::Failure;
use crate::interface::socket::client::Connection;
use crate::interface::socket::protocol::{Ask, Told};
use crate::interface::socket::server::{Closing, Server};
use crate::interface::terminal::{Look, env, show, show_json};
use crate::journal::commit::ReplayError;
use crate::journal::error::OpenError;
use crate::journal::lock::{LockError, holder};
use crate::kernel::state::State;
use crate::views::replay::Replay;

/// The pause between two looks whether a supervisor that lets go is gone: nothing tells.
const PAUSE: Duration = Duration::from_millis(2);

/// So often it is looked: half a minute.
const TRIES: u32 = 15_000;

/// So long one in the background waits for the command that started it.
const FIRST: Duration = Duration::from_secs(5);

/// Supervises the workspace in the foreground, until it is told to let go. What lives stays then, and the next supervisor adopts it.
#[derive(Debug, Args)]
pub struct Supervise {
    /// Let the supervisor that runs go; what lives stays
    #[arg(long, conflicts_with = "replace")]
    stop: bool,
    /// Take over from the supervisor that runs, in the background; what lives is adopted, not started anew
    #[arg(long)]
    replace: bool,
    /// For a command that needs it: in the background, and only as long as something is promised
    #[arg(long, hide = true, conflicts_with_all = ["stop", "replace"])]
    background: bool,
    /// For a command that stops this goal: nothing of it is begun first
    #[arg(long, hide = true, requires = "background")]
    stopping: Option<Name>,
}

impl Supervise {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        if self.background {
            return Ok(in_background(&workspace, self.stopping));
        }
        if self.stop {
            let pid = let_go(&workspace, false)?;
            return told(context, &workspace, pid, "stopped", "no supervisor runs here");
        }
        if self.replace {
            establish(&workspace)?;
            let pid = let_go(&workspace, true)?;
            start(&workspace, None)?;
            return told(context, &workspace, pid, "replaced", "no supervisor ran here");
        }
        establish(&workspace)?;
        let manager = ServiceManager::of(&env).map_err(Failure::file("talk to", "the service manager"))?;
        supervise(&workspace, Stay::UntilTold, manager.as_ref(), None, || {
            if let Some(manager) = &manager {
                manager.ready();
            }
            let root = workspace.root().display();
            show(&format!("sculpt {} supervises {root} (pid {})\n", env!("CARGO_PKG_VERSION"), std::process::id()))
        })?;
        let state = Replay::of(&workspace.folder())?.state;
        show(&lives_on(&state, true))?;
        Ok(0)
    }
}

/// Serves, and tells whoever has started this when it does, or why it cannot.
fn in_background(workspace: &Workspace, stopping: Option<Name>) -> u8 {
    let mut said = false;
    let served = supervise(workspace, Stay::ForItsFirstClient(FIRST), None, stopping, || {
        said = true;
        say(&Word::Ready).map_err(Failure::output)
    });
    let Err(failure) = served else { return 0 };
    let held = matches!(failure, Failure::Engine(EngineError::Replay(ReplayError::Open(OpenError::Lock(LockError::Held { .. })))));
    if said {
        eprint!("{}", failure.render(false, Look::PLAIN));
    } else {
        let word = if held { Word::Held } else { Word::Failed(failure.complaint()) };
        // Whoever started it may be gone.
        drop(say(&word));
    }
    failure.code()
}

/// One line on the pipe that is standard output, which is closed with it.
fn say(word: &Word) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    let mut out = std::io::stdout();
    let written = out.write_all(&line).and_then(|()| out.flush());
    background::close_output()?;
    match written {
        // Whoever has started it is gone; others may come.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Opens the engine, listens, says so, and serves to the end.
fn supervise(
    workspace: &Workspace,
    stay: Stay,
    manager: Option<&ServiceManager>,
    stopping: Option<Name>,
    ready: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Err(error) = delegation::settle() {
        eprintln!("warning: limits may not be enforced: {error}");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::file("start", "the engine's threads"))?;
    let served = runtime.block_on(async {
        let mut interrupts = Interrupts::new()?;
        let mut engine = Engine::open(workspace, DOING, stopping).await?;
        let listener = Listener::bind(&workspace.socket()).map_err(Failure::file("listen at", workspace.socket()))?;
        let server = Server::start(listener, engine.handle());
        ready()?;
        let handle = engine.handle();
        tokio::spawn(async move {
            interrupts.next().await;
            handle.release();
        });
        let beat = || manager.iter().for_each(|manager| manager.beat());
        let beat = manager.and_then(ServiceManager::watchdog).map(|period| (period, &beat as &dyn Fn()));
        let ended = engine.serve(Service { clients: server.clients(), stay, beat }).await.map_err(Failure::from);
        if !engine.survivors().is_empty() {
            let left = engine.survivors().join("; ");
            eprintln!("what was at work could not all be ended: {left}; `sculpt down` ends it once the journal can be written again");
        }
        if let Some(manager) = manager {
            manager.stopping();
        }
        server.close(ended.as_ref().err().map_or(Closing::Over, |failure| Closing::Failed(failure.complaint()))).await;
        ended
    });
    // What still waits for the end of a process is not waited for: the next engine watches it.
    runtime.shutdown_background();
    served
}

/// Lets the supervisor go, and waits until it is gone. Gives its process id; none where none runs.
fn let_go(workspace: &Workspace, replaced: bool) -> Result<Option<u32>, Failure> {
    let Some(there) = holder(&workspace.folder()) else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::file("start", "a thread"))?;
    // It lets the journal go a moment before it ends; whoever told it to go wants it gone.
    let process = ProcessId::of(there.pid);
    let gone = || async {
        for _ in 0..TRIES {
            let lives = process.as_ref().is_some_and(ProcessId::alive);
            if !lives && holder(&workspace.folder()).is_none_or(|holder| holder.pid != there.pid) {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    };
    let ended = runtime.block_on(async {
        let asked = match Connection::open(workspace).await? {
            Some(mut connection) => matches!(connection.ask(&Ask::Release { replaced }).await?, Some(Told::Accepted(_)) | None),
            None => false,
        };
        if !asked {
            // It does not listen; its process is told instead, which means the same to it.
            let pid = i32::try_from(there.pid).ok().and_then(Pid::from_raw);
            if there.doing == DOING
                && let Some(pid) = pid
                && let Err(error) = kill_process(pid, Signal::TERM)
                && error != rustix::io::Errno::SRCH
            {
                return Err(Failure::file("tell", format!("process {pid:?} to let go"))(error.into()));
            }
        }
        Ok(gone().await)
    })?;
    if ended {
        return Ok(Some(there.pid));
    }
    let what = format!("the supervisor (pid {}) was told to let go, and still holds the workspace", there.pid);
    Err(Failure::refused(
        what,
        format!("look into {}; `kill -9 {}` ends nothing but it", workspace.folder().join("supervisor.log").display(), there.pid),
    ))
}

/// Tells what became of the supervisor, and what lives on.
fn told(context: &Context, workspace: &Workspace, pid: Option<u32>, done: &str, nobody: &str) -> Result<u8, Failure> {
    let state = Replay::of(&workspace.folder())?.state;
    if context.json {
        let now = holder(&workspace.folder()).map(|holder| holder.pid);
        show_json(&serde_json::json!({ "supervisor": now, done: pid, "processes": living(&state).count() }))?;
        return Ok(0);
    }
    let now = holder(&workspace.folder()).map(|holder| format!("; this is sculpt {} (pid {})", env!("CARGO_PKG_VERSION"), holder.pid));
    let before = pid.map_or_else(|| nobody.to_owned(), |pid| format!("the supervisor (pid {pid}) was {done}"));
    show(&format!("{before}{}\n{}", now.as_deref().unwrap_or_default(), lives_on(&state, now.is_none())))?;
    Ok(0)
}

fn living(state: &State) -> impl Iterator<Item = (String, u32)> {
    let resources = state.live_resources().filter_map(|resource| Some((resource.owner.to_string(), resource.process.as_ref()?.pid)));
    let work = state.effects.values().filter(|open| open.owner.resource.is_none());
    resources.chain(work.filter_map(|open| Some((open.owner.to_string(), open.process.as_ref()?.pid))))
}

/// What lives on, and how to end it.
fn lives_on(state: &State, alone: bool) -> String {
    let lines: Vec<String> = living(state).map(|(place, pid)| format!("  lives on: {place} (pid {pid})\n")).collect();
    if lines.is_empty() {
        return String::new();
    }
    let watched = if alone { "the next command watches over it again; " } else { "" };
    format!("{}  {watched}`sculpt down --all` ends it\n", lines.concat())
}
