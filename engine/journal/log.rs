//! The writer of a journal.
//!
//! | call | what holds afterwards |
//! |---|---|
//! | [`Log::append`] | *recorded*: survives the death of the engine (one write, no disk) |
//! | [`Log::sync`] | *durable*: survives the death of the machine (one fdatasync for all that was appended) |
//! | a failed one of these | the log is dead: every later call gives the same cause, nothing is tried again |

use std::fs::File;
use std::io::BufReader;
use std::marker::PhantomData;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::chain::{Chain, Frame, Header, VERSION};
use super::error::{Act, Dead, OpenError, ReadError, WriteError};
use super::head::Head;
use super::lock::Lock;
use super::read::{BUFFER, Entry, FILE, Reader};
use super::scan::{Scan, Step, Torn};
use crate::base::time::Timestamp;

/// Up to here the buffer of a batch is kept for the next one, in bytes.
const KEPT: usize = 1 << 20;

/// Who opens a journal, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The id of the workspace; a journal of another one is refused.
    pub workspace: &'a str,
    /// What the engine does, for whoever finds the lock held: `run of crm`.
    pub doing: &'a str,
    /// The time of the header, where the journal is made.
    pub now: Timestamp,
}

/// What was found at opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How many records were there.
    pub records: u64,
    /// The unfinished line that was dropped: a write that an engine did not live to finish. Worth saying, and worth a record.
    pub torn: Option<Torn>,
}

/// A journal that this process alone writes.
#[derive(Debug)]
pub struct Log<R> {
    file: Arc<File>,
    head: File,
    /// The end of the last whole line, in bytes.
    end: u64,
    chain: Chain,
    /// The number of lines that are known to be on disk.
    durable: u64,
    lines: Vec<u8>,
    dead: Option<Dead>,
    /// Released last, when the files are closed.
    _lock: Lock,
    records: PhantomData<fn(R)>,
}

impl<R: Serialize + DeserializeOwned> Log<R> {
    /// Takes the lock, checks the whole journal of a workspace's folder, giving each record to `replay` in its order, and drops a torn tail.
    ///
    /// Files that are not there are made, with mode 0600. A chain that is broken, cut or of another workspace is an error, and nothing is changed.
    pub fn open(dir: &Path, opening: &Opening<'_>, mut replay: impl FnMut(Entry<R>)) -> Result<(Self, Opened), OpenError> {
        let lock = Lock::take(dir, opening.doing)?;
        let known = Head::read(dir)?;
        let path = dir.join(FILE);
        #[expect(clippy::disallowed_methods, reason = "the journal is what grants permits: it cannot need one")]
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(Dead::new(Act::Create))?;

        let mut scan = Scan::new(BufReader::with_capacity(BUFFER, &file), known);
        let torn = loop {
            match scan.step().map_err(ReadError::scan(&path))? {
                Step::Frame(Frame { seq: 0, .. }) => {}
                Step::Frame(frame) => replay(Entry::decode(&frame)?),
                Step::End => break None,
                Step::Torn(torn) => break Some(torn),
            }
        };
        if let Some(Header { workspace, .. }) = scan.header().filter(|header| header.workspace != opening.workspace) {
            return Err(OpenError::Workspace { found: workspace.clone(), wanted: opening.workspace.to_owned() });
        }
        let (chain, end) = (scan.chain(), scan.offset());
        let head = Head::file(dir).map_err(Dead::new(Act::Create))?;
        let records = chain.next().saturating_sub(1);
        let durable = known.map_or(0, |known| known.seq + 1);
        let file = Arc::new(file);
        let mut log = Self { file, head, end, chain, durable, lines: Vec::new(), dead: None, _lock: lock, records: PhantomData };
        if torn.is_some() {
            log.file.set_len(end).map_err(Dead::new(Act::Truncate))?;
        }
        if chain == Chain::START {
            let header = Header { version: VERSION, workspace: opening.workspace.to_owned() };
            log.chain.push(opening.now, &header, &mut log.lines).map_err(WriteError::from)?;
            log.write()?;
        }
        if known.is_none() {
            log.establish(dir).map_err(Dead::new(Act::Create))?;
        }
        Ok((log, Opened { records, torn }))
    }

