//! How the places look at one moment. Taken anew it costs one look at each place; what has not changed is shared with the one before.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::places::{Holds, Place};
use crate::base::time::Timestamp;
use crate::kernel::suspect::FileMark;

/// In a folder with more files than this only the folder's own times are looked at, which tell of new ones but not of changed ones.
const ONE_BY_ONE: usize = 64;

/// Of a longer table only what its times tell is seen, in bytes.
const MAX_TEXT: u64 = 64 << 10;

/// A file that was written this shortly before a look, in milliseconds, may be written again without its times telling: a kernel's clock
/// for files moves in ticks of up to 10 ms.
const TICK: u64 = 50;

/// How one file or folder looks. Nobody can write a file, or into a folder, and leave all of it as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    links: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of a place, wherever a link leads.
    pub(super) fn of_place(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|meta| Self::of(&meta))
    }

    /// Of an entry, which may be a link that leads nowhere.
    pub(super) fn of_entry(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|meta| Self::of(&meta))
    }

    fn of(meta: &fs::Metadata) -> Self {
        Self {
            inode: meta.ino(),
            links: meta.nlink(),
            size: meta.size(),
            written: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// The same, to be written down.
    pub fn mark(&self) -> FileMark {
        FileMark { inode: self.inode, size: self.size, written: self.written, changed: self.changed }
    }

    /// When it was last changed, whatever it says itself.
    pub fn when(&self) -> Timestamp {
        let milliseconds = self.changed.0.saturating_mul(1000).saturating_add(self.changed.1 / 1_000_000);
        Timestamp(u64::try_from(milliseconds).unwrap_or(0))
    }
}

/// What is at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Absent,
    /// It, as far as this user may look.
    There {
        /// The place itself.
        own: Stamp,
        /// The entries of a folder, or the one file; none where this user may not list them.
        entries: Option<BTreeMap<String, Entry>>,
    },
    /// It could not be looked at. Nothing is known then, and nothing is said.
    Unknown,
}

/// One file, or one folder in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    /// What matters of it, where that is read: a crontab's text, the name of the current Docker context.
    pub(super) text: Option<Arc<str>>,
}

#[derive(Debug)]
struct Picture {
    look: Look,
    /// Written so shortly before that its times do not tell of the next change.
    hot: bool,
}

/// How the places of a host look at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    places: Arc<[Place]>,
    pictures: Vec<Arc<Picture>>,
}

impl Snapshot {
    /// Looks at all of it. `now` is the time, which tells what was written in this very moment.
    pub fn take(places: Vec<Place>, now: Timestamp) -> Self {
        let pictures = places.iter().map(|place| Arc::new(picture(place, None, now))).collect();
        Self { places: places.into(), pictures }
    }

    /// Looks again: at the times first, and at the rest only where they have changed.
    pub fn again(&self, now: Timestamp) -> Self {
        let look = |(place, before): (&Place, &Arc<Picture>)| {
            if before.hot || !is_unchanged(place, &before.look) {
                Arc::new(picture(place, Some(&before.look), now))
            } else {
                Arc::clone(before)
            }
        };
        Self { places: Arc::clone(&self.places), pictures: self.places.iter().zip(&self.pictures).map(look).collect() }
    }

    /// What is looked at.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The places that differ, with how they looked and look.
    pub(super) fn changed<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = (&'a Place, &'a Look, &'a Look)> {
        let pairs = self.places.iter().zip(self.pictures.iter().zip(&after.pictures));
        let changed = pairs.filter(|(_, (before, after))| !Arc::ptr_eq(before, after) && before.look != after.look);
        changed.map(|(place, (before, after))| (place, &before.look, &after.look))
    }
}

/// Where an entry of a place is.
pub(super) fn path_of(place: &Place, name: &str) -> PathBuf {
    if place.holds.is_file() { place.path.clone() } else { place.path.join(name) }
}

fn is_unchanged(place: &Place, before: &Look) -> bool {
    let now = Stamp::of_place(&place.path);
    match before {
        Look::Absent => now.is_err_and(|error| is_absent(&error)),
        Look::Unknown => false,
        Look::There { own, entries } => {
            let few = entries.as_ref().filter(|entries| entries.len() <= ONE_BY_ONE && !place.holds.is_file());
            now.is_ok_and(|now| now == *own)
                && few.is_none_or(|entries| {
                    entries.iter().all(|(name, entry)| Stamp::of_entry(&place.path.join(name)).is_ok_and(|now| now == entry.stamp))
                })
        }
    }
}

fn picture(place: &Place, before: Option<&Look>, now: Timestamp) -> Picture {
    let look = look(place, before);
    let hot = match &look {
        Look::Absent => false,
        Look::Unknown => true,
        Look::There { own, entries } => {
            let stamps = entries.iter().flat_map(|entries| entries.values().map(|entry| &entry.stamp));
            std::iter::once(own).chain(stamps).any(|stamp| stamp.when().0 + TICK > now.0)
        }
    };
    Picture { look, hot }
}

fn look(place: &Place, before: Option<&Look>) -> Look {
    let own = match Stamp::of_place(&place.path) {
        Ok(own) => own,
        Err(error) if is_absent(&error) => return Look::Absent,
        Err(_) => return Look::Unknown,
    };
    let known = match before {
        Some(Look::There { entries, .. }) => entries.as_ref(),
        _ => None,
    };
    let entry = |name: &str, path: &Path| {
        let stamp = if place.holds.is_file() { Stamp::of_place(path) } else { Stamp::of_entry(path) }.ok()?;
        let same = known.and_then(|known| known.get(name)).filter(|known| known.stamp == stamp);
        // What was written in the same tick may have another text behind the same times: a text is always read again.
        Some(same.filter(|same| same.text.is_none()).cloned().unwrap_or_else(|| Entry { stamp, text: text(place.holds, path, &stamp) }))
    };
    if place.holds.is_file() {
        let name = place.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let entries = entry(&name, &place.path).map(|entry| BTreeMap::from([(name, entry)]));
        return Look::There { own, entries };
    }
    let Ok(listed) = fs::read_dir(&place.path) else { return Look::There { own, entries: None } };
    let names = listed.flatten().filter_map(|listed| listed.file_name().into_string().ok()).filter(|name| place.holds.takes(name));
    // One that is gone again by now is not there.
    let entries = names.filter_map(|name| entry(&name, &place.path.join(&name)).map(|entry| (name, entry))).collect();
    Look::There { own, entries: Some(entries) }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What matters of a file before it changes; none where nothing does, or this user may not read it.
fn text(holds: Holds, path: &Path, stamp: &Stamp) -> Option<Arc<str>> {
    if stamp.size > MAX_TEXT {
        return None;
    }
    match holds {
        Holds::Crontabs | Holds::CronFolder | Holds::CronTable => fs::read_to_string(path).ok().map(Arc::from),
        // Its other fields hold credentials, and change with them.
        Holds::DockerConfig => {
            let config: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            Some(Arc::from(config["currentContext"].as_str().unwrap_or("default")))
        }
        _ => None,
    }
}
