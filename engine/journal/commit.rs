//! Decisions → records on disk → permits.

use std::path::Path;

use super::error::{Dead, OpenError, WriteError};
use super::log::{Log, Opened, Opening};
use super::permit::Permit;
use crate::base::time::Timestamp;
use crate::kernel::fold::Misfit;
use crate::kernel::record::{Record, Strength};
use crate::kernel::state::State;

/// The journal of a workspace, with the state that is its fold.
#[derive(Debug)]
pub struct Journal {
    log: Log<Record>,
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
    /// Opens the journal for writing, and folds it.
    ///
    /// # Errors
    /// Where another engine holds it, where it cannot be read or written, or where it does not replay. Nothing is changed then.
    pub fn open(dir: &Path, opening: &Opening<'_>) -> Result<(Self, State, Opened), ReplayError> {
        let mut state = State::default();
        let mut misfit = None;
        let (log, opened) = Log::open(dir, opening, |entry| {
            if misfit.is_none()
                && let Err(error) = state.apply(entry.at, &entry.record)
            {
                misfit = Some(ReplayError::Misfit { seq: entry.seq, misfit: error });
            }
        })?;
        match misfit {
            Some(misfit) => Err(misfit),
            None => Ok((Self { log }, state, opened)),
        }
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
        self.log.append(records, at)?;
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

    /// Brings everything to disk.
    ///
    /// # Errors
    /// Where that fails: the journal takes nothing any more.
    pub fn sync(&mut self) -> Result<(), Dead> {
        self.log.sync()
    }
}
