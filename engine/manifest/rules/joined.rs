//! `unknown-network`, `unknown-volume`, `joined-before-it-exists`: what containers join and mount by name is a resource of the goal.

use super::{Facts, Located, suggest};
use crate::base::diagnostic::Diagnostic;
use crate::manifest::kind::Kind;
use crate::manifest::template::has_template;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for phase in facts.phases.values() {
        let own = (phase.path(&[]), &phase.phase.networks, &phase.phase.volumes);
        let of_resources = phase.phase.resources.iter().filter_map(|(name, resource)| {
            let container = resource.container.as_ref()?;
            Some((phase.path(&["resources", name.as_str(), "container"]), &container.networks, &container.volumes))
        });
        for (path, networks, volumes) in std::iter::once(own).chain(of_resources) {
            for (index, network) in networks.iter().enumerate() {
                one(facts, phase, &path, ("networks", index), (network.as_str(), "", Kind::Network), found);
            }
            for (index, volume) in volumes.iter().enumerate().filter(|(_, volume)| !has_template(volume)) {
                let (source, rest) = volume.split_at(volume.find(':').unwrap_or(volume.len()));
                if !source.contains('/') && !source.starts_with('.') {
                    one(facts, phase, &path, ("volumes", index), (source, rest, Kind::Volume), found);
                }
            }
        }
    }
}

fn one(
    facts: &Facts<'_>,
    phase: &Located<'_>,
    path: &[&str],
    (key, index): (&str, usize),
    (name, rest, kind): (&str, &str, Kind),
    found: &mut Vec<Diagnostic>,
) {
    let index = index.to_string();
    let path: Vec<&str> = path.iter().copied().chain([key, &index]).collect();
    let of =
        |other: &Located<'_>| other.phase.resources.iter().any(|(known, resource)| known.as_str() == name && Kind::of(resource) == kind);
    if of(phase) {
        return;
    }
    let Some(other) = facts.phases.values().find(|other| of(other)) else {
        let word = kind.word();
        let rule = if kind == Kind::Network { "unknown-network" } else { "unknown-volume" };
        let all = facts.phases.values().flat_map(|phase| &phase.phase.resources);
        let known: Vec<String> = all.filter(|(_, resource)| Kind::of(resource) == kind).map(|(name, _)| format!("{name}{rest}")).collect();
        let finding = facts.document.error_at(&path, rule, format!("the goal has no {word} `{name}`"));
        let hint = format!("declare it under `resources:` of a phase: `{name}: {{ {word}: {{}}, scope: goal }}`");
        let written = format!("{name}{rest}");
        found.push(if known.is_empty() {
            finding.hint(hint)
        } else {
            suggest(finding, &written, known.iter().map(String::as_str), "such names")
        });
        return;
    };
    if !facts.is_before(other.name, phase) {
        let message = format!("`{}` does not wait for `{}`, which makes `{name}`: it may not be there yet", phase.name, other.name);
        let finding = facts.document.warning_at(&path, "joined-before-it-exists", message);
        found.push(finding.hint(format!("add `{}` to the `needs` of `{}`", other.name, phase.name)));
    }
}
