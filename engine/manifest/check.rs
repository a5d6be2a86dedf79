//! Checks: one question to the world, which answers pass, fail or unknown.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::goal::EnvValue;
use super::verify::RedBeforeGreen;
use super::work::Run;
use crate::base::name::Name;
use crate::base::size::ByteSize;
use crate::base::time::Span;

/// How long a check may take where the manifest does not say.
pub const DEFAULT_TIMEOUT: Span = Span::seconds(10);

/// The pause between two tries of a check where the manifest does not say.
pub const DEFAULT_INTERVAL: Span = Span::seconds(1);

/// One question to the world: exactly one kind, and how patiently it is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Check {
    /// A name for reports; where it is missing the kind and its subject serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind of check, with its subject.
    #[serde(flatten)]
    pub kind: CheckKind,
    /// How long one try may take; 10 s where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often it is asked again before a failure counts; 0 where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1000))]
    pub retries: Option<u32>,
    /// The pause between two tries; 1 s where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// Whether the answer must stay true: `then` is not asked again by `verify` and `reverify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holds>,
    /// Whether this check must have been seen to fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red_before_green: Option<RedBeforeGreen>,
}

/// Whether a check's answer must stay true after the phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// It must.
    #[default]
    Always,
    /// It was true then; a later phase may change its subject.
    Then,
}

/// The kinds of check. Exactly one is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckKind {
    /// An HTTP request and what must come back; a text is the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// A TCP (or Unix) connection; a text is `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// A command that must exit with 0, in the phase's environment and working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,
    /// A file; a text is the path, which must exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileCheck>,
    /// What a resource, or the phase's own work, has written to its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// The state of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerCheck>,
    /// A page in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<Browser>,
}

/// An HTTP check: a URL, or a request with expectations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Http {
    /// The URL; any 2xx passes.
    Url(String),
    /// A request with expectations.
    Request(Box<HttpRequest>),
}

/// A request and what must come back. Redirects are answers like any other and are not followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HttpRequest {
    /// `http://…` or `https://…`.
    pub url: String,
    /// The method; GET where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Request headers.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// The request's body: a text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The status, or statuses, that pass; any 2xx where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Response headers that must be there with these values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub response_headers: IndexMap<String, String>,
    /// A text that the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that the body must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// What the body must hold as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Json>,
    /// The Unix socket to connect to instead of the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix: Option<String>,
}

/// One status or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Status {
    /// This one.
    One(#[schemars(range(min = 100, max = 599))] u16),
    /// Any of these.
    Any(#[schemars(length(min = 1))] Vec<u16>),
}

/// What a JSON body must hold at a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Json {
    /// A `JSONPath` (RFC 9535): `$.total`, `$.list[0].name`.
    pub path: String,
    /// The value it must have; a text that is a number or a boolean equals that number or boolean (templates give texts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// A text that its value must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that its value must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// How many values the path must find at least; 1 where nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_count: Option<u32>,
}

/// A TCP check: an address, or one with a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tcp {
    /// `host:port`.
    Address(String),
    /// A connection with a conversation.
    Talk(TcpTalk),
}

/// A connection, what is sent and what must come back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TcpTalk {
    /// `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The path of a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix: Option<String>,
    /// What is sent after connecting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// A text that must come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

/// An exec check: a command, or one with its surroundings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Exec {
    /// The command.
    Run(Run),
    /// The command with its surroundings.
    Full(ExecFull),
}

/// A command with its surroundings, and what its output must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ExecFull {
    /// The command.
    pub run: Run,
    /// The interpreter of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// More environment variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// The working directory, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The user (needs root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A text that its standard output must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that its standard output must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
}

/// A file check: a path that must exist, or one with expectations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FileCheck {
    /// The path, relative to the workspace.
    Path(String),
    /// A path with expectations.
    Full(FileExpect),
}

impl FileCheck {
    /// The path, relative to the workspace.
    pub fn path(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Full(full) => &full.path,
        }
    }

    /// Whether the file must exist.
    pub fn exists(&self) -> bool {
        match self {
            Self::Path(_) => true,
            Self::Full(full) => full.exists.unwrap_or(true),
        }
    }
}

/// A file and what must be true of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileExpect {
    /// The path, relative to the workspace.
    pub path: String,
    /// Whether it must exist; true where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// Its smallest size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<ByteSize>,
    /// A text that it must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that it must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// The SHA-256 of its content, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What a log must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    /// The resource of this phase whose log is meant; the phase's own work where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Name>,
    /// A text that it must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that it must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
}

/// The state of a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ContainerCheck {
    /// The resource; it must run, and be healthy where it has a health check.
    Name(Name),
    /// A resource with its state.
    Full(ContainerExpect),
}

/// A container and the state it must be in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ContainerExpect {
    /// The resource.
    pub resource: Name,
    /// The state; `running` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A page in a browser and what a person must see on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Browser {
    /// The page.
    pub url: String,
    /// A text that must be visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A CSS selector that must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}
