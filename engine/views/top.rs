//! `sculpt top`: what is used now by what lives, and what was used by what has ended. The JSON form is stable: fields are only ever added.
//!
//! | place | its figures are |
//! |---|---|
//! | a command at work, a service that runs | of now, by one look at the host |
//! | an attempt that has ended, a service that has | of its end, from the journal; only of a goal that is named, and of its latest run |

use serde::Serialize;

use super::outside::Outside;
use super::replay::Replay;
use crate::base::name::Name;
use crate::kernel::action::{Effect, ProcessMark, RunId};
use crate::kernel::state::{Goal, Run};
use crate::kernel::stock::{Kind, Resource};
use crate::kernel::usage::Usage;
use crate::manifest::policy::Limits;
use crate::plan::sealed::PhaseIx;

/// What is used, place by place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Top {
    /// What lives first, then what has ended.
    pub places: Vec<Used>,
}

/// What is used at a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    /// The place: goal/phase, or goal/phase/resource.
    pub owner: String,
    /// What it is: command, process, container.
    pub kind: &'static str,
    /// The run.
    pub run: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Whether it lives.
    pub live: bool,
    /// Its memory now, in bytes; none where it has ended, or nobody can tell.
    pub memory: Option<u64>,
    /// How many processes it is now.
    pub processes: Option<u32>,
    /// The most memory that it used at one time, in bytes.
    pub peak_memory: Option<u64>,
    /// Whether that is of its largest process alone.
    pub largest_process: bool,
    /// Its processor time, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// How many of its processes the kernel has killed for want of memory.
    pub oom_kills: u32,
    /// The limits that it declares, or where it declares none of a kind its goal.
    pub limits: Limits,
}

/// What is used in all goals by what lives, or in one goal also by what has ended.
pub fn top(replay: &Replay, outside: &Outside<'_>, only: Option<&Name>) -> Top {
    let wanted = |goal: &Name| only.is_none_or(|only| only == goal);
    let mut places = Vec::new();
    for open in replay.state.effects.values().filter(|open| wanted(&open.owner.goal)) {
        if let (Effect::Work { run, phase, attempt }, Some(process)) = (&open.effect, &open.process)
            && let Some(run) = replay.state.run(run)
            && (outside.alive)(process)
        {
            let place = Place { run, phase: *phase, resource: None, attempt: *attempt };
            places.push(place.now(process, outside));
        }
    }
    for resource in replay.state.live_resources().filter(|resource| wanted(&resource.owner.goal)) {
        if let (Some(process), Some(place)) = (&resource.process, Place::of(replay, resource))
            && (outside.alive)(process)
        {
            places.push(place.now(process, outside));
        }
    }
    if let Some(goal) = only.and_then(|only| replay.state.goals.get(only)) {
        ended(&mut places, goal, replay);
    }
    Top { places }
}

fn ended(places: &mut Vec<Used>, goal: &Goal, replay: &Replay) {
    let Some(run) = &goal.run else { return };
    for (phase, _) in run.plan.indexed() {
        let entry = run.phase(phase);
        // What was carried over another run has used.
        let failed = entry.failures.iter().map(|failure| (failure.attempt, failure.usage));
        let last = entry.exit.is_some().then_some((entry.attempt, entry.usage));
        let all = failed.chain(last.filter(|(attempt, _)| entry.failures.iter().all(|failure| failure.attempt != *attempt)));
        for (attempt, usage) in all.filter(|(_, usage)| entry.carried.is_none() && !usage.is_unknown()) {
            places.push(Place { run, phase, resource: None, attempt }.ended(usage));
        }
    }
    let over = goal.resources.values().filter(|resource| resource.kind.runs() && resource.exit.is_some());
    for resource in over.filter(|resource| resource.run == run.id && !resource.usage.is_unknown()) {
        places.extend(Place::of(replay, resource).map(|place| place.ended(resource.usage)));
    }
}

/// Where something is used.
struct Place<'a> {
    run: &'a Run,
    phase: PhaseIx,
    resource: Option<&'a Name>,
    attempt: u32,
}

impl<'a> Place<'a> {
    fn of(replay: &'a Replay, resource: &'a Resource) -> Option<Self> {
        let id: &RunId = &resource.run;
        let run = replay.state.run(id)?;
        Some(Self { run, phase: resource.phase, resource: resource.owner.resource.as_ref(), attempt: resource.attempt })
    }

    fn now(&self, process: &ProcessMark, outside: &Outside<'_>) -> Used {
        let Some(now) = (outside.usage)(process) else { return self.used(true, Usage::default()) };
        Used { memory: now.memory, processes: Some(now.processes), ..self.used(true, now.usage) }
    }

    fn ended(&self, usage: Usage) -> Used {
        self.used(false, usage)
    }

    fn used(&self, live: bool, usage: Usage) -> Used {
        let owner = self.run.owner(self.phase);
        let owner = crate::base::owner::Owner { resource: self.resource.cloned(), ..owner };
        Used {
            owner: owner.to_string(),
            kind: self.kind(),
            run: self.run.id.to_string(),
            attempt: self.attempt,
            live,
            memory: None,
            processes: None,
            peak_memory: usage.peak_memory,
            largest_process: usage.largest_process,
            cpu_ms: usage.cpu_ms,
            oom_kills: usage.oom_kills,
            limits: self.limits(),
        }
    }

    fn kind(&self) -> &'static str {
        let declared = self.resource.and_then(|name| self.run.plan.phase(self.phase).resource(name));
        match (self.resource, declared) {
            (None, _) => "command",
            (Some(_), Some(declared)) => Kind::of(declared).word(),
            // What a command made in the container engine is in no plan.
            (Some(_), None) => Kind::Container.word(),
        }
    }

    /// The limits that hold there.
    fn limits(&self) -> Limits {
        let (goal, planned) = (&self.run.plan.limits, self.run.plan.phase(self.phase));
        let own = match self.resource {
            Some(name) => planned.resource(name).map_or_else(|| planned.spec.limits.clone(), |declared| declared.limits.clone()),
            None => planned.spec.limits.clone(),
        };
        let own = own.unwrap_or_default();
        if planned.is_contained(self.resource) {
            return own.within(goal);
        }
        Limits {
            memory: own.memory.or(goal.memory),
            cpus: own.cpus.or(goal.cpus),
            pids: own.pids.or(goal.pids),
            files: own.files.or(goal.files),
            enforce: own.enforce.or(goal.enforce),
        }
    }
}
