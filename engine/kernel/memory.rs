//! What is known of the host's memory, and when it is looked at.
//!
//! | a look shows                     | then                                                                        |
//! |----------------------------------|-----------------------------------------------------------------------------|
//! | the same level, and as much room | nothing                                                                     |
//! | another level, or another room   | recorded; what waits for admission is looked through again                  |
//! | act, for the first time or still | what can be spared is collected: also what has become idle since            |
//! | nothing: it failed               | unknown, recorded once: not calm, not short. What was promised still counts |
//!
//! | memory is                             | it is looked at again after |
//! |---------------------------------------|-----------------------------|
//! | calm, or unknown                      | 5 s                         |
//! | warn                                  | 2 s                         |
//! | act                                   | 1 s                         |
//! | act, while nothing is under way       | 5 s                         |
//! | anything else, while nothing is under way | 1 min                   |

use serde::{Deserialize, Serialize};

use super::action::Look;
use super::collection::Trigger;
use super::deadline::Deadline;
use super::pressure::{Pressure, Vitals, level};
use super::record::Record;
use super::state::State;
use super::turn::Turn;
use crate::base::time::{Span, Timestamp};

/// How often it is looked at while nothing is under way.
const IDLE: Span = Span::seconds(60);

/// A look at the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What was seen.
    pub vitals: Vitals,
    /// How much of it may be promised to everything of this workspace together, in bytes.
    pub room: u64,
}

/// What a look has shown, or why it has shown nothing.
pub type Sighting = Result<Sight, String>;

/// What the journal knows of the host's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How it stood when that last changed; none before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// Why it cannot be seen any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

/// How the memory stood when that last changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// How short it is.
    pub pressure: Pressure,
    /// What was seen then.
    pub vitals: Vitals,
    /// How much may be promised, in bytes.
    pub room: u64,
    /// Since when it is this short.
    pub since: Timestamp,
}

impl Memory {
    /// True where nobody has ever looked.
    pub fn is_unseen(&self) -> bool {
        *self == Self::default()
    }

    /// How short it is; none where that is not known.
    pub fn pressure(&self) -> Option<Pressure> {
        self.known.as_ref().filter(|_| self.unseen.is_none()).map(|known| known.pressure)
    }

    /// How it stands while it is too short for anything new.
    pub fn short(&self) -> Option<&Known> {
        self.known.as_ref().filter(|_| self.pressure() >= Some(Pressure::Warn))
    }

    /// How much may be promised, in bytes, by the last look that showed something; none before the first.
    pub fn room(&self) -> Option<u64> {
        self.known.as_ref().map(|known| known.room)
    }
}

/// When the memory is looked at; an engine without a gauge never does.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When it was last looked at.
    looked: Option<Timestamp>,
    /// When it will be.
    due: Option<Timestamp>,
}

impl State {
    /// Memory is this short since then.
    pub(super) fn press(&mut self, at: Timestamp, pressure: Pressure, vitals: Vitals, room: u64) {
        let before = self.memory.known.take().filter(|known| known.pressure == pressure);
        let since = before.map_or(at, |known| known.since);
        self.memory = Memory { known: Some(Known { pressure, vitals, room, since }), unseen: None };
    }
}

impl Turn<'_> {
    /// A look has shown how the memory stands, or has failed.
    pub(super) fn saw_memory(&mut self, sighting: Sighting) {
        // How it was before an engine died says nothing about where it comes from now.
        let first = self.live.memory.looked.replace(self.now).is_none();
        match sighting {
            Err(_) if self.state.memory.unseen.is_some() => {}
            Err(why) => self.record(Record::PressureUnknown { why }),
            Ok(Sight { vitals, room }) => {
                let memory = &self.state.memory;
                let before = memory.pressure();
                let now = memory.pressure().filter(|_| !first).map_or_else(|| level(&vitals), |before| before.then(&vitals));
                if memory.pressure() != Some(now) || memory.room() != Some(room) {
                    self.record(Record::Pressure { level: now, vitals, room });
                }
                self.collect_under_pressure(before < Some(now));
            }
        }
    }

    /// Collects while memory is this short: whatever can be spared by now. What no record explains is looked for where it has just become so,
    /// or where something else is collected: not every second.
    pub(super) fn collect_under_pressure(&mut self, became: bool) {
        let acts = self.state.memory.pressure() == Some(Pressure::Act);
        if acts && (became || !self.state.collectable(self.now, Trigger::Pressure).is_empty()) {
            self.collect(Trigger::Pressure);
        }
    }

    /// Sees to it that the memory is looked at in time: soon while something is under way, and sooner the shorter it is.
    pub(super) fn watch_memory(&mut self) {
        let Some(looked) = self.live.memory.looked else { return };
        let after = match self.state.memory.pressure() {
            Some(Pressure::Act) if !self.live.is_busy() => Span::seconds(5),
            _ if !self.live.is_busy() => IDLE,
            Some(Pressure::Calm) | None => Span::seconds(5),
            Some(Pressure::Warn) => Span::seconds(2),
            Some(Pressure::Act) => Span::seconds(1),
        };
        let due = looked + after;
        if let Some(before) = self.live.memory.due.replace(due).filter(|before| *before != due) {
            self.live.deadlines.remove(&(before, Deadline::Memory));
        }
        self.set_deadline(due, Deadline::Memory);
    }

    /// It is time to look at the memory.
    pub(super) fn look_at_memory(&mut self) {
        self.live.memory.due = None;
        self.live.memory.looked = Some(self.now);
        self.look(Look::Memory);
    }
}
