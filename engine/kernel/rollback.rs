//! The rollback's machine: what served before a replacement that failed is started again, as the run declared it that had started it.
//!
//! | state      | input                                              | next       |
//! |------------|----------------------------------------------------|------------|
//! | replaced   | the phase ends verified, unverified or unknown     | – (what is new stays) |
//! | replaced   | the run tears everything down at its end           | –          |
//! | replaced   | the phase ends failed, cancelled or skipped, and what it started is gone | going back |
//! | going back | a file is written back, a service is started, is ready | going back; after the last: back |
//! | going back | a step cannot be done, a service ends or is not ready in time | given up |
//! | going back | stopped twice                                      | given up, once what is being started is there |
//! | back, given up | –                                              | the phase ends as was decided, and says which |
//! | replaced   | its run is stopped after it has ended, and what it started is gone | going back; the run says which |
//!
//! What was replaced, and how the phase will have ended, is recorded before anything is started again; each step tells from the
//! resources whether it is done. So whoever goes on after an engine's death goes on with the first step that is not.
//! It waits for no slot: what served before is owed.

use super::action::{Effect, RunId, Seen};
use super::answer::{Answer, Said};
use super::attempt::{Attempt, Doing, Ending, Swept};
use super::input::At;
use super::live::Waiter;
use super::outcome::{Outcome, Proof};
use super::record::Record;
use super::resource::ResourceState;
use super::stock::{Kind, Resource};
use super::teardown::{For, Target};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::StopPolicy;
use crate::manifest::resource::Scope;
use crate::plan::sealed::Step;

/// One step on the way back, and the attempt whose step it was.
struct Back {
    of: At,
    attempt: u32,
    step: Step,
    name: Name,
}

