//! `sculpt audit quarantine`: damaged files are set aside, a record says so, and the journal goes on from what is intact.
//!
//! Nothing is lost by it: every file is copied, and the copy is on disk, before anything is taken away. Killed at any moment it leaves a
//! journal that is still refused, or one that goes on; asked again, it goes on where it was.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chain::{EncodeError, Header, VERSION};
use super::damage::{Damage, Line, survey};
use super::disk::{Disk as _, HostDisk};
use super::error::{Act, Broken, Dead, OpenError, ReadError, WriteError};
use super::follow::{begin, newest};
use super::head::{self, Head};
use super::lock::Lock;
use super::log::{Log, Opening, make_folder};
use super::segment::{self, ACTIVE, FOLDER, NEXT, Numbered};
use super::snapshot::write_whole;
use crate::kernel::record::Record;

/// The name of the folder of what was set aside, in a workspace's folder.
pub const QUARANTINE: &str = "quarantine";

/// What lists the lines behind a break, in the folder in which they are kept.
const REPORT: &str = "damage.json";

/// Damage that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What was wrong.
    pub damage: Damage,
    /// Where the files are kept now, from the workspace's folder.
    pub kept: String,
}

/// Why damage cannot be set aside.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be copied or made.
    #[error("failed to set aside what is damaged, in `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal's beginning was pruned, and no snapshot stands for it: there is nothing intact to go on from.
    #[error(
        "failed to set aside what is damaged: the beginning was pruned and no snapshot is intact, so that nothing is left to go on from"
    )]
    NothingIntact,
    /// What was set aside is found again.
    #[error("failed to set aside what is damaged: it is still there; please report this with the journal")]
    Again(#[source] Broken),
}

impl From<ReadError> for QuarantineError {
    fn from(error: ReadError) -> Self {
        Self::Open(error.into())
    }
}

impl QuarantineError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    line: u64,
    why: String,
    behind: &'a [Line],
}

/// Sets aside what is damaged in the journal of a workspace's folder. Gives what it was; nothing where it is whole.
///
/// # Errors
/// Where an engine has the journal, where it cannot be read or written, or where nothing is intact to go on from.
pub fn quarantine(dir: &Path, opening: &Opening<'_>) -> Result<Vec<Quarantined>, QuarantineError> {
    let mut lock = Lock::take(dir, opening.doing).map_err(OpenError::from)?;
    if let Err(ReadError::Pruned { .. }) = newest(dir) {
        return Err(QuarantineError::NothingIntact);
    }
    let mut done = Vec::new();
    // What is not covered first: from it on nothing else can be believed.
    while let Some(damage) = survey(dir)?.into_iter().min_by_key(|damage| damage.covered) {
        if done.iter().any(|one: &Quarantined| one.damage.broken == damage.broken) {
            return Err(QuarantineError::Again(damage.broken));
        }
        let kept = keep(dir, &damage)?;
        if damage.covered {
            lock = set_aside(lock, dir, opening, &damage, &kept)?;
        } else {
            cut_off(dir, opening, &damage, &kept)?;
        }
        done.push(Quarantined { damage, kept });
    }
    drop(lock);
    Ok(done)
}

/// Copies what is damaged, and all that goes with it, into a folder of its own.
fn keep(dir: &Path, damage: &Damage) -> Result<String, QuarantineError> {
    let name = format!("{QUARANTINE}/{:012}", damage.seq);
    let (mut kept, mut number) = (name.clone(), 1);
    while dir.join(&kept).exists() {
        number += 1;
        kept = format!("{name}-{number}");
    }
    let folder = dir.join(&kept);
    make_folder(&folder).map_err(QuarantineError::io(&folder))?;
    let mut files = vec![dir.join(&damage.file)];
    if !damage.covered {
        files.extend(dropped(dir, damage)?);
        files.push(dir.join(ACTIVE));
        files.push(dir.join(head::FILE));
    }
    files.retain(|file| file.exists());
    files.dedup();
    let fresh = folder.join("new");
    for file in files {
        let copy = folder.join(file.file_name().unwrap_or_default());
        let content = std::fs::read(&file).map_err(QuarantineError::io(&file))?;
        write_whole(&copy, &fresh, &content, &HostDisk).map_err(QuarantineError::io(&copy))?;
    }
    let report = Report { file: &damage.file, line: damage.broken.line, why: damage.broken.to_string(), behind: &damage.behind };
    let path = folder.join(REPORT);
    let text = serde_json::to_vec(&report).map_err(|error| QuarantineError::io(&path)(error.into()))?;
    write_whole(&path, &fresh, &text, &HostDisk).map_err(QuarantineError::io(&path))?;
    for folder in [&folder, &dir.join(QUARANTINE), dir] {
        HostDisk.sync_folder(folder).map_err(QuarantineError::io(folder))?;
    }
    Ok(kept)
}

