//! What of a run was started anew: whoever depends on it is done anew, too. By the records alone, for an engine that goes on with the run.

use std::collections::HashSet;

use super::action::RunId;
use super::turn::Turn;
use crate::base::owner::Owner;
use crate::plan::sealed::{PhaseIx, PlannedPhase};

impl Turn<'_> {
    /// The phases whose services were started in this run, and those that depend on them and have begun.
    pub(super) fn renewed(&self, id: &RunId) -> HashSet<PhaseIx> {
        let Some(run) = self.run(id) else { return HashSet::new() };
        let mut renewed = HashSet::new();
        let mut by_wave: Vec<(PhaseIx, &PlannedPhase)> = run.plan.indexed().collect();
        by_wave.sort_by_key(|(_, planned)| planned.wave);
        for (ix, planned) in by_wave {
            let serves = planned.promises()
                && planned.spec.resources.keys().any(|name| {
                    let owner = Owner::resource(&run.plan.goal, &planned.name, name);
                    self.state.resource(&owner).is_some_and(|resource| resource.run == *id && resource.kind.runs())
                });
            let depends = run.phase(ix).attempt > 0 && planned.needs.iter().any(|edge| renewed.contains(&edge.phase));
            if serves || depends || !run.phase(ix).replaced.is_empty() {
                renewed.insert(ix);
            }
        }
        renewed
    }
}
