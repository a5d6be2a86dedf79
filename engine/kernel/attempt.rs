//! The attempt's machine: one try of one phase.
//!
//! | doing     | input                                   | next                            |
//! |-----------|-----------------------------------------|---------------------------------|
//! | briefing  | brief: not wanted                       | over: skipped                   |
//! | briefing  | brief: another than what is alive       | replacing, then asking          |
//! | briefing  | brief                                   | asking (the checks, before the work) |
//! | asking    | all pass, proved before, alive          | over: verified (already)        |
//! | asking    | answered, and something is alive        | replacing, then stepping        |
//! | asking    | answered                                | stepping                        |
//! | stepping  | a step is done                          | stepping; after the last: checking |
//! | stepping  | a step failed, or time is over          | closing                         |
//! | checking  | all answered                            | person, or closing              |
//! | person    | yes or no                               | closing                         |
//! | any       | stop                                    | closing                         |
//! | closing   | what it started is gone                 | over: an outcome, or a further attempt |
//! | closing   | what it started is gone, and it has replaced something | rolling back, then over |

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::action::{Brief, Effect, EffectId, Exit, Look, QuestionId, RunId, Seen};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::live::Waiter;
use super::outcome::{Outcome, Proof};
use super::record::Record;
use super::stock::{Kind, Resource};
use super::teardown::{For, trouble};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::plan::sealed::{Part, Step};

/// What an attempt is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Its texts are rendered.
    Briefing,
    /// What an earlier run left is ended; then the checks are asked, or the steps begin.
    Replacing {
        /// Whether the checks are still to be asked.
        then_ask: bool,
    },
    /// Its checks are asked before the work; so many answers are missing.
    Asking(usize),
    /// It waits for the step with this index.
    Stepping(usize),
    /// Its checks are asked after the work; so many answers are missing.
    Checking(usize),
    /// A person is asked.
    Person,
    /// What it started is ended.
    Closing,
    /// What served before it is started again; it waits for the step back with this index.
    RollingBack(usize),
}

/// How an attempt will have ended once it is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "snake_case")]
pub enum Ending {
    /// The phase ends with it.
    Phase {
        /// How.
        outcome: Outcome,
        /// Why it may be believed.
        proof: Proof,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// In words.
        why: String,
    },
    /// There will be another.
    Again {
        /// What went wrong.
        fault: Fault,
        /// In words.
        why: String,
    },
}

/// How far the teardown at an attempt's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// It is not over.
    NotYet,
    /// It is over, and nothing is left.
    Clean,
    /// It is over, and something would not end: its exit is not waited for.
    GivenUp,
}

/// An attempt under way.
#[derive(Debug)]
pub struct Attempt {
    pub(super) doing: Doing,
    /// True while it holds a slot of the run.
    pub(super) slot: bool,
    /// Its command, while it runs.
    pub(super) work: Option<EffectId>,
    /// What it is making, or starting, now. It cannot be ended before it is there.
    pub(super) making: Option<EffectId>,
    /// True where the command has left processes that would not end.
    pub(super) survived: bool,
    /// Its services, while they run.
    pub(super) services: HashMap<Name, EffectId>,
    /// How services that are no more have ended.
    pub(super) exits: HashMap<Name, Exit>,
    pub(super) ending: Option<Ending>,
    pub(super) swept: Swept,
    /// What it asks now.
    pub(super) questions: BTreeSet<QuestionId>,
    /// The runs that were begun within it, while it waits for their ends.
    pub(super) within: BTreeSet<RunId>,
    /// The permits of what it no longer asks while a command is still at it: that is ended with the attempt.
    pub(super) dismissed: Vec<EffectId>,
    /// What became of the rollback, in words, once that is over.
    pub(super) rollback: Option<String>,
    /// True where a person waits for no rollback any more.
    pub(super) hurried: bool,
}

