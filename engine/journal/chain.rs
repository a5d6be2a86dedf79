//! The line format of the journal. It is fixed: what is written today must be readable for ever.
//!
//! A journal is a file of lines that end in `\n`. Each line is one JSON object with these keys, in this order, without spaces between them:
//!
//! ```text
//! {"seq":7,"at":1795000000123,"prev":"<64 hex>","rec":{…},"hash":"<64 hex>"}
//! ```
//!
//! - `seq`: 0 on the first line, then one more on each line; `at`: milliseconds since 1970-01-01T00:00:00Z;
//! - `prev`: the `hash` of the line before; on the first line 64 times `0`;
//! - `rec`: the record, any JSON without a raw line feed;
//! - `hash`: the SHA-256 of the line's bytes as written, from its `{` up to and without `,"hash":"`.
//!
//! The last 76 bytes of a line are always `,"hash":"`, 64 lower-case hexadecimal digits and `"}` with `\n`, so that a line can be checked with
//! standard tools: `sed -n 8p journal.jsonl | head -c -76 | sha256sum`. Nothing is parsed and written again to check it.
//!
//! The `rec` of line 0 is the [`Header`]. It names the version of the format (1) and the workspace; its framing is the same in every version.
//! A journal may lie in several files ([`super::segment`]): the first line of each is a header too, and the chain runs on through it, so that
//! its `seq` and `prev` are those of the segment before it, carried on.
//!
//! The chain shows every change inside it. It cannot show that whole lines are gone from its end: that is what [`super::head`] is for.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::head::Head;
use crate::base::digest::Digest;
use crate::base::time::Timestamp;

/// The longest line, in bytes with its line feed. A record is facts about the world, not a copy of it.
pub const MAX_LINE: usize = 16 << 20;

/// The version of the format that this code writes, and the only one that it reads.
pub const VERSION: u64 = 1;

const SEQ: &[u8] = b"{\"seq\":";
const AT: &[u8] = b",\"at\":";
const PREV: &[u8] = b",\"prev\":\"";
const REC: &[u8] = b"\",\"rec\":";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}\n";
/// `,"hash":"`, 64 digits, `"}` and the line feed.
pub(super) const TAIL: usize = HASH.len() + 64 + END.len();

/// The record on the first line of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the line format.
    pub version: u64,
    /// The id of the workspace that the journal belongs to.
    pub workspace: String,
}

/// One line that was checked, borrowed from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its number.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// Its hash.
    pub hash: Digest,
    /// The record as JSON, the bytes as written.
    pub rec: &'a [u8],
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The line is not in the format.
    #[error("it is not a line of a journal: it was altered")]
    Malformed,
    /// The bytes do not give the hash.
    #[error("its hash does not match its content: it was altered")]
    Altered,
    /// The number is too high.
    #[error("record {expected} should stand here, not {found}: records are missing or out of order")]
    Missing {
        /// The number that should follow.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// The number is too low.
    #[error("record {expected} should stand here, not {found}: records are repeated or out of order")]
    Repeated {
        /// The number that should follow.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// The line is whole but follows another one.
    #[error("it does not follow the record before it: records were replaced")]
    Foreign,
    /// The line is longer than [`MAX_LINE`].
    #[error("it is longer than {MAX_LINE} bytes: no engine wrote it")]
    TooLong,
    /// The first line is not a header.
    #[error("the journal does not begin with a header: its beginning was altered")]
    NoHeader,
    /// The file ends inside a line, and is not the one that is written to.
    #[error("it has no end, and the segment was sealed: its end was cut off")]
    Unfinished,
    /// A sealed file ends before or behind the one after it begins.
    #[error("the segment ends with record {last}, but the next one does not go on from there: its end was altered")]
    NotContinued {
        /// The last record in the file.
        last: u64,
    },
    /// Records are gone of which no record says that they were pruned or quarantined.
    #[error("records {first} to {last} are not there, and the journal does not say that they were pruned or quarantined")]
    Gap {
        /// The first that is gone.
        first: u64,
        /// The last that is gone.
        last: u64,
    },
    /// The header names another version.
    #[error("the journal has version {found} and this engine reads version {VERSION}: use the engine that wrote it")]
    Version {
        /// The version named.
        found: u64,
    },
    /// The file ends before a record that was on disk.
    #[error("the journal ends here, but record {known} had been written to disk: its end was cut off")]
    Cut {
        /// The last record known to have been on disk.
        known: u64,
    },
    /// The record is not the one that was on disk.
    #[error("it is not the record that had been written to disk: the journal was replaced, or the head file altered")]
    NotTheHead,
    /// The head file cannot be read as one.
    #[error("the head file beside the journal was altered")]
    HeadAltered,
}

/// Why a record could not become a line.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It has no JSON.
    #[error("failed to write a record as JSON")]
    Json(#[from] serde_json::Error),
    /// It is too long.
    #[error("failed to write a record of {bytes} bytes: a line of the journal has at most {MAX_LINE}")]
    TooLong {
        /// Its length, in bytes.
        bytes: usize,
    },
}

/// The end of a chain: what the next line must have. A copy is a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    next: u64,
    prev: Digest,
}

