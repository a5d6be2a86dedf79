//! Instants and lengths of time. Reading a clock is the adapters' business; here time is only a value.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// A length of time, whole milliseconds, written `1m30s`, `500ms`, `2h`, `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub u64);

/// A text that is not a length of time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a duration; write it like `30s`, `1m30s` or `500ms`")]
pub struct SpanError(String);

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    /// The pattern of a duration, as the schema states it: units in falling order, each at most once.
    ///
    /// All of them are optional in the pattern; the schema's `minLength` asks for one. (A look-ahead would cost every validator its linear time.)
    pub const PATTERN: &'static str = "^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}(\\.[0-9]{1,3})?s)?([0-9]{1,9}ms)?$";

    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    /// The same as the standard library's type.
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// The same for a person: `340ms`, `1.2s`, `1m30s`, `2h05m`.
    pub fn human(self) -> String {
        match self.0 {
            ms @ 0..1_000 => format!("{ms}ms"),
            ms @ 1_000..60_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
            ms @ 60_000..3_600_000 => format!("{}m{:02}s", ms / 60_000, ms % 60_000 / 1000),
            ms @ 3_600_000..86_400_000 => format!("{}h{:02}m", ms / 3_600_000, ms % 3_600_000 / 60_000),
            ms => format!("{}d{:02}h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
        }
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.to_owned());
        let mut rest = text;
        let mut total: u64 = 0;
        let mut next_unit = 0;
        if text.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(end);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let index = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
            if index < next_unit {
                return Err(wrong());
            }
            next_unit = index + 1;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if !fraction.is_empty() && (unit != "s" || fraction.len() > 3) || number.ends_with('.') {
                return Err(wrong());
            }
            let whole: u64 = whole.parse().map_err(|_| wrong())?;
            let fraction: u64 = format!("{fraction:0<3}").parse().map_err(|_| wrong())?;
            let part = whole.checked_mul(UNITS[index].1).ok_or_else(wrong)?;
            let part = if unit == "s" { part.checked_add(fraction).ok_or_else(wrong)? } else { part };
            total = total.checked_add(part).ok_or_else(wrong)?;
            rest = tail;
        }
        Ok(Self(total))
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// Exact, and reads back as the same span.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Span;

    /// The time between two instants; zero where the clock went backwards.
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// RFC 3339 in UTC, to the millisecond.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        match stamp {
            Some(stamp) => write!(f, "{stamp:.3}"),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "pattern": Self::PATTERN,
            "description": "A duration: `500ms`, `30s`, `1m30s`, `2h`, `7d`"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, ms) in [("0s", 0), ("500ms", 500), ("1m30s", 90_000), ("2h", 7_200_000), ("7d", 604_800_000), ("1.5s", 1_500)] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span, Span(ms));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        for text in ["", "5", "s", "1s1m", "1.5m", "-1s", "1 s", "1s1s", "1.s", ".5s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_for_people() {
        for (ms, text) in [(7, "7ms"), (1_234, "1.2s"), (90_000, "1m30s"), (7_500_000, "2h05m")] {
            assert_eq!(Span(ms).human(), text);
        }
        assert_eq!(Timestamp(1_795_000_000_123).to_string(), "2026-11-18T11:06:40.123Z");
    }
}
