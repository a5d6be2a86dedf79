//! docs/manifest.md has every key of the schema and no other, says which are required, and has every word and every default.

use std::collections::{BTreeMap, BTreeSet};

use opensculpt::manifest::schema;
use serde_json::{Map, Value};

use super::Page;
use super::tables::tables;

/// The objects of the schema that know their keys, by their names.
fn objects() -> BTreeMap<&'static str, &'static Map<String, Value>> {
    let schema = schema::goal();
    let defs = schema["$defs"].as_object().unwrap().iter().map(|(name, def)| (name.as_str(), def));
    let all = defs.chain([("root", schema)]);
    all.filter_map(|(name, def)| Some((name, def.as_object()?))).filter(|(_, def)| def.contains_key("properties")).collect()
}

#[test]
fn every_key_is_described_and_no_other() {
    let mut described: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for table in tables(&Page::read("docs/manifest.md"), "keys of") {
        for of in &table.of {
            let keys = described.entry(of.clone()).or_default();
            for row in &table.rows {
                assert!(keys.insert(row.name.clone(), row.text.clone()).is_none(), "{of}: `{}` is described twice", row.name);
            }
        }
    }
    let objects = objects();
    let named = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(named(described.keys().map(String::as_str).collect()), named(objects.keys().copied().collect()));
    for (name, object) in objects {
        let (rows, properties) = (&described[name], object["properties"].as_object().unwrap());
        assert_eq!(
            named(rows.keys().map(String::as_str).collect()),
            named(properties.keys().map(String::as_str).collect()),
            "keys of {name}"
        );
        let required: Vec<&str> =
            object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, property) in properties {
            assert_eq!(rows[key].contains("required"), required.contains(&key.as_str()), "{name}.{key}: required or not?");
            let default = match property.get("default") {
                Some(Value::String(text)) => text.clone(),
                // YAML's and JSON's `2.0` is a 2 to people.
                Some(Value::Number(number)) => number.as_f64().unwrap().to_string(),
                Some(Value::Bool(truth)) => truth.to_string(),
                _ => continue,
            };
            let said = rows[key].contains("default") && rows[key].contains(&format!("`{default}`"));
            assert!(said, "{name}.{key}: the default is `{default}`\n{}", rows[key]);
        }
    }
}

#[test]
fn every_word_of_the_language_is_there() {
    let page = Page::read("docs/manifest.md");
    let mut count = 0;
    for (name, def) in schema::goal()["$defs"].as_object().unwrap() {
        let words = def.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(|word| word["const"].as_str());
        for word in words {
            assert!(page.text.contains(&format!("`{word}`")), "{name}: `{word}` is missing");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} words were found");
}
