//! A rehearsal: the real engine over a simulated world, through as many lives of the engine as the seed's crashes give it.
//!
//! | step | what |
//! |---|---|
//! | begin | an engine is opened over the world and the journal, and recovers |
//! | request | what is asked for is asked, unless an earlier life has recorded it |
//! | settle | until nothing is under way, or only people are waited for |
//! | stop | the disk is in trouble: it ends what is at work, as it would on a host; time passes; begin again |
//! | death | what was told to it is lost; the journal keeps what was written, less what a crash tears; time passes; begin again |

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::engine::{Engine, EngineError, Environment};
use super::handle::Handle;
use super::opening::World;
use crate::adapters::rehearsal::disk::{Trouble, TroubledDisk};
use crate::adapters::rehearsal::faults::{Faults, Kind};
use crate::adapters::rehearsal::note::Note;
use crate::adapters::rehearsal::seed::{Seed, Stream};
use crate::adapters::rehearsal::simulation::{Death, Simulation};
use crate::adapters::rehearsal::stage::Stage;
use crate::adapters::workspace::Workspace;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};
use crate::journal::disk::{Disk, HostDisk};
use crate::journal::head::Head;
use crate::journal::read::FILE;
use crate::kernel::input::Request;
use crate::kernel::record::Record;
use crate::kernel::state::State;
use crate::plan::sealed::Plan;

/// The workspace's id in a rehearsal: no host knows it.
const ID: &str = "rehearsal";

/// The process that an engine is there: the same one each time, so that the journal is too.
const ENGINE: u32 = 1;

/// Why a rehearsal cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// Its folder cannot be had, or its journal not be torn.
    #[error("failed to keep the journal of a rehearsal: {0}")]
    Folder(#[from] io::Error),
    /// The engine cannot do its part.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine waits for something that will never happen.
    #[error("failed to rehearse it to its end: it waits for what never happens")]
    Stalled,
}

/// What is seen of a rehearsal.
#[derive(Clone, Copy, Debug)]
pub enum Scene<'s> {
    /// An engine has begun, and has recovered. What it wrote by then is in the journal, and was not shown.
    Begun(&'s State),
    /// Something was recorded; the state is the one after the commit.
    Recorded(Timestamp, &'s Record, &'s State),
    /// Something went wrong in the world.
    Noted(&'s Note),
}

/// Who watches a rehearsal.
pub type Audience<'a> = dyn FnMut(Scene<'_>) + 'a;

/// A plan in a world of its own.
#[derive(Debug)]
pub struct Rehearsal {
    simulation: Simulation,
    workspace: Workspace,
    runtime: tokio::runtime::Runtime,
    chance: Stream,
    people: Seed,
    faults: Faults,
    /// How often the engine still dies.
    deaths: u64,
    /// What is left to chance about the disk, and how often it is still in trouble.
    wear: Stream,
    troubles: u64,
    _stage: Stage,
}

/// What was so before a request, so that a later life knows whether it is recorded.
#[derive(Clone, Copy)]
struct Before {
    /// How many runs its goal had had.
    runs: u32,
}

impl Before {
    fn of(state: &State, request: &Request) -> Self {
        Self { runs: runs(state, request) }
    }

    /// Whether an earlier life has recorded the request.
    fn is_taken(self, state: &State, request: &Request) -> bool {
        match request {
            Request::Run { .. } => runs(state, request) > self.runs,
            Request::Down { goal, .. } => state.goals.get(goal).is_some_and(|goal| goal.falling),
            _ => false,
        }
    }
}

fn runs(state: &State, request: &Request) -> u32 {
    request.goal().and_then(|name| state.goals.get(name)).map_or(0, |goal| goal.runs)
}

impl Rehearsal {
    /// Prepares a rehearsal of a plan for this workspace. Nothing of the workspace is changed.
    ///
    /// # Errors
    /// Where no folder for its journal can be made.
    pub fn new(workspace: &Workspace, plan: &Plan, seed: u64, faults: &Faults) -> Result<Self, RehearsalError> {
        let stage = Stage::set()?;
        let simulation = Simulation::of_plan(Arc::new(plan.clone()), workspace.root(), seed, faults);
        let mut chance = Seed(seed).stream("deaths");
        let deaths = if faults.has(Kind::Crash) { chance.between(1, 3) } else { 0 };
        let mut wear = Seed(seed).stream("disk");
        let worn = faults.has(Kind::DiskFull) || faults.has(Kind::DiskFails);
        let troubles = if worn { wear.between(1, 2) } else { 0 };
        Ok(Self {
            simulation,
            workspace: workspace.keeping_in(stage.path()),
            runtime: tokio::runtime::Builder::new_current_thread().build()?,
            chance,
            people: Seed(seed),
            faults: faults.clone(),
            deaths,
            wear,
            troubles,
            _stage: stage,
        })
    }

