//! How an attempt ends: what it must not leave is ended first, then it gets its outcome.

use super::action::{Effect, EffectId, StopPolicy};
use super::attempt::{Attempt, Doing, Ending, Swept};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::live::Waiter;
use super::outcome::{Outcome, Proof};
use super::record::Record;
use super::resource::ResourceState;
use super::teardown::{For, Target, kill, trouble};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::resource::{Resource, Scope};
use crate::plan::sealed::Step;

impl Turn<'_> {
    /// Decides how the attempt ends, and ends what it started.
    ///
    /// A failed or cancelled attempt takes everything that it started. One that ends well keeps what outlives the run.
    /// One that ends unknown keeps all of it for the person to see.
    pub(super) fn close(&mut self, at: &At, ending: Ending) {
        if matches!(self.live.attempt(at).map(|attempt| attempt.doing), Some(Doing::RollingBack(_))) {
            return self.hurry_back(at);
        }
        self.close_questions_of(at);
        let forced = self.live.runs.get(&at.run).is_some_and(|run| run.forced);
        let Some(attempt) = self.live.attempt(at) else { return };
        if let Some(decided) = &mut attempt.ending {
            // Whatever ends the phase outweighs a further attempt.
            if matches!((&decided, &ending), (Ending::Again { .. }, Ending::Phase { .. })) {
                *decided = ending;
                self.record_closing(at);
            }
            return;
        }
        attempt.ending = Some(ending);
        let doing = std::mem::replace(&mut attempt.doing, Doing::Closing);
        // What is still being ended is at work, and holds its slot.
        if attempt.work.is_none() && attempt.making.is_none() {
            self.free_slot(at);
        } else if let Some(making) = attempt.making {
            // It is ended, or removed, once it is there. A command that makes something is not waited for to its own end.
            self.record_closing(at);
            if let Doing::Stepping(index) = doing {
                self.stop_making(at, index, making, forced);
            }
            return;
        }
        self.sweep(at);
    }

    /// Ends the command that makes a custom resource, and the making of an image; everything else is made in no time.
    fn stop_making(&mut self, at: &At, index: usize, making: EffectId, forced: bool) {
        let Some(owner) = self.state.effects.get(&making).map(|open| open.owner.clone()) else { return };
        let Some(planned) = self.run(&at.run).map(|run| run.plan.phase(at.phase)) else { return };
        let name = planned.steps.get(index).and_then(Step::resource);
        let takes_long = |declared: &Resource| declared.custom.is_some() || declared.container.is_some();
        if name.and_then(|name| planned.resource(name)).is_some_and(takes_long) {
            let stop = if forced { StopPolicy::KILL } else { StopPolicy::TERM };
            self.request(owner, Effect::End { stop }, Waiter::Nobody);
        }
    }

    /// Ends what the attempt must not leave.
    pub(super) fn sweep(&mut self, at: &At) {
        if self.stop_within(at) {
            return;
        }
        let forced = self.live.runs.get(&at.run).is_some_and(|run| run.forced);
        let Some(attempt) = self.live.attempt(at) else { return };
        let (working, survived, checking) = (attempt.work.is_some(), attempt.survived, !attempt.dismissed.is_empty());
        let (keeps_goal, keeps_phase) = match &attempt.ending {
            Some(Ending::Phase { outcome: Outcome::Verified | Outcome::Unverified, .. }) => (true, false),
            Some(Ending::Phase { outcome: Outcome::Unknown, .. }) => (true, true),
            _ => (false, false),
        };
        if !working {
            self.free_slot(at);
        }
        let Some(run) = self.run(&at.run) else { return };
        let (number, owner) = (run.phase(at.phase).attempt, run.owner(at.phase));
        let mut targets = self.targets_at(at, |resource| {
            let mine = resource.run == at.run && resource.attempt == number && number > 0;
            let kept = match resource.scope {
                Scope::Goal => keeps_goal || resource.keep && (!resource.kind.runs() || resource.caught.is_some()),
                Scope::Phase => keeps_phase || resource.keep,
            };
            mine && !kept
        });
        if !keeps_goal && !keeps_phase {
            targets.extend(self.targets_within(at));
        }
        let services = targets.iter().filter_map(|(_, target)| target.service().cloned()).collect::<Vec<Owner>>();
        // Of what is ended with the attempt nobody is asked any more how it is.
        let mut asking = false;
        for service in &services {
            asking |= self.stop_asking(service);
        }
        if working || survived || checking || asking {
            // The command of a check is killed however gently the place is ended.
            let stop = if survived || !working { StopPolicy::KILL } else { StopPolicy::TERM };
            // Above every resource: the command is ended before what it uses.
            targets.push(((u32::MAX, u32::MAX), Target::Processes(owner, stop)));
        }
        if forced {
            kill(targets.iter_mut().map(|(_, target)| target));
        }
        if !targets.is_empty() {
            self.record_closing(at);
        }
        self.tear_down(For::Attempt(at.clone()), targets);
    }

    /// Writes down how the attempt will have ended: who goes on after an engine's death could not tell it from what is being torn down.
    pub(super) fn record_closing(&mut self, at: &At) {
        let Some(ending) = self.live.attempt(at).and_then(|attempt| attempt.ending.clone()) else { return };
        if self.run(&at.run).is_some_and(|run| run.phase(at.phase).closing.as_ref() != Some(&ending)) {
            self.record(Record::Closing { run: at.run.clone(), phase: at.phase, ending });
        }
    }

    /// The teardown at the attempt's end is over.
    pub(super) fn attempt_closed(&mut self, at: &At, survivors: &[u32], unremoved: &[String]) {
        let dismissed = self.live.attempt(at).map(|attempt| std::mem::take(&mut attempt.dismissed)).unwrap_or_default();
        for permit in dismissed {
            self.end_permit(permit);
        }
        let Some(attempt) = self.live.attempt(at) else { return };
        attempt.swept = Swept::Clean;
        // A cleanup that fails is never recorded as done: it turns what looked well into an unknown.
        if let Some((fault, trouble)) = trouble(survivors, unremoved) {
            attempt.swept = Swept::GivenUp;
            // Its exit may never be seen, and nobody waits for it any more.
            let work = attempt.work;
            let (outcome, why) = match &attempt.ending {
                Some(Ending::Phase { outcome: outcome @ (Outcome::Failed | Outcome::Cancelled), why, .. }) => {
                    (*outcome, format!("{why}; {trouble}"))
                }
                Some(Ending::Again { why, .. }) => (Outcome::Failed, format!("{why}; {trouble}")),
                _ => (Outcome::Unknown, trouble),
            };
            attempt.ending = Some(Ending::Phase { outcome, proof: Proof::None, fault: Some(fault), why });
            if let Some(work) = work {
                self.live.waiters.remove(&work);
            }
        }
        self.note_survivors(&at.run, survivors);
        self.try_close(at);
    }

    /// Ends the attempt once its teardown is over and its command and services have been seen to end.
    pub(super) fn try_close(&mut self, at: &At) {
        let Some(attempt) = self.live.attempt(at) else { return };
        let awaited = match attempt.swept {
            Swept::NotYet => true,
            Swept::Clean => attempt.work.is_some() || self.awaits_exits(at),
            Swept::GivenUp => false,
        };
        if awaited {
            return;
        }
        let Some(ending) = self.live.attempt(at).and_then(|attempt| attempt.ending.take()) else { return };
        match ending {
            Ending::Phase { outcome, proof, fault, why } => self.end_now(at, outcome, proof, fault, why),
            Ending::Again { fault, why } => {
                let pause = if fault == Fault::EngineDied { Span(0) } else { self.backoff(at) };
                let retry_at = self.now + pause;
                let attempt = self.run(&at.run).map_or(0, |run| run.phase(at.phase).attempt);
                self.free_slot(at);
                self.record(Record::AttemptFailed { run: at.run.clone(), phase: at.phase, attempt, fault, why, retry_at });
                self.forget_attempt(at);
                self.set_deadline(retry_at, Deadline::Backoff { at: at.clone() });
                if let Some(live) = self.live.runs.get_mut(&at.run) {
                    live.pausing.insert(at.phase);
                }
            }
        }
    }

    /// True while a service has been ended and its exit is on its way: what follows must not take it for its own.
    fn awaits_exits(&mut self, at: &At) -> bool {
        let Some(attempt) = self.live.attempt(at) else { return false };
        let names: Vec<Name> = attempt.services.keys().cloned().collect();
        let Some(place) = self.owner(at) else { return false };
        names.into_iter().any(|name| {
            let owner = Owner { resource: Some(name), ..place.clone() };
            self.state.resource(&owner).is_some_and(|resource| resource.state == ResourceState::Gone)
        })
    }

    /// The phase ends here and now, or once what it has replaced in vain serves again.
    pub(super) fn end_now(&mut self, at: &At, outcome: Outcome, proof: Proof, fault: Option<Fault>, mut why: String) {
        let over = self.run(&at.run).is_some_and(|run| run.phase(at.phase).state.outcome().is_some());
        match self.live.attempt(at).and_then(|attempt| attempt.rollback.take()) {
            Some(rollback) if over => return self.given_back(at, rollback),
            Some(rollback) => why = format!("{why}; {rollback}"),
            None if self.owes_rollback(at, outcome) => return self.roll_back(at, Ending::Phase { outcome, proof, fault, why }),
            None => {}
        }
        self.free_slot(at);
        self.close_questions_of(at);
        self.forget_attempt(at);
        self.record(Record::PhaseEnded { run: at.run.clone(), phase: at.phase, outcome, proof, fault, why });
        self.phase_over(at);
    }

    fn forget_attempt(&mut self, at: &At) -> Option<Attempt> {
        self.live.runs.get_mut(&at.run)?.attempts.remove(&at.phase)
    }
}
