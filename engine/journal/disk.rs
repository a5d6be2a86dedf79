//! What brings the journal to the disk: the one thing that a rehearsal and a test must be able to make fail.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// What of a file is brought to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Its content, and of what describes it only what is needed to read that.
    Data,
    /// All of it.
    All,
}

/// The disk under a journal.
pub trait Disk: Debug + Send + Sync {
    /// Writes at a place of a file: all of it, or fails, and then any beginning of it may be there.
    ///
    /// # Errors
    /// Those of `pwrite(2)`.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Waits until what was written is on disk.
    ///
    /// # Errors
    /// Those of `fsync(2)`. Asking again would prove nothing.
    fn sync(&self, file: &File, whole: Whole) -> io::Result<()>;

    /// The same for the names in a folder.
    ///
    /// # Errors
    /// The same, and where it cannot be opened.
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.sync(&File::open(path)?, Whole::All)
    }
}

/// The disk of this host.
#[derive(Clone, Copy, Debug)]
pub struct HostDisk;

impl Disk for HostDisk {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File, whole: Whole) -> io::Result<()> {
        match whole {
            Whole::Data => file.sync_data(),
            Whole::All => file.sync_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;
    use crate::base::time::Timestamp;
    use crate::journal::commit::{Journal, Open};
    use crate::journal::error::WriteError;
    use crate::journal::log::Opening;
    use crate::journal::segment;
    use crate::journal::verify::verify;
    use crate::kernel::record::Record;
    use crate::kernel::state::State;
    use crate::manifest::config::Retention;

    thread_local! {
        /// After how many syncs one fails, and how many were asked for.
        static LEFT: Cell<u32> = const { Cell::new(0) };
        static ASKED: Cell<u32> = const { Cell::new(0) };
    }

    const OPENING: Opening<'_> = Opening { workspace: "w", doing: "a test", now: Timestamp(1) };

    #[derive(Debug)]
    struct Failing;

    impl Disk for Failing {
        fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
            HostDisk.write(file, bytes, at)
        }

        fn sync(&self, file: &File, whole: Whole) -> io::Result<()> {
            ASKED.set(ASKED.get() + 1);
            match LEFT.get() {
                // As the kernel does it: the next one would succeed, and prove nothing.
                1 => {
                    LEFT.set(0);
                    Err(io::Error::from_raw_os_error(5))
                }
                left => {
                    LEFT.set(left.saturating_sub(1));
                    HostDisk.sync(file, whole)
                }
            }
        }
    }

    fn engine() -> Record {
        Record::EngineStarted { version: "0".to_owned(), pid: 1, torn: 0 }
    }

    /// Writes, syncs and seals until something fails.
    fn work(journal: &mut Journal) -> Result<(), WriteError> {
        for round in 0..4 {
            let at = Timestamp(1_000 + round);
            drop(journal.commit(at, &[engine()])?);
            journal.sync()?;
            journal.seal(at, &State::default(), Retention { runs: 1, days: 1 })?;
        }
        Ok(())
    }

    #[test]
    fn a_sync_that_fails_anywhere_ends_the_journal_and_is_never_tried_again() {
        let mut acts = std::collections::BTreeSet::new();
        let syncs = {
            let dir = tempfile::tempdir().unwrap();
            let Open { mut journal, .. } = Journal::open(dir.path(), &OPENING).unwrap();
            journal.set_disk(Arc::new(Failing));
            ASKED.set(0);
            work(&mut journal).unwrap();
            assert!(segment::sealed(dir.path()).unwrap()[0].seq > 0, "retention has pruned too");
            verify(dir.path()).unwrap();
            ASKED.get()
        };
        for failing in 1..=syncs {
            let dir = tempfile::tempdir().unwrap();
            let Open { mut journal, .. } = Journal::open(dir.path(), &OPENING).unwrap();
            journal.set_disk(Arc::new(Failing));
            LEFT.set(failing);
            let error = work(&mut journal).expect_err("a sync failed");
            let WriteError::Dead(dead) = &error else { panic!("{error}") };
            acts.insert(dead.act.to_string());
            let asked = ASKED.replace(0);
            assert!(asked > 0);
            for _ in 0..2 {
                assert_eq!(journal.sync().unwrap_err().to_string(), error.to_string());
                assert_eq!(journal.commit(Timestamp(9), &[engine()]).unwrap_err().to_string(), error.to_string());
                let sealed = journal.seal(Timestamp(9), &State::default(), Retention::default());
                assert_eq!(sealed.unwrap_err().to_string(), error.to_string());
            }
            assert_eq!(ASKED.get(), 0, "nothing is tried again");
            drop(journal);
            // What was written is there for the next engine, whose disk is well.
            let Open { journal, opened, .. } = Journal::open(dir.path(), &OPENING).unwrap();
            assert_eq!(opened.torn, None);
            drop(journal);
            verify(dir.path()).unwrap();
        }
        assert_eq!(acts.into_iter().collect::<Vec<_>>(), ["prune", "seal a segment of", "sync", "write a snapshot of"]);
    }
}
