//! The `log` check: a line that a resource has written.
//!
//! Lines are looked at one by one, so that `^` and `$` mean a line's ends and a long log needs no memory. Evidence never quotes a log:
//! it is raw, and may hold secrets.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::{blocking, failed};
use super::reason::{Miss, Reason, answer};
use super::text::Wanted;
use crate::base::time::Span;
use crate::kernel::answer::Answer;
use crate::manifest::check::Log;

/// A longer line is looked at in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// Looks once through the raw log files of a resource, in the given order. A file that is not there (yet) holds nothing.
pub async fn look(check: &Log, files: &[PathBuf], timeout: Span) -> Answer {
    let (check, files) = (check.clone(), files.to_vec());
    let missed = "the log was not read to its end".to_owned();
    answer(blocking(missed, timeout, move |given_up| search(&check, &files, given_up)).await)
}

fn search(check: &Log, files: &[PathBuf], given_up: &AtomicBool) -> Result<String, Miss> {
    // Each of the two may be on a line of its own.
    let mut open = vec![Wanted::new(check.contains.as_deref(), None)?, Wanted::new(None, check.matches.as_deref())?];
    open.retain(|wanted| !wanted.is_empty());
    if open.is_empty() {
        return Err(Miss::new(Reason::Invalid, "a log check needs `contains` or `matches`"));
    }
    for file in files {
        search_file(file, &mut open, given_up)?;
    }
    match open.iter().find_map(Wanted::absence) {
        None => Ok("the log holds it".to_owned()),
        Some(absence) => Err(Miss::new(Reason::File, format!("the log {absence}"))),
    }
}

/// Takes from what is still open whatever a line of the file holds.
fn search_file(path: &Path, open: &mut Vec<Wanted<'_>>, given_up: &AtomicBool) -> Result<(), Miss> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path)(error)),
    };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    while !open.is_empty() {
        if given_up.load(Ordering::Relaxed) {
            return Err(Miss::new(Reason::Timeout, "the log was not read to its end"));
        }
        line.clear();
        if lines.by_ref().take(PIECE).read_until(b'\n', &mut line).map_err(failed(path))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        open.retain(|wanted| !wanted.is_in(text));
    }
    Ok(())
}
