//! What reaches the kernel.

use super::action::{EffectId, RunId, Seen, Shown};
use super::record::RunOptions;
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
    },
    /// Carry out a plan.
    Run {
        /// The plan.
        plan: Box<Plan>,
        /// How.
        options: RunOptions,
    },
    /// Go on with a run that waited for a person while no engine was there.
    Continue {
        /// The goal.
        goal: Name,
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
    /// Tear a goal down.
    Down {
        /// The goal.
        goal: Name,
        /// Whether what is kept goes too.
        volumes: bool,
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
            Self::Open { .. } => None,
            Self::Run { plan, .. } => Some(&plan.goal),
            Self::Reply { owner, .. } => Some(&owner.goal),
            Self::Continue { goal } | Self::Stop { goal, .. } | Self::Down { goal, .. } | Self::Verify { goal } => Some(goal),
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
    /// Nothing is asked there.
    #[error("nothing is asked at `{owner}`")]
    NotAsked {
        /// The place.
        owner: Owner,
        /// What is asked, elsewhere.
        asked: Vec<Owner>,
    },
}

/// A phase of a run: the address of most of what happens in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The run.
    pub run: RunId,
    /// The phase.
    pub phase: PhaseIx,
}
