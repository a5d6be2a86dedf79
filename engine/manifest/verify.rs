//! Verification: the tier of a phase with its checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;

/// Who decides whether a phase is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The checks.
    #[default]
    Auto,
    /// A person, after the checks.
    AskUser,
    /// Nobody: the phase ends unverified at best.
    None,
}

/// How a phase or a goal is verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Verify {
    /// Who decides; `auto` where it is not said.
    #[serde(default)]
    pub tier: Tier,
    /// The questions to the world. All must pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What a person is asked, with tier `ask_user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Whether a check must have been seen to fail before it may prove anything; a check may say otherwise for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red_before_green: Option<RedBeforeGreen>,
}

/// When a check must have been seen to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RedText", into = "RedText")]
pub enum RedBeforeGreen {
    /// In each run.
    #[default]
    Each,
    /// In this run or in an earlier one of the goal.
    Once,
    /// Never: proof is waived, and the report says so.
    Waived,
}

/// As it is written: `each`, `once` or `false`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RedText {
    Flag(bool),
    Word(RedWord),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RedWord {
    Each,
    Once,
}

impl TryFrom<RedText> for RedBeforeGreen {
    type Error = &'static str;

    fn try_from(text: RedText) -> Result<Self, Self::Error> {
        match text {
            RedText::Word(RedWord::Each) | RedText::Flag(true) => Ok(Self::Each),
            RedText::Word(RedWord::Once) => Ok(Self::Once),
            RedText::Flag(false) => Ok(Self::Waived),
        }
    }
}

impl From<RedBeforeGreen> for RedText {
    fn from(red: RedBeforeGreen) -> Self {
        match red {
            RedBeforeGreen::Each => Self::Word(RedWord::Each),
            RedBeforeGreen::Once => Self::Word(RedWord::Once),
            RedBeforeGreen::Waived => Self::Flag(false),
        }
    }
}

impl JsonSchema for RedBeforeGreen {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RedBeforeGreen".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "When a check must have been seen to fail: in `each` run (default), `once`, or `false`: proof is waived, and the report says so",
            "enum": ["each", "once", true, false]
        })
    }
}
