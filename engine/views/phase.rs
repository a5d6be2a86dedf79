//! A phase in words: what it waits for, what it does, why it ended so.

use super::memory::waits_for_memory;
use crate::base::owner::Owner;
use crate::kernel::fault::Fault;
use crate::kernel::outcome::Proof;
use crate::kernel::phase::PhaseState;
use crate::kernel::state::{Run, State};
use crate::kernel::stock::Resource;
use crate::manifest::needs::Unlock;
use crate::plan::sealed::{Edge, PhaseIx};

/// Up to so many things are named in one sentence; the rest is counted.
const NAMED: usize = 3;

/// The phase in one line.
pub fn summary(state: &State, run: &Run, ix: PhaseIx) -> String {
    let phase = run.phase(ix);
    if let Some(memory) = waits_for_memory(state, run, ix) {
        return format!("waits for {memory}");
    }
    match phase.state {
        PhaseState::Pending => {
            let waits: Vec<String> = unmet(run, ix)
                .map(|edge| format!("{} ({})", run.plan.phase(edge.phase).name, run.phase(edge.phase).state.word()))
                .collect();
            format!("waits for {}", list(&waits))
        }
        PhaseState::Ready if run.is_held_back() => "waits for its group's turn".to_owned(),
        PhaseState::Ready => returning(state, run, ix).map_or_else(|| "waits for a slot".to_owned(), |waits| format!("waits for {waits}")),
        PhaseState::Running => match phase.failures.last() {
            Some(failure) => format!("attempt {} is at work; attempt {} failed: {}", phase.attempt, failure.attempt, failure.why),
            None => "is at work".to_owned(),
        },
        PhaseState::Verifying => "its checks are asked".to_owned(),
        PhaseState::Waiting => format!("waits for a person: {}", phase.question.as_deref().unwrap_or("yes or no?")),
        PhaseState::BackingOff => match (phase.failures.last(), phase.retry_at) {
            (Some(failure), Some(at)) => format!("attempt {} failed: {}; the next may start at {at}", failure.attempt, failure.why),
            _ => "waits before its next attempt".to_owned(),
        },
        PhaseState::Done(_) => phase.why.clone(),
    }
}

/// The services that a phase needs and that are away or not well, in words.
pub fn returning(state: &State, run: &Run, ix: PhaseIx) -> Option<String> {
    let needed = run.plan.phase(ix).needs.iter().flat_map(|edge| {
        let place = run.owner(edge.phase);
        let names = run.plan.phase(edge.phase).spec.resources.keys();
        names.map(move |name| Owner { resource: Some(name.clone()), ..place.clone() })
    });
    let away =
        needed.filter_map(|owner| state.resource(&owner)).filter(|made| made.restarts.away.is_some() && made.restarts.given_up.is_none());
    let (sick, away): (Vec<_>, Vec<_>) = away.partition(|made| made.is_sick());
    let told = |all: Vec<&Resource>, how: &str| {
        let are = if all.len() == 1 { "is" } else { "are" };
        let places: Vec<String> = all.iter().map(|made| made.owner.to_string()).collect();
        (!places.is_empty()).then(|| format!("{}, which {are} {how}", list(&places)))
    };
    let all: Vec<String> = [told(away, "started again"), told(sick, "unhealthy")].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The needs of a phase that are not met.
pub fn unmet(run: &Run, ix: PhaseIx) -> impl Iterator<Item = &Edge> {
    run.plan.phase(ix).needs.iter().filter(|edge| !run.unlocks(edge.phase, edge.unlock))
}

/// What everything that a phase waits for waits for in the end: phases that are not themselves pending.
pub fn roots(run: &Run, ix: PhaseIx) -> Vec<PhaseIx> {
    let mut seen = vec![false; run.phases.len()];
    let mut open: Vec<PhaseIx> = unmet(run, ix).map(|edge| edge.phase).collect();
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        if std::mem::replace(&mut seen[next.at()], true) {
            continue;
        }
        if run.phase(next).state == PhaseState::Pending {
            open.extend(unmet(run, next).map(|edge| edge.phase));
        } else {
            found.push(next);
        }
    }
    found.sort_unstable();
    found
}

/// A few things in one sentence: `a, b, c and 4 more`.
pub fn list(things: &[String]) -> String {
    match things {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] if things.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", things[..NAMED].join(", "), things.len() - NAMED),
    }
}

/// How a need must have ended, in words.
pub const fn unlock_words(unlock: Unlock) -> &'static str {
    match unlock {
        Unlock::Verified => "verified",
        Unlock::Unverified => "verified or unverified",
        Unlock::Finished => "ended, in any way",
        Unlock::Failed => "failed",
    }
}

/// The name of a fault, as manifests, journals and screens write it.
pub fn fault_word(fault: Fault) -> String {
    match serde_json::to_value(fault) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{fault:?}"),
    }
}

impl Proof {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Already => "already",
            Self::Once => "once",
            Self::Waived => "waived",
            Self::Unproven => "unproven",
            Self::Person => "person",
            Self::None => "none",
        }
    }

    /// Why an outcome may be believed, in a sentence without its subject.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Proven => "every check was seen to fail before the work and passes after it",
            Self::Already => "an earlier run proved the same phase, and what it made is still there",
            Self::Once => "the checks pass, and an earlier run has seen them fail",
            Self::Waived => "the checks pass, but the manifest waives the proof: nobody has seen them fail",
            Self::Unproven => "the checks pass, but they were never seen to fail: they prove nothing yet",
            Self::Person => "a person decided it",
            Self::None => "nothing was checked",
        }
    }
}
