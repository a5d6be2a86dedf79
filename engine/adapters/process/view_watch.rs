//! Views stay covered: a file that is made anew at a covered place is covered too, as soon as it is there.
//!
//! A server that starts removes its socket and makes another one. With a file all that is mounted onto it goes, in every mount namespace,
//! and nothing can be mounted where nothing is; so the folders are watched, and what appears there is covered in every view at once.
//!
//! | at a place | is watched |
//! |---|---|
//! | a file | every folder on its path, for the next name on it; the same for the file that it leads to |
//! | nothing yet | every folder of its path that is there |
//!
//! Between a server's `bind` and the mount lies the time in which a thread wakes up: who connects just then gets past. Covering the folder
//! instead would close that, and would hide from the view whatever else is made in it: of `/run`, nearly everything.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::view::{View, cover_again};

/// When it is tried again where a view could not be covered: the file may have gone again meanwhile.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Watches over the views of one engine. It ends with the last of them that somebody holds, or with the engine.
#[derive(Debug, Default)]
pub struct ViewWatch {
    thread: Mutex<Option<(Arc<Shared>, PipeWriter)>>,
}

/// A view that stays covered for as long as this is kept.
#[derive(Debug)]
pub struct Watched {
    namespace: Arc<File>,
    places: Vec<PathBuf>,
    by: PathBuf,
}

impl Watched {
    /// What is kept covered.
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }
}

#[derive(Debug)]
struct Shared {
    inotify: OwnedFd,
    views: Mutex<Vec<Weak<Watched>>>,
    /// What is waited for, by the watch of its folder.
    names: Mutex<HashMap<i32, Vec<OsString>>>,
}

impl ViewWatch {
    /// Keeps these places covered in a view, by this file, whether or not something is there now.
    ///
    /// # Errors
    /// Where the kernel lets nobody watch any more.
    pub fn keep(&self, view: &View, places: Vec<PathBuf>, by: &Path) -> io::Result<Arc<Watched>> {
        let watched = Arc::new(Watched { namespace: Arc::clone(&view.namespace), places, by: by.to_owned() });
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            *thread = Some(begin()?);
        }
        if let Some((shared, wake)) = &mut *thread {
            lock(&shared.views).push(Arc::downgrade(&watched));
            shared.watch(&watched.places)?;
            // What came between the view and the watch is looked for once.
            wake.write_all(b"!")?;
        }
        Ok(watched)
    }
}

fn begin() -> io::Result<(Arc<Shared>, PipeWriter)> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let shared = Arc::new(Shared { inotify, views: Mutex::default(), names: Mutex::default() });
    let (woken, wake) = io::pipe()?;
    let theirs = Arc::clone(&shared);
    std::thread::Builder::new().name("views".to_owned()).spawn(move || theirs.keep_covered(woken))?;
    Ok((shared, wake))
}

impl Shared {
    /// Until the other end of the pipe is closed.
    fn keep_covered(&self, mut woken: PipeReader) {
        let mut covered = true;
        loop {
            let mut ready = [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&woken, PollFlags::IN)];
            match poll(&mut ready, (!covered).then_some(&AGAIN)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            let asked = ready[1].revents();
            if asked.contains(PollFlags::IN) {
                // One byte for each who asked; those that are left wake us again.
                if !matches!(io::Read::read(&mut woken, &mut [0; 64]), Ok(1..)) {
                    return;
                }
            } else if !asked.is_empty() {
                return;
            }
            if self.has_news() || !asked.is_empty() || !covered {
                covered = self.cover_all();
            }
        }
    }

    /// Reads all that has happened. True where some of it is about a place.
    fn has_news(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        let names = lock(&self.names);
        let mut news = false;
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| OsString::from_vec(name.to_bytes().to_vec()));
            let about = |name: &OsString| names.get(&event.wd()).is_some_and(|wanted| wanted.contains(name));
            // What was lost of the queue may have been about any.
            news |= event.events().contains(ReadFlags::QUEUE_OVERFLOW) || name.as_ref().is_some_and(about);
        }
        news
    }

    /// Covers what is there in every view. False where one could not be.
    fn cover_all(&self) -> bool {
        let views: Vec<Arc<Watched>> = {
            let mut views = lock(&self.views);
            views.retain(|view| view.strong_count() > 0);
            views.iter().filter_map(Weak::upgrade).collect()
        };
        let mut covered = true;
        for view in &views {
            covered &= cover_again(&view.namespace, &view.places, &view.by).is_ok();
            // A folder that is new has its own watch, and was looked into only after that.
            covered &= self.watch(&view.places).is_ok_and(|new| !new) || cover_again(&view.namespace, &view.places, &view.by).is_ok();
        }
        covered
    }

    /// Watches for these places. True where a folder is watched for something that it was not before.
    fn watch(&self, places: &[PathBuf]) -> io::Result<bool> {
        let mut new = false;
        for place in places {
            let real = place.canonicalize().ok();
            for path in [Some(place), real.as_ref()].into_iter().flatten() {
                for (folder, name) in awaited(path) {
                    new |= self.watch_for(folder, name)?;
                }
            }
        }
        Ok(new)
    }

    fn watch_for(&self, folder: &Path, name: &OsStr) -> io::Result<bool> {
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        let watch = match inotify::add_watch(&self.inotify, folder, flags) {
            Ok(watch) => watch,
            // It has gone meanwhile: who makes it again is seen above it.
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        let mut names = lock(&self.names);
        let wanted = names.entry(watch).or_default();
        let new = wanted.iter().all(|other| other != name);
        if new {
            wanted.push(name.to_owned());
        }
        Ok(new)
    }
}

/// The folders on the way to a path that are there, each with the name that is awaited in it.
fn awaited(path: &Path) -> impl Iterator<Item = (&Path, &OsStr)> {
    path.ancestors().filter_map(|below| Some((below.parent().filter(|folder| folder.is_dir())?, below.file_name()?)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "folders to look at")]
    fn each_folder_that_is_there_is_watched_for_the_next_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c.sock");
        let last = |path: &Path| awaited(path).next().map(|(folder, name)| (folder.to_owned(), name.to_owned()));
        assert_eq!(last(&path), Some((dir.path().to_owned(), "a".into())));
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        assert_eq!(last(&path), Some((dir.path().join("a/b"), "c.sock".into())));
        assert_eq!(awaited(&path).last(), Some((Path::new("/"), dir.path().iter().nth(1).unwrap())));
    }
}
