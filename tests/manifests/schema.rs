//! The committed schema is this binary's, and says what strict validators and editors ask for.

use std::fs;
use std::path::Path;

use opensculpt::manifest::schema;
use serde_json::Value;

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/goal.v1.json");
    let current = schema::text(schema::goal());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "schemas/goal.v1.json is not current: write it with `sculpt schema > schemas/goal.v1.json`, or UPDATE_SCHEMA=1"
    );
}

#[test]
fn the_dialect_is_stated() {
    let schema = schema::goal();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["$id"], schema::GOAL_ID);
    assert!(jsonschema::meta::validate(schema).is_ok());
}

#[test]
fn every_object_is_strict_and_lets_x_keys_through_and_every_key_is_described() {
    fn walk(path: &str, node: &Value) {
        if let Some(properties) = node.get("properties").and_then(Value::as_object).filter(|_| node.get("type").is_some()) {
            assert_eq!(node["additionalProperties"], Value::Bool(false), "{path}");
            assert_eq!(node["patternProperties"]["^x-"], Value::Bool(true), "{path}");
            for (key, property) in properties {
                assert!(property.get("description").is_some(), "{path}/{key}");
            }
        }
        match node {
            Value::Object(map) => map.iter().for_each(|(key, value)| walk(&format!("{path}/{key}"), value)),
            Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| walk(&format!("{path}/{index}"), value)),
            Value::String(text) if path.ends_with("/type") => assert_ne!(text, "null", "{path}"),
            _ => {}
        }
    }
    walk("", schema::goal());
}
