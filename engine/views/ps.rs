//! `sculpt ps`: what lives. The JSON form is stable: fields are only ever added.

use serde::Serialize;

use super::leaks::{LeakStatus, leaks};
use super::outside::Outside;
use super::replay::Replay;
use super::status::{ResourceStatus, resource_status};
use super::suspects::{SuspectStatus, suspected};
use crate::base::name::Name;
use crate::kernel::action::Effect;

/// What lives in a workspace.
#[derive(Clone, Debug, Serialize)]
pub struct Ps {
    /// The resources that are, or may still be, there.
    pub resources: Vec<ResourceStatus>,
    /// The commands at work.
    pub work: Vec<WorkStatus>,
    /// What was to be ended or removed and is still there: resources, which are above too, and processes that no resource has.
    pub leaks: Vec<LeakStatus>,
    /// What attempts may have started outside of everything that is held, and what is still there of it.
    pub suspected: Vec<SuspectStatus>,
}

/// A phase's command at work.
#[derive(Clone, Debug, Serialize)]
pub struct WorkStatus {
    /// Its place: goal/phase.
    pub owner: String,
    /// The run.
    pub run: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Its process, once it was started.
    pub pid: Option<u32>,
}

/// What lives, of every goal or of the one that is named.
pub fn ps(replay: &Replay, outside: &Outside<'_>, only: Option<&Name>) -> Ps {
    let wanted = |goal: &Name| only.is_none_or(|only| only == goal);
    let goals = || replay.state.goals.iter().filter(|(name, _)| wanted(name)).map(|(_, goal)| goal);
    let resources = goals().flat_map(|goal| goal.live_resources().map(move |resource| (goal, resource)));
    let work = replay.state.effects.values().filter(|open| wanted(&open.owner.goal)).filter_map(|open| match &open.effect {
        Effect::Work { run, attempt, .. } => {
            let alive = open.process.as_ref().is_none_or(outside.alive);
            // Without an engine, what was asked for and never started will not start.
            (alive && (open.process.is_some() || outside.engine)).then(|| WorkStatus {
                owner: open.owner.to_string(),
                run: run.to_string(),
                attempt: *attempt,
                pid: open.process.as_ref().map(|process| process.pid),
            })
        }
        _ => None,
    });
    Ps {
        resources: resources.map(|(goal, resource)| resource_status(&replay.state, goal, resource, outside)).collect(),
        work: work.collect(),
        leaks: goals().flat_map(|goal| leaks(goal, outside)).collect(),
        suspected: goals().flat_map(|goal| suspected(goal, outside)).collect(),
    }
}
