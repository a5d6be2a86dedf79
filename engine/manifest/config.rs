//! `.opensculpt/config.yaml`: what is the workspace's and not a goal's.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::{Document, SourceId};
use super::share::Share;
use super::yaml;
use crate::base::diagnostic::Diagnostic;

/// How many runs of a goal are kept where nothing is said.
pub const DEFAULT_RUNS: u32 = 1_000;

/// For how many days records are kept where nothing is said.
pub const DEFAULT_DAYS: u32 = 365;

/// How much of the host's memory the goals of a workspace may use, all together and each of them, where nothing is said.
pub const DEFAULT_MEMORY: Share = Share::Percent(80);

/// The configuration of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Config {
    /// How long what happened is kept.
    pub retention: Retention,
    /// What its goals may use of this host.
    pub limits: DefaultLimits,
}

/// What the goals of a workspace may use of a host, whatever they declare or do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct DefaultLimits {
    /// Memory of all of them together.
    pub memory: Share,
    /// Memory of each that declares no limit of its own.
    pub goal_memory: Share,
}

impl Default for DefaultLimits {
    fn default() -> Self {
        Self { memory: DEFAULT_MEMORY, goal_memory: DEFAULT_MEMORY }
    }
}

/// How long what happened is kept: what is beyond either bound goes. What still lives is never touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Retention {
    /// So many runs of each goal.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub runs: u32,
    /// So many days.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { runs: DEFAULT_RUNS, days: DEFAULT_DAYS }
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn parse(path: &str, bytes: Vec<u8>) -> Result<Self, Vec<Diagnostic>> {
        let source = Arc::new(yaml::source(path, bytes).map_err(|error| vec![*error])?);
        if source.text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let document = Document { root: yaml::parse(&source, SourceId(0))?, sources: vec![source] };
        let mut wrong = Vec::new();
        let keys = document.root.map().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        for key in keys.iter().filter(|key| !["retention", "limits"].contains(&key.as_str()) && !key.starts_with("x-")) {
            let message = format!("a configuration has no key `{key}`");
            wrong.push(document.error_at_key(&[key], "unknown-key", message).hint("it has: `retention`, `limits`"));
        }
        for key in ["runs", "days"] {
            let path = ["retention", key];
            if document.root.get("retention").and_then(|retention| retention.get(key)).is_some() {
                let value = document.node(&path).map(super::node::Node::to_value);
                let fits =
                    value.as_ref().and_then(serde_json::Value::as_u64).is_some_and(|count| (1..=u64::from(u32::MAX)).contains(&count));
                if !fits {
                    wrong.push(document.error_at(&path, "type", format!("`retention.{key}` must be a whole number of at least 1")));
                }
            }
        }
        if let Some(retention) = document.root.get("retention") {
            let keys = retention.map().map(|map| map.keys().cloned().collect::<Vec<_>>());
            if keys.is_none() {
                wrong.push(document.error_at(&["retention"], "type", "`retention` must be a map: `{ runs: 1000, days: 365 }`"));
            }
            for key in keys.unwrap_or_default().iter().filter(|key| !["runs", "days"].contains(&key.as_str()) && !key.starts_with("x-")) {
                let message = format!("`retention` has no key `{key}`");
                wrong.push(document.error_at_key(&["retention", key], "unknown-key", message).hint("it has: `runs`, `days`"));
            }
        }
        wrong_limits(&document, &mut wrong);
        if document.root.map().is_none() {
            wrong.push(document.error_at(&[], "type", "a configuration must be a map: `retention: { runs: 1000, days: 365 }`"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        serde_json::from_value(document.root.to_value()).map_err(|error| vec![document.error_at(&[], "type", error.to_string())])
    }
}

/// What is wrong with the limits.
fn wrong_limits(document: &Document, wrong: &mut Vec<Diagnostic>) {
    let Some(limits) = document.root.get("limits") else { return };
    let keys = limits.map().map(|map| map.keys().cloned().collect::<Vec<_>>());
    if keys.is_none() {
        wrong.push(document.error_at(&["limits"], "type", "`limits` must be a map: `{ memory: 80%, goal_memory: 80% }`"));
    }
    for key in keys.unwrap_or_default().iter().filter(|key| !key.starts_with("x-")) {
        let path = ["limits", key.as_str()];
        if !["memory", "goal_memory"].contains(&key.as_str()) {
            let message = format!("`limits` has no key `{key}`");
            wrong.push(document.error_at_key(&path, "unknown-key", message).hint("it has: `memory`, `goal_memory`"));
        } else if let Some(value) = document.node(&path)
            && serde_json::from_value::<Share>(value.to_value()).is_err()
        {
            let message = format!("`limits.{key}` must be a share of the host's memory: `80%` (1% to 100%), or a size like `6Gi`");
            wrong.push(document.error_at(&path, "type", message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        Config::parse("config.yaml", text.as_bytes().to_vec()).map_err(|found| found.into_iter().map(|one| one.message).collect())
    }

    #[test]
    fn what_is_not_said_is_as_it_always_was() {
        for text in ["", "# nothing\n\n", "x-team: a\n", "retention: {}\n"] {
            assert_eq!(parse(text), Ok(Config::default()), "{text}");
        }
        let kept = parse("retention: { runs: 5 }\n").unwrap().retention;
        assert_eq!((kept.runs, kept.days), (5, DEFAULT_DAYS));
        let limits = parse("limits: { memory: 1073741824 }\n").unwrap().limits;
        assert_eq!((limits.memory, limits.goal_memory), (Share::Size(crate::base::size::ByteSize(1 << 30)), DEFAULT_MEMORY));
    }

    #[test]
    fn everything_wrong_is_named() {
        let wrong = parse("retentoin: {}\nretention: { runs: 0, days: two, weeks: 3 }\n").unwrap_err();
        assert_eq!(
            wrong,
            [
                "a configuration has no key `retentoin`",
                "`retention.runs` must be a whole number of at least 1",
                "`retention.days` must be a whole number of at least 1",
                "`retention` has no key `weeks`"
            ]
        );
        assert_eq!(parse("[1]\n").unwrap_err(), ["a configuration must be a map: `retention: { runs: 1000, days: 365 }`"]);
        assert_eq!(
            parse("limits: { memory: 101%, goal_memory: [], cpus: 1 }\n").unwrap_err(),
            [
                "`limits.memory` must be a share of the host's memory: `80%` (1% to 100%), or a size like `6Gi`",
                "`limits.goal_memory` must be a share of the host's memory: `80%` (1% to 100%), or a size like `6Gi`",
                "`limits` has no key `cpus`"
            ]
        );
        assert_eq!(parse("limits: 5\n").unwrap_err(), ["`limits` must be a map: `{ memory: 80%, goal_memory: 80% }`"]);
        assert_eq!(parse("retention: 5\n").unwrap_err(), ["`retention` must be a map: `{ runs: 1000, days: 365 }`"]);
    }
}
