//! Health: whether a service that was ready still is.
//!
//! | it        | its check                                | then      |
//! |-----------|------------------------------------------|-----------|
//! | ready     | passes / fails, fewer than `retries` in a row / could not be asked | ready |
//! | ready     | fails, `retries` in a row                | unhealthy |
//! | unhealthy | passes                                   | ready     |
//! | unhealthy | fails, fewer than `retries` in a row / fails, `retries` in a row / could not be asked | unhealthy |
//!
//! After one that passes no failure counts any more; one that could not be asked counts for nothing, and says nothing of its service.
//! That no answer came in time is a failure: a service that hangs is not well.
//!
//! | its health                             | who asks                                                        |
//! |----------------------------------------|-----------------------------------------------------------------|
//! | the manifest's `healthcheck`           | sculpt, every `interval`, from when it is ready until it ends   |
//! | that of a container's image, or of one that a command made | the container engine, which tells of changes in its stream of events |
//! | nothing, or `disable`                  | nobody: it is ready until it ends                               |
//!
//! Who is unhealthy is not started again, as with Compose: nobody knows that this would help, and what hangs may still be at work. Its
//! goal stands regressed. A phase that needs it, and the end of a run, wait for it as long as for a service that is started again. Of the
//! answers only changes are recorded, so that how many failures counted is forgotten with the engine.

use super::action::About;
use super::answer::{Answer, Said};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::question::{Asker, Patience};
use super::record::Record;
use super::resource::ResourceState;
use super::stock::Resource;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::check::CheckKind;
use crate::manifest::phase::Phase;
use crate::manifest::resource::HealthCheck;

/// How often a health check is asked where the manifest does not say, as with Compose.
pub(super) const INTERVAL: Span = Span::seconds(30);

/// How many failures in a row make a service unhealthy where the manifest does not say, as with Compose.
pub(super) const RETRIES: u32 = 3;

/// What an answer says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// It is as it was.
    Same,
    /// It is well again.
    Recovers,
    /// It is no longer well.
    Sickens,
}

impl Health {
    /// What an answer says of a service that is ready, or unhealthy, after so many failures in a row, and how many there are now.
    pub const fn of(ready: bool, failures: u32, retries: u32, said: Said, in_time: bool) -> (Self, u32) {
        match said {
            Said::Pass if ready => (Self::Same, 0),
            Said::Pass => (Self::Recovers, 0),
            Said::Unknown if in_time => (Self::Same, failures),
            Said::Fail | Said::Unknown => {
                let failures = failures.saturating_add(1);
                let sickens = ready && failures >= retries;
                (if sickens { Self::Sickens } else { Self::Same }, failures)
            }
        }
    }
}

impl HealthCheck {
    /// Whether it says what is asked. Where it does not, readiness is a look at the service itself, and nothing is asked afterwards.
    fn asks(&self) -> bool {
        !self.is_off() && (self.test.is_some() || self.kind != CheckKind::default())
    }
}

impl Resource {
    /// Whether it runs, was ready, and is not to be started again.
    pub(super) fn is_up(&self) -> bool {
        let stands = matches!(self.state, ResourceState::Ready | ResourceState::Unhealthy);
        stands && self.process.is_some() && self.exit.is_none() && self.restarts.next.is_none()
    }

    /// Folds its end: its recovery is waited for no longer. Whether it is started again is another matter, with a time of its own.
    pub(super) fn recovers_no_more(&mut self) {
        if self.is_sick() {
            self.restarts.away = None;
        }
    }

    /// Whether it runs and is unhealthy.
    pub fn is_sick(&self) -> bool {
        self.state == ResourceState::Unhealthy && self.is_up()
    }
}

/// How long it may take until a service that is asked has answered once more.
pub(super) fn next_answer(spec: &Phase, name: &Name) -> Span {
    let health = spec.resources.get(name).and_then(|resource| resource.healthcheck.as_ref());
    let interval = health.and_then(|health| health.interval).unwrap_or(INTERVAL);
    let timeout = health.and_then(|health| health.timeout).unwrap_or(super::readiness::LOOK_TIMEOUT);
    Span(interval.0.saturating_add(timeout.0))
}

