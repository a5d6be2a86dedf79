//! Whether anything has stirred at the places since somebody last looked.
//!
//! The kernel tells (inotify(7)) before whoever changed something is told that it is done, so that silence is certain, and costs one
//! system call where a look at all places costs a hundred. What this user may not watch is looked at by its times.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

use super::places::{Holds, Place};
use super::snapshot::Stamp;

/// A folder in which something could appear.
const APPEARS: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO).union(WatchFlags::DELETE_SELF).union(WatchFlags::MOVE_SELF);

/// A folder or file of which everything matters.
const CHANGES: WatchFlags =
    APPEARS.union(WatchFlags::MODIFY).union(WatchFlags::ATTRIB).union(WatchFlags::DELETE).union(WatchFlags::MOVED_FROM);

/// Hears whether something stirs, from when it was made.
#[derive(Debug)]
pub(super) struct Stir {
    events: OwnedFd,
    /// What may not be watched, with its times.
    unwatched: Vec<(PathBuf, Option<Stamp>)>,
}

impl Stir {
    /// Listens at these places, and where one of them is not there, where it would appear.
    ///
    /// # Errors
    /// Where the host gives this user no more watches.
    pub(super) fn at(places: &[Place]) -> io::Result<Self> {
        let events = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut unwatched = Vec::new();
        for place in places {
            let there = place.path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
            let whole = there == place.path && !matches!(place.holds, Holds::Running(_));
            // One folder may be above several places, or be one itself: what is asked for is added up.
            let wanted = if whole { CHANGES } else { APPEARS } | WatchFlags::MASK_ADD;
            match add_watch(&events, there, wanted) {
                Ok(_) => {}
                // Gone in this moment, or closed to this user.
                Err(rustix::io::Errno::ACCESS | rustix::io::Errno::NOENT) => unwatched.push((place.path.clone(), stamp(&place.path))),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { events, unwatched })
    }

    /// Whether something has stirred since it was made. Once it has, another one is made before the next look. A doubt counts as a yes.
    pub(super) fn heard(&self) -> bool {
        let mut events = [0; 4096];
        let silent = matches!(rustix::io::read(&self.events, &mut events), Err(rustix::io::Errno::AGAIN));
        !silent || self.unwatched.iter().any(|(path, before)| stamp(path) != *before)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    Stamp::of_place(path).ok()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write what cron would")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn silence_ends_with_any_change_and_with_what_appears() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("cron.d")).unwrap();
        fs::write(path("cron.d/one"), "a").unwrap();
        fs::write(path("crontab"), "a").unwrap();
        let places = [
            Place { path: path("cron.d"), holds: Holds::CronFolder },
            Place { path: path("crontab"), holds: Holds::CronTable },
            Place { path: path("home/.docker/config.json"), holds: Holds::DockerConfig },
        ];
        let heard = |change: &dyn Fn()| {
            let stir = Stir::at(&places).unwrap();
            assert!(!stir.heard(), "nothing has stirred yet");
            change();
            stir.heard()
        };
        assert!(!heard(&|| drop(fs::read(path("cron.d/one")).unwrap())), "a look changes nothing");
        assert!(heard(&|| fs::write(path("cron.d/one"), "b").unwrap()), "in place");
        assert!(heard(&|| fs::write(path("cron.d/two"), "b").unwrap()), "a new one");
        assert!(heard(&|| fs::remove_file(path("cron.d/two")).unwrap()));
        assert!(heard(&|| fs::write(path("crontab"), "b").unwrap()));
        assert!(heard(&|| fs::rename(path("cron.d/one"), path("crontab")).unwrap()), "another file in its place");
        // Each folder on the way to what is not there yet.
        assert!(heard(&|| fs::create_dir(path("home")).unwrap()));
        assert!(heard(&|| fs::create_dir(path("home/.docker")).unwrap()));
        assert!(heard(&|| fs::write(path("home/.docker/config.json"), "{}").unwrap()));
    }
}
