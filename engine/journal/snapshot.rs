//! Snapshots: the state behind a sealed segment, so that opening reads only what came after it.
//!
//! A snapshot is a file of three lines:
//!
//! ```text
//! {"snapshot":1,"workspace":"<id>","seq":65536,"hash":"<64 hex>"}
//! {"state":{…},"beside":{…}}
//! <64 hex>
//! ```
//!
//! - `seq` and `hash` are those of the last line that it covers. The first line behind it continues that hash: a snapshot of another chain
//!   is seen at once;
//! - the last line is the SHA-256 of the two lines before it, with their line feeds.
//!
//! It is derived and never trusted: one that is damaged, of a version that is not known or of another chain is left aside, said, and the one
//! before it or the journal's beginning stands for it. An engine that writes another version must go on reading those before it: what was
//! pruned is in no other place. (A field that is added to the state has a `#[serde(default)]` and needs no version.)

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::beside::Beside;
use super::disk::{Disk, Whole};
use super::head::Head;
use super::segment::{FOLDER, snapshot_path};
use crate::base::digest::Digest;
use crate::kernel::state::State;

/// The version that this code writes, and the only one that it reads so far.
pub const VERSION: u64 = 1;

/// How many are kept: with the older one all can be read again where the newer one is damaged.
pub const KEPT: usize = 2;

/// A snapshot to be: what is left of it after a crash means nothing, and is written over.
const FRESH: &str = "snapshot.new";

/// The state behind a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The workspace.
    pub workspace: String,
    /// The last line that it covers.
    pub last: Head,
    /// The fold of all records up to there.
    pub state: State,
    /// What they say beside it.
    pub beside: Beside,
}

/// Why a snapshot is left aside.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its bytes do not give its digest.
    #[error("its digest does not match its content: it was altered")]
    Altered,
    /// It has a version that this engine does not know.
    #[error("it has version {0}, and this engine reads version {VERSION}")]
    Version(u64),
    /// Its content is not understood.
    #[error("its content is not understood: {0}")]
    Unknown(#[from] serde_json::Error),
    /// The journal does not go on from it.
    #[error("the journal does not go on from it: it is a snapshot of another chain")]
    Foreign,
}

/// A snapshot that was left aside. Nothing is lost by it, but somebody should look.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot {} is left aside, and more of the journal read instead: {why}", path.display())]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: Unusable,
}

#[derive(Serialize, Deserialize)]
struct Label {
    snapshot: u64,
    #[serde(default)]
    workspace: String,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    hash: String,
}

#[derive(Serialize)]
struct Written<'a> {
    state: &'a State,
    beside: &'a Beside,
}

#[derive(Deserialize)]
struct Content {
    state: State,
    beside: Beside,
}

/// Writes a snapshot, and brings it to disk before it has its name.
pub(super) fn write(dir: &Path, workspace: &str, last: Head, state: &State, beside: &Beside, disk: &dyn Disk) -> io::Result<()> {
    let label = Label { snapshot: VERSION, workspace: workspace.to_owned(), seq: last.seq, hash: last.hash.to_string() };
    let mut text = serde_json::to_vec(&label)?;
    text.push(b'\n');
    serde_json::to_writer(&mut text, &Written { state, beside })?;
    text.push(b'\n');
    let digest = Digest::of(&text);
    text.extend_from_slice(&digest.hex());
    text.push(b'\n');
    let folder = dir.join(FOLDER);
    write_whole(&snapshot_path(dir, last.seq), &folder.join(FRESH), &text, disk)?;
    disk.sync_folder(&folder)
}

/// Writes a file that is there whole or not at all, once its folder is synced too. Until it is whole it has another name.
#[expect(clippy::disallowed_methods, reason = "the journal's own files: what grants permits cannot need one")]
pub(super) fn write_whole(path: &Path, fresh: &Path, content: &[u8], disk: &dyn Disk) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(fresh)?;
    file.write_all(content)?;
    disk.sync(&file, Whole::All)?;
    std::fs::rename(fresh, path)
}

/// Reads a snapshot.
pub fn read(path: &Path) -> Result<Snapshot, Unusable> {
    let text = std::fs::read(path)?;
    let (covered, digest) =
        text.strip_suffix(b"\n").and_then(|text| text.split_at_checked(text.len().checked_sub(64)?)).ok_or(Unusable::Altered)?;
    if Digest::from_hex(digest) != Some(Digest::of(covered)) {
        return Err(Unusable::Altered);
    }
    let end = covered.iter().position(|byte| *byte == b'\n').ok_or(Unusable::Altered)?;
    let (label, content) = covered.split_at(end);
    let label: Label = serde_json::from_slice(label)?;
    if label.snapshot != VERSION {
        return Err(Unusable::Version(label.snapshot));
    }
    let hash = Digest::from_hex(label.hash.as_bytes()).ok_or(Unusable::Altered)?;
    let Content { state, beside } = serde_json::from_slice(content)?;
    Ok(Snapshot { workspace: label.workspace, last: Head { seq: label.seq, hash }, state: state.restored(), beside })
}
