//! Journal → state, without the lock: what every view starts from.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::journal::error::ReadError;
use crate::journal::read::Reader;
use crate::kernel::fold::Misfit;
use crate::kernel::record::Record;
use crate::kernel::state::State;

/// That a goal is down: taken down after its latest run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Since when.
    pub at: Timestamp,
    /// Processes that could not be ended, by the last look.
    pub survivors: u32,
    /// What is kept.
    pub kept: Vec<Owner>,
}

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
    /// The time of the last record.
    pub latest: Option<Timestamp>,
    /// How many records there are.
    pub records: u64,
    /// The goals that were taken down after their latest run.
    pub down: HashMap<Name, Down>,
    /// The process id of the engine that opened the journal last.
    pub engine: Option<u32>,
    folder: PathBuf,
    reader: Option<Reader<Record>>,
}

impl Replay {
    /// Replays the journal in a workspace's folder. One that is not there knows nothing.
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
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => match Reader::open(&self.folder) {
                Ok(reader) => reader,
                Err(ReadError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            },
        };
        let before = self.records;
        for entry in &mut reader {
            let entry = entry?;
            self.fold(entry.at, &entry.record)?;
        }
        self.reader = Some(reader);
        Ok(self.records > before)
    }

    /// Takes one record more.
    pub fn fold(&mut self, at: Timestamp, record: &Record) -> Result<(), ReplayError> {
        let seq = self.records + 1;
        self.state.apply(at, record).map_err(|source| ReplayError::Misfit { seq, source })?;
        match record {
            Record::EngineStarted { pid, .. } => self.engine = Some(*pid),
            Record::RunStarted { plan, .. } => {
                self.down.remove(&plan.goal);
            }
            Record::DownEnded { goal, survivors, kept, .. } => {
                self.down.insert(goal.clone(), Down { at, survivors: *survivors, kept: kept.clone() });
            }
            _ => {}
        }
        self.records = seq;
        self.latest = Some(at);
        Ok(())
    }
}
