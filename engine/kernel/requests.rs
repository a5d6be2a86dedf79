//! What each request does.

use super::action::{EffectId, RunId, Seen};
use super::answer::{Answer, Stage};
use super::attempt::{Doing, Ending};
use super::fault::Fault;
use super::input::{At, Refusal, Request};
use super::live::LiveRun;
use super::outcome::{Outcome, Proof};
use super::phase::PhaseState;
use super::record::{Record, StopReason};
use super::state::Run;
use super::teardown::{For, Target};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::manifest::check::Holds;
use crate::plan::sealed::PhaseIx;

impl Turn<'_> {
    /// Does what was asked, or refuses it and changes nothing.
    pub(super) fn serve(&mut self, request: Request) {
        match request {
            Request::Open { version, pid, torn } => {
                self.record(Record::EngineStarted { version, pid, torn });
                self.close_abandoned_effects();
                self.end_abandoned_runs();
                self.go_on_falling();
            }
            Request::Run { plan, options } => {
                let goal = self.state.goals.get(&plan.goal);
                if goal.is_some_and(|goal| goal.falling) {
                    return self.refuse(Refusal::Falling { goal: plan.goal });
                }
                if let Some(run) = goal.and_then(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none()) {
                    let run = run.id.clone();
                    return self.refuse(Refusal::Running { run });
                }
                let number = goal.map_or(0, |goal| goal.runs) + 1;
                let run = RunId(format!("{}.{number}", plan.goal));
                self.record(Record::RunStarted { run: run.clone(), plan, options });
                self.open_run(&run);
            }
            Request::Continue { goal } => {
                let Some(id) = self.running(&goal) else { return self.refuse(Refusal::NotRunning { goal }) };
                self.attend(&id);
            }
            Request::Stop { goal, force: true, .. } if self.is_falling(&goal) => {
                self.hurry(&goal);
                self.dismiss(&goal, Stage::Gone);
            }
            Request::Stop { goal, reason, force } => {
                let verifying = self.live.verifying.contains_key(&goal);
                if verifying {
                    self.dismiss(&goal, Stage::Again);
                }
                let Some(id) = self.running(&goal) else {
                    if !verifying {
                        self.refuse(Refusal::NotRunning { goal });
                    }
                    return;
                };
                self.attend(&id);
                if force && let Some(live) = self.live.runs.get_mut(&id) {
                    live.forced = true;
                }
                let why = match reason {
                    StopReason::Person => "stopped by a person",
                    StopReason::Budget => "the budget is used up",
                    StopReason::Unattended => "a person is asked and nobody is there",
                    StopReason::Unprepared => "it could not be prepared",
                };
                self.stop_run(&id, reason, why);
            }
            Request::Reply { owner, yes, text, by } => self.reply(owner, yes, text, by),
            Request::Down { goal, volumes } => self.take_down(goal, volumes),
            Request::Verify { goal } => self.verify_again(goal),
        }
    }

    /// Whether the goal is being taken down; that is not stopped, but it can be hurried.
    fn is_falling(&self, goal: &Name) -> bool {
        self.state.goals.get(goal).is_some_and(|goal| goal.falling)
    }

    fn running(&self, goal: &Name) -> Option<RunId> {
        let run = self.state.goals.get(goal)?.run.as_ref()?;
        run.ended.is_none().then(|| run.id.clone())
    }

    /// Takes a run that waits for a person under this engine's care.
    fn attend(&mut self, id: &RunId) {
        if self.live.runs.contains_key(id) {
            return;
        }
        let mut live = LiveRun::default();
        let Some(run) = self.run(id) else { return };
        for (phase, ix) in run.phases.iter().zip((0..).map(PhaseIx)) {
            if phase.state == PhaseState::Waiting {
                let mut attempt = super::attempt::Attempt::new();
                attempt.doing = Doing::Person;
                attempt.slot = false;
                live.attempts.insert(ix, attempt);
            }
        }
        self.live.runs.insert(id.clone(), live);
        self.watch_budget(id);
    }

    fn reply(&mut self, owner: Owner, yes: bool, text: Option<String>, by: String) {
        let asked = |run: &Run, ix: PhaseIx| run.phase(ix).state == PhaseState::Waiting && run.phase(ix).reply.is_none();
        let place = owner.phase.as_ref().and_then(|phase| {
            let run = self.state.goals.get(&owner.goal)?.run.as_ref()?;
            let (ix, _) = run.plan.find(phase.as_str())?;
            asked(run, ix).then(|| At { run: run.id.clone(), phase: ix })
        });
        let Some(at) = place else {
            let elsewhere = self
                .state
                .goals
                .values()
                .filter_map(|goal| goal.run.as_ref())
                .flat_map(|run| run.plan.indexed().filter(|(ix, _)| asked(run, *ix)).map(|(ix, _)| run.owner(ix)));
            let asked = elsewhere.collect();
            return self.refuse(Refusal::NotAsked { owner, asked });
        };
        self.attend(&at.run);
        self.record(Record::Replied { run: at.run.clone(), phase: at.phase, yes, text, by });
        let Some(run) = self.run(&at.run) else { return };
        let ending = super::proof::weigh(run.plan.phase(at.phase), run.phase(at.phase), &self.state.goals[&run.plan.goal]);
        self.close(&at, ending);
        self.watch_budget(&at.run);
    }

    /// Closes what an engine had asked for when it died, in whatever goal: nobody will see its end.
    /// Services may live on; and of work the process is still to be ended, for which its mark must be known.
    fn close_abandoned_effects(&mut self) {
        let in_flight: Vec<EffectId> = self
            .state
            .effects
            .iter()
            .filter(|(id, open)| !open.may_live_on() && !self.live.waiters.contains_key(id))
            .map(|(id, _)| *id)
            .collect();
        for id in in_flight {
            let seen = Seen::Failed { fault: Fault::EngineDied, evidence: "the engine died before its end was seen".to_owned() };
            self.record(Record::Observed { id, seen });
        }
    }

    /// Goes on with the teardowns that an engine left when it died.
    fn go_on_falling(&mut self) {
        let falling: Vec<(Name, bool)> =
            self.state.goals.iter().filter(|(_, goal)| goal.falling).map(|(name, goal)| (name.clone(), goal.volumes)).collect();
        for (goal, volumes) in falling {
            let targets = self.targets(&goal, |resource| volumes || !resource.keep);
            self.tear_down(For::Down { goal, volumes }, targets);
        }
    }

    /// Ends the runs that an engine left when it died. What waits for a person is not abandoned.
    fn end_abandoned_runs(&mut self) {
        let abandoned: Vec<RunId> = self
            .state
            .goals
            .values()
            .filter_map(|goal| goal.run.as_ref())
            .filter(|run| run.ended.is_none() && !is_parked(run))
            .map(|run| run.id.clone())
            .collect();
        for id in abandoned {
            self.live.runs.insert(id.clone(), LiveRun { closing: true, ..LiveRun::default() });
            let Some(run) = self.run(&id) else { continue };
            let plan = std::sync::Arc::clone(&run.plan);
            let mut targets: Vec<((u32, u32), Target)> = Vec::new();
            for (ix, _) in plan.indexed() {
                let Some((state, attempt)) = self.run(&id).map(|run| (run.phase(ix).state, run.phase(ix).attempt)) else { continue };
                if state.outcome().is_some() {
                    continue;
                }
                let was_at_work = matches!(state, PhaseState::Running | PhaseState::Verifying);
                let has_something = was_at_work || state == PhaseState::Waiting;
                let (outcome, fault, why) = if was_at_work {
                    targets.push(((u32::MAX, u32::MAX), Target::Processes(plan.owner(ix), super::action::StopPolicy::KILL)));
                    (Outcome::Failed, Fault::EngineDied, "the engine died while it was at work")
                } else {
                    (Outcome::Cancelled, Fault::EngineDied, "the engine died before it ended")
                };
                if has_something {
                    let at = At { run: id.clone(), phase: ix };
                    targets.extend(self.targets_at(&at, |resource| resource.run == id && resource.attempt == attempt && !resource.keep));
                }
                let (run, why) = (id.clone(), why.to_owned());
                self.record(Record::PhaseEnded { run, phase: ix, outcome, proof: Proof::None, fault: Some(fault), why });
            }
            self.tear_down(For::Run(id), targets);
        }
    }

    /// Asks the checks of the goal's latest run again: those of green phases whose answer must hold.
    fn verify_again(&mut self, goal: Name) {
        let Some(run) = self.state.goals.get(&goal).and_then(|goal| goal.run.as_ref()) else {
            return self.refuse(Refusal::NoGoal { goal });
        };
        let (id, plan) = (run.id.clone(), std::sync::Arc::clone(&run.plan));
        let mut asked = Vec::new();
        for (ix, planned) in plan.indexed() {
            if !matches!(run.phase(ix).state.outcome(), Some(Outcome::Verified | Outcome::Unverified)) {
                continue;
            }
            let checks = planned.spec.verify.iter().flat_map(|verify| &verify.checks).enumerate();
            let lasting = checks.filter(|(_, check)| check.holds.unwrap_or_default() == Holds::Always);
            asked.extend(lasting.map(|(index, _)| (At { run: id.clone(), phase: ix }, index)));
        }
        if asked.is_empty() {
            return;
        }
        *self.live.verifying.entry(goal).or_default() += asked.len();
        for (at, check) in asked {
            self.ask_check(&at, check, Stage::Again);
        }
    }

    /// A check that was asked again has its answer.
    pub(super) fn verified_again(&mut self, at: &At, check: u16, answer: Answer) {
        // A run that has begun meanwhile has no use for what its predecessor is asked.
        if self.run(&at.run).is_some() {
            self.record(Record::Answered { run: at.run.clone(), phase: at.phase, check, stage: Stage::Again, answer });
        }
        let goal = Name::from(super::state::goal_of(&at.run));
        if let Some(left) = self.live.verifying.get_mut(&goal) {
            *left -= 1;
            if *left == 0 {
                self.live.verifying.remove(&goal);
            }
        }
    }

    /// A person's budget, or a phase's, is used up.
    pub(super) fn budget_over(&mut self, at: &At) {
        let Some(phase) = self.run(&at.run).map(|run| run.phase(at.phase)) else { return };
        if phase.state.outcome().is_some() || phase.state == PhaseState::Waiting {
            return;
        }
        let why = "its `max_time` is used up".to_owned();
        let (outcome, proof, fault) = (Outcome::Cancelled, Proof::None, Some(Fault::Budget));
        if self.live.attempt(at).is_some() {
            self.close(at, Ending::Phase { outcome, proof, fault, why });
        } else {
            self.end_now(at, outcome, proof, fault, why);
        }
    }
}

/// True where nothing of a run goes on but waiting for a person.
pub(super) fn is_parked(run: &Run) -> bool {
    let mut waits = false;
    for phase in &run.phases {
        match phase.state {
            PhaseState::Waiting => waits = true,
            PhaseState::Pending | PhaseState::Done(_) => {}
            PhaseState::Ready | PhaseState::Running | PhaseState::Verifying | PhaseState::BackingOff => return false,
        }
    }
    waits
}
