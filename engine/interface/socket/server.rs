//! The supervisor's side: each client has a task of its own, and the engine waits for none of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::protocol::{Ask, Lasting, Line, MAX_LINE, Speaker, Spoken, Told, VERSION};
use crate::adapters::socket::Listener;
use crate::driver::engine::{EngineError, Environment};
use crate::driver::handle::{Awaited, Handle};
use crate::driver::serving::Clients;
use crate::interface::failure::{Complaint, Failure};
use crate::kernel::input::{Refusal, Request};

/// A client is told at most so often how far the journal is: nobody sees more, and a run with many small phases wakes it less.
const PACE: Duration = Duration::from_millis(10);

/// A line up to this length is read in the loop itself, a longer one beside it, in bytes.
const SHORT: usize = 64 << 10;

/// How long clients have to take the last word when the supervisor ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long to wait where no connection can be taken: there are too many just now.
const TOO_MANY: Duration = Duration::from_millis(100);

/// How the supervisor ends.
#[derive(Clone, Debug)]
pub enum Closing {
    /// Nothing is promised any more, or it was told to let go: by a signal, or by a client that said whether another one takes over.
    Over,
    /// The engine cannot go on.
    Failed(Complaint),
}

/// What all clients share.
#[derive(Debug)]
struct Office {
    handle: Handle,
    clients: watch::Sender<Clients>,
    closing: watch::Sender<Option<Told>>,
    /// What was said when somebody told the supervisor to let go.
    released: watch::Sender<Option<bool>>,
}

/// Serves the workspace's socket until it is closed.
#[derive(Debug)]
pub struct Server {
    office: Arc<Office>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Begins to listen.
    pub fn start(listener: Listener, handle: Handle) -> Self {
        let (clients, closing, released) = (watch::Sender::default(), watch::Sender::new(None), watch::Sender::new(None));
        let office = Arc::new(Office { handle, clients, closing, released });
        let shared = Arc::clone(&office);
        let accepting = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    // Its end is its own matter: a client may go at any time.
                    Ok(stream) => drop(tokio::spawn(attend(stream, Arc::clone(&shared)))),
                    Err(_) => sleep(TOO_MANY).await,
                }
            }
        });
        Self { office, accepting }
    }

    /// Who has asked for something and is still there.
    pub fn clients(&self) -> watch::Receiver<Clients> {
        self.office.clients.subscribe()
    }

    /// Takes no connection any more, and tells those that are there. Whoever has no answer yet finds its connection closed.
    pub async fn close(self, closing: Closing) {
        // With the task goes the socket, so that whoever comes now starts the next supervisor.
        self.accepting.abort();
        drop(self.accepting.await);
        let told = match closing {
            Closing::Over => Told::Released { replaced: self.office.released.borrow().unwrap_or(false) },
            Closing::Failed(complaint) => Told::Failed(complaint),
        };
        self.office.closing.send_replace(Some(told));
        let mut clients = self.office.clients.subscribe();
        // One that does not read is left behind.
        drop(tokio::time::timeout(FAREWELL, clients.wait_for(|clients| clients.present == 0)).await);
    }
}

/// Counts a client as long as it is there.
struct Present<'o>(&'o watch::Sender<Clients>);

impl<'o> Present<'o> {
    fn new(clients: &'o watch::Sender<Clients>) -> Self {
        clients.send_modify(|clients| {
            clients.present += 1;
            clients.came += 1;
        });
        Self(clients)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|clients| clients.present -= 1);
    }
}

/// One client, from its line to its end.
struct Client<'o> {
    office: &'o Office,
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

async fn attend(stream: UnixStream, office: Arc<Office>) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut client = Client { office: &office, read: BufReader::new(read), write };
    let mut line = Vec::new();
    (&mut client.read).take(MAX_LINE).read_until(b'\n', &mut line).await?;
    if !line.ends_with(b"\n") && (line.len() as u64) < MAX_LINE {
        // It went away in the middle of it.
        return Ok(());
    }
    let _present = Present::new(&office.clients);
    match understood(line).await {
        Ok(ask) => client.serve(ask).await,
        Err(told) => client.tell(&told).await,
    }
}

