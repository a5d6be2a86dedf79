//! The runtime: whatever changes the world.

use super::container::{Known, Reach};
use super::job::Job;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::journal::permit::Permit;
use crate::kernel::action::{EffectId, ProcessMark, Shown};
use crate::kernel::adoption::Found;
use crate::kernel::call::CallId;
use crate::kernel::input::Input;
use crate::kernel::options::Shares;
use crate::kernel::suspect::Subject;
use crate::manifest::port::Listen;
use crate::plan::explain::limits::Limit;

/// Where observations go. Cheap to copy; telling an engine that is gone does nothing.
#[derive(Clone, Debug)]
pub struct Tell(tokio::sync::mpsc::UnboundedSender<Input>);

impl Tell {
    /// Tells the engine at the other end.
    pub const fn new(sender: tokio::sync::mpsc::UnboundedSender<Input>) -> Self {
        Self(sender)
    }

    /// Tells what was seen.
    pub fn say(&self, input: Input) {
        // An engine that no longer listens has stopped; what happens now is found again at its next start.
        drop(self.0.send(input));
    }
}

/// What is there could not be seen. Nothing is known about it then.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LookError(#[from] Box<dyn std::error::Error + Send + Sync>);

/// The scopes' names of containers, once they are known.
pub type Contained<'r> = std::pin::Pin<Box<dyn Future<Output = Result<Vec<String>, LookError>> + Send + 'r>>;

/// Who holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, where it can be seen.
    pub pid: Option<u32>,
    /// In words: the process with its command line, or what else can be seen.
    pub words: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

/// Changes the world. Each permit is spent on one job; its end is told once.
pub trait Runtime: Send + Sync {
    /// Carries out a job. Returns at once.
    fn carry_out(&self, permit: Permit, job: Job, tell: &Tell);

    /// Says that it is recorded that a resource is about to be made: it may be made now.
    fn proceed(&self, id: EffectId);

    /// Says that a call of the container engine gets no permit. A runtime without endpoints hears of none.
    fn deny(&self, _call: CallId) {}

    /// Kills at once what runs at these places, when the journal can give no permit any more: whoever was permitted to start it
    /// may end it. Gives in words what would not end, or could not be looked at.
    fn cut_off(&self, places: &[Owner]) -> Vec<String>;

    /// The names of the scopes of this workspace in which somebody runs, whichever engine put them there.
    ///
    /// # Errors
    /// Where that cannot be seen.
    fn populated(&self) -> Result<Vec<String>, LookError>;

    /// The same of the containers of this workspace, running or not, in the container engine that is there. One that has none says nothing.
    ///
    /// # Errors
    /// Where that cannot be seen.
    fn contained<'r>(&'r self, _reach: &'r Reach) -> Contained<'r> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Begins to tell what becomes of the containers of this workspace in the container engine that is there, and of these that are there
    /// already. A runtime that has none has nothing to tell.
    fn listen(&self, _reach: &Reach, _known: Vec<Known>, _tell: &Tell) {}

    /// Whether a process that an earlier engine started is not there any more, at one look. A runtime that cannot tell says no: the end of
    /// what it watches is heard in any case, only later.
    fn has_ended(&self, _process: &ProcessMark) -> bool {
        false
    }

    /// The limits that it enforces on what it starts, beside open files.
    fn enforceable(&self) -> Vec<Limit> {
        Limit::ALL.to_vec()
    }

    /// The memory that everything of the workspace, and each goal that declares nothing, may use of what it starts.
    fn shares(&self) -> Shares {
        Shares::default()
    }

    /// Looks what was started outside of every scope since an effect began, or since the last such look while it goes on, and tells it: once
    /// for each call, also where it found nothing. A runtime that looks around nothing finds nothing.
    fn look_around(&self, by: EffectId, over: bool, tell: &Tell) {
        tell.say(Input::Shown(Shown::Around { by, over, suspects: Vec::new() }));
    }

    /// What is there of something that is suspected, or was adopted. A look.
    fn find(&self, subject: &Subject) -> Found;

    /// Who holds a port of this host, on any address; none where nobody does. A look.
    fn holder(&self, port: &Listen) -> Option<Holder>;

    /// Removes the empty scopes of a goal of which nothing runs. One that cannot be removed now is removed the next time.
    fn tidy(&self, goal: &Name);

    /// Removes what only stands for this engine, which ends: called while the workspace is still its own. A runtime of which nothing stands
    /// anywhere has nothing to remove.
    fn leave(&self) {}
}
