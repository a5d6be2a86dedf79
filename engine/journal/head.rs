//! The last record known to be on disk, in a small file beside the journal.
//!
//! A chain cannot show that its last lines are gone. This file can: it is written after each sync, in place and always with the same length
//! (so that it is never half written and needs no new block on a full disk), and a journal that ends before it was cut.
//! It is not synced itself: after a power failure it may be older than the journal, never newer. It guards against accidents (a restored
//! backup, a damaged disk, an editor), not against someone who writes both files.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::chain::Break;
use super::error::{Broken, ReadError};
use crate::base::digest::Digest;

/// The name of the head file in a workspace's folder.
pub const FILE: &str = "journal.head";

/// A record that was on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// Reads the head file of a workspace's folder; none where it was never written.
    pub fn read(dir: &Path) -> Result<Option<Self>, ReadError> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReadError::io(&path)(error)),
        };
        if text.is_empty() {
            return Ok(None);
        }
        Self::parse(&text).map(Some).ok_or_else(|| Broken { segment: None, line: 1, what: Break::HeadAltered }.into())
    }

    /// The file's text: one JSON object, its number padded with spaces.
    pub(super) fn text(&self) -> String {
        format!("{{\"seq\":{:>20},\"hash\":\"{}\"}}\n", self.seq, self.hash)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (seq, rest) = text.strip_prefix(b"{\"seq\":")?.split_at_checked(20)?;
        let hash = rest.strip_prefix(b",\"hash\":\"")?.get(..64)?;
        let head = Self { seq: std::str::from_utf8(seq).ok()?.trim_start().parse().ok()?, hash: Digest::from_hex(hash)? };
        (head.text().as_bytes() == text).then_some(head)
    }

    /// Opens the file for [`Self::write`], making it where it is not there.
    pub(super) fn file(dir: &Path) -> io::Result<File> {
        #[expect(clippy::disallowed_methods, reason = "the journal's own file: what grants permits cannot need one")]
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).open(dir.join(FILE))
    }

    /// Writes the file in place.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        file.write_all_at(self.text().as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_shows_every_altered_bit_or_another_head() {
        let head = Head { seq: 41, hash: Digest::of(b"x") };
        let text = head.text().into_bytes();
        assert_eq!(Head::parse(&text), Some(head));
        assert_eq!(Head { seq: u64::MAX, ..head }.text().len(), text.len());
        for bit in 0..text.len() * 8 {
            let mut text = text.clone();
            text[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Head::parse(&text), Some(head), "bit {bit}");
        }
    }
}
