//! The kernel: state and what lives beside it, and the one function that decides.

use super::action::{RunId, Seen, Shown};
use super::answer::Stage;
use super::attempt::Doing;
use super::deadline::Deadline;
use super::fault::Fault;
use super::fold::Misfit;
use super::input::{At, Input};
use super::live::{Live, Waiter};
use super::outcome::Outcome;
use super::phase::PhaseState;
use super::question::Asker;
use super::record::{Record, StopReason};
use super::requests::is_parked;
use super::state::{PhaseRun, Run, State};
use super::turn::{Decision, Turn};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};

/// The kernel.
#[derive(Debug, Default)]
pub struct Kernel {
    state: State,
    live: Live,
}

impl Kernel {
    /// A kernel over a state that was folded from a journal.
    pub fn new(state: State) -> Self {
        Self { state, live: Live::default() }
    }

    /// Everything that the journal knows, with what this turn and those before it decided.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Decides what follows from an input.
    ///
    /// # Errors
    /// A record that does not fit the state: a fault of the kernel itself. Nothing of the turn may be carried out.
    pub fn handle(&mut self, now: Timestamp, input: Input) -> Result<Decision, Misfit> {
        let mut turn = Turn::new(now, &mut self.state, &mut self.live);
        turn.take(input);
        turn.finish()
    }

    /// Takes a record that the keeping of the journal made, and no decision.
    ///
    /// # Errors
    /// Where it does not fit the state.
    pub fn note(&mut self, at: Timestamp, record: &Record) -> Result<(), Misfit> {
        self.state.apply(at, record)
    }

    /// When something becomes due if nothing else happens.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.live.deadlines.first().map(|(at, _)| *at)
    }

    /// True while something is under way: an attempt, a question, a teardown, the end of what an engine that died had left. A run that only waits for a person is not.
    pub fn is_busy(&self) -> bool {
        self.live.is_busy()
    }

    /// The same of one goal. What an engine that died left is everybody's matter until it is swept.
    pub fn is_busy_with(&self, goal: &Name) -> bool {
        let ours = |id: &RunId| super::state::goal_of(id) == goal.as_str();
        let waited = |id: &super::action::EffectId| self.state.effects.get(id).is_some_and(|open| open.owner.goal == *goal);
        self.live.recovering.is_some()
            || self.live.questions.values().any(|question| ours(question.run()) && question.is_waited_for())
            || self.live.teardowns.values().any(|teardown| teardown.goal() == goal.as_str() && !teardown.collects())
            || self.live.waiters.iter().any(|(id, waiter)| waited(id) && !self.live.is_collected(waiter))
            || self.live.ended.iter().any(|id| waited(id) && self.is_told_here(*id))
            || self.live.awaiting_down.contains_key(goal)
            || self.live.around.values().any(|around| around.owner.goal == *goal)
            || self.live.runs.iter().any(|(id, run)| ours(id) && run.is_busy())
    }

    /// Whether the end of an effect is told by this host itself: of a container that waits for its engine, which may never come back.
    fn is_told_here(&self, id: super::action::EffectId) -> bool {
        self.state.effects.get(&id).is_some_and(|open| open.process.as_ref().is_none_or(|process| process.container.is_none()))
    }

    /// True while an engine has something to do or to stand by: something is under way, a process lives that it answers for, or checks
    /// are to be asked again. A run that only waits for a person is nothing to stand by for.
    pub fn is_needed(&self) -> bool {
        self.is_busy() || self.state.needs_engine()
    }

    /// The phases that ask a person, of the runs that this engine carries out. What another goal's parked run asks is not its matter.
    pub fn asked(&self) -> Vec<Owner> {
        let runs = self.state.goals.values().filter_map(|goal| goal.run.as_ref());
        let runs = runs.filter(|run| run.ended.is_none() && self.live.runs.contains_key(&run.id));
        runs.flat_map(|run| {
            let waiting = run.plan.indexed().filter(|(ix, _)| run.phase(*ix).state == PhaseState::Waiting);
            waiting.map(|(ix, _)| run.owner(ix)).collect::<Vec<_>>()
        })
        .collect()
    }

    /// True while something that is collected is being ended, or is looked for.
    pub fn is_collecting(&self) -> bool {
        self.live.is_collecting()
    }

    /// True until what an engine that died left is swept, and its runs go on.
    pub const fn is_recovering(&self) -> bool {
        self.live.recovering.is_some()
    }

    /// The id that the next run of a goal will have.
    pub fn next_run(&self, goal: &Name) -> RunId {
        self.state.next_run(goal)
    }

    /// True while checks of the goal are asked again.
    pub fn is_verifying(&self, goal: &Name) -> bool {
        self.live.verifying.contains_key(goal)
    }
}

