//! Parameters and secrets: what a run is given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::work::Run;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// A text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A typed parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Param {
    /// The type; `string` where it is not said.
    #[serde(default, rename = "type")]
    pub kind: ParamType,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value where `--set` gives none; without it the parameter must be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The only values allowed.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// A regular expression that a text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
}

/// Where a secret comes from. Several sources are tried in the order `env`, `file`, `command`, `generate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Secret {
    /// The environment variable of `sculpt run` that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The file that holds it, relative to the workspace; one newline at its end is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The command that prints it: `sops -d …`, `pass show …`, `vault kv get …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Run>,
    /// Otherwise: so many random letters and digits, kept in a 0600 file until `sculpt down --volumes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 1024))]
    pub generate: Option<u32>,
}

/// Why a value does not fit a parameter: completes "`port` …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// It has another type.
    #[error("must be {wanted}, not `{found}`")]
    WrongType {
        /// The type in words.
        wanted: &'static str,
        /// What was given.
        found: String,
    },
    /// It is none of the allowed values.
    #[error("must be one of {allowed}, not `{found}`")]
    NotAllowed {
        /// The allowed values.
        allowed: String,
        /// What was given.
        found: String,
    },
    /// It does not match the pattern.
    #[error("must match `{pattern}`, which `{found}` does not")]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// What was given.
        found: String,
    },
    /// It is too small or too large.
    #[error("must be {bound}, not {found}")]
    OutOfRange {
        /// `at least 1`, `at most 10`.
        bound: String,
        /// What was given.
        found: String,
    },
    /// The parameter's own pattern is none.
    #[error("has a pattern that is not a regular expression: {0}")]
    BadPattern(String),
}

/// Checks a value against its parameter.
///
/// # Errors
/// Where it does not fit.
pub fn check(param: &Param, value: &Value) -> Result<(), ParamError> {
    let found = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (fits, wanted) = match param.kind {
        ParamType::String => (value.is_string(), "a text"),
        ParamType::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
        ParamType::Number => (value.is_number(), "a number"),
        ParamType::Boolean => (value.is_boolean(), "`true` or `false`"),
    };
    if !fits {
        return Err(ParamError::WrongType { wanted, found: found() });
    }
    if !param.allowed.is_empty() && !param.allowed.contains(value) {
        let allowed = param.allowed.iter().map(|value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        return Err(ParamError::NotAllowed { allowed: allowed.collect::<Vec<_>>().join(", "), found: found() });
    }
    if let (Some(pattern), Some(text)) = (&param.pattern, value.as_str()) {
        let regex = regex::Regex::new(pattern).map_err(|error| ParamError::BadPattern(error.to_string()))?;
        if !regex.is_match(text) {
            return Err(ParamError::NoMatch { pattern: pattern.clone(), found: found() });
        }
    }
    let number = value.as_f64();
    if let (Some(number), Some(minimum)) = (number, param.minimum)
        && number < minimum
    {
        return Err(ParamError::OutOfRange { bound: format!("at least {minimum}"), found: found() });
    }
    if let (Some(number), Some(maximum)) = (number, param.maximum)
        && number > maximum
    {
        return Err(ParamError::OutOfRange { bound: format!("at most {maximum}"), found: found() });
    }
    Ok(())
}
