//! `without-effect`: what the language has, and this build reads without acting on it. `plan` and `run` say so, since a promise that
//! nobody keeps is worse than none.

use super::Facts;
use crate::base::diagnostic::{self, Diagnostic, Severity};
use crate::manifest::goal::Goal;
use crate::manifest::node::Document;

/// Everything in a goal that this build does not act on, each with its place.
pub fn without_effect(goal: &Goal, document: &Document) -> Vec<Diagnostic> {
    let facts = Facts::new(goal, document);
    let mut found = Vec::new();
    let mut say = |path: &[&str], what: &str, hint: &str| {
        let mut finding = document.error_at_key(path, "without-effect", format!("{what}: not in this build")).hint(hint);
        finding.severity = Severity::Warning;
        found.push(finding);
    };
    for phase in facts.phases.values() {
        if let Some(capabilities) = &phase.phase.capabilities {
            let hint = "a command has the rights of whoever runs sculpt; only `docker` is enforced";
            for (name, words) in [("allow", &capabilities.allow), ("ask", &capabilities.ask), ("deny", &capabilities.deny)] {
                if !words.is_empty() {
                    say(&phase.path(&["capabilities", name]), &format!("`capabilities: {{ {name} }}` is not enforced yet"), hint);
                }
            }
        }
    }
    diagnostic::sort(&mut found);
    found
}
