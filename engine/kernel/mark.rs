//! The mark of a process: by what it is known again, whichever engine looks.

use serde::{Deserialize, Serialize};

use crate::base::name::Name;

/// A process that sculpt started, so that a reused pid is never taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
    /// The boot it belongs to.
    pub boot: String,
    /// The number that no other process of this boot has, where the kernel gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<u64>,
    /// The name of the scope that holds it and everything that it starts.
    pub scope: String,
    /// The container whose main process it is, by its id. Where the container engine's processes are not among those of this host, the
    /// process is 0, and only the container engine can tell whether it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

impl ProcessMark {
    /// The mark of a container of a goal that is known by its id alone.
    pub fn of_container(goal: &Name, id: &str) -> Self {
        let scope = format!("{goal}/container.{}", id.get(..12).unwrap_or(id));
        Self { pid: 0, start: 0, boot: String::new(), unique: None, scope, container: Some(id.to_owned()) }
    }
}
