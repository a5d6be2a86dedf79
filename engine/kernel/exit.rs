//! How a process ended.

use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// With this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody saw.
    Unseen,
}

impl Exit {
    /// True for status 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// True unless it is known to have failed.
    pub const fn may_be_success(self) -> bool {
        matches!(self, Self::Code(0) | Self::Unseen)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unseen => f.write_str("unseen"),
        }
    }
}
