//! State: the fold of the records, and nothing else. Folding never decides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::action::{Effect, EffectId, ProcessMark, RunId};
use super::leak::Leak;
use super::memory::Memory;
use super::nesting::Parent;
use super::outcome::{Outcome, Verdict};
pub use super::phase_run::{Failure, PhaseRun, Replaced, Reply};
use super::record::{RunOptions, StopReason};
use super::requests::is_parked;
use super::stock::Resource;
use super::suspect::Suspected;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::plan::sealed::{Edge, PhaseIx, Plan};

/// Everything that the journal knows.
///
/// It is written down in snapshots, which are read for ever: a new field of anything in here takes a `#[serde(default)]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The goals, in the order in which they were first run.
    pub goals: IndexMap<Name, Goal>,
    /// Effects that were asked for and have not ended.
    pub effects: BTreeMap<EffectId, Open>,
    /// The number of the last effect.
    pub last_effect: u64,
    /// How many runs there have been, of all goals.
    #[serde(default)]
    pub arrivals: u64,
    /// What could not be looked into the last time it was looked who is there that no record explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// What is known of the host's memory.
    #[serde(default, skip_serializing_if = "Memory::is_unseen")]
    pub memory: Memory,
}

/// An effect that was asked for and has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Who answers for it.
    pub owner: Owner,
    /// What it is.
    pub effect: Effect,
    /// The process that it started, where it has.
    pub process: Option<ProcessMark>,
}

impl Open {
    /// Whether its process may outlive the engine that started it: a service or work that was seen to start.
    pub(super) const fn may_live_on(&self) -> bool {
        matches!(self.effect, Effect::Serve { .. } | Effect::Work { .. }) && self.process.is_some()
    }
}

/// A goal: its runs, what it made, and what it has proved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and none rules another out")]
pub struct Goal {
    /// How many runs it has had.
    pub runs: u32,
    /// The runs that are over, oldest first.
    pub past: Vec<PastRun>,
    /// The latest run, ended or not.
    pub run: Option<Run>,
    /// Earlier runs of which something may still be there: what they made is removed as their plans say.
    pub older: Vec<Run>,
    /// What it made, by place, in the order in which it was made.
    pub resources: IndexMap<Owner, Resource>,
    /// The last proof of each phase, by name.
    pub proofs: HashMap<Name, Proved>,
    /// The keys of the checks that were seen to fail before some work, in any run.
    pub reds: HashSet<String>,
    /// What its attempts may have started outside of everything that is held, in the order in which it was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Suspected>,
    /// True once a command of it has asked for a change in the container engine, until it is down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
    /// What of it was to be ended or removed and is still there, by place.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub leaks: IndexMap<Owner, Leak>,
    /// True while it is being torn down.
    pub falling: bool,
    /// True from then on until it is run again.
    #[serde(default)]
    pub down: bool,
    /// True while what is kept goes too.
    pub volumes: bool,
}

/// A run that is over, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRun {
    /// The run.
    pub id: RunId,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// In words.
    #[serde(default)]
    pub why: String,
    /// The run that it went on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<RunId>,
    /// The attempt in which it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// That a phase was verified, and what it amounted to then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    /// The run that proved it.
    pub run: RunId,
    /// The hash of what it was.
    pub fingerprint: String,
    /// What it put out.
    pub outputs: IndexMap<Name, String>,
    /// When.
    pub at: Timestamp,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// For each phase, the phases that need it, and how it must have ended for each.
    #[serde(skip)]
    pub dependents: Arc<Vec<Vec<Edge>>>,
    /// How it was asked for.
    pub options: RunOptions,
    /// When it began.
    pub started: Timestamp,
    /// Its number among the runs of all goals.
    #[serde(default)]
    pub arrival: u64,
    /// True while it has its group's turn; of no meaning without a group.
    #[serde(default)]
    pub has_turn: bool,
    /// When it first had its group's turn.
    #[serde(default)]
    pub first_turn: Option<Timestamp>,
    /// Its phases, as in the plan.
    pub phases: Vec<PhaseRun>,
    /// How many phases have not ended.
    pub open: usize,
    /// What is still to be carried over from the run that this one goes on from, as it stood there. Empty once the run opens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub carries: BTreeMap<PhaseIx, PhaseRun>,
    /// True once its environment, secrets and limits are there.
    #[serde(default)]
    pub prepared: bool,
    /// Why it stops before its plan is done, and in words.
    pub stopping: Option<(StopReason, String)>,
    /// How it ended, when, and in words.
    pub ended: Option<RunEnd>,
    /// When its checks were last asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverified: Option<Timestamp>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// When.
    pub at: Timestamp,
    /// How.
    pub verdict: Verdict,
    /// In words.
    pub why: String,
    /// Processes that could not be ended.
    pub survivors: u32,
}

