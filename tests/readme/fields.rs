//! docs/json.md has every field that the program writes, and no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Page;
use super::sample::{Sample, sample};
use super::tables::{Row, tables};

/// The objects at a path such as `status.goals.phases`, through lists.
fn at(sample: &Sample, path: &str) -> Vec<Value> {
    let (command, rest) = path.split_once('.').map_or((path, None), |(command, rest)| (command, Some(rest)));
    let mut found: Vec<Value> = match (command, rest) {
        ("run", Some("summary")) => {
            let summaries = sample.events.iter().filter(|event| event["event"] == "summary" && event.get("exit_code").is_some());
            return summaries.cloned().collect();
        }
        _ => sample.documents.iter().filter(|(name, _)| *name == command).map(|(_, document)| document.clone()).collect(),
    };
    for key in rest.into_iter().flat_map(|rest| rest.split('.')) {
        found = found
            .iter()
            .flat_map(|value| match &value[key] {
                Value::Array(items) => items.clone(),
                other => vec![other.clone()],
            })
            .collect();
    }
    found
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().cloned().collect()
}

#[test]
fn every_field_is_described_and_no_other() {
    for table in tables(&Page::read("docs/json.md"), "fields of") {
        let optional: BTreeSet<String> =
            table.rows.iter().filter(|row| row.text.contains("*Optional.*")).map(|row| row.name.clone()).collect();
        let described: BTreeSet<String> = table.rows.iter().map(|row| row.name.clone()).collect();
        for path in &table.of {
            let found = at(sample(), path);
            assert!(!found.is_empty(), "nothing is at {path}");
            let mut seen = BTreeSet::new();
            for object in &found {
                let keys = keys(object);
                assert!(keys.is_subset(&described), "{path}: not described: {:?}", keys.difference(&described));
                let missing: Vec<&String> = described.difference(&keys).filter(|key| !optional.contains(*key)).collect();
                assert!(missing.is_empty(), "{path}: described and not there: {missing:?} in {object}");
                seen.extend(keys);
            }
            assert_eq!(seen, described, "{path}: an optional field never came");
        }
    }
}

/// The names in the second cell of a row.
fn names(row: &Row) -> BTreeSet<String> {
    row.text.split('|').nth(2).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Holds tagged objects against a table of tags and fields.
fn hold(rows: &[Row], objects: &[Value], strict: bool) {
    let described: BTreeMap<&str, BTreeSet<String>> = rows.iter().map(|row| (row.name.as_str(), names(row))).collect();
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for object in objects {
        let event = object["event"].as_str().unwrap();
        let fields = described.get(event).unwrap_or_else(|| panic!("not described: {object}"));
        let mut keys = keys(object);
        keys.remove("event");
        keys.remove("at");
        assert!(keys.is_subset(fields), "{event}: not described: {:?}", keys.difference(fields));
        assert!(!strict || keys == *fields, "{event}: described and not there: {:?}", fields.difference(&keys));
        seen.entry(event).or_default().extend(keys);
    }
    let unseen: Vec<&&str> = described.keys().filter(|event| !seen.contains_key(**event)).collect();
    assert!(unseen.is_empty(), "described, and never came: {unseen:?}");
}

#[test]
fn every_event_is_described_and_no_other() {
    let page = Page::read("docs/json.md");
    let events: Vec<Value> = sample().events.iter().filter(|event| event["event"] != "summary").cloned().collect();
    hold(&tables(&page, "events")[0].rows, &events, true);
}

#[test]
fn every_record_is_described_and_no_other() {
    let page = Page::read("docs/journal.md");
    hold(&tables(&page, "records")[0].rows, &sample().records, false);
}
