//! The workspace: the folder that holds `.opensculpt/`, and where everything in there is.

use std::fs;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::base::diagnostic::Diagnostic;
use crate::base::name::Name;
use crate::kernel::action::RunId;
use crate::manifest::config::Config;

/// The folder of the engine's own files in a workspace.
pub const FOLDER: &str = ".opensculpt";

/// What of that folder is not committed: everything but configuration and knowledge.
const IGNORE: &str =
    "# What sculpt keeps for itself stays here; configuration and what was learned are shared.\n*\n!.gitignore\n!config.yaml\n!*.md\n";

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: PathBuf,
    folder: PathBuf,
}

/// A workspace that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// Its random id.
    pub id: String,
    /// Where the folder was found to be a copy just now: what it knew of before is set aside.
    pub copied_from: Option<Copied>,
}

/// The workspace that a folder is a copy of, or was restored or moved across file systems from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this folder is a copy of workspace {id}: its journal is kept in {}, and nothing that it made is owned here", aside.display())]
pub struct Copied {
    /// The id of the other workspace.
    pub id: String,
    /// The folder in which its files are kept.
    pub aside: PathBuf,
}

/// The engine's own files could not be had.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step} {}: {source}", path.display())]
pub struct WorkspaceError {
    step: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The configuration of a workspace could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] WorkspaceError),
    /// It is wrong.
    #[error("failed to understand the configuration of the workspace: {}", messages(.0))]
    Wrong(Vec<Diagnostic>),
}

/// What is wrong, each with its line.
fn messages(found: &[Diagnostic]) -> String {
    let one = |found: &Diagnostic| match found.position() {
        Some((line, _)) => format!("line {line}: {}", found.message),
        None => found.message.clone(),
    };
    found.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl WorkspaceError {
    pub(super) fn new(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { step, path, source }
    }
}

impl Workspace {
    /// The workspace of a folder: the nearest one above it that holds `.opensculpt/`, else the folder itself.
    ///
    /// # Errors
    /// Where the folder is not there.
    pub fn find(dir: &Path) -> Result<Self, WorkspaceError> {
        let dir = dir.canonicalize().map_err(WorkspaceError::new("find the folder", dir))?;
        let root = dir.ancestors().find(|folder| folder.join(FOLDER).is_dir()).unwrap_or(&dir).to_owned();
        Ok(Self { folder: root.join(FOLDER), root })
    }

    /// This very folder as a workspace, whatever lies above it.
    ///
    /// # Errors
    /// Where the folder is not there.
    pub fn at(dir: &Path) -> Result<Self, WorkspaceError> {
        let root = dir.canonicalize().map_err(WorkspaceError::new("find the folder", dir))?;
        Ok(Self { folder: root.join(FOLDER), root })
    }

    /// The same files with the engine's own kept elsewhere: what is only played leaves no trace among them.
    #[must_use]
    pub fn keeping_in(&self, folder: &Path) -> Self {
        Self { root: self.root.clone(), folder: folder.to_owned() }
    }

    /// The folder that holds `.opensculpt/`, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `.opensculpt/`.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Whether anything was ever run here.
    pub fn exists(&self) -> bool {
        let folder = self.folder();
        // An engine may have died between the two renames with which it seals a segment.
        folder.join("journal.jsonl").exists() || folder.join("journal").exists()
    }

    /// What `config.yaml` says; what is not said has its default.
    ///
    /// # Errors
    /// Where it cannot be read, or is wrong.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let path = self.folder().join("config.yaml");
        match fs::read(&path) {
            Ok(bytes) => Config::parse(&path.display().to_string(), bytes).map_err(ConfigError::Wrong),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(WorkspaceError::new("read", &path)(error).into()),
        }
    }

    /// The folder of a run.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.folder().join("runs").join(&run.0)
    }

    /// The folder of a run's logs.
    pub fn logs(&self, run: &RunId) -> PathBuf {
        self.run(run).join("logs")
    }

    /// The log of a phase's command, or of one of its resources.
    pub fn log(&self, run: &RunId, phase: &Name, resource: Option<&Name>, attempt: u32) -> PathBuf {
        let file = match resource {
            Some(resource) => format!("{phase}.{resource}.{attempt}.log"),
            None => format!("{phase}.{attempt}.log"),
        };
        self.logs(run).join(file)
    }

    /// The folder of a goal's secrets.
    pub fn secrets(&self, goal: &Name) -> PathBuf {
        self.folder().join("secrets").join(goal.as_str())
    }

    /// The socket of the running engine.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("engine.sock")
    }

    /// The workspace's id, where it has one. Nothing is made by it.
    pub fn known_id(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder().join("id")).ok()?;
        text.split_once(' ').map(|(id, _)| id.to_owned())
    }

    /// Makes `.opensculpt/` where it is missing, and gives the workspace's id.
    ///
    /// The id is random and bound to the folder's inode: a copy of the folder is another workspace, whose journal starts anew
    /// while the copied one is set aside. Of several that come first at once, one makes the id and the others wait for it.
    ///
    /// # Errors
    /// Where the files cannot be made or read.
    pub fn establish(&self) -> Result<Established, WorkspaceError> {
        let folder = self.folder();
        make_passable(&folder)?;
        let path = folder.join("id");
        #[expect(clippy::disallowed_methods, reason = "the engine's own file, before there is a journal that could permit it")]
        let mut options = fs::OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(WorkspaceError::new("open", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| WorkspaceError::new("lock", &path)(error.into()))?;
        let established = self.establish_alone(&mut file, &path);
        // Said and not left to closing: a child that another thread has forked holds a copy of the file until its exec.
        let _ = flock(&file, FlockOperation::Unlock);
        established
    }

    /// The same, while the lock of the id's file is held.
    fn establish_alone(&self, file: &mut fs::File, path: &Path) -> Result<Established, WorkspaceError> {
        let folder = self.folder();
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            write_private(&ignore, IGNORE.as_bytes(), 0o644)?;
        }
        let inode = fs::metadata(&folder).map_err(WorkspaceError::new("look at", &folder))?.ino();
        let mut known = String::new();
        file.read_to_string(&mut known).map_err(WorkspaceError::new("read", path))?;
        let mut copied_from = None;
        // An engine that died over writing left less than a line, and had not begun a journal.
        if let Some((id, bound)) = known.strip_suffix('\n').and_then(|line| line.split_once(' ')) {
            if bound == inode.to_string() {
                return Ok(Established { id: id.to_owned(), copied_from: None });
            }
            let aside = self.set_aside(id)?;
            copied_from = Some(Copied { id: id.to_owned(), aside });
        }
        let id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let line = format!("{id} {inode}\n");
        // In place, for whoever waits has this very file open.
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(line.as_bytes()));
        written.and_then(|()| file.sync_data()).map_err(WorkspaceError::new("write", path))?;
        Ok(Established { id, copied_from })
    }

    /// Moves what belongs to another workspace out of the way, and says where; nothing of it is lost.
    #[expect(clippy::disallowed_methods, reason = "the workspace's own files, before there is a journal that could permit it")]
    fn set_aside(&self, id: &str) -> Result<PathBuf, WorkspaceError> {
        let folder = self.folder();
        let aside = folder.join(format!("copied-from-{id}"));
        make_private(&aside)?;
        for name in ["journal.jsonl", "journal.head", "journal.lock", "journal", "quarantine", "runs", "secrets"] {
            let from = folder.join(name);
            if from.exists() {
                fs::rename(&from, aside.join(name)).map_err(WorkspaceError::new("set aside", &from))?;
            }
        }
        Ok(aside)
    }
}

