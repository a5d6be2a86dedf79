//! What can go wrong with a journal, each with its place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::{Break, EncodeError};
use super::lock::LockError;
use super::scan::ScanError;
use super::segment;

/// A place where the chain is broken. The records before it are good; what follows it proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the journal{} is broken: {what}", Where(*segment))]
pub struct Broken {
    /// The first record of the sealed segment in which it is; none for the file that is written to.
    pub segment: Option<u64>,
    /// The line in that file, from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: Break,
}

/// In which segment, for a sentence.
struct Where(Option<u64>);

impl std::fmt::Display for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |first| write!(f, "'s segment `{}`", segment::name(first)))
    }
}

/// A journal that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("failed to read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The chain is broken.
    #[error("failed to read the journal")]
    Broken(#[from] Broken),
    /// A whole line holds a record that this engine does not know.
    #[error("failed to understand line {line} of the journal: a newer engine may have written it")]
    Unknown {
        /// The line, from 1.
        line: u64,
        /// What is not understood.
        source: serde_json::Error,
    },
    /// The beginning was pruned, and nothing that stands for it is intact.
    #[error("failed to read the journal: the records before {first} were pruned, and no snapshot stands for them")]
    Pruned {
        /// The first record that is there.
        first: u64,
    },
}

impl ReadError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(super) fn scan(path: &Path) -> impl FnOnce(ScanError) -> Self {
        let path = path.to_owned();
        move |error| match error {
            ScanError::Io(source) => Self::Io { path, source },
            ScanError::Broken(broken) => Self::Broken(broken),
        }
    }
}

/// A journal that cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another engine writes it, or the lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It belongs to another workspace.
    #[error("failed to open the journal: it belongs to workspace {found}, and this is workspace {wanted}")]
    Workspace {
        /// The id in the journal.
        found: String,
        /// The id of the workspace.
        wanted: String,
    },
}

impl From<Dead> for OpenError {
    fn from(dead: Dead) -> Self {
        Self::Write(dead.into())
    }
}

/// A journal that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A record has no line; nothing was written, and the log stays good.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The log is dead: this failure, or an earlier one. Every later call gives the same.
    #[error(transparent)]
    Dead(#[from] Dead),
}

/// Why a log takes nothing any more. What is on disk stays readable; only opening it anew writes again.
///
/// A failed write or sync is never tried again: after a failed fsync the kernel may have dropped the very pages that failed,
/// and a second one would say that all is well.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to {act} the journal: {}", self.reason())]
pub struct Dead {
    /// What failed.
    pub act: Act,
    /// Why.
    pub source: Arc<io::Error>,
}

/// What was being done when a log died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Making the file.
    Create,
    /// Dropping a torn tail.
    Truncate,
    /// Appending.
    Write,
    /// Bringing it to disk.
    Sync,
    /// Sealing a segment and beginning the next.
    Seal,
    /// Writing a snapshot of the state.
    Snapshot,
    /// Removing what retention no longer keeps.
    Prune,
}

impl Dead {
    pub(super) fn new(act: Act) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { act, source: Arc::new(source) }
    }

    /// Whether there was no room: a full disk, a quota, or a limit on the size of files.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
    }

    fn reason(&self) -> String {
        match self.source.kind() {
            io::ErrorKind::StorageFull => "the disk is full".to_owned(),
            io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
            io::ErrorKind::FileTooLarge => "the limit on the size of files is reached".to_owned(),
            _ => self.source.to_string(),
        }
    }
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Truncate => "drop the torn end of",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Seal => "seal a segment of",
            Self::Snapshot => "write a snapshot of",
            Self::Prune => "prune",
        })
    }
}
