//! The writer of a journal.
//!
//! | call | what holds afterwards |
//! |---|---|
//! | [`Log::append`] | *recorded*: survives the death of the engine (one write, no disk) |
//! | [`Log::sync`] | *durable*: survives the death of the machine (one fdatasync for all that was appended) |
//! | [`Log::seal`] | all of that is durable, in a file that never changes again; a new one goes on |
//! | a failed one of these | the log is dead: every later call gives the same cause, nothing is tried again |

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::chain::{Break, Chain, Header, VERSION};
use super::disk::{Disk, HostDisk, Whole};
use super::error::{Act, Broken, Dead, OpenError, ReadError, WriteError};
use super::head::Head;
use super::lock::Lock;
use super::read::{Entry, Reader};
use super::scan::{Step, Torn};
use super::segment::{self, ACTIVE, Bounds, FOLDER, NEXT, sealed_path};
use super::walk::{From, Walk};
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
    /// How many records were read.
    pub records: u64,
    /// The unfinished line that was dropped: a write that an engine did not live to finish. Worth saying, and worth a record.
    pub torn: Option<Torn>,
}

/// A journal that this process alone writes.
#[derive(Debug)]
pub struct Log<R> {
    dir: PathBuf,
    workspace: String,
    /// The active segment, and the number of its first line.
    file: Arc<File>,
    first: u64,
    head: File,
    /// The end of the last whole line in it, in bytes.
    end: u64,
    chain: Chain,
    /// The number of lines that are known to be on disk.
    durable: u64,
    lines: Vec<u8>,
    bounds: Bounds,
    disk: Arc<dyn Disk>,
    dead: Option<Dead>,
    /// Released last, when the files are closed.
    lock: Lock,
    records: PhantomData<fn(R)>,
}

impl<R: Serialize + DeserializeOwned> Log<R> {
    /// Takes the lock, checks the whole journal of a workspace's folder, giving each record to `replay` in its order, and drops a torn tail.
    ///
    /// Files that are not there are made, with mode 0600. A chain that is broken, cut or of another workspace is an error, and nothing is changed.
    pub fn open(dir: &Path, opening: &Opening<'_>, replay: impl FnMut(Entry<R>)) -> Result<(Self, Opened), OpenError> {
        let lock = Lock::take(dir, opening.doing)?;
        Self::open_locked(lock, dir, opening, From::Start, replay)
    }

    /// The same with a lock that is held, from a place on.
    pub(super) fn open_locked(
        lock: Lock,
        dir: &Path,
        opening: &Opening<'_>,
        from: From,
        replay: impl FnMut(Entry<R>),
    ) -> Result<(Self, Opened), OpenError> {
        let known = Head::read(dir)?;
        let path = dir.join(ACTIVE);
        let is_new = !path.exists() && segment::sealed(dir).map_err(ReadError::io(dir))?.is_empty();
        if let Some(Head { seq: known, .. }) = known.filter(|_| is_new) {
            return Err(ReadError::from(Broken { segment: None, line: 1, what: Break::Cut { known } }).into());
        }
        let found = if is_new { Replayed::NOTHING } else { walk(dir, opening, from, replay)? };
        let Replayed { chain, first, end, torn, records } = found;
        let file = create(&path).map_err(Dead::new(Act::Create))?;
        let head = Head::file(dir).map_err(Dead::new(Act::Create))?;
        let mut log = Self {
            dir: dir.to_owned(),
            workspace: opening.workspace.to_owned(),
            file: Arc::new(file),
            first,
            head,
            end,
            chain,
            durable: known.map_or(0, |known| known.seq + 1),
            lines: Vec::new(),
            bounds: Bounds::default(),
            disk: Arc::new(HostDisk),
            dead: None,
            lock,
            records: PhantomData,
        };
        if torn.is_some() {
            log.file.set_len(end).map_err(Dead::new(Act::Truncate))?;
        }
        let headless = end == 0;
        if headless {
            log.lines = log.next_header(opening.now)?;
            log.write()?;
        }
        if known.is_none() || headless {
            log.establish().map_err(Dead::new(Act::Create))?;
        }
        Ok((log, Opened { records, torn }))
    }

    /// Reads the journal of a workspace's folder, without the lock.
    pub fn read(dir: &Path) -> Result<Reader<R>, ReadError> {
        Reader::open(dir)
    }

    /// Brings new files themselves to disk, so that later syncs need only care for their content.
    fn establish(&mut self) -> io::Result<()> {
        self.disk.sync(&self.file, Whole::All)?;
        self.last().write(&self.head)?;
        self.disk.sync(&self.head, Whole::All)?;
        self.disk.sync_folder(&self.dir)?;
        self.durable = self.chain.next();
        Ok(())
    }

