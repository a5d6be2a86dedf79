//! Ports: which one a text means, whether somebody holds it, and who.

use crate::adapters::process::listener::{Listener, Protocol, listening, users, who_listens};
use crate::adapters::process::user::name_of;
use crate::manifest::port::Listen;
use crate::ports::runtime::Holder;

/// How much of a command line is told, in characters.
const COMMAND: usize = 200;

/// A port of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Its number.
    pub number: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// Reads `8080`, `127.0.0.1:8080`, `[::1]:8080`, `53/udp`, or for containers `8080:80`.
pub fn parse(text: &str) -> Option<HostPort> {
    text.trim().parse::<Listen>().ok().as_ref().map(HostPort::from)
}

impl From<&Listen> for HostPort {
    fn from(listen: &Listen) -> Self {
        Self { number: listen.port, protocol: if listen.udp { Protocol::Udp } else { Protocol::Tcp } }
    }
}

/// Whether somebody listens there.
pub fn is_taken(port: HostPort) -> bool {
    listening(port.number, port.protocol)
}

/// Who holds a port; none where it is free.
pub fn holder(port: HostPort) -> Option<Holder> {
    // Who is looked for first may be gone by then; who is only counted is not said to be somebody else's.
    let users = users(port.number, port.protocol);
    if users.is_empty() {
        return None;
    }
    let listener = who_listens(port.number, port.protocol);
    Some(Holder { pid: listener.as_ref().map(|listener| listener.id.pid), words: describe(listener.as_ref(), &users) })
}

/// In words: the process and its command line; where they cannot be seen, that, and whose the socket is.
pub(super) fn describe(listener: Option<&Listener>, users: &[u32]) -> String {
    let Some(listener) = listener else {
        let users: Vec<String> = users.iter().map(|uid| name_of(*uid).unwrap_or_else(|| format!("uid {uid}"))).collect();
        return format!("a process of {} that cannot be seen from here", users.join(" and "));
    };
    let mut command: String = listener.command.chars().take(COMMAND).collect();
    if command.len() < listener.command.len() {
        command.push('…');
    }
    format!("process {} `{command}`", listener.id.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for (text, number, protocol) in [
            ("8080", 8080, Protocol::Tcp),
            ("127.0.0.1:81", 81, Protocol::Tcp),
            ("[::1]:82", 82, Protocol::Tcp),
            ("53/udp", 53, Protocol::Udp),
            ("127.0.0.1:8083:80", 8083, Protocol::Tcp),
        ] {
            assert_eq!(parse(text), Some(HostPort { number, protocol }), "{text}");
        }
        for text in ["", "0", "x", "80/sctp", "70000"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_holder_is_named_by_its_process_or_by_what_can_be_seen_of_it() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let number = socket.local_addr().expect("an address").port();
        let port = HostPort { number, protocol: Protocol::Tcp };
        let held = holder(port).expect("it is held");
        assert_eq!(held.pid, Some(std::process::id()));
        assert!(held.words.starts_with(&format!("process {} `", std::process::id())), "{}", held.words);
        assert_eq!(describe(None, &[0]), "a process of root that cannot be seen from here");
        assert_eq!(describe(None, &[4_000_000_007]), "a process of uid 4000000007 that cannot be seen from here");
        let mut long = who_listens(number, Protocol::Tcp).expect("us");
        long.command = "é".repeat(COMMAND + 1);
        assert!(describe(Some(&long), &[0]).ends_with("é…`"));
        drop(socket);
        // A process that another test is about to start may have it for a moment longer.
        let free = (0..100_000).any(|_| {
            std::thread::yield_now();
            holder(port).is_none()
        });
        assert!(free, "{:?}", holder(port));
    }
}
