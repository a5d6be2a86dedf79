//! The world itself: what there is in it, and its events in the order of (time, number).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use super::cast::Cast;
use super::end::Ending;
use super::faults::{Faults, Kind};
use super::files::Files;
use super::making::Intent;
use super::memory::PLENTY;
use super::note::Note;
use super::process::{Number, Process};
use super::seed::{Seed, Stream};
use super::simulation::Death;
use super::watch::Watch;
use crate::adapters::local::ports::{HostPort, parse};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};
use crate::kernel::action::{EffectId, Exit};
use crate::kernel::input::Input;
use crate::plan::sealed::Plan;
use crate::ports::runtime::{Holder, Tell};

/// When every world begins: 2000-01-01T00:00:00Z.
const EPOCH: u64 = 946_684_800_000;

/// So many steps are too many for any goal: it would never end.
const STEPS: u64 = 2_000_000;

/// Something that somebody does later.
pub(super) type Call = Box<dyn FnOnce() + Send>;

/// What will happen. Whatever an engine does carries the number of its life, and does not happen once that is over.
pub(super) enum Event {
    /// An engine is told something.
    Say(u32, Tell, Box<Input>),
    /// A process ends.
    Exits(Number, Exit),
    /// An engine kills a process whose grace is over.
    Kill(u32, Number),
    /// An engine gives up waiting for what a command has left.
    GivesUp(u32, u64),
    /// A check has used up its time.
    TooLate(u32, u64, Span),
    /// An engine looks whether a place is empty, for the last time.
    LooksAgain(u32, u64),
    /// A stranger goes away.
    Leaves(u64),
    /// Somebody does something.
    Calls(Call),
    /// The clock jumps.
    Jumps(Span),
    /// So much memory is left, in percent; none where nobody can see it.
    Memory(Option<u8>),
}

/// Somebody else's process, which holds a port.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    pub(super) pid: u32,
    pub(super) port: HostPort,
}

