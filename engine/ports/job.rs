//! Jobs: what a permit allows, with every text rendered. Made from plan and state just before it is done; never written anywhere.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use super::container::{ContainJob, EndpointJob, ObjectJob, Reach, RemoveObjectJob};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::kernel::action::{ProcessMark, StopPolicy};
use crate::kernel::call::CallId;
use crate::kernel::fault::Fault;
use crate::kernel::suspect::Subject;
use crate::manifest::param::Secret;
use crate::manifest::policy::Limits;

/// A command, ready to be started.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The whole environment. Later entries win.
    pub env: IndexMap<String, String>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The user; none for the engine's own.
    pub user: Option<String>,
    /// The group; none for the user's first.
    pub group: Option<String>,
    /// Where its output goes.
    pub log: PathBuf,
    /// What it may use.
    pub limits: Limits,
}

/// What a permit allows.
#[derive(Clone, Debug)]
pub enum Job {
    /// Prepare a run.
    Prepare(PrepareJob),
    /// Run a phase's command.
    Work(WorkJob),
    /// Start a service.
    Serve(ServeJob),
    /// Start a container: a service, or the phase's command in its image.
    Contain(Box<ContainJob>),
    /// Make a network or a volume of the container engine.
    Object(ObjectJob),
    /// Remove one.
    RemoveObject(RemoveObjectJob),
    /// Make the call that waits for it.
    Call(CallId),
    /// Go on watching what an earlier engine started.
    Watch(Box<WatchJob>),
    /// Make a directory.
    Directory(DirectoryJob),
    /// Write a file.
    File(FileJob),
    /// See that a port is free.
    Port(String),
    /// Create a custom resource.
    Create(CustomJob),
    /// End the processes of a place.
    End(EndJob),
    /// Kill all of a scope, by its name; a container's, where the container engine is said.
    Sweep(String, Option<Reach>),
    /// Set what a whole goal may use.
    Limit(Name, Limits),
    /// Remove directories and files.
    RemovePaths(RemoveJob),
    /// Remove what was adopted.
    Dismantle(Box<DismantleJob>),
    /// Destroy a custom resource.
    Destroy(CustomJob),
    /// Remove a goal's generated secrets, and the images that were built for it in these container engines.
    Forget(Name, Vec<Reach>),
}

/// Prepare a run: keep its environment, fetch and generate its secrets.
#[derive(Clone, Debug)]
pub struct PrepareJob {
    /// The goal.
    pub goal: Name,
    /// The run's folder.
    pub folder: PathBuf,
    /// The environment of `sculpt run`, kept with the run.
    pub env: Arc<IndexMap<String, String>>,
    /// The secrets' sources.
    pub secrets: IndexMap<Name, Secret>,
    /// What the whole goal may use.
    pub limits: Limits,
    /// The endpoint of the commands that fetch secrets.
    pub endpoint: Option<EndpointJob>,
}

/// Run a phase's command.
#[derive(Clone, Debug)]
pub struct WorkJob {
    /// The command.
    pub command: Command,
    /// What is collected of it.
    pub collect: Collect,
    /// Its endpoint of the container engine, where it has one.
    pub endpoint: Option<EndpointJob>,
}

/// Start a service.
#[derive(Clone, Debug)]
pub struct ServeJob {
    /// The command.
    pub command: Command,
    /// The ports that must be free.
    pub ports: Vec<String>,
    /// Its endpoint of the container engine, where it has one.
    pub endpoint: Option<EndpointJob>,
}

/// Go on watching what an earlier engine started. It is known by its mark, and a reused number is never taken for it.
#[derive(Clone, Debug)]
pub struct WatchJob {
    /// The process.
    pub process: ProcessMark,
    /// Where the container engine is whose process it is, and where its output goes; none for any other process.
    pub contained: Option<(Reach, PathBuf)>,
    /// What is collected once it has ended; of a service nothing is.
    pub collect: Option<Result<Collect, (Fault, String)>>,
    /// The environment of a service, by which it is known what it starts outside of its scope; none for anything else.
    pub around: Option<IndexMap<String, String>>,
    /// Its endpoint of the container engine; none for a container, and where nothing can be told of it.
    pub endpoint: Option<EndpointJob>,
}

/// What is collected of a command that has ended.
#[derive(Clone, Debug)]
pub struct Collect {
    /// The file that it may have written outputs to.
    pub output: PathBuf,
    /// Files (globs) to keep.
    pub artifacts: Vec<String>,
    /// Where to keep them.
    pub artifacts_to: PathBuf,
    /// What each of these is relative to.
    pub workspace: PathBuf,
}

/// Make a directory.
#[derive(Clone, Debug)]
pub struct DirectoryJob {
    /// Where, absolute.
    pub path: PathBuf,
    /// Who owns it: `name` or `name:group`.
    pub owner: Option<String>,
    /// Its mode.
    pub mode: Option<u32>,
}

/// Write a file.
#[derive(Clone, Debug)]
pub struct FileJob {
    /// Where, absolute.
    pub path: PathBuf,
    /// What.
    pub content: String,
    /// Who owns it: `name` or `name:group`.
    pub owner: Option<String>,
    /// Its mode.
    pub mode: Option<u32>,
}

/// Remove directories and files.
#[derive(Clone, Debug)]
pub struct RemoveJob {
    /// What: the last one first.
    pub paths: Vec<PathBuf>,
    /// The topmost folders that were made on the way there: from these down, what is empty by then goes too.
    pub above: Vec<PathBuf>,
    /// What others have: that stays, empty or not.
    pub others: Vec<PathBuf>,
}

/// Create or destroy a custom resource.
#[derive(Clone, Debug)]
pub struct CustomJob {
    /// Exits with 0 where it exists, and 1 where it does not.
    pub exists: Command,
    /// Creates or destroys it.
    pub act: Command,
    /// How long each of them may take.
    pub timeout: Span,
    /// The file that it may write outputs to.
    pub output: PathBuf,
    /// The endpoint of what creates or destroys it; that of `exists` is like it, and nothing outlives that.
    pub endpoint: Option<EndpointJob>,
}

/// Remove what a phase started outside of everything that is held, and a person adopted.
#[derive(Clone, Debug)]
pub struct DismantleJob {
    /// What it is: exactly that is removed, where it is as it was seen.
    pub subject: Subject,
    /// The command that removes it, where one does; its arguments are added.
    pub command: Command,
}

/// End the processes of a place.
#[derive(Clone, Debug)]
pub struct EndJob {
    /// The place.
    pub owner: Owner,
    /// How.
    pub stop: StopPolicy,
    /// The processes that are known to have been started there.
    pub processes: Vec<ProcessMark>,
    /// Where the container engine is, where the place may have a container.
    pub reach: Option<Reach>,
}
