//! What has changed of a phase between two plans, in words: the keys that decide whether its work is done again and its services are replaced.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use crate::base::name::Name;
use crate::plan::sealed::{Plan, PlannedPhase};

/// A phase in its plan.
#[derive(Clone, Copy)]
pub(super) struct In<'a> {
    pub plan: &'a Plan,
    pub phase: &'a PlannedPhase,
}

/// The keys that differ; empty where the phase amounts to the same, as far as plans tell.
pub(super) fn changed(old: In<'_>, new: In<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |key: &str, one: Value, other: Value| {
        if one != other {
            found.push(format!("`{key}`"));
        }
    };
    let (was, is) = (&old.phase.spec, &new.phase.spec);
    compare("run", value(&was.run), value(&is.run));
    compare("shell", value(&was.shell), value(&is.shell));
    compare("env", value(&was.env), value(&is.env));
    compare("env of the goal", value(&old.plan.env), value(&new.plan.env));
    compare("env_file", value(&(&was.env_file, &old.plan.env_file)), value(&(&is.env_file, &new.plan.env_file)));
    compare("working_dir", value(&(&was.working_dir, &old.plan.working_dir)), value(&(&is.working_dir, &new.plan.working_dir)));
    compare("user", value(&(&was.user, &was.group)), value(&(&is.user, &is.group)));
    compare("outputs", value(&was.outputs), value(&is.outputs));
    compare("inputs", value(&was.inputs), value(&is.inputs));
    compare("templates", value(&was.templates), value(&is.templates));
    compare("verify.checks", checks(old.phase), checks(new.phase));
    for (name, resource) in &is.resources {
        match was.resources.get(name) {
            None => found.push(format!("`resources.{name}` is new")),
            Some(before) => found.extend(keys(before, resource).into_iter().map(|key| format!("`resources.{name}.{key}`"))),
        }
    }
    found
        .extend(was.resources.keys().filter(|name| !is.resources.contains_key(*name)).map(|name| format!("`resources.{name}` is removed")));
    found.extend(params(old, new));
    found
}

/// Whether a text of the phase names something: `env.`, `params.port`.
pub(super) fn names(phase: &PlannedPhase, wanted: &str) -> bool {
    let text = value(&phase.spec).to_string();
    let ends = |rest: &str| wanted.ends_with('.') || !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    phase.spec.templates.unwrap_or(true)
        && text.match_indices(wanted).any(|(at, found)| ends(&text[at + found.len()..]) && text[..at].rfind("{{") > text[..at].rfind("}}"))
}

fn checks(phase: &PlannedPhase) -> Value {
    value(&phase.spec.verify.as_ref().map(|verify| &verify.checks))
}

/// The parameters with another value that the phase names.
fn params(old: In<'_>, new: In<'_>) -> Vec<String> {
    let differ = |params: &IndexMap<Name, Value>, name: &Name, value: &Value| params.get(name) != Some(value);
    let changed = new.plan.params.iter().filter(|(name, value)| differ(&old.plan.params, name, value));
    let named = changed.filter(|(name, _)| names(new.phase, &format!("params.{name}")));
    let words = named.map(|(name, is)| match old.plan.params.get(name) {
        Some(was) => format!("`params.{name}`, which was {was} and is {is}"),
        None => format!("`params.{name}`, which is {is}"),
    });
    words.collect()
}

/// The keys of two parts of a manifest that differ.
fn keys(one: &impl Serialize, other: &impl Serialize) -> Vec<String> {
    let (Value::Object(one), Value::Object(other)) = (value(one), value(other)) else { return Vec::new() };
    let all = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    all.filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
}

/// A part of a manifest as a tree. What came from a manifest can always be written as one.
fn value(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}
