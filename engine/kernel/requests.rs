//! What each request does.

use super::action::RunId;
use super::answer::Stage;
use super::attempt::Ending;
use super::collection::Trigger;
use super::fault::Fault;
use super::input::{At, Refusal, Request};
use super::outcome::{Outcome, Proof};
use super::phase::PhaseState;
use super::record::{Record, RunOptions, StopReason};
use super::state::Run;
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::plan::difference::difference;
use crate::plan::sealed::{PhaseIx, Plan};

impl Turn<'_> {
    /// Does what was asked, or refuses it and changes nothing.
    pub(super) fn serve(&mut self, request: Request) {
        match request {
            Request::Open { version, pid, torn, leftovers, ended, memory, stop } => {
                self.live.ended.extend(ended);
                self.record(Record::EngineStarted { version, pid, torn });
                // Nothing is collected before it is known who lives on: `recover` goes on with that.
                self.live.recovering = Some(leftovers.len());
                if let Some(sighting) = memory {
                    self.saw_memory(sighting);
                }
                if let Some(run) = stop.and_then(|goal| self.running(&goal))
                    && self.run(&run).is_some_and(|run| run.stopping.is_none())
                {
                    let reason = StopReason::Person;
                    self.record(Record::Stopping { run, reason, why: reason.why().to_owned() });
                }
                self.recover(leftovers);
            }
            Request::Run { plan, options, seen } => {
                let stands = self.must_stand(&plan.goal, seen.as_ref());
                if let Err(refusal) = stands.and_then(|()| self.attach_or_begin(plan, options)) {
                    self.refuse(refusal);
                }
            }
            Request::Retry { goal, run, phase, only, options } => {
                if let Err(refusal) = self.retry(&goal, run.as_ref(), phase.as_ref(), only, options) {
                    self.refuse(refusal);
                }
            }
            Request::RunFrom { plan, phase, options, seen } => {
                let stands = self.must_stand(&plan.goal, seen.as_ref());
                if let Err(refusal) = stands.and_then(|()| self.run_from(plan, &phase, options)) {
                    self.refuse(refusal);
                }
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
                if force && let Some(live) = self.live.runs.get_mut(&id) {
                    live.forced = true;
                }
                self.stop_run(&id, reason, reason.why());
            }
            Request::Reply { owner, yes, text, by } => self.reply(owner, yes, text, by),
            Request::Adopt { owner, by, found } => self.adopt_suspected(owner, by, found),
            Request::Down { goal, volumes } => self.take_down(goal, volumes),
            Request::Collect { evict } => self.collect(Trigger::Request { evict }),
            Request::Verify { goal } => self.verify_again(goal),
        }
    }

    /// Begins a run. Where the same is under way, whoever asks for it has what was asked for.
    fn attach_or_begin(&mut self, plan: Box<Plan>, options: RunOptions) -> Result<(), Refusal> {
        let goal = self.state.goals.get(&plan.goal).filter(|goal| !goal.falling);
        let Some(run) = goal.and_then(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none()) else {
            return self.begin_run(plan, options);
        };
        if let Some(parent) = &options.parent {
            self.may_nest(&plan.goal, parent)?;
        }
        let differences = differences(run, &plan, &options);
        let run = run.id.clone();
        if !differences.is_empty() {
            return Err(Refusal::Different { run, differences });
        }
        if self.run(&run).is_some_and(|run| run.stopping.is_some()) {
            return Err(Refusal::Running { run });
        }
        Ok(())
    }

    /// Begins a run, unless something of its goal is under way.
    pub(super) fn begin_run(&mut self, plan: Box<Plan>, mut options: RunOptions) -> Result<(), Refusal> {
        self.may_begin(&plan.goal, &options)?;
        let left = options.parent.as_ref().and_then(|parent| self.left(parent));
        if let Some(parent) = &mut options.parent {
            parent.left = left;
        }
        let run = self.state.next_run(&plan.goal);
        self.record(Record::RunStarted { run: run.clone(), plan, options });
        self.open_run(&run);
        Ok(())
    }

    /// Refuses where something of the goal is under way.
    pub(super) fn may_begin(&self, goal: &Name, options: &RunOptions) -> Result<(), Refusal> {
        if let Some(parent) = &options.parent {
            self.may_nest(goal, parent)?;
        }
        let Some(known) = self.state.goals.get(goal) else { return Ok(()) };
        if known.falling {
            return Err(Refusal::Falling { goal: goal.clone() });
        }
        match known.run.as_ref().filter(|run| run.ended.is_none()) {
            Some(run) => Err(Refusal::Running { run: run.id.clone() }),
            None => Ok(()),
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
        self.record(Record::Replied { run: at.run.clone(), phase: at.phase, yes, text, by });
        let Some(run) = self.run(&at.run) else { return };
        let ending = super::proof::weigh(run.plan.phase(at.phase), run.phase(at.phase), &self.state.goals[&run.plan.goal]);
        self.close(&at, ending);
        self.watch_budget(&at.run);
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

/// In what a run that is asked for differs from the one that is under way, in words.
fn differences(run: &Run, plan: &Plan, options: &RunOptions) -> Vec<String> {
    let mut found = difference(&run.plan, plan);
    for (name, there, asked) in [("--once", run.options.once, options.once), ("--strict", run.options.strict, options.strict)] {
        if there != asked {
            let (with, without) = if there { ("there", "here") } else { ("here", "there") };
            found.push(format!("`{name}` was given {with} and not {without}"));
        }
    }
    found
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
