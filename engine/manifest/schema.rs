//! The JSON Schema of a goal, and of a workspace's configuration, generated from the types.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::config::Config;
use super::goal::Goal;

/// Where the schema of a goal is known by: its `$id`.
pub const GOAL_ID: &str = "urn:opensculpt:schema:goal.v1";

/// Where the schema of a configuration is known by: its `$id`.
pub const CONFIG_ID: &str = "urn:opensculpt:schema:config.v1";

/// The largest whole number that JavaScript, and so every editor, holds exactly: 2^53 − 1.
const LARGEST: u64 = 9_007_199_254_740_991;

/// What a name is, in words.
const NAMES: &str = "1 to 64 letters, digits, `_` or `-`, starting with a letter or a digit";

/// The schema of a goal, as committed in `schemas/goal.v1.json`.
pub fn goal() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| of::<Goal>(GOAL_ID, "A goal of sculpt"))
}

/// The schema of a workspace's configuration, as committed in `schemas/config.v1.json`.
pub fn config() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| of::<Config>(CONFIG_ID, "The configuration of a workspace of sculpt"))
}

/// The schema of any type of ours: dialect 2020-12, strict objects with free `x-` keys, no `null`.
pub fn of<T: JsonSchema>(id: &str, title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(Strict);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.shift_insert(0, "$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.shift_insert(1, "$id".into(), json!(id));
        object.insert("title".into(), json!(title));
    }
    schema
}

/// The schema as the text of a file.
pub fn text(schema: &Value) -> String {
    let mut text = format!("{schema:#}");
    text.push('\n');
    text
}

/// What our schemas say that the derive does not.
///
/// - A key is left out or has a value: `null` is not a third way.
/// - Objects that know their keys let `x-` keys through.
/// - A whole number is one that every reader of JSON holds exactly: `1e300` is one to a schema, and to no type of ours.
/// - `format: uint32` and its like are Rust's, and strict validators refuse them; the bounds say the same.
#[derive(Clone, Debug)]
struct Strict;

impl Transform for Strict {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".into(), only);
            }
        }
        object.remove("format");
        if object.get("type") == Some(&json!("integer")) {
            object.entry("maximum").or_insert(json!(LARGEST));
        }
        if object.get("default") == Some(&Value::Null) {
            object.remove("default");
        }
        unwrap_nullable(object);
        if object.get("additionalProperties") != Some(&Value::Bool(false)) {
            return;
        }
        match object.get_mut("patternProperties").map(Value::take) {
            // A map with names as keys: say so of the keys, so that editors and messages can tell a bad name from an unknown key.
            Some(Value::Object(patterns)) if !object.contains_key("properties") => {
                for (pattern, value) in patterns {
                    object.insert("additionalProperties".into(), value);
                    object.insert("propertyNames".into(), json!({ "pattern": pattern, "description": NAMES }));
                }
                object.remove("patternProperties");
            }
            _ => {
                object.insert("patternProperties".into(), json!({ "^x-": true }));
            }
        }
    }
}

/// `anyOf: [X, null]` → X.
fn unwrap_nullable(object: &mut serde_json::Map<String, Value>) {
    let Some(Value::Array(branches)) = object.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type") != Some(&json!("null")));
    if branches.len() != 1 {
        return;
    }
    let only = branches.remove(0);
    object.remove("anyOf");
    if let Value::Object(only) = only {
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}
