//! Commands, as people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A command: a text runs under `/bin/sh -e`; a list is an argument vector without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Run {
    /// One line or many, for a shell.
    Script(#[schemars(length(min = 1))] String),
    /// A program and its arguments.
    Argv(#[schemars(length(min = 1))] Vec<String>),
}

/// One text or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
