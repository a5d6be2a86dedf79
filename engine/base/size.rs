//! Sizes of memory and files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes, written `512Mi`, `1Gi`, `10k` or `4096`.
///
/// `Ki Mi Gi Ti` are powers of 1024, `k K M G T` powers of 1000, as in Kubernetes' quantities; a trailing `B` is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SizeText", into = "String")]
pub struct ByteSize(pub u64);

/// A size as the manifest may write it: a text or a bare number of bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Bytes(u64),
    Text(String),
}

/// A text that is not a size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a size; write it like `512Mi`, `1Gi` or `4096`")]
pub struct SizeError(String);

/// Each with how many digits there may be before it: so many never make more bytes than can be counted.
const UNITS: [(&str, u64, usize); 9] = [
    ("Ki", 1 << 10, 15),
    ("Mi", 1 << 20, 13),
    ("Gi", 1 << 30, 10),
    ("Ti", 1 << 40, 7),
    ("k", 1_000, 15),
    ("K", 1_000, 15),
    ("M", 1_000_000, 13),
    ("G", 1_000_000_000, 10),
    ("T", 1_000_000_000_000, 7),
];

impl ByteSize {
    /// The pattern of a size, as the schema states it.
    pub const PATTERN: &'static str = "^([0-9]{1,15}(\\.[0-9]{1,3})? ?(Ki|[kK])?|[0-9]{1,13}(\\.[0-9]{1,3})? ?Mi?\
         |[0-9]{1,10}(\\.[0-9]{1,3})? ?Gi?|[0-9]{1,7}(\\.[0-9]{1,3})? ?Ti?)B?$";
}

impl ByteSize {
    /// In the largest unit that leaves a number of 1 or more, with at most one decimal: what was measured is not read to the byte.
    pub fn rounded(self) -> String {
        let Some((unit, factor, _)) = UNITS[..4].iter().rev().find(|(_, factor, _)| self.0 >= *factor) else { return self.0.to_string() };
        let tenths = u128::from(self.0) * 10 / u128::from(*factor);
        if tenths.is_multiple_of(10) { format!("{}{unit}", tenths / 10) } else { format!("{}.{}{unit}", tenths / 10, tenths % 10) }
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let wrong = || SizeError(text.to_owned());
        let body = text.strip_suffix('B').unwrap_or(text);
        let of = |(suffix, factor, most): &(&str, u64, usize)| body.strip_suffix(suffix).map(|number| (number, *factor, *most));
        let (number, unit, most) = UNITS.iter().find_map(of).unwrap_or((body, 1, 15));
        let number = number.strip_suffix(' ').unwrap_or(number);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > most || fraction.len() > 3 || !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let bytes = whole.checked_mul(unit).ok_or_else(wrong)?;
        let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| wrong())?;
        // At most 999 × 10^12: cannot overflow.
        bytes.checked_add(thousandths * unit / 1000).map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<SizeText> for ByteSize {
    type Error = SizeError;

    fn try_from(text: SizeText) -> Result<Self, SizeError> {
        match text {
            SizeText::Bytes(bytes) => Ok(Self(bytes)),
            SizeText::Text(text) => text.parse(),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS[..4].iter().rev().find(|(_, factor, _)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match exact {
            Some((suffix, factor, _)) => write!(f, "{}{suffix}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

impl schemars::JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A size: `512Mi`, `1Gi`, `10k`, or a number of bytes",
            "anyOf": [
                { "type": "string", "pattern": Self::PATTERN },
                { "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000_000_u64 }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("512Mi", 512 << 20), ("1.5Gi", 3 << 29), ("10k", 10_000), ("2GB", 2_000_000_000)] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "Mi", "1.2345k", "-1", "1e3", "99999999999999T", "1 2"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!(ByteSize(512 << 20).to_string(), "512Mi");
        assert_eq!(ByteSize(1000).to_string(), "1000");
        for (bytes, rounded) in [(0, "0"), (1023, "1023"), (64 << 20, "64Mi"), ((64 << 20) - 4096, "63.9Mi"), (3 << 29, "1.5Gi")] {
            assert_eq!(ByteSize(bytes).rounded(), rounded);
        }
    }
}
