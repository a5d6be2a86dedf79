//! What must be there before anything starts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::size::ByteSize;

/// What must be there: every unmet need is named before anything starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Requires {
    /// Programs that must be found in `PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// A container engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<bool>,
    /// Memory that must be available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Disk space that must be free in the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<ByteSize>,
    /// Ports that must be free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<super::resource::Port>,
    /// Files that must exist, relative to the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The user that must run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}
