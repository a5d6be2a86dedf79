//! Budgets, limits and retries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::size::ByteSize;
use crate::base::time::Span;

/// What may be spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Budget {
    /// Tokens, in and out together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Money, in the currency of the workspace's price list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub max_cost: Option<f64>,
    /// Time; waiting for a person does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time: Option<Span>,
    /// Turns of an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// Tokens in a day, for a daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens_per_day: Option<u64>,
}

/// What may be used at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Processors: 1.5 is one and a half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 4096.0))]
    pub cpus: Option<f64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pids: Option<u32>,
    /// Open files of one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3))]
    pub files: Option<u64>,
    /// What happens where the host cannot enforce them; `best-effort` where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce: Option<Enforce>,
}

impl Limits {
    /// These, none of them above those of what is around: what is not limited here is limited as there.
    #[must_use]
    pub fn within(&self, around: &Self) -> Self {
        fn least<T: PartialOrd>(own: Option<T>, around: Option<T>) -> Option<T> {
            match (own, around) {
                (Some(own), Some(around)) => Some(if around < own { around } else { own }),
                (own, around) => own.or(around),
            }
        }
        Self {
            memory: least(self.memory, around.memory),
            cpus: least(self.cpus, around.cpus),
            pids: least(self.pids, around.pids),
            files: least(self.files, around.files),
            enforce: self.enforce.or(around.enforce),
        }
    }
}

/// What happens where the host cannot enforce a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Enforce {
    /// The run is refused.
    Strict,
    /// It runs, and the plan says so.
    #[default]
    BestEffort,
}

/// How often a phase is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// All tries, the first counted.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub attempts: u32,
    /// The pause before each further try.
    #[serde(default)]
    pub backoff: Backoff,
}

const fn one() -> u32 {
    1
}

/// The pause before a further try: `initial × factor^(n−1)`, at most `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Backoff {
    /// The first pause.
    #[serde(default = "one_second")]
    pub initial: Span,
    /// By how much each further pause grows.
    #[serde(default = "two")]
    #[schemars(range(min = 1.0, max = 100.0))]
    pub factor: f64,
    /// The longest pause.
    #[serde(default = "one_minute")]
    pub max: Span,
}

const fn one_second() -> Span {
    Span::seconds(1)
}

const fn two() -> f64 {
    2.0
}

const fn one_minute() -> Span {
    Span::seconds(60)
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: one_second(), factor: two(), max: one_minute() }
    }
}

/// What happens when all tries are used up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OnExhausted {
    /// A new plan is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replan: Option<Replan>,
}

/// How a new plan may be made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Replan {
    /// How often in one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Who agrees to it.
    #[serde(default)]
    pub approve: Approve,
}

/// Who agrees to a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Approve {
    /// A person.
    #[default]
    Ask,
    /// Nobody, within the rules.
    Auto,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_holds_and_what_is_not_said_is_that_of_around() {
        let own = Limits { memory: Some(ByteSize(1 << 30)), cpus: Some(0.5), enforce: Some(Enforce::Strict), ..Limits::default() };
        let around = Limits { memory: Some(ByteSize(1 << 20)), cpus: Some(2.0), pids: Some(64), ..Limits::default() };
        let both = own.within(&around);
        assert_eq!((both.memory, both.cpus, both.pids, both.files), (Some(ByteSize(1 << 20)), Some(0.5), Some(64), None));
        assert_eq!(both.enforce, Some(Enforce::Strict));
        assert_eq!(own.within(&Limits::default()), own);
    }
}
