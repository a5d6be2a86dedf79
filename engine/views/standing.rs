//! How a goal stands: its latest run's verdict, what was promised since, and whether somebody took it down.
//!
//! | first that holds                                              | it stands    |
//! |---------------------------------------------------------------|--------------|
//! | it is being torn down                                         | stopping     |
//! | the run goes on, and only people are waited for               | waiting      |
//! | the run has not ended, and no engine is at work               | interrupted  |
//! | the run goes on                                               | running      |
//! | it was taken down                                             | down         |
//! | a person or a budget ended the run                            | cancelled    |
//! | a phase failed, or the run left survivors                     | failed       |
//! | a phase is unknown                                            | unknown      |
//! | a promised service is not ready, or a check now fails         | regressed    |
//! | a check that is asked again could not be asked                | unknown      |
//! | a phase that declares checks is unproven                      | unverified   |
//! | a phase is verified                                           | verified     |
//! | nothing verifies it                                           | unverified   |
//! | every phase was skipped                                       | skipped      |

use serde::Serialize;

use super::leaks;
use super::outside::Outside;
use super::replay::Replay;
use super::restarts::restarts;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::kernel::action::Exit;
use crate::kernel::answer::Said;
use crate::kernel::outcome::{Outcome, Verdict};
use crate::kernel::phase::PhaseState;
use crate::kernel::resource::ResourceState;
use crate::kernel::state::{Goal, PhaseRun, Run, RunEnd};
use crate::manifest::kind::Kind;
use crate::manifest::resource::{Resource, Scope};
use crate::manifest::verify::Tier;

/// How a goal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GoalOutcome {
    /// Its run goes on.
    Running,
    /// Its run waits for a person, and for nothing else.
    Waiting,
    /// It is being torn down.
    Stopping,
    /// Green, still.
    Verified,
    /// Yellow.
    Unverified,
    /// Red.
    Failed,
    /// Grey.
    Unknown,
    /// Nothing of it was wanted.
    Skipped,
    /// A person stopped it, or a budget ended it.
    Cancelled,
    /// Its engine died while it ran.
    Interrupted,
    /// It was green, and something that it promised is no longer so.
    Regressed,
    /// It was taken down.
    Down,
}

impl GoalOutcome {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopping => "stopping",
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Regressed => "regressed",
            Self::Down => "down",
        }
    }
}

/// How a goal stands, and why.
pub fn judge(name: &Name, goal: &Goal, replay: &Replay, outside: &Outside<'_>) -> (GoalOutcome, String) {
    if goal.falling {
        return (GoalOutcome::Stopping, "it is being torn down".to_owned());
    }
    let Some(run) = &goal.run else { return (GoalOutcome::Down, "it has never run".to_owned()) };
    let Some(end) = &run.ended else { return judge_open(run, replay, outside) };
    if replay.beside.down.contains_key(name) {
        // What would not end then leaks, or is gone by now.
        let down = "it was taken down";
        return (GoalOutcome::Down, leaks::in_short(goal).map_or_else(|| down.to_owned(), |leaks| format!("{down}, but {leaks}")));
    }
    judge_ended(goal, run, end, outside)
}

fn judge_open(run: &Run, replay: &Replay, outside: &Outside<'_>) -> (GoalOutcome, String) {
    if let Some(asked) = parked(run) {
        return (GoalOutcome::Waiting, asked);
    }
    if !outside.engine {
        return (GoalOutcome::Interrupted, "its engine died while it ran".to_owned());
    }
    if let Some(waits) = waits_for_turn(run, replay) {
        return (GoalOutcome::Running, waits);
    }
    let why =
        run.stopping.as_ref().map_or_else(|| format!("{} of {} phases have ended", ended(run), run.phases.len()), |(_, why)| why.clone());
    (GoalOutcome::Running, why)
}

/// What a run waits for that is of a group, while another of it has the turn.
pub fn waits_for_turn(run: &Run, replay: &Replay) -> Option<String> {
    let group = run.plan.concurrency_group.as_ref()?;
    replay
        .state
        .ahead_of(run)
        .map(|ahead| format!("it waits for {}: both are of the group `{group}`, of which one runs at a time", ahead.id))
}

/// What a run waits for, where it waits for people and nothing else.
fn parked(run: &Run) -> Option<String> {
    let mut asking = Vec::new();
    for (ix, planned) in run.plan.indexed() {
        match run.phase(ix).state {
            PhaseState::Waiting => asking.push(planned.name.as_str()),
            PhaseState::Pending | PhaseState::Done(_) => {}
            _ => return None,
        }
    }
    (!asking.is_empty()).then(|| format!("{} waits for a person", asking.join(", ")))
}

fn ended(run: &Run) -> usize {
    run.phases.len() - run.open
}

