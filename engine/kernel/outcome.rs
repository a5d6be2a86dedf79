//! How a phase and a run end.

use serde::{Deserialize, Serialize};

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Green: the work ended well, every check passes, and every check is proven; or a person said yes.
    Verified,
    /// Yellow: nothing checks it, or a check that passes was never seen to fail.
    Unverified,
    /// Red: the work or a check failed, and retries are spent.
    Failed,
    /// Grey: the checker itself could not run.
    Unknown,
    /// `when` was false, or a dependency did not succeed.
    Skipped,
    /// A person stopped it, or a budget ended it.
    Cancelled,
}

/// Why an outcome may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Every check was seen to fail before it passed.
    Proven,
    /// An earlier run proved the same phase, and what it made is alive.
    Already,
    /// Proven by a red that an earlier run recorded.
    Once,
    /// The manifest waives proof.
    Waived,
    /// A check passes that was never seen to fail.
    Unproven,
    /// A person said so.
    Person,
    /// Nothing was checked.
    None,
}

/// How a run ended. Of several, the one that is highest in the table decides the exit code.
///
/// | verdict | exit | when |
/// |---|---|---|
/// | cancelled | 130 | a person stopped it |
/// | budget | 5 | a budget ended it |
/// | failed | 1 | a phase failed or is unknown, or a promised resource died |
/// | waiting | 4 | a person is asked and nobody is there |
/// | unproven | 3 | a phase is unverified although it declares checks |
/// | verified | 0 | all phases verified, or unverified only where the manifest says tier `none` |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All phases verified, or unverified only where the manifest says tier `none`.
    Verified,
    /// A phase is unverified although it declares checks (with `--strict`: any yellow).
    Unproven,
    /// A person is asked and nobody is there.
    Waiting,
    /// A phase failed or is unknown, or a promised resource died.
    Failed,
    /// A budget ended it.
    Budget,
    /// A person stopped it.
    Cancelled,
    /// The engine was killed, or failed, while it ran.
    Interrupted,
}

impl Verdict {
    /// The exit code of `sculpt run`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed | Self::Interrupted => 1,
            Self::Unproven => 3,
            Self::Waiting => 4,
            Self::Budget => 5,
            Self::Cancelled => 130,
        }
    }
}
