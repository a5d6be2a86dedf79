//! Ports: which one a text means, whether somebody holds it, and who.

use crate::adapters::process::listener::{Listener, Protocol, listening, who_listens};
use crate::manifest::port::Listen;

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
    let listen: Listen = text.trim().parse().ok()?;
    Some(HostPort { number: listen.port, protocol: if listen.udp { Protocol::Udp } else { Protocol::Tcp } })
}

/// Whether somebody listens there.
pub fn is_taken(port: HostPort) -> bool {
    listening(port.number, port.protocol)
}

/// Who holds a port, in words; none where it is free.
pub fn holder(port: HostPort) -> Option<String> {
    is_taken(port).then(|| describe(who_listens(port.number, port.protocol).as_ref()))
}

fn describe(listener: Option<&Listener>) -> String {
    match listener {
        Some(listener) => format!("process {} (`{}`)", listener.id.pid, listener.command),
        None => "a process of another user".to_owned(),
    }
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
}
