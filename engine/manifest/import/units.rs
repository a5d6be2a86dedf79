//! Durations and sizes as Compose writes them.

use crate::base::size::ByteSize;
use crate::base::time::Span;

/// Units of a duration in nanoseconds. The longer name of two that end alike comes first.
const TIMES: [(&str, f64); 7] = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3_600e9)];

/// The longest duration that is read: a year.
const LONGEST: f64 = 365.0 * 86_400.0 * 1e9;

/// A duration like `1m30s`, `1.5h`, `500us`; what is shorter than a millisecond becomes one, `0s` stays.
pub(super) fn duration(text: &str) -> Option<Span> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest == "0" {
        return Some(Span(0));
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let tail = &rest[end..];
        let unit_end = tail.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(tail.len());
        let (_, factor) = TIMES.iter().find(|(unit, _)| *unit == &tail[..unit_end])?;
        total += number * factor;
        rest = &tail[unit_end..];
    }
    (total <= LONGEST).then(|| Span(whole((total / 1e6).ceil())))
}

/// A size like `512m`, `1.5gb`, `1024`: Compose's units are powers of 1024.
pub(super) fn size(text: &str) -> Option<ByteSize> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    let bytes = number * 1024_f64.powi(power);
    (bytes <= 1e15).then(|| ByteSize(whole(bytes.floor())))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the callers give whole numbers from 0 to 10^15")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, ms) in
            [("1m30s", 90_000), ("1.5s", 1500), ("100us", 1), ("0s", 0), ("0", 0), ("1h5m30s20ms", 3_930_020), ("2m", 120_000)]
        {
            assert_eq!(duration(text), Some(Span(ms)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1x", "9999999h", "1..5s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("512m", 512 << 20), ("1gb", 1 << 30), ("1.5g", 3 << 29), ("300kb", 300 << 10), ("64", 64), ("2GiB", 2 << 30)]
        {
            assert_eq!(size(text), Some(ByteSize(bytes)), "{text}");
        }
        for text in ["", "m", "1x", "-1", "1e9", "9999999t"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
