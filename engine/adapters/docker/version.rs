//! Which container engine it is, and what it can.

use std::fmt;

use bollard::models::SystemVersion;

/// Whose container engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Docker Engine, or what gives itself out for it.
    Docker,
    /// Podman, behind its Docker-compatible socket.
    Podman,
}

/// A version of the Docker API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api {
    /// Always 1 so far.
    pub major: u32,
    /// The one that grows.
    pub minor: u32,
}

impl Api {
    /// The oldest that is understood: Docker Engine 20.10's.
    pub const OLDEST: Self = Self { major: 1, minor: 41 };

    /// Reads `1.41`.
    pub fn read(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Which container engine it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Whose it is.
    pub make: Make,
    /// Its own version, as it says it: `20.10.24`.
    pub release: String,
    /// The newest API that it speaks.
    pub api: Api,
}

impl Version {
    /// Reads the engine's answer; none where it names no API.
    pub(super) fn read(said: &SystemVersion) -> Option<Self> {
        let podman = said.components.iter().flatten().any(|component| component.name.contains("Podman"));
        Some(Self {
            make: if podman { Make::Podman } else { Make::Docker },
            release: said.version.clone().unwrap_or_default(),
            api: Api::read(said.api_version.as_deref()?)?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let make = match self.make {
            Make::Docker => "Docker",
            Make::Podman => "Podman",
        };
        write!(f, "{make} {} (API {})", self.release, self.api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(Api::read("1.9").unwrap() < Api::OLDEST);
        assert!(Api::read("1.41").unwrap() >= Api::OLDEST);
        assert!(Api::read("1.100").unwrap() > Api::OLDEST);
        assert_eq!(Api::read("1"), None);
    }

    #[test]
    fn podman_says_so_in_its_components() {
        let docker: SystemVersion =
            serde_json::from_str(r#"{"Version":"20.10.24","ApiVersion":"1.41","Components":[{"Name":"Engine","Version":"20.10.24"}]}"#)
                .unwrap();
        let podman: SystemVersion =
            serde_json::from_str(r#"{"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine","Version":"4.3.1"}]}"#)
                .unwrap();
        assert_eq!(Version::read(&docker).unwrap().make, Make::Docker);
        assert_eq!(Version::read(&podman).unwrap().to_string(), "Podman 4.3.1 (API 1.41)");
    }
}
