//! A share of something, or a size: `80%`, `6Gi`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::size::ByteSize;

/// A part of the host's memory, in percent of it or as a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ShareText", into = "String")]
pub enum Share {
    /// So many hundredths of it: 1 to 100.
    Percent(u8),
    /// As much as this.
    Size(ByteSize),
}

/// A share as a configuration may write it: a text or a bare number of bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum ShareText {
    Bytes(u64),
    Text(String),
}

/// A text that is no share.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a share of the memory; write it like `80%` (1% to 100%) or `6Gi`")]
pub struct ShareError(String);

impl Share {
    /// How many bytes it is of so many.
    pub fn of(self, total: u64) -> u64 {
        match self {
            // At most the whole.
            Self::Percent(percent) => u64::try_from(u128::from(total) * u128::from(percent) / 100).unwrap_or(total),
            Self::Size(size) => size.0,
        }
    }

    /// As much as this; none where it is nothing.
    fn sized(size: ByteSize) -> Option<Self> {
        (size.0 > 0).then_some(Self::Size(size))
    }

    /// The same where the whole may not be known: then only a size is known too.
    pub fn of_known(self, total: Option<u64>) -> Option<u64> {
        match (self, total) {
            (_, Some(total)) => Some(self.of(total)),
            (Self::Size(size), None) => Some(size.0),
            (Self::Percent(_), None) => None,
        }
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let wrong = || ShareError(text.to_owned());
        match text.strip_suffix('%') {
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                let percent: u8 = digits.parse().map_err(|_| wrong())?;
                if (1..=100).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(wrong()) }
            }
            Some(_) => Err(wrong()),
            None => Self::sized(text.parse().map_err(|_| wrong())?).ok_or_else(wrong),
        }
    }
}

impl TryFrom<ShareText> for Share {
    type Error = ShareError;

    fn try_from(text: ShareText) -> Result<Self, ShareError> {
        match text {
            ShareText::Bytes(bytes) => Self::sized(ByteSize(bytes)).ok_or_else(|| ShareError(bytes.to_string())),
            ShareText::Text(text) => text.parse(),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Size(size) => size.fmt(f),
        }
    }
}

impl schemars::JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let size = generator.subschema_for::<ByteSize>();
        schemars::json_schema!({
            "description": "A part of the host's memory: `80%`, or a size like `6Gi`",
            "anyOf": [ { "type": "string", "pattern": "^0?0?[1-9]%$|^0?[1-9][0-9]%$|^100%$" }, size ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, share, of) in [
            ("80%", Share::Percent(80), 800),
            ("1%", Share::Percent(1), 10),
            ("100%", Share::Percent(100), 1000),
            ("1Ki", Share::Size(ByteSize(1024)), 1024),
        ] {
            assert_eq!(text.parse(), Ok(share), "{text}");
            assert_eq!((share.to_string().as_str(), share.of(1000)), (text, of));
        }
        for text in ["", "%", "0%", "101%", "-1%", "1.5%", "80 %", "0", "much"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(Share::Percent(100).of(u64::MAX), u64::MAX);
        assert_eq!((Share::Percent(50).of_known(None), Share::Size(ByteSize(7)).of_known(None)), (None, Some(7)));
    }
}
