//! What a JSON body must hold at a path.

use serde_json::{Number, Value};
use serde_json_path::JsonPath;

use super::reason::{Miss, Reason, Short};
use super::text::Wanted;
use crate::manifest::check::Json;

/// A JSON expectation whose path and pattern were read.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    json: &'a Json,
    path: JsonPath,
    wanted: Wanted<'a>,
}

impl<'a> Expected<'a> {
    pub(super) fn new(json: &'a Json) -> Result<Self, Miss> {
        let path = JsonPath::parse(&json.path)
            .map_err(|error| Miss::new(Reason::Invalid, format!("{} is not a JSON path: {error}", Short(&json.path))))?;
        Ok(Self { json, path, wanted: Wanted::new(json.contains.as_deref(), json.matches.as_deref())? })
    }

    /// Looks at a body. At least `min_count` (1 where it is not said) of the values at the path must be as expected.
    pub(super) fn check(&self, body: &[u8]) -> Result<(), Miss> {
        let content = |evidence: String| Miss::new(Reason::Content, evidence);
        let body: Value = serde_json::from_slice(body).map_err(|error| content(format!("the body is not JSON: {error}")))?;
        let found = self.path.query(&body).all();
        let good = found.iter().filter(|value| self.is_good(value)).count();
        let least = self.json.min_count.unwrap_or(1) as usize;
        if good >= least {
            return Ok(());
        }
        let path = &self.json.path;
        let wish = self.wish();
        Err(content(match (&found[..], wish.is_empty()) {
            ([], _) => format!("{path} finds nothing{}", if wish.is_empty() { String::new() } else { format!(", wanted {wish}") }),
            ([value], false) if least == 1 => format!("{path} is {}, wanted {wish}", Short(&value.to_string())),
            (values, true) => format!("{path} finds {} values, wanted at least {least}", values.len()),
            (values, false) => format!("{path} finds {good} of {} values as wanted ({wish}), wanted at least {least}", values.len()),
        }))
    }

    fn is_good(&self, value: &Value) -> bool {
        self.json.equals.as_ref().is_none_or(|wanted| equal(value, wanted)) && (self.wanted.is_empty() || self.wanted.is_in(&plain(value)))
    }

    fn wish(&self) -> String {
        let equals = self.json.equals.as_ref().map(|value| Short(&value.to_string()).to_string());
        let contains = self.wanted.contains.map(|part| format!("text with {}", Short(part)));
        let matches = self.wanted.matches.as_ref().map(|pattern| format!("a match of {}", Short(pattern.as_str())));
        [equals, contains, matches].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// A value as text: a string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a value is the wanted one. Numbers are equal by value (`3` and `3.0`), and a wanted text that is a number or a boolean
/// equals it, since templates give texts.
fn equal(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => same(a, b),
        (Value::Number(a), Value::String(text)) => serde_json::from_str::<Number>(text).is_ok_and(|b| same(a, &b)),
        (Value::Bool(a), Value::String(text)) => text == if *a { "true" } else { "false" },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b))),
        (a, b) => a == b,
    }
}

fn same(a: &Number, b: &Number) -> bool {
    // Integers exactly: 2^53 and 2^53 + 1 are one number as floats.
    let integer = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a.partial_cmp(&b).is_some_and(std::cmp::Ordering::is_eq)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = r#"{"total":2,"ok":true,"name":"Ada","none":null,"list":[{"s":"won"},{"s":"won"},{"s":"lost"}]}"#;

    fn check(json: Value) -> Result<(), String> {
        let json: Json = serde_json::from_value(json).unwrap();
        Expected::new(&json).and_then(|expected| expected.check(BODY.as_bytes())).map_err(|miss| miss.evidence)
    }

    #[test]
    fn passes() {
        for json in [
            json!({"path": "$.total"}),
            json!({"path": "$.none"}),
            json!({"path": "$.total", "equals": 2}),
            json!({"path": "$.total", "equals": 2.0}),
            json!({"path": "$.total", "equals": "2"}),
            json!({"path": "$.ok", "equals": "true"}),
            json!({"path": "$.none", "equals": null}),
            json!({"path": "$.name", "contains": "d", "matches": "^A.a$"}),
            json!({"path": "$.list[*].s", "equals": "won", "min_count": 2}),
            json!({"path": "$.list[0]", "equals": {"s": "won"}}),
            json!({"path": "$.list[*]", "min_count": 3}),
            json!({"path": "$.missing", "min_count": 0}),
        ] {
            assert_eq!(check(json.clone()), Ok(()), "{json}");
        }
    }

    #[test]
    fn fails_with_what_was_found() {
        for (json, evidence) in [
            (json!({"path": "$.total", "equals": 3}), "$.total is `2`, wanted `3`"),
            (json!({"path": "$.name", "equals": "Bob"}), "$.name is `\"Ada\"`, wanted `\"Bob\"`"),
            (json!({"path": "$.none", "equals": "null"}), "$.none is `null`, wanted `\"null\"`"),
            (json!({"path": "$.missing"}), "$.missing finds nothing"),
            (json!({"path": "$.missing", "equals": 3}), "$.missing finds nothing, wanted `3`"),
            (json!({"path": "$.list[*]", "min_count": 4}), "$.list[*] finds 3 values, wanted at least 4"),
            (
                json!({"path": "$.list[*].s", "equals": "won", "min_count": 3}),
                "$.list[*].s finds 2 of 3 values as wanted (`\"won\"`), wanted at least 3",
            ),
            (json!({"path": "$.name", "matches": "^B"}), "$.name is `\"Ada\"`, wanted a match of `^B`"),
        ] {
            assert_eq!(check(json), Err(evidence.to_owned()));
        }
        assert!(check(json!({"path": "total"})).unwrap_err().starts_with("`total` is not a JSON path"));
    }

    #[test]
    fn big_integers_are_compared_exactly() {
        assert!(!equal(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
        assert!(!equal(&json!("2"), &json!(2)), "a text in the body is no number");
    }
}
