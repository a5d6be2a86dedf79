//! Two snapshots → what is new between them, entry by entry. What has gone starts no work, and is not told.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::places::{Holds, Place};
use super::snapshot::{Entry, Look, Snapshot, path_of};
use crate::base::time::Timestamp;
use crate::kernel::suspect::FileMark;

/// How much of a new file is read to see whom it names, in bytes.
const READ: u64 = 64 << 10;

/// Something that was not so before.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) holds: Holds,
    /// The entry's name; empty for a folder that this user may not list.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// False where it was there before, and is another one now.
    pub(super) is_new: bool,
    /// What of it is new; none where it could not be read.
    pub(super) text: Option<String>,
    /// How it looks.
    pub(super) mark: FileMark,
    pub(super) when: Timestamp,
}

/// What is new or changed.
pub(super) fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    before.changed(after).flat_map(|(place, before, after)| of_place(place, before, after)).collect()
}

fn of_place(place: &Place, before: &Look, after: &Look) -> Vec<Change> {
    let Look::There { own, entries } = after else { return Vec::new() };
    let known = match before {
        // What was not seen before is not known to be new.
        Look::Unknown => return Vec::new(),
        Look::Absent => Some(BTreeMap::new()),
        Look::There { entries, .. } => entries.clone(),
    };
    match (entries, known) {
        (Some(entries), Some(known)) => entries.iter().filter_map(|(name, entry)| of_entry(place, name, entry, &known)).collect(),
        (None, _) => {
            let path = place.path.clone();
            vec![Change { holds: place.holds, name: String::new(), path, is_new: false, text: None, mark: own.mark(), when: own.when() }]
        }
        (Some(_), None) => Vec::new(),
    }
}

fn of_entry(place: &Place, name: &str, entry: &Entry, known: &BTreeMap<String, Entry>) -> Option<Change> {
    let before = match place.holds {
        // A job that runs has `=` for its queue.
        Holds::AtJobs => known.iter().find(|(other, _)| other.get(1..) == name.get(1..)).map(|(_, entry)| entry),
        _ => known.get(name),
    };
    let path = path_of(place, name);
    let text = match (place.holds, before) {
        // Their times are not those of anything that happens to them; a job is never changed, only renamed.
        (Holds::Running(_) | Holds::AtJobs | Holds::DockerContexts, Some(_)) => return None,
        (Holds::Running(_), None) => None,
        (Holds::Crontabs | Holds::CronFolder | Holds::CronTable, _) => match new_lines(before, entry) {
            Some(lines) if lines.is_empty() => return None,
            lines => lines,
        },
        (Holds::DockerConfig, _) => {
            let (was, is) = (before.map_or(Some("default"), |before| before.text.as_deref()), entry.text.as_deref());
            if was == is {
                return None;
            }
            entry.text.as_deref().map(str::to_owned)
        }
        (Holds::DockerContexts, None) => beginning(&path.join("meta.json")),
        (Holds::Units(_), Some(before)) if before.stamp == entry.stamp => return None,
        (Holds::Units(_) | Holds::AtJobs, _) => beginning(&path),
    };
    let (is_new, mark, when) = (before.is_none(), entry.stamp.mark(), entry.stamp.when());
    Some(Change { holds: place.holds, name: name.to_owned(), path, is_new, text, mark, when })
}

/// The lines of a table that it did not have before; none where it could not be read. Comments and blanks start nothing.
fn new_lines(before: Option<&Entry>, after: &Entry) -> Option<String> {
    if before.is_some_and(|before| before.stamp == after.stamp && before.text == after.text) {
        return Some(String::new());
    }
    let text = after.text.as_deref()?;
    let known: HashSet<&str> = before.and_then(|before| before.text.as_deref()).unwrap_or_default().lines().collect();
    let is_new = |line: &&str| !known.contains(line) && !line.trim().is_empty() && !line.trim_start().starts_with('#');
    Some(text.lines().filter(is_new).collect::<Vec<_>>().join("\n"))
}

/// What a file begins with.
fn beginning(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(READ).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
