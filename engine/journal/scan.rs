//! The one walk over a file's bytes that opening, reading and verifying share.

use std::io::{self, BufRead, Read as _, Seek, SeekFrom};

use super::chain::{Break, Chain, Frame, Header, MAX_LINE, TAIL};
use super::error::Broken;
use super::head::Head;
use crate::base::digest::Digest;
use crate::base::time::Timestamp;

/// What the walk found next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole line that continues the chain, the first of its file: [`Scan::header`].
    Header,
    /// A whole line that continues the chain: [`Scan::frame`].
    Record,
    /// The end of the file, right behind a line.
    End,
    /// The end of the file, inside a line: a write that was cut short, or that is being made just now.
    Torn(Torn),
}

/// A last line without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The number of the line in its file, from 1.
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
    /// What must be there, if only the journal is whole.
    known: Option<Head>,
    /// The number of the file's first line.
    first: u64,
    /// Whether the file is a sealed segment.
    sealed: bool,
    /// Bytes of whole lines of this file so far.
    offset: u64,
    line: Vec<u8>,
    /// Of the last line: when, and where its record begins.
    at: Timestamp,
    rec: usize,
}

impl<B: BufRead + Seek> Scan<B> {
    /// A walk behind a known place, over files that must hold a known record. Read the head before opening the file: a writer moves on.
    pub fn new(input: B, chain: Chain, sealed: bool, known: Option<Head>) -> Self {
        let first = chain.next();
        Self { input, chain, header: None, known, first, sealed, offset: 0, line: Vec::new(), at: Timestamp(0), rec: 0 }
    }

    /// Goes on with the next file.
    pub fn turn(&mut self, input: B, sealed: bool) {
        (self.input, self.sealed, self.first, self.offset) = (input, sealed, self.chain.next(), 0);
    }