impl Client<'_> {
    async fn serve(&mut self, ask: Ask) -> io::Result<()> {
        let awaited = match &ask {
            Ask::Collect { .. } => Some(Awaited::Collection),
            ask => ask.goal().cloned().map(Awaited::Goal),
        };
        let (request, env) = match ask {
            Ask::Status => return self.tell(&Told::Status(Speaker::this())).await,
            Ask::Release { replaced } => {
                self.office.released.send_replace(Some(replaced));
                self.office.handle.release();
                self.tell(&Told::Accepted(self.seq())).await?;
                return self.follow(None).await;
            }
            Ask::Attach { .. } => {
                self.tell(&Told::Accepted(self.seq())).await?;
                return self.follow(awaited).await;
            }
            Ask::Run { plan, from: None, options, seen, env } => (Request::Run { plan, options, seen }, Some(env)),
            Ask::Run { plan, from: Some(phase), options, seen, env } => (Request::RunFrom { plan, phase, options, seen }, Some(env)),
            Ask::Retry { goal, run, phase, only, options, env } => (Request::Retry { goal, run, phase, only, options }, Some(env)),
            Ask::Stop { goal, reason, force } => (Request::Stop { goal, reason, force }, None),
            Ask::Reply { owner, yes, text, by } => (Request::Reply { owner, yes, text, by }, None),
            Ask::Adopt { owner, by } => (Request::Adopt { owner, by, found: None }, None),
            Ask::Down { goal, volumes } => (Request::Down { goal, volumes }, None),
            Ask::Verify { goal } => (Request::Verify { goal }, None),
            Ask::Collect { evict } => (Request::Collect { evict }, None),
        };
        match self.request(request, env).await {
            Some(Ok(seq)) => {
                self.tell(&Told::Accepted(seq)).await?;
                self.follow(awaited).await
            }
            Some(Err(refusal)) => self.tell(&Told::Refused(Failure::from(EngineError::from(refusal)).complaint())).await,
            None => Ok(()),
        }
    }

    /// The engine's answer; none where it ends without one: then nobody knows whether it was asked, and the client asks the next one.
    async fn request(&mut self, request: Request, env: Option<Environment>) -> Option<Result<u64, Refusal>> {
        let mut closing = self.office.closing.subscribe();
        let answer = self.office.handle.request(request, env);
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            told = last_word(&mut closing) => {
                if let Some(told) = told.filter(|told| matches!(told, Told::Failed(_))) {
                    // What failed may be this very request.
                    drop(self.tell(&told).await);
                }
                None
            }
        }
    }

    /// Tells how far the journal is, and when nothing of what is awaited is under way any more, until the client goes or the supervisor ends.
    async fn follow(&mut self, awaited: Option<Awaited>) -> io::Result<()> {
        let handle = &self.office.handle;
        let mut written = handle.written();
        let mut closing = self.office.closing.subscribe();
        let settled = || awaited.clone().map(|awaited| handle.settled(awaited));
        let mut waits = settled();
        let mut rest = std::pin::pin!(sleep(Duration::ZERO));
        let mut more = [0; 256];
        loop {
            let told = tokio::select! {
                biased;
                told = last_word(&mut closing) => {
                    return match told {
                        Some(told) => self.tell(&told).await,
                        None => Ok(()),
                    };
                }
                Ok(seq) = over(&mut waits) => {
                    waits = None;
                    Told::Settled(seq)
                }
                Ok(()) = written.changed(), if rest.is_elapsed() => {
                    rest.set(sleep(PACE));
                    if waits.is_none() {
                        waits = settled();
                    }
                    Told::Seq(*written.borrow_and_update())
                }
                () = &mut rest, if !rest.is_elapsed() => continue,
                // Nothing more is expected of it; what comes is its end.
                read = self.read.read(&mut more) => match read {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(_) => continue,
                },
            };
            self.tell(&told).await?;
        }
    }

    /// How far the journal is written.
    fn seq(&self) -> u64 {
        *self.office.handle.written().borrow()
    }

    async fn tell(&mut self, told: &Told) -> io::Result<()> {
        let mut line = serde_json::to_vec(told)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }
}

/// What clients are told when the supervisor ends.
async fn last_word(closing: &mut watch::Receiver<Option<Told>>) -> Option<Told> {
    closing.wait_for(Option::is_some).await.ok().and_then(|told| told.clone())
}

/// When what is waited for has come; never where nothing is.
async fn over(waits: &mut Option<oneshot::Receiver<u64>>) -> Result<u64, oneshot::error::RecvError> {
    match waits {
        Some(waits) => waits.await,
        None => std::future::pending().await,
    }
}

/// What a line asks, or what is to be answered to one that is not understood.
async fn understood(line: Vec<u8>) -> Result<Ask, Told> {
    if line.len() <= SHORT {
        return parse(&line);
    }
    tokio::task::spawn_blocking(move || parse(&line)).await.unwrap_or_else(|error| {
        Err(Told::Refused(Failure::refused(format!("the request could not be read: {error}"), "ask again").complaint()))
    })
}

fn parse(line: &[u8]) -> Result<Ask, Told> {
    let failed = match serde_json::from_slice::<Line<Ask>>(line) {
        Ok(Line { version: VERSION, ask }) => return Ok(ask),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Ok(Line { ask, .. }) = serde_json::from_slice::<Line<Lasting>>(line) {
        return Ok(match ask {
            Lasting::Status => Ask::Status,
            Lasting::Release { replaced } => Ask::Release { replaced },
        });
    }
    Err(match (failed, serde_json::from_slice::<Spoken>(line)) {
        (Some(error), Ok(Spoken { version: VERSION }) | Err(_)) => {
            let what = format!("the request is not understood: {error}");
            Told::Refused(Failure::usage(what, "ask with the `sculpt` that this supervisor is").complaint())
        }
        _ => Told::Mismatch(Speaker::this()),
    })
}
