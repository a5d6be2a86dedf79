//! What reaches the kernel.

use super::action::{EffectId, RunId, Seen, Shown};
use super::adoption::Found;
use super::call::{Call, CallId};
use super::memory::Sighting;
use super::record::RunOptions;
use super::standing::Standing;
use super::told::Told;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::plan::sealed::{PhaseIx, Plan};

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Somebody wants something.
    Request(Request),
    /// Something was seen of an effect.
    Seen {
        /// The effect.
        id: EffectId,
        /// What was seen.
        seen: Seen,
    },
    /// A look has shown something.
    Shown(Shown),
    /// A command wants to change something in the container engine.
    Called {
        /// The effect that started the command.
        by: EffectId,
        /// The call that waits.
        id: CallId,
        /// What it does.
        call: Call,
    },
    /// The container engine tells of a container that a command made.
    Told {
        /// Its id.
        container: String,
        /// What became of it.
        told: Told,
    },
    /// The container engine tells of the health of a container.
    Health {
        /// Its id.
        container: String,
        /// Whether it is well.
        well: bool,
    },
    /// Time has passed: whatever is due by now is due.
    Tick,
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// An engine has opened the journal.
    Open {
        /// Its version.
        version: String,
        /// Its process id.
        pid: u32,
        /// Bytes of a torn last line that it dropped.
        torn: u64,
        /// Scopes of this workspace in which somebody runs whom no record knows: an engine died between a start and its record.
        leftovers: Vec<String>,
        /// Effects whose process is not there any more, by one look: how it ended is told later.
        ended: Vec<EffectId>,
        /// How much memory the host has; none where nobody will ever look.
        memory: Option<Sighting>,
        /// The goal that a person stops with it, where the engine begins for that: nothing of it is begun first.
        stop: Option<Name>,
    },
    /// Carry out a plan.
    Run {
        /// The plan.
        plan: Box<Plan>,
        /// How.
        options: RunOptions,
        /// How the goal must stand, where whoever asks has decided by that.
        seen: Option<Standing>,
    },
    /// Carry out the plan of the goal's latest run once more: what ended well there is carried over.
    Retry {
        /// The goal.
        goal: Name,
        /// The run that is meant; none for the latest.
        run: Option<RunId>,
        /// Begin anew from this phase; none: from all that did not end well.
        phase: Option<Name>,
        /// Do only that phase anew, and carry everything else over as it stands.
        only: bool,
        /// How.
        options: RunOptions,
    },
    /// Carry out a plan from this phase on: all that it does not reach is carried over from the goal's latest run.
    RunFrom {
        /// The plan.
        plan: Box<Plan>,
        /// The phase.
        phase: Name,
        /// How.
        options: RunOptions,
        /// How the goal must stand, where whoever asks has decided by that.
        seen: Option<Standing>,
    },
    /// Stop a goal's run: end what it started. A second time: kill at once.
    Stop {
        /// The goal.
        goal: Name,
        /// Why.
        reason: super::record::StopReason,
        /// Kill at once.
        force: bool,
    },
    /// Answer a question.
    Reply {
        /// The phase that asks.
        owner: Owner,
        /// Yes or no.
        yes: bool,
        /// What else the person wrote.
        text: Option<String>,
        /// Who.
        by: String,
    },
    /// Adopt what is suspected.
    Adopt {
        /// Its place.
        owner: Owner,
        /// Who adopts it.
        by: String,
        /// What a look has found of it: taken by the engine that is asked.
        found: Option<Found>,
    },
    /// Tear a goal down.
    Down {
        /// The goal.
        goal: Name,
        /// Whether what is kept goes too.
        volumes: bool,
    },
    /// End what nobody wants.
    Collect {
        /// Whether what is evictable goes too.
        evict: bool,
    },
    /// Ask the checks again.
    Verify {
        /// The goal.
        goal: Name,
    },
}

impl Request {
    /// The goal that it is about, where it is about one.
    pub fn goal(&self) -> Option<&Name> {
        match self {
            Self::Open { .. } | Self::Collect { .. } => None,
            Self::Run { plan, .. } | Self::RunFrom { plan, .. } => Some(&plan.goal),
            Self::Reply { owner, .. } | Self::Adopt { owner, .. } => Some(&owner.goal),
            Self::Retry { goal, .. } | Self::Stop { goal, .. } | Self::Down { goal, .. } | Self::Verify { goal } => Some(goal),
        }
    }

