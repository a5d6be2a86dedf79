//! What other processes may ask of a running engine: one JSON object a line, and one back.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::adapters::socket::{Listener, connect};
use crate::adapters::workspace::Workspace;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::driver::engine::Handle;
use crate::kernel::input::Request;
use crate::kernel::record::StopReason;

/// The version of this protocol.
const VERSION: u32 = 1;

/// The longest line, in bytes.
const MAX_LINE: u64 = 64 << 10;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Ask {
    /// Stop a goal's run.
    Stop {
        /// The goal.
        goal: Name,
        /// Kill at once.
        force: bool,
    },
    /// Answer a question.
    Reply {
        /// The phase that asks.
        owner: Owner,
        /// Yes or no.
        yes: bool,
        /// What else the person wrote.
        text: Option<String>,
        /// Who.
        by: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: u32,
    #[serde(flatten)]
    ask: Ask,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is committed.
    Done,
    /// It was refused; nothing has changed.
    Refused(String),
}

/// Why a running engine could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No engine listens.
    #[error("no engine is running in this workspace")]
    NoEngine,
    /// The connection failed.
    #[error("failed to talk to the running engine: {0}")]
    Io(#[from] io::Error),
    /// The answer is not one.
    #[error("failed to understand the running engine: {0}; it may be of another version of sculpt")]
    Protocol(#[from] serde_json::Error),
}

/// Serves the workspace's socket as long as the engine is driven. Ends with the task.
///
/// # Errors
/// Where the socket cannot be made.
pub fn serve(workspace: &Workspace, handle: Handle) -> io::Result<tokio::task::JoinHandle<()>> {
    let listener = Listener::bind(&workspace.socket())?;
    Ok(tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            let handle = handle.clone();
            // Each client has a task of its own: a slow one delays nobody.
            tokio::spawn(async move { drop(answer(stream, &handle).await) });
        }
    }))
}

async fn answer(stream: UnixStream, handle: &Handle) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    let told = match serde_json::from_str::<Line>(&line) {
        Ok(Line { version: VERSION, ask }) => ask_handle(ask, handle).await,
        Ok(Line { version, .. }) => Told::Refused(format!("this engine speaks version {VERSION} of the protocol, not {version}")),
        Err(error) => Told::Refused(format!("the request is not understood: {error}")),
    };
    let mut text = serde_json::to_vec(&told)?;
    text.push(b'\n');
    write.write_all(&text).await
}

async fn ask_handle(ask: Ask, handle: &Handle) -> Told {
    let request = match ask {
        Ask::Stop { goal, force } => Request::Stop { goal, reason: StopReason::Person, force },
        Ask::Reply { owner, yes, text, by } => Request::Reply { owner, yes, text, by },
    };
    match handle.request(request).await {
        Ok(Ok(())) => Told::Done,
        Ok(Err(refusal)) => Told::Refused(refusal.to_string()),
        Err(_) => Told::Refused("the engine has just ended".to_owned()),
    }
}

/// Asks the workspace's running engine.
///
/// # Errors
/// Where none is running, or it does not answer.
pub async fn ask(workspace: &Workspace, ask: Ask) -> Result<Told, SocketError> {
    let stream = match connect(&workspace.socket()).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(SocketError::NoEngine);
        }
        Err(error) => return Err(error.into()),
    };
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_vec(&Line { version: VERSION, ask })?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(SocketError::NoEngine);
    }
    Ok(serde_json::from_str(&line)?)
}
