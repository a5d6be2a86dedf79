//! A simulated world, for those that change it, look at it, wait in it, and watch it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cast::Cast;
use super::faults::{Faults, Kind};
use super::files::Node;
use super::note::Note;
use super::planned::Planned;
use super::seed::Seed;
use super::world::{Event, World};
use crate::adapters::local::ports::parse;
use crate::adapters::local::prepare::Vaults;
use crate::adapters::vault::Vault;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};
use crate::plan::sealed::Plan;

/// When an engine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Just before it does or asks something for the so-many-th time in its life, from 1: what it had decided by then is recorded.
    AtAct(u64),
    /// So long after its beginning, while it waits.
    After(Span),
}

/// A simulated world. Copies are the same world.
#[derive(Clone, Debug)]
pub struct Simulation {
    world: Arc<Mutex<World>>,
    vaults: Vaults,
}

impl Simulation {
    /// A world in which a plan is carried out: its commands do what the plan expects of them, except for the seed's faults.
    ///
    /// `root` is where the workspace would be; its template files are read, nothing else.
    pub fn of_plan(plan: Arc<Plan>, root: &Path, seed: u64, faults: &Faults) -> Self {
        let cast = Planned::new(Arc::clone(&plan), root, Seed(seed), faults.clone());
        Self::new(World::new(Seed(seed), faults.clone(), Box::new(cast), Some(plan), root.to_owned()))
    }

    /// A world of commands that somebody describes, without a plan and without faults.
    pub fn of_commands(cast: Box<dyn Cast>, root: &Path, seed: u64) -> Self {
        let mut world = World::new(Seed(seed), Faults::default(), cast, None, root.to_owned());
        world.begin_life(None);
        Self::new(world)
    }

    fn new(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), vaults: Vaults::default() }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets that are known: made up, and never those of the goal.
    pub fn vaults(&self) -> Vaults {
        self.vaults.clone()
    }

    pub(super) fn make_up_secrets<'n>(&self, goal: &Name, names: impl Iterator<Item = &'n Name>) {
        self.vaults.put(goal, Vault::made_up(names.map(|name| (name.as_str().to_owned(), format!("rehearsal-secret-{name}")))));
    }

    pub(super) fn forget_secrets(&self, goal: &Name) {
        self.vaults.forget(goal);
    }

    /// Another engine begins, and dies at that time, if it gets there. What it has written by then is measured at this journal.
    pub fn begin_life(&self, death: Option<(Death, PathBuf)>) {
        self.world().begin_life(death);
    }

    /// The engine has stopped by itself, over that: what it had asked for is not told to it any more.
    pub fn end_life(&self, fault: Kind, what: &str) {
        let mut world = self.world();
        let life = world.life;
        world.dead = true;
        world.note(None, fault, format!("{what}: engine {life} stops"));
    }

    /// Whether the engine has died.
    pub fn is_dead(&self) -> bool {
        self.world().dead
    }

    /// Whether the engine waits for something that will never happen.
    pub fn is_stalled(&self) -> bool {
        self.world().stalled
    }

    /// How long the journal was when the engine died, and when it last did something before that, in bytes: what lies between had had no effect.
    pub fn lengths_at_death(&self) -> (u64, u64) {
        let (before, at) = self.world().lengths;
        (before, at)
    }

    /// Time passes while no engine lives.
    pub fn pass(&self, span: Span) {
        self.world().pass(span);
    }

    /// Lets somebody do something so much later. It is given no world: it may only speak to an engine.
    pub fn call_after(&self, span: Span, call: impl FnOnce() + Send + 'static) {
        self.world().later(span.0, Event::Calls(Box::new(call)));
    }

    /// Somebody else holds a port, for good. False where the text is none.
    pub fn settle_stranger(&self, port: &str) -> bool {
        let Some(port) = parse(port) else { return false };
        self.world().settle_stranger(port, None);
        true
    }

    /// How many ports strangers hold.
    pub fn strangers(&self) -> usize {
        self.world().strangers.len()
    }

    /// Somebody else has made a file, or a directory, before.
    pub fn put(&self, path: &Path, directory: bool) {
        let mut world = self.world();
        let root = world.root.clone();
        world.files.put(&root, path, if directory { Node::Directory } else { Node::File(None) });
    }

    /// Everything that is there, and its time: what went wrong since the last call, first.
    pub fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.world().notes)
    }

    /// What must never happen and did: a second process at a place.
    pub fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    /// The places at which processes run, with their pids.
    pub fn alive(&self) -> Vec<(Owner, u32)> {
        self.world().processes.values().map(|process| (process.owner.clone(), process.pid)).collect()
    }

    /// The directories and files that are there.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.world().files.all().map(Path::to_owned).collect()
    }

    /// The custom resources that exist.
    pub fn customs(&self) -> Vec<Owner> {
        self.world().customs.keys().cloned().collect()
    }

    /// How many steps the world has taken.
    pub fn steps(&self) -> u64 {
        self.world().steps
    }

    /// What the world's clock shows.
    pub fn time(&self) -> Timestamp {
        self.world().now()
    }
}
