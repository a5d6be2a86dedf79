//! What an unquoted word means: YAML 1.2's core schema, without its traps.
//!
//! | word | value |
//! |---|---|
//! | empty, `~`, `null` | null |
//! | `true`, `false` (three spellings each) | boolean; `yes`, `no`, `on`, `off` are texts |
//! | `12`, `-3`, `0x1F`, `0o17` | integer; `010` and `1_000` are texts |
//! | `1.5`, `1e3`, `.5` | number |
//! | `.inf`, `.nan`, what no number holds | an error: JSON has no such value |
//! | anything else | text |

use crate::manifest::node::Data;

/// Up to here every whole number is an f64: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number that no manifest can hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSuchNumber;

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Result<Data, NoSuchNumber> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(NoSuchNumber),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(NoSuchNumber);
    }
    // Most words are texts: decide by the first character.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Data::Text(text.to_owned()));
    }
    if let Some(value) = radix(text) {
        return value;
    }
    if all_digits(unsigned) {
        return integer(text, unsigned);
    }
    if is_float(unsigned) {
        return finite(text);
    }
    Ok(Data::Text(text.to_owned()))
}

fn radix(text: &str) -> Option<Result<Data, NoSuchNumber>> {
    let (digits, base) = if let Some(digits) = text.strip_prefix("0x") { (digits, 16) } else { (text.strip_prefix("0o")?, 8) };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    Some(u64::from_str_radix(digits, base).map(|number| Data::Number(number.into())).map_err(|_| NoSuchNumber))
}

fn integer(text: &str, unsigned: &str) -> Result<Data, NoSuchNumber> {
    if unsigned.len() > 1 && unsigned.starts_with('0') {
        return Ok(Data::Text(text.to_owned()));
    }
    if text.starts_with('-') {
        return text.parse::<i64>().map(|number| Data::Number(number.into())).map_err(|_| NoSuchNumber);
    }
    unsigned.parse::<u64>().map(|number| Data::Number(number.into())).map_err(|_| NoSuchNumber)
}

fn finite(text: &str) -> Result<Data, NoSuchNumber> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(NoSuchNumber)?;
    // JSON Schema and JavaScript know no difference between 3 and 3.0: neither do we.
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and in the range in which every whole f64 is exact")]
        return Ok(Data::Number((number as i64).into()));
    }
    serde_json::Number::from_f64(number).map(Data::Number).ok_or(NoSuchNumber)
}

/// `12.5`, `.5`, `1.`, `1e3`, `1.5E-7`: the core schema's pattern.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|text| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && all_digits(digits)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty()),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_mean_what_the_table_says() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("True", json!(true)),
            ("no", json!("no")),
            ("off", json!("off")),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0", json!(0)),
            ("010", json!("010")),
            ("1_000", json!("1_000")),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000)),
            ("3.0", json!(3)),
            (".5", json!(0.5)),
            ("1.2.3", json!("1.2.3")),
            ("1m30s", json!("1m30s")),
            ("12:30", json!("12:30")),
            (".", json!(".")),
            ("-", json!("-")),
            ("1e", json!("1e")),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            let node = crate::manifest::node::Node { data: resolve(text).expect(text), place: crate::manifest::node::Place::NOWHERE };
            assert_eq!(node.to_value(), value, "{text}");
        }
        for text in [".inf", "-.inf", ".nan", "1e999", "99999999999999999999"] {
            assert_eq!(resolve(text), Err(NoSuchNumber), "{text}");
        }
    }
}
