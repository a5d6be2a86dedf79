//! Readiness: when a process resource may be relied on, and what it means that one ends.

use super::action::{About, EffectId, Exit, Seen};
use super::answer::{Answer, Said};
use super::attempt::Doing;
use super::fault::Fault;
use super::input::At;
use super::question::{Asker, Patience};
use super::resource::ResourceState;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::kind::Kind;
use crate::manifest::phase::Phase;
use crate::manifest::resource::{HealthCheck, Scope};
use crate::plan::sealed::Step;

/// How long a resource may take to become ready where the manifest does not say.
pub const DEFAULT_READINESS: Span = Span::seconds(120);

/// The first and the longest pause between two looks at something that is starting.
const START_INTERVAL: (Span, Span) = (Span(20), Span(500));

/// How long one look may take where the health check does not say.
pub(super) const LOOK_TIMEOUT: Span = Span::seconds(30);

/// The longest pause between two looks at something that was started again, whose readiness nobody but the goal's standing waits for.
const RETURN_INTERVAL: Span = Span::seconds(5);

/// How long a service may take to become ready.
pub(super) fn patience(spec: &Phase, name: &Name) -> Span {
    let health = spec.resources.get(name).and_then(|resource| resource.healthcheck.as_ref());
    health.and_then(health_patience).or(spec.timeout).unwrap_or(DEFAULT_READINESS)
}

/// How long a health check waits for the first success: Compose's `start_period + retries × interval`; none where it says nothing of it.
fn health_patience(health: &HealthCheck) -> Option<Span> {
    if health.start_period.is_none() && health.retries.is_none() && health.interval.is_none() {
        return None;
    }
    let interval = health.interval.unwrap_or(super::health::INTERVAL);
    let failures = interval.0.saturating_mul(u64::from(health.retries.unwrap_or(super::health::RETRIES)));
    Some(Span(health.start_period.unwrap_or_default().0.saturating_add(failures)))
}

