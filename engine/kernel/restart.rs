//! Restarts: a service that has ended is started again where its manifest says so. Processes and containers alike: the policy of the
//! container engine itself is never used.
//!
//! | policy                                 | it                                                        | then             |
//! |----------------------------------------|-----------------------------------------------------------|------------------|
//! | no                                     | ended well / ended badly / ended unseen / did not start   | stays down       |
//! | on-failure                             | ended well                                                | stays down       |
//! | on-failure                             | ended badly / ended unseen / did not start                | is started again |
//! | always, unless-stopped                 | ended well / ended badly / ended unseen / did not start   | is started again |
//! | no, on-failure, always, unless-stopped | completed                                                 | stays down       |
//!
//! *Completed*: it ended well, and another waits for it to do so (`service_completed_successfully`). Here no policy outweighs that; the
//! container engine restarts such a one under `always`, and Compose then waits for what never stays ended.
//!
//! | moment                                                        | then                                                         |
//! |---------------------------------------------------------------|--------------------------------------------------------------|
//! | sculpt ends it: `down`, a stop, a replacement, an eviction, the end of its attempt | it stays down, also where its restart was promised |
//! | its first start fails                                         | its attempt fails                                            |
//! | it ends, and its restarts are within `restart_limits`         | the first is at once, the next after 1 s, twice as long each time, at most a minute |
//! | it ends, and they are not; or some of it would not end        | it stays down, and that is recorded                          |
//! | its attempt waits until it is ready                           | it goes on waiting, as long as it would have                 |
//! | it had been ready                                             | it is asked until it is ready again, or ends                 |
//! | a phase needs it; the run would end                           | they wait for it as long as its start may take; then it is a promise that is not kept |
//! | a retry, a run from a phase, a check that is `already` so     | what is not ready again is not alive                         |
//! | memory is short                                               | it is started: it was promised before, as with a rollback    |
//! | the engine dies                                               | the promise is a record: the next engine keeps it, or makes it where it was not written yet |
//!
//! While a restart is promised the resource stays in the state `unhealthy`, so that whatever ends its goal, its run or its attempt ends it
//! too, and with that the promise. A restart asks for the same effect as the first start: the texts of the same phase, the environment of
//! the same attempt, the same log and the same ports. Nobody is alive twice: its exit is told once its scope, or its container, is gone.

use serde::{Deserialize, Serialize};

use super::action::Exit;
use super::attempt::Ending;
use super::outcome::Outcome;
use super::phase::PhaseState;
use super::record::Record;
use super::resource::ResourceState;
use super::state::{Run, State};
use super::stock::Resource;
use crate::base::time::{Span, Timestamp};
use crate::manifest::process::{Restart, RestartLimits};
use crate::manifest::resource::Scope;
use crate::plan::sealed::Part;

/// How often a service is started again within the interval, where the manifest does not say.
const ATTEMPTS: u32 = 5;

/// The interval, where the manifest does not say.
pub(super) const INTERVAL: Span = Span::seconds(600);

/// The pause before the second restart, and the longest one.
const PAUSES: (Span, Span) = (Span::seconds(1), Span::seconds(60));

/// How a service came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// With status 0.
    Well,
    /// Otherwise.
    Badly,
    /// Nobody saw how.
    Unseen,
    /// It could not even be started again.
    Unstarted,
    /// With status 0, and another waits for that.
    Completed,
}

impl Ended {
    /// Whether it is to be started again.
    pub const fn restarts(self, policy: Restart) -> bool {
        !matches!((policy, self), (_, Self::Completed) | (Restart::No, _) | (Restart::OnFailure, Self::Well))
    }
}

/// The restarts of a service since an attempt has started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restarts {
    /// How often it was started again.
    pub done: u32,
    /// When, of those that count against its limits; the last may be to come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Timestamp>,
    /// When it is started again, while that is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Since when it has been away: from its end, or from when it was unhealthy, until it is ready again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away: Option<Timestamp>,
    /// Why it was last started again, or is to be.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Why it is not started again although its policy says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// When it was last started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Whether it has ever been ready.
    pub ready: bool,
}

