//! A view of the host's files in which some of them are others: a mount namespace that processes are started in.
//!
//! It is made once, by a thread that ends with it, and entered by as many processes as one likes, which costs one call each. Only what is
//! covered differs: of all mounts, those that hold a covered file no longer pass on what is mounted in the view, and every other goes on to
//! be shared as it is with the host. Root alone can make one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// A view. Cheap to copy; it lasts as long as somebody has it, or is in it.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) namespace: Arc<File>,
    covered: Vec<Covered>,
}

/// They are the same where they are the same namespace.
impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        let is = |view: &Self| view.namespace.metadata().ok().map(|found| (found.dev(), found.ino()));
        is(self) == is(other)
    }
}

/// A file that is another one in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Covered {
    path: PathBuf,
    /// Which file it is outside: one that is made anew at this place is not covered.
    device: u64,
    inode: u64,
}

impl View {
    /// A view in which each of these files is this one.
    ///
    /// # Errors
    /// Where this user, or this host, cannot have one.
    pub fn covering(files: &[PathBuf], by: &Path) -> io::Result<Self> {
        let covered = covered(files)?;
        let (targets, by) = (covered.clone(), by.to_owned());
        let namespace = apart(move || {
            #[expect(unsafe_code, reason = "what is unshared is this thread's own, which does nothing else: its files stay shared")]
            unsafe {
                unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS)?;
            }
            cover(&targets, &by)?;
            File::open("/proc/thread-self/ns/mnt")
        })?;
        Ok(Self { namespace: Arc::new(namespace), covered })
    }

    /// Whether this process can make one: a root without the right to mount cannot. Tried once.
    pub fn is_possible() -> bool {
        static POSSIBLE: OnceLock<bool> = OnceLock::new();
        *POSSIBLE.get_or_init(|| rustix::process::geteuid().is_root() && Self::covering(&[], Path::new("/")).is_ok())
    }

    /// Whether these very files are covered in it.
    pub fn covers(&self, files: &[PathBuf]) -> bool {
        covered(files).is_ok_and(|files| files == self.covered)
    }

    /// The view that a process is in; none where it sees what we see, or sees nothing any more: one that has ended, and is not yet waited
    /// for, is in none.
    ///
    /// # Errors
    /// Where it may not be looked at.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        let namespace = match File::open(format!("/proc/{pid}/ns/mnt")) {
            Ok(namespace) => namespace,
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = namespace.metadata()?.ino() == fs::metadata("/proc/self/ns/mnt")?.ino();
        Ok((!ours).then(|| Self { namespace: Arc::new(namespace), covered: Vec::new() }))
    }

    /// Covers files anew in it: those of them that are there, and that are not covered, or by something that has been replaced.
    ///
    /// # Errors
    /// Where it cannot be changed.
    pub fn cover_again(&self, files: &[PathBuf], by: &Path) -> io::Result<()> {
        cover_again(&self.namespace, files, by)
    }
}

/// The same for a view of which only its namespace is known.
pub(super) fn cover_again(namespace: &Arc<File>, files: &[PathBuf], by: &Path) -> io::Result<()> {
    let there: Vec<PathBuf> = files.iter().filter(|file| file.exists()).cloned().collect();
    let (targets, by, view) = (covered(&there)?, by.to_owned(), Arc::clone(namespace));
    // The new file as it is here: in the view it has the same path.
    apart(move || {
        #[expect(unsafe_code, reason = "as above")]
        unsafe {
            unshare_unsafe(UnshareFlags::FS)?;
        }
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&*view), Some(LinkNameSpaceType::Mount))?;
        cover(&targets, &by)
    })
}

fn covered(files: &[PathBuf]) -> io::Result<Vec<Covered>> {
    let mut covered = Vec::with_capacity(files.len());
    for file in files {
        let path = fs::canonicalize(file)?;
        let found = fs::metadata(&path)?;
        covered.push(Covered { path, device: found.dev(), inode: found.ino() });
    }
    covered.dedup();
    Ok(covered)
}

/// What lies between a file and what covers it: where that is taken away to be replaced, nothing comes to light.
const BETWEEN: &str = "/dev/null";

fn cover(files: &[Covered], by: &Path) -> io::Result<()> {
    let over = fs::metadata(by)?;
    for Covered { path, device, inode } in files {
        let seen = fs::metadata(path)?;
        if (seen.dev(), seen.ino()) == (over.dev(), over.ino()) {
            continue;
        }
        // What is mounted onto a shared mount would be mounted for the whole host.
        for place in path.ancestors() {
            match mount_change(place, MountPropagationFlags::DOWNSTREAM) {
                Ok(()) => break,
                Err(rustix::io::Errno::INVAL) => {} // Nothing is mounted right here.
                Err(errno) => return Err(errno.into()),
            }
        }
        if (seen.dev(), seen.ino()) == (*device, *inode) {
            mount_bind(BETWEEN, path)?;
        } else if !seen.file_type().is_char_device() {
            // What covered it until now is gone from its folder, and nothing can be mounted onto it any more.
            unmount(path, UnmountFlags::DETACH)?;
        }
        mount_bind(by, path)?;
    }
    Ok(())
}

/// Does something on a thread of its own, which ends with it.
fn apart<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let thread = std::thread::Builder::new().name("view".to_owned()).spawn(act)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes a view has failed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process to look at")]
    fn a_process_that_has_ended_and_is_not_waited_for_is_in_no_view() {
        let mut child = std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let handle = rustix::process::pidfd_open(rustix::process::Pid::from_child(&child), rustix::process::PidfdFlags::empty()).unwrap();
        rustix::event::poll(&mut [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)], None).unwrap();
        assert!(View::of(child.id()).unwrap().is_none());
        child.wait().unwrap();
        assert!(View::of(std::process::id()).unwrap().is_none(), "it sees what we see");
    }
}
