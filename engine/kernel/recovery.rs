//! Recovery: what becomes of what an engine left when it died. Everything is decided from the journal and one look at who is still there.
//!
//! | left | becomes |
//! |---|---|
//! | a service or a command that was seen to start | adopted: watched as if it were one's own; how it ends stays unseen |
//! | a scope in which somebody runs whom no record knows | swept: an engine had started it and not yet written it down |
//! | any other effect that was asked for | over, its end unseen; whoever needed it asks again |
//! | the limits of a goal whose run goes on, or whose services may be started again | set anew, for what will be started |
//! | a teardown of a goal, or a restart | gone on with |
//! | a run | gone on with, once all that is to be swept is swept: no two copies are ever alive. Where that cannot be, it stops: what is under way ends, and only `finally` that has not begun still begins |
//!
//! | a phase of such a run is | then |
//! |---|---|
//! | pending | nothing |
//! | ready | it waits for a slot |
//! | backing off | it waits for its time, as recorded |
//! | closing | its attempt ends as was decided |
//! | running | its attempt goes on with the first step that has no recorded end; where its command may have run unseen, there is a further attempt |
//! | verifying | the checks that have no answer are asked |
//! | waiting | its person is waited for, or has answered |
//!
//! A record is never half believed: each prefix of a journal is one that an engine may have died at.

use std::sync::Arc;

use super::abandoned::unseen;
use super::action::{Effect, EffectId, Exit, RunId, Seen};
use super::attempt::{Attempt, Doing, Ending};
use super::collection::Trigger;
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::leak::still_there;
use super::live::{LiveRun, Waiter};
use super::outcome::{Outcome, Proof};
use super::phase::PhaseState;
use super::record::{Record, StopReason};
use super::resource::ResourceState;
use super::state::{Goal, PhaseRun, Run, goal_of};
use super::stock::Resource;
use super::teardown::TRIES;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::policy::Limits;
use crate::plan::sealed::{Part, PhaseIx, Step};

/// What is said of what was at work when the engine died.
const LOST: &str = "the engine died while it was at work";

