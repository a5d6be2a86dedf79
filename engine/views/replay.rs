//! Journal → state, without the lock: what every view starts from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::time::Timestamp;
use crate::journal::beside::Beside;
use crate::journal::error::ReadError;
use crate::journal::follow::{self, Following};
use crate::journal::read::{Entry, Reader};
use crate::journal::snapshot::Ignored;
use crate::kernel::fold::Misfit;
use crate::kernel::record::Record;
use crate::kernel::state::State;

/// A journal that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record does not fit those before it.
    #[error("failed to replay record {seq} of the journal")]
    Misfit {
        /// Its number.
        seq: u64,
        /// Why it does not fit.
        source: Misfit,
    },
}

/// Everything that the journal knows, and what the views remember beside it.
#[derive(Debug, Default)]
pub struct Replay {
    /// The fold of the records.
    pub state: State,
    /// What they say beside it.
    pub beside: Beside,
    /// Snapshots that were left aside.
    pub ignored: Vec<Ignored>,
    folder: PathBuf,
    reader: Option<Reader<Record>>,
}

impl Replay {
    /// Replays the journal in a workspace's folder, from its newest snapshot on. One that is not there knows nothing.
    pub fn of(folder: &Path) -> Result<Self, ReplayError> {
        let mut replay = Self { folder: folder.to_owned(), ..Self::default() };
        replay.refresh()?;
        Ok(replay)
    }

    /// What an engine has folded already.
    pub fn over(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    /// Replays what came since. True where something did.
    pub fn refresh(&mut self) -> Result<bool, ReplayError> {
        self.refresh_with(|_, _| {})
    }

    /// The same, and shows each record with its number and the state after it.
    pub fn refresh_with(&mut self, mut observe: impl FnMut(&Entry<Record>, &State)) -> Result<bool, ReplayError> {
        let before = self.beside.seq;
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => match follow::open(&self.folder) {
                Ok(Following { state, beside, reader, ignored }) => {
                    (self.state, self.beside, self.ignored) = (state, beside, ignored);
                    reader
                }
                Err(ReadError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            },
        };
        for entry in &mut reader {
            let entry = entry?;
            self.take(entry.seq, entry.at, &entry.record)?;
            observe(&entry, &self.state);
        }
        self.reader = Some(reader);
        Ok(self.beside.seq > before)
    }

    /// Takes one record more, as an engine tells it.
    pub fn fold(&mut self, at: Timestamp, record: &Record) -> Result<(), ReplayError> {
        self.take(self.beside.seq + 1, at, record)
    }

    fn take(&mut self, seq: u64, at: Timestamp, record: &Record) -> Result<(), ReplayError> {
        self.state.apply(at, record).map_err(|source| ReplayError::Misfit { seq, source })?;
        self.beside.apply(seq, at, record);
        Ok(())
    }
}
