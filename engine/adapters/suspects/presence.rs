//! Whether a suspect is still there, and still as it was seen, when somebody looks.
//!
//! | it is             | as it was seen, where                                                        |
//! |-------------------|------------------------------------------------------------------------------|
//! | a process         | the same one runs: a number that is used again is another one, and it is gone |
//! | lines of a table  | they are in it; where one is not, and another has its command, it was changed |
//! | any other file    | its inode, length and times are those that were seen                          |
//! | a control group   | it is the same one, by its number                                             |
//! | the current context | its name is still the current one                                           |

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::snapshot::Stamp;
use super::table;
use crate::adapters::process::identity::ProcessId;
use crate::kernel::adoption::Found;
use crate::kernel::suspect::{FileMark, Stray, Subject};

/// Whether it is still there, as far as this user can tell: what cannot be looked at is taken to be there.
pub fn is_there(subject: &Subject) -> bool {
    find(subject) != Found::Gone
}

/// What is there of it.
pub fn find(subject: &Subject) -> Found {
    if let Some(process) = subject.process() {
        return if identity(process).alive() { Found::AsSeen } else { Found::Gone };
    }
    let Some(path) = subject.path().map(Path::new) else { return Found::AsSeen };
    match subject {
        Subject::Crontab { lines, .. } if !lines.is_empty() => read(path, |text| table::find(text, lines)),
        Subject::DockerContext { name: Some(name), .. } if path.is_file() => read(path, |text| current(text, name)),
        Subject::AtJob { .. } => file(path, subject.mark(), || runs_now(path)),
        _ => file(path, subject.mark(), || Found::Gone),
    }
}

/// The process that it is.
pub(in crate::adapters) fn identity(process: &Stray) -> ProcessId {
    ProcessId { pid: process.pid, start: process.start, boot: process.boot.clone(), unique: None }
}

fn read(path: &Path, look: impl FnOnce(&str) -> Found) -> Found {
    match fs::read_to_string(path) {
        Ok(text) => look(&text),
        Err(error) if error.kind() == ErrorKind::NotFound => Found::Gone,
        Err(error) => unknown(path, &error),
    }
}

fn unknown(path: &Path, error: &io::Error) -> Found {
    Found::Unknown(format!("failed to read {}: {error}", path.display()))
}

/// Whether a client's configuration still names this context.
fn current(text: &str, name: &str) -> Found {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(config) if config["currentContext"].as_str() == Some(name) => Found::AsSeen,
        Ok(_) => Found::Gone,
        Err(error) => Found::Unknown(format!("failed to read the configuration: {error}")),
    }
}

fn file(path: &Path, seen: Option<&FileMark>, absent: impl FnOnce() -> Found) -> Found {
    let now = match Stamp::of_entry(path) {
        Ok(stamp) => stamp.mark(),
        Err(error) if error.kind() == ErrorKind::NotFound => return absent(),
        Err(error) => return unknown(path, &error),
    };
    // The times of a control group are those of anything that is made in it.
    let is_group = path.starts_with("/sys/fs/cgroup");
    match seen {
        Some(seen) if *seen == now || is_group && seen.inode == now.inode => Found::AsSeen,
        Some(_) => Found::Changed(format!("{} was changed or replaced since then", path.display())),
        None => Found::Changed(format!("how {} looked then is not known", path.display())),
    }
}

/// Whether a file looks as it did then.
pub(in crate::adapters) fn is_as_marked(path: &Path, mark: &FileMark) -> bool {
    Stamp::of_entry(path).is_ok_and(|stamp| stamp.mark() == *mark)
}

/// A job that runs has `=` for its queue.
fn runs_now(path: &Path) -> Found {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.get(1..)).unwrap_or_default();
    if path.with_file_name(format!("={name}")).exists() { Found::Changed("the job runs just now".to_owned()) } else { Found::Gone }
}
