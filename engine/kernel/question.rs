//! The question's machine: a check, or a readiness, and how patiently it is asked.
//!
//! | state   | input                                           | next     |
//! |---------|-------------------------------------------------|----------|
//! | asking  | pass, tries left / pass, no tries left          | answered |
//! | asking  | fail, tries left / unknown, tries left          | pausing  |
//! | asking  | fail, no tries left / unknown, no tries left    | answered |
//! | pausing | the pause is over                               | asking   |
//! | asking, pausing | patience is over                        | answered |
//! | asking  | an answer to a standing question                | pausing  |
//!
//! A question may be closed while its command is at work. That command is ended with the attempt that asked, or at once where
//! none did; its permit stands until then, and nothing that comes after begins before.

use std::collections::BTreeSet;

use super::action::{About, Effect, EffectId, Look, QuestionId, RunId, Seen, StopPolicy};
use super::answer::{Answer, Said, Stage};
use super::deadline::Deadline;
use super::fault::Fault;
use super::input::At;
use super::live::Waiter;
use super::record::Record;
use super::state::goal_of;
use super::teardown::{For, Target};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuestionState {
    /// A try is under way.
    Asking,
    /// It waits before the next try.
    Pausing,
    /// It is over.
    Answered,
}

/// What happens to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuestionInput {
    /// A try was answered.
    Answer {
        /// What it said.
        said: Said,
        /// Whether it may be asked again.
        left: bool,
    },
    /// A try of a question that is never over was answered.
    Noted,
    /// The pause is over.
    Again,
    /// Patience is over.
    Enough,
}

impl QuestionState {
    /// The next state; none where the input does not belong here.
    pub const fn on(self, input: QuestionInput) -> Option<Self> {
        use QuestionInput as I;
        match (self, input) {
            (Self::Asking, I::Answer { said: Said::Fail | Said::Unknown, left: true } | I::Noted) => Some(Self::Pausing),
            (Self::Asking, I::Answer { .. }) | (Self::Asking | Self::Pausing, I::Enough) => Some(Self::Answered),
            (Self::Pausing, I::Again) => Some(Self::Asking),
            _ => None,
        }
    }
}

/// How often and how long a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long one try may take.
    pub timeout: Span,
    /// How often it is asked again; none means until patience is over.
    pub retries: Option<u32>,
    /// The pause between two tries, and the longest one: it doubles from the first to the second.
    pub interval: (Span, Span),
    /// When patience is over.
    pub until: Option<Timestamp>,
}

/// Who waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// An attempt's check.
    Check {
        /// The phase.
        at: At,
        /// The check.
        check: u16,
        /// When it is asked.
        stage: Stage,
    },
    /// The health of a service that was ready, for as long as it runs: nobody waits for it but how its goal stands.
    Health {
        /// The phase that has started it.
        at: At,
        /// The resource.
        resource: Name,
    },
    /// The readiness of a service that was started again: nobody waits for it but how its goal stands.
    Returned {
        /// The phase that has started it.
        at: At,
        /// The resource.
        resource: Name,
    },
    /// An attempt's readiness.
    Ready {
        /// The phase.
        at: At,
        /// The resource.
        resource: Name,
    },
}

/// A question that is being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    state: QuestionState,
    about: About,
    asker: Asker,
    patience: Patience,
    tries: u32,
    last: Option<Answer>,
    /// The standing permit of a check that runs a command.
    permit: Option<EffectId>,
    /// True where nobody wants its answer any more, while its command is at work.
    dropped: bool,
}

impl Question {
    /// Whether a try of it is under way by this permit.
    pub(super) fn is_asked_by(&self, permit: EffectId) -> bool {
        self.state == QuestionState::Asking && self.permit == Some(permit)
    }

    /// The run whose phase asks.
    pub(super) const fn run(&self) -> &RunId {
        match &self.asker {
            Asker::Check { at, .. } | Asker::Ready { at, .. } | Asker::Returned { at, .. } | Asker::Health { at, .. } => &at.run,
        }
    }

    /// Whether somebody waits for its end: an attempt, or a person; or it is over once its command is.
    pub(super) const fn is_waited_for(&self) -> bool {
        self.dropped || !matches!(self.asker, Asker::Returned { .. } | Asker::Health { .. })
    }
}

