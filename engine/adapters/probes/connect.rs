//! Connections to where a check points, and what their failures mean.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::deadline::Deadline;
use super::reason::{Miss, Reason};

/// Both directions of a connection, whatever it runs over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An open connection and who is at the other end, for evidence.
pub(super) struct Connection {
    pub(super) wire: Box<dyn Wire>,
    pub(super) peer: String,
}

/// Connects to a host by name or address, trying each of its addresses in their order.
pub(super) async fn tcp(host: &str, port: u16, deadline: &mut Deadline) -> Result<Connection, Miss> {
    let no_address = |why: String| Miss::new(Reason::Dns, format!("no address for {host}: {why}"));
    let found = deadline.bound(&format!("no address for {host}"), lookup_host((host, port))).await?;
    let addresses: Vec<SocketAddr> = found.map_err(|error| no_address(error.to_string()))?.collect();
    let mut worst: Option<Miss> = None;
    for address in addresses {
        let connected = deadline.bound(&format!("no connection to {address}"), TcpStream::connect(address)).await?;
        let miss = match connected {
            Ok(stream) if is_itself(&stream) => refused(address),
            Ok(stream) => return Ok(Connection { wire: Box::new(stream), peer: address.to_string() }),
            Err(error) => failed(&error, &address.to_string()),
        };
        // `localhost` has two addresses, and where there is no IPv6 the refusal of the other one is what counts.
        if worst.as_ref().is_none_or(|worst| worst.reason != Reason::Refused) {
            worst = Some(miss);
        }
    }
    Err(worst.unwrap_or_else(|| no_address("its name is known, but has none".to_owned())))
}

/// Connects to a Unix socket.
pub(super) async fn unix(path: &Path, deadline: &mut Deadline) -> Result<Connection, Miss> {
    let peer = path.display().to_string();
    match deadline.bound(&format!("no connection to {peer}"), UnixStream::connect(path)).await? {
        Ok(stream) => Ok(Connection { wire: Box::new(stream), peer }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Miss::new(Reason::Refused, format!("there is no socket {peer}"))),
        Err(error) => Err(failed(&error, &peer)),
    }
}

/// Whether a connection came back to its own port: the kernel may pick the very port that is asked for where nothing listens on it,
/// and such a check would be green with nobody there.
fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

fn refused(peer: impl std::fmt::Display) -> Miss {
    Miss::new(Reason::Refused, format!("connection refused by {peer}"))
}

/// What an error of a connection means.
pub(super) fn failed(error: &io::Error, peer: &str) -> Miss {
    use io::ErrorKind as Kind;
    let reason = match error.kind() {
        Kind::ConnectionRefused => return refused(peer),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof | Kind::NotConnected => Reason::Closed,
        Kind::TimedOut => Reason::Timeout,
        Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => Reason::Unreachable,
        Kind::PermissionDenied => Reason::Permission,
        _ => Reason::Io,
    };
    match reason {
        Reason::Closed => Miss::new(reason, format!("{peer} closed the connection without an answer")),
        reason => Miss::new(reason, format!("no connection to {peer}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_to_oneself_is_seen() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let stream = socket.connect(own).await.unwrap();
        assert!(is_itself(&stream));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert!(!is_itself(&TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()));
    }
}
