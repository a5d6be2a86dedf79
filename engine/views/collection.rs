//! What a collection ends, before it does and after it has: the same lines. The JSON form is stable: fields are only ever added.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::kernel::action::Effect;
use crate::kernel::collection::{Pick, Reason, Trigger};
use crate::kernel::object::Object;
use crate::kernel::record::Record;
use crate::kernel::state::State;

/// What is said of a scope that no record explains.
const UNEXPLAINED: &str = "somebody runs there, and no record knows whom";

/// The same of a network or a volume.
const UNKNOWN: &str = "a command made it, and no record knows it";

/// What a collection ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// What it ends, in this order.
    pub things: Vec<Thing>,
    /// How many of them are left over: leaks, what lives longer than it should, and what nothing explains.
    pub left: usize,
    /// How many of them are evicted.
    pub evicted: usize,
    /// What could not be looked into: what is there is unknown, and stays.
    pub unseen: Vec<String>,
}

/// Something that a collection ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thing {
    /// Its place, or the name of its scope.
    pub place: String,
    /// What it is: as for resources, or processes.
    pub kind: &'static str,
    /// Why it is ended: leak, unfinished, ended, down, unplanned, evictable, unexplained.
    pub reason: &'static str,
    /// The same in words.
    pub why: String,
}

impl Collection {
    /// What a collection would end that a person asks for now, where somebody is in these scopes, and this could not be
    /// looked into.
    pub fn planned(state: &State, now: Timestamp, evict: bool, scopes: &BTreeSet<String>, unseen: Vec<String>) -> Self {
        let mut things = Things::default();
        for Pick { owner, reason, why } in state.collectable(now, Trigger::Request { evict }) {
            match state.leak(&owner).and_then(|leak| leak.scope.as_deref()) {
                Some(scope) => things.add_scope(scope),
                None => things.add(state, &owner, reason, why),
            }
        }
        for scope in scopes {
            things.add_scope(scope);
        }
        things.collection(unseen)
    }

    /// What was ended, by the records of a collection and the state after them.
    pub fn done<'r>(records: impl IntoIterator<Item = &'r Record>, state: &State) -> Self {
        let mut things = Things::default();
        for record in records {
            match record {
                Record::Collected { owner, reason, why } if owner.phase.is_some() => things.add(state, owner, *reason, why.clone()),
                Record::Requested { effect: Effect::Sweep { scope }, .. } => things.add_scope(scope),
                _ => {}
            }
        }
        things.collection(state.unseen.clone())
    }
}

/// Things that are being gathered, each once.
#[derive(Debug, Default)]
struct Things {
    places: Vec<Thing>,
    scopes: BTreeSet<String>,
}

impl Things {
    fn add(&mut self, state: &State, owner: &Owner, reason: Reason, why: String) {
        let place = owner.to_string();
        if self.places.iter().all(|thing| thing.place != place) {
            let kind = state.resource(owner).map_or("processes", |resource| resource.kind.word());
            self.places.push(Thing { place, kind, reason: reason.word(), why });
        }
    }

    fn add_scope(&mut self, scope: &str) {
        self.scopes.insert(scope.to_owned());
    }

    fn collection(self, unseen: Vec<String>) -> Collection {
        let Self { places: mut things, scopes } = self;
        let unexplained = |place: String| {
            let object = Object::of(&place);
            let (kind, why) = object.map_or(("processes", UNEXPLAINED), |object| (object.kind.word(), UNKNOWN));
            Thing { place, kind, reason: "unexplained", why: why.to_owned() }
        };
        things.extend(scopes.into_iter().map(unexplained));
        let evicted = things.iter().filter(|thing| thing.reason == Reason::Evictable.word()).count();
        Collection { left: things.len() - evicted, evicted, things, unseen }
    }
}
