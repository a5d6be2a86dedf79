//! The folder in which a rehearsal keeps its journal: of this process alone, in memory where the host has such a place, gone afterwards.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub struct Stage {
    path: PathBuf,
}

impl Stage {
    /// Makes a folder, 0700, in memory or else among temporary files.
    ///
    /// # Errors
    /// Where neither place takes one.
    pub fn set() -> io::Result<Self> {
        Self::set_in(Path::new(MEMORY)).or_else(|_| Self::set_in(&std::env::temp_dir()))
    }

    fn set_in(parent: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("sculpt-rehearsal-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                // Left by a process that had this number before.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Stage {
    #[expect(clippy::disallowed_methods, reason = "the rehearsal's own folder")]
    fn drop(&mut self) {
        // A folder that stays is named after this process, and of no use to anybody.
        drop(std::fs::remove_dir_all(&self.path));
    }
}
