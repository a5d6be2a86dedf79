//! The goal: one manifest.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::daemon::Daemon;
use super::param::{Param, Secret};
use super::phase::Phase;
use super::policy::{Budget, Limits};
use super::requires::Requires;
use super::verify::Verify;
use super::work::OneOrMany;
use crate::base::name::Name;
use crate::base::time::Span;

/// How many phases may work at once where the manifest does not say.
pub const DEFAULT_CONCURRENCY: u32 = 4;

/// The version of the manifest language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The first version.
    #[default]
    #[serde(rename = "1")]
    V1,
}

/// A goal: a DAG of phases whose resources, verification, budgets and daemons are declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Goal {
    /// The version of the manifest language.
    pub version: Version,
    /// The goal's name, unique in its workspace.
    pub name: Name,
    /// What the goal is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Typed parameters, set with `sculpt run --set name=value`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub params: IndexMap<Name, Param>,
    /// Secrets: masked in every log, journal line, prompt and screen.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<Name, Secret>,
    /// Environment variables of every phase.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// Files of `NAME=value` lines that every phase gets as environment, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<OneOrMany>,
    /// The working directory of every phase, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// What the whole goal may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What all phases and resources of the goal may use together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How many phases may work at once; 4 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: Option<u32>,
    /// Goals of one group run one after the other in a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_group: Option<Name>,
    /// What must be there before anything starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requires>,
    /// Other manifests whose phases, params, secrets and env are part of this goal, relative to this file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// The phases.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub phases: IndexMap<Name, Phase>,
    /// Phases that run at the end, however the others ended.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub finally: IndexMap<Name, Phase>,
    /// Checks from outside, made when all phases are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// How often the checks of a goal that stands are asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverify: Option<Span>,
    /// Standing watches that outlive the run.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub daemons: IndexMap<Name, Daemon>,
    /// Paths (globs) that no agent of this goal may write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    /// False switches templating off for the whole goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<bool>,
}

/// The value of an environment variable: a text, or a number or boolean that is taken as the text it is written as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A boolean: `true` or `false`.
    Boolean(bool),
}

impl std::fmt::Display for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}
