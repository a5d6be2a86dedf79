//! The phase's machine.
//!
//! | state        | input      | next         |
//! |--------------|------------|--------------|
//! | pending      | unlocked   | ready        |
//! | pending, ready, waiting, backing off | ended | done |
//! | ready        | admitted   | running      |
//! | running      | worked     | verifying    |
//! | running      | again      | backing off  |
//! | running      | ended      | done         |
//! | verifying    | asked      | waiting      |
//! | verifying    | again      | backing off  |
//! | verifying    | ended      | done         |
//! | backing off  | unlocked   | ready        |
//!
//! Every other pair is refused: a record that asks for it does not fit the journal.

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// Where a phase stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// Waits for what it needs.
    #[default]
    Pending,
    /// Waits for a slot.
    Ready,
    /// An attempt is at work.
    Running,
    /// Its checks are asked.
    Verifying,
    /// A person is asked.
    Waiting,
    /// Waits before the next attempt.
    BackingOff,
    /// It has ended.
    Done(Outcome),
}

/// What happens to a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhaseInput {
    /// Everything that it needs is there, or its pause is over.
    Unlocked,
    /// It was given a slot.
    Admitted,
    /// All steps of the attempt are done.
    Worked,
    /// A person is asked.
    Asked,
    /// The attempt failed, and there will be another.
    Again,
    /// It ended.
    Ended(Outcome),
}

impl PhaseState {
    /// The next state; none where the input does not belong here.
    pub const fn on(self, input: PhaseInput) -> Option<Self> {
        use PhaseInput as I;
        match (self, input) {
            (Self::Pending | Self::BackingOff, I::Unlocked) => Some(Self::Ready),
            (Self::Ready, I::Admitted) => Some(Self::Running),
            (Self::Running, I::Worked) => Some(Self::Verifying),
            (Self::Verifying, I::Asked) => Some(Self::Waiting),
            (Self::Running | Self::Verifying, I::Again) => Some(Self::BackingOff),
            (Self::Done(_), _) => None,
            (_, I::Ended(outcome)) => Some(Self::Done(outcome)),
            _ => None,
        }
    }

    /// The outcome, where it has one.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// True while it holds a slot: only work and start-up do, waiting for a check or a person does not.
    pub const fn holds_slot(self) -> bool {
        matches!(self, Self::Running)
    }

    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Verifying => "verifying",
            Self::Waiting => "waiting",
            Self::BackingOff => "backing off",
            Self::Done(outcome) => outcome.word(),
        }
    }
}

impl Outcome {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}
