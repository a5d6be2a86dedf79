//! The `file` check: a path exists, or does not, and holds what is expected.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use super::deadline::Deadline;
use super::reason::{Miss, Reason, answer};
use super::surroundings::Surroundings;
use super::text::{LIMIT, Wanted};
use crate::base::digest::Digest;
use crate::base::size::ByteSize;
use crate::base::time::Span;
use crate::kernel::answer::Answer;
use crate::manifest::check::{FileCheck, FileExpect};

/// Looks once. Links are followed; content is looked through up to 8 MiB, and hashed to its end.
pub async fn look(check: &FileCheck, surroundings: &Surroundings, timeout: Span) -> Answer {
    let expect = match check {
        FileCheck::Path(path) => FileExpect { path: path.clone(), ..FileExpect::default() },
        FileCheck::Full(expect) => expect.clone(),
    };
    let path = surroundings.path(&expect.path);
    let missed = format!("no answer about {}", path.display());
    answer(blocking(missed, timeout, move |given_up| inspect(&path, &expect, given_up)).await)
}

/// Work on files, off the threads that drive connections. After the timeout it is told to give up.
pub(super) async fn blocking(
    missed: String,
    timeout: Span,
    work: impl FnOnce(&AtomicBool) -> Result<String, Miss> + Send + 'static,
) -> Result<String, Miss> {
    struct GiveUp(Arc<AtomicBool>);
    impl Drop for GiveUp {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    // Dropped with this future, also where the look itself is dropped.
    let give_up = GiveUp(Arc::default());
    let flag = Arc::clone(&give_up.0);
    let done = Deadline::new(timeout).bound(&missed, tokio::task::spawn_blocking(move || work(&flag))).await?;
    done.unwrap_or_else(|error| Err(Miss::new(Reason::Io, format!("{missed}: {error}"))))
}

/// What an error of a file means.
pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> Miss {
    let path: PathBuf = path.to_owned();
    move |error| {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Miss::new(Reason::Missing, format!("{path} is not there")),
            io::ErrorKind::PermissionDenied => Miss::new(Reason::Permission, format!("{path} may not be looked at: {error}")),
            _ => Miss::new(Reason::Io, format!("{path} cannot be looked at: {error}")),
        }
    }
}

fn inspect(path: &Path, expect: &FileExpect, given_up: &AtomicBool) -> Result<String, Miss> {
    let wanted = Wanted::new(expect.contains.as_deref(), expect.matches.as_deref())?;
    let shown = path.display();
    let found = std::fs::metadata(path).map_err(failed(path));
    if expect.exists == Some(false) {
        return match found {
            Ok(_) => Err(Miss::new(Reason::File, format!("{shown} is there, and should not be"))),
            Err(Miss { reason: Reason::Missing, evidence }) => Ok(evidence),
            Err(miss) => Err(miss),
        };
    }
    let found = found?;
    let asks_for_content = !wanted.is_empty() || expect.sha256.is_some();
    // A pipe or a device would be read for ever.
    if !found.is_file() && (asks_for_content || expect.min_size.is_some()) {
        return Err(Miss::new(Reason::File, format!("{shown} is not a file")));
    }
    let size = ByteSize(found.len());
    if let Some(least) = expect.min_size.filter(|least| size < *least) {
        return Err(Miss::new(Reason::File, format!("{shown} has {size} bytes, wanted at least {least}")));
    }
    if asks_for_content {
        content(path, &wanted, expect.sha256.as_deref(), given_up)?;
    }
    Ok(format!("{shown} is there"))
}

fn content(path: &Path, wanted: &Wanted<'_>, sha256: Option<&str>, given_up: &AtomicBool) -> Result<(), Miss> {
    let shown = path.display();
    let mut file = File::open(path).map_err(failed(path))?;
    let (mut kept, mut whole, mut hash) = (Vec::new(), true, Sha256::new());
    let mut buffer = vec![0; 64 << 10];
    while whole || sha256.is_some() {
        if given_up.load(Ordering::Relaxed) {
            return Err(Miss::new(Reason::Timeout, format!("{shown} was not read to its end")));
        }
        let bytes = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => &buffer[..bytes],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(path)(error)),
        };
        if sha256.is_some() {
            hash.update(bytes);
        }
        let room = (LIMIT - kept.len()).min(bytes.len());
        if !wanted.is_empty() {
            kept.extend_from_slice(&bytes[..room]);
            whole &= room == bytes.len();
        }
    }
    if let Some(lacks) = wanted.lacks(&String::from_utf8_lossy(&kept)) {
        let beyond = format!("{shown} is longer than the {} MiB that are looked through, and there {lacks}", LIMIT >> 20);
        return Err(if whole { Miss::new(Reason::File, format!("{shown} {lacks}")) } else { Miss::new(Reason::TooLarge, beyond) });
    }
    let Some(sha256) = sha256 else { return Ok(()) };
    let hash = Digest::from(<[u8; 32]>::from(hash.finalize()));
    if Digest::from_hex(sha256.to_ascii_lowercase().as_bytes()) == Some(hash) {
        return Ok(());
    }
    Err(Miss::new(Reason::File, format!("{shown} has the SHA-256 {hash}, wanted {sha256}")))
}
