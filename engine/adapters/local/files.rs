//! Directories and files: made under a permit, removed only where sculpt made them.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::work::WorkError;
use crate::adapters::process::user::ids;
use crate::kernel::action::Seen;
use crate::ports::job::{DirectoryJob, FileJob, RemoveJob};

/// Makes a directory, with its parents. One that is there is used, and not owned.
pub(super) fn make_directory(root: &Path, job: &DirectoryJob) -> Seen {
    let made = (|| {
        if job.path.is_dir() {
            return Ok(false);
        }
        let make = || {
            job.path.parent().map_or(Ok(()), |parent| fs::DirBuilder::new().recursive(true).create(parent))?;
            fs::DirBuilder::new().mode(job.mode.unwrap_or(0o755)).create(&job.path)
        };
        // What is removed beside it may have taken the empty folder that it goes into.
        make().or_else(|error| if error.kind() == io::ErrorKind::NotFound { make() } else { Err(error) })?;
        if let Some(mode) = job.mode {
            // The mask of the process may have taken bits away.
            fs::set_permissions(&job.path, fs::Permissions::from_mode(mode))?;
        }
        if let Some(owner) = &job.owner {
            change_owner(&job.path, owner)?;
        }
        Ok(true)
    })();
    match made.map_err(WorkError::io(format!("make the directory {}", job.path.display()))) {
        Ok(created) => made_at(root, &job.path, created),
        Err(error) => error.seen(),
    }
}

/// Writes a file, whole or not at all. One with the same content is not written again, but has the declared mode; one that was there before is written, and not owned.
pub(super) fn make_file(root: &Path, job: &FileJob) -> Seen {
    let made = (|| {
        let existed = job.path.exists();
        if !existed || fs::read(&job.path)? != job.content.as_bytes() {
            write(&job.path, job.content.as_bytes(), Some(job.mode.unwrap_or(0o644)))?;
        } else if let Some(mode) = job.mode {
            // The same words may be meant for other eyes than before.
            fs::set_permissions(&job.path, fs::Permissions::from_mode(mode))?;
        }
        if let Some(owner) = &job.owner {
            change_owner(&job.path, owner)?;
        }
        Ok(!existed)
    })();
    match made.map_err(WorkError::io(format!("write the file {}", job.path.display()))) {
        Ok(created) => made_at(root, &job.path, created),
        Err(error) => error.seen(),
    }
}

fn made_at(root: &Path, path: &Path, created: bool) -> Seen {
    Seen::Made { created, path: told(root, path), outputs: indexmap::IndexMap::new() }
}

/// What is told of a path. One in the workspace is told from there: a copy of the workspace has its own.
pub(super) fn told(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).unwrap_or(path).to_str().map(str::to_owned)
}

/// The topmost folder above a path that is not there, and will be made with it.
pub(super) fn topmost_absent(path: &Path) -> Option<&Path> {
    let absent = |above: &&Path| above.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).take_while(absent).last()
}

/// Removes directories and files that sculpt made, the last one first, and the folders that it made on the way to them.
pub(super) fn remove_all(job: &RemoveJob) -> Seen {
    let RemoveJob { paths, above, others } = job;
    let ways = || above.iter().rev().flat_map(|top| paths.iter().rev().map(move |path| remove_way(top, path, others)));
    paths.iter().rev().map(|path| remove(path)).chain(ways()).find(|seen| *seen != Seen::Done).unwrap_or(Seen::Done)
}

/// Removes what is empty of the folders above a path, from the nearest up to this one. In what is not, somebody has something by now; others
/// may have one as it is.
fn remove_way(top: &Path, path: &Path, others: &[PathBuf]) -> Seen {
    let is_free = |folder: &&Path| others.iter().all(|other| other != folder);
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).take_while(is_free) {
        match fs::remove_dir(folder) {
            Ok(()) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => {}
                // A link or a file in its place is somebody else's.
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => break,
                _ => return WorkError::io(format!("remove {}", folder.display()))(error).seen(),
            },
        }
    }
    Seen::Done
}

