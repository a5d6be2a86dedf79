//! The walk over a whole journal: from segment to segment, also while an engine writes and seals.
//!
//! | at the end of | and | then |
//! |---|---|---|
//! | a sealed segment | the next one is sealed or active | on into it |
//! | a sealed segment | there is no next one | a gap, or the moment between two renames: see below |
//! | the active one | it is still the active one | the end; asked again, on with what came since |
//! | the active one | another file has its name | it was sealed: to its very end, then as above |

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::chain::{Break, Chain, Frame, Header, first_number};
use super::error::{Broken, ReadError};
use super::head::Head;
use super::scan::{Scan, Step};
use super::segment::{self, ACTIVE, sealed_path};

pub(super) const BUFFER: usize = 256 << 10;

/// How often a file is looked for again that was renamed or pruned at that very moment.
const TRIES: usize = 16;

type Input = BufReader<File>;

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the first record that the journal ever had.
    Start,
    /// At the oldest line that is still there: what it says that it continues is believed.
    Oldest,
    /// At the segment with this first line, in the same way.
    Segment(u64),
    /// Behind this record, the last of a segment.
    After(Head),
}

/// A walk over a journal.
#[derive(Debug)]
pub struct Walk {
    dir: PathBuf,
    scan: Scan<Input>,
    path: PathBuf,
    /// The file's inode.
    inode: u64,
}

/// A segment that was found.
struct Found {
    input: Input,
    path: PathBuf,
    sealed: bool,
}

impl Walk {
    /// Begins a walk over the journal of a workspace's folder.
    ///
    /// # Errors
    /// Where no file of it can be opened, or none begins there.
    pub fn open(dir: &Path, from: From) -> Result<Self, ReadError> {
        let known = Head::read(dir)?;
        let (found, chain) = match from {
            From::Start => (locate(dir, 0)?, Some(Chain::START)),
            From::After(head) => (locate(dir, head.seq + 1)?, Some(Chain::after(head))),
            From::Segment(first) => (locate(dir, first)?, None),
            From::Oldest => (oldest(dir)?, None),
        };
        // Where nothing begins there, the oldest segment shows what is missing.
        let found = if found.is_none() { oldest(dir)? } else { found };
        let Some(Found { mut input, path, sealed }) = found else {
            let path = dir.join(ACTIVE);
            return Err(ReadError::io(&path)(io::ErrorKind::NotFound.into()));
        };
        let chain = match chain {
            Some(chain) => chain,
            None => Chain::before(input.fill_buf().map_err(ReadError::io(&path))?).unwrap_or(Chain::START),
        };
        let replaced = chain.last().zip(known).is_some_and(|(last, known)| last.seq == known.seq && last.hash != known.hash);
        // What a snapshot covers is surely there.
        let known = known.filter(|known| known.seq >= chain.next());
        let inode = inode(&input).map_err(ReadError::io(&path))?;
        let scan = Scan::new(input, chain, sealed, known);
        if replaced {
            return Err(scan.broken(Break::NotTheHead).into());
        }
        Ok(Self { dir: dir.to_owned(), scan, path, inode })
    }

    /// The next line. At the end it may be called again: what was appended since is then found, also in new segments.
    ///
    /// # Errors
    /// Where a file cannot be read, or the chain is broken.
    pub fn step(&mut self) -> Result<Step, ReadError> {
        loop {
            let step = self.scan.step().map_err(|error| ReadError::scan(&self.path)(error))?;
            match step {
                Step::Header | Step::Record => return Ok(step),
                Step::Torn(_) if self.scan.is_sealed() => return Err(self.scan.broken(Break::Unfinished).into()),
                Step::End if self.scan.is_sealed() => match locate(&self.dir, self.scan.chain().next())? {
                    Some(next) => self.turn(next)?,
                    None => {
                        if let Some(step) = self.without_a_next()? {
                            return Ok(step);
                        }
                    }
                },
                Step::End | Step::Torn(_) => {
                    if self.is_active()? {
                        return self.scan.cut().map_or(Ok(step), |cut| Err(cut.into()));
                    }
                    // It was sealed, perhaps after lines that came behind the end just seen.
                    self.scan.seal();
                }
            }
        }
    }