    /// The line that a segment begins with.
    fn next_header(&mut self, now: Timestamp) -> Result<Vec<u8>, WriteError> {
        let mut lines = Vec::new();
        self.chain.push(now, &Header { version: VERSION, workspace: self.workspace.clone() }, &mut lines)?;
        Ok(lines)
    }

    /// Seals segments at other bounds.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Whether the active segment is so large that it is to be sealed.
    pub fn is_full(&self) -> bool {
        let lines = self.chain.next() - self.first;
        lines > 1 && (self.end > self.bounds.bytes || lines > self.bounds.lines)
    }

    /// Brings everything to disk, sets the active segment aside for ever, and goes on in a new one. Gives the last record in the old one.
    ///
    /// Killed at any moment, it leaves a journal that opens: the new segment, header and all, takes the old one's name only when it is on disk,
    /// and where there is none yet the next opening makes it.
    pub fn seal(&mut self, now: Timestamp) -> Result<Head, WriteError> {
        self.sync()?;
        let last = self.last();
        let before = self.chain;
        let header = match self.next_header(now) {
            Ok(header) => header,
            Err(error) => {
                self.chain = before;
                return Err(error);
            }
        };
        match self.replace(&header) {
            Ok(file) => {
                (self.file, self.first, self.end) = (Arc::new(file), before.next(), header.len() as u64);
                self.durable = self.chain.next();
                Ok(last)
            }
            Err(error) => Err(self.die(Dead::new(Act::Seal)(error)).into()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the journal's own files: what grants permits cannot need one")]
    fn replace(&self, header: &[u8]) -> io::Result<File> {
        let (active, next, folder) = (self.dir.join(ACTIVE), self.dir.join(NEXT), self.dir.join(FOLDER));
        make_folder(&folder)?;
        let file = create(&next)?;
        file.set_len(0)?;
        self.disk.write(&file, header, 0)?;
        self.disk.sync(&file, Whole::All)?;
        std::fs::rename(&active, sealed_path(&self.dir, self.first))?;
        std::fs::rename(&next, &active)?;
        self.disk.sync_folder(&folder)?;
        self.disk.sync_folder(&self.dir)?;
        self.last().write(&self.head)?;
        Ok(file)
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
        if let Err(error) = self.disk.write(&self.file, &self.lines, self.end) {
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
        Ok((self.durable < self.chain.next()).then(|| Flush {
            file: Arc::clone(&self.file),
            disk: Arc::clone(&self.disk),
            upto: self.last(),
        }))
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

    pub(super) fn die(&mut self, dead: Dead) -> Dead {
        self.dead.get_or_insert(dead).clone()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Ends the log, and keeps the lock.
    pub(super) fn into_lock(self) -> Lock {
        self.lock
    }

    /// Brings the names in one of the folders to disk.
    pub(super) fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(&self.dir.join(folder))
    }

    pub(super) fn set_disk(&mut self, disk: Arc<dyn Disk>) {
        self.disk = disk;
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }
}

/// What a walk over a journal found.
struct Replayed {
    chain: Chain,
    /// The first line of the active segment, and the end of its last whole one in bytes.
    first: u64,
    end: u64,
    torn: Option<Torn>,
    records: u64,
}

impl Replayed {
    const NOTHING: Self = Self { chain: Chain::START, first: 0, end: 0, torn: None, records: 0 };
}

/// Walks to the end of a journal.
fn walk<R: DeserializeOwned>(
    dir: &Path,
    opening: &Opening<'_>,
    from: From,
    mut replay: impl FnMut(Entry<R>),
) -> Result<Replayed, OpenError> {
    let mut walk = Walk::open(dir, from)?;
    let mut records = 0;
    let torn = loop {
        match walk.step()? {
            Step::Header => {
                let Header { workspace, .. } = walk.header().cloned().unwrap_or_default();
                if workspace != opening.workspace {
                    return Err(OpenError::Workspace { found: workspace, wanted: opening.workspace.to_owned() });
                }
            }
            Step::Record => {
                replay(Entry::decode(&walk.frame())?);
                records += 1;
            }
            Step::End => break None,
            Step::Torn(torn) => break Some(torn),
        }
    };
    let chain = walk.chain();
    // An engine died between the two renames of a seal: the active segment is to be made.
    let (first, end) = if walk.is_sealed() { (chain.next(), 0) } else { (walk.first(), walk.offset()) };
    Ok(Replayed { chain, first, end, torn, records })
}

fn create(path: &Path) -> io::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "the journal is what grants permits: it cannot need one")]
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes a folder that only its owner may enter, where it is not there.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A sync to be made on another thread.
#[derive(Debug)]
#[must_use = "nothing is durable before the flush ran and the log was told"]
pub struct Flush {
    file: Arc<File>,
    disk: Arc<dyn Disk>,
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
        let result = self.disk.sync(&self.file, Whole::Data).map_err(Dead::new(Act::Sync));
        Flushed { upto: self.upto, result }
    }
}