impl Turn<'_> {
    fn take(&mut self, input: Input) {
        match input {
            Input::Request(request) => self.serve(request),
            Input::Seen { id, seen } => {
                let Some(place) = self.state.effects.get(&id).map(|open| open.owner.clone()) else { return };
                let end = seen.is_end();
                if end {
                    self.live.ended.remove(&id);
                }
                let around = if end { self.state.looked_at(id) } else { None };
                self.record(Record::Observed { id, seen: seen.clone() });
                if let Some(around) = around {
                    self.look_around(id, true, around);
                }
                if matches!(seen, Seen::Unenforced { .. }) {
                    return; // It is said, and nothing follows from it.
                }
                if let Some((at, name)) = self.live.service(id, end) {
                    let restarts = self.restart_saw(&place, id, &seen);
                    self.service_saw(&at, &name, (id, restarts), &seen);
                }
                match self.live.waiter(id, end) {
                    Some(Waiter::Prepare(run)) => self.prepared(&run, seen),
                    Some(Waiter::Attempt(at)) => self.step_saw(&at, id, seen),
                    Some(Waiter::Teardown(teardown)) => self.teardown_saw(teardown, id, &seen),
                    Some(Waiter::Recovery { scope, tries }) => self.swept(scope, tries, &seen),
                    Some(Waiter::Collection { scope, tries }) => self.swept_unknown(scope, tries, &seen),
                    Some(Waiter::Forget(goal)) if end => self.down_ended(&goal),
                    Some(Waiter::Limits(run)) => self.limited(run, seen),
                    Some(Waiter::Forget(_) | Waiter::Nobody) | None => {}
                }
            }
            Input::Shown(Shown::Brief { run, phase, brief }) => {
                let at = At { run, phase };
                match self.live.attempt(&at).map(|attempt| attempt.doing) {
                    Some(Doing::Briefing) => self.briefed(&at, brief),
                    None if self.live.runs.get(&at.run).is_some_and(|live| live.opening.is_some()) => self.briefed_early(&at, brief),
                    Some(_) | None => {}
                }
            }
            Input::Shown(Shown::Answer { question, answer }) => {
                if let Some((asker, answer)) = self.answered(question, answer) {
                    self.tell(asker, answer);
                }
            }
            Input::Called { by, id, call } => return self.call(by, id, call),
            Input::Told { container, told } => self.told(&container, told),
            Input::Health { container, well } => self.health_told(&container, well),
            Input::Shown(Shown::Unexplained { scopes, unseen }) => self.unexplained(scopes, unseen),
            Input::Shown(Shown::Memory(sighting)) => self.saw_memory(sighting),
            Input::Shown(Shown::Around { by, over, suspects }) => self.looked_around(by, over, suspects),
            Input::Tick => self.due(),
        }
        self.settle_groups();
        self.fill_all_slots();
        self.watch_memory();
    }

    pub(super) fn tell(&mut self, asker: Asker, answer: super::answer::Answer) {
        match asker {
            Asker::Check { at, check, stage: Stage::Again } => self.verified_again(&at, check, answer),
            Asker::Check { at, check, stage: Stage::Gone } => self.gone_answered(&at, check, answer),
            Asker::Check { at, check, stage } => {
                if self.live.attempt(&at).is_some() {
                    self.check_answered(&at, check, stage, answer);
                } else {
                    self.record(Record::Answered { run: at.run.clone(), phase: at.phase, check, stage, answer });
                    self.answered_early(&at.run);
                }
            }
            Asker::Ready { at, resource } => self.ready_answered(&at, &resource, answer),
            Asker::Returned { at, resource } => self.returned_answered(&at, &resource, answer),
            // Each of its answers was noted when it came.
            Asker::Health { .. } => {}
        }
    }

    fn due(&mut self) {
        while let Some((at, deadline)) = self.live.deadlines.first().cloned().filter(|(at, _)| *at <= self.now) {
            self.live.deadlines.remove(&(at, deadline.clone()));
            match deadline {
                Deadline::Attempt { at, attempt } => self.attempt_late(&at, attempt),
                Deadline::PhaseBudget { at } => self.budget_over(&at),
                Deadline::RunBudget { run } => self.run_late(&run),
                Deadline::Reverify { run } => self.reverify(&run),
                Deadline::Removal { owner } => self.remove_again(&owner),
                Deadline::Restart { owner } => self.restart_due(&owner),
                Deadline::Collection => self.collect_by_time(),
                Deadline::Backoff { at } => {
                    if let Some(live) = self.live.runs.get_mut(&at.run)
                        && live.pausing.remove(&at.phase)
                    {
                        live.queue.insert(at.phase);
                    }
                }
                Deadline::Memory => self.look_at_memory(),
                Deadline::Question { question } => self.ask_again(question),
                Deadline::Patience { question } => {
                    if let Some((asker, answer)) = self.enough(question) {
                        self.tell(asker, answer);
                    }
                }
            }
        }
    }

    /// An attempt has used up its time. Verification has times of its own.
    fn attempt_late(&mut self, at: &At, number: u32) {
        let same = self.run(&at.run).is_some_and(|run| run.phase(at.phase).attempt == number);
        let doing = self.live.attempt(at).map(|attempt| attempt.doing);
        if same && matches!(doing, Some(Doing::Stepping(_))) {
            let timeout = self.run(&at.run).and_then(|run| run.plan.phase(at.phase).spec.timeout).unwrap_or_default();
            self.fail(at, Fault::TimedOut, format!("it took longer than its timeout of {timeout}"));
        }
    }

    /// A run has used up its time. The time in which it only waited for a person does not count.
    fn run_late(&mut self, id: &super::action::RunId) {
        let Some(run) = self.run(id).filter(|run| run.ended.is_none() && run.stopping.is_none()) else { return };
        let Some(max_time) = run.max_time() else { return };
        let left = max_time.0.saturating_sub(spent(run, self.now).0);
        let open = |phase: &PhaseRun| !matches!(phase.state, PhaseState::Done(_) | PhaseState::Waiting);
        let why = if run.plan.budget.max_time == Some(max_time) {
            format!("the goal's `max_time` of {max_time} is used up")
        } else {
            format!("the {max_time} are used up that were left where it was begun")
        };
        if left > 0 {
            self.watch_budget(id);
        } else if !is_parked(run) && run.phases.iter().any(open) {
            self.stop_run(id, StopReason::Budget, &why);
        }
    }

    /// Sets the deadline at which the run will have used up its time, unless it only waits for a person: then time stands still.
    pub(super) fn watch_budget(&mut self, id: &super::action::RunId) {
        let Some(run) = self.run(id).filter(|run| run.ended.is_none() && !is_parked(run)) else { return };
        if run.plan.concurrency_group.is_some() && run.first_turn.is_none() {
            return; // Waiting for the turn costs nothing.
        }
        let Some(max_time) = run.max_time() else { return };
        let left = Span(max_time.0.saturating_sub(spent(run, self.now).0));
        self.set_deadline(self.now + left, Deadline::RunBudget { run: id.clone() });
    }
}

