//! The teardown's machine: places are ended in the reverse of the order in which they were made, wave by wave, each wave at once.
//!
//! | state  | input                        | next                          |
//! |--------|------------------------------|-------------------------------|
//! | ending | a place is empty or removed  | ending, or the next wave, or over |
//! | ending | what is being started again is there | ending |
//! | ending | processes survive, tries left | ending (they are killed again) |
//! | ending | processes survive, no tries left | ending; they are reported, and leak |
//! | ending | it could not be done, tries left | ending (it is tried again) |
//! | ending | it could not be done, no tries left | ending; it is reported, and leaks |

use std::collections::{BTreeMap, HashMap};

use super::action::{Effect, EffectId, RunId, Seen, StopPolicy};
use super::answer::Stage;
use super::collection::Trigger;
use super::fault::Fault;
use super::input::At;
use super::leak::list;
use super::live::Waiter;
use super::question::Asker;
use super::record::Record;
use super::state::goal_of;
use super::stock::{Kind, Resource};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;

/// How often processes that survive are killed again before they are reported.
pub(super) const TRIES: u32 = 3;

/// The number of a teardown; lives only as long as the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeardownId(pub(super) u64);

/// Whom a teardown is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// An attempt that ends.
    Attempt(At),
    /// An attempt that takes the place of what an earlier run left.
    Replacing(At),
    /// A run that begins: what earlier runs made and its plan no longer has.
    Removed(RunId),
    /// A run that ends.
    Run(RunId),
    /// Questions that are no longer asked.
    Dismissed {
        /// The goal.
        goal: Name,
        /// When they were asked.
        stage: Stage,
        /// Who waits for an answer.
        askers: Vec<Asker>,
        /// The permits of the commands that are at work.
        permits: Vec<EffectId>,
    },
    /// What nobody wants of a goal that is at rest.
    Collected {
        /// The goal.
        goal: Name,
    },
    /// A goal that goes down.
    Down {
        /// The goal.
        goal: Name,
        /// Whether what is kept goes too.
        volumes: bool,
    },
}

impl Teardown {
    /// The name of the goal whose it is.
    pub(super) fn goal(&self) -> &str {
        match &self.purpose {
            For::Attempt(at) | For::Replacing(at) => goal_of(&at.run),
            For::Removed(run) | For::Run(run) => goal_of(run),
            For::Dismissed { goal, .. } | For::Down { goal, .. } | For::Collected { goal } => goal.as_str(),
        }
    }

    /// Whether a place is among those that it ends, now or later.
    pub(super) fn aims_at(&self, owner: &Owner) -> bool {
        self.open.values().any(|going| going.owner == *owner) || self.waves.values().flatten().any(|target| target.owner() == owner)
    }

    /// Whether it ends what is collected: nobody waits for that.
    pub(super) const fn collects(&self) -> bool {
        matches!(self.purpose, For::Collected { .. })
    }
}

/// One place to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The processes of a place.
    Processes(Owner, StopPolicy),
    /// A passive resource that sculpt made.
    Made(Owner),
}

impl Target {
    /// The place.
    pub(super) const fn owner(&self) -> &Owner {
        match self {
            Self::Processes(owner, _) | Self::Made(owner) => owner,
        }
    }

    /// The service that it is, where it is one.
    pub(super) const fn service(&self) -> Option<&Owner> {
        match self {
            Self::Processes(owner, _) if owner.resource.is_some() => Some(owner),
            Self::Processes(..) | Self::Made(_) => None,
        }
    }
}

/// A teardown under way.
#[derive(Debug)]
pub struct Teardown {
    purpose: For,
    /// By rank; the highest goes first.
    waves: BTreeMap<(u32, u32), Vec<Target>>,
    open: HashMap<EffectId, Going>,
    survivors: Vec<u32>,
    unremoved: Vec<String>,
}

/// A place that is being ended.
#[derive(Debug)]
struct Going {
    owner: Owner,
    effect: Effect,
    /// From 1; 0 while it is being started, and cannot be ended yet.
    tries: u32,
}

