//! `healthcheck` → `healthcheck`.

use serde_json::{Map, Value, json};

use super::finding::Findings;
use super::item::Item;
use super::keys::HEALTHCHECK;
use super::units::duration;
use crate::manifest::node::Data;

/// The longest count of retries.
const MOST_RETRIES: u32 = 1000;

/// Whether a service says how its health is asked for.
pub(super) fn has_check(service: &Item<'_>) -> bool {
    service.get("healthcheck").is_some_and(|health| health.get("test").is_some() && !is_off(&health))
}

fn is_off(health: &Item<'_>) -> bool {
    let none = health.get("test").is_some_and(|test| test.one_or_many().first().is_some_and(|first| first.node.text() == Some("NONE")));
    none || health.get("disable").is_some_and(|off| off.scalar().as_deref() == Some("true"))
}

/// The health check of a service.
pub(super) fn healthcheck(service: &Item<'_>, findings: &mut Findings<'_>) -> Option<Value> {
    let health = service.get("healthcheck")?;
    if health.node.map().is_none() {
        findings.wrong_type(&health, "a mapping");
        return None;
    }
    findings.sort_out(&health, HEALTHCHECK);
    if is_off(&health) {
        return Some(json!({ "disable": true }));
    }
    let Some(test) = health.get("test") else {
        let why = "without `test` it changes the check of the image, which the goal does not know";
        findings.not_mapped(&health, why, "write the image's own test here");
        return None;
    };
    let mut checked = Map::new();
    checked.insert("test".to_owned(), asked(&test, findings)?);
    for key in ["interval", "timeout", "start_period", "start_interval"] {
        let Some(item) = health.get(key) else { continue };
        let Some(length) = findings.fixed(&item) else { continue };
        match duration(&length) {
            // To Compose nothing means its default, and so it is here.
            Some(span) if span.0 == 0 => {}
            Some(span) => drop(checked.insert(key.to_owned(), span.to_string().into())),
            None => findings.wrong_type(&item, "a duration like `1m30s`"),
        }
    }
    if let Some(item) = health.get("retries")
        && let Some(text) = findings.fixed(&item)
    {
        match text.parse::<u32>() {
            Ok(0) => {}
            Ok(retries) => drop(checked.insert("retries".to_owned(), retries.min(MOST_RETRIES).into())),
            Err(_) => findings.wrong_type(&item, "a whole number"),
        }
    }
    Some(Value::Object(checked))
}

fn asked(test: &Item<'_>, findings: &mut Findings<'_>) -> Option<Value> {
    if !test.is_list() {
        return findings.text(test).map(|text| json!(["CMD-SHELL", text]));
    }
    let words: Vec<String> = test.elements().filter_map(|word| findings.text(&word)).collect();
    match (words.first().map(String::as_str), &test.node.data) {
        (Some("CMD" | "CMD-SHELL"), Data::List(list)) if words.len() > 1 && words.len() == list.len() => Some(json!(words)),
        _ => {
            findings.wrong_type(test, "a text, or a list that starts with `CMD`, `CMD-SHELL` or `NONE`");
            None
        }
    }
}