impl Attempt {
    pub(super) fn new() -> Self {
        Self {
            doing: Doing::Briefing,
            slot: true,
            work: None,
            making: None,
            survived: false,
            services: HashMap::new(),
            exits: HashMap::new(),
            ending: None,
            swept: Swept::NotYet,
            questions: BTreeSet::new(),
            within: BTreeSet::new(),
            dismissed: Vec::new(),
            rollback: None,
            hurried: false,
        }
    }
}

impl Turn<'_> {
    /// Begins a phase: its first attempt is briefed; a further one goes straight to its steps.
    pub(super) fn begin(&mut self, at: &At) {
        let Some(run) = self.run(&at.run) else { return };
        let phase = run.phase(at.phase);
        let (first, reply) = (phase.attempt == 0, phase.reply.is_some());
        let Some(live) = self.live.runs.get_mut(&at.run) else { return };
        live.attempts.insert(at.phase, Attempt::new());
        if first && !reply {
            self.look(Look::Brief { run: at.run.clone(), phase: at.phase });
        } else {
            self.launch(at);
        }
    }

    /// The phase's texts are rendered.
    pub(super) fn briefed(&mut self, at: &At, brief: Result<Brief, (Fault, String)>) {
        let brief = match brief {
            Ok(brief) => brief,
            Err((fault, why)) => return self.fail(at, fault, why),
        };
        if !brief.wanted {
            let why = "`when` is false".to_owned();
            return self.end_now(at, Outcome::Skipped, Proof::None, None, why);
        }
        let fingerprint = brief.fingerprint.clone();
        if brief != (Brief { wanted: true, ..Brief::default() }) {
            self.record(Record::Briefed { run: at.run.clone(), phase: at.phase, brief });
        }
        let renewed = self.is_renewed(at);
        let another = |resource: &Resource| renewed || resource.fingerprint != fingerprint;
        if self.replace(at, true, another) {
            return;
        }
        self.ask_before(at);
    }

    /// True where something that the phase needs, however far away, was started anew in this run: then so is what depends on it.
    fn is_renewed(&mut self, at: &At) -> bool {
        let Some(run) = self.state.run(&at.run) else { return false };
        let Some(live) = self.live.runs.get_mut(&at.run) else { return false };
        let renewed = run.plan.phase(at.phase).needs.iter().any(|edge| live.renewed.contains(&edge.phase));
        if renewed {
            live.renewed.insert(at.phase);
        }
        renewed
    }

    /// Ends what an earlier run left of this phase, where there is such a thing. Directories and files stay: they are made in place.
    fn replace(&mut self, at: &At, then_ask: bool, wanted: impl Fn(&Resource) -> bool) -> bool {
        let targets = self.targets_at(at, |resource| match resource.kind {
            // What a custom resource made that is kept is kept with it.
            Kind::Container if resource.keep && resource.caught.is_some() => false,
            Kind::Process | Kind::Container => wanted(resource),
            Kind::Custom | Kind::Network => !resource.keep && wanted(resource),
            Kind::Directory | Kind::File | Kind::Port | Kind::Volume | Kind::Adopted => false,
        });
        if targets.is_empty() {
            return false;
        }
        let names = self.run(&at.run).map(|run| run.plan.phase(at.phase).spec.resources.keys().cloned().collect()).unwrap_or_default();
        self.note_replaced(at, names, |resource| match resource.kind {
            Kind::Process | Kind::Container => wanted(resource),
            Kind::Custom | Kind::Network => !resource.keep && wanted(resource),
            Kind::File => true,
            Kind::Directory | Kind::Port | Kind::Volume | Kind::Adopted => false,
        });
        if let Some(attempt) = self.live.attempt(at) {
            attempt.doing = Doing::Replacing { then_ask };
        }
        self.tear_down(For::Replacing(at.clone()), targets);
        true
    }

    /// What an earlier run left is gone; where it is not, its successor would meet it.
    pub(super) fn replaced(&mut self, at: &At, survivors: &[u32], unremoved: &[String]) {
        if let Some((fault, trouble)) = trouble(survivors, unremoved) {
            self.note_survivors(&at.run, survivors);
            return self.fail(at, fault, trouble);
        }
        match self.live.attempt(at).map(|attempt| attempt.doing) {
            Some(Doing::Replacing { then_ask: true }) => self.ask_before(at),
            Some(Doing::Replacing { then_ask: false }) => self.launch(at),
            _ => {}
        }
    }

    pub(super) fn asked_before(&mut self, at: &At) {
        if let Some(run) = self.is_already(at) {
            let why = format!("proved by {run}; its work was not repeated");
            return self.end_now(at, Outcome::Verified, Proof::Already, None, why);
        }
        if !self.replace(at, false, |_| true) {
            self.launch(at);
        }
    }

    /// The attempt's steps begin.
    fn launch(&mut self, at: &At) {
        let Some(run) = self.run(&at.run) else { return };
        let number = run.phase(at.phase).attempt + 1;
        let spec = &run.plan.phase(at.phase).spec;
        let (timeout, max_time) = (spec.timeout, spec.budget.as_ref().and_then(|budget| budget.max_time));
        self.record(Record::AttemptStarted { run: at.run.clone(), phase: at.phase, attempt: number });
        if let Some(timeout) = timeout {
            self.set_deadline(self.now + timeout, Deadline::Attempt { at: at.clone(), attempt: number });
        }
        if let (1, Some(max_time)) = (number, max_time) {
            self.set_deadline(self.now + max_time, Deadline::PhaseBudget { at: at.clone() });
        }
        self.take_step(at, 0);
    }

    /// Does the step with this index; after the last one the checks are asked.
    pub(super) fn take_step(&mut self, at: &At, index: usize) {
        let Some(run) = self.run(&at.run) else { return };
        let (attempt_number, plan) = (run.phase(at.phase).attempt, std::sync::Arc::clone(&run.plan));
        let planned = plan.phase(at.phase);
        let Some(attempt) = self.live.attempt(at) else { return };
        attempt.doing = Doing::Stepping(index);
        let working = attempt.work.is_some();
        let Some(step) = planned.steps.get(index) else { return self.check(at) };
        let waits = matches!(step, Step::Ready(_) | Step::Complete(_));
        if waits {
            // After an engine's death a service may be found ended while the command that it was for is still at work.
            if !working {
                self.free_slot(at);
            }
        } else if !self.hold_slot(at) {
            return;
        }
        let (run, phase, attempt) = (at.run.clone(), at.phase, attempt_number);
        match step {
            Step::Make(name) => {
                let owner = Owner::resource(&plan.goal, &planned.name, name);
                let effect = Effect::Make { run, phase, attempt, resource: name.clone() };
                let id = self.request(owner, effect, Waiter::Attempt(at.clone()));
                if let Some(live) = self.live.attempt(at) {
                    live.making = Some(id);
                }
            }
            Step::Serve(name) => {
                let owner = Owner::resource(&plan.goal, &planned.name, name);
                let effect = Effect::Serve { run, phase, attempt, resource: name.clone() };
                let id = self.request_service(owner, effect, at.clone(), name.clone());
                if let Some(live) = self.live.attempt(at) {
                    live.services.insert(name.clone(), id);
                    live.making = Some(id);
                }
                if planned.promises()
                    && let Some(live) = self.live.runs.get_mut(&at.run)
                {
                    live.renewed.insert(at.phase);
                }
            }
            Step::Work => {
                let owner = Owner::phase(&plan.goal, &planned.name);
                let id = self.request(owner, Effect::Work { run, phase, attempt }, Waiter::Attempt(at.clone()));
                if let Some(live) = self.live.attempt(at) {
                    live.work = Some(id);
                }
            }
            Step::Ready(name) => self.wait_ready(at, name),
            Step::Complete(name) => self.wait_complete(at, name),
        }
    }

    /// Something was seen of the attempt's step.
    pub(super) fn step_saw(&mut self, at: &At, id: EffectId, seen: Seen) {
        if matches!(seen, Seen::Begun { .. }) {
            return; // It cannot be ended before it is there, or has failed.
        }
        let Some(attempt) = self.live.attempt(at) else { return };
        if attempt.work == Some(id) && seen.is_end() {
            attempt.work = None;
            attempt.survived = matches!(&seen, Seen::Exited { survivors, .. } if !survivors.is_empty());
        }
        let made = attempt.making == Some(id) && attempt.making.take().is_some();
        let index = match attempt.doing {
            Doing::Stepping(index) => index,
            Doing::Closing if made => return self.sweep(at),
            Doing::Closing => return self.try_close(at),
            Doing::RollingBack(_) if made => return self.step_back_saw(at, &seen),
            _ => return,
        };
        match seen {
            Seen::Exited { exit, survivors, .. } if !survivors.is_empty() => {
                let why = format!("the command ended ({exit}), but {} of its processes would not end", survivors.len());
                self.fail(at, Fault::Survivors, why);
            }
            Seen::Exited { exit, .. } if exit.is_success() => self.take_step(at, index + 1),
            Seen::Exited { exit: Exit::Unseen, .. } => self.work_unseen(at, index),
            Seen::Exited { exit, .. } => self.work_failed(at, exit),
            Seen::Made { .. } => self.take_step(at, index + 1),
            Seen::Failed { fault, evidence } => self.fail(at, fault, evidence),
            Seen::Started { .. } | Seen::Begun { .. } | Seen::Unenforced { .. } | Seen::Ended { .. } | Seen::Called { .. } | Seen::Done => {
            }
        }
    }

    /// The command has not ended well.
    pub(super) fn work_failed(&mut self, at: &At, exit: Exit) {
        let usage = self.run(&at.run).map(|run| run.phase(at.phase).usage).unwrap_or_default();
        if let Some(want) = self.state.want_of_memory(&at.run, at.phase, None, &usage) {
            return self.fail(at, Fault::OutOfMemory, format!("{want} (the command ended with {exit})"));
        }
        let fault = match exit {
            Exit::Code(127) => Fault::MissingCommand,
            Exit::Code(126) => Fault::Permission,
            Exit::Signal(_) => Fault::Killed,
            Exit::Code(_) | Exit::Unseen => Fault::WorkFailed,
        };
        self.fail(at, fault, format!("the command ended with {exit}"));
    }

    /// The attempt failed: there is another, or the phase failed.
    pub(super) fn fail(&mut self, at: &At, fault: Fault, why: String) {
        let Some(run) = self.run(&at.run) else { return };
        let attempts = run.plan.phase(at.phase).spec.retry.as_ref().map_or(1, |retry| retry.attempts);
        let phase = run.phase(at.phase);
        // Before the first attempt nothing was tried, and survivors would meet their successors.
        let final_fault = matches!(fault, Fault::Survivors | Fault::Template | Fault::Budget | Fault::Refused);
        let stopping = run.stopping.is_some() && run.plan.phase(at.phase).part != Part::Finally;
        // What an engine's death has interrupted is tried again outside `retry`.
        let counted = phase.attempt.saturating_sub(phase.lost_attempts());
        let again = phase.attempt > 0 && (counted < attempts || fault == Fault::EngineDied) && !final_fault && !stopping;
        let ending = if again {
            Ending::Again { fault, why }
        } else {
            Ending::Phase { outcome: Outcome::Failed, proof: Proof::None, fault: Some(fault), why }
        };
        self.close(at, ending);
    }

    /// How long until the next attempt: `initial × factor^(n−1)`, at most `max`.
    pub(super) fn backoff(&self, at: &At) -> Span {
        let Some(run) = self.run(&at.run) else { return Span(0) };
        let backoff = run.plan.phase(at.phase).spec.retry.as_ref().map(|retry| retry.backoff.clone()).unwrap_or_default();
        let phase = run.phase(at.phase);
        let exponent = i32::try_from(phase.attempt.saturating_sub(phase.lost_attempts() + 1)).unwrap_or(i32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "a pause of 2^53 ms is 285,000 years")]
        let (initial, longest) = (backoff.initial.0 as f64, backoff.max.0 as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by `max` above and by 0 below")]
        let pause = (initial * backoff.factor.powi(exponent)).min(longest).max(0.0) as u64;
        Span(pause)
    }
}
