//! Resources: what outlives a command.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::CheckKind;
use super::goal::EnvValue;
use super::policy::Limits;
use super::process::{Process, Restart, RestartLimits, Stop};
use super::work::{OneOrMany, Run};
use crate::base::name::Name;
use crate::base::time::Span;

/// How long a resource lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Gone when the attempt ends.
    #[default]
    Phase,
    /// Until `sculpt down`.
    Goal,
}

/// Whether an active resource starts before or after the phase's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Before: the work uses it. The default of scope `phase`.
    Before,
    /// After: the work prepared what it serves. The default of scope `goal`.
    After,
}

/// Something that outlives a command: exactly one kind, and how it lives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Resource {
    /// A directory; a text is its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// A file that the engine writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileResource>,
    /// A TCP (or UDP) port that must be free: `8080`, `127.0.0.1:8080`, `53/udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortClaim>,
    /// A process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// A container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// A container network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<EngineObject>,
    /// A container volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<EngineObject>,
    /// Anything else: commands that create it, tell whether it exists, and destroy it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,

    /// How long it lives; `phase` where it is not said.
    #[serde(default)]
    pub scope: Scope,
    /// Whether it starts before or after the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// Other resources of the phase that must be there first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<DependsOn>,
    /// Whether `down` leaves it (`--volumes` removes it); true for directories, files and volumes of scope `goal` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
    /// Whether it may be collected under memory pressure while it is idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictable: Option<bool>,
    /// The ports that a process or a container listens on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortClaim>,
    /// When it counts as ready; without it a process is ready when its ports listen, or when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
    /// When it is started again; `no` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// How often it is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_limits: Option<RestartLimits>,
    /// How it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// What it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

impl Resource {
    /// The ports that it wants, whatever it is.
    pub fn claims(&self) -> impl Iterator<Item = &PortClaim> {
        self.port.iter().chain(&self.ports)
    }
}

/// A port: a number, or a text with an address or a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Port {
    /// A TCP port on any address.
    Number(#[schemars(range(min = 1))] u16),
    /// `8080`, `127.0.0.1:8080`, `53/udp`, or for containers `8080:80`.
    Text(String),
}

/// A port that a resource wants: the port, or one with what happens where somebody else has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PortClaim {
    /// The port; where somebody else has it, nothing starts.
    Plain(Port),
    /// A port with what happens then.
    Full(PortFull),
}

/// A port with what happens where somebody else has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PortFull {
    /// The port that is wanted.
    pub port: Port,
    /// What is taken instead; without it nothing starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// What is taken where somebody else has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The next free port above it, of the next hundred.
    NextFree,
}

impl PortClaim {
    /// The port that is wanted.
    pub const fn port(&self) -> &Port {
        match self {
            Self::Plain(port) | Self::Full(PortFull { port, .. }) => port,
        }
    }

    /// What is taken where somebody else has it.
    pub const fn fallback(&self) -> Option<Fallback> {
        match self {
            Self::Plain(_) => None,
            Self::Full(full) => full.fallback,
        }
    }
}

/// A directory: a path, or one with owner and mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Directory {
    /// The path, relative to the workspace.
    Path(String),
    /// A path with owner and mode.
    Full(DirectoryFull),
}

impl Directory {
    /// The path, relative to the workspace.
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Full(full) => &full.path,
        }
    }
}

/// A directory with owner and mode. One that existed before is used but not owned, and never deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DirectoryFull {
    /// The path, relative to the workspace.
    pub path: String,
    /// The user that owns it: `name` or `name:group` (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its mode in octal, as a text: `"0700"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^0?[0-7]{3,4}$"))]
    pub mode: Option<String>,
}

/// A file that the engine writes, from a text or from a template file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileResource {
    /// The path, relative to the workspace.
    pub path: String,
    /// The content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// A file whose text is the content after templating, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The user that owns it: `name` or `name:group` (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its mode in octal, as a text: `"0600"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^0?[0-7]{3,4}$"))]
    pub mode: Option<String>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Container {
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The build context, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Run>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// Volumes and workspace paths, as in Compose: `data:/var/lib/data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The networks it joins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Name>,
    /// The user inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The working directory inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
}

/// A network or a volume of the container engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct EngineObject {
    /// The driver; the engine's default where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// Anything that commands can create, find and destroy: a database, a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Custom {
    /// Creates it; may write outputs to `$SCULPT_OUTPUT`.
    pub create: Run,
    /// Exits with 0 where it exists and 1 where it does not.
    pub exists: Run,
    /// Destroys it.
    pub destroy: Run,
    /// Environment variables of the three commands.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// Files of `NAME=value` lines, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<OneOrMany>,
    /// How long each of the three commands may take: 30 minutes by default. Then it is killed, and has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

impl Custom {
    /// How long each of its commands may take.
    pub fn longest(&self) -> Span {
        self.timeout.unwrap_or(Span::seconds(30 * 60))
    }
}

/// Other resources of the phase that must be there first, in Compose's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DependsOn {
    /// They must be ready.
    List(Vec<Name>),
    /// Says for each what it must be.
    Map(IndexMap<Name, Dependency>),
}

/// What a resource that is depended on must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Dependency {
    /// Its state.
    #[serde(default)]
    pub condition: DependencyCondition,
    /// Whether the dependent is started again when this one changes.
    #[serde(default)]
    pub restart: bool,
}

/// The state of a resource that is depended on, in Compose's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    /// It has been started.
    ServiceStarted,
    /// It is ready.
    #[default]
    ServiceHealthy,
    /// It has ended well.
    ServiceCompletedSuccessfully,
}

impl DependsOn {
    /// The resources with what each must be, in the order of the manifest.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Dependency)> {
        let (list, map) = match self {
            Self::List(list) => (Some(list), None),
            Self::Map(map) => (None, Some(map)),
        };
        let listed = list.into_iter().flatten().map(|name| (name, Dependency::default()));
        listed.chain(map.into_iter().flatten().map(|(name, dependency)| (name, *dependency)))
    }
}

/// When a resource counts as ready, with Compose's keys and defaults (interval 30 s, timeout 30 s, retries 3, start period 0 s).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HealthCheck {
    /// The kind of check, with its subject.
    #[serde(flatten)]
    pub kind: CheckKind,
    /// Compose's form: `["CMD", "pg_isready"]`, `["CMD-SHELL", "…"]`, or a text for the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<OneOrMany>,
    /// The pause between two checks once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// How long one check may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many failures in a row make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub retries: Option<u32>,
    /// How long after the start failures do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Span>,
    /// The pause between two checks until it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<Span>,
    /// True switches it off.
    #[serde(default)]
    pub disable: bool,
}

impl HealthCheck {
    /// Whether there is to be none: `disable: true`, or Compose's `test: [NONE]`.
    pub fn is_off(&self) -> bool {
        self.disable || matches!(&self.test, Some(OneOrMany::Many(words)) if words.first().is_some_and(|first| first == "NONE"))
    }
}
