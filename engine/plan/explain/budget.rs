//! What the goal may spend, and what its phases may spend together.

use std::fmt;

use serde::Serialize;

use super::critical::heaviest;
use crate::base::time::Span;
use crate::manifest::policy::Budget;
use crate::plan::sealed::{Plan, PlannedPhase};

/// Budgets, rolled up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RollUp {
    /// What the goal may spend.
    pub goal: Budget,
    /// What its phases may spend together: tokens and money summed, time along the chain with the most of it.
    pub phases: Budget,
    /// Where the phases may spend more than the goal: then the goal's budget ends the run first.
    pub over: Vec<Over>,
}

/// A budget of the goal that its phases exceed together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "of")]
pub enum Over {
    /// Tokens.
    MaxTokens {
        /// The goal's.
        goal: u64,
        /// The phases' sum.
        phases: u64,
    },
    /// Money.
    MaxCost {
        /// The goal's.
        goal: f64,
        /// The phases' sum.
        phases: f64,
    },
    /// Time.
    MaxTime {
        /// The goal's.
        goal: Span,
        /// The sum along a chain of phases.
        phases: Span,
    },
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxTokens { goal, phases } => write!(f, "the phases may spend {phases} tokens, the goal only {goal}"),
            Self::MaxCost { goal, phases } => write!(f, "the phases may spend {phases:.2}, the goal only {goal:.2}"),
            Self::MaxTime { goal, phases } => write!(f, "a chain of phases may take {phases}, the goal only {goal}"),
        }
    }
}

/// Rolls the budgets of a plan up.
pub(super) fn roll_up(plan: &Plan) -> RollUp {
    let tokens = plan.phases.iter().filter_map(|phase| own(phase, |budget| budget.max_tokens)).reduce(u64::saturating_add);
    let cost = plan.phases.iter().filter_map(|phase| own(phase, |budget| budget.max_cost)).reduce(|sum, cost| sum + cost);
    let time = |phase: &PlannedPhase| own(phase, |budget| budget.max_time);
    let chain = heaviest(plan, |phase| time(phase).map_or(0, |time| time.0));
    let time = chain.iter().filter_map(|ix| time(plan.phase(*ix))).reduce(|sum, time| Span(sum.0.saturating_add(time.0)));
    let goal = &plan.budget;
    let mut over = Vec::new();
    if let (Some(goal), Some(phases)) = (goal.max_tokens, tokens)
        && phases > goal
    {
        over.push(Over::MaxTokens { goal, phases });
    }
    if let (Some(goal), Some(phases)) = (goal.max_cost, cost)
        && phases > goal
    {
        over.push(Over::MaxCost { goal, phases });
    }
    if let (Some(goal), Some(phases)) = (goal.max_time, time)
        && phases > goal
    {
        over.push(Over::MaxTime { goal, phases });
    }
    let phases = Budget { max_tokens: tokens, max_cost: cost, max_time: time, ..Budget::default() };
    RollUp { goal: goal.clone(), phases, over }
}

/// A part of a phase's budget; its agent's where the phase itself has none.
fn own<T>(phase: &PlannedPhase, part: impl Fn(&Budget) -> Option<T>) -> Option<T> {
    let agents = || phase.spec.agent.as_ref().and_then(|agent| agent.budget.as_ref()).and_then(&part);
    phase.spec.budget.as_ref().and_then(&part).or_else(agents)
}
