//! Runs within runs: one that is begun by the command of a phase belongs to that attempt.
//!
//! | the attempt                        | a run in it that goes on | what runs in it made and is still there |
//! |------------------------------------|--------------------------|------------------------------------------|
//! | ends verified or unverified        | is stopped               | stays, until the attempt's goal goes down |
//! | ends unknown                       | is stopped               | stays, for the person to see             |
//! | ends otherwise, or goes again      | is stopped               | is ended with the attempt                |
//! | its run is stopped, or is `--once` | is stopped               | is ended with the run                    |
//!
//! The attempt waits for the ends of the runs in it: they are ended first, then its command, then what it used.
//! Their time is what the attempt, its phase and its run have left.

use serde::{Deserialize, Serialize};

use super::action::RunId;
use super::attempt::Doing;
use super::engine::spent;
use super::fault::Fault;
use super::input::{At, Refusal};
use super::phase::PhaseState;
use super::record::StopReason;
use super::state::{Run, State, goal_of};
use super::stock::Resource;
use super::teardown::Target;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::time::Span;

/// How deep runs may lie within each other, below the outermost.
pub const MAX_DEPTH: usize = 3;

/// What is begun later is ended earlier: the wave of what a run within another made counts from here.
const WITHIN: u32 = 1 << 30;

/// The attempt in which a run was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// The phase, by its name.
    pub phase: Name,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How much time it had left when the run began; none where it has no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Span>,
}

impl Parent {
    /// The place of the phase.
    pub fn place(&self) -> String {
        format!("{}/{}", goal_of(&self.run), self.phase)
    }

    fn is(&self, run: &Run, at: &At) -> bool {
        self.run == at.run && self.phase == run.plan.phase(at.phase).name && self.attempt == run.phase(at.phase).attempt
    }
}

impl Run {
    /// How long it may go on: what its goal declares, or what is left of the run within which it was begun.
    pub fn max_time(&self) -> Option<Span> {
        let left = self.options.parent.as_ref().and_then(|parent| parent.left);
        self.plan.budget.max_time.into_iter().chain(left).min()
    }
}

impl State {
    /// The attempts around a run, the nearest first.
    pub(super) fn around<'s>(&'s self, parent: Option<&'s Parent>) -> impl Iterator<Item = &'s Parent> {
        std::iter::successors(parent, |parent| self.run(&parent.run)?.options.parent.as_ref())
    }

    /// Whether a run was begun within another, however deep.
    pub(super) fn is_within(&self, run: &Run, outer: &RunId) -> bool {
        self.around(run.options.parent.as_ref()).any(|parent| parent.run == *outer)
    }

    /// The runs that were begun within attempts that `wanted` chooses, and those within them.
    fn within(&self, wanted: impl Fn(&Parent) -> bool) -> Vec<&Run> {
        let runs = self.goals.values().flat_map(|goal| goal.run.iter().chain(&goal.older));
        runs.filter(|run| self.around(run.options.parent.as_ref()).any(&wanted)).collect()
    }

    /// A goal, and those whose latest run was begun within one of its runs.
    pub fn goals_with_inner<'s>(&'s self, goal: &'s Name) -> impl Iterator<Item = &'s Name> {
        let inside = move |run: &Run| self.around(run.options.parent.as_ref()).any(|parent| goal_of(&parent.run) == goal.as_str());
        let within = self.goals.iter().filter(move |(_, known)| known.run.as_ref().is_some_and(inside));
        std::iter::once(goal).chain(within.map(|(name, _)| name))
    }

    /// The other goals of which something is there, or falls, that was made within runs of this one.
    pub(super) fn goals_within(&self, goal: &Name, wanted: impl Fn(&Resource) -> bool) -> Vec<Name> {
        let within = self.within(|parent| goal_of(&parent.run) == goal.as_str());
        let of = |name: &Name, known: &super::state::Goal| {
            let made = |resource: &Resource| wanted(resource) && within.iter().any(|run| run.id == resource.run);
            name != goal
                && !known.is_running()
                && (known.live_resources().any(made) || known.falling && within.iter().any(|run| run.plan.goal == *name))
        };
        self.goals.iter().filter(|(name, known)| of(name, known)).map(|(name, _)| name.clone()).collect()
    }
}

