//! Telling systemd how the engine is: one datagram a word, to the socket that `NOTIFY_SOCKET` names.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Whoever started the engine and wants to know how it is.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names; none where nobody wants to know.
    ///
    /// # Errors
    /// Where one is named and no socket can be had.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> io::Result<Option<Self>> {
        let Some(name) = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        let watched = env("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let period = env("WATCHDOG_USEC").and_then(|period| period.parse().ok()).filter(|period| *period > 0 && watched);
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not make the engine wait.
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket, address, watchdog: period.map(Duration::from_micros) }))
    }

    /// How often it is to be told that the engine's loop turns: twice as often as it would lose its patience.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|period| period / 2)
    }

    /// The engine serves.
    pub fn ready(&self) {
        self.say(&format!("READY=1\nMAINPID={}", std::process::id()));
    }

    /// The engine's loop turns.
    pub fn beat(&self) {
        self.say("WATCHDOG=1");
    }

    /// The engine lets go.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, words: &str) {
        // A manager that is not told draws its own conclusion; nothing here depends on it.
        drop(self.socket.send_to_addr(words.as_bytes(), &self.address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(socket: &UnixDatagram) -> String {
        let mut words = [0; 256];
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = socket.recv(&mut words).unwrap();
        String::from_utf8_lossy(&words[..length]).into_owned()
    }

    #[test]
    fn a_manager_is_told_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("sculpt-notify-{}", std::process::id());
        let by_path = (UnixDatagram::bind(&path).unwrap(), path.display().to_string());
        let by_name = (UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(), format!("@{name}"));
        for (socket, address) in [by_path, by_name] {
            let env = |name: &str| match name {
                "NOTIFY_SOCKET" => Some(address.clone()),
                "WATCHDOG_USEC" => Some("4000000".to_owned()),
                _ => None,
            };
            let manager = ServiceManager::of(&env).unwrap().unwrap();
            assert_eq!(manager.watchdog(), Some(Duration::from_secs(2)));
            manager.ready();
            manager.beat();
            manager.stopping();
            assert_eq!(told(&socket), format!("READY=1\nMAINPID={}", std::process::id()));
            assert_eq!((told(&socket), told(&socket)), ("WATCHDOG=1".to_owned(), "STOPPING=1".to_owned()));
        }
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let env = |name: &str| match name {
            "NOTIFY_SOCKET" => Some("/nowhere".to_owned()),
            "WATCHDOG_USEC" => Some("4000000".to_owned()),
            "WATCHDOG_PID" => Some("1".to_owned()),
            _ => None,
        };
        assert_eq!(ServiceManager::of(&env).unwrap().unwrap().watchdog(), None);
        assert!(ServiceManager::of(&|_| None).unwrap().is_none());
    }
}
