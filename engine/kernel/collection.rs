//! Collection: what is still there and nobody wants is ended; under pressure also what its manifest lets go.
//!
//! | first that holds, of a place whose goal is at rest                     | reason      |
//! |------------------------------------------------------------------------|-------------|
//! | tries to remove it were given up                                       | leak        |
//! | its end was begun, and nobody has seen it                              | unfinished  |
//! | its attempt failed or was cancelled, or it lives no longer than its phase, which has ended | ended |
//! | its goal was taken down                                                | down        |
//! | an earlier run made it, and the manifest no longer has it              | unplanned   |
//! | `evictable: true`, and nothing that stays needs it; only where asked   | evictable   |
//!
//! | never                                             | since |
//! |---------------------------------------------------|-------|
//! | of a goal whose run is under way, or that falls   | that run, or that teardown, ends it |
//! | of a phase that ended unknown                     | a person is to see it |
//! | what is kept: `keep`, and what `down` leaves      | somebody wants it |
//! | what a person has adopted                         | somebody wants it, until its goal goes down |
//! | what was there before                             | it is a stranger's |
//! | what no run explains any more                     | nothing is known of it, and unknown is not dead |
//!
//! Beside these, scopes and containers in which somebody runs whom no record explains, and networks and volumes that no record knows (see
//! [`super::object`]; a volume that may be kept data never is), are swept: at the opening, every 5 minutes, under
//! pressure and where a person asks. At the end of a run and of a `down` only the records are looked at.

use serde::{Deserialize, Serialize};

use super::action::{Effect, Look};
use super::deadline::Deadline;
use super::leak::Leak;
use super::live::Waiter;
use super::outcome::Outcome;
use super::record::Record;
use super::resource::ResourceState;
use super::state::{Goal, Open, Run, State};
use super::stock::Resource;
use super::teardown::{For, Teardown};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};
use crate::manifest::resource::Scope;
use crate::plan::sealed::PlannedPhase;

/// How often an engine that is at work collects by itself.
const PERIOD: Span = Span::seconds(300);

/// Why something is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Tries to remove it were given up.
    Leak,
    /// Its end was begun and never seen.
    Unfinished,
    /// Its attempt, or its phase, is over.
    Ended,
    /// Its goal was taken down.
    Down,
    /// The manifest no longer has it.
    Unplanned,
    /// Nobody needs it just now, and its manifest lets it go.
    Evictable,
}

impl Reason {
    /// The word for it on a screen, and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leak => "leak",
            Self::Unfinished => "unfinished",
            Self::Ended => "ended",
            Self::Down => "down",
            Self::Unplanned => "unplanned",
            Self::Evictable => "evictable",
        }
    }
}

/// What makes a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// An engine has opened the journal.
    Opening,
    /// A run has ended, or a goal is down.
    Teardown,
    /// Five minutes have passed.
    Period,
    /// A person asks.
    Request {
        /// Whether what is evictable goes too.
        evict: bool,
    },
    /// The host is short of memory.
    Pressure,
}

impl Trigger {
    /// Why what is evictable goes, in words; none where it stays.
    const fn evicts(self) -> Option<&'static str> {
        match self {
            Self::Pressure => Some("evicted: memory pressure"),
            Self::Request { evict: true } => Some("evicted: `sculpt gc --evict`"),
            _ => None,
        }
    }

    /// Whether a person will ask what was collected: leaks that are tried again are told too.
    const fn tells(self) -> bool {
        matches!(self, Self::Opening | Self::Request { .. })
    }

    /// Whether leaks are tried before their time.
    const fn is_impatient(self) -> bool {
        matches!(self, Self::Request { .. })
    }

    /// Whether it is looked for what no record explains. At the opening the recovery has just done so.
    const fn looks(self) -> bool {
        matches!(self, Self::Period | Self::Request { .. } | Self::Pressure)
    }
}

