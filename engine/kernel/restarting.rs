//! What a turn does about restarts: the table is on top of `restart.rs`.

use super::action::{Effect, EffectId, Exit, RunId, Seen};
use super::answer::{Answer, Said};
use super::attempt::Doing;
use super::deadline::Deadline;
use super::input::At;
use super::record::Record;
use super::resource::ResourceState;
use super::restart::INTERVAL;
use super::state::{Goal, Run};
use super::stock::Resource;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::manifest::resource::Scope;
use crate::plan::sealed::{Part, PhaseIx};

impl Turn<'_> {
    /// Something was seen of a service. True where that is a matter of its restarts: it is started again, or has been.
    pub(super) fn restart_saw(&mut self, owner: &Owner, id: EffectId, seen: &Seen) -> bool {
        let Some(made) = self.state.resource(owner).filter(|made| made.made_by == id) else { return false };
        match seen {
            Seen::Started { .. } if made.restarts.done > 0 => {
                self.ask_returned(owner);
                true
            }
            Seen::Exited { .. } | Seen::Failed { .. } => {
                self.stop_asking(owner);
                self.forget_health(owner);
                self.restart(owner)
            }
            _ => false,
        }
    }

    /// Promises that a service that has ended is started again, where that is so. A service of which something would not end is not: it
    /// would meet it.
    fn restart(&mut self, owner: &Owner) -> bool {
        // Until what an engine that died has left is swept, nothing is started: then all is gone through.
        if self.live.recovering.is_some() {
            return false;
        }
        let Some(made) = self.state.resource(owner).filter(|made| self.is_wanted(made)) else { return false };
        let (policy, limits) = self.state.policy(made);
        let Some((_, why)) = self.state.ended(made).filter(|(ended, _)| ended.restarts(policy)) else { return false };
        let next = if let Some(bar) = self.bar(made) {
            Err(format!("{why}, and {bar}"))
        } else if made.state.is_live() {
            Err(format!("{why}, and some of its processes would not end"))
        } else {
            made.restarts.next(&limits, self.now).map_err(|counted| {
                let (times, interval) =
                    (if counted == 1 { "once" } else { &format!("{counted} times") }, limits.interval.unwrap_or(INTERVAL));
                format!("{why}, after it was started again {times} within {interval}: its `restart_limits` allow no more")
            })
        };
        match next {
            Ok((count, at)) => {
                self.promise_restart(owner, why, count, at);
                true
            }
            Err(why) => {
                self.record(Record::NotRestarted { owner: owner.clone(), why });
                self.returned(owner);
                false
            }
        }
    }

    fn promise_restart(&mut self, owner: &Owner, why: String, count: u32, at: Timestamp) {
        self.record(Record::Restarting { owner: owner.clone(), why, count, at });
        self.keep_promise(owner);
    }

    /// Starts a service again where its time has come; sets the deadlines of what is to come.
    fn keep_promise(&mut self, owner: &Owner) {
        let Some(made) = self.state.resource(owner) else { return };
        let (next, back_by) = (made.restarts.next, self.state.back_by(made));
        let now = self.now;
        for at in next.into_iter().chain(back_by).filter(|at| *at > now) {
            self.set_deadline(at, Deadline::Restart { owner: owner.clone() });
        }
        if next.is_some_and(|at| at <= self.now) {
            self.start_again(owner);
        }
    }

    /// It is time to start a service again, or to wait for it no longer.
    pub(super) fn restart_due(&mut self, owner: &Owner) {
        let Some(made) = self.state.resource(owner) else { return };
        if made.restarts.next.is_some_and(|at| at <= self.now) {
            self.start_again(owner);
        }
        self.returned(owner);
    }

    fn start_again(&mut self, owner: &Owner) {
        let Some(made) = self.state.resource(owner) else { return };
        let Some(name) = owner.resource.clone() else { return };
        if !self.may_restart(made) {
            let over = self.bar(made).unwrap_or_else(|| "what had started it is over".to_owned());
            let why = format!("{}, and {over}", made.restarts.why);
            self.record(Record::NotRestarted { owner: owner.clone(), why });
            return self.stays_down(owner);
        }
        let effect = Effect::Serve { run: made.run.clone(), phase: made.phase, attempt: made.attempt, resource: name.clone() };
        let at = self.whose(made);
        let id = self.request_service(owner.clone(), effect, at.clone(), name.clone());
        if let Some(attempt) = self.live.attempt(&at) {
            attempt.services.insert(name, id);
        }
    }

    /// A service that was promised again is not started: whoever waits for it is told how it had ended.
    fn stays_down(&mut self, owner: &Owner) {
        let Some((made, name)) = self.state.resource(owner).zip(owner.resource.as_ref()) else { return };
        let (at, exit) = (self.whose(made), made.exit.unwrap_or(Exit::Unseen));
        let is_own = at.run != made.run || self.run(&at.run).is_some_and(|run| run.phase(at.phase).attempt == made.attempt);
        if is_own {
            self.service_stays_down(&at, name, exit);
        }
        self.returned(owner);
    }

    /// Whether a service may be started again, as far as this engine knows.
    fn may_restart(&self, made: &Resource) -> bool {
        !self.is_barred(made) && self.is_wanted(made)
    }

    /// The same, whatever is in its way.
    fn is_wanted(&self, made: &Resource) -> bool {
        let ends = self.live.waiters.contains_key(&made.made_by) || self.is_being_ended(&made.owner);
        let live = self.live.runs.get(&made.run);
        let closing = live.and_then(|live| live.attempts.get(&made.phase)).and_then(|attempt| attempt.ending.as_ref());
        let torn_down =
            live.is_some_and(|live| live.closing) && self.run(&made.run).is_some_and(|run| run.options.once || run.stopping.is_some());
        !ends && !torn_down && self.state.has_claim(made, closing)
    }

    /// Whether something is in the way of a service: see [`Self::bar`].
    fn is_barred(&self, made: &Resource) -> bool {
        self.bar(made).is_some()
    }

    /// What is in the way of a service: something that an engine that died has left would not end, beside which nothing of its goal may
    /// be started; or the limits of its goal could not be set anew.
    fn bar(&self, made: &Resource) -> Option<String> {
        let ours = |scope: &String| scope.split('/').next() == Some(made.owner.goal.as_str());
        if self.live.unswept.iter().any(ours) {
            return Some("what an engine that died had left is in its way".to_owned());
        }
        let (_, _, why) = self.live.unlimited.get(&made.owner.goal)?;
        Some(format!("the limits of its goal cannot be set anew: {why}"))
    }

    /// Whether a service of a goal may end and be started again, or is to be.
    pub(super) fn may_start_again(&self, goal: &Goal) -> bool {
        let returns = |made: &Resource| {
            let (policy, _) = self.state.policy(made);
            made.state.is_live() || self.is_wanted(made) && self.state.ended(made).is_some_and(|(ended, _)| ended.restarts(policy))
        };
        !goal.down && !goal.falling && goal.resources.values().any(|made| made.kind.runs() && returns(made))
    }

    /// The attempt whose business a service is: of the run that goes back to it, or of the one that has started it.
    fn whose(&self, made: &Resource) -> At {
        let latest = self.state.goals.get(&made.owner.goal).and_then(|goal| goal.run.as_ref());
        let back = latest.and_then(|run| {
            let (phase, _) = run.plan.find(made.owner.phase.as_ref()?.as_str())?;
            let doing = self.live.runs.get(&run.id)?.attempts.get(&phase)?.doing;
            matches!(doing, Doing::RollingBack(_)).then(|| At { run: run.id.clone(), phase })
        });
        back.unwrap_or_else(|| At { run: made.run.clone(), phase: made.phase })
    }

    /// A service runs again: it is asked until it is ready, unless its attempt does so.
    fn ask_returned(&mut self, owner: &Owner) {
        let Some(made) = self.state.resource(owner) else { return };
        let at = At { run: made.run.clone(), phase: made.phase };
        let Some(run) = self.run(&at.run) else { return };
        let under_way = run.phase(at.phase).state.outcome().is_none();
        let Some(name) = owner.resource.clone().filter(|name| !run.plan.phase(at.phase).completes(name)) else { return };
        if made.restarts.ready || !under_way {
            self.ask_until_ready(at, name);
        }
    }

    /// A service that was started again has said whether it is ready.
    pub(super) fn returned_answered(&mut self, at: &At, name: &Name, answer: Answer) {
        let Some(owner) = self.owner(at).map(|place| Owner { resource: Some(name.clone()), ..place }) else { return };
        let waits = |made: &Resource| made.state == ResourceState::Creating && made.process.is_some() && made.run == at.run;
        if answer.said == Said::Pass && self.state.resource(&owner).is_some_and(waits) {
            self.ready(&owner, answer.evidence);
            self.returned(&owner);
        }
    }

    /// A service is ready again, or is not waited for any more: the end of a run may have waited for that.
    pub(super) fn returned(&mut self, owner: &Owner) {
        let run = self.state.goals.get(&owner.goal).and_then(|goal| goal.run.as_ref()).map(|run| run.id.clone());
        if let Some(run) = run.filter(|run| self.live.runs.get(run).is_some_and(|live| live.awaiting)) {
            self.close_run_if_over(&run);
        }
    }

    /// Sets when each service that a run waits for counts as a promise that is not kept.
    pub(super) fn await_returns(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let away = self.state.goals.get(&run.plan.goal).into_iter().flat_map(|goal| goal.resources.values());
        let ends = away.filter_map(|made| Some((self.state.back_by(made)?, made.owner.clone()))).filter(|(at, _)| *at > self.now);
        for (at, owner) in ends.collect::<Vec<_>>() {
            self.set_deadline(at, Deadline::Restart { owner });
        }
    }

    /// Whether a phase has promised a service that is away and may still be back in time.
    pub(super) fn promises_return(&self, run: &Run, ix: PhaseIx) -> bool {
        let (place, names) = (run.owner(ix), run.plan.phase(ix).spec.resources.iter());
        names.filter(|(_, declared)| declared.scope == Scope::Goal).any(|(name, _)| {
            let made = self.state.resource(&Owner { resource: Some(name.clone()), ..place.clone() });
            made.is_some_and(|made| self.state.is_coming_back(made, self.now))
        })
    }

    /// Whether a phase needs a service that is away and may still be back in time. What is to end things waits for nothing.
    pub(super) fn awaits_return(&self, at: &At) -> bool {
        let Some(run) = self.run(&at.run) else { return false };
        let planned = run.plan.phase(at.phase);
        planned.part != Part::Finally && planned.needs.iter().any(|edge| self.promises_return(run, edge.phase))
    }

    /// What an engine that died had promised is kept; what it had no time to promise is promised now.
    pub(super) fn take_up_restarts(&mut self) {
        let services = self.state.goals.values().flat_map(|goal| goal.resources.values()).filter(|made| made.kind.runs());
        let services: Vec<Owner> = services.map(|made| made.owner.clone()).collect();
        for owner in services {
            let Some(made) = self.state.resource(&owner) else { continue };
            let lost = made.exit.is_none() && made.process.is_none() && made.restarts.done > 0;
            if made.restarts.next.is_some() {
                self.keep_promise(&owner);
            } else if made.state == ResourceState::Creating && made.process.is_some() && made.restarts.done > 0 {
                self.ask_returned(&owner);
                self.keep_promise(&owner);
            } else if made.state == ResourceState::Gone && lost && self.may_restart(made) {
                // Nobody has seen it start: what was promised is still to be done.
                let count = u32::try_from(made.restarts.counted.len()).unwrap_or(u32::MAX);
                self.promise_restart(&owner, made.restarts.why.clone(), count, self.now);
            } else if made.state == ResourceState::Gone || made.exit.is_some() {
                self.restart(&owner);
            } else {
                self.watch_health(&owner);
            }
        }
    }
}
