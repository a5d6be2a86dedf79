//! Admission: whether a phase that could start may, by the host's memory.
//!
//! | a phase                                                          | memory is calm, or unknown                    | warn or act |
//! |------------------------------------------------------------------|-----------------------------------------------|-------------|
//! | is of `finally`, or only asks checks: it ends things, or verifies | starts                                        | starts      |
//! | declares no memory: it shares its goal's limit                   | starts                                        | waits       |
//! | declares more than there is room for, whatever ends              | fails                                         | fails       |
//! | declares more than fits beside what is promised                  | waits                                         | waits       |
//! | declares what fits, and another before it waits for its end      | waits                                         | waits       |
//! | declares what fits                                               | starts                                        | waits       |
//!
//! The line: who has waited longest is first, and nobody that declares memory passes it, however small, as long as it would fit once all
//! that is at work now has ended: then it waits for nothing but that. One in whose way services stand that stay holds nobody back: it may
//! wait for days. What runs within an attempt passes the line, since that attempt waits for it.
//!
//! No room will come for one that waits for services of its own goal, once nothing else of its run goes on: it fails. Other goals' services
//! may go any time.
//!
//! What was admitted is never stopped by any of this. The room is the host's memory less a reserve, and at most what the workspace may use.
//! A rollback starts what was promised before, and asks nobody.

use super::action::RunId;
use super::attempt::Doing;
use super::input::At;
use super::memory::Known;
use super::phase::PhaseState;
use super::promise::{GoalPromises, Promise};
use super::record::Record;
use super::state::{Run, State, goal_of};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::size::ByteSize;
use crate::base::time::Timestamp;
use crate::plan::sealed::{Part, PhaseIx};

/// The share of the memory that is promised to nobody: one part in so many.
const RESERVE_PARTS: u64 = 20;

/// And at least this much of it, in bytes.
const RESERVE_LEAST: u64 = 256 << 20;

/// How much may be promised on a host with so much memory, where the workspace may use at most that, all in bytes.
pub fn room(total: u64, most: Option<u64>) -> u64 {
    let reserve = (total / RESERVE_PARTS).max(RESERVE_LEAST);
    let room = total.saturating_sub(reserve);
    most.map_or(room, |most| room.min(most))
}

/// Why a phase that could start waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The host's memory is short.
    Pressure(Known),
    /// What it declares does not fit beside what is promised.
    Promised {
        /// How much it declares, in bytes.
        need: u64,
        /// How much is promised, in bytes.
        promised: u64,
        /// How much may be, in bytes.
        room: u64,
        /// To whom, the most first.
        to: Vec<Promise>,
    },
    /// It would fit, and this one came before.
    Behind(Owner),
}

/// What becomes of a phase that could start.
pub(super) enum Admission {
    /// It begins.
    Starts,
    /// It is looked at again at the end of every turn.
    Waits,
    /// It would wait for ever, and fails for this.
    NeverFits(String),
}

impl State {
    /// Why a phase waits for admission, by what the journal knows; none where it does not, or no longer has to.
    pub fn hold(&self, run: &Run, ix: PhaseIx) -> Option<Hold> {
        let waits = |run: &Run, ix: PhaseIx| {
            let phase = run.phase(ix);
            phase.unadmitted.filter(|_| matches!(phase.state, PhaseState::Ready | PhaseState::BackingOff))
        };
        waits(run, ix)?;
        if let Some(known) = self.memory.short() {
            return Some(Hold::Pressure(known.clone()));
        }
        let open = self.goals.values().filter_map(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none());
        let line = open.flat_map(|run| run.plan.indexed().filter_map(move |(ix, _)| Some(Waiting::new(run, ix, waits(run, ix)?))));
        self.held_by(&self.promises(), &Candidate::of(run, ix), &line.collect::<Vec<_>>())
    }

