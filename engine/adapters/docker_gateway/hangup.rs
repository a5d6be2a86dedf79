//! A client that is gone, told from one that only sends no more.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;

/// Watches a connection, beside whoever reads and writes it.
#[derive(Debug)]
pub(super) struct Hangup(AsyncFd<OwnedFd>);

impl Hangup {
    #[expect(unsafe_code, reason = "an `OwnedFd` is the same open file for as long as it lives, which is all that is asked")]
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let handle = stream.as_fd().try_clone_to_owned()?;
        // Registered for urgent data alone, of which a Unix socket has none, the kernel still reports when both directions are closed;
        // registered for reading it would report the end of input as well.
        let watched = unsafe { AsyncFd::register_with_interest(handle, Interest::PRIORITY) };
        Ok(Self(watched?))
    }

    /// Ends when the other side has closed both directions.
    pub(super) async fn wait(&self) {
        // An error means that the runtime ends: then there is nobody to wait for either.
        drop(self.0.ready(Interest::PRIORITY).await);
    }
}