impl Restarts {
    /// True where there is nothing to tell.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// When it may be started again after an end now, and how many then count; how many counted already where that is one too many.
    pub fn next(&self, limits: &RestartLimits, now: Timestamp) -> Result<(u32, Timestamp), u32> {
        let ran = self.started.map(|started| now - started);
        let anew = limits.reset_after.zip(ran).is_some_and(|(reset_after, ran)| ran >= reset_after);
        let interval = limits.interval.unwrap_or(INTERVAL);
        let within = |at: Timestamp| {
            let counted = if anew { 0 } else { self.counted.iter().filter(|counted| at - **counted < interval).count() };
            u32::try_from(counted).unwrap_or(u32::MAX)
        };
        let at = now + pause(within(now));
        let counted = within(at);
        if counted < limits.attempts.unwrap_or(ATTEMPTS) { Ok((counted + 1, at)) } else { Err(counted) }
    }

    /// Folds that a restart is promised, the so-manieth that counts.
    fn promise(&mut self, now: Timestamp, count: u32, at: Timestamp, why: &str) {
        let kept = self.counted.len().min(usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX));
        self.counted.drain(..self.counted.len() - kept);
        self.counted.push(at);
        self.next = Some(at);
        self.away.get_or_insert(now);
        why.clone_into(&mut self.why);
    }

    /// Folds that the promised restart is asked for.
    pub(super) fn begun(mut self, now: Timestamp) -> Self {
        self.done += 1;
        self.next = None;
        // It counts from when it is, which is later where no engine was there at its time.
        if let Some(last) = self.counted.last_mut() {
            *last = now;
        }
        self
    }

    /// Folds that it is ready.
    pub(super) fn is_ready(&mut self) {
        self.ready = true;
        self.away = None;
    }

    /// Folds that it is unhealthy.
    pub(super) fn sickens(&mut self, now: Timestamp) {
        self.away.get_or_insert(now);
    }

    /// Folds that it is ended, and stays so.
    pub(super) fn is_over(&mut self) {
        self.next = None;
        self.away = None;
    }
}

/// The pause before a restart, after so many that count.
fn pause(counted: u32) -> Span {
    let Some(doublings) = counted.checked_sub(1) else { return Span(0) };
    Span(PAUSES.0.0.saturating_mul(1 << doublings.min(16))).min(PAUSES.1)
}

impl Resource {
    /// Whether it is ready, or was before it was started again: its attempt waits for it no more.
    pub(super) fn was_ready(&self) -> bool {
        self.state == ResourceState::Ready || self.restarts.ready && (self.restarts.done > 0 || self.is_sick())
    }

    /// Folds what becomes of its restarts. Gives whether the place is free for good with that.
    pub(super) fn restarting(&mut self, now: Timestamp, record: &Record) -> bool {
        match record {
            Record::Restarting { why, count, at, .. } => self.restarts.promise(now, *count, *at, why),
            Record::NotRestarted { why, .. } => {
                let promised = self.restarts.next.is_some();
                self.restarts.is_over();
                self.restarts.given_up = Some(why.clone());
                return promised;
            }
            _ => {}
        }
        false
    }
}