/// Something that a collection would end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its place.
    pub owner: Owner,
    /// Why.
    pub reason: Reason,
    /// The same in words.
    pub why: String,
}

impl State {
    /// What a collection would end, in this order: what is left over, then what may be evicted; within a goal whatever was made last comes
    /// first.
    pub fn collectable(&self, now: Timestamp, trigger: Trigger) -> Vec<Pick> {
        let at_rest = |goal: &&Goal| !goal.is_running() && !goal.falling;
        let mut picks = Vec::new();
        for goal in self.goals.values().filter(at_rest) {
            for (owner, leak) in &goal.leaks {
                let free = self.resource(owner).is_none_or(|resource| !resource.state.is_live());
                if free && self.is_due(owner, leak, now, trigger) {
                    picks.push(Pick { owner: owner.clone(), reason: Reason::Leak, why: leak_words(goal, owner) });
                }
            }
            let mut left: Vec<(&Resource, Reason, String)> =
                goal.live_resources().filter_map(|resource| self.leftover(goal, resource, now, trigger)).collect();
            left.sort_by_key(|(resource, ..)| std::cmp::Reverse(resource.rank));
            picks.extend(left.into_iter().map(|(resource, reason, why)| Pick { owner: resource.owner.clone(), reason, why }));
        }
        if let Some(why) = trigger.evicts() {
            for (name, goal) in self.goals.iter().filter(|(_, goal)| at_rest(goal)) {
                picks.extend(self.idle(name, goal, &picks).into_iter().map(|owner| Pick {
                    owner,
                    reason: Reason::Evictable,
                    why: why.to_owned(),
                }));
            }
        }
        picks
    }

    /// Why a live resource of a goal that is at rest is left over; none where somebody wants it, or may.
    fn leftover<'r>(
        &self,
        goal: &Goal,
        resource: &'r Resource,
        now: Timestamp,
        trigger: Trigger,
    ) -> Option<(&'r Resource, Reason, String)> {
        if let Some(leak) = goal.leaks.get(&resource.owner) {
            let due = self.is_due(&resource.owner, leak, now, trigger);
            return due.then(|| (resource, Reason::Leak, leak_words(goal, &resource.owner)));
        }
        if resource.state == ResourceState::Stopping && self.is_being_ended(&resource.owner) {
            return None;
        }
        if resource.adopted.is_some() {
            // A person wants it. Its goal's end removes it.
            let unfinished = (resource, Reason::Unfinished, "its end was begun, and nobody has seen it".to_owned());
            return (resource.state == ResourceState::Stopping).then_some(unfinished);
        }
        let run = self.run(&resource.run)?;
        let outcome =
            run.phases.get(resource.phase.at()).filter(|phase| phase.attempt == resource.attempt).map(|phase| phase.state.outcome());
        let kept = if resource.kind.runs() { resource.keep && resource.scope == Scope::Phase } else { resource.keep };
        let (reason, why) = if resource.state == ResourceState::Stopping {
            (Reason::Unfinished, "its end was begun, and nobody has seen it".to_owned())
        } else if goal.down && (goal.volumes || !resource.keep) {
            (Reason::Down, "its goal was taken down".to_owned())
        } else if kept || matches!(outcome, Some(None | Some(Outcome::Unknown))) {
            return None;
        } else if let Some(why) = over(resource, outcome.flatten()) {
            (Reason::Ended, why)
        } else if goal.run.as_ref().is_some_and(|latest| is_unplanned(latest, resource)) {
            (Reason::Unplanned, format!("{} made it, and the manifest no longer has it", resource.run))
        } else {
            return None;
        };
        Some((resource, reason, why))
    }

    /// Whether a leak is to be tried now. Whoever asks is told of one that is being tried just now, too.
    fn is_due(&self, owner: &Owner, leak: &Leak, now: Timestamp, trigger: Trigger) -> bool {
        trigger.is_impatient() || leak.retry_at <= now && !self.is_being_ended(owner)
    }

    /// Whether somebody ends this place just now.
    pub(super) fn is_being_ended(&self, owner: &Owner) -> bool {
        self.effects.values().any(|open| open.owner == *owner && matches!(open.effect, Effect::End { .. } | Effect::Remove))
    }

    /// Whether a scope in which somebody runs is explained by the records: a process that they know runs in it, a leak is known there, or,
    /// while an engine is at work, something of its goal is being started, whose scope nobody has told yet.
    pub fn explains(&self, scope: &str, engine: bool) -> bool {
        if self.explains_object(scope, false) {
            return true;
        }
        let goal = scope.split('/').next().unwrap_or_default();
        let marked = self.effects.values().filter_map(|open| open.process.as_ref());
        let made = self.live_resources().filter_map(|resource| resource.process.as_ref());
        let leaking = self.goals.values().flat_map(|goal| goal.leaks.values());
        let leaking = leaking.filter_map(|leak| leak.scope.as_deref().or(leak.process.as_ref().map(|process| process.scope.as_str())));
        let starts = |effect: &Effect| !matches!(effect, Effect::End { .. } | Effect::Sweep { .. } | Effect::Limit { .. } | Effect::Forget);
        // The command of a check is in a scope of an attempt, and a health check has its permit for as long as its service runs.
        let asks = |effect: &Effect| matches!(effect, Effect::Ask { .. }) && !is_of_attempt(scope);
        let starts = |effect: &Effect| starts(effect) && !asks(effect);
        let starting = |open: &Open| open.owner.goal.as_str() == goal && open.process.is_none() && starts(&open.effect);
        marked.chain(made).map(|process| process.scope.as_str()).chain(leaking).any(|known| known == scope)
            || engine && self.effects.values().any(starting)
    }

    /// Whether the goal of a scope is at work, or goes down: then whatever is in it may be its own.
    pub fn is_scope_of_work(&self, scope: &str) -> bool {
        let goal = self.goals.get(scope.split('/').next().unwrap_or_default());
        goal.is_some_and(|goal| goal.is_running() || goal.falling)
    }
}

