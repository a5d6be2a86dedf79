//! `sculpt status`: what is. The JSON form is stable: fields are only ever added.

use serde::Serialize;

use super::chosen::PortStatus;
use super::leaks::{LeakStatus, leak_status, leaks};
use super::memory::{MemoryStatus, memory_status};
use super::outside::Outside;
use super::phase::summary;
use super::replay::Replay;
use super::restarts::{RestartStatus, restarts};
use super::standing::{GoalOutcome, green_as_of, judge, regressed};
use super::suspects::{SuspectStatus, adopted as is, suspected};
use super::within::Within;
use crate::base::name::Name;
use crate::kernel::fault::Fault;
use crate::kernel::options::Unenforced;
use crate::kernel::outcome::{Outcome, Proof};
use crate::kernel::state::{Goal, Run, State};
use crate::kernel::stock::Resource;
use crate::kernel::usage::Usage;
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

/// All goals of a workspace.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// In the order in which they were first run.
    pub goals: Vec<GoalStatus>,
    /// The host's memory, as the engine saw it that is at work; none where none is.
    pub memory: Option<MemoryStatus>,
}

/// A goal.
#[derive(Clone, Debug, Serialize)]
pub struct GoalStatus {
    /// Its name.
    pub name: String,
    /// Its latest run.
    pub run: Option<String>,
    /// How it stands.
    pub outcome: GoalOutcome,
    /// Why it stands so.
    pub why: String,
    /// When the latest run began, RFC 3339.
    pub started: Option<String>,
    /// When it ended: green has an age.
    pub ended: Option<String>,
    /// How long ago it ended, in milliseconds.
    pub age_ms: Option<u64>,
    /// The attempt in which the latest run was begun, where it was begun by the command of a phase.
    pub parent: Option<Within>,
    /// When all of its green phases were last seen to be green, RFC 3339: the oldest of their ages.
    pub as_of: Option<String>,
    /// Since when it stands regressed, RFC 3339; none where it does not, or nobody saw it happen.
    pub regressed_since: Option<String>,
    /// For how long, in milliseconds.
    pub regressed_ms: Option<u64>,
    /// The limits of its latest run that this host did not enforce.
    pub unenforced: Vec<Unenforced>,
    /// Whether each of its containers has the goal's limits for itself, and not all of them together.
    pub apart: bool,
    /// Its phases, in the order of the plan.
    pub phases: Vec<PhaseStatus>,
    /// What it made and what is still there, in the order in which it was made.
    pub resources: Vec<ResourceStatus>,
    /// What of it was to be ended or removed and is still there.
    pub leaks: Vec<LeakStatus>,
    /// What its attempts may have started outside of everything that is held, and what is still there of it.
    pub suspected: Vec<SuspectStatus>,
    /// Its daemons.
    pub daemons: [(); 0],
    /// Its open needs.
    pub demands: [(); 0],
}

/// A phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseStatus {
    /// Its name.
    pub name: String,
    /// Where it stands; its outcome, once it has ended.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why that may be believed.
    pub proof: Option<Proof>,
    /// The run that did it, where it was carried over.
    pub carried: Option<String>,
    /// How many attempts were begun.
    pub attempts: u32,
    /// In words: why it ended so, or what it waits for.
    pub why: String,
    /// What went wrong, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// What the command of its latest attempt used, once that has ended.
    #[serde(skip_serializing_if = "Usage::is_unknown")]
    pub usage: Usage,
    /// What a person is asked, while it waits for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// From the first attempt to the end, in milliseconds.
    pub elapsed_ms: Option<u64>,
    /// When a green phase was last seen to be green, RFC 3339: when its checks that must hold last passed, or its end.
    pub as_of: Option<String>,
    /// How long ago that was, in milliseconds.
    pub age_ms: Option<u64>,
}

/// A resource.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceStatus {
    /// Its name.
    pub name: String,
    /// What it is: directory, file, port, process, custom.
    pub kind: &'static str,
    /// Its place: goal/phase/resource.
    pub owner: String,
    /// Where it stands.
    pub state: &'static str,
    /// Its main process, where that runs.
    pub pid: Option<u32>,
    /// The run that made it.
    pub run: String,
    /// How long it lives: phase or goal.
    pub scope: Scope,
    /// Whether `down` leaves it.
    pub keep: bool,
    /// Since when it stands so, RFC 3339.
    pub since: String,
    /// The latest evidence.
    pub evidence: String,
    /// That it was to be removed and is still there, where it is so.
    pub leak: Option<LeakStatus>,
    /// How often it was started again, and whether it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<RestartStatus>,
    /// Its ports that were chosen where a fallback is declared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortStatus>,
}

