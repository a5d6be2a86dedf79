//! Which files hold what was said at a place.

use super::outside::Outside;
use super::place::Found;
use crate::base::owner::Owner;
use crate::kernel::action::{Effect, RunId};
use crate::kernel::state::{Goal, Run, State};
use crate::kernel::stock::Resource;
use crate::plan::sealed::{PhaseIx, Step};

/// A file with the output of a command or of a service, in one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Whose output it is.
    pub owner: Owner,
    /// The run in whose folder it is; an earlier one for a service that an earlier run started.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// The files of a place: of a phase's command and its services in the latest attempt, of all phases of a goal.
pub fn files(found: &Found<'_>) -> Vec<LogFile> {
    match found {
        Found::Goal(_, goal) => goal.run.iter().flat_map(|run| run.plan.indexed().flat_map(|(ix, _)| of_phase(goal, run, ix))).collect(),
        Found::Phase(goal, run, ix) => of_phase(goal, run, *ix),
        Found::Resource(_, _, _, _, made) => made.iter().filter_map(|resource| of_resource(resource)).collect(),
    }
}

/// Whether more may be written at a place: its work goes on, or one of its services lives.
pub fn goes_on(state: &State, found: &Found<'_>, outside: &Outside<'_>) -> bool {
    let lives = |resource: &Resource| resource.kind.runs() && resource.state.is_live() && outside.look(resource).pid.is_some();
    match found {
        Found::Goal(_, goal) => outside.engine && goal.is_running() || goal.live_resources().any(lives),
        Found::Phase(goal, run, ix) => {
            let open = run.phase(*ix).state.outcome().is_none() && run.ended.is_none();
            let owner = run.owner(*ix);
            outside.engine && open || goal.live_resources().any(|resource| resource.owner.phase == owner.phase && lives(resource))
        }
        Found::Resource(_, run, ix, name, made) => {
            let starting = state.effects.values().any(|open| {
                matches!(&open.effect, Effect::Serve { resource, .. } if resource == *name) && open.owner.phase == run.owner(*ix).phase
            });
            made.is_some_and(lives) || outside.engine && (starting || run.ended.is_none() && run.phase(*ix).state.outcome().is_none())
        }
    }
}

fn of_phase(goal: &Goal, run: &Run, ix: PhaseIx) -> Vec<LogFile> {
    let (planned, phase) = (run.plan.phase(ix), run.phase(ix));
    let mut files = Vec::new();
    if planned.steps.contains(&Step::Work) && phase.attempt > 0 {
        let owner = run.owner(ix);
        files.push(LogFile { owner, run: run.id.clone(), attempt: phase.attempt });
    }
    for name in planned.spec.resources.keys() {
        let resource = goal.resources.get(&Owner::resource(&run.plan.goal, &planned.name, name));
        files.extend(resource.and_then(of_resource));
    }
    files
}

/// The file of a service: in the folder of the run that started it, which may be an earlier one.
fn of_resource(resource: &Resource) -> Option<LogFile> {
    resource.kind.runs().then(|| LogFile { owner: resource.owner.clone(), run: resource.run.clone(), attempt: resource.attempt })
}

/// The file of a phase's command in its latest attempt; of its first service where it has no command.
pub fn main_file(goal: &Goal, run: &Run, ix: PhaseIx) -> Option<LogFile> {
    of_phase(goal, run, ix).into_iter().next()
}
