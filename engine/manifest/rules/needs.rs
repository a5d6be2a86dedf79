//! `unknown-need`, `cyclic-needs`: every `needs` names a phase, and no phase waits for itself.

use std::collections::HashMap;

use super::{Facts, Located, suggest};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::manifest::needs::Needs;
use crate::manifest::node::{Aim, Place};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for phase in facts.phases.values() {
        for (index, (name, _)) in phase.phase.needs.iter().enumerate() {
            let name = name.as_str();
            let place = place(facts, phase, index, name);
            match facts.phases.get(name) {
                None => {
                    let unknown = facts.document.diagnostic(
                        Severity::Error,
                        "unknown-need",
                        place,
                        format!("`{}` needs `{name}`, and there is no such phase", phase.name),
                    );
                    let known = facts.phases.values().filter(|other| other.section == phase.section && other.name != phase.name);
                    found.push(suggest(unknown, name, known.map(|other| other.name), "other phases"));
                }
                Some(other) if other.section != phase.section => {
                    let why = if phase.section == "finally" {
                        format!("`{name}` has always ended before a phase of `finally` starts: it needs no `needs`")
                    } else {
                        format!("`{name}` runs at the end: no phase can wait for it")
                    };
                    found.push(facts.document.diagnostic(Severity::Error, "needs-across-finally", place, why));
                }
                Some(_) => {}
            }
        }
    }
    for cycle in cycles(facts) {
        // The edge that closes the cycle is the one to point at.
        let (Some(first), Some(last)) = (cycle.first(), cycle.last()) else { continue };
        let index = last.phase.needs.iter().position(|(name, _)| name.as_str() == first.name).unwrap_or(0);
        let names: Vec<&str> = cycle.iter().chain(cycle.first()).map(|phase| phase.name).collect();
        let (message, hint) = match names.as_slice() {
            [only, _] => (format!("`{only}` needs itself"), "take it out"),
            _ => (format!("these phases need each other: {}", names.join(" → ")), "an arrow reads \"needs\": take one of them out"),
        };
        let at = place(facts, last, index, first.name);
        found.push(facts.document.diagnostic(Severity::Error, "cyclic-needs", at, message).hint(hint));
    }
}

fn place(facts: &Facts<'_>, phase: &Located<'_>, index: usize, name: &str) -> Place {
    match phase.phase.needs {
        Needs::List(_) => facts.document.place(&phase.path(&["needs", &index.to_string()]), Aim::Value),
        Needs::Map(_) => facts.document.place(&phase.path(&["needs", name]), Aim::Key),
    }
}

/// Every cycle that a depth-first walk closes, each as the phases from its entry on: each needs the next, the last needs the first.
fn cycles<'a>(facts: &Facts<'a>) -> Vec<Vec<Located<'a>>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Colour {
        OnPath,
        Done,
    }
    let mut colours: HashMap<&str, Colour> = HashMap::with_capacity(facts.phases.len());
    let mut cycles = Vec::new();
    for start in facts.phases.values() {
        if colours.contains_key(start.name) {
            continue;
        }
        colours.insert(start.name, Colour::OnPath);
        // An explicit stack: a chain of 10,000 phases is as deep as it is long.
        let mut path: Vec<(Located<'a>, std::vec::IntoIter<Located<'a>>)> =
            vec![(*start, facts.needs(start).collect::<Vec<_>>().into_iter())];
        while let Some((phase, rest)) = path.last_mut() {
            let name = phase.name;
            let Some(next) = rest.next() else {
                colours.insert(name, Colour::Done);
                path.pop();
                continue;
            };
            match colours.get(next.name) {
                Some(Colour::Done) => {}
                Some(Colour::OnPath) => {
                    let from = path.iter().position(|(phase, _)| phase.name == next.name).unwrap_or(0);
                    cycles.push(path[from..].iter().map(|(phase, _)| *phase).collect());
                }
                None => {
                    colours.insert(next.name, Colour::OnPath);
                    let needs = facts.needs(&next).collect::<Vec<_>>().into_iter();
                    path.push((next, needs));
                }
            }
        }
    }
    cycles
}
