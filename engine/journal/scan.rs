//! The one walk over a journal's bytes that opening, reading and verifying share.

use std::io::{self, BufRead, Read as _, Seek, SeekFrom};

use super::chain::{Break, Chain, Frame, Header, MAX_LINE};
use super::error::Broken;
use super::head::Head;

/// What the walk found next.
#[derive(Debug)]
pub enum Step<'a> {
    /// A whole line that continues the chain.
    Frame(Frame<'a>),
    /// The end of the file, right behind a line.
    End,
    /// The end of the file, inside a line: a write that was cut short, or that is being made just now.
    Torn(Torn),
}

/// A last line without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The number of the line, from 1.
    pub line: u64,
    /// How many bytes of it are there.
    pub bytes: u64,
}

/// Why the walk cannot go on.
#[derive(Debug)]
pub enum ScanError {
    /// The file could not be read.
    Io(io::Error),
    /// The chain is broken.
    Broken(Broken),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A walk over lines. One buffer serves all of them.
#[derive(Debug)]
pub struct Scan<B> {
    input: B,
    chain: Chain,
    header: Option<Header>,
    /// What must be there, if only the file is whole.
    known: Option<Head>,
    /// Bytes of whole lines so far.
    offset: u64,
    line: Vec<u8>,
}

impl<B: BufRead + Seek> Scan<B> {
    /// A walk from the beginning, over a file that must hold a known record. Read the head before opening the file: a writer moves on.
    pub fn new(input: B, known: Option<Head>) -> Self {
        Self { input, chain: Chain::START, header: None, known, offset: 0, line: Vec::new() }
    }

    /// The chain up to here.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// The header, once line 0 was read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// How many bytes the whole lines up to here have.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The place of the next line, as an error names it.
    pub fn broken(&self, what: Break) -> Broken {
        Broken { line: self.chain.next() + 1, what }
    }

    /// The next line. At the end it may be called again: what was appended since is then found.
    pub fn step(&mut self) -> Result<Step<'_>, ScanError> {
        self.line.clear();
        let read = self.input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read > MAX_LINE {
            return Err(ScanError::Broken(self.broken(Break::TooLong)));
        }
        if self.line.last() != Some(&b'\n') {
            // Whoever calls again begins at this line's first byte, not behind what is there of it today.
            self.input.seek(SeekFrom::Start(self.offset))?;
            if let Some(Head { seq: known, .. }) = self.known.filter(|known| known.seq >= self.chain.next()) {
                return Err(ScanError::Broken(self.broken(Break::Cut { known })));
            }
            let torn = Torn { line: self.chain.next() + 1, bytes: read as u64 };
            return Ok(if read == 0 { Step::End } else { Step::Torn(torn) });
        }
        let before = self.chain;
        let broken = |what| ScanError::Broken(Broken { line: before.next() + 1, what });
        let frame = self.chain.check(&self.line).map_err(broken)?;
        if self.header.is_none() {
            self.header = Some(Header::read(&frame).map_err(broken)?);
        }
        if self.known.is_some_and(|known| known.seq == frame.seq && known.hash != frame.hash) {
            return Err(broken(Break::NotTheHead));
        }
        self.offset += read as u64;
        Ok(Step::Frame(frame))
    }
}