impl Turn<'_> {
    /// Takes over what an engine that died has left.
    pub(super) fn recover(&mut self, leftovers: Vec<String>) {
        self.adopt();
        self.live.recovering = Some(leftovers.len());
        for scope in leftovers {
            self.sweep_leftover(scope, 1);
        }
        self.limit_if_swept();
    }

    /// Adopts what may live on, and closes everything else that was asked for: nobody will see its end.
    fn adopt(&mut self) {
        let open: Vec<(EffectId, Owner, Effect, bool)> =
            (self.state.effects.iter()).map(|(id, open)| (*id, open.owner.clone(), open.effect.clone(), open.may_live_on())).collect();
        for (id, owner, effect, lives_on) in open {
            if !lives_on {
                self.record(unseen(id));
                continue;
            }
            match &effect {
                Effect::Serve { run, phase, resource, .. } => {
                    let at = At { run: run.clone(), phase: *phase };
                    self.live.services.insert(id, (at, resource.clone()));
                }
                // The end of an attempt that is over is nobody's business any more.
                Effect::Work { run, phase, attempt } if self.is_current(run, *phase, *attempt) => {
                    self.live.waiters.insert(id, Waiter::Attempt(At { run: run.clone(), phase: *phase }));
                }
                _ => {}
            }
            self.record(Record::Adopted { id, owner, effect });
        }
    }

    fn is_current(&self, id: &RunId, phase: PhaseIx, attempt: u32) -> bool {
        let run = self.run(id).filter(|run| run.ended.is_none());
        run.and_then(|run| run.phases.get(phase.at())).is_some_and(|phase| phase.attempt == attempt && phase.state.outcome().is_none())
    }

    fn sweep_leftover(&mut self, scope: String, tries: u32) {
        let goal = Name::from(scope.split('/').next().unwrap_or_default());
        let effect = Effect::Sweep { scope: scope.clone() };
        self.request(Owner::goal(&goal), effect, Waiter::Recovery { scope, tries });
    }

    /// A scope of an engine that died was swept.
    pub(super) fn swept(&mut self, scope: String, tries: u32, seen: &Seen) {
        let clean = matches!(seen, Seen::Ended { survivors, .. } if survivors.is_empty());
        if !clean && tries < TRIES {
            return self.sweep_leftover(scope, tries + 1);
        }
        if !clean {
            // Beside it nothing of its goal may be started: the run ends, and says why.
            if let Some(why) = still_there(&scope, seen) {
                let goal = Name::from(scope.split('/').next().unwrap_or_default());
                self.leak(Owner::goal(&goal), tries, why, Some(scope.clone()));
            }
            self.live.unswept.insert(scope);
        }
        self.recovered_one();
        self.limit_if_swept();
    }

    fn recovered_one(&mut self) {
        if let Some(left) = &mut self.live.recovering {
            *left = left.saturating_sub(1);
        }
    }

    /// Once nobody is left whom no record knows, the limits of the goals whose runs go on are set anew.
    fn limit_if_swept(&mut self) {
        if self.live.recovering != Some(0) {
            return;
        }
        let limited: Vec<RunId> = self.state.goals.values().filter_map(|goal| self.limited_by(goal)).collect();
        self.live.recovering = Some(limited.len());
        for run in limited {
            let owner = Owner::goal(&Name::from(goal_of(&run)));
            self.request(owner, Effect::Limit { run: run.clone() }, Waiter::Limits(run));
        }
        self.resume_if_limited();
    }

    /// The run whose limits a goal has, where something is still to be started in it.
    fn limited_by(&self, goal: &Goal) -> Option<RunId> {
        let goes_on = goal.run.as_ref().is_some_and(|run| run.ended.is_none() && run.prepared);
        let run = goal.run.iter().chain(goal.older.iter().rev()).find(|run| run.prepared)?;
        let limited = run.plan.limits != Limits::default() && (goes_on || self.may_start_again(goal));
        limited.then(|| run.id.clone())
    }

    /// The limits of a goal are set anew, or cannot be.
    pub(super) fn limited(&mut self, run: RunId, seen: Seen) {
        if let Seen::Failed { fault, evidence } = seen {
            self.live.unlimited.insert(Name::from(goal_of(&run)), (run, fault, evidence));
        }
        self.recovered_one();
        self.resume_if_limited();
    }

    fn resume_if_limited(&mut self) {
        if self.live.recovering != Some(0) {
            return;
        }
        self.live.recovering = None;
        let falling: Vec<(Name, bool)> =
            self.state.goals.iter().filter(|(_, goal)| goal.falling).map(|(name, goal)| (name.clone(), goal.volumes)).collect();
        for (goal, volumes) in falling {
            self.fall(goal, volumes);
        }
        self.take_up_restarts();
        let runs = self.state.goals.values().filter_map(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none());
        let unended: Vec<RunId> = runs.map(|run| run.id.clone()).collect();
        for run in unended {
            self.resume_run(&run);
        }
        self.promise_all();
        self.collect(Trigger::Opening);
        self.collect_under_pressure(true);
        self.promise_removals(None);
        self.promise_collection();
    }

    /// Goes on with a run.
    fn resume_run(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let plan = Arc::clone(&run.plan);
        let (begun, prepared, stopping) = (has_begun(run), run.prepared, run.stopping.clone());
        let unopened = run.is_unopened();
        let live = LiveRun { renewed: self.renewed(id), ..LiveRun::default() };
        self.live.runs.insert(id.clone(), live);
        self.carry_over(id);
        self.watch_budget(id);
        let barred = self.barred(id, &plan.goal);
        if let (false, Some((fault, why))) = (begun, &barred) {
            return self.stop_for(id, StopReason::Unprepared, *fault, why);
        }
        if !begun && stopping.is_none() {
            if let Some(live) = self.live.runs.get_mut(id) {
                live.opening = Some(0);
            }
            return match prepared {
                _ if unopened => {}
                true => self.end_removed(id),
                false => self.prepare(id),
            };
        }
        let under_way: Vec<PhaseIx> =
            plan.indexed().map(|(ix, _)| ix).filter(|ix| self.take_up(&At { run: id.clone(), phase: *ix })).collect();
        for phase in &under_way {
            self.close_as_decided(&At { run: id.clone(), phase: *phase });
        }
        match (&barred, stopping) {
            (Some((fault, why)), _) => self.stop_for(id, StopReason::Unprepared, *fault, why),
            (None, Some((reason, why))) => self.stop_run(id, reason, &why),
            (None, None) => {}
        }
        for phase in under_way {
            let at = At { run: id.clone(), phase };
            match &barred {
                None => self.go_on_with(&at),
                // A stop lets `finally` go on; but beside what is still there no further step of it may begin.
                Some((fault, why)) if plan.phase(phase).part == Part::Finally => {
                    let (outcome, proof, fault) = (Outcome::Cancelled, Proof::None, Some(*fault));
                    self.close(&at, Ending::Phase { outcome, proof, fault, why: why.clone() });
                }
                Some(_) => {}
            }
        }
        // What an ended phase locks for good may not have been written with its end.
        let Some(run) = self.run(id) else { return };
        let over: Vec<PhaseIx> = plan.indexed().map(|(ix, _)| ix).filter(|ix| run.phase(*ix).state.outcome().is_some()).collect();
        for phase in over {
            self.phase_over(&At { run: id.clone(), phase });
        }
        self.close_run_if_over(id);
    }

    /// Why no attempt of a run may go on: what an engine that died left in its goal would not end, or the goal's limits cannot be set anew.
    fn barred(&self, id: &RunId, goal: &Name) -> Option<(Fault, String)> {
        if let Some(scope) = self.live.unswept.iter().find(|scope| scope.split('/').next() == Some(goal.as_str())) {
            return Some((Fault::Survivors, format!("what an engine that died left in {scope} would not end")));
        }
        self.live.unlimited.get(goal).filter(|(run, ..)| run == id).map(|(_, fault, why)| (*fault, why.clone()))
    }

    /// Puts a phase back where it stood. True where an attempt of it is under way.
    fn take_up(&mut self, at: &At) -> bool {
        let Some(run) = self.state.run(&at.run) else { return false };
        let (entry, planned) = (run.phase(at.phase), run.plan.phase(at.phase));
        let (number, started, retry_at, held) = (entry.attempt, entry.started, entry.retry_at, entry.unadmitted);
        let doing = match entry.state {
            PhaseState::Done(_) => return false,
            _ if entry.closing.is_some() => Doing::Stepping(planned.steps.len()),
            PhaseState::Pending => return false,
            PhaseState::Ready => {
                if let Some(live) = self.live.runs.get_mut(&at.run) {
                    live.queue.insert(at.phase);
                    live.held.extend(held.map(|_| at.phase));
                }
                return false;
            }
            PhaseState::BackingOff => {
                self.set_deadline(retry_at.unwrap_or(self.now), Deadline::Backoff { at: at.clone() });
                if let Some(live) = self.live.runs.get_mut(&at.run) {
                    live.pausing.insert(at.phase);
                }
                return false;
            }
            PhaseState::Running => Doing::Stepping(next_step(run, at.phase, &|owner| self.state.resource(owner))),
            PhaseState::Verifying => Doing::Checking(entry.after.iter().filter(|answer| answer.is_none()).count()),
            PhaseState::Waiting => Doing::Person,
        };
        let (timeout, max_time) = (planned.spec.timeout, planned.spec.budget.as_ref().and_then(|budget| budget.max_time));
        if let (Some(begun), Some(timeout), Doing::Stepping(_)) = (entry.attempt_started, timeout, doing) {
            self.set_deadline(begun + timeout, Deadline::Attempt { at: at.clone(), attempt: number });
        }
        if let (Some(started), Some(max_time)) = (started, max_time) {
            self.set_deadline(started + max_time, Deadline::PhaseBudget { at: at.clone() });
        }
        let attempt = self.attempt_as_left(at, number, doing);
        if let Some(live) = self.live.runs.get_mut(&at.run) {
            live.working += u32::from(attempt.slot);
            live.attempts.insert(at.phase, attempt);
        }
        true
    }

    /// An attempt with what of it is under way, and what of it has ended.
    fn attempt_as_left(&self, at: &At, number: u32, doing: Doing) -> Attempt {
        let mut attempt = Attempt { doing, slot: false, ..Attempt::new() };
        for (id, open) in &self.state.effects {
            match &open.effect {
                Effect::Work { run, phase, attempt: of } if *run == at.run && *phase == at.phase && *of == number => {
                    attempt.work = Some(*id);
                }
                Effect::Serve { run, phase, attempt: of, resource } if *run == at.run && *phase == at.phase && *of == number => {
                    attempt.services.insert(resource.clone(), *id);
                }
                _ => {}
            }
        }
        // What is at work holds its slot, also while it is being ended. Whatever begins now asks for one.
        attempt.slot = attempt.work.is_some();
        let Some(run) = self.run(&at.run) else { return attempt };
        for name in run.plan.phase(at.phase).spec.resources.keys() {
            let made = made(run, at.phase, name, &|owner| self.state.resource(owner));
            // Of one that could not be started again nobody has seen an end: it stays down all the same.
            let unstarted = |made: &Resource| (made.state == ResourceState::Gone && made.restarts.done > 0).then_some(Exit::Unseen);
            let stays = made.filter(|made| made.restarts.next.is_none());
            if let Some(exit) = stays.and_then(|made| made.exit.or_else(|| unstarted(made))) {
                attempt.exits.insert(name.clone(), exit);
            }
        }
        attempt
    }

    /// Ends an attempt whose end was decided.
    fn close_as_decided(&mut self, at: &At) {
        let ending = self.run(&at.run).and_then(|run| run.phase(at.phase).closing.clone());
        if let Some(ending) = ending {
            self.close(at, ending);
        }
    }

    /// Goes on with an attempt where it stood.
    fn go_on_with(&mut self, at: &At) {
        let Some(doing) = self.live.attempt(at).map(|attempt| attempt.doing) else { return };
        let Some(run) = self.run(&at.run) else { return };
        let entry = run.phase(at.phase);
        let (interrupted, exit, answered) = (entry.interrupted, entry.exit, entry.reply.is_some());
        if let (Doing::Stepping(_), Some((fault, why))) = (doing, entry.broken.clone()) {
            // What could not be done has a recorded end: it is not tried once more in the same attempt.
            return self.fail(at, fault, why);
        }
        match doing {
            // Work that has a recorded end is not repeated for what came after it.
            Doing::Stepping(_) if interrupted && exit.is_none() => self.fail(at, Fault::EngineDied, LOST.to_owned()),
            Doing::Stepping(index) => {
                let step = run.plan.phase(at.phase).steps.get(index).cloned();
                let working = self.live.attempt(at).is_some_and(|attempt| attempt.work.is_some());
                match (step, exit) {
                    // It is at work: its end is waited for.
                    (Some(Step::Work), _) if working => {}
                    (Some(Step::Work), Some(Exit::Unseen)) => self.work_unseen(at, index),
                    (Some(Step::Work), Some(exit)) => self.work_failed(at, exit),
                    _ => self.take_step(at, index),
                }
            }
            Doing::Checking(_) => self.ask_after(at),
            Doing::Person if answered => {
                let ending = super::proof::weigh(run.plan.phase(at.phase), entry, &self.state.goals[&run.plan.goal]);
                self.close(at, ending);
            }
            _ => {}
        }
    }

    /// The command ended while no engine watched. Where checks can tell whether it ended well, they are asked.
    pub(super) fn work_unseen(&mut self, at: &At, index: usize) {
        let checks = self.run(&at.run).map_or(0, |run| run.plan.phase(at.phase).checks());
        if checks > 0 {
            self.take_step(at, index + 1);
        } else {
            self.fail(at, Fault::EngineDied, "its command ended while no engine watched, and no check tells how".to_owned());
        }
    }
}

