//! `--set name=value`: the values of a run's parameters.

use indexmap::IndexMap;
use serde_json::Value;

use super::param::{self, Param, ParamError, ParamType};
use super::yaml;
use crate::base::diagnostic::nearest;
use crate::base::name::Name;

/// Why the parameters of a run cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Not `name=value`.
    #[error("failed to set `{0}`: write `name=value`")]
    NotAPair(String),
    /// No such parameter.
    #[error("failed to set `{name}`: the goal has no such parameter{}", did_you_mean(near.as_deref()))]
    Unknown {
        /// The name that was given.
        name: String,
        /// A name that is near.
        near: Option<String>,
    },
    /// Set twice.
    #[error("failed to set `{0}`: it is set twice")]
    Twice(String),
    /// A value that does not fit.
    #[error("failed to set `{name}`: it {why}")]
    Wrong {
        /// The parameter.
        name: String,
        /// Why.
        why: ParamError,
    },
    /// A parameter without a default that was not set.
    #[error("failed to set `{0}`: it has no default, give it a value with `--set {0}=…`")]
    Missing(Name),
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}

/// The value of every parameter: what was set, checked, and the defaults of the rest, in the order of the manifest.
///
/// # Errors
/// All that is wrong, not the first only.
pub fn settle(params: &IndexMap<Name, Param>, settings: &[String]) -> Result<IndexMap<Name, Value>, Vec<SetError>> {
    let mut given: IndexMap<&str, Value> = IndexMap::new();
    let mut errors = Vec::new();
    for setting in settings {
        let Some((name, text)) = setting.split_once('=') else {
            errors.push(SetError::NotAPair(setting.clone()));
            continue;
        };
        let Some(param) = params.get(name) else {
            let near = nearest(name, params.keys().map(Name::as_str)).map(str::to_owned);
            errors.push(SetError::Unknown { name: name.to_owned(), near });
            continue;
        };
        let value = match param.kind {
            // A text is taken as it is: `--set version=1.10` is not a number.
            ParamType::String => Value::from(text),
            _ => yaml::scalar(text),
        };
        if let Err(why) = param::check(param, &value) {
            errors.push(SetError::Wrong { name: name.to_owned(), why });
        } else if given.insert(name, value).is_some() {
            errors.push(SetError::Twice(name.to_owned()));
        }
    }
    let mut settled = IndexMap::with_capacity(params.len());
    for (name, param) in params {
        match given.swap_remove(name.as_str()).or_else(|| param.default.clone()) {
            Some(value) => {
                settled.insert(name.clone(), value);
            }
            // One that was set wrongly has had its error.
            None if settings.iter().any(|setting| setting.split_once('=').is_some_and(|(set, _)| set == name.as_str())) => {}
            None => errors.push(SetError::Missing(name.clone())),
        }
    }
    if errors.is_empty() { Ok(settled) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params() -> IndexMap<Name, Param> {
        serde_json::from_value(json!({
            "port": { "type": "integer", "default": 8081, "minimum": 1, "maximum": 65535 },
            "version": { "default": "1" },
            "size": { "enum": ["small", "large"], "default": "small" },
            "name": { "pattern": "^[a-z]+$" },
            "debug": { "type": "boolean", "default": false },
        }))
        .expect("they are params")
    }

    fn set(settings: &[&str]) -> Result<Value, Vec<String>> {
        let settings: Vec<String> = settings.iter().map(|&text| text.to_owned()).collect();
        match settle(&params(), &settings) {
            Ok(values) => Ok(json!(values)),
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn values_take_their_type() {
        let values = set(&["name=a", "port=9000", "version=1.10", "debug=true"]);
        assert_eq!(values, Ok(json!({ "port": 9000, "version": "1.10", "size": "small", "name": "a", "debug": true })));
    }

    #[test]
    fn everything_wrong_is_named() {
        let errors = set(&["prt=1", "port=abc", "port=70000", "size=huge", "name=A", "debug=yes", "nonsense", "version=1", "version=2"]);
        assert_eq!(
            errors.expect_err("all of them are wrong"),
            [
                "failed to set `prt`: the goal has no such parameter, did you mean `port`?",
                "failed to set `port`: it must be a whole number, not `abc`",
                "failed to set `port`: it must be at most 65535, not 70000",
                "failed to set `size`: it must be one of `small`, `large`, not `huge`",
                "failed to set `name`: it must match `^[a-z]+$`, which `A` does not",
                "failed to set `debug`: it must be `true` or `false`, not `yes`",
                "failed to set `nonsense`: write `name=value`",
                "failed to set `version`: it is set twice",
            ]
        );
        assert_eq!(set(&[]), Err(vec!["failed to set `name`: it has no default, give it a value with `--set name=…`".to_owned()]));
    }
}
