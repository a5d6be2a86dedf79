//! In which order resources start, and in which they end.

use crate::base::owner::Owner;
use crate::manifest::resource::Scope;
use crate::plan::sealed::Plan;

/// The resources by rank (wave, then step), those of one rank together; of equal rank in the order of the plan.
pub(super) fn starts(plan: &Plan) -> Vec<Vec<Owner>> {
    ranked(plan, |_| true)
}

/// What outlives its phase, in the order in which `sculpt down` ends it: the reverse of the start. Those of one rank end at once.
pub(super) fn teardown(plan: &Plan) -> Vec<Vec<Owner>> {
    let mut groups = ranked(plan, |scope| scope == Scope::Goal);
    groups.reverse();
    groups
}

fn ranked(plan: &Plan, wanted: impl Fn(Scope) -> bool) -> Vec<Vec<Owner>> {
    let mut ranked: Vec<((u32, usize), Owner)> = Vec::new();
    for phase in &plan.phases {
        for (step, name) in phase.steps.iter().enumerate().filter_map(|(at, step)| step.resource().map(|name| (at, name))) {
            if phase.resource(name).is_some_and(|resource| wanted(resource.scope)) {
                ranked.push(((phase.wave, step), Owner::resource(&plan.goal, &phase.name, name)));
            }
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.chunk_by(|(one, _), (other, _)| one == other).map(|group| group.iter().map(|(_, owner)| owner.clone()).collect()).collect()
}