impl Turn<'_> {
    /// Waits until a service is ready.
    pub(super) fn wait_ready(&mut self, at: &At, name: &Name) {
        if let Some(exit) = self.live.attempt(at).and_then(|attempt| attempt.exits.get(name).copied()) {
            return self.service_ended(at, name, &format!("{name} ended with {exit} before it was ready"));
        }
        self.ask_ready(at, at, name);
    }

    /// Asks for an attempt whether a service is ready, as the plan of the run declares that has started it.
    pub(super) fn ask_ready(&mut self, at: &At, of: &At, name: &Name) {
        let Some(run) = self.run(&of.run) else { return };
        let spec = &run.plan.phase(of.phase).spec;
        let health = spec.resources.get(name).and_then(|resource| resource.healthcheck.as_ref());
        let patience = patience(spec, name);
        let timeout = health.and_then(|health| health.timeout).unwrap_or(LOOK_TIMEOUT);
        let interval = health.and_then(|health| health.start_interval).map_or(START_INTERVAL, |interval| (interval, interval));
        let about = About::Ready { run: of.run.clone(), phase: of.phase, resource: name.clone() };
        let asker = Asker::Ready { at: at.clone(), resource: name.clone() };
        self.ask(about, asker, Patience { timeout, retries: None, interval, until: Some(self.now + patience) });
    }

    /// Asks whether a service that was started again is ready, until it is, or has ended. Whoever needs it waits no longer than it may take.
    pub(super) fn ask_until_ready(&mut self, at: At, name: Name) {
        let Some(run) = self.run(&at.run) else { return };
        let health = run.plan.phase(at.phase).spec.resources.get(&name).and_then(|resource| resource.healthcheck.as_ref());
        let timeout = health.and_then(|health| health.timeout).unwrap_or(LOOK_TIMEOUT);
        let first = health.and_then(|health| health.start_interval).unwrap_or(START_INTERVAL.0);
        let about = About::Ready { run: at.run.clone(), phase: at.phase, resource: name.clone() };
        let interval = (first, RETURN_INTERVAL.max(first));
        self.ask(about, Asker::Returned { at, resource: name }, Patience { timeout, retries: None, interval, until: None });
    }

    /// A readiness has its answer.
    pub(super) fn ready_answered(&mut self, at: &At, name: &Name, answer: Answer) {
        let Some(owner) = self.owner(at) else { return };
        let index = match self.live.attempt(at).map(|attempt| attempt.doing) {
            Some(Doing::Stepping(index)) => index,
            Some(Doing::RollingBack(index)) => return self.back_answered(at, index, name, answer),
            _ => return,
        };
        let owner = Owner { resource: Some(name.clone()), ..owner };
        if answer.said == Said::Pass {
            if self.is_there(&owner) {
                self.ready(&owner, answer.evidence);
            }
            self.take_step(at, index + 1);
        } else {
            self.fail(at, Fault::NotReady, format!("{name} was not ready in time: {}", answer.evidence));
        }
    }

    /// What an answer says of a service that an attempt waits for: one that is away is not ready, whoever has answered in its place.
    pub(super) fn of_what_is_there(&self, asker: &Asker, answer: Answer) -> Answer {
        let Asker::Ready { at, resource } = asker else { return answer };
        let Some(owner) = self.owner(at).map(|place| Owner { resource: Some(resource.clone()), ..place }) else { return answer };
        let ready = || self.state.resource(&owner).is_some_and(|made| made.state == ResourceState::Ready);
        if answer.said != Said::Pass || self.is_there(&owner) || ready() {
            return answer;
        }
        Answer::fail(Fault::NotReady, "it has ended, and is not started again yet")
    }

    /// Whether a service runs that is not known to be ready.
    pub(super) fn is_there(&self, owner: &Owner) -> bool {
        self.state.resource(owner).is_some_and(|made| made.state == ResourceState::Creating && made.process.is_some())
    }

    /// Waits until a service has ended well.
    pub(super) fn wait_complete(&mut self, at: &At, name: &Name) {
        let Some(attempt) = self.live.attempt(at) else { return };
        let Doing::Stepping(index) = attempt.doing else { return };
        match attempt.exits.get(name) {
            Some(exit) if exit.is_success() => self.take_step(at, index + 1),
            Some(exit) => {
                let why = format!("{name} should have ended well, but ended with {exit}");
                self.service_ended(at, name, &why);
            }
            None => {}
        }
    }

    /// A service has ended that should run, or not so: where the kernel has killed it for want of memory, that is why.
    fn service_ended(&mut self, at: &At, name: &Name, why: &str) {
        let owner = self.owner(at).map(|owner| Owner { resource: Some(name.clone()), ..owner });
        let made = owner.and_then(|owner| self.state.resource(&owner));
        let usage = made.map(|resource| resource.usage).unwrap_or_default();
        let why = match made.and_then(|resource| resource.restarts.given_up.as_ref()) {
            Some(given_up) => &format!("{why}; {given_up}"),
            None => why,
        };
        match self.state.want_of_memory(&at.run, at.phase, Some(name), &usage) {
            Some(want) => self.fail(at, Fault::OutOfMemory, format!("{name} was {want} ({why})")),
            None => self.fail(at, Fault::ServiceExited, why.to_owned()),
        }
    }

    /// A service that an attempt has started will not be started again, although it was promised: it has ended for good.
    pub(super) fn service_stays_down(&mut self, at: &At, name: &Name, exit: Exit) {
        let Some(attempt) = self.live.attempt(at) else { return };
        attempt.services.remove(name);
        attempt.exits.insert(name.clone(), exit);
        let index = match attempt.doing {
            Doing::Stepping(index) => index,
            Doing::Closing => return self.try_close(at),
            Doing::RollingBack(_) => {
                return self
                    .step_back_saw(at, &Seen::Failed { fault: Fault::ServiceExited, evidence: format!("{name} ended with {exit}") });
            }
            _ => return,
        };
        match self.run(&at.run).and_then(|run| run.plan.phase(at.phase).steps.get(index)) {
            Some(Step::Complete(waited)) if waited == name => self.wait_complete(at, name),
            Some(Step::Ready(waited)) if waited == name => self.wait_ready(at, name),
            _ => {}
        }
    }

    /// Something was seen of a service that this engine started.
    /// Where that is a matter of its restarts, nobody waits for its end.
    pub(super) fn service_saw(&mut self, at: &At, name: &Name, (id, restarts): (EffectId, bool), seen: &Seen) {
        if restarts {
            return self.service_returns(at, name, id);
        }
        let exit = match seen {
            Seen::Exited { exit, .. } => Some(*exit),
            Seen::Failed { .. } => Some(Exit::Unseen),
            _ => None,
        };
        // An earlier attempt's service is nobody's business here.
        let Some(attempt) = self.live.attempt(at).filter(|attempt| attempt.services.get(name) == Some(&id)) else { return };
        if let Some(exit) = exit {
            attempt.services.remove(name);
            attempt.exits.insert(name.clone(), exit);
        }
        let started = attempt.making == Some(id) && attempt.making.take().is_some();
        let index = match attempt.doing {
            Doing::Stepping(index) => index,
            Doing::Closing if started => return self.sweep(at),
            Doing::Closing => return self.try_close(at),
            Doing::RollingBack(_) => return self.step_back_saw(at, seen),
            _ => return,
        };
        let Some(step) = self.run(&at.run).and_then(|run| run.plan.phase(at.phase).steps.get(index).cloned()) else { return };
        match (seen, step) {
            // One that is seen to end before it is seen to start has started: what waits for it sees its exit.
            (Seen::Started { .. } | Seen::Exited { .. }, Step::Serve(serving)) if serving == *name => self.take_step(at, index + 1),
            (Seen::Failed { fault, evidence }, Step::Serve(waited) | Step::Ready(waited) | Step::Complete(waited)) if waited == *name => {
                self.fail(at, *fault, evidence.clone());
            }
            (Seen::Exited { .. }, Step::Complete(waited)) if waited == *name => self.wait_complete(at, name),
            (Seen::Exited { exit, .. }, Step::Ready(waited)) if waited == *name => {
                self.service_ended(at, name, &format!("{name} ended with {exit} before it was ready"));
            }
            _ => {}
        }
    }

    /// A service of an attempt is started again, or has been: its readiness is waited for as before.
    fn service_returns(&mut self, at: &At, name: &Name, id: EffectId) {
        let Some(attempt) = self.live.attempt(at) else { return };
        if attempt.services.get(name) == Some(&id) && !self.state.effects.contains_key(&id) {
            attempt.services.remove(name);
        }
        let started = attempt.making == Some(id) && attempt.making.take().is_some();
        match attempt.doing {
            // It was seen to end before it was seen to start: it has started.
            Doing::Stepping(index) if started => self.take_step(at, index + 1),
            Doing::RollingBack(index) if started => self.step_back(at, index + 1),
            Doing::Closing if started => self.sweep(at),
            Doing::Closing => self.try_close(at),
            _ => {}
        }
    }

    /// A promise of this phase that is no longer kept, in words. One that is away and may still be back in time is kept.
    pub(super) fn dead_promise(&self, at: &At) -> Option<(Fault, String)> {
        let run = self.run(&at.run)?;
        let planned = run.plan.phase(at.phase);
        let promised = planned.spec.resources.iter().filter(|(_, declared)| declared.scope == Scope::Goal && Kind::of(declared).runs());
        promised.into_iter().find_map(|(name, _)| {
            let owner = Owner::resource(&run.plan.goal, &planned.name, name);
            let resource = self.state.resource(&owner)?;
            // One that has to end well keeps its promise by ending well.
            let completes = planned.completes(name);
            if completes && resource.exit.is_some_and(Exit::is_success) {
                return None;
            }
            if self.state.is_coming_back(resource, self.now) {
                return None;
            }
            let fault = match resource.usage.oom_kills {
                0 if resource.is_sick() => Fault::NotReady,
                0 => Fault::ServiceExited,
                _ => Fault::OutOfMemory,
            };
            let how = match resource.exit {
                Some(_) if fault == Fault::OutOfMemory => format!("was {}", resource.evidence),
                Some(exit @ (Exit::Code(_) | Exit::Signal(_))) => format!("ended with {exit}"),
                Some(Exit::Unseen) | None => resource.evidence.clone(),
            };
            let how = match (&resource.restarts.given_up, resource.restarts.away) {
                (Some(why), _) => format!("stays down: {why}"),
                (None, Some(_)) if resource.is_sick() => format!("is unhealthy: {}", resource.evidence),
                (None, Some(_)) => format!("was started again ({}), and is not ready again", resource.restarts.why),
                (None, None) => how,
            };
            let gone = !resource.state.is_live() || resource.exit.is_some() || resource.restarts.away.is_some();
            (gone && !resource.ended_by_us).then(|| (fault, format!("{owner} {how}")))
        })
    }
}