/// Whether a scope is one of those that commands have by turns: `goal/a0`, `goal/a1`, …
fn is_of_attempt(scope: &str) -> bool {
    let number = scope.split_once('/').and_then(|(_, last)| last.strip_prefix('a'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Turn<'_> {
    /// Collects: begins to end everything that [`State::collectable`] names, and looks for what no record explains.
    pub(super) fn collect(&mut self, trigger: Trigger) {
        if self.live.recovering.is_some() {
            return;
        }
        let mut targets = indexmap::IndexMap::<Name, Vec<_>>::new();
        for Pick { owner, reason, why } in self.state.collectable(self.now, trigger) {
            // It waits for what uses it, which is being ended. Whoever asks is told of it all the same.
            if !trigger.tells() && self.live.teardowns.values().any(|teardown| teardown.collects() && teardown.aims_at(&owner)) {
                continue;
            }
            // A leak that is tried again by itself says so with what it leaves in the journal.
            if reason != Reason::Leak || trigger.tells() {
                self.record(Record::Collected { owner: owner.clone(), reason, why });
            }
            let target = match reason {
                Reason::Leak => self.leak_target(&owner),
                _ => self.targets(&owner.goal, |resource| resource.owner == owner).pop(),
            };
            targets.entry(owner.goal).or_default().extend(target);
        }
        for (goal, targets) in targets.into_iter().filter(|(_, targets)| !targets.is_empty()) {
            self.tear_down(For::Collected { goal }, targets);
        }
        if trigger.looks() {
            self.look_for_unexplained();
        }
    }

    /// Five minutes have passed. Nobody stays at work for the next time alone.
    pub(super) fn collect_by_time(&mut self) {
        self.collect(Trigger::Period);
        self.promise_collection();
    }

    /// Sets when an engine that is at work collects by itself.
    pub(super) fn promise_collection(&mut self) {
        self.set_deadline(self.now + PERIOD, Deadline::Collection);
    }

    /// Somebody runs there, by a look: what is still unexplained now is swept.
    pub(super) fn unexplained(&mut self, scopes: Vec<String>, unseen: Vec<String>) {
        self.live.looking = self.live.looking.saturating_sub(1);
        if self.state.unseen != unseen {
            self.record(Record::LookedAround { unseen });
        }
        if self.live.recovering.is_some() {
            return;
        }
        for scope in scopes {
            if self.state.explains(&scope, false) || self.state.is_scope_of_work(&scope) {
                continue;
            }
            if self.state.explains(&scope, true) {
                // It may be in use for what is collected itself: it is looked again after that.
                self.live.look_again |= self.live.teardowns.values().any(Teardown::collects);
            } else {
                self.sweep_unknown(scope, 1);
            }
        }
    }

    /// What was collected of a goal is gone, or leaks.
    pub(super) fn collected(&mut self) {
        if !self.live.teardowns.values().any(Teardown::collects) && std::mem::take(&mut self.live.look_again) {
            self.look_for_unexplained();
        }
    }

    fn look_for_unexplained(&mut self) {
        self.live.looking += 1;
        self.look(Look::Unexplained);
    }
}

impl super::live::Live {
    /// Whether an effect is waited for only by a collection: nobody who asks about its goal is kept waiting by that.
    pub(super) fn is_collected(&self, waiter: &Waiter) -> bool {
        match waiter {
            Waiter::Teardown(id) => self.teardowns.get(id).is_some_and(Teardown::collects),
            waiter => collects(waiter),
        }
    }

    /// True while something that is collected is being ended, or is looked for.
    pub(super) fn is_collecting(&self) -> bool {
        self.looking > 0 || self.teardowns.values().any(Teardown::collects) || self.waiters.values().any(collects)
    }
}

const fn collects(waiter: &Waiter) -> bool {
    matches!(waiter, Waiter::Collection { .. })
}

/// Why a resource is not wanted after its phase ended so; none where it is.
fn over(resource: &Resource, outcome: Option<Outcome>) -> Option<String> {
    match (resource.scope, outcome) {
        (_, None) => Some(format!("attempt {} of its phase is over", resource.attempt)),
        (Scope::Phase, Some(outcome)) | (Scope::Goal, Some(outcome @ (Outcome::Failed | Outcome::Cancelled))) => {
            Some(format!("its phase has ended {}", outcome.word()))
        }
        (Scope::Goal, Some(_)) => None,
    }
}

/// Whether an earlier run made something that the plan of the latest no longer has, and has done without. What a phase that did not end well
/// was to replace has been given back, and serves on.
fn is_unplanned(latest: &Run, resource: &Resource) -> bool {
    let (Some(phase), Some(name)) = (&resource.owner.phase, &resource.owner.resource) else { return false };
    // What a command made is in no plan: it stands as long as its phase does.
    let lacks = |planned: &PlannedPhase| resource.caught.is_none() && planned.resource(name).is_none();
    let gone = latest
        .plan
        .find(phase.as_str())
        .is_none_or(|(ix, planned)| lacks(planned) && latest.phase(ix).state.outcome().is_some_and(Outcome::is_good));
    latest.prepared && resource.run != latest.id && resource.kind.is_remade() && !resource.keep && gone
}

fn leak_words(goal: &Goal, owner: &Owner) -> String {
    let Some(leak) = goal.leaks.get(owner).filter(|leak| leak.attempts > 0) else {
        return "processes of its command outlived it".to_owned();
    };
    let times = if leak.attempts == 1 { "once".to_owned() } else { format!("{} times", leak.attempts) };
    format!("tried {times} in vain: {}", leak.why)
}
