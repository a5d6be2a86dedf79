//! A port as text: `8080`, `127.0.0.1:8080`, `[::1]:8080`, `53/udp`, and for containers `8080:80`.

use std::borrow::Cow;

use super::resource::Port;

/// Where something listens on this host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// The address; none means all of them.
    pub address: Option<String>,
    /// The port.
    pub port: u16,
    /// UDP instead of TCP.
    pub udp: bool,
    /// The port inside the container, where one is named.
    pub inner: Option<u16>,
}

/// A text that is no port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a port; write it like `8080`, `127.0.0.1:8080` or `53/udp`")]
pub struct PortError(pub String);

impl Listen {
    /// Whether both cannot listen at once.
    pub fn clashes(&self, other: &Self) -> bool {
        let anywhere = |address: &Option<String>| address.as_deref().is_none_or(|address| matches!(address, "0.0.0.0" | "::" | "*"));
        self.port == other.port
            && self.udp == other.udp
            && (anywhere(&self.address) || anywhere(&other.address) || self.address == other.address)
    }
}

/// As it is written in a manifest.
impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.address {
            Some(address) if address.contains(':') => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        write!(f, "{}", self.port)?;
        if let Some(inner) = self.inner {
            write!(f, ":{inner}")?;
        }
        f.write_str(if self.udp { "/udp" } else { "" })
    }
}

impl std::str::FromStr for Listen {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let wrong = || PortError(text.to_owned());
        let number = |text: &str| {
            text.parse::<u16>().ok().filter(|port| *port != 0 && text.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(wrong)
        };
        let (rest, udp) = match text.rsplit_once('/') {
            Some((rest, "udp")) => (rest, true),
            Some((rest, "tcp")) => (rest, false),
            Some(_) => return Err(wrong()),
            None => (text, false),
        };
        let (address, ports) = match rest.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
            Some((address, ports)) => (Some(address), ports),
            // The address is what holds something else than digits: `localhost:80`, `127.0.0.1:80:80`.
            None => match rest.split_once(':') {
                Some((address, ports)) if address.parse::<u16>().is_err() => (Some(address), ports),
                _ => (None, rest),
            },
        };
        if address.is_some_and(|address| address.is_empty() || address.contains(char::is_whitespace)) {
            return Err(wrong());
        }
        let (port, inner) = match ports.split_once(':') {
            Some((port, inner)) => (number(port)?, Some(number(inner)?)),
            None => (number(ports)?, None),
        };
        Ok(Self { address: address.map(str::to_owned), port, udp, inner })
    }
}

impl Port {
    /// As it is written; a text may be a template.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => text.into(),
        }
    }

    /// Where it listens, after templating.
    ///
    /// # Errors
    /// For a text that is no port.
    pub fn listen(&self) -> Result<Listen, PortError> {
        match self {
            Self::Number(port) => Ok(Listen { address: None, port: *port, udp: false, inner: None }),
            Self::Text(text) => text.trim().parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ports() {
        for (text, address, port, udp, inner) in [
            ("8080", None, 8080, false, None),
            ("127.0.0.1:8080", Some("127.0.0.1"), 8080, false, None),
            ("[::1]:8080", Some("::1"), 8080, false, None),
            ("53/udp", None, 53, true, None),
            ("8080:80", None, 8080, false, Some(80)),
            ("localhost:8080:80/tcp", Some("localhost"), 8080, false, Some(80)),
        ] {
            let written = text.trim_end_matches("/tcp");
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()).as_deref(), Ok(written));
            assert_eq!(text.parse(), Ok(Listen { address: address.map(str::to_owned), port, udp, inner }), "{text}");
        }
        for text in ["", "0", "70000", "http", "80/sctp", ":80", "80:", "a b:80", "+80", "-1"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_may_be_shared_by_none() {
        let clash = |a: &str, b: &str| a.parse::<Listen>().expect(a).clashes(&b.parse().expect(b));
        assert!(clash("8080", "127.0.0.1:8080") && clash("0.0.0.0:80", "10.0.0.1:80") && clash("80", "80"));
        assert!(!clash("127.0.0.1:80", "127.0.0.2:80") && !clash("53", "53/udp") && !clash("80", "81"));
    }
}