/// True where a phase of the run has begun, or ended in it: then all that opens a run is behind it.
fn has_begun(run: &Run) -> bool {
    let ended = |phase: &PhaseRun| phase.state.outcome().is_some() && phase.carried.is_none();
    let begun = |phase: &PhaseRun| phase.attempt > 0 || ended(phase) || phase.closing.is_some();
    run.phases.iter().any(begun)
}

/// What this very attempt has made of a resource.
fn made<'s>(run: &Run, ix: PhaseIx, name: &Name, resource: &dyn Fn(&Owner) -> Option<&'s Resource>) -> Option<&'s Resource> {
    let owner = Owner::resource(&run.plan.goal, &run.plan.phase(ix).name, name);
    resource(&owner).filter(|made| made.run == run.id && made.attempt == run.phase(ix).attempt)
}

/// The first step of an attempt that has no recorded end.
fn next_step<'s>(run: &Run, ix: PhaseIx, resource: &dyn Fn(&Owner) -> Option<&'s Resource>) -> usize {
    let (planned, entry) = (run.plan.phase(ix), run.phase(ix));
    let made = |name: &Name| made(run, ix, name, resource);
    let done = |step: &Step| match step {
        Step::Make(name) => made(name).is_some_and(|made| made.state == ResourceState::Ready),
        Step::Ready(name) => made(name).is_some_and(Resource::was_ready),
        Step::Serve(name) => made(name).is_some_and(|made| made.process.is_some() || made.exit.is_some() || made.restarts.done > 0),
        Step::Complete(name) => made(name).and_then(|made| made.exit).is_some_and(Exit::is_success),
        // Where checks will tell how it ended, what comes after it may have begun.
        Step::Work => entry.exit.is_some_and(|exit| exit.is_success() || exit == Exit::Unseen && planned.checks() > 0),
    };
    planned.steps.iter().position(|step| !done(step)).unwrap_or(planned.steps.len())
}
