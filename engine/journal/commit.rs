//! Decisions → records on disk → permits; and the keeping of what was written: segments, snapshots, retention.

use std::path::Path;
use std::sync::Arc;

use super::beside::Beside;
use super::disk::Disk;
use super::error::{Act, Dead, OpenError, ReadError, WriteError};
use super::follow::{begin, newest};
use super::lock::Lock;
use super::log::{Log, Opened, Opening};
use super::permit::Permit;
use super::segment::{Bounds, Numbered};
use super::snapshot::{self, Ignored};
use super::{retain, segment};
use crate::base::time::Timestamp;
use crate::kernel::fold::Misfit;
use crate::kernel::record::Record;
use crate::kernel::state::State;
use crate::kernel::strength::Strength;
use crate::manifest::config::Retention;

/// The journal of a workspace, with the state that is its fold.
#[derive(Debug)]
pub struct Journal {
    pub(super) log: Log<Record>,
    beside: Beside,
}

/// A journal that was opened.
#[derive(Debug)]
pub struct Open {
    /// The journal, to be written.
    pub journal: Journal,
    /// The fold of all its records.
    pub state: State,
    /// What was read of it, behind the newest snapshot.
    pub opened: Opened,
    /// Snapshots that were left aside: worth saying.
    pub ignored: Vec<Ignored>,
}

/// What a commit allows.
#[derive(Debug, Default)]
#[must_use = "an effect whose permit is dropped never ends"]
pub struct Committed {
    /// May be carried out now: what is written survives the death of the engine.
    pub permits: Vec<Permit>,
    /// May be carried out once [`Journal::sync`] has succeeded.
    pub durable: Vec<Permit>,
    /// True where something in the commit is to be synced, permits or not.
    pub must_sync: bool,
}

/// A journal that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its chain holds, but a record does not fit what came before it.
    #[error("failed to replay record {seq} of the journal: {misfit}")]
    Misfit {
        /// The record's number.
        seq: u64,
        /// Why.
        misfit: Misfit,
    },
}

impl Journal {
    /// Opens the journal for writing, and folds it: the newest snapshot that is intact, and the records behind it.
    ///
    /// # Errors
    /// Where another engine holds it, where it cannot be read or written, or where it does not replay. Nothing is changed then.
    pub fn open(dir: &Path, opening: &Opening<'_>) -> Result<Open, ReplayError> {
        let lock = Lock::take(dir, opening.doing).map_err(OpenError::from)?;
        let (snapshot, ignored) = newest(dir).map_err(OpenError::from)?;
        let (from, mut state, mut beside) = begin(snapshot);
        let mut misfit = None;
        let (log, opened) = Log::open_locked(lock, dir, opening, from, |entry| {
            if misfit.is_some() {
                return;
            }
            match state.apply(entry.at, &entry.record) {
                Ok(()) => beside.apply(entry.seq, entry.at, &entry.record),
                Err(error) => misfit = Some(ReplayError::Misfit { seq: entry.seq, misfit: error }),
            }
        })?;
        if let Some(misfit) = misfit {
            return Err(misfit);
        }
        let mut journal = Self { log, beside };
        // An engine may have died between the record and the act.
        let undone = retain::undone(dir, journal.beside.pruned).map_err(|error| OpenError::Read(ReadError::io(dir)(error)))?;
        journal.remove(&undone).map_err(OpenError::from)?;
        Ok(Open { journal, state, opened, ignored })
    }

    /// Writes through another disk from now on.
    pub fn set_disk(&mut self, disk: Arc<dyn Disk>) {
        self.log.set_disk(disk);
    }

