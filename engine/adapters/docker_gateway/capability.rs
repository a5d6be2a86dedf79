//! What `capabilities: { docker: [...] }` can allow, by name.
//!
//! | name | allows |
//! |---|---|
//! | `privileged` | privileged containers, and privileged commands in containers |
//! | `host-network`, `host-pid`, `host-ipc`, `host-uts`, `host-userns`, `host-cgroupns` | the host's namespace of that kind |
//! | `devices` | the host's devices, and rules for them |
//! | `cap-add:NAME` | a kernel capability beyond the container engine's default set; `cap-add:ALL` for all |
//! | `security-opt` | another seccomp, AppArmor or SELinux profile than the default one, and unmasked system paths |
//! | `cgroup-parent` | a place of its own in the cgroup tree, outside the goal's |
//! | `oom` | a container that the kernel spares when memory is out |
//! | `runtime:NAME` | another OCI runtime than the default one |
//! | `mount:/host/path` | that path of the host and what is below it |
//! | `docker-socket` | a mount that holds the container engine's own socket |
//! | `log-driver:NAME` | having the container engine send what a container says to whom it is told |
//! | `volume-driver:NAME`, `volume-options`, `network-driver:NAME` | volumes and networks that may reach into the host |
//! | `foreign` | acting on what this workspace did not make, and using its volumes, networks and namespaces |
//! | `swarm`, `plugins` | changing the swarm, and the container engine's plugins |
//! | `keep` | leaving what is made in the container engine, until the goal goes down: what the engine's commands of a phase make ends with them otherwise |
//! | `buildkit` | BuildKit's own interface, which buildx speaks: it builds with the host's network, and empties the build cache, unseen |
//! | `unknown-endpoint` | changing calls, and parameters of a build, that this release does not know |

use std::fmt;
use std::path::PathBuf;

/// A name that allows what is refused otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// One that is a word alone.
    Word(&'static str),
    /// `cap-add:NAME`, without `CAP_`.
    CapAdd(String),
    /// `runtime:NAME`.
    Runtime(String),
    /// `mount:/host/path`, canonical where that can be said.
    Mount(PathBuf),
    /// `volume-driver:NAME`.
    VolumeDriver(String),
    /// `log-driver:NAME`.
    LogDriver(String),
    /// `network-driver:NAME`.
    NetworkDriver(String),
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::CapAdd(name) => write!(f, "cap-add:{name}"),
            Self::Runtime(name) => write!(f, "runtime:{name}"),
            Self::Mount(path) => write!(f, "mount:{}", path.display()),
            Self::VolumeDriver(name) => write!(f, "volume-driver:{name}"),
            Self::LogDriver(name) => write!(f, "log-driver:{name}"),
            Self::NetworkDriver(name) => write!(f, "network-driver:{name}"),
        }
    }
}

/// Why a call goes no further. Its text is what the client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked: `a privileged container`.
    pub what: String,
    /// What would allow it; none where nothing does.
    pub capability: Option<Capability>,
}

impl Refusal {
    /// One that a capability would allow.
    pub fn needs(what: impl Into<String>, capability: Capability) -> Self {
        Self { what: what.into(), capability: Some(capability) }
    }

    /// One that nothing allows.
    pub fn never(what: impl Into<String>) -> Self {
        Self { what: what.into(), capability: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sculpt: refused {}", self.what)?;
        match &self.capability {
            Some(capability) => write!(f, "; the phase may have it with `capabilities: {{ docker: [\"{capability}\"] }}`"),
            None => Ok(()),
        }
    }
}

impl From<super::json::Malformed> for Refusal {
    fn from(malformed: super::json::Malformed) -> Self {
        Self::never(format!("a request that cannot be judged: {malformed}"))
    }
}
