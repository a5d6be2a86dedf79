//! The critical path: the chain of phases that decides how long a run may take.

use serde::Serialize;

use crate::base::name::Name;
use crate::base::time::Span;
use crate::plan::sealed::{PhaseIx, Plan, PlannedPhase};

/// The heaviest chain of phases: a phase weighs its timeout, and next to nothing without one.
///
/// Where no phase has a timeout it is the longest chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CriticalPath {
    /// The chain, each phase needing the one before it.
    pub phases: Vec<Name>,
    /// The sum of its timeouts, for one attempt of each.
    pub timeouts: Span,
    /// How many of its phases have no timeout.
    pub unbounded: usize,
}

/// The critical path of a plan.
pub(super) fn path(plan: &Plan) -> CriticalPath {
    let chain = heaviest(plan, |phase| phase.spec.timeout.map_or(1, |timeout| timeout.0.max(1)));
    let timeouts = chain.iter().filter_map(|ix| plan.phase(*ix).spec.timeout);
    CriticalPath {
        timeouts: Span(timeouts.clone().fold(0, |sum, timeout| sum.saturating_add(timeout.0))),
        unbounded: chain.len() - timeouts.count(),
        phases: chain.into_iter().map(|ix| plan.phase(ix).name.clone()).collect(),
    }
}

/// The heaviest chain of a plan; among equals the one through the phases that come first.
pub(super) fn heaviest(plan: &Plan, weight: impl Fn(&PlannedPhase) -> u64) -> Vec<PhaseIx> {
    // What a phase needs stands before it, so one pass is enough.
    let mut best: Vec<(u64, Option<PhaseIx>)> = Vec::with_capacity(plan.phases.len());
    for phase in &plan.phases {
        let mut before: (u64, Option<PhaseIx>) = (0, None);
        for edge in &phase.needs {
            let so_far = best[edge.phase.at()].0;
            if before.1.is_none() || so_far > before.0 {
                before = (so_far, Some(edge.phase));
            }
        }
        best.push((before.0.saturating_add(weight(phase)), before.1));
    }
    let mut last: Option<PhaseIx> = None;
    for ix in (0..).map(PhaseIx).take(best.len()) {
        if last.is_none_or(|last| best[ix.at()].0 > best[last.at()].0) {
            last = Some(ix);
        }
    }
    let mut chain: Vec<PhaseIx> = std::iter::successors(last, |ix| best[ix.at()].1).collect();
    chain.reverse();
    chain
}