impl Chain {
    /// The chain before its first line.
    pub const START: Self = Self { next: 0, prev: Digest::NONE };

    /// The chain behind a line that is known.
    pub const fn after(last: Head) -> Self {
        Self { next: last.seq + 1, prev: last.hash }
    }

    /// The chain that a line itself says it continues; nothing of it is checked.
    pub(super) fn before(line: &[u8]) -> Option<Self> {
        let (next, rest) = first_number(line)?;
        let (_, rest) = rest.strip_prefix(AT).and_then(number)?;
        let prev = rest.strip_prefix(PREV)?.get(..64).and_then(Digest::from_hex)?;
        Some(Self { next, prev })
    }

    /// The number of the next line, which is also the number of lines.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The hash of the last line.
    pub const fn head(&self) -> Digest {
        self.prev
    }

    /// The last line; none before the first.
    pub fn last(&self) -> Option<Head> {
        self.next.checked_sub(1).map(|seq| Head { seq, hash: self.prev })
    }

    /// Adds the line of a record to a buffer. After an error the buffer and the chain are as before.
    pub fn push<R: Serialize>(&mut self, at: Timestamp, record: &R, lines: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = lines.len();
        let written = self.encode(at, record, lines, start);
        if written.is_err() {
            lines.truncate(start);
        }
        written
    }

    fn encode<R: Serialize>(&mut self, at: Timestamp, record: &R, lines: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        lines.extend_from_slice(SEQ);
        write!(lines, "{}", self.next).map_err(serde_json::Error::io)?;
        lines.extend_from_slice(AT);
        write!(lines, "{}", at.0).map_err(serde_json::Error::io)?;
        lines.extend_from_slice(PREV);
        lines.extend_from_slice(&self.prev.hex());
        lines.extend_from_slice(REC);
        serde_json::to_writer(&mut *lines, record)?;
        let bytes = lines.len() - start + TAIL;
        if bytes > MAX_LINE {
            return Err(EncodeError::TooLong { bytes });
        }
        let hash = Digest::of(&lines[start..]);
        lines.extend_from_slice(HASH);
        lines.extend_from_slice(&hash.hex());
        lines.extend_from_slice(END);
        *self = Self { next: self.next + 1, prev: hash };
        Ok(())
    }