impl State {
    /// How a service came to its end, and in words; none where it has not, or no attempt has started it.
    pub(super) fn ended(&self, made: &Resource) -> Option<(Ended, String)> {
        let completes = || {
            let planned = self.run(&made.run).and_then(|run| run.plan.phases.get(made.phase.at()));
            planned.zip(made.owner.resource.as_ref()).is_some_and(|(planned, name)| planned.completes(name))
        };
        let words = if made.usage.oom_kills > 0 { format!("it was {}", made.evidence) } else { String::new() };
        let or = |plain: String| if words.is_empty() { plain } else { words.clone() };
        Some(match made.exit {
            Some(exit) if exit.is_success() && completes() => (Ended::Completed, "it has completed".to_owned()),
            Some(exit) if exit.is_success() => (Ended::Well, format!("it ended with {exit}")),
            Some(Exit::Unseen) => (Ended::Unseen, "it ended, and nobody saw how".to_owned()),
            Some(exit) => (Ended::Badly, or(format!("it ended with {exit}"))),
            None if made.state != ResourceState::Gone => return None,
            None if made.process.is_some() => (Ended::Unseen, made.evidence.clone()),
            None if made.restarts.done > 0 => (Ended::Unstarted, format!("it could not be started again: {}", made.evidence)),
            None => return None,
        })
    }

    /// Whether a service that has ended has a claim to be started again, whatever its policy: its goal is up, and what started it stands.
    pub(super) fn has_claim(&self, made: &Resource, closing: Option<&Ending>) -> bool {
        let up = self.goals.get(&made.owner.goal).is_some_and(|goal| !goal.falling && !goal.down);
        let over = |run: &Run| match run.stopping {
            // A stop lets `finally` go on, with what it needs.
            Some(_) => run.ended.is_some() || run.plan.phases.get(made.phase.at()).is_none_or(|planned| planned.part != Part::Finally),
            None => run.options.once && run.ended.is_some(),
        };
        let Some(run) = self.run(&made.run).filter(|run| !over(run)) else { return false };
        let Some(entry) = run.phases.get(made.phase.at()).filter(|entry| entry.attempt == made.attempt) else { return false };
        let lasts = |outcome: Outcome| match outcome {
            Outcome::Verified | Outcome::Unverified => made.scope == Scope::Goal || made.keep,
            Outcome::Unknown => true,
            Outcome::Failed | Outcome::Skipped | Outcome::Cancelled => false,
        };
        let stands = match (entry.state, closing.or(entry.closing.as_ref())) {
            (PhaseState::Done(outcome), _) => lasts(outcome),
            (PhaseState::Running | PhaseState::Verifying | PhaseState::Waiting, None) => true,
            (PhaseState::Running | PhaseState::Verifying | PhaseState::Waiting, Some(Ending::Phase { outcome, .. })) => lasts(*outcome),
            _ => false,
        };
        up && stands && !made.ended_by_us && made.caught.is_none() && made.kind.runs() && made.restarts.given_up.is_none()
    }

    /// What a service's manifest says of restarts.
    pub(super) fn policy(&self, made: &Resource) -> (Restart, RestartLimits) {
        let planned = self.run(&made.run).and_then(|run| run.plan.phases.get(made.phase.at()));
        let declared = planned.zip(made.owner.resource.as_ref()).and_then(|(planned, name)| planned.resource(name));
        let (policy, limits) = declared.map(|declared| (declared.restart, declared.restart_limits.clone())).unwrap_or_default();
        (policy.unwrap_or_default(), limits.unwrap_or_default())
    }

    /// How long a service that went away may take until it counts as a promise that is not kept; none where it is not away.
    pub(super) fn back_by(&self, made: &Resource) -> Option<Timestamp> {
        let run = self.run(&made.run)?;
        let spec = &run.plan.phases.get(made.phase.at())?.spec;
        let name = made.owner.resource.as_ref()?;
        let by = made.restarts.away? + super::readiness::patience(spec, name);
        // One that runs and is not well is asked less often than one that begins: it has one chance in any case.
        Some(if made.is_sick() { by + super::health::next_answer(spec, name) } else { by })
    }

    /// Whether a service is away and may still be back in time.
    pub(super) fn is_coming_back(&self, made: &Resource, now: Timestamp) -> bool {
        let on_its_way = made.restarts.next.is_some() || made.state.is_live();
        on_its_way && self.back_by(made).is_some_and(|by| now < by)
    }
}
