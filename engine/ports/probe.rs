//! The probe: whatever looks at the world without changing it.

use std::path::PathBuf;

use super::container::{EndpointJob, Reach};
use super::job::Command;
use super::runtime::Tell;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::journal::permit::Permit;
use crate::kernel::action::{ProcessMark, QuestionId};
use crate::manifest::check::CheckKind;

/// A question with every text rendered.
#[derive(Clone, Debug)]
pub struct Probing {
    /// Which question.
    pub question: QuestionId,
    /// The place that asks: a phase for its check, a resource for its health.
    pub place: Owner,
    /// How long it may take.
    pub timeout: Span,
    /// What is asked.
    pub asked: Asked,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A check that is a look: `http`, `tcp`, `file`, `log`.
    Look {
        /// The check.
        kind: Box<CheckKind>,
        /// What paths are relative to.
        workspace: PathBuf,
        /// The log that a `log` check reads.
        log: Option<PathBuf>,
    },
    /// A command that must exit with 0.
    Execute {
        /// The command.
        command: Box<Command>,
        /// A text that its output must contain.
        contains: Option<String>,
        /// A regular expression that its output must match.
        matches: Option<String>,
        /// Its endpoint of the container engine, where it has one.
        endpoint: Option<Box<EndpointJob>>,
    },
    /// A command inside a container that must exit with 0.
    Inside {
        /// Where the container engine is.
        reach: Reach,
        /// The container, by its id; none where it was not started.
        container: Option<String>,
        /// The command.
        argv: Vec<String>,
    },
    /// Whether a container is in a state: that it runs, and is healthy where its image asks for that; or another one, by its word.
    Contained {
        /// Where the container engine is.
        reach: Reach,
        /// Its place.
        of: Owner,
        /// The container, by its id; none where it was not started, or is gone.
        container: Option<String>,
        /// The state.
        state: Option<String>,
    },
    /// Whether a service listens on all of its ports, or, where it has none, whether it runs.
    Serving {
        /// Its main process.
        process: Option<ProcessMark>,
        /// Its ports.
        ports: Vec<String>,
    },
}

/// Looks at the world.
pub trait Probe: Send + Sync {
    /// Asks once, and tells the answer. Returns at once. A command is run by the standing permit of its question.
    fn ask(&self, probing: Probing, permit: Option<&Permit>, tell: &Tell);
}
