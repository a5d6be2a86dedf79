//! The engine: the one loop.
//!
//! ```text
//! inputs → kernel.handle → records → journal.commit → permits → runtime → observations → inputs
//!                        └→ looks → probe ───────────────────────────────→ answers ────┘
//! ```

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use super::handle::{Asked, Awaited, Handle};
use super::unexplained::SeenIn;

use crate::adapters::local::prepare::{Vaults, keep_environment};
use crate::adapters::vault::Mask;
use crate::adapters::workspace::{ConfigError, Workspace, WorkspaceError};
use crate::base::name::Name;
use crate::base::time::Timestamp;
use crate::journal::commit::{Journal, ReplayError};
use crate::journal::error::{Dead, WriteError};
use crate::journal::permit::Permit;
use crate::kernel::action::{Effect, QuestionId, RunId, Seen};
use crate::kernel::admission::room;
use crate::kernel::engine::Kernel;
use crate::kernel::fold::Misfit;
use crate::kernel::input::{Input, Refusal, Request};
use crate::kernel::memory::{Sight, Sighting};
use crate::kernel::record::Record;
use crate::kernel::state::{Goal, State};
use crate::manifest::config::{DefaultLimits, Retention};
use crate::ports::clock::Clock;
use crate::ports::probe::Probe;
use crate::ports::runtime::{LookError, Runtime, Tell};
use crate::ports::vitals::Gauge;

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

/// The environment of a run: that of whoever asked for it.
pub type Environment = IndexMap<String, String>;

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
    pub(super) gauge: Arc<dyn Gauge>,
    pub(super) limits: DefaultLimits,
    pub(super) vaults: Vaults,
    pub(super) mask: Mask,
    pub(super) envs: HashMap<RunId, Arc<Environment>>,
    pub(super) standing: HashMap<QuestionId, Permit>,
    pub(super) tell: Tell,
    pub(super) heard: UnboundedReceiver<Input>,
    pub(super) handle: Handle,
    pub(super) asked: UnboundedReceiver<Asked>,
    /// The goals that something was asked about, or of which something was ended, until nothing of them is under way any more.
    pub(super) touched: BTreeSet<Name>,
    /// Who is told when nothing of what they wait for is under way any more.
    pub(super) watches: Vec<(Awaited, oneshot::Sender<u64>)>,
    /// How far the journal is written, for whoever reads it.
    pub(super) written: watch::Sender<u64>,
    /// True once somebody has told the engine to let go.
    pub(super) released: bool,
    /// Where containers that nobody knows were seen.
    pub(super) seen_in: SeenIn,
    /// What was at work and could not be ended when nothing could be recorded any more.
    pub(super) survivors: Vec<String>,
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

    /// What was at work and could not be ended when the journal failed: worth telling a person.
    pub fn survivors(&self) -> &[String] {
        &self.survivors
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
            Some(asked) = self.asked.recv() => self.hear_asked(asked, observer)?,
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

    fn hear_asked(&mut self, asked: Asked, observer: &mut Observer<'_>) -> Result<(), EngineError> {
        match asked {
            Asked::Request { request, env, answer } => {
                match &*request {
                    Request::Collect { .. } => self.touched.extend(self.kernel.state().goals.keys().cloned()),
                    request => self.touched.extend(request.goal().cloned()),
                }
                let refusal = self.ask(*request, env, observer)?;
                // Whoever asked may be gone.
                drop(answer.send(refusal.map_or_else(|| Ok(self.journal.last()), Err)));
            }
            Asked::Settled { awaited, tell } => self.watches.push((awaited, tell)),
            Asked::Release => self.released = true,
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
        let begins = |goal: &&Name| !self.kernel.state().goals.get(*goal).is_some_and(Goal::is_running);
        if let (Some(goal), Some(env)) = (request.begins().filter(begins), env) {
            // Before the run is recorded: an engine that goes on with it must find what its phases are to be given.
            let run = self.kernel.next_run(goal);
            if let Err(error) = keep_environment(&self.workspace.run(&run), &env) {
                return Ok(Some(Refusal::NotKept { goal: goal.clone(), error: error.to_string() }));
            }
            self.envs.insert(run, Arc::new(env));
        }
        self.take(vec![Input::Request(self.with_found(self.with_unenforced(request)))], observer)
    }

    /// A request to adopt something comes with a look at it.
    fn with_found(&self, mut request: Request) -> Request {
        if let Request::Adopt { owner, found, .. } = &mut request {
            // Where nothing may be adopted, the kernel says why.
            *found = self.kernel.state().adoptable(owner).ok().map(|suspected| self.runtime.find(&suspected.suspect.subject));
        }
        request
    }

    /// A request that may begin a run says which limits of its plan are not enforced here, and which hold without it: the run's record keeps it.
    fn with_unenforced(&self, mut request: Request) -> Request {
        let (plan, options) = match &mut request {
            Request::Run { plan, options, .. } | Request::RunFrom { plan, options, .. } => (Some(&**plan), options),
            Request::Retry { goal, options, .. } => {
                let run = self.kernel.state().goals.get(goal).and_then(|goal| goal.run.as_ref());
                (run.map(|run| &*run.plan), options)
            }
            _ => return request,
        };
        options.unenforced = plan.map(|plan| super::host::unenforced(plan, &self.runtime.enforceable())).unwrap_or_default();
        options.shares = self.runtime.shares();
        request
    }

    /// Looks how much memory the host has, and how much of it may be promised.
    pub(super) fn sighting(&self) -> Sighting {
        let vitals = self.gauge.read().map_err(|error| error.to_string())?;
        Ok(Sight { vitals, room: room(vitals.total, Some(self.limits.memory.of(vitals.total))) })
    }

    /// Decides on a batch of inputs at one time, commits, and hands out what is permitted. Gives the refusal of a request among them.
    pub(super) fn take(&mut self, batch: Vec<Input>, observer: &mut Observer<'_>) -> Result<Option<Refusal>, EngineError> {
        let mut queue = VecDeque::from(batch);
        let mut refused = None;
        while !queue.is_empty() {
            let now = self.clock.now();
            let (mut records, mut looks, mut closed, mut denied) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for input in queue.drain(..) {
                let input = self.masked(input);
                let decision = self.kernel.handle(now, input)?;
                records.extend(decision.records);
                looks.extend(decision.looks);
                closed.extend(decision.closed);
                denied.extend(decision.denied);
                refused = refused.or(decision.refused);
            }
            let committed = self.journal.commit(now, &records)?;
            for permit in committed.permits {
                self.spend(permit, &mut queue);
            }
            if committed.must_sync {
                self.journal.sync()?;
            }
            for record in &records {
                if let Record::Observed { id, seen: Seen::Begun { .. } } = record {
                    self.runtime.proceed(*id);
                }
            }
            for record in &records {
                if let Record::Requested { owner, effect: Effect::End { .. } | Effect::Remove | Effect::Sweep { .. }, .. } = record {
                    self.touched.insert(owner.goal.clone());
                }
                observer(now, record, self.kernel.state());
            }
            for permit in committed.durable {
                self.spend(permit, &mut queue);
            }
            for record in self.journal.tend(now, self.kernel.state(), self.retention)? {
                self.kernel.note(now, &record)?;
            }
            for call in denied {
                self.runtime.deny(call);
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
