//! From a place that a person wrote to what stands there.

use crate::base::diagnostic::nearest;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::state::{Goal, Run, State};
use crate::kernel::stock::Resource;
use crate::plan::sealed::PhaseIx;

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A goal.
    Goal(&'a Name, &'a Goal),
    /// A phase of a goal's latest run.
    Phase(&'a Goal, &'a Run, PhaseIx),
    /// A resource: of the latest run's plan, or made by an earlier one; with what was made, where it was.
    Resource(&'a Goal, &'a Run, PhaseIx, &'a Name, Option<&'a Resource>),
}

/// A place where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known of `{text}`")]
pub struct NoPlace {
    /// What was written.
    pub text: String,
    /// The place that was probably meant.
    pub near: Option<String>,
    /// Places that there are, at that depth.
    pub known: Vec<String>,
}

/// Finds what stands at a place, in the latest run of its goal.
pub fn find<'a>(state: &'a State, text: &str) -> Result<Found<'a>, NoPlace> {
    let nothing = || no_place(state, text);
    let owner: Owner = text.parse().map_err(|_| nothing())?;
    let (name, goal) = state.goals.get_key_value(&owner.goal).ok_or_else(nothing)?;
    let Some(phase) = &owner.phase else { return Ok(Found::Goal(name, goal)) };
    let run = goal.run.as_ref().ok_or_else(nothing)?;
    let (ix, planned) = run.plan.find(phase.as_str()).ok_or_else(nothing)?;
    let Some(resource) = &owner.resource else { return Ok(Found::Phase(goal, run, ix)) };
    let (declared, _) = planned.spec.resources.get_key_value(resource).ok_or_else(nothing)?;
    Ok(Found::Resource(goal, run, ix, declared, goal.resources.get(&owner)))
}

/// The goal of this name.
pub fn goal<'a>(state: &'a State, text: &str) -> Result<(&'a Name, &'a Goal), NoPlace> {
    state.goals.get_key_value(text).ok_or_else(|| {
        let known: Vec<String> = state.goals.keys().map(ToString::to_string).collect();
        let near = nearest(text, known.iter().map(String::as_str)).map(str::to_owned);
        NoPlace { text: text.to_owned(), near, known }
    })
}

/// That nothing is known of a place, with the one that was probably meant.
pub fn no_place(state: &State, text: &str) -> NoPlace {
    let depth = text.split('/').count();
    let all = places(state);
    let near = nearest(text, all.iter().map(String::as_str)).map(str::to_owned).or_else(|| {
        // A phase without its goal, a resource without its phase.
        let mut ends = all.iter().filter(|place| place.ends_with(&format!("/{text}")));
        let first = ends.next().cloned();
        first.filter(|_| ends.next().is_none())
    });
    let within = text.rsplit_once('/').map_or("", |(parent, _)| parent);
    let at_depth: Vec<&String> = all.iter().filter(|place| place.split('/').count() == depth).collect();
    let beside: Vec<String> = at_depth.iter().filter(|place| place.starts_with(within)).map(|place| (*place).clone()).collect();
    let known = if beside.is_empty() { state.goals.keys().map(ToString::to_string).collect() } else { beside };
    NoPlace { text: text.to_owned(), near, known }
}

/// Every place of the latest runs.
fn places(state: &State) -> Vec<String> {
    let mut all = Vec::new();
    for (name, goal) in &state.goals {
        all.push(name.to_string());
        for (ix, planned) in goal.run.iter().flat_map(|run| run.plan.indexed().map(|(ix, planned)| (run.owner(ix), planned))) {
            all.push(ix.to_string());
            all.extend(planned.spec.resources.keys().map(|resource| format!("{ix}/{resource}")));
        }
    }
    all
}
