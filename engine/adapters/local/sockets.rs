//! The sockets of endpoints: one for each scope, in a folder of the workspace.
//!
//! | when | then |
//! |---|---|
//! | a command begins | its scope's socket is made, and the folder where it is not there; or the one that the scope has kept is used again |
//! | it has ended | its socket is kept for the next in that scope |
//! | the scopes of a goal are removed, since nothing of it runs | so are their sockets, and the folder with the last of them |
//! | the engine ends | so is all that is there, also what an engine that was killed has left |
//!
//! Only the engine that holds the workspace's journal is in that folder. The one above it is of all workspaces of this user: whoever finds it
//! empty removes it, and whoever needs it meanwhile makes it again.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UnixListener;

use crate::adapters::process::view::View;
use crate::adapters::process::view_watch::Watched;
use crate::base::digest::Digest;
use crate::base::name::Name;

/// How often the folders may be removed by others while a socket is being made.
const TRIES: u32 = 1000;

/// The sockets of one workspace.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: PathBuf,
    kept: Mutex<Kept>,
}

/// Those that nobody uses now, by the names of their scopes.
#[derive(Debug, Default)]
struct Kept {
    sockets: HashMap<String, Arc<Socket>>,
    /// Whether the engine has ended, and nothing is kept any more.
    over: bool,
}

/// A socket that takes connections.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    /// The view in which it is in the place of others, and what keeps it there.
    pub(super) view: Mutex<Option<(View, Arc<Watched>)>>,
    inode: (u64, u64),
}

