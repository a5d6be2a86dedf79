//! A leak: what was to be ended or removed and is still there. It is tried again until it is gone, and shown until then.
//!
//! | state   | input                                        | next |
//! |---------|----------------------------------------------|------|
//! | –       | a teardown has no tries left for it           | due after a second |
//! | –       | its processes outlived their command          | due at once, where its attempt does not end them |
//! | due     | its time has come, and its goal is at rest    | trying |
//! | due     | its time has come, and its goal is at work    | due; that run ends it, or it is tried after its end |
//! | due     | somebody asks: `down`, `gc`                   | trying |
//! | due     | an engine opens the journal                   | due, at the time that was recorded |
//! | trying  | it is gone                                    | – |
//! | trying  | it is still there                             | due after twice as long as before, at most 5 minutes |
//!
//! Nothing of this is recorded as gone before a look has shown so. A place of a resource leaks with its resource; the place of a phase, or
//! of a goal, leaks processes that no resource has.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::action::{Effect, ProcessMark, Seen, StopPolicy};
use super::collection::Reason;
use super::deadline::Deadline;
use super::live::Waiter;
use super::record::Record;
use super::state::{Goal, State};
use super::stock::Resource;
use super::teardown::{For, TRIES, Target};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::{Span, Timestamp};

/// The pause before the first further try.
const FIRST_PAUSE: Span = Span::seconds(1);

/// The longest pause between two tries.
const LONGEST_PAUSE: Span = Span::seconds(300);

/// What was to be ended or removed and is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// Since when.
    pub since: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// How often tries were given up: the pause doubles with each.
    pub rounds: u32,
    /// The evidence of the last try.
    pub why: String,
    /// When it is tried again, if its goal is at rest then.
    pub retry_at: Timestamp,
    /// The process whose scope holds what is left, where no effect and no resource tells it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessMark>,
    /// The scope that holds what is left, where no place explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl Leak {
    /// The pause after so many rounds, from 0.
    fn pause(rounds: u32) -> Span {
        Span(FIRST_PAUSE.0.saturating_mul(1 << rounds.min(16))).min(LONGEST_PAUSE)
    }
}

impl Goal {
    /// What of it was to be ended or removed and is still there, by place.
    pub fn leaks(&self) -> impl Iterator<Item = (&Owner, &Leak)> {
        self.leaks.iter().filter(|(_, leak)| leak.rounds > 0)
    }

    /// Folds what was seen of an effect: that processes of a phase's command outlived it, so that whoever ends its place finds them; or
    /// that a place was ended, or swept, and nobody is left there.
    pub(super) fn observe_leak(&mut self, at: Timestamp, owner: &Owner, effect: &Effect, process: Option<&ProcessMark>, seen: &Seen) {
        match (effect, seen) {
            (Effect::Work { .. }, Seen::Exited { survivors, .. }) if !survivors.is_empty() => {
                self.leaks.entry(owner.clone()).or_insert_with(|| Leak::begun(at, process.cloned()));
            }
            (Effect::End { .. } | Effect::Sweep { .. }, Seen::Ended { survivors, .. }) if survivors.is_empty() => {
                let gone = |leak: &Leak| match effect {
                    Effect::Sweep { scope } => leak.scope.as_ref() == Some(scope),
                    _ => owner.resource.is_none() && leak.scope.is_none(),
                };
                if self.leaks.get(owner).is_some_and(gone) {
                    self.leaks.shift_remove(owner);
                }
            }
            _ => {}
        }
    }
}

impl Leak {
    fn begun(since: Timestamp, process: Option<ProcessMark>) -> Self {
        Self { since, attempts: 0, rounds: 0, why: String::new(), retry_at: since, process, scope: None }
    }
}

impl State {
    /// Folds that something is collected, or that tries to end it were given up.
    pub(super) fn fold_leak(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Collected { owner, reason, why } => {
                if let Some(resource) = self.goals.get_mut(&owner.goal).and_then(|goal| goal.resources.get_mut(owner)) {
                    resource.evicted = (*reason == Reason::Evictable).then(|| why.clone());
                }
            }
            Record::Leaked { owner, tries, why, retry_at, scope } => {
                let Some(goal) = self.goals.get_mut(&owner.goal) else { return };
                let leak = goal.leaks.entry(owner.clone()).or_insert_with(|| Leak::begun(at, None));
                leak.attempts = leak.attempts.saturating_add(*tries);
                leak.rounds = leak.rounds.saturating_add(1);
                why.clone_into(&mut leak.why);
                leak.retry_at = *retry_at;
                leak.scope.clone_from(scope);
            }
            _ => {}
        }
    }

    /// What leaks at a place.
    pub fn leak(&self, owner: &Owner) -> Option<&Leak> {
        self.goals.get(&owner.goal)?.leaks.get(owner)
    }

    /// Everything that leaks, over all goals.
    pub fn leaks(&self) -> impl Iterator<Item = (&Owner, &Leak)> {
        self.goals.values().flat_map(Goal::leaks)
    }
}

