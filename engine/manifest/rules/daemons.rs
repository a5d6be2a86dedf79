//! `unknown-phase`, `attention-kind`, `unknown-resource`: daemons that watch what is there and do one thing.

use super::{Facts, suggest};
use crate::base::diagnostic::Diagnostic;
use crate::base::name::Name;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let document = facts.document;
    for (name, daemon) in &facts.goal.daemons {
        let name = name.as_str();
        for (index, phase) in daemon.after.iter().enumerate() {
            if !facts.phases.contains_key(phase.as_str()) {
                let unknown = document.error_at(
                    &["daemons", name, "after", &index.to_string()],
                    "unknown-phase",
                    format!("there is no phase `{phase}`"),
                );
                found.push(suggest(unknown, phase.as_str(), facts.phases.keys().copied(), "phases"));
            }
        }
        let act = &daemon.on_attention;
        let path = ["daemons", name, "on_attention"];
        let kinds = [act.restart.is_some(), act.run.is_some(), act.agent.is_some(), !act.notify.is_empty()];
        if kinds.iter().filter(|there| **there).count() != 1 {
            found.push(
                document
                    .error_at_key(&path, "attention-kind", "a daemon does one thing")
                    .hint("give it one of `restart`, `run`, `agent`, `notify`"),
            );
        }
        let Some(target) = &act.restart else { continue };
        let at = ["daemons", name, "on_attention", "restart"];
        let Some((phase, resource)) = target.split_once('.') else {
            found.push(document.error_at(&at, "unknown-resource", format!("`{target}` is not a resource")).hint("write `phase.resource`"));
            continue;
        };
        match facts.phases.get(phase) {
            None => {
                let unknown = document.error_at(&at, "unknown-resource", format!("there is no phase `{phase}`"));
                found.push(unknown);
            }
            Some(there) if !there.phase.resources.contains_key(resource) => {
                let known: Vec<String> = there.phase.resources.keys().map(Name::as_str).map(|known| format!("{phase}.{known}")).collect();
                let unknown = document.error_at(&at, "unknown-resource", format!("`{phase}` has no resource `{resource}`"));
                found.push(suggest(unknown, target, known.iter().map(String::as_str), "resources in this phase"));
            }
            Some(_) => {}
        }
    }
}
