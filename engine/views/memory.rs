//! The host's memory, and what waits for it, in words. The JSON form is stable: fields are only ever added.

use serde::Serialize;

use super::outside::Outside;
use super::phase::list;
use crate::base::size::ByteSize;
use crate::kernel::admission::Hold;
use crate::kernel::pressure::{Pressure, Vitals};
use crate::kernel::state::{Run, State};
use crate::plan::sealed::PhaseIx;

/// How the host's memory stands, as the engine that is at work saw it when that last changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryStatus {
    /// How short it is; none where that is unknown.
    pub pressure: Option<Pressure>,
    /// What makes it so, or why it cannot be seen.
    pub why: String,
    /// Since when, RFC 3339; none where it is unknown.
    pub since: Option<String>,
    /// What was seen then; none where nothing was.
    pub vitals: Option<Vitals>,
    /// How much of it may be promised to what declares memory, in bytes.
    pub room: Option<u64>,
    /// How much is promised, in bytes.
    pub promised: u64,
    /// The phases that wait for it, by their places.
    pub waiting: Vec<String>,
}

/// How the memory stands. Without an engine nobody has looked at it.
pub fn memory_status(state: &State, outside: &Outside<'_>) -> Option<MemoryStatus> {
    let memory = &state.memory;
    if !outside.engine || memory.known.is_none() && memory.unseen.is_none() {
        return None;
    }
    let known = memory.known.as_ref().filter(|_| memory.unseen.is_none());
    let why = match (known, &memory.unseen) {
        (Some(known), _) => known.pressure.cause(&known.vitals),
        (None, unseen) => unseen.clone().unwrap_or_default(),
    };
    let runs = state.goals.values().filter_map(|goal| goal.run.as_ref()).filter(|run| run.ended.is_none());
    let waiting =
        runs.flat_map(|run| run.plan.indexed().filter(|(ix, _)| state.hold(run, *ix).is_some()).map(|(ix, _)| run.owner(ix).to_string()));
    Some(MemoryStatus {
        pressure: known.map(|known| known.pressure),
        why,
        since: known.map(|known| known.since.to_string()),
        vitals: known.map(|known| known.vitals),
        room: memory.room(),
        promised: state.promises().iter().map(|goal| goal.sum(0, |_| true)).fold(0, u64::saturating_add),
        waiting: waiting.collect(),
    })
}

/// What a phase waits for that is not admitted, as the end of "it waits for …"; none where it waits for something else.
pub fn waits_for_memory(state: &State, run: &Run, ix: PhaseIx) -> Option<String> {
    let size = |bytes: u64| ByteSize(bytes).rounded();
    Some(match state.hold(run, ix)? {
        Hold::Pressure(known) => format!("an end of memory pressure: {}", known.pressure.cause(&known.vitals)),
        Hold::Promised { need, promised, room, to } => {
            let to: Vec<String> = to.iter().map(|promise| format!("{} {}", promise.owner, size(promise.memory))).collect();
            format!("{} of memory: {} of {} are promised: {}", size(need), size(promised), size(room), list(&to))
        }
        Hold::Behind(first) => format!("memory behind {first}, which came before it and needs more"),
    })
}

/// Whether nothing of the workspace is at work: then it is somebody else who uses the memory.
pub fn is_elsewhere(state: &State) -> bool {
    state.effects.values().all(|open| open.process.is_none())
}