/// What goes where a break is not covered: the sealed file that it is in, all later ones, and the snapshots behind it.
fn dropped(dir: &Path, damage: &Damage) -> Result<Vec<PathBuf>, QuarantineError> {
    let found = |files: io::Result<Vec<Numbered>>, from: u64| {
        let files = files.map_err(QuarantineError::io(dir))?;
        Ok::<_, QuarantineError>(files.into_iter().filter(move |one| one.seq >= from).map(|one| one.path))
    };
    Ok(found(segment::sealed(dir), damage.begins)?.chain(found(segment::snapshots(dir), damage.seq)?).collect())
}

fn record(damage: &Damage, kept: &str) -> Record {
    let named = damage.behind.iter().filter_map(|line| line.seq).max().unwrap_or(damage.seq);
    Record::Quarantined {
        first: damage.first,
        last: damage.end.map_or(named, |end| end.seq),
        hash: damage.end.map(|end| end.hash.to_string()).unwrap_or_default(),
        why: damage.broken.to_string(),
        kept: kept.to_owned(),
    }
}

/// A sealed segment, or the head file: a record says that it is set aside, and it is taken away.
fn set_aside(lock: Lock, dir: &Path, opening: &Opening<'_>, damage: &Damage, kept: &str) -> Result<Lock, QuarantineError> {
    if damage.file == head::FILE {
        // It is made anew from the journal, which is looked at in the same way as one that never had it.
        remove(&dir.join(head::FILE))?;
    }
    let (snapshot, _) = newest(dir)?;
    let (mut log, _) = Log::<Record>::open_locked(lock, dir, opening, begin(snapshot).0, |_| ())?;
    log.append(&[record(damage, kept)], opening.now).map_err(OpenError::from)?;
    log.sync().map_err(OpenError::from)?;
    if damage.file != head::FILE && dir.join(&damage.file).exists() {
        remove(&dir.join(&damage.file))?;
        log.sync_folder(FOLDER).map_err(QuarantineError::io(&dir.join(FOLDER)))?;
    }
    Ok(log.into_lock())
}

/// The journal goes on from the last line that is intact: what is before it in its file, and a record, become the active segment.
fn cut_off(dir: &Path, opening: &Opening<'_>, damage: &Damage, kept: &str) -> Result<(), QuarantineError> {
    let path = dir.join(&damage.file);
    let mut lines = std::fs::read(&path).map_err(QuarantineError::io(&path))?;
    lines.truncate(usize::try_from(damage.intact).unwrap_or(usize::MAX));
    let mut chain = damage.chain;
    let encode = |error: EncodeError| QuarantineError::Open(WriteError::from(error).into());
    if lines.is_empty() {
        let header = Header { version: VERSION, workspace: opening.workspace.to_owned() };
        chain.push(opening.now, &header, &mut lines).map_err(encode)?;
    }
    chain.push(opening.now, &record(damage, kept), &mut lines).map_err(encode)?;
    let gone = dropped(dir, damage)?;
    let (next, active) = (dir.join(NEXT), dir.join(ACTIVE));
    write_whole(&active, &next, &lines, &HostDisk).map_err(QuarantineError::io(&active))?;
    gone.iter().try_for_each(|path| remove(path))?;
    let last = chain.last().unwrap_or(Head { seq: 0, hash: crate::base::digest::Digest::NONE });
    let head = Head::file(dir).and_then(|file| file.set_len(0).and_then(|()| last.write(&file)).and_then(|()| file.sync_all()));
    head.map_err(|error| QuarantineError::Open(Dead::new(Act::Sync)(error).into()))?;
    for folder in [dir.to_owned(), dir.join(FOLDER)].iter().filter(|folder| folder.exists()) {
        HostDisk.sync_folder(folder).map_err(QuarantineError::io(folder))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the journal's own files, of which copies are kept")]
fn remove(path: &Path) -> Result<(), QuarantineError> {
    std::fs::remove_file(path).map_err(QuarantineError::io(path))
}