/// How every goal stands, or the one that is named.
pub fn status(replay: &Replay, outside: &Outside<'_>, only: Option<&Name>) -> Status {
    let wanted = replay.state.goals.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    let goals = wanted.map(|(name, goal)| goal_status(name, goal, replay, outside)).collect();
    Status { goals, memory: memory_status(&replay.state, outside) }
}

fn goal_status(name: &Name, goal: &Goal, replay: &Replay, outside: &Outside<'_>) -> GoalStatus {
    let (outcome, why) = judge(name, goal, replay, outside);
    let run = goal.run.as_ref();
    let as_of = run.and_then(|run| run.phases.iter().filter_map(green_as_of).min());
    let regressed = run.filter(|_| outcome == GoalOutcome::Regressed).and_then(|run| regressed(goal, run, outside)?.1);
    let ended = run.and_then(|run| run.ended.as_ref()).map(|end| end.at);
    GoalStatus {
        name: name.to_string(),
        run: run.map(|run| run.id.to_string()),
        outcome,
        why,
        started: run.map(|run| run.started.to_string()),
        ended: ended.map(|at| at.to_string()),
        age_ms: ended.map(|at| (outside.now - at).0),
        parent: run.and_then(|run| run.options.parent.as_ref()).map(Within::of),
        as_of: as_of.map(|at| at.to_string()),
        regressed_since: regressed.map(|at| at.to_string()),
        regressed_ms: regressed.map(|at| (outside.now - at).0),
        unenforced: run.map(|run| run.options.unenforced.clone()).unwrap_or_default(),
        apart: run.is_some_and(|run| run.options.apart),
        phases: run
            .map(|run| run.plan.indexed().map(|(ix, _)| phase_status(&replay.state, run, ix, outside)).collect())
            .unwrap_or_default(),
        resources: goal.live_resources().map(|resource| resource_status(&replay.state, goal, resource, outside)).collect(),
        leaks: leaks(goal, outside),
        suspected: suspected(goal, outside),
        daemons: [],
        demands: [],
    }
}

fn phase_status(state: &State, run: &Run, ix: PhaseIx, outside: &Outside<'_>) -> PhaseStatus {
    let phase = run.phase(ix);
    let outcome = phase.state.outcome();
    let as_of = green_as_of(phase);
    PhaseStatus {
        name: run.plan.phase(ix).name.to_string(),
        state: phase.state.word(),
        outcome,
        proof: phase.proof,
        carried: phase.carried.as_ref().map(ToString::to_string),
        attempts: phase.attempt,
        why: summary(state, run, ix),
        fault: phase.fault,
        usage: phase.usage,
        question: phase.question.clone().filter(|_| outcome.is_none()),
        elapsed_ms: phase.started.map(|started| (phase.ended.unwrap_or(outside.now) - started).0),
        as_of: as_of.map(|at| at.to_string()),
        age_ms: as_of.map(|at| (outside.now - at).0),
    }
}

/// A resource, as somebody sees it who looks now.
pub fn resource_status(state: &State, goal: &Goal, resource: &Resource, outside: &Outside<'_>) -> ResourceStatus {
    let now = outside.look(resource);
    ResourceStatus {
        name: resource.owner.resource.as_ref().map(ToString::to_string).unwrap_or_default(),
        kind: resource.kind.word(),
        owner: resource.owner.to_string(),
        state: now.state.word(),
        pid: now.pid,
        run: resource.run.to_string(),
        scope: resource.scope,
        keep: resource.keep,
        since: resource.since.to_string(),
        evidence: resource.adopted.as_ref().map(|adopted| format!("{}: {}", is(adopted), now.evidence)).unwrap_or(now.evidence),
        leak: goal.leaks().find(|(owner, _)| **owner == resource.owner).map(|(owner, leak)| leak_status(owner, leak, outside)),
        restarts: restarts(resource, outside),
        ports: super::chosen::of(state, resource),
    }
}
