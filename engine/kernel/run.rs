//! A run, as the records change it: how it begins, what the end of a phase unlocks, and what is kept of it once it is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::RunId;
use super::options::RunOptions;
use super::outcome::Verdict;
use super::phase::{PhaseInput, PhaseState};
use super::state::{PastRun, PhaseRun, Run};
use crate::base::time::Timestamp;
use crate::plan::sealed::{PhaseIx, Plan};

impl Run {
    /// A run before its first attempt.
    pub(super) fn begun(id: RunId, arrival: u64, plan: Plan, options: RunOptions, at: Timestamp) -> Self {
        let mut phases = Vec::with_capacity(plan.phases.len());
        for planned in &plan.phases {
            let unmet = u32::try_from(planned.needs.len()).unwrap_or(u32::MAX);
            let checks = planned.checks();
            phases.push(PhaseRun {
                state: if unmet == 0 { PhaseState::Ready } else { PhaseState::Pending },
                unmet,
                before: vec![None; checks],
                after: vec![None; checks],
                since: vec![None; checks],
                ..PhaseRun::default()
            });
        }
        let open = phases.len();
        let dependents = Arc::new(plan.dependents());
        Self {
            id,
            plan: Arc::new(plan),
            dependents,
            options,
            started: at,
            arrival,
            has_turn: false,
            first_turn: None,
            phases,
            open,
            carries: BTreeMap::new(),
            prepared: false,
            stopping: None,
            ended: None,
            reverified: None,
        }
    }

    /// Counts an ended phase's dependents down; one whose last need is met is ready.
    pub(super) fn unlock(&mut self, ended: PhaseIx) {
        let dependents = Arc::clone(&self.dependents);
        for edge in &dependents[ended.at()] {
            if !self.unlocks(ended, edge.unlock) {
                continue;
            }
            let entry = &mut self.phases[edge.phase.at()];
            entry.unmet = entry.unmet.saturating_sub(1);
            if entry.unmet == 0
                && let Some(next) = entry.state.on(PhaseInput::Unlocked)
            {
                entry.state = next;
            }
        }
    }

    /// The run in short, once it has ended so.
    pub(super) fn past(&self, at: Timestamp, verdict: Verdict, why: &str) -> PastRun {
        PastRun {
            id: self.id.clone(),
            started: self.started,
            ended: at,
            verdict,
            why: why.to_owned(),
            retries: self.options.carry.as_ref().map(|carry| carry.from.clone()),
            parent: self.options.parent.clone(),
        }
    }
}