/// A world.
pub(super) struct World {
    /// Milliseconds since its beginning, whatever its clock shows.
    pub(super) elapsed: u64,
    /// How far its clock has jumped.
    jumped: u64,
    queue: BTreeMap<(u64, u64), Event>,
    last: u64,
    pub(super) seed: Seed,
    pub(super) faults: Faults,
    /// Small differences in time: what happens at once happens in any order.
    pub(super) jitter: Stream,
    pub(super) cast: Box<dyn Cast>,
    pub(super) plan: Option<Arc<Plan>>,
    pub(super) root: PathBuf,
    pub(super) processes: BTreeMap<Number, Process>,
    pub(super) watches: BTreeMap<u64, Watch>,
    pub(super) endings: BTreeMap<u64, Ending>,
    /// What is announced, and not made before that is recorded.
    pub(super) intents: BTreeMap<EffectId, Intent>,
    pub(super) strangers: BTreeMap<u64, Stranger>,
    pub(super) files: Files,
    /// Where a directory or a file of a place is.
    pub(super) made: HashMap<Owner, PathBuf>,
    /// When the work of a place last ended well.
    pub(super) worked: HashMap<Owner, u64>,
    /// What it wrote then.
    pub(super) written: HashMap<Owner, IndexMap<Name, String>>,
    /// The custom resources that exist, since when.
    pub(super) customs: BTreeMap<Owner, u64>,
    /// The ports that services were to hold.
    pub(super) known_ports: BTreeSet<(u16, bool)>,
    /// How often a check was asked.
    pub(super) asked: HashMap<String, u32>,
    /// How much memory is left, in percent; none where nobody can see it.
    pub(super) memory_left: Option<u8>,
    pub(super) notes: Vec<Note>,
    pub(super) violations: Vec<String>,
    /// The life of the engine that lives, from 1.
    pub(super) life: u32,
    pub(super) dead: bool,
    pub(super) stalled: bool,
    pub(super) steps: u64,
    pub(super) acts: u64,
    pub(super) death: Option<(Death, PathBuf)>,
    /// How long the journal was at the last act and at the one before it, in bytes.
    pub(super) lengths: (u64, u64),
    begun: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now()).field("processes", &self.processes).finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn new(seed: Seed, faults: Faults, cast: Box<dyn Cast>, plan: Option<Arc<Plan>>, root: PathBuf) -> Self {
        let mut world = Self {
            elapsed: 0,
            jumped: 0,
            queue: BTreeMap::new(),
            last: 0,
            seed,
            jitter: seed.stream("jitter"),
            cast,
            plan,
            root,
            processes: BTreeMap::new(),
            watches: BTreeMap::new(),
            endings: BTreeMap::new(),
            intents: BTreeMap::new(),
            strangers: BTreeMap::new(),
            files: Files::default(),
            made: HashMap::new(),
            worked: HashMap::new(),
            written: HashMap::new(),
            customs: BTreeMap::new(),
            known_ports: BTreeSet::new(),
            asked: HashMap::new(),
            memory_left: Some(PLENTY),
            notes: Vec::new(),
            violations: Vec::new(),
            life: 0,
            dead: true,
            stalled: false,
            steps: 0,
            acts: 0,
            death: None,
            lengths: (0, 0),
            begun: 0,
            faults,
        };
        world.draw_memory();
        if world.faults.has(Kind::Jump) {
            let mut stream = seed.stream("jump");
            for _ in 0..stream.between(0, 2) {
                let (at, by) = (stream.between(1, 20_000), Span::seconds(stream.between(60, 86_400)));
                world.later(at, Event::Jumps(by));
            }
        }
        world
    }

    /// What its clock shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(EPOCH + self.jumped + self.elapsed)
    }

    /// A number that nobody has.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Lets something happen after so many milliseconds.
    pub(super) fn later(&mut self, delay: u64, event: Event) {
        let number = self.number();
        self.queue.insert((self.elapsed.saturating_add(delay), number), event);
    }

    /// Tells the engine that lives now.
    pub(super) fn say(&mut self, delay: u64, tell: &Tell, input: Input) {
        let jitter = self.jitter.between(0, 3);
        self.say_at_once(delay + jitter, tell, input);
    }

    /// The same, in the order in which things are said.
    pub(super) fn say_at_once(&mut self, delay: u64, tell: &Tell, input: Input) {
        self.later(delay, Event::Say(self.life, tell.clone(), Box::new(input)));
    }

    pub(super) fn note(&mut self, place: Option<&Owner>, fault: Kind, what: String) {
        self.notes.push(Note { at: self.now(), place: place.cloned(), fault, what });
    }

    /// When the next thing happens.
    fn next(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets the next thing happen.
    pub(super) fn advance(&mut self) {
        let Some(((at, _), event)) = self.queue.pop_first() else { return };
        self.elapsed = self.elapsed.max(at);
        match event {
            Event::Say(life, tell, input) => {
                if self.lives(life) {
                    tell.say(*input);
                }
            }
            Event::Exits(number, exit) => self.exited(number, exit),
            Event::Kill(life, number) => {
                if self.lives(life) {
                    self.kill_for_ending(number);
                }
            }
            Event::GivesUp(life, watch) => {
                if self.lives(life) {
                    self.watch_over(watch);
                }
            }
            Event::TooLate(life, watch, timeout) => {
                if self.lives(life) {
                    self.check_late(watch, timeout);
                }
            }
            Event::LooksAgain(life, ending) => {
                if self.lives(life) {
                    self.ending_over(ending);
                }
            }
            Event::Leaves(stranger) => {
                self.strangers.remove(&stranger);
            }
            Event::Calls(call) => call(),
            Event::Memory(left) => self.memory_changes(left),
            Event::Jumps(by) => {
                self.jumped += by.0;
                self.note(None, Kind::Jump, format!("the clock jumps forward by {}", by.human()));
            }
        }
    }

    fn lives(&self, life: u32) -> bool {
        self.life == life && !self.dead
    }

    /// Waits: lets the next thing happen, or time pass until then. False where nothing will ever happen, or the engine has died.
    pub(super) fn wait(&mut self, due: Option<Timestamp>) -> bool {
        self.steps += 1;
        if self.dead || self.steps > STEPS {
            self.stalled |= !self.dead;
            return false;
        }
        let due = due.map(|due| due.0.saturating_sub(EPOCH + self.jumped).max(self.elapsed));
        let next = self.next();
        let coming = next.into_iter().chain(due).min();
        if let Some((Death::After(span), _)) = &self.death
            && coming.is_none_or(|coming| coming > self.begun + span.0)
        {
            self.elapsed = self.elapsed.max(self.begun + span.0);
            self.die();
            return false;
        }
        match (next, due) {
            (Some(at), due) if due.is_none_or(|due| at <= due) => self.advance(),
            (_, Some(due)) => self.elapsed = due,
            _ => self.stalled = true,
        }
        !self.stalled
    }

    /// Time passes while no engine lives.
    pub(super) fn pass(&mut self, span: Span) {
        let until = self.elapsed.saturating_add(span.0);
        while self.next().is_some_and(|at| at <= until) {
            self.advance();
        }
        self.elapsed = until;
    }

    /// Another engine begins. What an earlier one waited for is forgotten, what is there stays.
    pub(super) fn begin_life(&mut self, death: Option<(Death, PathBuf)>) {
        self.life += 1;
        self.dead = false;
        self.stalled = false;
        self.acts = 0;
        self.begun = self.elapsed;
        let length = death.as_ref().map_or(0, |(_, journal)| length(journal));
        self.lengths = (length, length);
        self.death = death;
        self.watches.clear();
        self.endings.clear();
        self.intents.clear();
    }

    /// The engine is about to do something. False where it has died before it could.
    pub(super) fn acts(&mut self) -> bool {
        if self.dead {
            return false;
        }
        self.acts += 1;
        if let Some((Death::AtAct(last), journal)) = &self.death {
            if self.acts + 1 >= *last {
                self.lengths = (self.lengths.1, length(journal));
            }
            if self.acts >= *last {
                self.die();
                return false;
            }
        }
        true
    }

    fn die(&mut self) {
        self.dead = true;
        if let Some((Death::After(_), journal)) = &self.death {
            let length = length(journal);
            self.lengths = (length, length);
        }
        self.note(None, Kind::Crash, format!("engine {} is killed", self.life));
    }

    /// Who holds a port, in words; none where it is free.
    pub(super) fn holder(&self, port: HostPort) -> Option<Holder> {
        if let Some(stranger) = self.strangers.values().find(|stranger| stranger.port == port) {
            return Some(Holder { pid: Some(stranger.pid), words: format!("process {} `stranger`", stranger.pid) });
        }
        let ours = self.processes.values().find(|process| process.listens(port, self.elapsed))?;
        Some(Holder { pid: Some(ours.pid), words: format!("process {} `{}`", ours.pid, ours.owner) })
    }

    /// A stranger takes a port, for a while or for ever.
    pub(super) fn settle_stranger(&mut self, port: HostPort, stays: Option<Span>) -> u64 {
        let number = self.number();
        let pid = 300 + u32::try_from(number % 600).unwrap_or_default();
        self.strangers.insert(number, Stranger { pid, port });
        if let Some(stays) = stays {
            self.later(stays.0, Event::Leaves(number));
        }
        number
    }
}

impl Process {
    /// Whether it listens there.
    pub(super) fn listens(&self, port: HostPort, now: u64) -> bool {
        self.main && self.up_at.is_some_and(|up| up <= now) && self.ports.iter().filter_map(|text| parse(text)).any(|own| own == port)
    }
}

/// The length of the journal, in bytes.
fn length(journal: &std::path::Path) -> u64 {
    std::fs::metadata(journal).map_or(0, |metadata| metadata.len())
}
