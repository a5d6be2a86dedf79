//! Names that people give: goals, phases, resources, params, secrets.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A name in a manifest: 1 to 64 characters of `A-Z a-z 0-9 _ -`, starting with a letter or a digit.
///
/// It is safe as a file name, a cgroup name and a label. The schema holds the pattern; the type only carries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The pattern of a name, as the schema states it.
    pub const PATTERN: &'static str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";

    /// Takes a text that is already known to be a name (from a validated manifest or the journal).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": Self::PATTERN,
            "description": "1 to 64 letters, digits, `_` or `-`, starting with a letter or a digit"
        })
    }
}
