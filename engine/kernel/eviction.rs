//! What may be evicted: `evictable: true` of a goal that is at rest, where nothing needs it that stays.
//!
//! | needs another live resource of its goal | because |
//! |---|---|
//! | what comes later in the same phase | it was made beside the other |
//! | what was made by a phase that comes after the other's | that phase was given what the other's made |
//! | a container that mounts or joins it by its name | it holds it |
//! | what a plan made that does not know the other's phase | nobody can tell |
//!
//! What a run within one of the goal's made, and is still there, needs all of it; and so may the goals within whose runs this one ran.

use std::collections::HashSet;

use super::collection::Pick;
use super::outcome::Outcome;
use super::resource::ResourceState;
use super::state::{Goal, Run, State, goal_of};
use super::stock::Resource;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

impl State {
    /// The evictable resources of a goal that is at rest which nothing needs that stays, the last made first.
    pub(super) fn idle(&self, name: &Name, goal: &Goal, left: &[Pick]) -> Vec<Owner> {
        let inner = self.goals_with_inner(name).filter(|inner| *inner != name);
        let around = self.around(goal.run.as_ref().and_then(|run| run.options.parent.as_ref())).map(|parent| goal_of(&parent.run));
        let related = inner.map(Name::as_str).chain(around).filter_map(|name| self.goals.get(name));
        let occupied = related.into_iter().any(|other| other.is_running() || other.live_resources().next().is_some());
        if goal.down || occupied {
            return Vec::new();
        }
        let goes = |owner: &Owner| left.iter().any(|pick| pick.owner == *owner);
        let live: Vec<&Resource> = goal.live_resources().filter(|resource| !goes(&resource.owner)).collect();
        let mut idle: Vec<&Resource> = live.iter().copied().filter(|resource| self.may_be_evicted(resource)).collect();
        loop {
            let stays = |other: &&&Resource| !idle.iter().any(|resource| resource.owner == other.owner);
            let needed: Vec<Owner> = (idle.iter().copied())
                .filter(|resource| live.iter().filter(stays).any(|other| self.needs(other, resource)))
                .map(|resource| resource.owner.clone())
                .collect();
            if needed.is_empty() {
                break;
            }
            idle.retain(|resource| !needed.contains(&resource.owner));
        }
        idle.sort_by_key(|resource| std::cmp::Reverse(resource.rank));
        idle.into_iter().map(|resource| resource.owner.clone()).collect()
    }

    /// Whether a live resource is one that its manifest lets go.
    fn may_be_evicted(&self, resource: &Resource) -> bool {
        let Some(run) = self.run(&resource.run) else { return false };
        let Some(planned) = run.plan.phases.get(resource.phase.at()) else { return false };
        let declared = resource.owner.resource.as_ref().and_then(|name| planned.resource(name));
        let entry = run.phases.get(resource.phase.at()).filter(|entry| entry.attempt == resource.attempt);
        let unknown = entry.is_none_or(|entry| matches!(entry.state.outcome(), None | Some(Outcome::Unknown)));
        declared.is_some_and(|declared| declared.evictable == Some(true))
            && resource.scope == Scope::Goal
            && resource.state != ResourceState::Stopping
            && (resource.kind.runs() || resource.is_owned())
            && !resource.keep
            && !unknown
    }

    /// Whether one live resource of a goal may need another: its phase comes after the other's or it comes later in the same one, or it
    /// names the other. What was made by another plan may need anything.
    fn needs(&self, one: &Resource, other: &Resource) -> bool {
        if one.owner.phase == other.owner.phase {
            return one.rank > other.rank;
        }
        let Some(run) = self.run(&one.run) else { return true };
        let (Some(from), Some(to)) = (&one.owner.phase, &other.owner.phase) else { return true };
        let (Some((from, planned)), Some((to, _))) = (run.plan.find(from.as_str()), run.plan.find(to.as_str())) else { return true };
        let container =
            one.owner.resource.as_ref().and_then(|name| planned.resource(name)).and_then(|declared| declared.container.as_ref());
        let names = container.is_some_and(|container| {
            let named = other.owner.resource.as_ref().map_or("", Name::as_str);
            let volumes = container.volumes.iter().filter_map(|mount| mount.split(':').next());
            volumes.chain(container.networks.iter().map(Name::as_str)).any(|name| name == named)
        });
        names || is_upstream(run, to, from)
    }
}

/// Whether a phase must have ended before another begins, however far.
fn is_upstream(run: &Run, earlier: PhaseIx, later: PhaseIx) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![later];
    while let Some(ix) = open.pop() {
        for edge in &run.plan.phase(ix).needs {
            if edge.phase == earlier {
                return true;
            }
            if seen.insert(edge.phase) {
                open.push(edge.phase);
            }
        }
    }
    false
}
