//! A process that was started: who it is, and how it ended.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;

use super::identity::ProcessId;
use super::usage::Usage;
use super::wait;
use super::witness::watchable;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A started process. Dropping it neither ends nor forgets the process.
#[derive(Debug)]
pub struct Running {
    id: ProcessId,
    source: Source,
    usage: Usage,
}

/// Where the news of its end come from.
#[derive(Debug)]
enum Source {
    /// It is our child.
    Child(watch::Receiver<Option<(Exit, Usage)>>),
    /// Our child is its supervisor, which tells.
    Supervisor(Lines<BufReader<Receiver>>),
}

impl Running {
    pub(super) fn own(id: ProcessId, handle: OwnedFd) -> io::Result<Self> {
        let (tell, told) = watch::channel(None);
        let tell = move |ended| {
            // Nobody may be interested any more.
            let _ = tell.send(Some(ended));
        };
        reap(handle, tell)?;
        Ok(Self { id, source: Source::Child(told), usage: Usage::default() })
    }

    pub(super) fn supervised(id: ProcessId, supervisor: OwnedFd, words: OwnedFd) -> io::Result<Self> {
        reap(supervisor, |_| ())?;
        let source = Source::Supervisor(BufReader::new(Receiver::from_owned_fd(words)?).lines());
        Ok(Self { id, source, usage: Usage::default() })
    }

    /// Which process it is; to be recorded.
    pub fn id(&self) -> &ProcessId {
        &self.id
    }

    /// Waits for its end; may be dropped and called again before that. What it left behind in its scope may still run.
    ///
    /// A process whose supervisor was killed was killed with it.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        let (exit, usage) = match &mut self.source {
            Source::Child(told) => {
                let ended = *told.wait_for(Option::is_some).await.map_err(io::Error::other)?;
                ended.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?
            }
            Source::Supervisor(words) => match words.next_line().await? {
                Some(line) => serde_json::from_str(&line)?,
                None => (Exit::Signal(Signal::KILL.as_raw()), Usage::default()),
            },
        };
        self.usage = usage;
        Ok(exit)
    }

    /// What it, and those that it waited for, have used, once its end was waited for. That of a process whose supervisor was killed is not known.
    pub const fn usage(&self) -> Usage {
        self.usage
    }
}

/// Waits for a child in the background, whether or not anybody is interested: no zombie is left.
fn reap(handle: OwnedFd, tell: impl FnOnce((Exit, Usage)) + Send + 'static) -> io::Result<()> {
    let handle = watchable(handle)?;
    tokio::spawn(async move {
        // An error can only mean that the runtime ends, and with it the engine.
        if let Ok(_ready) = handle.readable().await
            && let Ok(Some(ended)) = wait::ended(handle.get_ref().as_fd())
        {
            tell(ended);
        }
    });
    Ok(())
}
