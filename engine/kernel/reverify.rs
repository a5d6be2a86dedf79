//! Asking the checks again: because a person wants it, or because the manifest's `reverify` does.
//!
//! | state | input                                             | next |
//! |-------|---------------------------------------------------|------|
//! | –     | a run ended well, its goal is up, `reverify`      | due after the interval |
//! | –     | an engine opens the journal                       | the same, from the last round on; at once where that is past |
//! | due   | its time has come, and the goal is still up       | asking |
//! | due   | the goal is run again, or taken down              | – |
//! | –, due | a person asks                                    | asking |
//! | asking | all lasting checks are answered                  | due after the interval, where there is one |
//!
//! Of the answers in a round that a person asked for all are recorded; otherwise only changes are. So that the age of a green is known
//! without them, a round leaves one `Reverified`, and where nobody asked for it at most one a minute: a goal that is asked every second
//! fills no journal, and its age is right to the minute. Nothing of this is kept beside the journal.

use std::sync::Arc;

use super::action::RunId;
use super::answer::{Answer, Said, Stage};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::{At, Refusal};
use super::outcome::{Outcome, Verdict};
use super::record::Record;
use super::state::{Run, State};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::time::{Span, Timestamp};
use crate::manifest::check::Holds;
use crate::plan::sealed::{PhaseIx, PlannedPhase};

/// A round that nobody asked for is recorded at most so often.
const RECORDED: Span = Span::seconds(60);

/// A round of asking again that is under way.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// How many answers are missing.
    left: usize,
    /// Whose checks are asked.
    run: Option<RunId>,
    /// When the round before it was, or the run ended.
    last: Option<Timestamp>,
    /// Whether a person has asked for it.
    wanted: bool,
    /// Whether it was stopped before all had answered.
    stopped: bool,
}

impl PlannedPhase {
    /// Its checks whose answer must hold for as long as the goal is up, by their index.
    pub fn lasting(&self) -> impl Iterator<Item = usize> {
        let checks = self.spec.verify.iter().flat_map(|verify| &verify.checks).enumerate();
        checks.filter(|(_, check)| check.holds.unwrap_or_default() == Holds::Always).map(|(index, _)| index)
    }
}

impl Run {
    /// How often its checks are to be asked again, while its goal is up: none where it did not end well, or was to be torn down.
    pub fn reverify(&self) -> Option<Span> {
        let well = self.ended.as_ref().is_some_and(|end| matches!(end.verdict, Verdict::Verified | Verdict::Unproven));
        self.plan.reverify.filter(|_| well && !self.options.once)
    }

    /// Folds the answer of a check that was asked again: what is known of it changes, or is known anew. None where there is no such check.
    pub(super) fn answer_again(&mut self, at: Timestamp, ix: PhaseIx, check: usize, answer: &Answer) -> Option<()> {
        self.reverified = Some(at);
        let entry = &mut self.phases[ix.at()];
        let known = entry.after.get_mut(check)?;
        let changed = known.as_ref().is_none_or(|known| known.is_changed_by(answer));
        if changed && let Some(since) = entry.since.get_mut(check) {
            *since = Some(at);
        }
        if changed || known.as_ref().is_some_and(|known| known.said == answer.said) {
            *known = Some(answer.clone());
        }
        self.hold(at, ix);
        Some(())
    }

    /// Folds a round in which nothing else has changed.
    pub(super) fn hold_again(&mut self, at: Timestamp) {
        self.reverified = Some(at);
        for ix in (0..).map(PhaseIx).take(self.phases.len()) {
            self.hold(at, ix);
        }
    }

    /// Where a phase is green and all of its checks that must hold pass, they were seen to by now.
    fn hold(&mut self, at: Timestamp, ix: PhaseIx) {
        let entry = self.phase(ix);
        let passes =
            |check: usize| entry.after.get(check).is_some_and(|answer| answer.as_ref().is_some_and(|answer| answer.said == Said::Pass));
        let mut lasting = self.plan.phase(ix).lasting().peekable();
        let green = entry.state.outcome().is_some_and(Outcome::is_good);
        if green && lasting.peek().is_some() && lasting.all(passes) {
            self.phases[ix.at()].held = Some(at);
        }
    }

    /// When its checks were last asked: again, or for its end.
    fn last_asked(&self) -> Option<Timestamp> {
        self.reverified.or(self.ended.as_ref().map(|end| end.at))
    }
}

impl State {
    /// The runs whose checks are to be asked again while their goals are up, with when that is due.
    pub fn reverified(&self) -> impl Iterator<Item = (&Run, Timestamp)> {
        self.goals.values().filter(|goal| !goal.falling && !goal.down).filter_map(|goal| {
            let run = goal.run.as_ref()?;
            Some((run, run.last_asked()? + run.reverify()?))
        })
    }
}

