//! How a goal goes down.
//!
//! | stage    | input                                  | next     |
//! |----------|----------------------------------------|----------|
//! | up       | down                                   | tearing  |
//! | tearing  | what it made is gone                   | accusing: the checks of what is gone are asked once more |
//! | accusing | all are answered, what is kept stays   | down: a check that still passes is named as a liar |
//! | accusing | all are answered, what is kept goes too | forgetting: secrets and built images go |
//! | forgetting | they are gone, or cannot be removed  | down     |

use super::action::{Effect, RunId};
use super::answer::{Answer, Lie, Said, Stage};
use super::collection::Trigger;
use super::fault::Fault;
use super::input::{At, Refusal};
use super::live::Waiter;
use super::outcome::{Outcome, Proof, Verdict};
use super::record::Record;
use super::requests::is_parked;
use super::resource::ResourceState;
use super::teardown::{For, Target};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::plan::sealed::PhaseIx;

/// A goal that goes down, while the checks of what is gone are asked.
#[derive(Debug)]
pub(super) struct Falling {
    volumes: bool,
    survivors: u32,
    left: usize,
    liars: Vec<Lie>,
}

impl Turn<'_> {
    pub(super) fn take_down(&mut self, goal: Name, volumes: bool) {
        let Some(known) = self.state.goals.get(&goal) else { return self.refuse(Refusal::NoGoal { goal }) };
        if known.falling {
            return self.refuse(Refusal::Falling { goal });
        }
        if let Some(run) = known.run.as_ref().filter(|run| run.ended.is_none()) {
            let id = run.id.clone();
            if !is_parked(run) {
                return self.refuse(Refusal::Running { run: id });
            }
            // It waits for a person: whoever takes the goal down has answered.
            self.cancel_parked(&id);
        }
        self.record(Record::DownStarted { goal: goal.clone(), volumes });
        self.fall(goal, volumes);
    }

    /// Ends what the goal made, once what was made within its runs is down.
    pub(super) fn fall(&mut self, goal: Name, volumes: bool) {
        let within = self.state.goals_within(&goal, |resource| volumes || !resource.keep);
        if within.is_empty() {
            let targets = self.falling_targets(&goal, volumes);
            return self.tear_down(For::Down { goal, volumes }, targets);
        }
        self.live.awaiting_down.insert(goal, (volumes, within.iter().cloned().collect()));
        for inner in within {
            if self.state.goals.get(&inner).is_some_and(|known| !known.falling) {
                self.record(Record::DownStarted { goal: inner.clone(), volumes });
                self.fall(inner, volumes);
            }
        }
    }

    /// A goal is down: those around it may wait for that.
    fn down_within(&mut self, inner: &Name) {
        let mut ready = Vec::new();
        self.live.awaiting_down.retain(|goal, (volumes, within)| {
            let last = within.remove(inner) && within.is_empty();
            if last {
                ready.push((goal.clone(), *volumes));
            }
            !last
        });
        for (goal, volumes) in ready {
            let targets = self.falling_targets(&goal, volumes);
            self.tear_down(For::Down { goal, volumes }, targets);
        }
    }

    /// What goes with a goal: what it made, and what leaks at its other places.
    fn falling_targets(&mut self, goal: &Name, volumes: bool) -> Vec<((u32, u32), Target)> {
        let mut targets = self.targets(goal, |resource| volumes || !resource.keep);
        let leaks = self.state.goals.get(goal).map(|goal| goal.leaks.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        for owner in leaks.iter().filter(|owner| owner.resource.is_none()) {
            targets.extend(self.leak_target(owner));
        }
        targets
    }

    fn cancel_parked(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let open: Vec<PhaseIx> = run.plan.indexed().map(|(ix, _)| ix).filter(|ix| run.phase(*ix).state.outcome().is_none()).collect();
        let why = "the goal was taken down".to_owned();
        for phase in open {
            let (run, fault, why) = (id.clone(), Some(Fault::Stopped), why.clone());
            self.record(Record::PhaseEnded { run, phase, outcome: Outcome::Cancelled, proof: Proof::None, fault, why });
        }
        self.record(Record::RunEnded { run: id.clone(), verdict: Verdict::Cancelled, why, survivors: 0 });
        self.live.runs.remove(id);
        self.over_within(id);
    }

    /// What the goal made is gone. A check whose subject is gone and that passes all the same never proved anything.
    pub(super) fn fallen(&mut self, goal: &Name, volumes: bool, survivors: &[u32]) {
        let accused = self.accused(goal);
        let survivors = u32::try_from(survivors.len()).unwrap_or(u32::MAX);
        let falling = Falling { volumes, survivors, left: accused.len(), liars: Vec::new() };
        self.live.falling.insert(goal.clone(), falling);
        for (at, check) in &accused {
            self.ask_check(at, usize::from(*check), Stage::Gone);
        }
        if accused.is_empty() {
            self.judged(goal);
        }
    }

    /// The checks of green phases whose subject was ours and is gone. What is kept, or was there before, accuses nobody.
    fn accused(&self, goal: &Name) -> Vec<(At, u16)> {
        let Some(run) = self.state.goals.get(goal).and_then(|goal| goal.run.as_ref()) else { return Vec::new() };
        let mut accused = Vec::new();
        for (ix, planned) in run.plan.indexed() {
            let phase = run.phase(ix);
            if phase.state.outcome() != Some(Outcome::Verified) {
                continue;
            }
            for (check, name) in &phase.brief.subjects {
                let owner = Owner::resource(goal, &planned.name, name);
                let gone = self
                    .state
                    .resource(&owner)
                    .is_some_and(|resource| resource.state == ResourceState::Gone && (resource.created || resource.kind.runs()));
                if gone {
                    accused.push((At { run: run.id.clone(), phase: ix }, *check));
                }
            }
        }
        accused
    }

    /// A check of what is gone has its answer.
    pub(super) fn gone_answered(&mut self, at: &At, check: u16, answer: Answer) {
        let Some(owner) = self.owner(at) else { return };
        let (said, evidence) = (answer.said, answer.evidence.clone());
        self.record(Record::Answered { run: at.run.clone(), phase: at.phase, check, stage: Stage::Gone, answer });
        let Some(falling) = self.live.falling.get_mut(&owner.goal) else { return };
        let goal = owner.goal.clone();
        if said == Said::Pass {
            falling.liars.push(Lie { phase: owner, check, evidence });
        }
        falling.left = falling.left.saturating_sub(1);
        if falling.left == 0 {
            self.judged(&goal);
        }
    }

    /// The checks of what is gone are answered.
    fn judged(&mut self, goal: &Name) {
        if self.live.falling.get(goal).is_some_and(|falling| falling.volumes) {
            self.request(Owner::goal(goal), Effect::Forget, Waiter::Forget(goal.clone()));
        } else {
            self.down_ended(goal);
        }
    }

    /// Nothing of the goal is left to be ended or removed; what could not be is told by the effect that failed.
    pub(super) fn down_ended(&mut self, goal: &Name) {
        let Some(Falling { survivors, liars, .. }) = self.live.falling.remove(goal) else { return };
        let kept: Vec<Owner> = self
            .state
            .goals
            .get(goal)
            .into_iter()
            .flat_map(super::state::Goal::live_resources)
            .filter(|resource| resource.keep && !resource.kind.runs())
            .map(|resource| resource.owner.clone())
            .collect();
        self.record(Record::DownEnded { goal: goal.clone(), survivors, kept, liars });
        self.down_within(goal);
        self.promise_removals(Some(goal));
        self.collect(Trigger::Teardown);
    }
}
