//! In what two plans of a goal differ, in words for whoever asks for one while the other runs.
//!
//! What does not change what happens is no difference: where the manifest lies, and comments in it.

use std::fmt::Debug;

use indexmap::IndexMap;

use super::sealed::{Plan, PlannedPhase};
use crate::base::name::Name;

/// What is different in the plan that is asked for, each a sentence without a full stop; nothing where both mean the same.
pub fn difference(there: &Plan, asked: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    values(&mut found, "parameter", &there.params, &asked.params);
    if there.profiles != asked.profiles {
        found.push(format!("the profiles are {} there, and {} are asked for", names(&there.profiles), names(&asked.profiles)));
    }
    phases(&mut found, there, asked);
    for (key, same) in [
        ("secrets", there.secrets == asked.secrets),
        ("env", there.env == asked.env),
        ("env_file", there.env_file == asked.env_file),
        ("working_dir", there.working_dir == asked.working_dir),
        ("templates", there.templates == asked.templates),
        ("concurrency", there.concurrency == asked.concurrency),
        ("concurrency_group", there.concurrency_group == asked.concurrency_group),
        ("budget", there.budget == asked.budget),
        ("limits", there.limits == asked.limits),
        ("requires", there.requires == asked.requires),
    ] {
        if !same {
            found.push(format!("`{key}` of the goal is different"));
        }
    }
    found
}

fn values<V: PartialEq + ToString + Debug>(found: &mut Vec<String>, what: &str, there: &IndexMap<Name, V>, asked: &IndexMap<Name, V>) {
    for (name, value) in asked {
        match there.get(name) {
            Some(other) if other == value => {}
            Some(other) => found.push(format!("{what} `{name}` is {} there, and {} is asked for", other.to_string(), value.to_string())),
            None => found.push(format!("{what} `{name}` is not there")),
        }
    }
    for name in there.keys().filter(|name| !asked.contains_key(*name)) {
        found.push(format!("{what} `{name}` is there, and not asked for"));
    }
}

fn phases(found: &mut Vec<String>, there: &Plan, asked: &Plan) {
    let by_name =
        |plan: &Plan| -> IndexMap<Name, PlannedPhase> { plan.phases.iter().map(|phase| (phase.name.clone(), phase.clone())).collect() };
    let (before, after) = (by_name(there), by_name(asked));
    for (name, phase) in &after {
        match before.get(name) {
            None => found.push(format!("phase `{name}` is not there")),
            Some(other) if same(there, other, asked, phase) => {}
            Some(_) => found.push(format!("phase `{name}` is different")),
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        found.push(format!("phase `{name}` is there, and not asked for"));
    }
}

/// Whether a phase means the same in both plans. Its needs are compared by name: another phase before it moves their indices.
fn same(there: &Plan, one: &PlannedPhase, asked: &Plan, other: &PlannedPhase) -> bool {
    let needs = |plan: &Plan, phase: &PlannedPhase| -> Vec<_> {
        phase.needs.iter().map(|edge| (plan.phase(edge.phase).name.clone(), edge.unlock)).collect()
    };
    one.spec == other.spec
        && one.part == other.part
        && one.bindings == other.bindings
        && one.steps == other.steps
        && needs(there, one) == needs(asked, other)
}

fn names(names: &[Name]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load::load;
    use crate::manifest::settings::settle;
    use crate::plan::compile::{Inputs, compile};

    fn plan(text: &str, set: &[&str]) -> Plan {
        let goal = load("goal.yaml", &|_| Ok(text.as_bytes().to_vec())).expect("a good manifest").goal;
        let set: Vec<String> = set.iter().map(|&one| one.to_owned()).collect();
        let params = settle(&goal.params, &set).expect("good parameters");
        compile(&goal, &Inputs { params, digest: text.len().to_string(), ..Inputs::default() }).expect("a plan")
    }

    const GOAL: &str = "version: \"1\"\nname: it\nparams: { port: { type: integer, default: 1 } }\nphases:\n  a: { run: make }\n  b: { needs: [a], run: \"true\" }\n";

    #[test]
    fn a_comment_is_no_difference() {
        assert_eq!(difference(&plan(GOAL, &[]), &plan(&format!("# new\n{GOAL}"), &[])), Vec::<String>::new());
    }

    #[test]
    fn parameters_phases_and_keys_are_named() {
        let there = plan(GOAL, &[]);
        let found = difference(&there, &plan(GOAL, &["port=2"]));
        assert_eq!(found, ["parameter `port` is 1 there, and 2 is asked for"]);
        let changed = GOAL.replace("run: make", "run: make all").replace("  b:", "  aa: { run: \"true\" }\n  c:") + "concurrency: 7\n";
        assert_eq!(
            difference(&there, &plan(&changed, &[])),
            [
                "phase `a` is different",
                "phase `aa` is not there",
                "phase `c` is not there",
                "phase `b` is there, and not asked for",
                "`concurrency` of the goal is different"
            ]
        );
    }
}
