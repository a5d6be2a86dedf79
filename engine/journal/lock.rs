//! One writer: a lock that the kernel releases when its holder ends, however it ends.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::event::{Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// The name of the lock file in a workspace's folder. It is never removed: the lock is on the file, not its existence.
pub const FILE: &str = "journal.lock";

/// Who holds a lock. Written by the holder for the others to read; only the kernel's lock counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id, as it sees itself (another PID namespace sees another number).
    pub pid: u32,
    /// What it does: `run of crm`.
    pub doing: String,
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why a lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another engine has it.
    #[error("failed to lock the workspace: another engine{} holds it", Named(holder.as_ref()))]
    Held {
        /// Which; none in the moment between its locking and its writing down who it is.
        holder: Option<Holder>,
    },
    /// The file cannot be made or locked.
    #[error("failed to lock `{}`", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A child that an engine had just forked when it was killed holds a copy of the lock until it becomes its program, which nothing tells.
const COPY_TRIES: u32 = 1000;

/// The pause between two tries.
const COPY_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

impl Holder {
    /// Whether the process still runs.
    fn lives(&self) -> bool {
        let stat = std::fs::read(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    }
}

struct Named<'a>(Option<&'a Holder>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |holder| write!(f, " (pid {}, {})", holder.pid, holder.doing))
    }
}

impl Lock {
    /// Takes the lock of a workspace's folder, or says at once who has it.
    pub fn take(dir: &Path, doing: &str) -> Result<Self, LockError> {
        let path = dir.join(FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        #[expect(clippy::disallowed_methods, reason = "the lock is the permit to write: nothing could grant one before it")]
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        let mut tries = 0;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let holder: Option<Holder> = serde_json::from_slice(&std::fs::read(&path).map_err(failed)?).ok();
                    tries += 1;
                    if tries > COPY_TRIES || holder.as_ref().is_none_or(Holder::lives) {
                        return Err(LockError::Held { holder });
                    }
                    poll(&mut [], Some(&COPY_PAUSE)).map_err(|error| failed(error.into()))?;
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        let holder = Holder { pid: std::process::id(), doing: doing.to_owned() };
        let text = serde_json::to_vec(&holder).map_err(|error| failed(error.into()))?;
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(&text)).map_err(failed)?;
        Ok(Self { file })
    }
}

/// Who holds the lock of a workspace's folder just now; nobody where there is no lock.
///
/// It only looks: to try the lock, however shortly, could turn away an engine that starts at that moment.
pub fn holder(dir: &Path) -> Option<Holder> {
    let path = dir.join(FILE);
    let holder: Holder = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    // What a killed engine wrote is still there: only the kernel's own list says whether it holds.
    // Of the device this list says another number than the file system on some, so pid and inode must do.
    let inode = std::fs::metadata(&path).ok()?.ino();
    let held = std::fs::read_to_string("/proc/locks").ok()?;
    let (pid, file) = (holder.pid.to_string(), format!(":{inode}"));
    let holds = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        words.next() == Some("FLOCK") && words.nth(2) == Some(&pid) && words.next().is_some_and(|place| place.ends_with(&file))
    };
    held.lines().any(holds).then_some(holder)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only words for people.
        drop(self.file.set_len(0));
        // Said and not left to closing: a child that another thread has forked holds a copy of the file until its exec, and with it the lock.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path(), "run of crm").unwrap();
        let error = Lock::take(dir.path(), "down").unwrap_err();
        let pid = std::process::id();
        assert_eq!(error.to_string(), format!("failed to lock the workspace: another engine (pid {pid}, run of crm) holds it"));
        assert_eq!(holder(dir.path()), Some(Holder { pid, doing: "run of crm".into() }));
        let written = std::fs::read(dir.path().join(FILE)).unwrap();
        drop(first);
        #[expect(clippy::disallowed_methods, reason = "a test makes the world that it looks at")]
        std::fs::write(dir.path().join(FILE), written).unwrap();
        assert_eq!(holder(dir.path()), None, "what a killed engine left holds nothing");
        drop(Lock::take(dir.path(), "down").unwrap());
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), b"", "a released lock names nobody");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_its_path() {
        let error = Lock::take(Path::new("/nonexistent"), "run").unwrap_err();
        assert_eq!(error.to_string(), "failed to lock `/nonexistent/journal.lock`");
    }
}
