//! What brings bytes to the disk: the one thing that a test must be able to make fail.

use std::fs::File;
use std::io;
use std::path::Path;

/// How files are brought to disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk {
    sync: fn(&File, Whole) -> io::Result<()>,
}

/// What of a file is brought to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// Its content, and of what describes it only what is needed to read that.
    Data,
    /// All of it.
    All,
}

impl Disk {
    /// The kernel's own.
    pub(super) const REAL: Self = Self {
        sync: |file, whole| match whole {
            Whole::Data => file.sync_data(),
            Whole::All => file.sync_all(),
        },
    };

    /// Another one.
    #[cfg(test)]
    pub(super) const fn new(sync: fn(&File, Whole) -> io::Result<()>) -> Self {
        Self { sync }
    }

    pub(super) fn sync_data(self, file: &File) -> io::Result<()> {
        (self.sync)(file, Whole::Data)
    }

    pub(super) fn sync_all(self, file: &File) -> io::Result<()> {
        (self.sync)(file, Whole::All)
    }

    /// Brings the names in a folder to disk.
    pub(super) fn sync_folder(self, path: &Path) -> io::Result<()> {
        (self.sync)(&File::open(path)?, Whole::All)
    }
}
