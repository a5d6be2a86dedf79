//! The engine: the one loop.
//!
//! ```text
//! inputs → kernel.handle → records → journal.commit → permits → runtime → observations → inputs
//!                        └→ looks → probe ───────────────────────────────→ answers ────┘
//! ```

use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::adapters::clock::HostClock;
use crate::adapters::local::prepare::Vaults;
use crate::adapters::local::runtime::LocalRuntime;
use crate::adapters::process::containment::Containment;
use crate::adapters::process::identity::ProcessId;
use crate::adapters::process::scope::ScopeError;
use crate::adapters::vault::Mask;
use crate::adapters::workspace::{Workspace, WorkspaceError};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::journal::commit::{Journal, ReplayError};
use crate::journal::error::{Dead, WriteError};
use crate::journal::log::Opening;
use crate::journal::permit::Permit;
use crate::kernel::action::{QuestionId, RunId};
use crate::kernel::engine::Kernel;
use crate::kernel::fold::Misfit;
use crate::kernel::input::{Input, Refusal, Request};
use crate::kernel::record::Record;
use crate::kernel::state::State;
use crate::kernel::stock::Kind;
use crate::manifest::resource::Scope;
use crate::ports::clock::Clock;
use crate::ports::probe::Probe;
use crate::ports::runtime::{Runtime, Tell};

/// How many inputs are taken together at most: one write of the journal serves them all.
const BATCH: usize = 256;

/// Why an engine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The workspace's own files cannot be had.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
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
    Scope(#[from] ScopeError),
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
pub struct Handle(UnboundedSender<Asked>);

/// A request with the place its refusal goes to.
type Asked = (Request, oneshot::Sender<Result<(), Refusal>>);

impl Handle {
    /// Asks. The answer comes once the request is committed, or refused; an error of the channel means that the engine is gone.
    pub fn request(&self, request: Request) -> oneshot::Receiver<Result<(), Refusal>> {
        let (answer, told) = oneshot::channel();
        // An engine that is gone answers by dropping the other end.
        drop(self.0.send((request, answer)));
        told
    }
}

/// The engine of a workspace, while it holds the journal.
pub struct Engine {
    pub(super) kernel: Kernel,
    journal: Journal,
    pub(super) workspace: Workspace,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) probe: Arc<dyn Probe>,
    clock: Arc<dyn Clock>,
    containment: Arc<Containment>,
    pub(super) vaults: Vaults,
    pub(super) mask: Mask,
    pub(super) envs: HashMap<RunId, Arc<IndexMap<String, String>>>,
    pub(super) env: Arc<IndexMap<String, String>>,
    pub(super) standing: HashMap<QuestionId, Permit>,
    pub(super) tell: Tell,
    heard: UnboundedReceiver<Input>,
    handle: Handle,
    asked: UnboundedReceiver<Asked>,
}

/// Who watches a run: called for each record once it is committed, with the state after the commit.
pub type Observer<'o> = dyn FnMut(Timestamp, &Record, &State) + 'o;

impl Engine {
    /// Takes the workspace's journal, replays it, ends what an engine that died left at work, and looks whether what should live does.
    ///
    /// `doing` tells others that find the journal held; `env` is the environment that phases are given.
    ///
    /// # Errors
    /// Where another engine holds the workspace, or its journal cannot be read or written.
    pub async fn open(workspace: &Workspace, doing: &str, env: IndexMap<String, String>) -> Result<Self, EngineError> {
        let id = workspace.establish()?.id;
        let clock: Arc<dyn Clock> = Arc::new(HostClock::default());
        let (journal, state, opened) = Journal::open(&workspace.folder(), &Opening { workspace: &id, doing, now: clock.now() })?;
        let containment = Arc::new(containment(&id));
        let vaults = Vaults::default();
        let runtime = LocalRuntime::new(workspace.clone(), Arc::clone(&containment), vaults.clone());
        let (tell, heard) = unbounded_channel();
        let (handle, asked) = unbounded_channel();
        let mut engine = Self {
            kernel: Kernel::new(state),
            journal,
            workspace: workspace.clone(),
            runtime: Arc::new(runtime.clone()),
            probe: Arc::new(runtime),
            clock,
            containment,
            vaults,
            mask: Mask::of_workspace(workspace).map_err(EngineError::Secrets)?,
            envs: HashMap::new(),
            env: Arc::new(env),
            standing: HashMap::new(),
            tell: Tell::new(tell),
            heard,
            handle: Handle(handle),
            asked,
        };
        let torn = opened.torn.map_or(0, |torn| torn.bytes);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut opening = vec![Input::Request(Request::Open { version, pid: std::process::id(), torn })];
        opening.extend(engine.leftovers()?);
        engine.take(opening, &mut |_, _, _| {})?;
        while engine.kernel.is_busy() {
            engine.hear(&mut |_, _, _| {}).await?;
        }
        engine.look_for_the_dead()?;
        while engine.kernel.is_busy() {
            engine.hear(&mut |_, _, _| {}).await?;
        }
        Ok(engine)
    }

    /// Everything that the journal knows.
    pub const fn state(&self) -> &State {
        self.kernel.state()
    }

    /// What holds processes together on this host.
    pub fn containment(&self) -> &Containment {
        &self.containment
    }