fn judge_ended(goal: &Goal, run: &Run, end: &RunEnd, outside: &Outside<'_>) -> (GoalOutcome, String) {
    if matches!(end.verdict, Verdict::Cancelled | Verdict::Budget | Verdict::Waiting) {
        return (GoalOutcome::Cancelled, end.why.clone());
    }
    if end.verdict == Verdict::Interrupted {
        return (GoalOutcome::Interrupted, end.why.clone());
    }
    let outcomes = |wanted: Outcome| run.plan.indexed().find(move |(ix, _)| run.phase(*ix).state.outcome() == Some(wanted));
    for (wanted, stands) in [(Outcome::Failed, GoalOutcome::Failed), (Outcome::Unknown, GoalOutcome::Unknown)] {
        if let Some((ix, planned)) = outcomes(wanted) {
            return (stands, format!("{} is {}: {}", planned.name, wanted.word(), run.phase(ix).why));
        }
    }
    if end.survivors > 0 {
        return (GoalOutcome::Failed, end.why.clone());
    }
    if let Some((regressed, _)) = regressed(goal, run, outside) {
        return (GoalOutcome::Regressed, regressed);
    }
    if let Some((answer, _)) = answered_now(run, Said::Unknown) {
        return (GoalOutcome::Unknown, answer);
    }
    if end.verdict == Verdict::Failed {
        return (GoalOutcome::Failed, end.why.clone());
    }
    let unproven = run
        .plan
        .indexed()
        .find(|(ix, planned)| run.phase(*ix).state.outcome() == Some(Outcome::Unverified) && planned.tier() != Tier::None);
    if let Some((ix, planned)) = unproven {
        return (GoalOutcome::Unverified, format!("{} is unverified: {}", planned.name, run.phase(ix).why));
    }
    if outcomes(Outcome::Verified).is_some() {
        (GoalOutcome::Verified, end.why.clone())
    } else if outcomes(Outcome::Unverified).is_some() {
        (GoalOutcome::Unverified, "nothing verifies it".to_owned())
    } else {
        (GoalOutcome::Skipped, "every phase was skipped".to_owned())
    }
}

/// What was green and is so no longer, in words, and since when: where nobody saw it happen, that is not known.
pub fn regressed(goal: &Goal, run: &Run, outside: &Outside<'_>) -> Option<(String, Option<Timestamp>)> {
    broken_promise(goal, run, outside).or_else(|| answered_now(run, Said::Fail))
}

/// When a phase was last seen to be green: its lasting checks passed, or it ended.
pub fn green_as_of(phase: &PhaseRun) -> Option<Timestamp> {
    phase.held.or(phase.ended).filter(|_| phase.state.outcome().is_some_and(Outcome::is_good))
}

/// A goal-scoped service that a green phase promised and that is not ready, in words; or anything that was evicted.
///
/// After `--once` nothing is promised: the run itself took everything down.
fn broken_promise(goal: &Goal, run: &Run, outside: &Outside<'_>) -> Option<(String, Option<Timestamp>)> {
    if run.options.once {
        return None;
    }
    run.plan.indexed().filter(|(ix, _)| run.phase(*ix).state.outcome().is_some_and(Outcome::is_good)).find_map(|(_, planned)| {
        let evicted = |name: &Name| {
            let owner = Owner::resource(&run.plan.goal, &planned.name, name);
            goal.resources.get(&owner).is_some_and(|resource| resource.evicted.is_some())
        };
        let lasts = |name: &Name, declared: &Resource| declared.scope == Scope::Goal && (Kind::of(declared).runs() || evicted(name));
        let promised = planned.spec.resources.iter().filter(|(name, declared)| lasts(name, declared));
        promised.into_iter().find_map(|(name, _)| {
            let owner = Owner::resource(&run.plan.goal, &planned.name, name);
            let Some(resource) = goal.resources.get(&owner) else { return Some((format!("{owner} is not there"), None)) };
            // One that has to end well keeps its promise by ending well.
            let completes = planned.completes(name);
            if completes && resource.exit.is_some_and(Exit::is_success) {
                return None;
            }
            let now = outside.look(resource);
            let since = (now.state == resource.state).then_some(resource.since);
            let evidence = match (&resource.evicted, resource.exit) {
                (Some(evicted), _) => evicted.clone(),
                (None, _) if resource.restarts.given_up.is_some() => resource.restarts.given_up.clone().unwrap_or_default(),
                (None, _) if resource.restarts.away.is_some() && !resource.is_sick() => {
                    restarts(resource, outside).map(|told| told.line()).unwrap_or_default()
                }
                (None, Some(exit)) => format!("it ended with {exit}"),
                (None, None) => now.evidence,
            };
            (now.state != ResourceState::Ready).then(|| (format!("{owner} is {}: {evidence}", now.state.word()), since))
        })
    })
}

/// The first check of a green phase whose latest answer is this one, and since when it says so.
fn answered_now(run: &Run, said: Said) -> Option<(String, Option<Timestamp>)> {
    run.plan.indexed().filter(|(ix, _)| run.phase(*ix).state.outcome().is_some_and(Outcome::is_good)).find_map(|(ix, planned)| {
        let answers = run.phase(ix).after.iter().enumerate();
        answers.filter_map(|(index, answer)| Some((index, answer.as_ref()?))).find(|(_, answer)| answer.said == said).map(
            |(index, answer)| {
                let word = if said == Said::Fail { "now fails" } else { "could not be asked" };
                let since = run.phase(ix).since.get(index).copied().flatten();
                (format!("check {} of {} {word}: {}", index + 1, planned.name, answer.evidence), since)
            },
        )
    })
}
