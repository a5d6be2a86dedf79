//! Daemons: standing watches that outlive the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::Agent;
use super::check::Check;
use super::policy::Budget;
use super::work::Run;
use crate::base::name::Name;
use crate::base::time::Span;

/// A standing watch: cheap check first, action only when needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Daemon {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The phases after which it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Name>,
    /// The question it asks.
    pub check: Check,
    /// How often it asks.
    #[serde(default)]
    pub cadence: Cadence,
    /// What it does when the check fails.
    pub on_attention: Attention,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// How often a daemon asks, by how much happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Cadence {
    /// While something happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Span>,
    /// While nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Span>,
    /// After a long quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dormant: Option<Span>,
}

/// What a daemon does: exactly one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Attention {
    /// Starts a resource again: `phase.resource`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// Runs a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Sets an agent to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Tells the channels of the workspace's configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Name>,
}