    /// What asks this engine for something from elsewhere in the process.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Hides the secrets of this workspace.
    pub const fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Does what is asked and all that follows from it, until nothing is under way any more.
    ///
    /// Where people are asked and nobody attends, it returns as soon as only they are waited for. A person may come and go meanwhile:
    /// `attended` is looked at after each thing that is heard.
    ///
    /// # Errors
    /// Where the request is refused, or the journal cannot be written. Then nothing more is done.
    pub async fn drive(&mut self, request: Request, attended: &Cell<bool>, observer: &mut Observer<'_>) -> Result<(), EngineError> {
        let goal = request.goal().cloned();
        let driven = self.drive_on(request, attended, observer).await;
        match driven {
            Ok(()) => self.tidy(goal.as_ref()),
            Err(EngineError::Refused(_)) => {}
            Err(_) => self.cut_off(),
        }
        driven
    }

    async fn drive_on(&mut self, request: Request, attended: &Cell<bool>, observer: &mut Observer<'_>) -> Result<(), EngineError> {
        if let Some(refusal) = self.take(vec![Input::Request(request)], observer)? {
            return Err(refusal.into());
        }
        while self.kernel.is_busy() || attended.get() && !self.kernel.asked().is_empty() {
            self.hear(observer).await?;
        }
        Ok(())
    }

    /// Ends what is at work when nothing can be recorded any more. What lives with its goal stays, as it would if the engine had died.
    fn cut_off(&self) {
        let state = self.kernel.state();
        let lives_on = |owner: &Owner| state.resource(owner).is_some_and(|resource| resource.scope == Scope::Goal);
        let at_work = state.effects.values().filter(|open| !lives_on(&open.owner)).map(|open| open.owner.clone());
        let places: Vec<Owner> = at_work.collect();
        let left = self.runtime.cut_off(&places);
        if !left.is_empty() {
            eprintln!(
                "what was at work could not all be ended: {}; `sculpt down` ends it once the journal can be written again",
                left.join("; ")
            );
        }
    }

    /// Removes the scopes of a goal of which nothing runs. Nobody is in them: one that cannot be removed now is removed the next time.
    fn tidy(&self, goal: Option<&Name>) {
        let Some((name, goal)) = goal.and_then(|name| self.kernel.state().goals.get_key_value(name)) else { return };
        if !goal.is_running() && goal.live_resources().all(|resource| resource.kind != Kind::Process) {
            drop(self.containment.remove_goal(name));
        }
    }

    /// Waits for something to happen, and does what follows from it.
    async fn hear(&mut self, observer: &mut Observer<'_>) -> Result<(), EngineError> {
        let due = self.kernel.next_deadline();
        let clock = Arc::clone(&self.clock);
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep((due - clock.now()).std()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some((request, answer)) = self.asked.recv() => {
                let refusal = self.take(vec![Input::Request(request)], observer)?;
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
            () = wait => {
                self.take(vec![Input::Tick], observer)?;
            }
        }
        Ok(())
    }

    /// Decides on a batch of inputs at one time, commits, and hands out what is permitted. Gives the refusal of a request among them.
    fn take(&mut self, batch: Vec<Input>, observer: &mut Observer<'_>) -> Result<Option<Refusal>, EngineError> {
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
            if committed.must_sync {
                self.journal.sync()?;
            }
            for record in &records {
                observer(now, record, self.kernel.state());
            }
            for permit in committed.durable {
                self.spend(permit, &mut queue);
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

    /// The scopes in which somebody runs and of whom no record knows: an engine that died had started them and not yet written it down.
    fn leftovers(&self) -> Result<Vec<Input>, ScopeError> {
        let state = self.kernel.state();
        let resources = state.live_resources().filter_map(|resource| resource.process.as_ref());
        let at_work = state.effects.values().filter_map(|open| open.process.as_ref());
        let known: HashSet<&str> = resources.chain(at_work).map(|process| process.scope.as_str()).collect();
        let scopes = self.containment.scopes()?;
        Ok(scopes.into_iter().filter(|scope| !known.contains(scope.as_str())).map(|scope| Input::Leftover { scope }).collect())
    }

    /// Looks at every process that should live: one that does not was lost while no engine watched. What it started may live on.
    fn look_for_the_dead(&mut self) -> Result<(), EngineError> {
        let mut lost = Vec::new();
        for resource in self.kernel.state().live_resources().filter(|resource| resource.kind == Kind::Process) {
            let Some(process) = &resource.process else { continue };
            let id = ProcessId { pid: process.pid, start: process.start, boot: process.boot.clone() };
            if id.alive() {
                continue;
            }
            let members = match self.containment.find(&process.scope)? {
                Some(scope) => !scope.is_empty()?,
                None => false,
            };
            let evidence = format!("process {} was found dead", process.pid);
            lost.push(Input::Lost { owner: resource.owner.clone(), evidence, members });
        }
        self.take(lost, &mut |_, _, _| {})?;
        Ok(())
    }
}

/// The best that this host offers, with this very program as the supervisor where one is needed.
fn containment(id: &str) -> Containment {
    let program = std::env::current_exe().unwrap_or_else(|_| "sculpt".into());
    Containment::detect(id, &program)
}