impl Turn<'_> {
    /// Sets when the checks of a run are asked again, where they are to be.
    pub(super) fn promise_reverify(&mut self, id: &RunId) {
        let due = self.state.reverified().find(|(run, _)| run.id == *id).map(|(_, due)| due);
        let deadline = Deadline::Reverify { run: id.clone() };
        self.live.deadlines.retain(|(_, other)| *other != deadline);
        if let Some(due) = due {
            self.set_deadline(due.max(self.now), deadline);
        }
    }

    /// Sets it for all goals: what an engine that died had promised is promised on.
    pub(super) fn promise_all(&mut self) {
        let runs: Vec<RunId> = self.state.reverified().map(|(run, _)| run.id.clone()).collect();
        for run in runs {
            self.promise_reverify(&run);
        }
    }

    /// It is time to ask the checks of a run again.
    pub(super) fn reverify(&mut self, id: &RunId) {
        let Some(goal) = self.state.reverified().find(|(run, _)| run.id == *id).map(|(run, _)| run.plan.goal.clone()) else { return };
        // A round that is under way serves as well, and sets the next one.
        if !self.live.verifying.contains_key(&goal) {
            self.begin_round(&goal, false);
        }
    }

    /// Asks the checks of the goal's latest run again: those of green phases whose answer must hold.
    pub(super) fn verify_again(&mut self, goal: Name) {
        if self.state.goals.get(&goal).is_none_or(|goal| goal.run.is_none()) {
            return self.refuse(Refusal::NoGoal { goal });
        }
        self.begin_round(&goal, true);
    }

    fn begin_round(&mut self, goal: &Name, wanted: bool) {
        let Some(run) = self.state.goals.get(goal).and_then(|goal| goal.run.as_ref()) else { return };
        let (id, plan, last) = (run.id.clone(), Arc::clone(&run.plan), run.last_asked());
        let green = |ix: PhaseIx| run.phase(ix).state.outcome().is_some_and(Outcome::is_good);
        let asked: Vec<(At, usize)> = (plan.indexed().filter(|(ix, _)| green(*ix)))
            .flat_map(|(phase, planned)| planned.lasting().map(move |check| (phase, check)))
            .map(|(phase, check)| (At { run: id.clone(), phase }, check))
            .collect();
        if asked.is_empty() {
            return;
        }
        let round = self.live.verifying.entry(goal.clone()).or_default();
        round.run = Some(id.clone());
        round.last = round.last.or(last);
        round.left += asked.len();
        round.wanted |= wanted;
        for (at, check) in asked {
            self.ask_check(&at, check, Stage::Again);
        }
    }

    /// A check that was asked again has its answer.
    pub(super) fn verified_again(&mut self, at: &At, check: u16, answer: Answer) {
        let goal = Name::from(super::state::goal_of(&at.run));
        let stopped = answer.fault == Some(Fault::Stopped);
        let wanted = self.live.verifying.get(&goal).is_some_and(|round| round.wanted);
        // A run that has begun meanwhile has no use for what its predecessor is asked.
        let latest = self.state.goals.get(&goal).and_then(|goal| goal.run.as_ref()).filter(|run| run.id == at.run);
        let known = latest.map(|run| run.phase(at.phase).after.get(usize::from(check)).and_then(Option::as_ref));
        let tells = known.is_some_and(|known| wanted || known.is_none_or(|known| known.is_changed_by(&answer)));
        if tells && !stopped {
            self.record(Record::Answered { run: at.run.clone(), phase: at.phase, check, stage: Stage::Again, answer });
        }
        let Some(round) = self.live.verifying.get_mut(&goal) else { return };
        round.left = round.left.saturating_sub(1);
        round.stopped |= stopped;
        if round.left == 0 {
            self.round_over(&goal);
        }
    }

    fn round_over(&mut self, goal: &Name) {
        let Some(round) = self.live.verifying.remove(goal) else { return };
        let latest = self.state.goals.get(goal).and_then(|goal| goal.run.as_ref());
        let Some(run) = latest.filter(|run| round.run.as_ref() == Some(&run.id)) else { return };
        let (id, interval) = (run.id.clone(), run.reverify());
        let due = round.wanted || round.last.is_none_or(|last| self.now - last >= RECORDED);
        if due && !round.stopped {
            self.record(Record::Reverified { run: id.clone() });
        }
        let deadline = Deadline::Reverify { run: id.clone() };
        self.live.deadlines.retain(|(_, other)| *other != deadline);
        if let Some(interval) = interval.filter(|_| self.state.reverified().any(|(run, _)| run.id == id)) {
            self.set_deadline(self.now + interval, deadline);
        }
    }
}

impl Answer {
    /// Whether another answer to the same check changes what is known. One that could not be had changes no red: it neither regresses
    /// nor recovers.
    pub fn is_changed_by(&self, newer: &Self) -> bool {
        self.said != newer.said && (self.said, newer.said) != (Said::Fail, Said::Unknown)
    }
}