impl Turn<'_> {
    /// A service is ready: from now on it is asked whether it still is.
    pub(super) fn ready(&mut self, owner: &Owner, evidence: String) {
        self.service_is_ready(owner.clone(), evidence);
        self.watch_health(owner);
        let container = self.state.resource(owner).and_then(|made| made.process.as_ref()?.container.clone());
        // It may have been told before this was known.
        if container.is_some_and(|id| self.live.sick.contains(&id)) && self.is_told_of(owner) {
            self.sickens(owner, "the container is unhealthy".to_owned());
        }
    }

    /// Begins to ask whether a service is well, where its manifest says how.
    pub(super) fn watch_health(&mut self, owner: &Owner) {
        let Some(made) = self.state.resource(owner).filter(|made| made.is_up()) else { return };
        let at = At { run: made.run.clone(), phase: made.phase };
        self.promise_recovery(owner);
        let Some(name) = owner.resource.clone() else { return };
        let made = self.state.resource(owner);
        let Some(health) = made.and_then(|made| self.health_check(made)).filter(|health| health.asks()) else { return };
        let (timeout, interval) = (health.timeout.unwrap_or(super::readiness::LOOK_TIMEOUT), health.interval.unwrap_or(INTERVAL));
        let about = About::Ready { run: at.run.clone(), phase: at.phase, resource: name.clone() };
        let patience = Patience { timeout, retries: None, interval: (interval, interval), until: None };
        self.live.failures.remove(owner);
        self.stand(about, Asker::Health { at, resource: name }, patience);
    }

    /// A health check has an answer. False where there is nothing to ask about any more.
    pub(super) fn health_answered(&mut self, at: &At, name: &Name, answer: &Answer) -> bool {
        let Some(owner) = self.owner(at).map(|place| Owner { resource: Some(name.clone()), ..place }) else { return false };
        let Some(made) = self.state.resource(&owner).filter(|made| made.is_up() && made.run == at.run) else { return false };
        let retries = self.health_check(made).and_then(|health| health.retries).unwrap_or(RETRIES);
        let ready = made.state == ResourceState::Ready;
        let counted = self.live.failures.get(&owner).copied().unwrap_or_default();
        let (health, counts) = Health::of(ready, counted, retries, answer.said, answer.fault != Some(Fault::TimedOut));
        self.live.failures.insert(owner.clone(), counts);
        match health {
            Health::Same => {}
            Health::Recovers => self.recovers(&owner, answer.evidence.clone()),
            Health::Sickens => self.sickens(&owner, answer.evidence.clone()),
        }
        true
    }

    /// The container engine tells of the health of a container, by its id.
    pub(super) fn health_told(&mut self, container: &str, well: bool) {
        let is_it = |made: &&Resource| made.process.as_ref().and_then(|process| process.container.as_deref()) == Some(container);
        let Some(made) = self.state.live_resources().find(is_it) else { return };
        let (owner, ready, up) = (made.owner.clone(), made.state == ResourceState::Ready, made.is_up());
        if well {
            self.live.sick.remove(container);
        } else {
            self.live.sick.insert(container.to_owned());
        }
        match (ready, well) {
            _ if !up || !self.is_told_of(&owner) => {}
            (true, false) => self.sickens(&owner, "the container is unhealthy".to_owned()),
            (false, true) => self.recovers(&owner, "the container is healthy".to_owned()),
            (true, true) | (false, false) => {}
        }
    }

    /// A service has ended: what is known of its health was its own.
    pub(super) fn forget_health(&mut self, owner: &Owner) {
        self.live.failures.remove(owner);
        if let Some(id) = self.state.resource(owner).and_then(|made| made.process.as_ref()?.container.as_ref()) {
            self.live.sick.remove(id);
        }
    }

    /// Whether the container engine's word on a container's health counts: not where its manifest has a check of its own, or wants none.
    fn is_told_of(&self, owner: &Owner) -> bool {
        self.state.resource(owner).is_some_and(|made| self.health_check(made).is_none())
    }

    fn health_check(&self, made: &Resource) -> Option<&HealthCheck> {
        let planned = self.run(&made.run)?.plan.phases.get(made.phase.at())?;
        planned.resource(made.owner.resource.as_ref()?)?.healthcheck.as_ref()
    }

    fn sickens(&mut self, owner: &Owner, evidence: String) {
        self.record(Record::ResourceUnhealthy { owner: owner.clone(), evidence });
        self.promise_recovery(owner);
    }

    fn recovers(&mut self, owner: &Owner, evidence: String) {
        self.record(Record::ResourceReady { owner: owner.clone(), evidence });
        self.returned(owner);
    }

    /// Sets when whoever waits for the recovery of a service waits no longer.
    fn promise_recovery(&mut self, owner: &Owner) {
        let by = self.state.resource(owner).filter(|made| made.is_sick()).and_then(|made| self.state.back_by(made));
        if let Some(by) = by.filter(|by| *by > self.now) {
            self.set_deadline(by, Deadline::Restart { owner: owner.clone() });
        }
    }
}