    /// The world.
    pub const fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// The workspace that it is played in: files of the real one, and a journal of its own.
    pub const fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The folder of its journal.
    pub fn folder(&self) -> PathBuf {
        self.workspace.folder()
    }

    /// Does what is asked and all that follows from it, until nothing is under way any more or only people are waited for who never answer.
    /// Gives the state at the end.
    ///
    /// # Errors
    /// Where the request is refused, the journal fails, or the engine waits for what never happens.
    pub fn carry_out(&mut self, request: &Request, env: &Environment, audience: &mut Audience<'_>) -> Result<State, RehearsalError> {
        let mut before = None;
        loop {
            let death = self.next_death();
            self.simulation.begin_life(death);
            let disk = self.next_disk();
            let opened = match (self.open(disk.clone()), disk.as_ref().and_then(|disk| disk.failed())) {
                (Err(_), Some(trouble)) => {
                    self.stop(trouble, audience);
                    continue;
                }
                (opened, _) => opened?,
            };
            if let Some(mut engine) = opened {
                let first = before.is_none();
                let before = *before.get_or_insert_with(|| Before::of(engine.state(), request));
                audience(Scene::Begun(engine.state()));
                let fresh = !before.is_taken(engine.state(), request);
                let lived = self.live(&mut engine, fresh.then_some((request, env)), first, audience);
                match (lived, disk.as_ref().and_then(|disk| disk.failed())) {
                    (Ok(true), _) => return Ok(engine.state().clone()),
                    (Ok(false), _) => {}
                    (Err(_), Some(trouble)) => {
                        engine.cut_off();
                        self.stop(trouble, audience);
                        continue;
                    }
                    (Err(error), None) => return Err(error),
                }
            }
            self.after_death(audience)?;
        }
    }

    /// When the engine that begins now will die.
    fn next_death(&mut self) -> Option<(Death, PathBuf)> {
        self.deaths = self.deaths.checked_sub(1)?;
        let death = if self.chance.chance(2, 3) {
            Death::AtAct(self.chance.between(1, 60))
        } else {
            Death::After(Span(self.chance.between(0, 20_000)))
        };
        Some((death, self.journal()))
    }

    /// The disk of the engine that begins now.
    fn next_disk(&mut self) -> Option<Arc<TroubledDisk>> {
        self.troubles = self.troubles.checked_sub(1)?;
        let full = self.faults.has(Kind::DiskFull) && (!self.faults.has(Kind::DiskFails) || self.wear.chance(1, 2));
        let trouble = match (full, self.wear.chance(1, 3)) {
            (true, true) => Trouble::ReadOnly(self.wear.between(1, 40)),
            (true, false) => Trouble::Full(self.wear.between(1, 8000)),
            (false, _) => Trouble::Failing(self.wear.between(1, 8)),
        };
        Some(Arc::new(TroubledDisk::new(trouble)))
    }

    /// The engine has stopped over its disk; after a while it can be written again.
    fn stop(&mut self, trouble: Trouble, audience: &mut Audience<'_>) {
        self.simulation.end_life(trouble.kind(), trouble.says());
        self.simulation.pass(Span(self.wear.between(0, 60_000)));
        self.tell_notes(audience);
    }

    fn journal(&self) -> PathBuf {
        self.folder().join(FILE)
    }

    /// Opens an engine; none where it has died over it.
    fn open(&self, disk: Option<Arc<TroubledDisk>>) -> Result<Option<Engine>, RehearsalError> {
        let simulation = &self.simulation;
        let disk: Arc<dyn Disk> = match disk {
            Some(disk) => disk,
            None => Arc::new(HostDisk),
        };
        let world = World {
            runtime: Arc::new(simulation.clone()),
            probe: Arc::new(simulation.clone()),
            clock: Arc::new(simulation.clone()),
            gauge: Arc::new(simulation.clone()),
            vaults: simulation.vaults(),
            disk,
            pid: ENGINE,
        };
        Ok(self.play(Engine::over(world, &self.workspace, ID, "rehearsal", None))?.transpose()?)
    }

