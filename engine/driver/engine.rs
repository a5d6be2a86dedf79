//! The engine: the one loop.
//!
//! ```text
//! inputs → kernel.handle → records → journal.commit → permits → runtime → observations → inputs
//!                        └→ looks → probe ───────────────────────────────→ answers ────┘
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::adapters::local::prepare::{Vaults, keep_environment};
use crate::adapters::vault::Mask;
use crate::adapters::workspace::{ConfigError, Workspace, WorkspaceError};
use crate::base::time::Timestamp;
use crate::journal::commit::{Journal, ReplayError};
use crate::journal::error::{Dead, WriteError};
use crate::journal::permit::Permit;
use crate::kernel::action::{QuestionId, RunId, Seen};
use crate::kernel::engine::Kernel;
use crate::kernel::fold::Misfit;
use crate::kernel::input::{Input, Refusal, Request};
use crate::kernel::record::Record;
use crate::kernel::state::State;
use crate::manifest::config::Retention;
use crate::ports::clock::Clock;
use crate::ports::probe::Probe;
use crate::ports::runtime::{LookError, Runtime, Tell};

/// How many inputs are taken together at most: one write of the journal serves them all.
const BATCH: usize = 256;

/// Why an engine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The workspace's own files cannot be had.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The workspace's configuration cannot be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The journal cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The journal cannot be brought to disk.
    #[error(transparent)]
    Sync(#[from] Dead),
    /// Whether an engine that died left somebody cannot be seen.
    #[error(transparent)]
    Look(#[from] LookError),
    /// A request was refused; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A fault of the kernel itself.
    #[error("the kernel decided what does not fit: {0}; please report this with the journal")]
    Misfit(#[from] Misfit),
    /// A secret that is kept cannot be read.
    #[error("failed to read the secrets that are kept: {0}")]
    Secrets(#[source] std::io::Error),
}

/// Asks a running engine for something, from anywhere in the process.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) UnboundedSender<Asked>);

/// A request, with the environment of the run that it begins, and the place its refusal goes to.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) env: Option<Environment>,
    pub(super) answer: oneshot::Sender<Result<(), Refusal>>,
}

/// The environment of a run: that of whoever asked for it.
pub type Environment = IndexMap<String, String>;

impl Handle {
    /// Asks. The answer comes once the request is committed, or refused; an error of the channel means that the engine is gone.
    pub fn request(&self, request: Request) -> oneshot::Receiver<Result<(), Refusal>> {
        self.send(request, None)
    }

    /// The same for a request that begins a run, with the environment that its phases are given.
    pub fn run(&self, request: Request, env: Environment) -> oneshot::Receiver<Result<(), Refusal>> {
        self.send(request, Some(env))
    }

    fn send(&self, request: Request, env: Option<Environment>) -> oneshot::Receiver<Result<(), Refusal>> {
        let (answer, told) = oneshot::channel();
        // An engine that is gone answers by dropping the other end.
        drop(self.0.send(Asked { request, env, answer }));
        told
    }
}

/// The engine of a workspace, while it holds the journal.
pub struct Engine {
    pub(super) kernel: Kernel,
    pub(super) journal: Journal,
    pub(super) retention: Retention,
    pub(super) ignored: Vec<String>,
    pub(super) workspace: Workspace,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) probe: Arc<dyn Probe>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vaults: Vaults,
    pub(super) mask: Mask,
    pub(super) envs: HashMap<RunId, Arc<Environment>>,
    pub(super) standing: HashMap<QuestionId, Permit>,
    pub(super) tell: Tell,
    pub(super) heard: UnboundedReceiver<Input>,
    pub(super) handle: Handle,
    pub(super) asked: UnboundedReceiver<Asked>,
}

/// Who watches a run: called for each record once it is committed, with the state after the commit.
pub type Observer<'o> = dyn FnMut(Timestamp, &Record, &State) + 'o;

impl Engine {
    /// Everything that the journal knows.
    pub const fn state(&self) -> &State {
        self.kernel.state()
    }

    /// What of the journal's own files could not be used at the opening, and was done without: worth telling a person.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// What asks this engine for something from elsewhere in the process.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Hides the secrets of this workspace.
    pub const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Waits for something to happen, and does what follows from it.
    pub(super) async fn hear(&mut self, observer: &mut Observer<'_>) -> Result<(), EngineError> {
        let due = self.kernel.next_deadline();
        let clock = Arc::clone(&self.clock);
        tokio::select! {
            biased;
            Some(Asked { request, env, answer }) = self.asked.recv() => {
                let refusal = self.ask(request, env, observer)?;
                // Whoever asked may be gone.
                drop(answer.send(refusal.map_or(Ok(()), Err)));
            }
            Some(input) = self.heard.recv() => {
                let mut batch = vec![input];
                while batch.len() < BATCH && let Ok(input) = self.heard.try_recv() {
                    batch.push(input);
                }
                self.take(batch, observer)?;
            }
            () = clock.until(due) => {
                self.take(vec![Input::Tick], observer)?;
            }
        }
        Ok(())
    }

    /// Does what is asked, or gives its refusal.
    pub(super) fn ask(
        &mut self,
        request: Request,
        env: Option<Environment>,
        observer: &mut Observer<'_>,
    ) -> Result<Option<Refusal>, EngineError> {
        if let (Request::Run { plan, .. }, Some(env)) = (&request, env) {
            // Before the run is recorded: an engine that goes on with it must find what its phases are to be given.
            let run = self.kernel.next_run(&plan.goal);
            keep_environment(&self.workspace.run(&run), &env)?;
            self.envs.insert(run, Arc::new(env));
        }
        self.take(vec![Input::Request(request)], observer)
    }

    /// Decides on a batch of inputs at one time, commits, and hands out what is permitted. Gives the refusal of a request among them.
    pub(super) fn take(&mut self, batch: Vec<Input>, observer: &mut Observer<'_>) -> Result<Option<Refusal>, EngineError> {
        let mut queue = VecDeque::from(batch);
        let mut refused = None;
        while !queue.is_empty() {
            let now = self.clock.now();
            let (mut records, mut looks, mut closed) = (Vec::new(), Vec::new(), Vec::new());
            for input in queue.drain(..) {
                let input = self.masked(input);
                let decision = self.kernel.handle(now, input)?;
                records.extend(decision.records);
                looks.extend(decision.looks);
                closed.extend(decision.closed);
                refused = refused.or(decision.refused);
            }
            let committed = self.journal.commit(now, &records)?;
            for permit in committed.permits {
                self.spend(permit, &mut queue);
            }
            for record in &records {
                if let Record::Observed { id, seen: Seen::Begun { .. } } = record {
                    self.runtime.proceed(*id);
                }
            }
            if committed.must_sync {
                self.journal.sync()?;
            }
            for record in &records {
                observer(now, record, self.kernel.state());
            }
            for permit in committed.durable {
                self.spend(permit, &mut queue);
            }
            for record in self.journal.tend(now, self.kernel.state(), self.retention)? {
                self.kernel.note(now, &record)?;
            }
            for question in closed {
                self.standing.remove(&question);
            }
            for look in looks {
                self.look(look, &mut queue);
            }
        }
        Ok(refused)
    }
}
