//! What every verb is given: where it works, and how it may speak.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::remote::wake;
use crate::adapters::clock::HostClock;
use crate::adapters::process::foreign::ForeignGroup;
use crate::adapters::process::identity::ProcessId;
use crate::adapters::suspects::presence::is_there;
use crate::adapters::vault::Mask;
use crate::adapters::workspace::Workspace;
use crate::base::time::Timestamp;
use crate::driver::host::engine_containment;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Look, env};
use crate::journal::lock;
use crate::kernel::action::ProcessMark;
use crate::ports::clock::Clock as _;
use crate::views::logs::LogFile;
use crate::views::outside::{Now, Outside};
use crate::views::replay::Replay;

/// What every verb is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// The folder that paths on the command line are relative to.
    pub dir: PathBuf,
    /// Whether programs read the output.
    pub json: bool,
    /// How standard output may be written to.
    pub out: Look,
    /// How standard error may be written to.
    pub err: Look,
}

impl Context {
    /// The context of this process, in a folder or in the current one.
    pub fn new(dir: Option<PathBuf>, json: bool) -> Self {
        let (out, err) = (Look::of(&std::io::stdout(), &env), Look::of(&std::io::stderr(), &env));
        Self { dir: dir.unwrap_or_else(|| PathBuf::from(".")), json, out, err }
    }

    /// The workspace of the folder.
    pub fn workspace(&self) -> Result<Workspace, Failure> {
        Workspace::find(&self.dir).map_err(|error| Failure::usage(error.to_string(), "name a folder that is there with `-C DIR`"))
    }

    /// A path on the command line, as the system knows it.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        if self.dir == Path::new(".") { path.as_ref().to_owned() } else { self.dir.join(path) }
    }

    /// A replay of the journal with a look at the world, given to a view.
    pub fn view<T>(&self, view: impl FnOnce(&Replay, &Outside<'_>, &Workspace) -> Result<T, Failure>) -> Result<T, Failure> {
        let workspace = self.workspace()?;
        let mut replay = Replay::of(&workspace.folder())?;
        for ignored in &replay.ignored {
            eprintln!("{ignored}");
        }
        if wake(&workspace, &replay.state) {
            replay.refresh()?;
        }
        with_outside(&workspace, |outside| view(&replay, outside, &workspace))
    }
}

/// A look at the world as it is now.
pub fn with_outside<T>(workspace: &Workspace, look: impl FnOnce(&Outside<'_>) -> T) -> T {
    // Found out only where somebody asks.
    let holding = OnceCell::new();
    let usage = |process: &ProcessMark| {
        if let Some(id) = &process.container {
            // Of one in a container engine elsewhere nothing is seen here.
            let now = ForeignGroup::of(process.pid, id).filter(|_| process.pid != 0)?.now()?;
            return Some(Now { memory: now.memory, processes: now.processes, usage: now.usage.into() });
        }
        let containment = holding.get_or_init(|| workspace.known_id().map(|id| engine_containment(workspace, &id))).as_ref()?;
        // What cannot be seen is shown as unknown.
        let now = containment.find(&process.scope).ok()??.now().ok()?;
        Some(Now { memory: now.memory, processes: now.processes, usage: now.usage.into() })
    };
    look(&Outside { now: now(), alive: &alive, usage: &usage, there: &is_there, engine: lock::holder(&workspace.folder()).is_some() })
}

/// Now.
pub fn now() -> Timestamp {
    HostClock::default().now()
}

/// Whether this very process still runs. Of one that only the container engine can see, what the journal says is all that is known.
pub fn alive(process: &ProcessMark) -> bool {
    process.container.is_some() && process.pid == 0
        || ProcessId { pid: process.pid, start: process.start, boot: process.boot.clone(), unique: process.unique }.alive()
}

/// What hides the secrets of a workspace. Where they cannot be read nothing may be shown.
pub fn mask(workspace: &Workspace) -> Result<Mask, Failure> {
    Mask::of_workspace(workspace).map_err(Failure::file("read", workspace.folder().join("secrets")))
}

/// Where the file of a log is.
pub fn log_path(workspace: &Workspace, file: &LogFile) -> PathBuf {
    match &file.owner.phase {
        Some(phase) => workspace.log(&file.run, phase, file.owner.resource.as_ref(), file.attempt),
        None => workspace.logs(&file.run),
    }
}

/// A path as a person in the workspace would write it.
pub fn shown(workspace: &Workspace, path: &Path) -> String {
    path.strip_prefix(workspace.root()).unwrap_or(path).display().to_string()
}
