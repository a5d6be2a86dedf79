//! `not-in-this-build`: what the language has and this engine does not carry out yet. `validate` accepts it, `plan` and `run` refuse it.

use super::Facts;
use crate::base::diagnostic::{self, Diagnostic};
use crate::manifest::goal::Goal;
use crate::manifest::node::Document;

/// Everything in a goal that this build cannot carry out, each with its place; empty where it can carry out all of it.
pub fn not_in_this_build(goal: &Goal, document: &Document) -> Vec<Diagnostic> {
    let facts = Facts::new(goal, document);
    let mut found = Vec::new();
    let mut refuse = |path: &[&str], what: &str| {
        found.push(
            document
                .error_at_key(path, "not-in-this-build", format!("{what} are not in this build"))
                .hint("`sculpt validate` accepts them; `plan` and `run` will, once the engine can carry them out"),
        );
    };
    for phase in facts.phases.values() {
        if phase.phase.agent.is_some() {
            refuse(&phase.path(&["agent"]), "agents");
        }
        if phase.phase.on_exhausted.as_ref().is_some_and(|then| then.replan.is_some()) {
            refuse(&phase.path(&["on_exhausted", "replan"]), "new plans");
        }
    }
    facts.each_check(|path, kind, _| {
        if kind.browser.is_some() {
            let path: Vec<&str> = path.iter().copied().chain(["browser"]).collect();
            refuse(&path, "browser checks");
        }
    });
    for name in goal.daemons.keys() {
        refuse(&["daemons", name.as_str()], "daemons");
    }
    diagnostic::sort(&mut found);
    found
}