/// Makes a folder that only its owner may enter.
///
/// # Errors
/// Where it cannot be made.
pub fn make_private(path: &Path) -> Result<(), WorkspaceError> {
    make(path, 0o700)
}

/// Makes a folder that others may pass, but not list: a phase with a `user:` of its own writes its outputs and logs in there.
///
/// # Errors
/// Where it cannot be made.
pub fn make_passable(path: &Path) -> Result<(), WorkspaceError> {
    make(path, 0o711)
}

fn make(path: &Path, mode: u32) -> Result<(), WorkspaceError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(mode);
    builder.create(path).map_err(WorkspaceError::new("make", path))
}

/// Writes a small file with this mode, whole or not at all.
///
/// # Errors
/// Where it cannot be written.
#[expect(clippy::disallowed_methods, reason = "the engine's own files; what phases declare is written under a permit")]
pub fn write_private(path: &Path, content: &[u8], mode: u32) -> Result<(), WorkspaceError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
        file.write_all(content)?;
        file.sync_data()?;
        fs::rename(&fresh, path)
    };
    write().map_err(WorkspaceError::new("write", path))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn all_that_come_first_at_once_get_one_id() {
        for _ in 0..50 {
            let dir = tempfile::tempdir().unwrap();
            let workspace = Workspace::at(dir.path()).unwrap();
            let start = Barrier::new(8);
            let come = || {
                start.wait();
                workspace.establish()
            };
            let all: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(come)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
            });
            assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
            assert_eq!(workspace.establish().unwrap(), all[0], "the same later");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the world that it looks at")]
    fn a_copy_says_what_it_is_a_copy_of_once() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let original = Workspace::at(one.path()).unwrap().establish().unwrap();
        let copy = Workspace::at(two.path()).unwrap();
        make_passable(&copy.folder()).unwrap();
        fs::copy(one.path().join(FOLDER).join("id"), copy.folder().join("id")).unwrap();
        fs::write(copy.folder().join("journal.jsonl"), "old").unwrap();
        let established = copy.establish().unwrap();
        assert_ne!(established.id, original.id);
        let copied = established.copied_from.unwrap();
        assert_eq!(copied.id, original.id);
        assert_eq!(fs::read_to_string(copied.aside.join("journal.jsonl")).unwrap(), "old");
        assert_eq!(copy.establish().unwrap(), Established { id: established.id, copied_from: None });
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the world that it looks at")]
    fn an_id_that_was_not_written_to_its_end_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(dir.path()).unwrap();
        make_passable(&workspace.folder()).unwrap();
        fs::write(workspace.folder().join("id"), "0123456789ab 1").unwrap();
        let established = workspace.establish().unwrap();
        assert_ne!(established.id, "0123456789ab");
        assert_eq!(established.copied_from, None);
        assert_eq!(workspace.establish().unwrap(), established);
    }
}
