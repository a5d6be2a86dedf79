//! The engine's Unix socket: mode 0600, and only for its own user.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A socket that takes connections until it is dropped.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// A path in a folder that is short however deep the folder lies: a socket's address holds 107 bytes.
fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let folder = File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((folder, short))
}

impl Listener {
    /// Takes the place of a socket that an engine left. The caller holds the workspace's lock, so no engine lives there.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn bind(path: &Path) -> io::Result<Self> {
        remove(path)?;
        let (_folder, short) = short(path)?;
        let listener = UnixListener::bind(&short)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// The next connection of the engine's own user (or root). Others are turned away.
    ///
    /// # Errors
    /// Where the socket takes none any more.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let peer = stream.peer_cred()?.uid();
            if peer == 0 || peer == rustix::process::geteuid().as_raw() {
                return Ok(stream);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Where it stays, the next engine takes its place.
        drop(remove(&self.path));
    }
}

#[expect(clippy::disallowed_methods, reason = "the engine's own socket, under the workspace's lock")]
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Connects to the engine of a workspace.
///
/// # Errors
/// Where nobody is there.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = short(path)?;
    UnixStream::connect(&short).await
}
