//! Reading without the lock: what status, logs and audit do while an engine writes.

use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::chain::{Frame, Header};
use super::error::ReadError;
use super::scan::{Step, Torn};
use super::segment;
use super::walk::{From, Walk};
use crate::base::time::Timestamp;

/// The name of the file that a journal's newest records are in, in a workspace's folder.
pub const FILE: &str = segment::ACTIVE;

/// One record with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<R> {
    /// Its number: 1 for the first (0 is the header).
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// The record.
    pub record: R,
}

impl<R: DeserializeOwned> Entry<R> {
    pub(super) fn decode(frame: &Frame<'_>) -> Result<Self, ReadError> {
        let record = serde_json::from_slice(frame.rec).map_err(|source| ReadError::Unknown { line: frame.seq + 1, source })?;
        Ok(Self { seq: frame.seq, at: frame.at, record })
    }
}

/// The records of a journal in their order, each checked against the chain, from one segment to the next.
///
/// It ends at the end of what is there, also inside a line that is being written just now; asked again, it goes on with what came since.
/// After an error it gives nothing more.
#[derive(Debug)]
pub struct Reader<R> {
    walk: Walk,
    torn: Option<Torn>,
    failed: bool,
    records: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Reader<R> {
    /// Opens the journal of a workspace's folder, from its first record on.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        Self::from(dir, From::Start)
    }

    /// Opens it elsewhere.
    pub fn from(dir: &Path, from: From) -> Result<Self, ReadError> {
        Ok(Self { walk: Walk::open(dir, from)?, torn: None, failed: false, records: PhantomData })
    }

    /// The header, once the first record was asked for.
    pub fn header(&self) -> Option<&Header> {
        self.walk.header()
    }

    /// The unfinished line at which the reader stopped last.
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }
}

impl<R: DeserializeOwned> Iterator for Reader<R> {
    type Item = Result<Entry<R>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.torn = None;
        let entry = loop {
            match self.walk.step() {
                Ok(Step::Header) => {}
                Ok(Step::Record) => break Entry::decode(&self.walk.frame()),
                Ok(Step::End) => return None,
                Ok(Step::Torn(torn)) => {
                    self.torn = Some(torn);
                    return None;
                }
                Err(error) => break Err(error),
            }
        };
        self.failed = entry.is_err();
        Some(entry)
    }
}
