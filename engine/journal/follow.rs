//! From where a journal is read: behind its newest snapshot that is intact, or from its beginning.

use std::path::Path;

use super::beside::Beside;
use super::chain::Break;
use super::error::{Broken, ReadError};
use super::read::Reader;
use super::scan::Step;
use super::segment;
use super::snapshot::{self, Ignored, Snapshot, Unusable};
use super::walk::{From, Walk};
use crate::kernel::record::Record;
use crate::kernel::state::State;

/// How often the newest snapshot is looked for again where an engine prunes at that very moment.
const TRIES: usize = 8;

/// A journal to be followed, without the lock: what it says up to a place, and a reader behind it.
#[derive(Debug)]
pub struct Following {
    /// The fold of all records before the reader's.
    pub state: State,
    /// What they say beside it.
    pub beside: Beside,
    /// The records behind them, for as long as they come.
    pub reader: Reader<Record>,
    /// Snapshots that were left aside.
    pub ignored: Vec<Ignored>,
}

/// Opens the journal of a workspace's folder to be followed, also while an engine writes: only what is not in the newest snapshot is read.
///
/// # Errors
/// Where there is no journal, or it cannot be read.
pub fn open(dir: &Path) -> Result<Following, ReadError> {
    let (snapshot, ignored) = newest(dir)?;
    let (from, state, beside) = begin(snapshot);
    Ok(Following { state, beside, reader: Reader::from(dir, from)?, ignored })
}

/// Where to read from, and what is known there.
pub(super) fn begin(snapshot: Option<Snapshot>) -> (From, State, Beside) {
    match snapshot {
        Some(Snapshot { last, state, beside, .. }) => (From::After(last), state, beside),
        None => (From::Start, State::default(), Beside::default()),
    }
}

/// The newest snapshot from which the journal goes on; none where it is to be read from its beginning.
///
/// # Errors
/// Where the beginning was pruned and no snapshot stands for it.
pub(super) fn newest(dir: &Path) -> Result<(Option<Snapshot>, Vec<Ignored>), ReadError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let found = look(dir)?;
        let is_there = found.0.is_some() || !is_pruned(dir)?;
        if is_there {
            return Ok(found);
        }
        if tries == TRIES {
            let first = oldest(dir)?.unwrap_or_default();
            return Err(ReadError::Pruned { first });
        }
    }
}

fn look(dir: &Path) -> Result<(Option<Snapshot>, Vec<Ignored>), ReadError> {
    let mut ignored = Vec::new();
    for found in segment::snapshots(dir).map_err(ReadError::io(dir))?.into_iter().rev() {
        let why = match snapshot::read(&found.path) {
            Ok(snapshot) if goes_on(dir, &snapshot)? => return Ok((Some(snapshot), ignored)),
            Ok(_) => Unusable::Foreign,
            Err(why) => why,
        };
        ignored.push(Ignored { path: found.path, why });
    }
    Ok((None, ignored))
}

/// Whether the line behind a snapshot continues its chain. Where that line itself is broken, the journal is, and not the snapshot.
fn goes_on(dir: &Path, snapshot: &Snapshot) -> Result<bool, ReadError> {
    let mut walk = match Walk::open(dir, From::After(snapshot.last)) {
        Ok(walk) => walk,
        Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match walk.step() {
        Ok(Step::Header) => Ok(walk.header().is_some_and(|header| header.workspace == snapshot.workspace)),
        Ok(Step::Record | Step::End | Step::Torn(_))
        | Err(ReadError::Broken(Broken {
            what: Break::Missing { .. } | Break::Repeated { .. } | Break::Foreign | Break::NoHeader, ..
        })) => Ok(false),
        // Said by whoever reads on from here.
        Err(ReadError::Broken(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether the journal's beginning is gone.
fn is_pruned(dir: &Path) -> Result<bool, ReadError> {
    Ok(oldest(dir)?.is_some_and(|first| first > 0))
}

/// The first line of the oldest segment, if it is one.
fn oldest(dir: &Path) -> Result<Option<u64>, ReadError> {
    let mut walk = match Walk::open(dir, From::Oldest) {
        Ok(walk) => walk,
        Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = walk.first();
    match walk.step() {
        Ok(Step::Header) => Ok(Some(first)),
        Ok(_) | Err(ReadError::Broken(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