    /// Checks the next line (with its line feed) and goes on to it. After an error the chain is as before.
    pub fn check<'a>(&mut self, line: &'a [u8]) -> Result<Frame<'a>, Break> {
        let (body, tail) = line.len().checked_sub(TAIL).and_then(|at| line.split_at_checked(at)).ok_or(Break::Malformed)?;
        let named = tail.strip_prefix(HASH).and_then(|rest| rest.strip_suffix(END)).and_then(Digest::from_hex).ok_or(Break::Malformed)?;
        // The hash first: everything after it may then trust the bytes to be what some engine wrote.
        let hash = Digest::of(body);
        if hash != named {
            return Err(Break::Altered);
        }
        let (seq, rest) = first_number(body).ok_or(Break::Malformed)?;
        let (at, rest) = rest.strip_prefix(AT).and_then(number).ok_or(Break::Malformed)?;
        let (prev, rest) = rest.strip_prefix(PREV).and_then(|rest| rest.split_at_checked(64)).ok_or(Break::Malformed)?;
        let prev = Digest::from_hex(prev).ok_or(Break::Malformed)?;
        let rec = rest.strip_prefix(REC).ok_or(Break::Malformed)?;
        match seq.cmp(&self.next) {
            std::cmp::Ordering::Greater => return Err(Break::Missing { expected: self.next, found: seq }),
            std::cmp::Ordering::Less => return Err(Break::Repeated { expected: self.next, found: seq }),
            std::cmp::Ordering::Equal => {}
        }
        if prev != self.prev {
            return Err(Break::Foreign);
        }
        *self = Self { next: seq + 1, prev: hash };
        Ok(Frame { seq, at: Timestamp(at), hash, rec })
    }
}

impl<'a> Frame<'a> {
    /// What can be read of a line whose chain is broken, and whether at least its own hash is right. Nothing of it is proved.
    pub(super) fn salvage(line: &'a [u8]) -> Option<(Self, bool)> {
        let mut chain = Chain::before(line)?;
        if let Ok(frame) = chain.check(line) {
            return Some((frame, true));
        }
        let (seq, rest) = first_number(line)?;
        let (at, rest) = rest.strip_prefix(AT).and_then(number)?;
        let rest = rest.strip_prefix(PREV)?.get(64..)?.strip_prefix(REC)?;
        let rec = rest.get(..rest.len().checked_sub(TAIL)?)?;
        Some((Self { seq, at: Timestamp(at), hash: Digest::NONE, rec }, false))
    }
}

impl Header {
    /// Reads the record of line 0.
    pub(super) fn read(frame: &Frame<'_>) -> Result<Self, Break> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        // The version alone first: a later one may have other keys.
        let Versioned { version } = serde_json::from_slice(frame.rec).map_err(|_| Break::NoHeader)?;
        if version != VERSION {
            return Err(Break::Version { found: version });
        }
        serde_json::from_slice(frame.rec).map_err(|_| Break::NoHeader)
    }
}

/// The number that a line begins with, and what follows it.
pub(super) fn first_number(line: &[u8]) -> Option<(u64, &[u8])> {
    line.strip_prefix(SEQ).and_then(number)
}

/// A decimal number at the beginning, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_fixed() {
        let mut chain = Chain::START;
        let mut lines = Vec::new();
        chain.push(Timestamp(5), &Header { version: 1, workspace: "w".into() }, &mut lines).unwrap();
        chain.push(Timestamp(6), &serde_json::json!({"did": "a\nb"}), &mut lines).unwrap();
        // These bytes are in journals: a change here is a new version of the format.
        insta::assert_snapshot!(String::from_utf8(lines).unwrap(), @r#"
        {"seq":0,"at":5,"prev":"0000000000000000000000000000000000000000000000000000000000000000","rec":{"version":1,"workspace":"w"},"hash":"46262d68f8c312e08af0e236daf068d0ad235bd0f640f5e5c94c80501cf02e60"}
        {"seq":1,"at":6,"prev":"46262d68f8c312e08af0e236daf068d0ad235bd0f640f5e5c94c80501cf02e60","rec":{"did":"a\nb"},"hash":"a857568af5ce60decfb574868512d827dcb3ef68ab97ba4a5b77912c0d45ea77"}
        "#);
    }

    #[test]
    fn a_record_that_cannot_be_written_leaves_nothing() {
        let mut chain = Chain::START;
        let mut lines = b"before".to_vec();
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(chain.push(Timestamp(1), &map, &mut lines), Err(EncodeError::Json(_))));
        assert!(matches!(chain.push(Timestamp(1), &"x".repeat(MAX_LINE), &mut lines), Err(EncodeError::TooLong { .. })));
        assert_eq!((chain, &lines[..]), (Chain::START, &b"before"[..]));
    }
}
