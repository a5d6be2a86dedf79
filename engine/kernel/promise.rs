//! Promises of memory: what is alive and has declared how much it may use.
//!
//! | alive                                            | promised                                      |
//! |--------------------------------------------------|-----------------------------------------------|
//! | a phase at work                                  | all that it declares, from its admission on   |
//! | a process or a container of any other phase      | its own limit                                 |
//! | all of a goal that declares a limit of its own   | at most that                                  |
//! | a container that has its goal's limit for itself | its own limit, else that, beside all others   |
//! | anything that declares nothing                   | nothing: it shares its goal's limit           |

use super::phase::PhaseState;
use super::resource::ResourceState;
use super::state::{Goal, Run, State};
use super::stock::Resource;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::resource::Scope;
use crate::plan::memory::of_service;
use crate::plan::sealed::PhaseIx;

/// Memory that is promised to something alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The phase at work, or the resource.
    pub owner: Owner,
    /// How much, in bytes.
    pub memory: u64,
    /// True where its end is not in sight: it lives with its goal, or its phase waits for a person, or for nobody any more.
    pub lasts: bool,
}

/// What is promised to everything alive of a goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalPromises {
    /// The goal.
    pub goal: Name,
    /// What it may use in all, in bytes, where it says so.
    pub most: Option<u64>,
    /// The promises, phases at work first.
    pub promises: Vec<Promise>,
}

impl GoalPromises {
    /// How much is promised to those that count, and to so much more, in bytes: at most what the goal may use.
    pub fn sum(&self, more: u64, counts: impl Fn(&Promise) -> bool) -> u64 {
        let sum = self.promises.iter().filter(|promise| counts(promise)).fold(more, |sum, promise| sum.saturating_add(promise.memory));
        self.most.map_or(sum, |most| sum.min(most))
    }
}

impl State {
    /// What memory is promised to, goal by goal, by what the journal knows.
    pub fn promises(&self) -> Vec<GoalPromises> {
        self.promises_of(|run| {
            let at_work = run.plan.indexed().map(|(ix, _)| ix).filter(|ix| run.phase(*ix).state == PhaseState::Running);
            at_work.collect()
        })
    }

    /// The same where it is known which phases of a run are at work.
    pub(super) fn promises_of(&self, at_work: impl Fn(&Run) -> Vec<PhaseIx>) -> Vec<GoalPromises> {
        let goals = self.goals.iter().map(|(name, goal)| self.of_goal(name, goal, &at_work));
        goals.filter(|goal| !goal.promises.is_empty()).collect()
    }

    fn of_goal(&self, name: &Name, goal: &Goal, at_work: impl Fn(&Run) -> Vec<PhaseIx>) -> GoalPromises {
        let run = goal.run.as_ref();
        let mut promises = Vec::new();
        let mut working: Vec<&Name> = Vec::new();
        if let Some(run) = run.filter(|run| run.ended.is_none()) {
            for phase in at_work(run) {
                let planned = run.plan.phase(phase);
                working.push(&planned.name);
                promises.push(Promise { owner: run.owner(phase), memory: planned.memory(run.each_container()), lasts: false });
            }
        }
        let others = goal.live_resources().filter(|made| made.kind.runs());
        let others = others.filter(|made| made.owner.phase.as_ref().is_none_or(|phase| !working.contains(&phase)));
        promises.extend(others.map(|made| Promise { owner: made.owner.clone(), memory: self.declared(made), lasts: lasts(run, made) }));
        promises.retain(|promise| promise.memory > 0);
        GoalPromises { goal: name.clone(), most: run.and_then(Run::most_memory), promises }
    }

    /// What a resource declares, by the plan that it was made by.
    fn declared(&self, made: &Resource) -> u64 {
        let Some(run) = self.run(&made.run) else { return 0 };
        let planned = run.plan.phases.get(made.phase.at());
        let declared = planned.zip(made.owner.resource.as_ref()).and_then(|(planned, name)| planned.resource(name));
        declared.map_or(0, |declared| of_service(declared, run.each_container()))
    }
}

impl Run {
    /// The memory that all of it together may use, in bytes; none where it declares no limit, or each of its containers has that for itself.
    pub(super) fn most_memory(&self) -> Option<u64> {
        self.plan.most_memory().filter(|_| !self.options.apart)
    }

    /// The memory that each of its containers may use that declares none, in bytes; none where it is a part of what all may use together.
    pub(super) fn each_container(&self) -> Option<u64> {
        self.plan.most_memory().filter(|_| self.options.apart)
    }
}

/// Whether the end of a resource is not in sight.
fn lasts(run: Option<&Run>, made: &Resource) -> bool {
    let verifying = run.filter(|run| run.id == made.run).is_some_and(|run| run.phase(made.phase).state == PhaseState::Verifying);
    made.state != ResourceState::Stopping && (made.scope == Scope::Goal || !verifying)
}
