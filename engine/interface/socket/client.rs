//! A client's side: one connection for each request.

use std::io;

use serde_json::Error as JsonError;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{Ask, Line, MAX_LINE, Speaker, Told, VERSION};
use crate::adapters::socket::connect;
use crate::adapters::workspace::Workspace;

/// Why the supervisor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection failed.
    #[error("failed to talk to the supervisor: {0}")]
    Io(#[from] io::Error),
    /// The answer is not one.
    #[error("failed to understand the supervisor: {0}")]
    Protocol(#[from] JsonError),
    /// It speaks another version.
    #[error("the supervisor (pid {}) is sculpt {}, and speaks version {} of the protocol, not {VERSION}", .0.pid, .0.sculpt, .0.version)]
    Mismatch(Speaker),
}

/// A connection to the supervisor.
#[derive(Debug)]
pub struct Connection {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Connection {
    /// Connects to the supervisor of a workspace; none where nobody listens.
    ///
    /// # Errors
    /// Where somebody may listen and cannot be reached.
    pub async fn open(workspace: &Workspace) -> Result<Option<Self>, SocketError> {
        match connect(&workspace.socket()).await {
            Ok(stream) => {
                let (read, write) = stream.into_split();
                Ok(Some(Self { read: BufReader::new(read), write, line: Vec::new() }))
            }
            // Reset: it has stopped to listen in the same moment.
            Err(error) if is_end(&error) || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks, and gives the first answer; none where the supervisor ended without one.
    ///
    /// # Errors
    /// Where it cannot be asked, or speaks another version.
    pub async fn ask(&mut self, ask: &Ask) -> Result<Option<Told>, SocketError> {
        let mut line = serde_json::to_vec(&Line { version: VERSION, ask })?;
        line.push(b'\n');
        match self.write.write_all(&line).await {
            Err(error) if is_end(&error) => return Ok(None),
            written => written?,
        }
        self.next().await
    }

    /// The next line; none where the supervisor has ended. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// Where it cannot be read or is no answer.
    pub async fn next(&mut self) -> Result<Option<Told>, SocketError> {
        // What was read before this was dropped the last time is kept.
        let left = MAX_LINE.saturating_sub(self.line.len() as u64);
        match (&mut self.read).take(left).read_until(b'\n', &mut self.line).await {
            Err(error) if is_end(&error) => return Ok(None),
            read => read?,
        };
        if !self.line.ends_with(b"\n") {
            return Ok(None);
        }
        let told = serde_json::from_slice(&self.line)?;
        self.line.clear();
        match told {
            Told::Mismatch(speaker) => Err(SocketError::Mismatch(speaker)),
            told => Ok(Some(told)),
        }
    }
}

/// Whether an error says that the other side has gone.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected)
}