    /// Reads the journal of a workspace's folder, without the lock.
    pub fn read(dir: &Path) -> Result<Reader<R>, ReadError> {
        Reader::open(dir)
    }

    /// Brings new files themselves to disk, so that later syncs need only care for their content.
    fn establish(&mut self, dir: &Path) -> std::io::Result<()> {
        self.file.sync_all()?;
        self.last().write(&self.head)?;
        self.head.sync_all()?;
        File::open(dir)?.sync_all()?;
        self.durable = self.chain.next();
        Ok(())
    }

    /// Appends records in one write, all with the same time: they are then *recorded*. Gives the number of the last one.
    ///
    /// All are written or none: what a failed write left is cut off again, or dropped as a torn tail at the next opening.
    pub fn append(&mut self, records: &[R], now: Timestamp) -> Result<u64, WriteError> {
        self.alive()?;
        self.lines.clear();
        self.lines.shrink_to(KEPT);
        let before = self.chain;
        for record in records {
            if let Err(error) = self.chain.push(now, record, &mut self.lines) {
                self.chain = before;
                return Err(error.into());
            }
        }
        self.write()?;
        Ok(self.last().seq)
    }

    /// Writes the buffer behind the last line.
    fn write(&mut self) -> Result<(), Dead> {
        if let Err(error) = self.file.write_all_at(&self.lines, self.end) {
            // Where cutting it off fails as well, the next opening drops it; this log writes nothing behind it.
            drop(self.file.set_len(self.end));
            return Err(self.die(Dead::new(Act::Write)(error)));
        }
        self.end += self.lines.len() as u64;
        Ok(())
    }

    /// Makes all that was appended *durable*, and waits for the disk. Does nothing where nothing is new.
    pub fn sync(&mut self) -> Result<(), Dead> {
        match self.flush()? {
            Some(flush) => self.flushed(flush.run()),
            None => Ok(()),
        }
    }

    /// The first half of [`Self::sync`], for a loop that must not wait: run the flush on another thread, then call [`Self::flushed`].
    /// Appending may go on meanwhile. None where all is durable.
    pub fn flush(&self) -> Result<Option<Flush>, Dead> {
        self.alive()?;
        Ok((self.durable < self.chain.next()).then(|| Flush { file: Arc::clone(&self.file), upto: self.last() }))
    }

    /// The second half of [`Self::sync`]: what the flush covered is durable, or the log is dead.
    pub fn flushed(&mut self, flushed: Flushed) -> Result<(), Dead> {
        self.alive()?;
        let Flushed { upto, result } = flushed;
        if upto.seq < self.durable {
            return result.map_err(|dead| self.die(dead));
        }
        result.and_then(|()| upto.write(&self.head).map_err(Dead::new(Act::Sync))).map_err(|dead| self.die(dead))?;
        self.durable = upto.seq + 1;
        Ok(())
    }

    /// The last record: its number and hash.
    pub fn last(&self) -> Head {
        Head { seq: self.chain.next() - 1, hash: self.chain.head() }
    }

    /// The number of the last record that is known to be on disk.
    pub fn durable(&self) -> u64 {
        self.durable - 1
    }

    fn alive(&self) -> Result<(), Dead> {
        self.dead.clone().map_or(Ok(()), Err)
    }

    fn die(&mut self, dead: Dead) -> Dead {
        self.dead.get_or_insert(dead).clone()
    }
}

/// A sync to be made on another thread.
#[derive(Debug)]
#[must_use = "nothing is durable before the flush ran and the log was told"]
pub struct Flush {
    file: Arc<File>,
    upto: Head,
}

/// A sync that was made, or failed.
#[derive(Debug)]
#[must_use = "nothing is durable before the log was told"]
pub struct Flushed {
    upto: Head,
    result: Result<(), Dead>,
}

impl Flush {
    /// The number of the last record that will be durable.
    pub fn upto(&self) -> u64 {
        self.upto.seq
    }

    /// Waits for the disk.
    pub fn run(self) -> Flushed {
        let result = self.file.sync_data().map_err(Dead::new(Act::Sync));
        Flushed { upto: self.upto, result }
    }
}
