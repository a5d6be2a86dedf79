//! The disk under a rehearsal's journal: the host's own, until it is out of order for the rest of one engine's life.
//!
//! | trouble | what the engine sees | what is left of it |
//! |---|---|---|
//! | full | a write ends in the middle, `ENOSPC` | the beginning of the line |
//! | read-only | a write fails, `EROFS` | nothing |
//! | failing | a sync fails, `EIO` | what was written, of which nobody knows whether it is on the disk |

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::faults::Kind;
use crate::journal::disk::{Disk, HostDisk, Whole};

/// What is wrong with a disk, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It takes so many bytes more.
    Full(u64),
    /// It takes so many writes more.
    ReadOnly(u64),
    /// It brings so many syncs to an end.
    Failing(u64),
}

impl Trouble {
    /// The kind of fault that it is.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Full(_) | Self::ReadOnly(_) => Kind::DiskFull,
            Self::Failing(_) => Kind::DiskFails,
        }
    }

    /// What it is, in words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Full(_) => "the disk is full",
            Self::ReadOnly(_) => "the disk has become read-only",
            Self::Failing(_) => "what is written does not reach the disk",
        }
    }
}

/// A disk that is in trouble some day.
#[derive(Debug)]
pub struct TroubledDisk {
    trouble: Trouble,
    /// What it still takes, in the trouble's unit.
    left: AtomicU64,
    failed: AtomicBool,
}

impl TroubledDisk {
    /// The host's disk, with that trouble ahead.
    pub const fn new(trouble: Trouble) -> Self {
        let (Trouble::Full(left) | Trouble::ReadOnly(left) | Trouble::Failing(left)) = trouble;
        Self { trouble, left: AtomicU64::new(left), failed: AtomicBool::new(false) }
    }

    /// What it has failed with; none where it has not.
    pub fn failed(&self) -> Option<Trouble> {
        self.failed.load(Ordering::Relaxed).then_some(self.trouble)
    }

    /// Takes so much of what is left, or all of it. Gives what it took.
    fn take(&self, much: u64) -> u64 {
        let took = self.left.load(Ordering::Relaxed).min(much);
        self.left.fetch_sub(took, Ordering::Relaxed);
        took
    }

    fn fail(&self, error: rustix::io::Errno) -> io::Result<()> {
        self.failed.store(true, Ordering::Relaxed);
        Err(error.into())
    }
}

impl Disk for TroubledDisk {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        match self.trouble {
            Trouble::Full(_) => {
                let took = self.take(bytes.len() as u64);
                let room = usize::try_from(took).map_or(bytes, |took| &bytes[..took]);
                HostDisk.write(file, room, at)?;
                if room.len() < bytes.len() { self.fail(rustix::io::Errno::NOSPC) } else { Ok(()) }
            }
            Trouble::ReadOnly(_) if self.take(1) == 0 => self.fail(rustix::io::Errno::ROFS),
            Trouble::ReadOnly(_) | Trouble::Failing(_) => HostDisk.write(file, bytes, at),
        }
    }

    fn sync(&self, file: &File, whole: Whole) -> io::Result<()> {
        match self.trouble {
            Trouble::Failing(_) if self.take(1) == 0 => self.fail(rustix::io::Errno::IO),
            _ => HostDisk.sync(file, whole),
        }
    }
}