/// How long a run has gone on, without the time in which it only waited for a person.
pub(super) fn spent(run: &Run, now: Timestamp) -> Span {
    // Spans in which a person is asked, less those in which another phase is under way.
    let mut waits: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut works: Vec<(Timestamp, Timestamp)> = Vec::new();
    for phase in &run.phases {
        let end = phase.ended.unwrap_or(now);
        if let Some(asked) = phase.asked_at {
            waits.push((asked, phase.reply.as_ref().map_or(end, |reply| reply.at)));
        }
        if let Some(started) = phase.started {
            works.push((started, phase.asked_at.unwrap_or(end)));
        }
    }
    let (waits, works) = (union(waits), union(works));
    let waited: u64 = waits.iter().map(|(from, to)| (*to - *from).0).sum();
    let mut both = 0;
    let mut rest = works.iter().peekable();
    for (from, to) in waits {
        while let Some((begun, done)) = rest.peek() {
            both += (to.min(*done) - from.max(*begun)).0;
            if *done > to {
                break;
            }
            rest.next();
        }
    }
    let began = if run.plan.concurrency_group.is_some() { run.first_turn.unwrap_or(now) } else { run.started };
    Span((now - began).0.saturating_sub(waited.saturating_sub(both)))
}

/// Spans without overlaps, in order.
fn union(mut spans: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    spans.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in spans {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

impl Outcome {
    /// True where something that a later phase may build on was made.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Verified | Self::Unverified)
    }
}