/// What went wrong in a teardown, in words; none where all is gone.
pub(super) fn trouble(survivors: &[u32], unremoved: &[String]) -> Option<(Fault, String)> {
    match (survivors, unremoved) {
        ([], []) => None,
        ([], [first, ..]) => Some((Fault::System, format!("failed to remove {first}"))),
        (survivors, _) => Some((Fault::Survivors, format!("processes would not end: {}", list(survivors)))),
    }
}

/// Makes short work of what is to be ended.
pub(super) fn kill<'t>(targets: impl Iterator<Item = &'t mut Target>) {
    for target in targets {
        if let Target::Processes(_, stop) = target {
            *stop = StopPolicy::KILL;
        }
    }
}

impl Turn<'_> {
    /// Begins a teardown; one of nothing is over at once.
    pub(super) fn tear_down(&mut self, purpose: For, targets: Vec<((u32, u32), Target)>) {
        let mut waves: BTreeMap<(u32, u32), Vec<Target>> = BTreeMap::new();
        for (rank, target) in targets {
            waves.entry(rank).or_default().push(target);
        }
        let id = self.live.next_teardown();
        let teardown = Teardown { purpose, waves, open: HashMap::new(), survivors: Vec::new(), unremoved: Vec::new() };
        self.live.teardowns.insert(id, teardown);
        self.next_wave(id);
    }

    fn next_wave(&mut self, id: TeardownId) {
        while let Some(teardown) = self.live.teardowns.get_mut(&id).filter(|teardown| teardown.open.is_empty()) {
            let Some((_, wave)) = teardown.waves.pop_last() else {
                if let Some(done) = self.live.teardowns.remove(&id) {
                    self.torn_down(done.purpose, &done.survivors, &done.unremoved);
                }
                return;
            };
            for target in wave {
                self.end_target(id, target);
            }
        }
    }

    fn end_target(&mut self, id: TeardownId, target: Target) {
        if self.is_left_to_others(id) || self.take_over(id, target.owner()) {
            return;
        }
        let (owner, effect) = match target {
            Target::Processes(owner, stop) if self.ends_once_started(id, &owner, stop) => return,
            Target::Processes(owner, stop) => (owner, Effect::End { stop }),
            Target::Made(owner) => {
                let Some(resource) = self.state.resource(&owner).filter(|resource| resource.state.is_live()) else { return };
                let evidence = match (resource.is_owned(), resource.kind) {
                    (false, _) => Some("it was there before: left alone"),
                    (true, Kind::Port) => Some("released"),
                    (true, _) => None,
                };
                if let Some(evidence) = evidence {
                    return self.record(Record::ResourceGone { owner, evidence: evidence.to_owned() });
                }
                (owner, Effect::Remove)
            }
        };
        self.go_on(id, owner, effect, 1);
    }

    /// Waits for a service that is being started again, since it cannot be ended before it is there. False where none is.
    fn ends_once_started(&mut self, id: TeardownId, owner: &Owner, stop: StopPolicy) -> bool {
        let Some(made) = self.state.resource(owner).filter(|made| made.restarts.done > 0) else { return false };
        let serve = made.made_by;
        if self.state.effects.get(&serve).is_none_or(|open| open.process.is_some()) {
            return false;
        }
        if made.kind == Kind::Container {
            // Its image may be on its way.
            self.request(owner.clone(), Effect::End { stop }, Waiter::Nobody);
        }
        self.live.waiters.insert(serve, Waiter::Teardown(id));
        if let Some(teardown) = self.live.teardowns.get_mut(&id) {
            teardown.open.insert(serve, Going { owner: owner.clone(), effect: Effect::End { stop }, tries: 0 });
        }
        true
    }

    /// Asks for the end of a place, for the first time or again.
    fn go_on(&mut self, id: TeardownId, owner: Owner, effect: Effect, tries: u32) {
        if matches!(effect, Effect::End { .. }) && owner.resource.is_some() && self.stop_asking(&owner) {
            self.end_asking(id, &owner);
        }
        let asked = self.request(owner.clone(), effect.clone(), Waiter::Teardown(id));
        if let Some(teardown) = self.live.teardowns.get_mut(&id) {
            teardown.open.insert(asked, Going { owner, effect, tries });
        }
    }

    /// Kills the command that asks whether a service is well which is ended now, and waits for its end: what comes next in its phase must
    /// not meet that. Where an attempt is at work in its phase it is left to its own timeout: that place is not ours to end.
    fn end_asking(&mut self, id: TeardownId, owner: &Owner) {
        let place = Owner { resource: None, ..owner.clone() };
        let busy = self.live.runs.iter().any(|(run, live)| {
            let attempts = live.attempts.keys().map(|phase| At { run: run.clone(), phase: *phase });
            attempts.into_iter().any(|at| self.owner(&at).as_ref() == Some(&place))
        });
        if !busy {
            let effect = Effect::End { stop: StopPolicy::KILL };
            let asked = self.request(place.clone(), effect.clone(), Waiter::Teardown(id));
            if let Some(teardown) = self.live.teardowns.get_mut(&id) {
                teardown.open.insert(asked, Going { owner: place, effect, tries: 1 });
            }
        }
    }

    /// Whether a collection has nothing to end there any more: its goal is at work again, or goes down.
    fn is_left_to_others(&self, id: TeardownId) -> bool {
        let Some(teardown) = self.live.teardowns.get(&id).filter(|teardown| teardown.collects()) else { return false };
        self.state.goals.get(teardown.goal()).is_none_or(|goal| goal.is_running() || goal.falling)
    }

    /// Waits for what a collection ends just now, rather than to end it a second time. False where none does.
    fn take_over(&mut self, id: TeardownId, owner: &Owner) -> bool {
        let ends = |teardown: &Teardown| teardown.open.iter().find(|(_, going)| going.owner == *owner).map(|(effect, _)| *effect);
        let mut collecting = self.live.teardowns.iter().filter(|(other, teardown)| **other != id && teardown.collects());
        let Some((from, effect)) = collecting.find_map(|(other, teardown)| Some((*other, ends(teardown)?))) else { return false };
        let Some(mut going) = self.live.teardowns.get_mut(&from).and_then(|teardown| teardown.open.remove(&effect)) else { return false };
        going.tries = going.tries.min(1);
        if let Some(teardown) = self.live.teardowns.get_mut(&id) {
            teardown.open.insert(effect, going);
        }
        self.live.waiters.insert(effect, Waiter::Teardown(id));
        self.next_wave(from);
        true
    }

    /// An effect of a teardown has ended.
    pub(super) fn teardown_saw(&mut self, id: TeardownId, effect: EffectId, seen: &Seen) {
        let Some(going) = self.live.teardowns.get_mut(&id).and_then(|teardown| teardown.open.remove(&effect)) else { return };
        if going.tries == 0 {
            // What was being started is there, or is not.
            self.live.waiters.remove(&effect);
            let there = matches!(seen, Seen::Started { .. });
            if there || self.state.resource(&going.owner).is_some_and(|made| made.state.is_live()) {
                return self.go_on(id, going.owner, going.effect, 1);
            }
            return self.next_wave(id);
        }
        // What is collected has all the time that it takes: it is tried again later.
        let tries = if self.live.teardowns.get(&id).is_some_and(Teardown::collects) { 1 } else { TRIES };
        match seen {
            Seen::Ended { survivors, .. } if !survivors.is_empty() && going.tries < tries => {
                let effect = Effect::End { stop: StopPolicy::KILL };
                return self.go_on(id, going.owner, effect, going.tries + 1);
            }
            Seen::Ended { survivors, .. } if !survivors.is_empty() => {
                if let Some(teardown) = self.live.teardowns.get_mut(&id) {
                    teardown.survivors.extend(survivors);
                }
                self.leak(going.owner, going.tries, format!("processes would not end: {}", list(survivors)), None);
            }
            // A cleanup that fails is tried again: what stood in its way may have been on its way out.
            Seen::Failed { .. } if going.tries < tries => return self.go_on(id, going.owner, going.effect, going.tries + 1),
            Seen::Failed { evidence, .. } => {
                if let Some(teardown) = self.live.teardowns.get_mut(&id) {
                    teardown.unremoved.push(format!("{}: {evidence}", going.owner));
                }
                self.leak(going.owner, going.tries, evidence.clone(), None);
            }
            _ => {}
        }
        self.next_wave(id);
    }

    fn torn_down(&mut self, purpose: For, survivors: &[u32], unremoved: &[String]) {
        match purpose {
            For::Attempt(at) => self.attempt_closed(&at, survivors, unremoved),
            For::Replacing(at) => self.replaced(&at, survivors, unremoved),
            For::Removed(run) => self.removed(&run, survivors, unremoved),
            For::Dismissed { goal, stage, askers, permits } => self.dismissed(&goal, stage, askers, permits, survivors),
            For::Run(run) => {
                self.run_torn_down(&run, survivors, unremoved);
                self.promise_removals(Some(&Name::from(goal_of(&run))));
                self.collect(Trigger::Teardown);
            }
            For::Collected { .. } => self.collected(),
            For::Down { goal, volumes } => self.fallen(&goal, volumes, survivors),
        }
    }

    /// The targets among a goal's live resources that `wanted` chooses.
    pub(super) fn targets(&self, goal: &Name, mut wanted: impl FnMut(&Resource) -> bool) -> Vec<((u32, u32), Target)> {
        let Some(goal) = self.state.goals.get(goal) else { return Vec::new() };
        goal.live_resources().filter(|resource| wanted(resource)).map(target).collect()
    }

    /// The targets among the live resources of one phase that `wanted` chooses.
    pub(super) fn targets_at(&self, at: &At, mut wanted: impl FnMut(&Resource) -> bool) -> Vec<((u32, u32), Target)> {
        let Some(run) = self.run(&at.run) else { return Vec::new() };
        let (place, names) = (run.owner(at.phase), run.plan.phase(at.phase).spec.resources.keys());
        names
            .filter_map(|name| self.state.resource(&Owner { resource: Some(name.clone()), ..place.clone() }))
            .chain(self.state.goals.get(&place.goal).into_iter().flat_map(|goal| goal.caught_of(&place)))
            .filter(|resource| resource.state.is_live() && wanted(resource))
            .map(target)
            .collect()
    }

    /// Kills at once what is being ended gently, and what would be.
    pub(super) fn hurry(&mut self, goal: &Name) {
        for teardown in self.live.teardowns.values_mut().filter(|teardown| teardown.purpose.goal() == goal.as_str()) {
            kill(teardown.waves.values_mut().flatten());
            for going in teardown.open.values_mut().filter(|going| going.tries == 0) {
                going.effect = Effect::End { stop: StopPolicy::KILL };
            }
        }
        let gentle: Vec<Owner> = self
            .state
            .effects
            .values()
            .filter(|open| open.owner.goal == *goal)
            .filter(|open| matches!(open.effect, Effect::End { stop } if stop != StopPolicy::KILL))
            .map(|open| open.owner.clone())
            .collect();
        for owner in gentle {
            self.request(owner, Effect::End { stop: StopPolicy::KILL }, Waiter::Nobody);
        }
    }
}

impl For {
    /// The goal that it is about.
    fn goal(&self) -> &str {
        match self {
            Self::Attempt(at) | Self::Replacing(at) => goal_of(&at.run),
            Self::Run(run) | Self::Removed(run) => goal_of(run),
            Self::Down { goal, .. } | Self::Dismissed { goal, .. } | Self::Collected { goal } => goal.as_str(),
        }
    }
}

/// How a live resource is ended, and when.
fn target(resource: &Resource) -> ((u32, u32), Target) {
    let target = match resource.kind {
        kind if kind.runs() => Target::Processes(resource.owner.clone(), resource.stop),
        _ => Target::Made(resource.owner.clone()),
    };
    (resource.turn(), target)
}