    /// The line that was found last.
    pub fn frame(&self) -> Frame<'_> {
        self.scan.frame()
    }

    /// The chain up to here.
    pub fn chain(&self) -> Chain {
        self.scan.chain()
    }

    /// The header of the file that is read, once its first line was.
    pub fn header(&self) -> Option<&Header> {
        self.scan.header()
    }

    /// The number of the first line of the file that is read.
    pub fn first(&self) -> u64 {
        self.scan.first()
    }

    /// Whether the file that is read is sealed.
    pub fn is_sealed(&self) -> bool {
        self.scan.is_sealed()
    }

    /// How many bytes of the file are read: whole lines.
    pub fn offset(&self) -> u64 {
        self.scan.offset()
    }

    /// The place of the next line, as an error names it.
    pub fn broken(&self, what: Break) -> Broken {
        self.scan.broken(what)
    }

    fn turn(&mut self, next: Found) -> Result<(), ReadError> {
        self.inode = inode(&next.input).map_err(ReadError::io(&next.path))?;
        self.path = next.path;
        self.scan.turn(next.input, next.sealed);
        Ok(())
    }

    /// No segment began where this one ends: none at all does yet, or records are missing. None where one does by now: whoever writes had
    /// stopped between two renames for as long as it was looked for.
    fn without_a_next(&self) -> Result<Option<Step>, ReadError> {
        let next = self.scan.chain().next();
        // The active one before the sealed ones: what is sealed in between is in the list then.
        let active = open(&self.dir.join(ACTIVE))?.and_then(|mut input| first(&mut input).ok().flatten());
        let sealed = segment::sealed(&self.dir).map_err(ReadError::io(&self.dir))?;
        let begins = || sealed.iter().map(|one| one.seq).chain(active);
        if begins().any(|first| first == next) {
            return Ok(None);
        }
        match begins().filter(|first| *first > next).min() {
            Some(found) => Err(self.scan.broken(Break::Gap { first: next, last: found - 1 }).into()),
            None => self.scan.cut().map_or(Ok(Some(Step::End)), |cut| Err(cut.into())),
        }
    }

    /// Whether the file that is read still has the active one's name.
    fn is_active(&self) -> Result<bool, ReadError> {
        match std::fs::metadata(self.dir.join(ACTIVE)) {
            Ok(active) => Ok(active.ino() == self.inode),
            // Between two renames, or for ever: whoever writes makes it anew.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(!sealed_path(&self.dir, self.scan.first()).exists()),
            Err(error) => Err(ReadError::io(&self.dir.join(ACTIVE))(error)),
        }
    }
}

/// The segment whose first line has this number.
fn locate(dir: &Path, number: u64) -> Result<Option<Found>, ReadError> {
    for _ in 0..TRIES {
        let path = sealed_path(dir, number);
        if let Some(input) = open(&path)? {
            return Ok(Some(Found { input, path, sealed: true }));
        }
        let path = dir.join(ACTIVE);
        let Some(mut input) = open(&path)? else { continue };
        // One that begins later was made since the look at the sealed ones. One that says no number is for the scan to judge.
        match first(&mut input).map_err(ReadError::io(&path))? {
            Some(first) if first > number => {}
            _ => return Ok(Some(Found { input, path, sealed: false })),
        }
    }
    Ok(None)
}

/// The oldest segment.
fn oldest(dir: &Path) -> Result<Option<Found>, ReadError> {
    for _ in 0..TRIES {
        let sealed = segment::sealed(dir).map_err(ReadError::io(dir))?.into_iter().next();
        let is_sealed = sealed.is_some();
        let path = sealed.map_or_else(|| dir.join(ACTIVE), |one| one.path);
        if let Some(input) = open(&path)? {
            return Ok(Some(Found { input, path, sealed: is_sealed }));
        }
    }
    Ok(None)
}

fn open(path: &Path) -> Result<Option<Input>, ReadError> {
    match File::open(path) {
        Ok(file) => Ok(Some(BufReader::with_capacity(BUFFER, file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::io(path)(error)),
    }
}

fn first(input: &mut Input) -> io::Result<Option<u64>> {
    Ok(first_number(input.fill_buf()?).map(|(number, _)| number))
}

fn inode(input: &Input) -> io::Result<u64> {
    Ok(input.get_ref().metadata()?.ino())
}