    /// One life of an engine: what it is asked for, and all that follows. False where it has died.
    fn live(
        &self,
        engine: &mut Engine,
        fresh: Option<(&Request, &Environment)>,
        first: bool,
        audience: &mut Audience<'_>,
    ) -> Result<bool, RehearsalError> {
        let handle = engine.handle();
        // How many people will still answer: for others nobody waits.
        let mut answers = self.await_answers(engine);
        let attended = Cell::new(answers > 0);
        let mut observer = |at: Timestamp, record: &Record, state: &State| {
            // What it still writes as its loop runs out is cut off again.
            if self.simulation.is_dead() {
                return;
            }
            self.tell_notes(audience);
            audience(Scene::Recorded(at, record, state));
            match record {
                Record::Asked { run, phase, .. } => {
                    let place = state.run(run).map(|run| run.owner(*phase));
                    answers += u32::from(place.is_some_and(|place| self.ask(&handle, &place)));
                }
                Record::Replied { .. } => answers = answers.saturating_sub(1),
                _ => {}
            }
            attended.set(answers > 0);
        };
        let played = self.play(async {
            if let Some((request, env)) = fresh {
                let env = matches!(request, Request::Run { .. }).then(|| env.clone());
                match engine.ask(request.clone(), env, &mut observer)? {
                    // An earlier life may have done it already.
                    Some(refusal) if first => return Err(EngineError::Refused(refusal)),
                    _ => {}
                }
            }
            while engine.kernel.is_busy() || attended.get() && !engine.kernel.asked().is_empty() {
                engine.hear(&mut observer).await?;
            }
            Ok(())
        });
        self.tell_notes(audience);
        Ok(played?.transpose()?.is_some())
    }

    fn tell_notes(&self, audience: &mut Audience<'_>) {
        for note in self.simulation.take_notes() {
            audience(Scene::Noted(&note));
        }
    }

    /// Asks the people of places that are asked already. Gives how many will answer.
    fn await_answers(&self, engine: &Engine) -> u32 {
        let handle = engine.handle();
        engine.kernel.asked().iter().map(|place| u32::from(self.ask(&handle, place))).sum()
    }

    /// Asks the person of a place. False where nobody will ever answer.
    fn ask(&self, handle: &Handle, place: &Owner) -> bool {
        let mut stream = self.people.stream(&format!("person {place}"));
        let (after, absent, refuses) = (Span(stream.between(500, 60_000)), stream.chance(1, 3), stream.chance(1, 2));
        if self.faults.has(Kind::Absent) && absent {
            return false;
        }
        let yes = !(self.faults.has(Kind::Refuse) && refuses);
        let (handle, owner) = (handle.clone(), place.clone());
        self.simulation.call_after(after, move || {
            let by = "a person of this rehearsal".to_owned();
            // Refused only where it is no longer asked.
            drop(handle.request(Request::Reply { owner, yes, text: None, by }, None));
        });
        true
    }

    /// Lets a future go on until it is done; none where the engine dies over it.
    fn play<F: Future>(&self, future: F) -> Result<Option<F::Output>, RehearsalError> {
        let simulation = &self.simulation;
        self.runtime.block_on(tokio::task::unconstrained(async {
            let mut future = pin!(future);
            poll_fn(|context| match future.as_mut().poll(context) {
                _ if simulation.is_dead() => Poll::Ready(Ok(None)),
                Poll::Ready(output) => Poll::Ready(Ok(Some(output))),
                Poll::Pending if simulation.is_stalled() => Poll::Ready(Err(RehearsalError::Stalled)),
                Poll::Pending => Poll::Pending,
            })
            .await
        }))
    }

    /// The engine is dead: its journal ends where it was cut, and time passes.
    fn after_death(&mut self, audience: &mut Audience<'_>) -> Result<(), RehearsalError> {
        self.cut_journal()?;
        self.simulation.pass(Span(self.chance.between(0, 5000)));
        self.tell_notes(audience);
        Ok(())
    }

    /// Drops what the engine wrote after its death, as its loop ran on; and tears what had had no effect yet, where the seed says so.
    fn cut_journal(&mut self) -> Result<(), RehearsalError> {
        let (acted, written) = self.simulation.lengths_at_death();
        let tear = self.faults.has(Kind::Torn) && self.chance.chance(1, 2);
        let cut = self.chance.next_number();
        let path = self.journal();
        let journal = std::fs::read(&path)?;
        // What was synced had been written whole, and whoever has its head knows of it.
        let least = acted.max(synced(&self.folder(), &journal)).min(written);
        let end = if tear { least + cut % (written - least + 1) } else { written };
        #[expect(clippy::disallowed_methods, reason = "the rehearsal's own journal, which an engine that is dead has left")]
        std::fs::OpenOptions::new().write(true).open(path)?.set_len(end.min(journal.len() as u64))?;
        Ok(())
    }
}

/// The end of the last line that is known to have been synced, in bytes.
fn synced(folder: &Path, journal: &[u8]) -> u64 {
    let Ok(Some(head)) = Head::read(folder) else { return 0 };
    let number = |line: &[u8]| {
        let digits = line.strip_prefix(b"{\"seq\":")?.split(|byte| *byte == b',').next()?;
        std::str::from_utf8(digits).ok()?.parse::<u64>().ok()
    };
    let lines = journal.split_inclusive(|byte| *byte == b'\n');
    let length: usize = lines.take_while(|line| number(line).is_some_and(|number| number <= head.seq)).map(<[u8]>::len).sum();
    length as u64
}