    /// Says that the file is sealed by now: it grows no more.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    /// The chain up to here.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// The header of the file, or of the one before it, once it was read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The number of the file's first line.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Whether the file is a sealed segment.
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// How many bytes the whole lines up to here have, in this file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The line that was found last.
    pub fn frame(&self) -> Frame<'_> {
        let end = self.line.len().saturating_sub(TAIL);
        let (seq, hash) = self.chain.last().map_or((0, Digest::NONE), |last| (last.seq, last.hash));
        Frame { seq, at: self.at, hash, rec: self.line.get(self.rec..end).unwrap_or_default() }
    }

    /// The place of the next line, as an error names it.
    pub fn broken(&self, what: Break) -> Broken {
        Broken { segment: self.sealed.then_some(self.first), line: self.chain.next() - self.first + 1, what }
    }

    /// What is wrong with a journal that ends here: a record that was on disk is missing.
    pub fn cut(&self) -> Option<Broken> {
        let known = self.known.filter(|known| known.seq >= self.chain.next())?;
        Some(self.broken(Break::Cut { known: known.seq }))
    }

    /// The next line. At the end it may be called again: what was appended since is then found.
    pub fn step(&mut self) -> Result<Step, ScanError> {
        self.line.clear();
        let read = self.input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read > MAX_LINE {
            return Err(ScanError::Broken(self.broken(Break::TooLong)));
        }
        if self.line.last() != Some(&b'\n') {
            // Whoever calls again begins at this line's first byte, not behind what is there of it today.
            self.input.seek(SeekFrom::Start(self.offset))?;
            let torn = Torn { line: self.chain.next() - self.first + 1, bytes: read as u64 };
            return Ok(if read == 0 { Step::End } else { Step::Torn(torn) });
        }
        let (before, begins) = (self.chain, self.offset == 0);
        let Broken { segment, line, .. } = self.broken(Break::Malformed);
        let broken = |what| ScanError::Broken(Broken { segment, line, what });
        let frame = self.chain.check(&self.line).map_err(broken)?;
        let (seq, hash) = (frame.seq, frame.hash);
        let rec = self.line.len() - TAIL - frame.rec.len();
        if begins {
            let header = match Header::read(&frame) {
                Ok(header) => header,
                Err(what) => {
                    self.chain = before;
                    return Err(broken(what));
                }
            };
            if self.header.as_ref().is_some_and(|before| before.workspace != header.workspace) {
                self.chain = before;
                return Err(broken(Break::Foreign));
            }
            self.header = Some(header);
        }
        if self.known.is_some_and(|known| known.seq == seq && known.hash != hash) {
            self.chain = before;
            return Err(broken(Break::NotTheHead));
        }
        (self.at, self.rec) = (frame.at, rec);
        self.offset += read as u64;
        Ok(if begins { Step::Header } else { Step::Record })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A small journal and the head file that belongs to it.
    fn journal(records: &[String]) -> (Vec<u8>, Head) {
        let mut chain = Chain::START;
        let mut lines = Vec::new();
        chain.push(Timestamp(1), &Header { version: 1, workspace: "w".into() }, &mut lines).unwrap();
        for (at, record) in (2..).zip(records) {
            chain.push(Timestamp(at), record, &mut lines).unwrap();
        }
        (lines, Head { seq: chain.next() - 1, hash: chain.head() })
    }

    /// What a walk to the end has found.
    #[derive(Debug)]
    struct Walked {
        records: u64,
        head: Digest,
        torn: Option<Torn>,
    }

    fn check(bytes: &[u8], known: Option<Head>) -> Result<Walked, Broken> {
        let mut scan = Scan::new(Cursor::new(bytes), Chain::START, false, known);
        let torn = loop {
            match scan.step() {
                Ok(Step::Header | Step::Record) => {}
                Ok(Step::End) => break None,
                Ok(Step::Torn(torn)) => break Some(torn),
                Err(ScanError::Broken(broken)) => return Err(broken),
                Err(ScanError::Io(error)) => panic!("a slice can always be read: {error}"),
            }
        };
        let chain = scan.chain();
        match scan.cut().or_else(|| scan.header().is_none().then(|| scan.broken(Break::NoHeader))) {
            Some(broken) => Err(broken),
            None => Ok(Walked { records: chain.next() - 1, head: chain.head(), torn }),
        }
    }

    fn words(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("record {i} \u{e9}\n")).collect()
    }

    #[test]
    fn every_flipped_bit_is_found_at_its_line() {
        let (bytes, head) = journal(&words(4));
        let whole = check(&bytes, Some(head)).unwrap();
        assert_eq!((whole.records, whole.torn, whole.head), (4, None, head.hash));
        let mut line = 1;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                // With the head file, and also without it: a lost line feed at the very end is then a torn line, which is said.
                let broken = check(&altered, Some(head)).expect_err("a bit was flipped");
                assert_eq!(broken.line, line, "byte {at} bit {bit}: {broken}");
                assert!(check(&altered, None).map_or(true, |walked| walked.torn.is_some()), "byte {at} bit {bit}");
            }
            line += u64::from(bytes[at] == b'\n');
        }
    }

    #[test]
    fn removed_repeated_swapped_and_replaced_lines_are_named() {
        let (bytes, head) = journal(&words(4));
        let (other, _) = journal(&["record 0".into(), "another".into(), "x".into(), "y".into()]);
        let split = |bytes: &[u8]| bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        let (lines, other) = (split(&bytes), split(&other));
        let found = |edit: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut lines = lines.clone();
            edit(&mut lines);
            check(&lines.concat(), Some(head)).unwrap_err()
        };
        let broken = |line, what| Broken { segment: None, line, what };
        assert_eq!(found(&|l| drop(l.remove(2))), broken(3, Break::Missing { expected: 2, found: 3 }));
        assert_eq!(found(&|l| l.insert(2, l[1].clone())), broken(3, Break::Repeated { expected: 2, found: 1 }));
        assert_eq!(found(&|l| l.swap(2, 3)), broken(3, Break::Missing { expected: 2, found: 3 }));
        assert_eq!(found(&|l| l[3].clone_from(&other[3])), broken(4, Break::Foreign));
        assert_eq!(found(&|l| drop(l.remove(0))), broken(1, Break::Missing { expected: 0, found: 1 }));
        assert_eq!(found(&|l| l[2].insert(0, b' ')), broken(3, Break::Altered));
        assert_eq!(found(&|l| l.insert(2, b"\n".to_vec())), broken(3, Break::Malformed));
        assert_eq!(found(&|l| drop(l.pop())), broken(5, Break::Cut { known: 4 }));
        assert_eq!(found(&|l| l.clear()), broken(1, Break::Cut { known: 4 }));
        assert_eq!(
            found(&|l| l.truncate(4)).to_string(),
            "line 5 of the journal is broken: the journal ends here, but record 4 had been written to disk: its end was cut off"
        );
    }

    #[test]
    fn a_chain_that_was_written_anew_is_not_the_one_that_was_on_disk() {
        let (_, head) = journal(&words(4));
        let (forged, _) = journal(&["a".into(), "b".into(), "c".into(), "d".into()]);
        assert!(check(&forged, None).is_ok(), "a chain alone cannot know");
        assert_eq!(check(&forged, Some(head)).err(), Some(Broken { segment: None, line: 5, what: Break::NotTheHead }));
    }

    #[test]
    fn a_journal_needs_a_header_of_this_version() {
        let first = |record: &serde_json::Value| {
            let mut lines = Vec::new();
            Chain::START.clone().push(Timestamp(1), record, &mut lines).unwrap();
            check(&lines, None).unwrap_err().what
        };
        assert_eq!(first(&serde_json::json!({"version": 2, "anything": "else"})), Break::Version { found: 2 });
        assert_eq!(first(&serde_json::json!({"workspace": "w"})), Break::NoHeader);
        assert_eq!(first(&serde_json::json!({"version": 1})), Break::NoHeader);
        assert_eq!(check(b"", None).err().unwrap().what, Break::NoHeader);
        assert_eq!(check(b"{\"seq\"", None).err().unwrap().what, Break::NoHeader);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_journal_cut_anywhere_is_its_whole_lines_and_a_torn_rest(records in prop::collection::vec(".{0,20}", 0..5)) {
            let (bytes, head) = journal(&records);
            for cut in 1..bytes.len() {
                let ends = bytes[..cut].split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n")).count() as u64;
                let rest = bytes[..cut].iter().rev().take_while(|b| **b != b'\n').count() as u64;
                let torn = (rest > 0).then_some(Torn { line: ends + 1, bytes: rest });
                let seen = check(&bytes[..cut], None);
                match ends {
                    0 => prop_assert_eq!(seen.unwrap_err().what, Break::NoHeader),
                    ends => {
                        let seen = seen.unwrap();
                        prop_assert_eq!((seen.records, seen.torn), (ends - 1, torn));
                    }
                }
                prop_assert_eq!(check(&bytes[..cut], Some(head)).unwrap_err().what, Break::Cut { known: head.seq });
            }
        }

        #[test]
        fn no_bytes_make_it_panic_or_pass(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(check(&bytes, None).is_err());
        }
    }
}
