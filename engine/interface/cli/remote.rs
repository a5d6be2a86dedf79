//! Reaching the supervisor of a workspace: the one that listens, or one that is started now.

use std::io::{PipeReader, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::adapters::process::launch::SpawnError;
use crate::adapters::process::{background, delegation};
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::interface::failure::{Complaint, Failure};
use crate::interface::socket::client::Connection;
use crate::interface::socket::protocol::{Ask, Told};
use crate::journal::lock::{Holder, holder};
use crate::kernel::record::StopReason;
use crate::kernel::state::State;

/// What a supervisor says that it does, to whoever finds the workspace held.
pub const DOING: &str = "supervisor";

/// The pause between two tries to reach one that is about to listen: nothing tells when it does.
const PAUSE: Duration = Duration::from_millis(5);

/// So often one that holds the workspace is tried before it is given up: a minute.
const TRIES: u32 = 12_000;

/// So often a request is made again when a supervisor ends before it has answered.
const ROUNDS: u32 = 100;

/// What a supervisor in the background says to whoever started it: one line, and nothing more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It serves.
    Ready,
    /// Another one holds the workspace.
    Held,
    /// It cannot.
    Failed(Complaint),
}

/// Connects to the supervisor, and starts one where none is there: where a goal is to be stopped, with that.
async fn reach(workspace: &Workspace, stopping: Option<&Name>) -> Result<Connection, Failure> {
    for _ in 0..TRIES {
        if let Some(connection) = Connection::open(workspace).await? {
            return Ok(connection);
        }
        match holder(&workspace.folder()) {
            // It begins, or ends: it listens soon, or holds nothing any more.
            Some(holder) if holder.doing == DOING => sleep(PAUSE).await,
            Some(holder) => return Err(occupied(&holder)),
            None => {
                let (workspace, stopping) = (workspace.clone(), stopping.cloned());
                let started = tokio::task::spawn_blocking(move || start(&workspace, stopping.as_ref())).await;
                if !started.map_err(|error| Failure::file("start", "a thread")(error.into()))?? {
                    sleep(PAUSE).await;
                }
            }
        }
    }
    let pid = holder(&workspace.folder()).map(|holder| format!(" (pid {})", holder.pid)).unwrap_or_default();
    Err(Failure::refused(
        format!("the supervisor{pid} holds the workspace and does not listen"),
        "`sculpt supervise --replace` lets another one take over",
    ))
}

fn occupied(holder: &Holder) -> Failure {
    Failure::refused(
        format!("another engine (pid {}, {}) holds the workspace, and is no supervisor", holder.pid, holder.doing),
        "wait until it is done; it is of an older sculpt",
    )
}

/// Starts a supervisor in the background, for a command that stops this goal. False where another one was faster.
pub fn start(workspace: &Workspace, stopping: Option<&Name>) -> Result<bool, Failure> {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe"));
    let root = workspace.root().to_string_lossy();
    let log = workspace.folder().join("supervisor.log");
    let mut arguments = vec!["-C", &root, "supervise", "--background"];
    arguments.extend(stopping.into_iter().flat_map(|goal| ["--stopping", goal.as_str()]));
    let hear = |words: Result<PipeReader, SpawnError>| {
        let mut text = String::new();
        words.map_err(Failure::Start)?.read_to_string(&mut text).map_err(Failure::file("hear from", "the supervisor"))?;
        Ok::<_, Failure>(text)
    };
    let mut text = match delegation::scope() {
        // Without it the supervisor begins where this process is, and says what it cannot limit there.
        Some(scope) => hear(background::start_in(&scope, &program, &arguments, workspace.root(), &log)).unwrap_or_default(),
        None => String::new(),
    };
    if text.is_empty() {
        text = hear(background::start(&program, &arguments, workspace.root(), &log))?;
    }
    match serde_json::from_str(&text) {
        Ok(Word::Ready) => Ok(true),
        Ok(Word::Held) => Ok(false),
        Ok(Word::Failed(complaint)) => Err(Failure::Told(complaint)),
        Err(_) => {
            let what = "the supervisor ended before it was ready";
            Err(Failure::refused(what, format!("look what it said: {}", log.display())))
        }
    }
}

/// Asks until it is accepted, and gives the connection and the number of the last record then.
pub async fn accepted(workspace: &Workspace, ask: &Ask) -> Result<(Connection, u64), Failure> {
    let stopping = if let Ask::Stop { goal, reason: StopReason::Person, .. } = ask { Some(goal) } else { None };
    for _ in 0..ROUNDS {
        let mut connection = reach(workspace, stopping).await?;
        match connection.ask(ask).await? {
            Some(Told::Accepted(seq)) => return Ok((connection, seq)),
            Some(Told::Refused(complaint) | Told::Failed(complaint)) => return Err(Failure::Told(complaint)),
            // It was about to end: nothing was done.
            None | Some(Told::Released { .. }) => {}
            Some(told) => return Err(Failure::refused(format!("the supervisor answers {told:?}"), "`sculpt supervise --replace`")),
        }
    }
    Err(Failure::refused("one supervisor after the other ends without an answer", "look into .opensculpt/supervisor.log"))
}

/// Before a look: where something is to be at work and no engine is there, one is started. It goes on with what the last one left.
///
/// A look shows what is there in any case: where no engine can be started, that is said beside it.
pub fn wake(workspace: &Workspace, state: &State) -> bool {
    if !state.needs_engine() || holder(&workspace.folder()).is_some() {
        return false;
    }
    match start(workspace, None) {
        Ok(_) => true,
        Err(failure) => {
            eprintln!("warning: nobody watches over what is there: {failure}");
            for cause in failure.causes() {
                eprintln!("  because {cause}");
            }
            false
        }
    }
}
