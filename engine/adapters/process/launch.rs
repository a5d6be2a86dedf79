//! What is to be started, and why it could not be.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::view::View;

/// One process to start. Nothing is inherited from the engine but what stands here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// The program and its arguments; a program without `/` is looked for in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Where it runs. An absolute path.
    pub cwd: PathBuf,
    /// The user, by name or number; none for the engine's own. Needs root.
    pub user: Option<String>,
    /// The group, by name or number; none for the user's first one. Needs root.
    pub group: Option<String>,
    /// How many files it, and each process that it starts, may have open at once; none for what the engine itself may. Where the host
    /// allows less, that.
    #[serde(default)]
    pub files: Option<u64>,
    /// What it sees of the host's files, where that is not what the engine sees.
    #[serde(skip)]
    pub view: Option<View>,
    /// Where its standard output is appended to; made with mode 0600 for its user.
    pub stdout: PathBuf,
    /// The same for its standard error; may be the same file.
    pub stderr: PathBuf,
}

/// Why a process was not started. Nothing of it runs.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpawnError {
    /// As a shell's 127: no such program, or the interpreter that its first line names is missing.
    #[error("failed to start `{program}`: no such program")]
    NotFound {
        /// As it was asked for.
        program: String,
    },
    /// As a shell's 126: it is there, but may not be executed, or is not a program.
    #[error("failed to start `{program}`: {why}")]
    PermissionDenied {
        /// As it was asked for.
        program: String,
        /// The kernel's words.
        why: String,
    },
    /// The working directory is not there, or not for this user.
    #[error("failed to enter the working directory {}: {why}", path.display())]
    BadCwd {
        /// The directory.
        path: PathBuf,
        /// The kernel's words.
        why: String,
    },
    /// No such user.
    #[error("failed to find the user `{0}`")]
    NoSuchUser(String),
    /// No such group.
    #[error("failed to find the group `{0}`")]
    NoSuchGroup(String),
    /// Only root starts processes as somebody else.
    #[error("failed to start a process as `{0}`: only root may do that")]
    NotRoot(String),
    /// Anything else, with the step that failed.
    #[error("failed to {step}: {why}")]
    Other {
        /// What was tried, in words.
        step: String,
        /// The kernel's words.
        why: String,
    },
}

impl SpawnError {
    pub(super) fn other(step: impl Into<String>, error: &io::Error) -> Self {
        Self::Other { step: step.into(), why: error.to_string() }
    }

    /// The exit code that a shell would give for it.
    pub const fn shell_code(&self) -> Option<i32> {
        match self {
            Self::NotFound { .. } => Some(127),
            Self::PermissionDenied { .. } => Some(126),
            _ => None,
        }
    }
}
