//! How far a container's output has been written to its log: what makes it possible to go on without loss or doubling.
//!
//! The container engine gives output from a time on, and nothing finer. So beside the log `x` stands `x.at`, one line of JSON of fixed
//! length, written after each piece of output: the container, the length of the log, and for each stream the time of the last piece and how
//! many pieces of that very time were written. To go on, the log is cut back to that length, and of what comes again each stream's
//! pieces are dropped up to its mark. (The two streams are not in order with one another; each is in itself.) An engine that is killed
//! between output and mark has written output that is cut off and comes again.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

use serde::{Deserialize, Serialize};

/// How long a mark is, in bytes.
const LENGTH: usize = 256;
/// How far the streams may be out of order with one another, in nanoseconds.
const SLACK: i64 = 60 * 1_000_000_000;

/// How far a container's output has been written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogMark {
    pub(super) container: String,
    /// The length of the log, in bytes.
    pub(super) length: u64,
    pub(super) streams: [StreamMark; 2],
}

/// How far one stream has been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StreamMark {
    /// The time of the last piece: nanoseconds since 1970.
    at: i64,
    /// How many pieces of that very time were written.
    pieces: u32,
}

impl LogMark {
    /// Reads a mark; none where there is none, or none that can be read: output is then written again rather than lost.
    pub(super) fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut text = String::new();
        match file.read_to_string(&mut text) {
            Ok(_) => Ok(serde_json::from_str(text.trim_end()).ok()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the mark in one piece over the one before.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        file.write_all_at(format!("{text:<width$}\n", width = LENGTH - 1).as_bytes(), 0)
    }

    /// The second from which output is asked for.
    pub(super) fn since(&self) -> i32 {
        let latest = self.streams.iter().map(|stream| stream.at).max().unwrap_or_default();
        i32::try_from((latest - SLACK).max(0) / 1_000_000_000).unwrap_or(i32::MAX)
    }
}

/// Drops the pieces of a stream that were written before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skip {
    until: StreamMark,
    seen: u32,
    over: bool,
}

impl Skip {
    pub(super) const fn new(until: StreamMark) -> Self {
        Self { until, seen: 0, over: false }
    }

    /// Whether a piece of this time is new. Once one is, all after it are.
    pub(super) const fn is_new(&mut self, at: i64) -> bool {
        if !self.over {
            if at < self.until.at {
                return false;
            }
            if at == self.until.at && self.seen < self.until.pieces {
                self.seen += 1;
                return false;
            }
            self.over = true;
        }
        true
    }
}

impl StreamMark {
    /// A piece of this time was written.
    pub(super) const fn wrote(&mut self, at: i64) {
        if at == self.at {
            self.pieces += 1;
        } else {
            *self = Self { at, pieces: 1 };
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files that they look at")]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_time_are_counted() {
        let mut mark = StreamMark::default();
        for at in [1, 2, 2] {
            mark.wrote(at);
        }
        let mut skip = Skip::new(mark);
        let new: Vec<bool> = [1, 2, 2, 2, 3].into_iter().map(|at| skip.is_new(at)).collect();
        assert_eq!(new, [false, false, false, true, true]);
    }

    #[test]
    fn what_the_engine_has_dropped_meanwhile_hides_nothing_new() {
        let mut mark = StreamMark::default();
        mark.wrote(5);
        let mut skip = Skip::new(mark);
        assert!(skip.is_new(7) && skip.is_new(6));
    }

    #[test]
    fn a_mark_reads_back_and_is_always_as_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.at");
        let mut mark = LogMark { container: "f".repeat(64), length: u64::MAX, ..LogMark::default() };
        mark.streams = [StreamMark { at: i64::MAX, pieces: u32::MAX }; 2];
        for mark in [mark, LogMark { container: "a".to_owned(), length: 3, ..LogMark::default() }] {
            let file = File::options().write(true).create(true).truncate(false).open(&path).unwrap();
            mark.write(&file).unwrap();
            assert_eq!(file.metadata().unwrap().len(), LENGTH as u64);
            assert_eq!(LogMark::read(&mut File::open(&path).unwrap()).unwrap(), Some(mark));
        }
    }
}
