//! Reading and writing the small files of cgroups.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::adapters::process::scope::ScopeError;

/// Puts an error in words: what was done to which file.
pub(in crate::adapters::process) fn failed(step: &str, path: &Path) -> impl FnOnce(io::Error) -> ScopeError + use<> {
    let step = format!("{step} {}", path.display());
    move |source| ScopeError { step, source }
}

/// Opens a file to write one line at a time into it. It is never made.
pub(super) fn open_for_writing(path: &Path) -> io::Result<File> {
    #[expect(clippy::disallowed_methods, reason = "a control file of a group of ours")]
    File::options().write(true).custom_flags(rustix::fs::OFlags::CLOEXEC.bits().cast_signed()).open(path)
}

pub(in crate::adapters::process) fn write(path: &Path, text: &str) -> io::Result<()> {
    io::Write::write_all(&mut open_for_writing(path)?, text.as_bytes())
}

/// The number in a file; none where there is no such file, or no number in it.
pub(in crate::adapters::process) fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a word at the beginning of a line.
pub(in crate::adapters::process) fn numbered(path: &Path, word: &str) -> Option<u64> {
    after(&fs::read_to_string(path).ok()?, word)
}

/// The same in a text.
pub(super) fn after(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Makes a directory and those above it; true where it is new.
pub(in crate::adapters::process) fn make(path: &Path) -> io::Result<bool> {
    #[expect(clippy::disallowed_methods, reason = "a group of ours")]
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent() else { return Err(error) };
            make(parent)?;
            make(path)
        }
        Err(error) => Err(error),
    }
}

/// Removes a group with all groups inside it. The kernel refuses while a process is in it.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    for child in children(path) {
        remove(&child)?;
    }
    gone(fs::remove_dir(path))
}

/// Whether there are groups inside this one: each is a link to its parent beside the parent's own two. Costs one look instead of a listing.
pub(super) fn has_children(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 2)
}

/// The groups directly inside this one.
pub(super) fn children(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The processes in a group and in those inside it; none where it is gone.
pub(in crate::adapters::process) fn processes(path: &Path) -> io::Result<BTreeSet<u32>> {
    let text = match fs::read_to_string(path.join("cgroup.procs")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    // A zero is a process that our PID namespace does not show.
    let mut found: BTreeSet<u32> = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect();
    for child in children(path) {
        found.extend(processes(&child)?);
    }
    Ok(found)
}

/// All directories of this name in a hierarchy, wherever an earlier engine was when it made them.
pub(super) fn named(mount: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![mount.to_path_buf()];
    while let Some(path) = next.pop() {
        for child in children(&path) {
            if child.file_name().is_some_and(|file| file == name) {
                found.push(child);
            } else {
                next.push(child);
            }
        }
    }
    found
}
