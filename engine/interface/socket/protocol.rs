//! The lines that a client and a supervisor exchange.
//!
//! What must be understood whatever the versions are: `{"version":N,"do":"status"}`, `{"version":N,"do":{"release":{"replaced":B}}}`,
//! and the answers `mismatch`, `status` and `accepted`. They never change.

use serde::{Deserialize, Serialize};

use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::driver::engine::Environment;
use crate::interface::failure::Complaint;
use crate::kernel::action::RunId;
use crate::kernel::record::{RunOptions, StopReason};
use crate::kernel::standing::Standing;
use crate::plan::sealed::Plan;

/// The version of this protocol.
pub const VERSION: u32 = 2;

/// The longest line, in bytes: a run brings its whole plan and its environment.
pub const MAX_LINE: u64 = 64 << 20;

/// What may be asked. One for each connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Carry out a plan; attach where the same is under way.
    Run {
        /// The plan.
        plan: Box<Plan>,
        /// From this phase on: all that it does not reach is carried over from the goal's latest run.
        from: Option<Name>,
        /// How.
        options: RunOptions,
        /// How the goal must stand, where the plan was saved.
        #[serde(default)]
        seen: Option<Standing>,
        /// The environment of its phases.
        env: Environment,
    },
    /// Go on from a run that has ended.
    Retry {
        /// The goal.
        goal: Name,
        /// The run that is meant; none for the latest.
        run: Option<RunId>,
        /// Begin anew from this phase; none: from all that did not end well.
        phase: Option<Name>,
        /// Do only that phase anew.
        only: bool,
        /// How.
        options: RunOptions,
        /// The environment of its phases.
        env: Environment,
    },
    /// Watch what is under way of a goal.
    Attach {
        /// The goal.
        goal: Name,
    },
    /// Stop a goal's run.
    Stop {
        /// The goal.
        goal: Name,
        /// Why.
        reason: StopReason,
        /// Kill at once.
        force: bool,
    },
    /// Answer a question.
    Reply {
        /// The phase that asks.
        owner: Owner,
        /// Yes or no.
        yes: bool,
        /// What else the person wrote.
        text: Option<String>,
        /// Who.
        by: String,
    },
    /// Adopt what is suspected.
    Adopt {
        /// Its place.
        owner: Owner,
        /// Who adopts it.
        by: String,
    },
    /// Take a goal down.
    Down {
        /// The goal.
        goal: Name,
        /// Also what is kept.
        volumes: bool,
    },
    /// Ask the checks of a goal again.
    Verify {
        /// The goal.
        goal: Name,
    },
    /// End what nobody wants.
    Collect {
        /// Also what is evictable.
        evict: bool,
    },
    /// Say who you are.
    Status,
    /// Let go: what lives stays, and the next supervisor adopts it.
    Release {
        /// Whether another one takes over at once.
        replaced: bool,
    },
}

impl Ask {
    /// The goal that it is about, where it is about one.
    pub fn goal(&self) -> Option<&Name> {
        match self {
            Self::Run { plan, .. } => Some(&plan.goal),
            Self::Reply { owner, .. } | Self::Adopt { owner, .. } => Some(&owner.goal),
            Self::Attach { goal }
            | Self::Retry { goal, .. }
            | Self::Stop { goal, .. }
            | Self::Down { goal, .. }
            | Self::Verify { goal } => Some(goal),
            Self::Collect { .. } | Self::Status | Self::Release { .. } => None,
        }
    }

    /// What to ask where the supervisor that had accepted this is gone and another one goes on with its work.
    pub fn again(self) -> Self {
        match self {
            Self::Run { .. } | Self::Retry { .. } | Self::Reply { .. } | Self::Down { .. } | Self::Stop { .. } => {
                match self.goal().cloned() {
                    Some(goal) => Self::Attach { goal },
                    None => self,
                }
            }
            // Whoever asked the checks again, or for a collection, is not remembered. An adoption is over with its answer.
            Self::Adopt { .. } | Self::Verify { .. } | Self::Collect { .. } | Self::Attach { .. } | Self::Status | Self::Release { .. } => {
                self
            }
        }
    }
}

/// The line of a client.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line<A> {
    /// The version that the client speaks.
    pub version: u32,
    /// What it asks.
    #[serde(rename = "do")]
    pub ask: A,
}

/// What of a client's line any version understands.
#[derive(Debug, Deserialize)]
pub(super) struct Spoken {
    pub(super) version: u32,
}

/// What any version answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lasting {
    Status,
    Release { replaced: bool },
}

/// A line of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It is committed, up to this record.
    Accepted(u64),
    /// It was refused; nothing has changed.
    Refused(Complaint),
    /// There are records up to this one.
    Seq(u64),
    /// As of this record nothing of the goal is under way but waiting for people.
    Settled(u64),
    /// The engine cannot go on.
    Failed(Complaint),
    /// The supervisor was told to let go.
    Released {
        /// Whether another one takes over.
        replaced: bool,
    },
    /// The client speaks another version.
    Mismatch(Speaker),
    /// Who the supervisor is.
    Status(Speaker),
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The version of the protocol.
    pub version: u32,
    /// The version of sculpt.
    pub sculpt: String,
    /// The process.
    pub pid: u32,
}

impl Speaker {
    /// This program.
    pub fn this() -> Self {
        Self { version: VERSION, sculpt: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_changes_is_as_it_was() {
        let line = |ask| serde_json::to_string(&Line { version: VERSION, ask }).unwrap();
        assert_eq!(line(Ask::Status), r#"{"version":2,"do":"status"}"#);
        assert_eq!(line(Ask::Release { replaced: true }), r#"{"version":2,"do":{"release":{"replaced":true}}}"#);
        let speaker = Speaker { version: 2, sculpt: "1.2.3".into(), pid: 7 };
        let told = |told| serde_json::to_string(&told).unwrap();
        assert_eq!(told(Told::Mismatch(speaker.clone())), r#"{"mismatch":{"version":2,"sculpt":"1.2.3","pid":7}}"#);
        assert_eq!(told(Told::Status(speaker)), r#"{"status":{"version":2,"sculpt":"1.2.3","pid":7}}"#);
        assert_eq!(told(Told::Accepted(5)), r#"{"accepted":5}"#);
    }
}
