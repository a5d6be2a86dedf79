//! Agents, as the manifest declares them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Budget;
use super::work::Run;
use crate::base::name::Name;

/// A model at work: a task, the tools it may use, and what it may spend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Agent {
    /// What it is to do.
    pub task: String,
    /// A routing tier, not a vendor's name: `cheap`, `default`, `strong`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Name>,
    /// The tools it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Name>,
    /// The skills it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<Name>,
    /// Values it is given.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub inputs: IndexMap<Name, String>,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Who runs it: the engine, or a foreign agent's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<AgentRuntime>,
    /// The foreign agent's command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Run>,
    /// What it may do beyond its tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

/// Who runs an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentRuntime {
    /// The engine.
    #[default]
    Native,
    /// A foreign agent's command line, metered.
    Command,
}

/// What a phase or an agent may do: deny by default; deny > ask > allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Capabilities {
    /// Allowed without a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Allowed after a person's yes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<String>,
    /// Never allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// What may be asked of the container engine beyond what everybody may: `keep`, `privileged`, `host-network`, `mount:/srv`…
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub docker: Vec<String>,
}
