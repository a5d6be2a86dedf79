//! The phase: one piece of work and how to verify it.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::{Agent, Capabilities};
use super::goal::EnvValue;
use super::needs::Needs;
use super::policy::{Budget, Limits, OnExhausted, Retry};
use super::requires::Requires;
use super::resource::Resource;
use super::verify::Verify;
use super::work::{OneOrMany, Run};
use crate::base::name::Name;
use crate::base::time::Span;

/// A node of the goal's DAG: at most one of `run`, `agent` or `uses`, the resources it stands up, and how to verify it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Phase {
    /// What the phase is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The phases that this one waits for.
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
    /// An expression; where it is false the phase is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The phase takes part only where one of these profiles is chosen (`--profile`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Name>,
    /// A reusable phase: a file, relative to the one that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<String>,
    /// The params of the reusable phase.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<Name, Value>,
    /// One instance for each value: a list, or an expression that gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// One instance for each combination of values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub matrix: IndexMap<Name, Vec<Value>>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The interpreter of a `run` that is a text; `/bin/sh -e` where it is not said, `bash` means `bash -eo pipefail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// The image in which `run` is carried out, with the workspace mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The networks that the command joins in its `image`, by their resources: it finds the services of the goal there by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Name>,
    /// Volumes and workspace paths that are mounted in the `image` beside the workspace, as in Compose: `data:/var/lib/data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The agent that does the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// Files of `NAME=value` lines, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<OneOrMany>,
    /// The working directory, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The user that runs the command (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group that runs the command (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What the phase stands up.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub resources: IndexMap<Name, Resource>,
    /// Files (globs) whose content decides whether the work is up to date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Files (globs) that are kept per attempt, hashed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Values for later phases; the work may add more through the file `$SCULPT_OUTPUT`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<Name, String>,
    /// How to verify it; without it the tier is `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// How often to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long an attempt may take, from its first resource to the end of its readiness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// What the work may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What the phase may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What must be there before anything of the goal starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requires>,
    /// What the phase may do beyond its work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// What happens when all tries are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exhausted: Option<OnExhausted>,
    /// False switches templating off for this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<bool>,
}

/// A condition: an expression, or a plain boolean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Condition {
    /// Always or never.
    Boolean(bool),
    /// An expression over `params`, `env`, `item`, `matrix` and `phases.NAME.outputs`.
    Expression(String),
}

/// The values of a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ForEach {
    /// The values themselves.
    Values(Vec<Value>),
    /// An expression over `params` that gives a list.
    Expression(String),
}