impl Turn<'_> {
    /// Notes what of these resources serves now and will be replaced: what to go back to. Files alone serve nothing.
    pub(super) fn note_replaced(&mut self, at: &At, names: Vec<Name>, wanted: impl Fn(&Resource) -> bool) {
        let Some(run) = self.run(&at.run) else { return };
        let (place, known) = (run.owner(at.phase), &run.phase(at.phase).replaced);
        let serving = |resource: &&Resource| {
            let serves = resource.state == ResourceState::Ready && resource.exit.is_none() && resource.scope == Scope::Goal;
            serves && resource.run != at.run && wanted(resource)
        };
        let found = names.into_iter().filter(|name| !known.contains_key(name)).filter_map(|name| {
            let owner = Owner { resource: Some(name.clone()), ..place.clone() };
            Some((name, self.state.resource(&owner).filter(serving)?.kind))
        });
        let found: Vec<(Name, Kind)> = found.collect();
        if !found.iter().any(|(_, kind)| kind.is_remade()) {
            return;
        }
        let resources = found.into_iter().map(|(name, _)| name).collect();
        self.record(Record::Replacing { run: at.run.clone(), phase: at.phase, resources });
        if let Some(live) = self.live.runs.get_mut(&at.run) {
            live.renewed.insert(at.phase);
        }
    }

    /// True where a phase that ends so has replaced what served before, and it is to serve again.
    pub(super) fn owes_rollback(&self, at: &At, outcome: Outcome) -> bool {
        let Some(run) = self.run(&at.run) else { return false };
        let unswept = || self.live.unswept.iter().any(|scope| scope.split('/').next() == Some(run.plan.goal.as_str()));
        let failed = matches!(outcome, Outcome::Failed | Outcome::Cancelled | Outcome::Skipped);
        !run.phase(at.phase).replaced.is_empty() && failed && !run.options.once && !unswept()
    }

    /// Goes back to what served before; then the phase ends like this.
    pub(super) fn roll_back(&mut self, at: &At, ending: Ending) {
        let Some(live) = self.live.runs.get_mut(&at.run) else { return };
        let forced = live.forced;
        live.queue.remove(&at.phase);
        live.pausing.remove(&at.phase);
        let attempt = live.attempts.entry(at.phase).or_insert_with(|| Attempt { slot: false, ..Attempt::new() });
        attempt.ending = Some(ending);
        attempt.doing = Doing::RollingBack(0);
        if self.run(&at.run).is_some_and(|run| run.phase(at.phase).state.outcome().is_none()) {
            self.record_closing(at);
        }
        if forced {
            return self.give_up(at, "a person wanted an end at once");
        }
        self.step_back(at, 0);
    }

    /// Does the first step from this index on that is not done; after the last one what served before serves again.
    pub(super) fn step_back(&mut self, at: &At, index: usize) {
        let way = self.way_back(at);
        let next = way.iter().enumerate().skip(index).find(|(_, back)| !self.is_back(at, back)).map(|(index, _)| index);
        let Some(attempt) = self.live.attempt(at) else { return };
        attempt.doing = Doing::RollingBack(next.unwrap_or(way.len()));
        if attempt.hurried {
            return self.give_up(at, "a person wanted an end at once");
        }
        let Some(Back { of, attempt: number, step, name }) = next.and_then(|next| way.into_iter().nth(next)) else {
            let note = format!("rolled back to {}", self.replaced_run(at));
            return self.end_rollback(at, note);
        };
        let Some(owner) = self.owner_of(at, &name) else { return };
        let (run, phase) = (of.run.clone(), of.phase);
        match step {
            Step::Make(_) => {
                let id = self.request(owner, Effect::Make { run, phase, attempt: number, resource: name }, Waiter::Attempt(at.clone()));
                if let Some(attempt) = self.live.attempt(at) {
                    attempt.making = Some(id);
                }
            }
            Step::Serve(_) if self.state.resource(&owner).is_some_and(|resource| resource.state.is_live()) => {
                self.give_up(at, &format!("{name} would not end"));
            }
            Step::Serve(_) => {
                let effect = Effect::Serve { run, phase, attempt: number, resource: name.clone() };
                let id = self.request_service(owner, effect, at.clone(), name.clone());
                if let Some(attempt) = self.live.attempt(at) {
                    attempt.services.insert(name, id);
                    attempt.making = Some(id);
                }
            }
            _ => self.wait_back(at, &of, &owner, &name),
        }
    }

    /// Waits until a service that was started again is ready. One that an earlier engine had started again is this attempt's business now.
    fn wait_back(&mut self, at: &At, of: &At, owner: &Owner, name: &Name) {
        let exit = |resource: &Resource| resource.exit.filter(|_| resource.restarts.next.is_none());
        let Some((id, exit)) = self.state.resource(owner).map(|resource| (resource.made_by, exit(resource))) else { return };
        if let Some(exit) = exit {
            return self.give_up(at, &format!("{name} ended with {exit}"));
        }
        if self.state.effects.contains_key(&id) {
            self.live.services.insert(id, (at.clone(), name.clone()));
            if let Some(attempt) = self.live.attempt(at) {
                attempt.services.insert(name.clone(), id);
            }
        }
        self.ask_ready(at, of, name);
    }

    /// Something was seen of what is made or started again.
    pub(super) fn step_back_saw(&mut self, at: &At, seen: &Seen) {
        let Some(Doing::RollingBack(index)) = self.live.attempt(at).map(|attempt| attempt.doing) else { return };
        match seen {
            Seen::Started { .. } | Seen::Made { .. } => self.step_back(at, index + 1),
            Seen::Failed { evidence, .. } => self.give_up(at, evidence),
            Seen::Exited { exit, .. } => self.give_up(at, &format!("it ended with {exit}")),
            Seen::Begun { .. } | Seen::Unenforced { .. } | Seen::Ended { .. } | Seen::Called { .. } | Seen::Done => {}
        }
    }

    /// The readiness of what was started again has its answer.
    pub(super) fn back_answered(&mut self, at: &At, index: usize, name: &Name, answer: Answer) {
        let Some(owner) = self.owner_of(at, name) else { return };
        if answer.said != Said::Pass {
            return self.give_up(at, &format!("{name} was not ready in time: {}", answer.evidence));
        }
        if self.is_there(&owner) {
            self.ready(&owner, answer.evidence);
        }
        self.step_back(at, index + 1);
    }

    /// A person who stops a second time waits for nothing any more.
    pub(super) fn hurry_back(&mut self, at: &At) {
        let forced = self.live.runs.get(&at.run).is_some_and(|run| run.forced);
        let Some(attempt) = self.live.attempt(at).filter(|_| forced) else { return };
        // What is being started must be there before it can be left alone.
        attempt.hurried = true;
        if attempt.making.is_none() {
            self.give_up(at, "a person wanted an end at once");
        }
    }

    /// The same for all that goes back.
    pub(super) fn hurry_all_back(&mut self, id: &RunId) {
        let Some(live) = self.live.runs.get(id) else { return };
        let back = live.attempts.iter().filter(|(_, attempt)| matches!(attempt.doing, Doing::RollingBack(_))).map(|(phase, _)| *phase);
        for phase in back.collect::<Vec<_>>() {
            self.hurry_back(&At { run: id.clone(), phase });
        }
    }

    /// A run that is stopped ends what it started, also of phases that had ended well. What those had replaced serves again, one after
    /// the other, each after what it needs. True while that goes on.
    pub(super) fn give_back(&mut self, id: &RunId) -> bool {
        let (Some(run), Some(live)) = (self.run(id), self.live.runs.get(id)) else { return false };
        if run.stopping.is_none() || live.forced {
            return false;
        }
        let next = run.plan.indexed().map(|(phase, _)| phase).find(|phase| {
            let kept = matches!(run.phase(*phase).state.outcome(), Some(Outcome::Verified | Outcome::Unverified | Outcome::Unknown));
            // As one that failed would be.
            let owed = || self.owes_rollback(&At { run: id.clone(), phase: *phase }, Outcome::Cancelled);
            kept && !live.given_back.contains_key(phase) && owed()
        });
        let Some(phase) = next else { return false };
        let ending = Ending::Phase { outcome: Outcome::Cancelled, proof: Proof::None, fault: None, why: String::new() };
        self.roll_back(&At { run: id.clone(), phase }, ending);
        true
    }

    /// What a phase had replaced that has ended long since serves again, or cannot: the end of its run goes on.
    pub(super) fn given_back(&mut self, at: &At, note: String) {
        if let Some(live) = self.live.runs.get_mut(&at.run) {
            live.attempts.remove(&at.phase);
            live.given_back.insert(at.phase, note);
        }
        self.run_torn_down(&at.run, &[], &[]);
    }

    /// What served before cannot be had back. What could be started again stays.
    fn give_up(&mut self, at: &At, why: &str) {
        let note = format!("not rolled back to {}: {why}", self.replaced_run(at));
        self.end_rollback(at, note);
    }

    /// The phase ends as was decided, and says what serves; the command of a health check that is still at it is ended first.
    fn end_rollback(&mut self, at: &At, note: String) {
        self.close_questions_of(at);
        let Some(place) = self.owner(at) else { return };
        let Some(attempt) = self.live.attempt(at) else { return };
        attempt.rollback = Some(note);
        attempt.doing = Doing::Closing;
        attempt.swept = Swept::NotYet;
        // What was started again outlives the attempt: nobody waits for its end.
        attempt.services.clear();
        let checking = !attempt.dismissed.is_empty();
        let targets = checking.then_some(((0, 0), Target::Processes(place, StopPolicy::KILL)));
        self.tear_down(For::Attempt(at.clone()), targets.into_iter().collect());
    }

    /// All that was replaced, in the order in which it was made, each service with the wait for it.
    fn way_back(&self, at: &At) -> Vec<Back> {
        let Some(run) = self.run(&at.run) else { return Vec::new() };
        let replaced = &run.phase(at.phase).replaced;
        let (mut way, mut gone) = (Vec::new(), Vec::new());
        for made in replaced.values() {
            let of = At { run: made.run.clone(), phase: made.phase };
            let Some(old) = self.run(&of.run).filter(|_| !gone.contains(&of)) else { continue };
            for step in &old.plan.phase(of.phase).steps {
                let (Step::Make(name) | Step::Serve(name) | Step::Ready(name)) = step else { continue };
                if let Some(made) = replaced.get(name).filter(|made| made.run == of.run && made.phase == of.phase) {
                    way.push(Back { of: of.clone(), attempt: made.attempt, step: step.clone(), name: name.clone() });
                }
            }
            gone.push(of);
        }
        way
    }

    /// Whether a step back is done: the resource is there, and the one that it was to bring back.
    fn is_back(&self, at: &At, back: &Back) -> bool {
        let owner = self.owner_of(at, &back.name);
        let made = owner.as_ref().and_then(|owner| self.state.resource(owner));
        let made = made.filter(|made| made.run == back.of.run && made.attempt == back.attempt && !made.ended_by_us);
        made.is_some_and(|made| match back.step {
            Step::Serve(_) => made.process.is_some() || made.exit.is_some() || made.restarts.done > 0,
            _ => made.was_ready(),
        })
    }

    fn owner_of(&self, at: &At, name: &Name) -> Option<Owner> {
        self.owner(at).map(|place| Owner { resource: Some(name.clone()), ..place })
    }

    /// The run to go back to; where there are several, the latest.
    fn replaced_run(&self, at: &At) -> String {
        let number = |id: &RunId| id.0.rsplit_once('.').and_then(|(_, number)| number.parse::<u64>().ok());
        let replaced = self.run(&at.run).map(|run| run.phase(at.phase).replaced.values());
        let latest = replaced.and_then(|replaced| replaced.map(|made| &made.run).max_by_key(|id| number(id)));
        latest.map(ToString::to_string).unwrap_or_default()
    }
}