impl Turn<'_> {
    /// Tries to end a place were given up: it leaks, and is tried again.
    pub(super) fn leak(&mut self, owner: Owner, tries: u32, why: String, scope: Option<String>) {
        let Some(goal) = self.state.goals.get(&owner.goal) else { return };
        // Somebody else has removed it meanwhile.
        if goal.resources.get(&owner).is_some_and(|made| made.caught.is_some() && !made.state.is_live()) {
            return;
        }
        let rounds = goal.leaks.get(&owner).map_or(0, |leak| leak.rounds);
        let retry_at = self.now + Leak::pause(rounds);
        self.record(Record::Leaked { owner: owner.clone(), tries, why, retry_at, scope });
        self.promise_removal(owner, retry_at);
    }

    fn promise_removal(&mut self, owner: Owner, due: Timestamp) {
        let deadline = Deadline::Removal { owner };
        self.live.deadlines.retain(|(_, other)| *other != deadline);
        self.set_deadline(due.max(self.now), deadline);
    }

    /// Sets when each leak is tried again: of one goal, whose run is over, or of all, for an engine that begins.
    pub(super) fn promise_removals(&mut self, goal: Option<&Name>) {
        let of = |owner: &Owner| goal.is_none_or(|goal| owner.goal == *goal);
        let leaks: IndexMap<Owner, Timestamp> = (self.state.goals.values().flat_map(|goal| &goal.leaks))
            .filter(|(owner, _)| of(owner))
            .map(|(owner, leak)| (owner.clone(), leak.retry_at))
            .collect();
        for (owner, due) in leaks {
            self.promise_removal(owner, due);
        }
    }

    /// It is time to try a leak again. While its goal is at work that is left to it; its end promises the rest anew.
    pub(super) fn remove_again(&mut self, owner: &Owner) {
        let Some(goal) = self.state.goals.get(&owner.goal) else { return };
        if goal.leaks.contains_key(owner) && !goal.is_running() && !goal.falling && !self.is_being_ended(owner) {
            let targets = self.leak_target(owner).into_iter().collect();
            self.tear_down(For::Collected { goal: owner.goal.clone() }, targets);
        }
    }

    /// How a leak is tried again; none where a scope is swept for it, which is asked for here.
    pub(super) fn leak_target(&mut self, owner: &Owner) -> Option<((u32, u32), Target)> {
        let leak = self.state.leak(owner)?;
        if let Some(scope) = leak.scope.clone() {
            self.sweep_unknown(scope, 1);
            return None;
        }
        match self.state.resource(owner) {
            Some(resource) if !resource.kind.runs() => Some((resource.turn(), Target::Made(owner.clone()))),
            resource => Some((resource.map_or((0, 0), Resource::turn), Target::Processes(owner.clone(), StopPolicy::KILL))),
        }
    }

    /// Whether somebody ends this place just now.
    pub(super) fn is_being_ended(&self, owner: &Owner) -> bool {
        self.state.is_being_ended(owner)
    }

    /// Sweeps a scope that nothing explains.
    pub(super) fn sweep_unknown(&mut self, scope: String, tries: u32) {
        let goal = Name::from(scope.split('/').next().unwrap_or_default());
        let effect = Effect::Sweep { scope: scope.clone() };
        self.request(Owner::goal(&goal), effect, Waiter::Collection { scope, tries });
    }

    /// A scope that nothing explained was swept.
    pub(super) fn swept_unknown(&mut self, scope: String, tries: u32, seen: &Seen) {
        if matches!(seen, Seen::Ended { survivors, .. } if survivors.is_empty()) {
            // Nothing is in the way of its goal any more.
            self.live.unswept.remove(&scope);
        }
        let Some(why) = still_there(&scope, seen) else { return };
        if tries < TRIES {
            return self.sweep_unknown(scope, tries + 1);
        }
        let goal = Name::from(scope.split('/').next().unwrap_or_default());
        self.leak(Owner::goal(&goal), tries, why, Some(scope));
    }
}

/// Why a scope is not seen to be empty; none where it is.
pub(super) fn still_there(scope: &str, seen: &Seen) -> Option<String> {
    match seen {
        Seen::Ended { survivors, .. } if survivors.is_empty() => None,
        Seen::Ended { survivors, .. } => Some(format!("processes in {scope} would not end: {}", list(survivors))),
        Seen::Failed { evidence, .. } => Some(format!("{scope} could not be swept: {evidence}")),
        _ => None,
    }
}

/// Process ids, as a person reads them.
pub(super) fn list(pids: &[u32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