impl Turn<'_> {
    /// Begins to ask.
    pub(super) fn ask(&mut self, about: About, asker: Asker, patience: Patience) -> QuestionId {
        let id = self.live.next_question();
        if let Some(until) = patience.until {
            self.set_deadline(until, Deadline::Patience { question: id });
        }
        let permit = self.permit_for(id, &about, &asker);
        let question = Question { state: QuestionState::Asking, about, asker, patience, tries: 1, last: None, permit, dropped: false };
        self.try_once(id, &question);
        // What an attempt asks ends with it.
        if let Some(attempt) = self.live.attempt(question.asker.at()).filter(|_| question.is_waited_for()) {
            attempt.questions.insert(id);
        }
        self.live.questions.insert(id, question);
        id
    }

    /// Asks from the next interval on, for as long as there is something to ask about.
    pub(super) fn stand(&mut self, about: About, asker: Asker, patience: Patience) {
        let id = self.live.next_question();
        let permit = self.permit_for(id, &about, &asker);
        self.set_deadline(self.now + patience.interval.0, Deadline::Question { question: id });
        let question = Question { state: QuestionState::Pausing, about, asker, patience, tries: 1, last: None, permit, dropped: false };
        self.live.questions.insert(id, question);
    }

    /// A check that runs a command changes the world as any command may: it needs a permit, which stands for its life.
    fn permit_for(&mut self, id: QuestionId, about: &About, asker: &Asker) -> Option<EffectId> {
        let (run, phase, executes) = match about {
            About::Check { run, phase, check, .. } => {
                let planned = self.run(run)?.plan.phase(*phase);
                let check = planned.spec.verify.as_ref()?.checks.get(usize::from(*check))?;
                (run, *phase, check.kind.exec.is_some())
            }
            About::Ready { run, phase, resource } => {
                let health = self.run(run)?.plan.phase(*phase).resource(resource)?.healthcheck.as_ref()?;
                (run, *phase, !health.is_off() && (health.kind.exec.is_some() || health.test.is_some()))
            }
        };
        if !executes {
            return None;
        }
        let owner = self.run(run)?.owner(phase);
        let effect = Effect::Ask { run: run.clone(), phase, question: id };
        Some(match asker {
            Asker::Returned { .. } | Asker::Health { .. } => self.permit(owner, effect),
            Asker::Check { .. } | Asker::Ready { .. } => self.request(owner, effect, Waiter::Nobody),
        })
    }

    fn try_once(&mut self, id: QuestionId, question: &Question) {
        self.look(Look::Try { question: id, about: question.about.clone(), timeout: question.patience.timeout });
    }

    /// A try was answered. Gives the final answer with who waits for it, where this was it.
    pub(super) fn answered(&mut self, id: QuestionId, answer: Answer) -> Option<(Asker, Answer)> {
        let answer = self.of_what_is_there(&self.live.questions.get(&id)?.asker, answer);
        let question = self.live.questions.get_mut(&id)?;
        if question.dropped {
            question.state = QuestionState::Answered;
            self.close_question(id);
            return None;
        }
        if let Asker::Health { at, resource } = &question.asker {
            let (at, name) = (at.clone(), resource.clone());
            self.noted(id, &at, &name, &answer);
            return None;
        }
        let left = question.patience.retries.is_none_or(|retries| question.tries <= retries);
        question.state = question.state.on(QuestionInput::Answer { said: answer.said, left })?;
        if question.state == QuestionState::Answered {
            return self.close_question(id).map(|asker| (asker, answer));
        }
        let (first, longest) = question.patience.interval;
        let doublings = question.tries.saturating_sub(1).min(16);
        let pause = Span(first.0.saturating_mul(1 << doublings).min(longest.0.max(first.0)));
        question.tries += 1;
        question.last = Some(answer);
        let due = self.now + pause;
        self.set_deadline(due, Deadline::Question { question: id });
        None
    }

    /// A try of a standing question was answered.
    fn noted(&mut self, id: QuestionId, at: &At, name: &Name, answer: &Answer) {
        let Some(question) = self.live.questions.get_mut(&id) else { return };
        let Some(next) = question.state.on(QuestionInput::Noted) else { return };
        question.state = next;
        let due = self.now + question.patience.interval.0;
        if self.health_answered(at, name, answer) {
            self.set_deadline(due, Deadline::Question { question: id });
        } else {
            self.close_question(id);
        }
    }

    /// The pause before the next try is over.
    pub(super) fn ask_again(&mut self, id: QuestionId) {
        let Some(question) = self.live.questions.get_mut(&id) else { return };
        let Some(next) = question.state.on(QuestionInput::Again) else { return };
        question.state = next;
        let question = question.clone();
        self.try_once(id, &question);
    }

    /// Patience is over: the last answer counts.
    pub(super) fn enough(&mut self, id: QuestionId) -> Option<(Asker, Answer)> {
        let question = self.live.questions.get(&id)?;
        question.state.on(QuestionInput::Enough)?;
        let answer = question.last.clone().unwrap_or_else(|| Answer::fail(Fault::TimedOut, "no answer came before the time was over"));
        self.close_question(id).map(|asker| (asker, answer))
    }

    /// Stops asking, whatever the state. A command that is still at it is left to the end of the attempt that asked.
    fn close_question(&mut self, id: QuestionId) -> Option<Asker> {
        let question = self.forget_question(id)?;
        if let Some(permit) = question.permit {
            match self.live.attempt(question.asker.at()) {
                Some(attempt) if question.state == QuestionState::Asking => attempt.dismissed.push(permit),
                _ => self.end_permit(permit),
            }
        }
        Some(question.asker)
    }

    fn forget_question(&mut self, id: QuestionId) -> Option<Question> {
        let question = self.live.questions.remove(&id)?;
        if let Some(attempt) = self.live.attempt(question.asker.at()) {
            attempt.questions.remove(&id);
        }
        if question.permit.is_some() {
            self.decision.closed.push(id);
        }
        Some(question)
    }

    /// Nothing runs by a standing permit any more.
    pub(super) fn end_permit(&mut self, permit: EffectId) {
        self.live.waiters.remove(&permit);
        self.record(Record::Observed { id: permit, seen: Seen::Done });
    }

    /// Stops asking everything that an attempt asks.
    pub(super) fn close_questions_of(&mut self, at: &At) {
        let mine = self.live.attempt(at).map(|attempt| std::mem::take(&mut attempt.questions)).unwrap_or_default();
        for id in mine {
            self.close_question(id);
        }
    }

    /// Stops asking whether a service is well, or ready again. A command that is at it is done first; true where there is one.
    pub(super) fn stop_asking(&mut self, owner: &Owner) -> bool {
        let about = |question: &Question| match &question.asker {
            Asker::Returned { at, resource } | Asker::Health { at, resource } if owner.resource.as_ref() == Some(resource) => {
                Some(at.clone())
            }
            _ => None,
        };
        let asked: Vec<(QuestionId, At)> = self.live.questions.iter().filter_map(|(id, question)| Some((*id, about(question)?))).collect();
        let mut at_work = false;
        for (id, at) in asked {
            if self.owner(&at).is_none_or(|place| place.goal != owner.goal || place.phase != owner.phase) {
                continue;
            }
            match self.live.questions.get_mut(&id) {
                Some(question) if question.state == QuestionState::Asking && question.permit.is_some() => {
                    question.dropped = true;
                    at_work = true;
                }
                _ => drop(self.close_question(id)),
            }
        }
        at_work
    }

    /// Stops asking what no attempt asks, of the questions at this stage about this goal, and ends the commands that are at it.
    ///
    /// Whoever waits for an answer is told once they have ended that there is none.
    pub(super) fn dismiss(&mut self, goal: &Name, stage: Stage) {
        let wanted =
            |asker: &Asker| matches!(asker, Asker::Check { at, stage: asked, .. } if *asked == stage && goal_of(&at.run) == goal.as_str());
        let mine: Vec<QuestionId> = self.live.questions.iter().filter(|(_, question)| wanted(&question.asker)).map(|(id, _)| *id).collect();
        let (mut askers, mut permits, mut places) = (Vec::new(), Vec::new(), BTreeSet::new());
        for id in mine {
            let Some(question) = self.forget_question(id) else { continue };
            match question.permit {
                Some(permit) if question.state == QuestionState::Asking => {
                    permits.push(permit);
                    places.extend(self.state.effects.get(&permit).map(|open| open.owner.clone()));
                }
                Some(permit) => self.end_permit(permit),
                None => {}
            }
            askers.push(question.asker);
        }
        let targets = places.into_iter().map(|owner| ((0, 0), Target::Processes(owner, StopPolicy::KILL))).collect();
        self.tear_down(For::Dismissed { goal: goal.clone(), stage, askers, permits }, targets);
    }

    /// The commands of questions that were dismissed have ended.
    pub(super) fn dismissed(&mut self, goal: &Name, stage: Stage, askers: Vec<Asker>, permits: Vec<EffectId>, survivors: &[u32]) {
        for permit in permits {
            self.end_permit(permit);
        }
        if stage != Stage::Before {
            for asker in askers {
                self.tell(asker, Answer::unknown(Fault::Stopped, "it was stopped before it answered"));
            }
            return;
        }
        // What asked was cancelled with the run: nobody waits for the answers, but the run does for their end.
        let Some(run) = self.state.goals.get(goal).and_then(|goal| goal.run.as_ref()).map(|run| run.id.clone()) else { return };
        self.note_survivors(&run, survivors);
        if let Some(live) = self.live.runs.get_mut(&run) {
            live.dismissing = false;
        }
        self.close_run_if_over(&run);
    }
}

impl Asker {
    /// The phase that asks.
    pub const fn at(&self) -> &At {
        match self {
            Self::Check { at, .. } | Self::Ready { at, .. } | Self::Returned { at, .. } | Self::Health { at, .. } => at,
        }
    }
}