    fn held_by(&self, promises: &[GoalPromises], candidate: &Candidate<'_>, line: &[Waiting<'_>]) -> Option<Hold> {
        let room = self.memory.room()?;
        let fits = |candidate: &Candidate<'_>, counts: &dyn Fn(&Promise) -> bool| candidate.beside(promises, counts) <= room;
        if !fits(candidate, &|_| true) {
            let others = |promise: &Promise| !candidate.is_own(promise);
            let mut to: Vec<Promise> = promises.iter().flat_map(|goal| &goal.promises).filter(|promise| others(promise)).cloned().collect();
            to.sort_by(|one, other| other.memory.cmp(&one.memory).then_with(|| one.owner.to_string().cmp(&other.owner.to_string())));
            let sum = promises.iter().map(|goal| goal.sum(0, others)).fold(0, u64::saturating_add);
            return Some(Hold::Promised { need: candidate.need, promised: sum, room, to });
        }
        if candidate.run.options.parent.is_some() {
            return None;
        }
        let own = line.iter().find(|waiting| waiting.is(candidate)).map(|waiting| waiting.place);
        let before = |waiting: &&Waiting<'_>| own.is_none_or(|own| waiting.place < own) && !waiting.is(candidate);
        let waits_for_their_ends = |waiting: &&Waiting<'_>| {
            let first = Candidate::of(waiting.run, waiting.ix);
            first.need > 0 && !waiting.run.is_held_back() && fits(&first, &|promise| promise.lasts)
        };
        let first = line.iter().filter(before).filter(waits_for_their_ends).min_by_key(|waiting| waiting.place)?;
        Some(Hold::Behind(first.run.owner(first.ix)))
    }

    /// What of the promises ends only after a run: services that phases of it which have ended have left, and the attempts around it. Once
    /// the run is stuck, nothing of it will make room any more: then all that lasts of its goal does.
    fn outlasts(&self, run: &Run, stuck: bool, promise: &Promise) -> bool {
        let ended = |phase: &Name| run.plan.find(phase.as_str()).is_some_and(|(ix, _)| run.phase(ix).state.outcome().is_some());
        let left = promise.lasts && promise.owner.goal == run.plan.goal && (stuck || promise.owner.phase.as_ref().is_some_and(ended));
        left || self
            .around(run.options.parent.as_ref())
            .any(|parent| promise.owner.goal.as_str() == goal_of(&parent.run) && promise.owner.phase.as_ref() == Some(&parent.phase))
    }
}

/// A phase that could start.
struct Candidate<'s> {
    run: &'s Run,
    ix: PhaseIx,
    need: u64,
}

impl<'s> Candidate<'s> {
    fn of(run: &'s Run, ix: PhaseIx) -> Self {
        let need = run.plan.phase(ix).memory(run.each_container());
        Self { run, ix, need: run.most_memory().map_or(need, |most| need.min(most)) }
    }

    /// Whether something was promised to an earlier run of the same phase: it is replaced, or goes on as it is.
    fn is_own(&self, promise: &Promise) -> bool {
        promise.owner.goal == self.run.plan.goal && promise.owner.phase.as_ref() == Some(&self.run.plan.phase(self.ix).name)
    }

    /// How much would be promised with it beside those that count, in bytes.
    fn beside(&self, promises: &[GoalPromises], counts: &dyn Fn(&Promise) -> bool) -> u64 {
        let counts = |promise: &Promise| counts(promise) && !self.is_own(promise);
        let own = |goal: &&GoalPromises| goal.goal == self.run.plan.goal;
        let others = promises.iter().filter(|goal| !own(goal)).map(|goal| goal.sum(0, counts)).fold(0, u64::saturating_add);
        others.saturating_add(promises.iter().find(own).map_or(self.need, |goal| goal.sum(self.need, counts)))
    }
}

/// A phase that waits for admission.
struct Waiting<'s> {
    run: &'s Run,
    ix: PhaseIx,
    /// Its place in the line: since when it waits, and for those of one moment the order of the runs and of their plans.
    place: (Timestamp, u64, PhaseIx),
}

impl<'s> Waiting<'s> {
    const fn new(run: &'s Run, ix: PhaseIx, since: Timestamp) -> Self {
        Self { run, ix, place: (since, run.arrival, ix) }
    }

    fn is(&self, candidate: &Candidate<'_>) -> bool {
        self.run.id == candidate.run.id && self.ix == candidate.ix
    }
}

