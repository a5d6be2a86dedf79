//! What a container engine does with control groups, as it says itself.

use std::path::Path;

use serde_json::Value;

use super::inspect::Door;
use crate::adapters::process::cgroup::containers::{CgroupVersion, shares_our_groups};
use crate::plan::explain::limits::Limit;

/// What a container engine does with control groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    /// True where it makes them itself, by paths; otherwise systemd does, by the names of slices.
    pub by_path: bool,
    /// Their version; none where it says none that is known.
    pub version: Option<CgroupVersion>,
    /// What it can limit.
    pub limits: Vec<Limit>,
    /// True where it runs as an ordinary user, below a group of its own.
    pub rootless: bool,
}

impl Cgroups {
    /// Asks the engine behind a socket; none where it gives no answer, or counts from another root than we do.
    pub async fn ask(socket: &Path) -> Option<Self> {
        let peer = tokio::net::UnixStream::connect(socket).await.ok()?.peer_cred().ok()?.pid()?;
        if !shares_our_groups(&peer.to_string()) {
            return None;
        }
        let info = Door::Unix(socket.into()).info().await.ok()?;
        Some(Self::read(&info))
    }

    /// Reads the answer to `GET /info`.
    pub fn read(info: &Value) -> Self {
        let text = |name: &str| info.get(name).and_then(Value::as_str).unwrap_or_default();
        let can = |name: &str| info.get(name).and_then(Value::as_bool) == Some(true);
        let options = info.get("SecurityOptions").and_then(Value::as_array);
        let limits = [(Limit::Memory, can("MemoryLimit")), (Limit::Cpus, can("CpuCfsQuota")), (Limit::Pids, can("PidsLimit"))];
        Self {
            by_path: text("CgroupDriver") == "cgroupfs",
            version: match text("CgroupVersion") {
                "1" => Some(CgroupVersion::V1),
                "2" => Some(CgroupVersion::V2),
                _ => None,
            },
            limits: limits.into_iter().filter(|(_, can)| *can).map(|(limit, _)| limit).collect(),
            rootless: options.into_iter().flatten().filter_map(Value::as_str).any(|option| option.contains("rootless")),
        }
    }

    /// Whether it puts containers below a group of this version where it is told to.
    pub fn takes_parent(&self, version: CgroupVersion) -> bool {
        self.by_path && !self.rootless && self.version == Some(version)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_for_an_engine_that_makes_groups_of_that_version_itself() {
        let said = json!({ "CgroupDriver": "cgroupfs", "CgroupVersion": "1", "MemoryLimit": true, "PidsLimit": false,
            "SecurityOptions": ["name=seccomp,profile=default"] });
        let read = Cgroups::read(&said);
        assert!(read.takes_parent(CgroupVersion::V1));
        assert_eq!(read.limits, [Limit::Memory]);
        let with = |key: &str, value: Value| {
            let mut said = said.clone();
            said[key] = value;
            Cgroups::read(&said)
        };
        assert!(!with("CgroupDriver", json!("systemd")).takes_parent(CgroupVersion::V1));
        assert!(!with("CgroupVersion", json!("2")).takes_parent(CgroupVersion::V1));
        assert!(!with("SecurityOptions", json!(["name=rootless"])).takes_parent(CgroupVersion::V1));
        assert!(!Cgroups::read(&json!({})).takes_parent(CgroupVersion::V1));
    }
}
