//! Where the lines of a journal lie: one file that is written to, and sealed ones that never change again.
//!
//! ```text
//! .opensculpt/
//!   journal.jsonl                    the active segment
//!   journal.head                     the last record known to be on disk
//!   journal/
//!     000000000000.jsonl             a sealed segment, named after its first line
//!     000000065537.jsonl
//!     000000065536.snapshot          the state behind that record
//! ```
//!
//! One chain runs through all of them, in the order of their numbers. A journal of a release that knew no segments is an active segment alone.
//!
//! Sealing renames the active file and puts a new one in its place, which holds its header already. Whoever has the old one open reads it to
//! its end and goes on in the next: [`super::walk`].

use std::io;
use std::path::{Path, PathBuf};

/// The name of the active segment in a workspace's folder.
pub const ACTIVE: &str = "journal.jsonl";

/// The name of the folder of sealed segments and snapshots in a workspace's folder.
pub const FOLDER: &str = "journal";

/// The active segment to be, before it is renamed: what is left of it after a crash means nothing.
pub(super) const NEXT: &str = "journal.jsonl.new";

const SEALED: &str = "jsonl";
const SNAPSHOT: &str = "snapshot";

/// When a segment is sealed: as soon as it has more than either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
}

impl Default for Bounds {
    /// What is read again at each opening is at most this: some 0.1 s.
    fn default() -> Self {
        Self { bytes: 16 << 20, lines: 65_536 }
    }
}

/// A file that is named after a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbered {
    /// The record: the first of a sealed segment, the last that a snapshot covers.
    pub seq: u64,
    /// The file.
    pub path: PathBuf,
}

/// The name of a sealed segment, from the workspace's folder.
pub fn name(first: u64) -> String {
    format!("{FOLDER}/{first:012}.{SEALED}")
}

/// Where the sealed segment that begins with this record is, or would be.
pub fn sealed_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(name(first))
}

/// Where the snapshot behind this record is, or would be.
pub fn snapshot_path(dir: &Path, seq: u64) -> PathBuf {
    dir.join(FOLDER).join(format!("{seq:012}.{SNAPSHOT}"))
}

/// The sealed segments, oldest first; none where nothing was sealed yet.
pub fn sealed(dir: &Path) -> io::Result<Vec<Numbered>> {
    numbered(dir, SEALED)
}

/// The snapshots, oldest first.
pub fn snapshots(dir: &Path) -> io::Result<Vec<Numbered>> {
    numbered(dir, SNAPSHOT)
}

fn numbered(dir: &Path, extension: &str) -> io::Result<Vec<Numbered>> {
    let folder = match std::fs::read_dir(dir.join(FOLDER)) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in folder {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.bytes().all(|c| c.is_ascii_digit()));
        if path.extension().is_some_and(|found| found == extension)
            && let Some(seq) = stem.and_then(|stem| stem.parse().ok())
        {
            found.push(Numbered { seq, path });
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes the world that it looks at")]
    fn files_are_listed_by_their_numbers_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sealed(dir.path()).unwrap(), []);
        std::fs::create_dir(dir.path().join(FOLDER)).unwrap();
        let long = 10_u64.pow(13);
        let paths = [sealed_path(dir.path(), 7), sealed_path(dir.path(), long), snapshot_path(dir.path(), 6)];
        let others = ["000000000009.jsonl.new", "notes.jsonl", "-1.jsonl", ".jsonl"].map(|name| dir.path().join(FOLDER).join(name));
        for path in paths.iter().chain(&others) {
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(sealed(dir.path()).unwrap().iter().map(|one| one.seq).collect::<Vec<_>>(), [7, long]);
        assert_eq!(snapshots(dir.path()).unwrap(), [Numbered { seq: 6, path: paths[2].clone() }]);
        assert_eq!(name(7), "journal/000000000007.jsonl");
    }
}
