//! What lives only as long as the engine: attempts under way, questions, waits and deadlines. None of it is needed for replay.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::action::{EffectId, QuestionId, RunId};
use super::around::Around;
use super::attempt::{Attempt, Doing};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::memory::Watch;
use super::question::Question;
use super::teardown::{Teardown, TeardownId};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::plan::sealed::PhaseIx;

/// What lives only as long as the engine.
#[derive(Debug, Default)]
pub struct Live {
    pub(super) runs: HashMap<RunId, LiveRun>,
    /// Who waits for the end of an effect that will end by itself, or is being ended.
    pub(super) waiters: HashMap<EffectId, Waiter>,
    /// Who is told of the end of a service: it may come in years.
    pub(super) services: HashMap<EffectId, (At, Name)>,
    pub(super) questions: BTreeMap<QuestionId, Question>,
    pub(super) teardowns: HashMap<TeardownId, Teardown>,
    pub(super) deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// How often in a row the health checks of services have failed.
    pub(super) failures: HashMap<Owner, u32>,
    /// The containers that their engine has told to be unhealthy, by their ids.
    pub(super) sick: HashSet<String>,
    /// The goals that go down, while the checks of what is gone are asked.
    pub(super) falling: HashMap<Name, super::falling::Falling>,
    /// The goals that go down, with whether what is kept goes too, while those that ran within them are still to be down.
    pub(super) awaiting_down: HashMap<Name, (bool, BTreeSet<Name>)>,
    /// The goals whose checks are asked again.
    pub(super) verifying: HashMap<Name, super::reverify::Round>,
    /// How many effects of the recovery are missing until the next step of it; none where nothing is recovered.
    pub(super) recovering: Option<usize>,
    /// Adopted effects whose process was not there any more at the first look, until their ends are told.
    pub(super) ended: HashSet<EffectId>,
    /// Scopes of an engine that died in which somebody would not end.
    pub(super) unswept: BTreeSet<String>,
    /// The goals whose limits could not be set anew, with the run that declares them, and why.
    pub(super) unlimited: HashMap<Name, (RunId, Fault, String)>,
    /// How many looks for what no record explains are under way.
    pub(super) looking: u32,
    /// Whether it is to be looked again once what is collected now is gone.
    pub(super) look_again: bool,
    /// The looks around something that are under way, by its effect and whether that is over.
    pub(super) around: BTreeMap<(EffectId, bool), Around>,
    /// When the memory is looked at.
    pub(super) memory: Watch,
    last_question: u64,
    last_teardown: u64,
}

/// Who is told of an effect's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// Nobody.
    Nobody,
    /// The run that is being prepared.
    Prepare(RunId),
    /// An attempt's step, or its command.
    Attempt(At),
    /// A teardown.
    Teardown(TeardownId),
    /// The recovery of what an engine that died left, with how often this scope was swept.
    Recovery {
        /// The scope.
        scope: String,
        /// From 1.
        tries: u32,
    },
    /// The collection, with how often this scope was swept.
    Collection {
        /// The scope.
        scope: String,
        /// From 1.
        tries: u32,
    },
    /// A goal that goes down with all that is kept.
    Forget(Name),
    /// The recovery of a run, whose limits are set anew.
    Limits(RunId),
}

/// A run that is carried out.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none rules another out")]
pub struct LiveRun {
    /// Phases that could go on if they had a slot.
    pub(super) queue: BTreeSet<PhaseIx>,
    /// Slots in use.
    pub(super) working: u32,
    /// Those of the queue that wait for admission.
    pub(super) held: BTreeSet<PhaseIx>,
    /// Phases that wait before their next attempt.
    pub(super) pausing: BTreeSet<PhaseIx>,
    /// Attempts under way.
    pub(super) attempts: HashMap<PhaseIx, Attempt>,
    /// How many answers are missing until the first phase may start; none once it may.
    pub(super) opening: Option<usize>,
    /// Phases whose services were started in this run, and those that depend on them.
    pub(super) renewed: HashSet<PhaseIx>,
    /// Processes that would not end when attempts did.
    pub(super) survivors: BTreeSet<u32>,
    /// What of a green phase was dead when the last phase ended.
    pub(super) regressed: Option<String>,
    /// What became of what was replaced and had ended with the stopped run, by phase, in words.
    pub(super) given_back: BTreeMap<PhaseIx, String>,
    /// Processes that would not end at the run's end.
    pub(super) left: BTreeSet<u32>,
    /// What could not be removed then.
    pub(super) unremoved: Vec<String>,
    /// True once the last phase has ended, while a service that was promised is started again.
    pub(super) awaiting: bool,
    /// True once the last phase has ended and the run is being closed.
    pub(super) closing: bool,
    /// True while the commands of checks that were asked before the first phase are being ended: nothing may begin beside them.
    pub(super) dismissing: bool,
    /// True where a person has asked twice to stop.
    pub(super) forced: bool,
}

impl LiveRun {
    /// True while something goes on but waiting for a person.
    pub(super) fn is_busy(&self) -> bool {
        let under_way = |attempt: &Attempt| attempt.doing != Doing::Person;
        self.opening.is_some()
            || self.closing
            || self.awaiting
            || !self.queue.is_empty()
            || !self.pausing.is_empty()
            || self.attempts.values().any(under_way)
    }
}

impl Live {
    /// True while something is under way but waiting for a person.
    pub(super) fn is_busy(&self) -> bool {
        self.questions.values().any(Question::is_waited_for)
            || !self.teardowns.is_empty()
            || !self.waiters.is_empty()
            || self.recovering.is_some()
            || !self.ended.is_empty()
            || self.looking > 0
            || !self.around.is_empty()
            || self.runs.values().any(LiveRun::is_busy)
    }

    /// Who is told of what was seen of an effect; at its end for the last time.
    pub(super) fn waiter(&mut self, id: EffectId, end: bool) -> Option<Waiter> {
        if end { self.waiters.remove(&id) } else { self.waiters.get(&id).cloned() }
    }

    /// The service that an effect is, where it is one.
    pub(super) fn service(&mut self, id: EffectId, end: bool) -> Option<(At, Name)> {
        if end { self.services.remove(&id) } else { self.services.get(&id).cloned() }
    }

    pub(super) fn next_question(&mut self) -> QuestionId {
        self.last_question += 1;
        QuestionId(self.last_question)
    }

    pub(super) fn next_teardown(&mut self) -> TeardownId {
        self.last_teardown += 1;
        TeardownId(self.last_teardown)
    }

    pub(super) fn attempt(&mut self, at: &At) -> Option<&mut Attempt> {
        self.runs.get_mut(&at.run)?.attempts.get_mut(&at.phase)
    }
}