    /// The goal of which it begins a run, where it does: its phases are given the environment of whoever asks.
    pub fn begins(&self) -> Option<&Name> {
        match self {
            Self::Run { .. } | Self::RunFrom { .. } | Self::Retry { .. } => self.goal(),
            _ => None,
        }
    }
}

/// Why a request was refused. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The goal is running.
    #[error("{run} is running")]
    Running {
        /// The run.
        run: RunId,
    },
    /// The goal is running, and what is asked for is something else.
    #[error("{run} is running, and what is asked for is something else")]
    Different {
        /// The run.
        run: RunId,
        /// What is different, each a sentence without a full stop.
        differences: Vec<String>,
    },
    /// The goal stands otherwise than whoever asks has seen it.
    #[error("`{goal}` has moved on in this very moment: somebody else ran it, stopped it or took it down")]
    Moved {
        /// The goal.
        goal: Name,
    },
    /// What the phases are to be given cannot be kept.
    #[error("the environment of a run of `{goal}` cannot be kept: {error}")]
    NotKept {
        /// The goal.
        goal: Name,
        /// What the system said.
        error: String,
    },
    /// The goal is being torn down.
    #[error("`{goal}` is being torn down")]
    Falling {
        /// The goal.
        goal: Name,
    },
    /// Nothing is known of the goal.
    #[error("nothing is known of a goal `{goal}` in this workspace")]
    NoGoal {
        /// The goal.
        goal: Name,
    },
    /// Nothing of the goal is running.
    #[error("`{goal}` is not running")]
    NotRunning {
        /// The goal.
        goal: Name,
    },
    /// Only the latest run of a goal can be gone on from.
    #[error("{run} is not the latest run of its goal: that is {latest}")]
    NotLatest {
        /// The run that was named.
        run: RunId,
        /// The latest.
        latest: RunId,
    },
    /// The plan has no such phase.
    #[error("`{goal}` has no phase `{phase}`")]
    NoPhase {
        /// The goal.
        goal: Name,
        /// The phase that was named.
        phase: Name,
        /// The phases that it has.
        known: Vec<Name>,
    },
    /// All of a run ended well, and what it made is alive.
    #[error("nothing of {run} is to be done again: every phase ended well, and what it made is alive")]
    NothingLeft {
        /// The run.
        run: RunId,
    },
    /// A phase cannot be carried over.
    #[error("`{phase}` cannot be carried over from {run}: {why}")]
    NotCarried {
        /// The phase.
        phase: Name,
        /// The run.
        run: RunId,
        /// Why not.
        why: String,
    },
    /// A run within a run of its own goal.
    #[error("`{}` runs within itself: {}", .chain.last().map_or("", Name::as_str), path(.chain))]
    Cycle {
        /// The goals, the outermost first.
        chain: Vec<Name>,
    },
    /// Runs lie too deep within each other.
    #[error("runs may lie {} deep within another, and not deeper: {}", super::nesting::MAX_DEPTH, path(.chain))]
    TooDeep {
        /// The goals, the outermost first.
        chain: Vec<Name>,
    },
    /// The attempt within which a run was to begin is not at work.
    #[error("attempt {attempt} of `{place}` in {run} is not at work: no run can begin within it")]
    NotAtWork {
        /// The place of its phase.
        place: String,
        /// Its run.
        run: RunId,
        /// The attempt.
        attempt: u32,
    },
    /// Nothing is suspected there.
    #[error("nothing is suspected at `{owner}`")]
    NotSuspected {
        /// The place.
        owner: Owner,
        /// What is suspected, elsewhere.
        suspected: Vec<Owner>,
    },
    /// It was adopted before.
    #[error("`{owner}` was adopted by {by} already")]
    AdoptedBefore {
        /// The place.
        owner: Owner,
        /// Who has adopted it.
        by: String,
    },
    /// What is suspected there cannot be adopted.
    #[error("`{owner}` cannot be adopted: {why}")]
    NotAdopted {
        /// The place.
        owner: Owner,
        /// Why not.
        why: String,
    },
    /// Nothing is asked there.
    #[error("nothing is asked at `{owner}`")]
    NotAsked {
        /// The place.
        owner: Owner,
        /// What is asked, elsewhere.
        asked: Vec<Owner>,
    },
}

/// Goals that run within each other, the outermost first.
fn path(goals: &[Name]) -> String {
    goals.iter().map(Name::as_str).collect::<Vec<_>>().join(" → ")
}

/// A phase of a run: the address of most of what happens in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The run.
    pub run: RunId,
    /// The phase.
    pub phase: PhaseIx,
}
