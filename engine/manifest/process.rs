//! A process as a resource.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::goal::EnvValue;
use super::work::{OneOrMany, Run};
use crate::base::time::Span;

/// A service: a command, or one with its surroundings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Process {
    /// The command. One simple command as a text is exec'd: no shell stays.
    Run(Run),
    /// The command with its surroundings.
    Full(Box<ProcessFull>),
}

/// A service's command with its surroundings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProcessFull {
    /// The command. One simple command as a text is exec'd: no shell stays.
    pub run: Run,
    /// The interpreter of a text; `/bin/sh -e` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// More environment variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// Files of `NAME=value` lines, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<OneOrMany>,
    /// The working directory, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The user (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// How a service is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Stop {
    /// The first signal; SIGTERM where it is not said.
    #[serde(default)]
    pub signal: Signal,
    /// Who gets it; the main process where it is not said.
    #[serde(default)]
    pub to: StopTo,
    /// How long it may take until what is left is killed; 10 s where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Span>,
}

/// The grace of a stop where the manifest does not say (Compose's `stop_grace_period`).
pub const DEFAULT_GRACE: Span = Span::seconds(10);

/// Who gets the stop signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StopTo {
    /// The process that was started.
    #[default]
    Main,
    /// Every process of the resource.
    All,
}

/// A signal that may stop a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Terminate.
    #[default]
    SigTerm,
    /// Interrupt: PostgreSQL's fast shutdown.
    SigInt,
    /// Quit: nginx's graceful shutdown.
    SigQuit,
    /// Hang up.
    SigHup,
    /// User-defined 1.
    SigUsr1,
    /// User-defined 2.
    SigUsr2,
    /// Window change: Apache's graceful stop.
    SigWinch,
    /// Kill.
    SigKill,
}

impl Signal {
    /// Its name, as `kill` and the container engine take it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SigTerm => "SIGTERM",
            Self::SigInt => "SIGINT",
            Self::SigQuit => "SIGQUIT",
            Self::SigHup => "SIGHUP",
            Self::SigUsr1 => "SIGUSR1",
            Self::SigUsr2 => "SIGUSR2",
            Self::SigWinch => "SIGWINCH",
            Self::SigKill => "SIGKILL",
        }
    }
}

/// When a service is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// When it failed.
    OnFailure,
    /// Whenever it ended.
    Always,
    /// Whenever it ended, unless a person stopped it.
    UnlessStopped,
}

/// How often a service is started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RestartLimits {
    /// How often within the interval; 5 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The interval; 10 min where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// How long it must run until the count starts anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_after: Option<Span>,
}