impl State {
    /// A run, by its id: the latest of its goal, or an earlier one of which something may still be there.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        let goal = self.goals.get(goal_of(id))?;
        goal.run.iter().chain(&goal.older).find(|run| run.id == *id)
    }

    /// The id that the next run of a goal will have.
    pub fn next_run(&self, goal: &Name) -> RunId {
        let runs = self.goals.get(goal).map_or(0, |goal| goal.runs);
        RunId(format!("{goal}.{}", runs + 1))
    }

    pub(super) fn run_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        self.goals.get_mut(goal_of(id))?.run.as_mut().filter(|run| run.id == *id)
    }

    /// A resource, by its place.
    pub fn resource(&self, owner: &Owner) -> Option<&Resource> {
        self.goals.get(&owner.goal)?.resources.get(owner)
    }

    /// True where an engine is to be at work, by what the journal knows: a run is not over and does more than wait for a person, a
    /// goal is going down, a process lives that somebody must answer for, something that leaks is to be tried again, or the checks of a goal are
    /// to be asked again.
    pub fn needs_engine(&self) -> bool {
        let under_way = |goal: &Goal| goal.falling || goal.run.as_ref().is_some_and(|run| run.ended.is_none() && !is_parked(run));
        self.goals.values().any(under_way)
            || self.effects.values().any(|open| open.process.is_some())
            || self.live_resources().any(|resource| resource.kind.runs())
            || self.goals.values().any(|goal| !goal.leaks.is_empty())
            || self.reverified().next().is_some()
    }

    /// The state as it was before it was written down: what follows from the rest is not.
    pub fn restored(mut self) -> Self {
        for run in self.goals.values_mut().flat_map(|goal| goal.run.iter_mut().chain(&mut goal.older)) {
            run.dependents = Arc::new(run.plan.dependents());
        }
        self
    }

    /// The resources that may still be there, over all goals.
    pub fn live_resources(&self) -> impl Iterator<Item = &Resource> {
        self.goals.values().flat_map(Goal::live_resources)
    }
}

impl Goal {
    /// The resources that may still be there.
    pub fn live_resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().filter(|resource| resource.state.is_live())
    }

    /// True while a run of it goes on.
    pub fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.ended.is_none())
    }
}

impl Run {
    /// A phase, by its index.
    pub fn phase(&self, ix: PhaseIx) -> &PhaseRun {
        &self.phases[ix.at()]
    }

    /// True where a need of that kind is met by how a phase ended.
    pub fn unlocks(&self, needed: PhaseIx, unlock: crate::manifest::needs::Unlock) -> bool {
        use crate::manifest::needs::Unlock;
        let Some(outcome) = self.phase(needed).state.outcome() else { return false };
        let tier = self.plan.phase(needed).tier();
        match unlock {
            Unlock::Verified => {
                outcome == Outcome::Verified || outcome == Outcome::Unverified && tier == crate::manifest::verify::Tier::None
            }
            Unlock::Unverified => matches!(outcome, Outcome::Verified | Outcome::Unverified),
            Unlock::Finished => true,
            Unlock::Failed => outcome == Outcome::Failed,
        }
    }

    /// True where nothing of it goes on but waiting for a person.
    pub fn is_parked(&self) -> bool {
        is_parked(self)
    }

    /// The place of a phase.
    pub fn owner(&self, ix: PhaseIx) -> Owner {
        self.plan.owner(ix)
    }
}

/// The goal's name in a run's id.
pub fn goal_of(id: &RunId) -> &str {
    id.0.rsplit_once('.').map_or(id.0.as_str(), |(goal, _)| goal)
}
