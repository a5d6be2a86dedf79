//! Who holds a port: for "port taken" and for readiness. A look at `/proc`, as good as this user's rights.

use std::collections::HashSet;
use std::fs;

use serde::Serialize;

use super::identity::ProcessId;
use super::table;

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A TCP socket listens when it is in that state.
    Tcp,
    /// A UDP socket listens when it is bound and not connected.
    Udp,
}

/// A process that holds a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Which one.
    pub id: ProcessId,
    /// Its arguments, joined with blanks.
    pub command: String,
}

/// Whether anybody listens on the port, on any address of this host.
pub fn listening(port: u16, protocol: Protocol) -> bool {
    !sockets(port, protocol).is_empty()
}

/// The users whose sockets listen on the port: what can be seen of them also where their processes cannot.
pub fn users(port: u16, protocol: Protocol) -> Vec<u32> {
    let mut users: Vec<u32> = sockets(port, protocol).iter().map(|socket| socket.user).collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// The processes that listen on the port; those of other users only as root.
pub fn listeners(port: u16, protocol: Protocol) -> Vec<Listener> {
    let names: HashSet<String> = sockets(port, protocol).iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let holds = |pid: &u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|to| names.contains(&*to.to_string_lossy())))
    };
    let listener = |pid: u32| Some(Listener { id: ProcessId::of(pid)?, command: table::command_line(pid) });
    table::pids().into_iter().filter(holds).filter_map(listener).collect()
}

/// The first of [`listeners`].
pub fn who_listens(port: u16, protocol: Protocol) -> Option<Listener> {
    listeners(port, protocol).into_iter().next()
}

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    inode: u64,
    user: u32,
}

/// The listening sockets.
fn sockets(port: u16, protocol: Protocol) -> Vec<Socket> {
    let files = match protocol {
        Protocol::Tcp => ["/proc/self/net/tcp", "/proc/self/net/tcp6"],
        Protocol::Udp => ["/proc/self/net/udp", "/proc/self/net/udp6"],
    };
    let text = files.map(|file| fs::read_to_string(file).unwrap_or_default()).concat();
    parse(&text, port, protocol)
}

/// Lines are `sl local remote state tx:rx tr:when retransmits uid timeout inode …`, in hexadecimal.
fn parse(text: &str, port: u16, protocol: Protocol) -> Vec<Socket> {
    let wanted = match protocol {
        Protocol::Tcp => "0A",
        Protocol::Udp => "07",
    };
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        if u16::from_str_radix(local, 16) != Ok(port) || *fields.get(3)? != wanted {
            return None;
        }
        Some(Socket { inode: fields.get(9)?.parse().ok()?, user: fields.get(7)?.parse().ok()? })
    };
    text.lines().filter_map(socket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_very_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("an address").port();
        assert!(listening(port, Protocol::Tcp));
        assert_eq!(who_listens(port, Protocol::Tcp).expect("us").id.pid, std::process::id());
        assert_eq!(users(port, Protocol::Tcp), [rustix::process::geteuid().as_raw()]);
        assert!(!listening(port, Protocol::Udp));
        drop(socket);
        assert!(!listening(port, Protocol::Tcp));
    }

    #[test]
    fn a_connection_is_no_listener() {
        let line = "   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 77 1\n";
        assert!(parse(line, 8080, Protocol::Tcp).is_empty());
        assert_eq!(parse(&line.replace(" 01 ", " 0A "), 8080, Protocol::Tcp), [Socket { inode: 77, user: 0 }]);
    }
}