/// The promises at one time of a turn; worked out when somebody first asks.
#[derive(Default)]
pub(super) struct Ledger(Option<Vec<GoalPromises>>);

impl Ledger {
    /// Something was admitted: what is promised is to be worked out anew.
    pub(super) fn changed(&mut self) {
        self.0 = None;
    }
}

impl Turn<'_> {
    /// What becomes of a phase that could start.
    pub(super) fn admission(&self, at: &At, ledger: &mut Ledger) -> Admission {
        let Some(run) = self.run(&at.run) else { return Admission::Starts };
        let planned = run.plan.phase(at.phase);
        if planned.part != Part::Phase || !planned.works() {
            return Admission::Starts;
        }
        let candidate = Candidate::of(run, at.phase);
        if let (1.., Some(room)) = (candidate.need, self.state.memory.room()) {
            let promises = ledger.0.get_or_insert_with(|| self.promised());
            let stuck = self.is_stuck(at);
            let least = candidate.beside(promises, &|promise| self.state.outlasts(run, stuck, promise));
            if least > room {
                return Admission::NeverFits(never_fits(candidate.need, least, room));
            }
            if self.state.held_by(promises, &candidate, &self.line()).is_some() {
                return Admission::Waits;
            }
        }
        if self.state.memory.short().is_some() { Admission::Waits } else { Admission::Starts }
    }

    /// What is promised now: also to phases that were admitted and have not begun an attempt yet.
    fn promised(&self) -> Vec<GoalPromises> {
        self.state.promises_of(|run| {
            let attempts = self.live.runs.get(&run.id).map(|live| live.attempts.keys().copied()).into_iter().flatten();
            let mut at_work: Vec<PhaseIx> = attempts
                .filter(|ix| matches!(run.phase(*ix).state, PhaseState::Ready | PhaseState::BackingOff | PhaseState::Running))
                .collect();
            at_work.sort_unstable();
            at_work
        })
    }

    /// Whether nothing of a run goes on but waiting for memory, or for a person.
    fn is_stuck(&self, at: &At) -> bool {
        let Some(live) = self.live.runs.get(&at.run) else { return false };
        let waits = live.queue.iter().all(|ix| *ix == at.phase || live.held.contains(ix));
        waits && live.pausing.is_empty() && live.attempts.values().all(|attempt| attempt.doing == Doing::Person)
    }

    /// Who waits for admission.
    fn line(&self) -> Vec<Waiting<'_>> {
        let live = self.live.runs.iter().filter_map(|(id, live)| Some((self.state.run(id)?, live)));
        live.flat_map(|(run, live)| {
            let held = live.held.iter().filter(|ix| live.queue.contains(ix) && !live.dismissing);
            held.filter_map(move |ix| Some(Waiting::new(run, *ix, run.phase(*ix).unadmitted?)))
        })
        .collect()
    }

    /// A phase waits for admission: that is recorded once.
    pub(super) fn hold(&mut self, at: &At) {
        let Some(live) = self.live.runs.get_mut(&at.run) else { return };
        live.held.insert(at.phase);
        if self.run(&at.run).is_some_and(|run| run.phase(at.phase).unadmitted.is_none()) {
            self.record(Record::Held { run: at.run.clone(), phase: at.phase });
        }
    }

    /// The runs that are carried out, in the order in which they came.
    pub(super) fn runs_in_order(&self) -> Vec<RunId> {
        let mut runs: Vec<(u64, &RunId)> = self.live.runs.keys().filter_map(|id| Some((self.state.run(id)?.arrival, id))).collect();
        runs.sort_unstable();
        runs.into_iter().map(|(_, id)| id.clone()).collect()
    }
}

fn never_fits(need: u64, least: u64, room: u64) -> String {
    let size = |bytes: u64| ByteSize(bytes).rounded();
    let beside = match least.saturating_sub(need) {
        0 => String::new(),
        others => format!(" beside {} that stay promised until its run ends", size(others)),
    };
    format!("it declares {} of memory{beside}, and only {} may be promised here", size(need), size(room))
}
