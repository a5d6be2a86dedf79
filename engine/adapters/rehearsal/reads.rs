//! The outputs that a plan's texts read: what a work must be thought to have written, so that what comes after it can be rendered.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::base::name::Name;
use crate::manifest::phase::Condition;
use crate::manifest::template::{self, Reference};
use crate::plan::sealed::Plan;

/// The outputs that are read of each declared phase, by its name in the manifest.
pub(super) fn read_outputs(plan: &Plan, root: &Path) -> HashMap<Name, BTreeSet<String>> {
    let mut found: HashMap<Name, BTreeSet<String>> = HashMap::new();
    for planned in &plan.phases {
        let mut note = |references: Vec<Reference>| {
            for reference in references {
                let Some(at) = reference.path.iter().position(|part| part == "outputs") else { continue };
                let whose = match (at, reference.path.first().map(String::as_str), reference.path.get(1)) {
                    (0, ..) => planned.origin.clone(),
                    (_, Some("phases"), Some(name)) => Name::from(name.as_str()),
                    _ => continue,
                };
                if let Some(key) = reference.path.get(at + 1) {
                    found.entry(whose).or_default().insert(key.clone());
                }
            }
        };
        if let Some(Condition::Expression(expression)) = &planned.spec.when {
            note(template::expression_references(expression));
        }
        // What has no JSON has no text either.
        if let Ok(spec) = serde_json::to_value(&planned.spec) {
            each_text(&spec, &mut |text| note(template::references(text)));
        }
        for file in planned.spec.resources.values().filter_map(|resource| resource.file.as_ref()?.template.as_ref()) {
            // One that cannot be read is told of when it is needed.
            if let Ok(text) = std::fs::read_to_string(root.join(file)) {
                note(template::references(&text));
            }
        }
    }
    for planned in &plan.phases {
        if let Some(keys) = found.get_mut(planned.origin.as_str()) {
            keys.retain(|key| !planned.spec.outputs.contains_key(key.as_str()));
        }
    }
    found
}

/// A value for an output that nobody has written: of the kind that its name promises.
pub(super) fn made_up(key: &str) -> String {
    let name = key.to_ascii_lowercase();
    if name.contains("url") {
        "http://127.0.0.1:10080".to_owned()
    } else if name.contains("port") {
        "10080".to_owned()
    } else {
        format!("rehearsed-{key}")
    }
}

fn each_text(value: &Value, f: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => f(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, f)),
        Value::Object(map) => map.values().for_each(|value| each_text(value, f)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