/// Removes a directory or a file. What is not there is removed already.
#[expect(clippy::disallowed_methods, reason = "what sculpt made, under a permit")]
pub(super) fn remove(path: &Path) -> Seen {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Seen::Done,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Done,
        Err(error) => WorkError::io(format!("remove {}", path.display()))(error).seen(),
    }
}

/// Writes a file whole or not at all, and makes the folder it is in.
#[expect(clippy::disallowed_methods, reason = "files of a permitted effect")]
pub(super) fn write(path: &Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).create(parent)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".sculpt-new");
    let fresh = path.with_file_name(name);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode.unwrap_or(0o644)).open(&fresh)?;
    let written = file.write_all(content).and_then(|()| match mode {
        Some(mode) => file.set_permissions(fs::Permissions::from_mode(mode)),
        None => Ok(()),
    });
    let written = written.and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        drop(fs::remove_file(&fresh));
    }
    written
}

/// Gives a path to `user` or `user:group`.
pub(super) fn change_owner(path: &Path, owner: &str) -> io::Result<()> {
    let (user, group) = owner.split_once(':').map_or((owner, None), |(user, group)| (user, Some(group)));
    let (user, group) = ids(user, group).map_err(|error| io::Error::other(error.to_string()))?;
    std::os::unix::fs::chown(path, Some(user), Some(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_has_the_mode_that_is_declared_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let declare = |mode| make_file(dir.path(), &FileJob { path: path.clone(), content: "secret".into(), owner: None, mode });
        let made = |created| Seen::Made { created, path: Some("key".to_owned()), outputs: indexmap::IndexMap::new() };
        assert_eq!(declare(None), made(true));
        assert_eq!(mode(&path), 0o644);
        assert_eq!(declare(Some(0o600)), made(false));
        assert_eq!(mode(&path), 0o600, "the content is the same, the mode is not");
        assert_eq!(declare(None), made(false));
        assert_eq!(mode(&path), 0o600, "nothing is declared, nothing is changed");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "what a person does in the meantime")]
    fn the_folders_that_were_made_on_the_way_go_and_none_that_was_there_or_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = |path: &str| dir.path().join(path);
        let made = |text: &str| {
            let job = DirectoryJob { path: path(text), owner: None, mode: None };
            let above = topmost_absent(&job.path).map(Path::to_owned);
            assert!(matches!(make_directory(dir.path(), &job), Seen::Made { created: true, .. }));
            above
        };
        let remove = |text: &str, top: &str| remove_all(&RemoveJob { paths: vec![path(text)], above: vec![path(top)], others: Vec::new() });
        fs::create_dir(path("there")).unwrap();
        assert_eq!(made("there/c"), None, "its folder was there");
        assert_eq!(made("there/a/b/c"), Some(path("there/a")));
        assert_eq!(remove("there/a/b/c", "there/a"), Seen::Done);
        assert!(path("there").is_dir() && !path("there/a").exists());
        // Somebody has put something into one of them.
        assert_eq!(made("x/y/z"), Some(path("x")));
        fs::write(path("x/mine"), "").unwrap();
        assert_eq!(remove("x/y/z", "x"), Seen::Done);
        assert!(path("x/mine").is_file() && !path("x/y").exists());
        // Or has put one of his own, or a link, in its place.
        assert_eq!(made("p/q/r"), Some(path("p")));
        fs::remove_dir_all(path("p/q")).unwrap();
        fs::create_dir(path("else")).unwrap();
        std::os::unix::fs::symlink(path("else"), path("p/q")).unwrap();
        assert_eq!(remove("p/q/r", "p"), Seen::Done);
        assert!(path("p/q").is_symlink() && path("else").is_dir());
        // What is gone already is no obstacle, also where the engine died before it had made all of the way.
        fs::create_dir_all(path("k/l")).unwrap();
        assert_eq!(remove("k/l/m/n", "k"), Seen::Done);
        assert!(!path("k").exists());
        assert_eq!(remove("k/l/m/n", "k"), Seen::Done);
    }
}