impl Turn<'_> {
    /// Refuses a run within an attempt that is not at work, within its own goal, or too deep.
    pub(super) fn may_nest(&self, goal: &Name, parent: &Parent) -> Result<(), Refusal> {
        let mut chain: Vec<Name> = self.state.around(Some(parent)).map(|parent| Name::from(goal_of(&parent.run))).collect();
        let depth = chain.len();
        chain.reverse();
        let cycle = chain.contains(goal);
        chain.push(goal.clone());
        if cycle {
            return Err(Refusal::Cycle { chain });
        }
        if !self.is_at_work(parent) {
            return Err(Refusal::NotAtWork { place: parent.place(), run: parent.run.clone(), attempt: parent.attempt });
        }
        if depth > MAX_DEPTH {
            return Err(Refusal::TooDeep { chain });
        }
        Ok(())
    }

    fn is_at_work(&self, parent: &Parent) -> bool {
        let Some(run) = self.run(&parent.run).filter(|run| run.ended.is_none()) else { return false };
        let Some((ix, _)) = run.plan.find(parent.phase.as_str()) else { return false };
        let phase = run.phase(ix);
        let attempt = self.live.runs.get(&parent.run).and_then(|live| live.attempts.get(&ix));
        phase.attempt == parent.attempt
            && matches!(phase.state, PhaseState::Running | PhaseState::Verifying)
            && attempt.is_some_and(|attempt| attempt.doing != Doing::Closing)
    }

    /// How much time an attempt, its phase and its run have left.
    pub(super) fn left(&self, parent: &Parent) -> Option<Span> {
        let run = self.run(&parent.run)?;
        let (ix, planned) = run.plan.find(parent.phase.as_str())?;
        let phase = run.phase(ix);
        let of_run = run.max_time().map(|max_time| Span(max_time.0.saturating_sub(spent(run, self.now).0)));
        let since = |started: Option<crate::base::time::Timestamp>, bound: Option<Span>| {
            Some(Span(bound?.0.saturating_sub((self.now - started?).0)))
        };
        let of_phase = since(phase.started, planned.spec.budget.as_ref().and_then(|budget| budget.max_time));
        let of_attempt = since(phase.attempt_started, planned.spec.timeout);
        [of_run, of_phase, of_attempt].into_iter().flatten().min()
    }

    /// Stops the runs that were begun within an attempt and go on. True where the attempt has to wait for their ends: it is swept after them.
    pub(super) fn stop_within(&mut self, at: &At) -> bool {
        let Some(run) = self.run(&at.run) else { return false };
        let direct = |child: &&Run| child.ended.is_none() && child.options.parent.as_ref().is_some_and(|parent| parent.is(run, at));
        let latest = self.state.goals.values().filter_map(|goal| goal.run.as_ref());
        let going_on: Vec<RunId> = latest.filter(direct).map(|child| child.id.clone()).collect();
        if going_on.is_empty() {
            return false;
        }
        let why = format!("{} ended, in which it was begun", run.owner(at.phase));
        self.record_closing(at);
        if let Some(attempt) = self.live.attempt(at) {
            attempt.within.extend(going_on.iter().cloned());
        }
        let forced = self.live.runs.get(&at.run).is_some_and(|live| live.forced);
        for child in going_on {
            self.stop_one_within(&child, forced, &why);
        }
        true
    }

    fn stop_one_within(&mut self, id: &RunId, forced: bool, why: &str) {
        if let Some(live) = self.live.runs.get_mut(id) {
            live.forced |= forced;
        }
        self.stop_for(id, StopReason::Parent, Fault::Stopped, why);
    }

    /// Kills at once what goes on within a run that is to end at once.
    pub(super) fn force_within(&mut self, id: &RunId) {
        let going_on =
            self.state.within(|parent| parent.run == *id).into_iter().filter(|run| run.ended.is_none() && run.stopping.is_some());
        let going_on: Vec<(RunId, String)> =
            going_on.map(|run| (run.id.clone(), run.stopping.as_ref().map(|(_, why)| why.clone()).unwrap_or_default())).collect();
        for (child, why) in going_on {
            self.stop_one_within(&child, true, &why);
        }
    }

    /// A run has ended: the attempt in which it was begun may wait for that.
    pub(super) fn over_within(&mut self, id: &RunId) {
        let Some(parent) = self.run(id).and_then(|run| run.options.parent.clone()) else { return };
        let Some((phase, _)) = self.run(&parent.run).and_then(|run| run.plan.find(parent.phase.as_str())) else { return };
        let at = At { run: parent.run, phase };
        let Some(attempt) = self.live.attempt(&at) else { return };
        if attempt.within.remove(id) && attempt.within.is_empty() {
            self.sweep(&at);
        }
    }

    /// What the runs within an attempt made and is still there, to be ended before what the attempt made itself.
    pub(super) fn targets_within(&self, at: &At) -> Vec<((u32, u32), Target)> {
        let Some(run) = self.run(&at.run).filter(|run| run.phase(at.phase).attempt > 0) else { return Vec::new() };
        self.made_within(|parent| parent.is(run, at))
    }

    /// The same of the runs within a run, in whichever of its attempts.
    pub(super) fn targets_within_run(&self, id: &RunId) -> Vec<((u32, u32), Target)> {
        self.made_within(|parent| parent.run == *id)
    }

    fn made_within(&self, wanted: impl Fn(&Parent) -> bool) -> Vec<((u32, u32), Target)> {
        let mut targets = Vec::new();
        for child in self.state.within(wanted).into_iter().filter(|child| child.ended.is_some()) {
            let depth = u32::try_from(self.state.around(child.options.parent.as_ref()).count()).unwrap_or(1);
            let made = self.targets(&child.plan.goal, |resource| resource.run == child.id && !resource.keep);
            targets.extend(
                made.into_iter().map(|((wave, step), target)| ((wave.saturating_add(WITHIN.saturating_mul(depth.min(3))), step), target)),
            );
        }
        targets
    }
}
