//! What commands do in a simulated world: it runs none, so somebody must say.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::faults::Kind;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::Exit;
use crate::ports::job::Command;

/// What a command is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The work of a phase, in its attempt with this number.
    Work(u32),
    /// A service.
    Service,
    /// A check.
    Check,
    /// The creation of a custom resource.
    Create,
}

/// What a command does once it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performance {
    /// How long it runs by itself; none: until it is ended.
    pub takes: Option<Span>,
    /// How it ends by itself.
    pub exit: Exit,
    /// How many processes it starts in the background, which run until they are ended.
    pub leaves: u32,
    /// False where it, and what it leaves, ignores every signal but SIGKILL.
    pub obeys: bool,
    /// How long it outlives even SIGKILL: it hangs in the kernel.
    pub stuck: Option<Span>,
    /// When it is up and listens, after its start; none: never.
    pub up_after: Option<Span>,
    /// What it writes to its output; none: whatever is wanted of it.
    pub says: Option<String>,
    /// The files that it makes when it ends well, absolute.
    pub makes: Vec<PathBuf>,
    /// What it writes to `$SCULPT_OUTPUT` when it ends well.
    pub outputs: IndexMap<Name, String>,
    /// True where its program is not there, and it never starts.
    pub absent: bool,
    /// What is wrong with it, and in words.
    pub faults: Vec<(Kind, String)>,
}

impl Performance {
    /// A command that ends with this status after a while.
    pub fn ending(takes: Span, code: i32) -> Self {
        Self {
            takes: Some(takes),
            exit: Exit::Code(code),
            leaves: 0,
            obeys: true,
            stuck: None,
            up_after: Some(Span(0)),
            says: None,
            makes: Vec::new(),
            outputs: IndexMap::new(),
            absent: false,
            faults: Vec::new(),
        }
    }

    /// A command that runs until it is ended.
    pub fn staying() -> Self {
        Self { takes: None, ..Self::ending(Span(0), 0) }
    }
}

/// Says what commands do.
pub trait Cast: Send {
    /// What this command does. The same question may be asked twice, and has one answer.
    fn perform(&self, owner: &Owner, role: Role, command: &Command) -> Performance;
}
