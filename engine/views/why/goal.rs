//! Why a goal stands as it does: its worst phases, what it waits for, what of it lives.

use super::super::leaks::leaks;
use super::super::memory::waits_for_memory;
use super::super::outside::Outside;
use super::super::phase::{list, summary};
use super::super::replay::Replay;
use super::super::standing::{GoalOutcome, judge};
use super::super::suspects::{in_short, suspected};
use super::Explanation;
use crate::base::name::Name;
use crate::kernel::outcome::Outcome;
use crate::kernel::phase::PhaseState;
use crate::kernel::state::{Goal, Run, State};

/// Up to so many phases are told of one by one.
const TOLD: usize = 10;

pub(super) fn explain(explanation: &mut Explanation, name: &Name, goal: &Goal, replay: &Replay, outside: &Outside<'_>) {
    let (outcome, why) = judge(name, goal, replay, outside);
    outcome.word().clone_into(&mut explanation.state);
    explanation.say(format!("{name} is {}: {why}.", outcome.word()));
    let Some(run) = &goal.run else { return };
    if let Some(end) = &run.ended {
        explanation.say(format!("{} ended {} ago, after {}.", run.id, (outside.now - end.at).human(), (end.at - run.started).human()));
    }
    tell(explanation, &replay.state, run, |state| matches!(state, PhaseState::Done(Outcome::Failed | Outcome::Unknown)));
    if run.ended.is_none() {
        held(explanation, run, replay, outside);
        tell(explanation, &replay.state, run, |state| {
            matches!(state, PhaseState::Waiting | PhaseState::Running | PhaseState::Verifying | PhaseState::BackingOff)
        });
        let pending = run.phases.iter().filter(|phase| phase.state == PhaseState::Pending).count();
        if pending > 0 {
            explanation.say(format!("{pending} phase{} not yet begun.", if pending == 1 { " has" } else { "s have" }));
        }
    }
    let lives: Vec<String> = goal.live_resources().map(|resource| resource.owner.to_string()).collect();
    if !lives.is_empty() {
        explanation.say(format!("Of it there {}: {}.", if lives.len() == 1 { "is" } else { "are" }, list(&lives)));
    }
    for leak in leaks(goal, outside) {
        explanation.say(format!("{} leaks: {}.", leak.owner, leak.words()));
    }
    if goal.leaks().next().is_some() {
        explanation.hint("try it again now: `sculpt gc`");
    }
    if let Some(words) = in_short(&suspected(goal, outside)) {
        explanation.say(format!("{words}: `sculpt ps {name}` tells what was seen, and what can be done."));
    }
    hints(explanation, name, run, outcome);
}

/// Tells of the phases that could start and wait for memory, the first few of them.
fn held(explanation: &mut Explanation, run: &Run, replay: &Replay, outside: &Outside<'_>) {
    if !outside.engine {
        return;
    }
    let ready = run.plan.indexed().filter(|(ix, _)| run.phase(*ix).state == PhaseState::Ready);
    let held: Vec<String> = ready
        .filter_map(|(ix, planned)| {
            Some(format!("{} could start, and waits for {}.", planned.name, waits_for_memory(&replay.state, run, ix)?))
        })
        .collect();
    let more = held.len().saturating_sub(TOLD);
    held.into_iter().take(TOLD).for_each(|sentence| explanation.say(sentence));
    if more > 0 {
        explanation.say(format!("So do {more} more."));
    }
}

/// Tells of the phases in some states, the first few of them.
fn tell(explanation: &mut Explanation, state: &State, run: &Run, wanted: impl Fn(PhaseState) -> bool) {
    let found: Vec<_> = run.plan.indexed().filter(|(ix, _)| wanted(run.phase(*ix).state)).collect();
    for (ix, planned) in found.iter().take(TOLD) {
        explanation.say(format!("{} is {}: {}.", planned.name, run.phase(*ix).state.word(), summary(state, run, *ix)));
    }
    if found.len() > TOLD {
        explanation.say(format!("So are {} more.", found.len() - TOLD));
    }
}

fn hints(explanation: &mut Explanation, name: &Name, run: &Run, outcome: GoalOutcome) {
    let place =
        |wanted: &dyn Fn(PhaseState) -> bool| run.plan.indexed().find(|(ix, _)| wanted(run.phase(*ix).state)).map(|(ix, _)| run.owner(ix));
    match outcome {
        GoalOutcome::Waiting => {
            if let Some(asked) = place(&|state| state == PhaseState::Waiting) {
                explanation.hint(format!("answer it: `sculpt answer {asked} yes` or `… no`"));
            }
        }
        GoalOutcome::Failed | GoalOutcome::Unknown => {
            if let Some(worst) = place(&|state| matches!(state, PhaseState::Done(Outcome::Failed | Outcome::Unknown))) {
                explanation.hint(format!("look closer: `sculpt why {worst}`"));
            }
        }
        GoalOutcome::Regressed | GoalOutcome::Interrupted => {
            explanation.hint(format!("carry it out again: `sculpt run {}`; what still holds is not repeated", run.plan.manifest));
        }
        GoalOutcome::Verified | GoalOutcome::Unverified if run.ended.is_some() => {
            explanation.hint(format!("ask its checks again now: `sculpt verify {name}`"));
        }
        _ => {}
    }
}
