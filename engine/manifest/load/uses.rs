//! `uses:` and `with:`: a reusable phase takes the place of the phase that names it.
//!
//! A reusable phase is a file with the keys of a phase and `params:`. Its `{{ params.x }}` are the values of `with:` and the defaults, put
//! into its texts here: nobody after this step knows that the phase came from a file. What the naming phase says itself wins.

use indexmap::IndexMap;
use serde_json::Value;

use super::{Files, beside};
use crate::base::diagnostic::{Diagnostic, nearest};
use crate::manifest::node::{Data, Entry, Node, Place};
use crate::manifest::param::{self, Param};
use crate::manifest::template;

/// What a phase that uses another cannot say: it is the other's to say.
const WORK: [&str; 3] = ["run", "agent", "image"];
/// Files that use files that use files… end here.
const MAX_CHAIN: usize = 8;

/// Expands every `uses:` under `phases` and `finally`.
pub(super) fn expand(files: &mut Files<'_>, root: &mut Node, found: &mut Vec<Diagnostic>) {
    let Some(root) = root.map_mut() else { return };
    for key in ["phases", "finally"] {
        let Some(phases) = root.get_mut(key).and_then(|entry| entry.node.map_mut()) else { continue };
        for entry in phases.values_mut() {
            phase(files, entry, &mut Vec::new(), found);
        }
    }
}

fn phase(files: &mut Files<'_>, caller: &mut Entry, chain: &mut Vec<String>, found: &mut Vec<Diagnostic>) {
    let Some(own) = caller.node.map_mut() else { return };
    let Some((named, text)) = own.get("uses").and_then(|uses| Some((uses.node.clone(), uses.node.text()?.to_owned()))) else {
        if let Some(with) = own.get("with") {
            found.push(files.error_at(with.key, "with-without-uses", "`with` gives values to a reusable phase, and there is no `uses`"));
        }
        return;
    };
    for key in WORK {
        if let Some(work) = own.get(key) {
            found.push(
                files
                    .error_at(work.key, "uses-and-work", format!("a phase has `uses` or `{key}`, not both"))
                    .hint("the reusable phase says what the work is"),
            );
        }
    }
    let target = beside(files.path_of(&named), &text);
    if chain.contains(&target) || chain.len() >= MAX_CHAIN {
        chain.push(target);
        found.push(files.error(&named, "cyclic-uses", format!("this phase uses itself: {}", chain.join(" → "))));
        chain.pop();
        return;
    }
    let Some(body) = files.open_named(&target, &named, found) else { return };
    let place = body.place;
    let Data::Map(mut body) = body.data else {
        found.push(files.error_at(place, "wrong-type", "a reusable phase is a mapping with the keys of a phase, and `params`"));
        return;
    };
    own.shift_remove("uses");
    let with = own.shift_remove("with");
    let declared = body.shift_remove("params");
    body.retain(|key, _| key != "version");
    let values = values(files, &named, with.as_ref(), declared.as_ref(), found);
    let mut body = Entry { key: caller.key, node: Node { data: Data::Map(body), place } };
    bind_phase(&mut body.node, &values);
    chain.push(target);
    phase(files, &mut body, chain, found);
    chain.pop();
    if let (Some(own), Data::Map(body)) = (caller.node.map_mut(), body.node.data) {
        for (key, entry) in body {
            match own.get_mut(&key) {
                // Environment and outputs add up; everything else of the naming phase wins whole.
                Some(ours) if matches!(key.as_str(), "env" | "outputs") => {
                    if let (Some(ours), Data::Map(theirs)) = (ours.node.map_mut(), entry.node.data) {
                        for (name, their) in theirs {
                            ours.entry(name).or_insert(their);
                        }
                    }
                }
                Some(_) => {}
                None => {
                    own.insert(key, entry);
                }
            }
        }
    }
}

/// The values of a reusable phase's params: given ones checked, defaults filled in, missing and unknown ones named.
fn values(
    files: &Files<'_>,
    named: &Node,
    with: Option<&Entry>,
    declared: Option<&Entry>,
    found: &mut Vec<Diagnostic>,
) -> IndexMap<String, Value> {
    let empty = IndexMap::new();
    let given = with.and_then(|entry| entry.node.map()).unwrap_or(&empty);
    let declared = declared.and_then(|entry| entry.node.map()).unwrap_or(&empty);
    let mut values = IndexMap::new();
    for (name, entry) in declared {
        let param: Param = match serde_json::from_value(entry.node.to_value()) {
            Ok(param) => param,
            Err(error) => {
                found.push(files.error_at(entry.key, "wrong-type", format!("`{name}` is not a param: {error}")));
                continue;
            }
        };
        let value = match (given.get(name), &param.default) {
            (Some(given), _) => check(files, name, &param, given, found),
            (None, Some(default)) => Some(default.clone()),
            (None, None) => {
                let message = format!("`{}` needs the param `{name}`", named.text().unwrap_or_default());
                found.push(files.error(named, "missing-param", message).hint(format!("write `with: {{ {name}: … }}`")));
                None
            }
        };
        values.extend(value.map(|value| (name.clone(), value)));
    }
    for (name, entry) in given.iter().filter(|(name, _)| !declared.contains_key(*name)) {
        found.push(unknown(files, name, entry.key, declared));
    }
    values
}

fn check(files: &Files<'_>, name: &str, param: &Param, given: &Entry, found: &mut Vec<Diagnostic>) -> Option<Value> {
    let value = given.node.to_value();
    // A template has its value later, and is a text until then.
    if given.node.text().is_some_and(template::has_template) {
        return Some(value);
    }
    if let Err(why) = param::check(param, &value) {
        found.push(files.error(&given.node, "wrong-param", format!("`{name}` {why}")));
        return None;
    }
    Some(value)
}

fn unknown(files: &Files<'_>, name: &str, place: Place, declared: &IndexMap<String, Entry>) -> Diagnostic {
    let found = files.error_at(place, "unknown-param", format!("the reusable phase has no param `{name}`"));
    match nearest(name, declared.keys().map(String::as_str)) {
        Some(near) => found.hint(format!("did you mean `{near}`?")).replace_with(near),
        None if declared.is_empty() => found.hint("it declares no params"),
        None => found.hint(format!("it has {}", declared.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))),
    }
}

/// Puts the values into every text of a phase.
fn bind_phase(phase: &mut Node, values: &IndexMap<String, Value>) {
    let value_of = |name: &str| values.get(name).cloned();
    let Some(phase) = phase.map_mut() else { return };
    for (key, entry) in phase {
        match &mut entry.node.data {
            // These two are expressions without braces.
            Data::Text(text) if matches!(key.as_str(), "when" | "for_each") && !template::has_template(text) => {
                *text = template::bind_expression(text, &value_of);
            }
            _ => bind(&mut entry.node, &value_of),
        }
    }
}

fn bind(node: &mut Node, value_of: &impl Fn(&str) -> Option<Value>) {
    match &mut node.data {
        Data::Text(text) if template::has_template(text) => *text = template::bind(text, value_of),
        Data::List(items) => items.iter_mut().for_each(|item| bind(item, value_of)),
        Data::Map(map) => map.values_mut().for_each(|entry| bind(&mut entry.node, value_of)),
        _ => {}
    }
}
