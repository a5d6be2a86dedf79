//! The committed schema is this binary's, and says what strict validators and editors ask for.

use std::fs;
use std::path::Path;

use opensculpt::manifest::config::Config;
use opensculpt::manifest::schema;
use serde_json::Value;

#[test]
fn the_committed_schemas_are_current() {
    for (name, schema) in [("goal", schema::goal()), ("config", schema::config())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.v1.json"));
        let current = schema::text(schema);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &current).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        let file = path.display();
        assert!(committed == current, "{file} is not current: write it with `sculpt schema {name} > {file}`, or UPDATE_SCHEMA=1");
    }
}

#[test]
fn the_schema_of_the_configuration_accepts_what_is_read_and_nothing_else() {
    let validator = jsonschema::validator_for(schema::config()).unwrap();
    for (text, good) in [
        ("{}", true),
        (r#"{ "retention": { "runs": 5 } }"#, true),
        (r#"{ "retention": { "runs": 1, "days": 1, "x-why": "law" }, "x-team": "a" }"#, true),
        (r#"{ "retention": { "runs": 0 } }"#, false),
        (r#"{ "retention": { "days": "two" } }"#, false),
        (r#"{ "retention": { "weeks": 2 } }"#, false),
        (r#"{ "retention": 5 }"#, false),
        (r#"{ "retentoin": {} }"#, false),
        ("[1]", false),
    ] {
        assert_eq!(validator.is_valid(&serde_json::from_str(text).unwrap()), good, "the schema on {text}");
        assert_eq!(Config::parse("config.yaml", text.as_bytes().to_vec()).is_ok(), good, "the engine on {text}");
    }
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
