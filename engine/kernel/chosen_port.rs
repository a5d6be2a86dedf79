//! The port that was chosen where a fallback is declared: chosen once, when its phase is briefed, and kept while what has it lives.

use serde::{Deserialize, Serialize};

use crate::base::name::Name;

/// A port that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenPort {
    /// The resource of the phase that is to have it.
    pub resource: Name,
    /// What is declared, rendered: `8080`, `127.0.0.1:8080`.
    pub declared: String,
    /// The port, from 1.
    pub port: u16,
    /// Who had the declared one, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
}
