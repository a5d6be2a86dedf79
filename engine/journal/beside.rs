//! What the journal says beside the state, and the views want to know without reading all of it again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::kernel::record::Record;

/// That a goal is down: taken down after its latest run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Since when.
    pub at: Timestamp,
    /// Processes that could not be ended, by the last look.
    pub survivors: u32,
    /// What is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Owner>,
}

/// What the records say beside the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The time of the last record.
    pub latest: Option<Timestamp>,
    /// The number of the last record.
    pub seq: u64,
    /// The process id of the engine that opened the journal last.
    pub engine: Option<u32>,
    /// The goals that were taken down after their latest run.
    #[serde(default)]
    pub down: BTreeMap<Name, Down>,
    /// Up to which line the journal was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<u64>,
}

impl Beside {
    /// Takes one record more.
    pub fn apply(&mut self, seq: u64, at: Timestamp, record: &Record) {
        match record {
            Record::EngineStarted { pid, .. } => self.engine = Some(*pid),
            Record::RunStarted { plan, .. } => {
                self.down.remove(&plan.goal);
            }
            Record::DownEnded { goal, survivors, kept, .. } => {
                self.down.insert(goal.clone(), Down { at, survivors: *survivors, kept: kept.clone() });
            }
            Record::Pruned { last, .. } => self.pruned = Some(*last),
            _ => {}
        }
        self.seq = seq;
        self.latest = Some(at);
    }
}
