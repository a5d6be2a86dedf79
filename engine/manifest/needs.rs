//! What a phase waits for.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::name::Name;

/// The phases that a phase waits for: a list, or a map that says how each must have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Needs {
    /// Unlocks on verified, or on unverified where the needed phase declares tier `none`.
    List(Vec<Name>),
    /// Says for each how it must have ended.
    Map(IndexMap<Name, Need>),
}

/// How a needed phase must have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Need {
    /// The outcome that unlocks.
    #[serde(default)]
    pub when: Unlock,
}

/// The outcome of a needed phase that unlocks its dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unlock {
    /// Verified; or unverified where the needed phase declares tier `none`.
    #[default]
    Verified,
    /// Verified or unverified.
    Unverified,
    /// Ended, however.
    Finished,
    /// Failed.
    Failed,
}

impl Default for Needs {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Needs {
    /// The needed phases with how each must have ended, in the order of the manifest.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, Unlock)> {
        let (list, map) = match self {
            Self::List(list) => (Some(list), None),
            Self::Map(map) => (None, Some(map)),
        };
        list.into_iter()
            .flatten()
            .map(|name| (name, Unlock::Verified))
            .chain(map.into_iter().flatten().map(|(name, need)| (name, need.when)))
    }

    /// True where nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}