    /// Seals segments at other bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.log.set_bounds(bounds);
    }

    /// Seals the active segment where it is large enough, with a snapshot of the state behind it, and lets go of what retention no longer keeps.
    /// Gives the records that it wrote: they are on disk, and the state is to take them.
    ///
    /// To be called after commits, with the state that is the fold of all of them.
    ///
    /// # Errors
    /// Where it cannot be written: the journal takes nothing any more.
    pub fn tend(&mut self, now: Timestamp, state: &State, retention: Retention) -> Result<Vec<Record>, WriteError> {
        if self.log.is_full() { self.seal(now, state, retention) } else { Ok(Vec::new()) }
    }

    /// The same, however small the segment is.
    ///
    /// # Errors
    /// Where it cannot be written: the journal takes nothing any more.
    pub fn seal(&mut self, now: Timestamp, state: &State, retention: Retention) -> Result<Vec<Record>, WriteError> {
        let last = self.log.seal(now)?;
        let dir = self.log.dir().to_owned();
        let written = snapshot::write(&dir, self.log.workspace(), last, state, &self.beside, self.log.disk());
        written.map_err(|error| self.log.die(Dead::new(Act::Snapshot)(error)))?;
        let forgotten = retain::forgotten(state, now, retention);
        let horizon = retain::horizon(state, now, retention, &forgotten);
        let outdated = retain::outdated(&dir, horizon).map_err(|error| self.log.die(Dead::new(Act::Prune)(error)))?;
        let mut records = Vec::new();
        if !forgotten.is_empty() {
            records.push(Record::Forgotten { runs: forgotten });
        }
        if let Some(outdated) = &outdated {
            records.push(Record::Pruned { first: outdated.first, last: outdated.last.seq, hash: outdated.last.hash.to_string() });
        }
        if !records.is_empty() {
            self.write(now, &records)?;
            self.log.sync()?;
        }
        self.remove(&outdated.map(|outdated| outdated.segments).unwrap_or_default())?;
        let old = retain::old_snapshots(&dir).map_err(|error| self.log.die(Dead::new(Act::Prune)(error)))?;
        self.remove(&old)?;
        Ok(records)
    }

    /// Removes files of the journal of which a record says that they go, or that are only derived.
    fn remove(&mut self, files: &[Numbered]) -> Result<(), Dead> {
        let removed = files.iter().try_for_each(|file| {
            #[expect(clippy::disallowed_methods, reason = "the journal's own files: what grants permits cannot need one")]
            std::fs::remove_file(&file.path)
        });
        let synced = removed.and_then(|()| if files.is_empty() { Ok(()) } else { self.log.sync_folder(segment::FOLDER) });
        synced.map_err(|error| self.log.die(Dead::new(Act::Prune)(error)))
    }

    fn write(&mut self, at: Timestamp, records: &[Record]) -> Result<(), WriteError> {
        let last = self.log.append(records, at)?;
        for (seq, record) in (last + 1 - records.len() as u64..).zip(records) {
            self.beside.apply(seq, at, record);
        }
        Ok(())
    }

    /// Writes what was decided at one time, in one write, and gives the permits of the effects among it.
    ///
    /// # Errors
    /// Where it cannot be written: then nothing of it may happen, and the journal takes nothing any more.
    pub fn commit(&mut self, at: Timestamp, records: &[Record]) -> Result<Committed, WriteError> {
        let mut committed = Committed::default();
        if records.is_empty() {
            return Ok(committed);
        }
        self.write(at, records)?;
        for record in records {
            let durable = record.strength() == Strength::Durable;
            committed.must_sync |= durable;
            if let Record::Requested { id, owner, effect } | Record::Adopted { id, owner, effect } = record {
                let permit = Permit::new(*id, owner.clone(), effect.clone());
                if durable { committed.durable.push(permit) } else { committed.permits.push(permit) }
            }
        }
        Ok(committed)
    }

    /// The number of the last record. The header of a segment that has no record yet is a line of the chain, and none that a reader is to wait for.
    pub const fn last(&self) -> u64 {
        self.beside.seq
    }

    /// Brings everything to disk.
    ///
    /// # Errors
    /// Where that fails: the journal takes nothing any more.
    pub fn sync(&mut self) -> Result<(), Dead> {
        self.log.sync()
    }
}