impl Sockets {
    pub(super) fn of(workspace: &str) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let base = if uid == 0 { PathBuf::from("/run/sculpt") } else { PathBuf::from(format!("/tmp/sculpt-{uid}")) };
        Self::at(base.join(workspace.get(..12).unwrap_or(workspace)))
    }

    fn at(folder: PathBuf) -> Self {
        Self { folder, kept: Mutex::default() }
    }

    /// The folder that they are in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket of a scope.
    pub(super) fn take(&self, scope: &str) -> io::Result<Arc<Socket>> {
        // Held until it is made: nobody of this engine removes the folder before.
        let mut kept = self.lock();
        if let Some(socket) = kept.sockets.remove(scope) {
            return Ok(socket);
        }
        for _ in 0..TRIES {
            match self.make(scope) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                made => return made.map(Arc::new),
            }
        }
        self.make(scope).map(Arc::new)
    }

    /// Keeps a socket for the next in its scope.
    pub(super) fn keep(&self, scope: String, socket: &Arc<Socket>) {
        let mut kept = self.lock();
        if !kept.over {
            kept.sockets.insert(scope, Arc::clone(socket));
        }
    }

    /// Removes those of the scopes of a goal of which nothing runs.
    pub(super) fn tidy(&self, goal: &Name) {
        let mut kept = self.lock();
        kept.sockets.retain(|scope, socket| {
            let stays = scope.split('/').next() != Some(goal.as_str());
            if !stays {
                // Whoever served the last command in it may not have let go of it yet.
                socket.remove();
            }
            stays
        });
        self.remove_folder();
    }

    /// Removes all that is there. The workspace's journal must still be held: who holds it next may make the same ones again.
    pub(super) fn leave(&self) {
        let mut kept = self.lock();
        kept.over = true;
        kept.sockets.clear();
        // In a folder that everybody can write, somebody else may have made it, to lead us elsewhere.
        if !self.is_private() {
            return;
        }
        let there = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in there.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket())) {
            drop(remove(&entry.path()));
        }
        self.remove_folder();
    }

    fn make(&self, scope: &str) -> io::Result<Socket> {
        private(&self.folder)?;
        let name = String::from_utf8_lossy(&Digest::of(scope.as_bytes()).hex()[..16]).into_owned();
        let path = self.folder.join(name).with_extension("sock");
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let inode = inode(&path)?;
        Ok(Socket { listener, path, view: Mutex::default(), inode })
    }

    /// Whether the folder, and the one around it, are there and ours alone.
    fn is_private(&self) -> bool {
        let both = [self.folder.parent().unwrap_or(&self.folder), &self.folder];
        both.iter().all(|folder| fs::symlink_metadata(folder).is_ok_and(|found| is_ours(&found)))
    }

    /// One that is not empty, or not ours, stays. So does the one around it where everybody could make it anew, and serve in it what still
    /// has the path of a socket.
    fn remove_folder(&self) {
        if !self.is_private() || fs::remove_dir(&self.folder).is_err() {
            return;
        }
        let around = self.folder.parent().filter(|around| around.parent().is_some_and(|outer| !is_everybodys(outer)));
        // Another workspace may have its own in it.
        drop(around.map(fs::remove_dir));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket {
    fn remove(&self) {
        // The next engine may have made its own in this place.
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // Where it stays, whoever serves this scope next takes its place.
            drop(remove(&self.path));
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Whether others than its owner may write in a folder. Of one that cannot be looked at that is to be feared.
fn is_everybodys(folder: &Path) -> bool {
    fs::metadata(folder).map_or(true, |found| found.mode() & 0o022 != 0)
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// A folder that only its owner can list and change; others may pass, to a socket that is theirs.
fn private(folder: &Path) -> io::Result<()> {
    for folder in [folder.parent().unwrap_or(folder), folder] {
        match fs::DirBuilder::new().mode(0o711).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // In a folder that everybody can write, somebody else may have been there first.
        if !is_ours(&fs::symlink_metadata(folder)?) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is not ours alone", folder.display())));
        }
    }
    Ok(())
}

fn is_ours(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
}

#[expect(clippy::disallowed_methods, reason = "the engine's own sockets")]
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make what somebody else would")]
mod tests {
    use super::*;

    fn in_a_runtime<T>(test: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        test()
    }

    #[test]
    fn the_folder_goes_with_the_last_goal_and_with_the_engine() {
        in_a_runtime(|| {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("base/workspace");
            let sockets = Sockets::at(folder.clone());
            let take = |scope: &str| (scope.to_owned(), sockets.take(scope).unwrap());
            let ((a, one), (b, other)) = (take("a/a0"), take("b/a0"));
            sockets.keep(a.clone(), &one);
            assert!(Arc::ptr_eq(&sockets.take(&a).unwrap(), &one), "a scope keeps its own");
            sockets.keep(a, &one);
            drop(one);
            sockets.tidy(&Name::from("a"));
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "what is in use stays, and with it the folder");
            sockets.keep(b, &other);
            drop(other);
            sockets.tidy(&Name::from("b"));
            assert!(!dir.path().join("base").exists());

            // What a killed engine left, and what is in use as this one ends.
            drop(take("a/a0"));
            let (scope, held) = take("b/a0");
            let left = folder.join("left.sock");
            drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
            sockets.leave();
            assert!(!dir.path().join("base").exists());
            let next = Sockets::at(folder);
            let again = next.take(&scope).unwrap();
            sockets.keep(scope, &held);
            drop(held);
            assert!(again.path.exists(), "the next engine's own");
        });
    }

    #[test]
    fn where_somebody_else_has_led_us_nothing_is_removed() {
        in_a_runtime(|| {
            let dir = tempfile::tempdir().unwrap();
            let (theirs, base) = (dir.path().join("theirs"), dir.path().join("base"));
            fs::create_dir_all(&theirs).unwrap();
            let socket = theirs.join("agent.sock");
            let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            fs::create_dir(&base).unwrap();
            std::os::unix::fs::symlink(&theirs, base.join("workspace")).unwrap();
            Sockets::at(base.join("workspace")).leave();
            assert!(socket.exists());
            fs::remove_file(base.join("workspace")).unwrap();
            fs::rename(&theirs, base.join("workspace")).unwrap();
            // The folder is ours, and others may write in the one around it.
            fs::set_permissions(&base, fs::Permissions::from_mode(0o777)).unwrap();
            Sockets::at(base.join("workspace")).leave();
            assert!(base.join("workspace/agent.sock").exists());
        });
    }

    #[test]
    fn the_folder_around_stays_where_everybody_could_make_it_anew() {
        in_a_runtime(|| {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
            let sockets = Sockets::at(dir.path().join("base/workspace"));
            drop(sockets.take("a/a0").unwrap());
            sockets.leave();
            assert!(dir.path().join("base").exists() && !dir.path().join("base/workspace").exists());
        });
    }

    #[test]
    fn what_is_not_a_socket_of_ours_stays() {
        in_a_runtime(|| {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("base/workspace");
            let sockets = Sockets::at(folder.clone());
            drop(sockets.take("a/a0").unwrap());
            fs::create_dir(folder.join("theirs")).unwrap();
            sockets.leave();
            assert!(folder.join("theirs").exists());
        });
    }

    #[test]
    fn workspaces_that_come_and_go_do_not_take_the_folder_from_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for at in 0..4 {
                let folder = dir.path().join(format!("base/{at}"));
                scope.spawn(move || {
                    in_a_runtime(|| {
                        for _ in 0..500 {
                            let sockets = Sockets::at(folder.clone());
                            let socket = sockets.take("a/a0").unwrap();
                            assert!(socket.path.exists());
                            sockets.keep("a/a0".to_owned(), &socket);
                            drop(socket);
                            sockets.leave();
                        }
                    });
                });
            }
        });
        assert!(!dir.path().join("base").exists());
    }
}
