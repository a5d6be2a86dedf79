//! Why a resource stands as it does.

use super::super::leaks::leak_status;
use super::super::outside::Outside;
use super::super::restarts::restarts;
use super::super::suspects::suspected;
use super::Explanation;
use super::phase::{exit_words, tell_suspects};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::resource::ResourceState;
use crate::kernel::state::{Goal, Run};
use crate::kernel::stock::Resource;
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

pub(super) fn explain(
    explanation: &mut Explanation,
    goal: Option<&Goal>,
    (run, ix): (&Run, PhaseIx),
    name: &Name,
    made: Option<&Resource>,
    outside: &Outside<'_>,
) {
    let Some(resource) = made else {
        let owner = Owner::resource(&run.plan.goal, &run.plan.phase(ix).name, name);
        ResourceState::Declared.word().clone_into(&mut explanation.state);
        explanation.say(format!("{owner} is declared, and was never made: its phase is {}.", run.phase(ix).state.word()));
        explanation.hint(format!("see why: `sculpt why {}`", run.owner(ix)));
        return;
    };
    let now = outside.look(resource);
    now.state.word().clone_into(&mut explanation.state);
    let evidence = if now.evidence.is_empty() { String::new() } else { format!(": {}", now.evidence) };
    let since = (outside.now - resource.since).human();
    explanation.say(format!("{} has been {} for {since}{evidence}.", resource.owner, now.state.word()));
    if let Some(exit) = resource.exit {
        explanation.say(format!("Its process ended with {}.", exit_words(exit)));
    }
    let verb = match (resource.kind, resource.created) {
        (kind, _) if kind.runs() => "started",
        (_, true) => "made",
        (_, false) => "found, and is not owned: it will never be removed. It was first used",
    };
    explanation.say(format!("It was {verb} by attempt {} of {} in {}.", resource.attempt, run.plan.phase(ix).name, resource.run));
    if now.state.is_live() {
        if let Some(pid) = now.pid {
            explanation.say(format!("Its main process is {pid}."));
        }
        explanation.say(match (resource.scope, resource.keep) {
            (Scope::Goal, false) => format!("It lives until `sculpt down {}`.", resource.owner.goal),
            (Scope::Goal, true) => format!("It lives until `sculpt down {} --volumes`.", resource.owner.goal),
            (Scope::Phase, _) => "It ends with the attempt that made it.".to_owned(),
        });
    }
    if let Some(told) = restarts(resource, outside) {
        explanation.say(format!("It {}.", told.sentence()));
    }
    leak_at(explanation, goal, &resource.owner, outside);
    tell_suspects(explanation, goal.map(|goal| suspected(goal, outside)).unwrap_or_default(), &resource.owner);
    if let Some(evicted) = &resource.evicted {
        explanation.say(format!("It was ended although its goal is up, since it is `evictable`: {evicted}."));
        if !resource.kind.runs() {
            explanation.hint(format!("make it again: `sculpt run {}`", run.plan.manifest));
        }
    }
    if resource.kind.runs() && now.state != ResourceState::Ready {
        explanation.hint(format!("see what it said: `sculpt logs {}`", resource.owner));
        explanation.hint(format!("start it again: `sculpt run {}`", run.plan.manifest));
    }
}

/// That a place leaks, and when it is tried again.
pub(super) fn leak_at(explanation: &mut Explanation, goal: Option<&Goal>, owner: &Owner, outside: &Outside<'_>) {
    let Some((_, leak)) = goal.and_then(|goal| goal.leaks().find(|(place, _)| *place == owner)) else { return };
    explanation.say(format!("{owner} leaks: {}.", leak_status(owner, leak, outside).words()));
    explanation.hint("try it again now: `sculpt gc`");
}
