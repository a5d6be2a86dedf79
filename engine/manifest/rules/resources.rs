//! `resource-kind`, `key-of-another-kind`, `unknown-dependency`, `cyclic-dependency`, `file-content`: what a resource is made of.

use super::{Facts, Located, suggest};
use crate::base::diagnostic::Diagnostic;
use crate::base::name::Name;
use crate::manifest::resource::Resource;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for phase in facts.phases.values() {
        for (name, resource) in &phase.phase.resources {
            kind(facts, phase, name, resource, found);
            depends_on(facts, phase, name, resource, found);
            if let Some(file) = &resource.file
                && file.content.is_some() == file.template.is_some()
            {
                let path = phase.path(&["resources", name.as_str(), "file"]);
                let both = if file.content.is_some() { "both `content` and `template`" } else { "neither `content` nor `template`" };
                found.push(facts.document.error_at_key(&path, "file-content", format!("the file `{}` has {both}", file.path)));
            }
        }
        cycle(facts, phase, found);
    }
}

fn kind(facts: &Facts<'_>, phase: &Located<'_>, name: &Name, resource: &Resource, found: &mut Vec<Diagnostic>) {
    let kinds = kinds(resource);
    let path = |key| phase.path(&["resources", name.as_str(), key]);
    match kinds.as_slice() {
        [kind] => {
            let passive = !matches!(*kind, "process" | "container");
            for (key, there) in active_keys(resource).into_iter().filter(|_| passive) {
                if there {
                    found.push(
                        facts
                            .document
                            .error_at_key(&path(key), "key-of-another-kind", format!("`{key}` has no meaning for a {kind}"))
                            .hint("it belongs to a process or a container"),
                    );
                }
            }
        }
        [] => found.push(
            facts
                .document
                .error_at_key(&phase.path(&["resources", name.as_str()]), "resource-kind", format!("nothing says what `{name}` is"))
                .hint("give it one of `process`, `directory`, `file`, `port`, `custom`, `container`, `network`, `volume`"),
        ),
        [_, second, ..] => found.push(
            facts
                .document
                .error_at_key(&path(second), "resource-kind", format!("`{name}` is several things at once: `{}`", kinds.join("`, `")))
                .hint("make them resources of their own"),
        ),
    }
}

fn kinds(resource: &Resource) -> Vec<&'static str> {
    [
        ("directory", resource.directory.is_some()),
        ("file", resource.file.is_some()),
        ("port", resource.port.is_some()),
        ("process", resource.process.is_some()),
        ("container", resource.container.is_some()),
        ("network", resource.network.is_some()),
        ("volume", resource.volume.is_some()),
        ("custom", resource.custom.is_some()),
    ]
    .into_iter()
    .filter_map(|(kind, there)| there.then_some(kind))
    .collect()
}

/// The keys that only something that runs can have.
fn active_keys(resource: &Resource) -> [(&'static str, bool); 7] {
    [
        ("ports", !resource.ports.is_empty()),
        ("healthcheck", resource.healthcheck.is_some()),
        ("restart", resource.restart.is_some()),
        ("restart_limits", resource.restart_limits.is_some()),
        ("stop", resource.stop.is_some()),
        ("limits", resource.limits.is_some()),
        ("start", resource.start.is_some()),
    ]
}

fn depends_on(facts: &Facts<'_>, phase: &Located<'_>, name: &Name, resource: &Resource, found: &mut Vec<Diagnostic>) {
    let Some(dependencies) = &resource.depends_on else { return };
    for (index, (other, _)) in dependencies.iter().enumerate() {
        if other != name && phase.phase.resources.contains_key(other) {
            continue;
        }
        let list = matches!(dependencies, crate::manifest::resource::DependsOn::List(_));
        let index = index.to_string();
        let path = phase.path(&["resources", name.as_str(), "depends_on", if list { &index } else { other.as_str() }]);
        if other == name {
            found.push(facts.document.error_at(&path, "cyclic-dependency", format!("`{name}` depends on itself")));
            continue;
        }
        let message = format!("`{name}` depends on `{other}`, and the phase has no such resource");
        let unknown = if list {
            facts.document.error_at(&path, "unknown-dependency", message)
        } else {
            facts.document.error_at_key(&path, "unknown-dependency", message)
        };
        let known = phase.phase.resources.keys().filter(|known| *known != name).map(Name::as_str);
        let unknown = suggest(unknown, other.as_str(), known, "other resources in this phase");
        let elsewhere = facts.phases.values().find(|there| there.phase.resources.contains_key(other) && there.name != phase.name);
        found.push(match elsewhere {
            Some(there) => unknown.hint(format!("`{}` has a resource of that name: `needs: [{}]` waits for it", there.name, there.name)),
            None => unknown,
        });
    }
}

/// Resources that wait for each other. Few in a phase: a walk from each is enough.
fn cycle(facts: &Facts<'_>, phase: &Located<'_>, found: &mut Vec<Diagnostic>) {
    let next = |name: &str| -> Vec<&str> {
        let resource = phase.phase.resources.get(name);
        resource
            .and_then(|resource| resource.depends_on.as_ref())
            .map(|all| all.iter().map(|(name, _)| name.as_str()).collect())
            .unwrap_or_default()
    };
    for (index, start) in phase.phase.resources.keys().enumerate() {
        let mut path = vec![start.as_str()];
        let mut seen = std::collections::HashSet::new();
        if !walk(&next, start.as_str(), &mut path, &mut seen) || path.len() < 3 {
            continue;
        }
        // Each cycle is reported once, from its first resource.
        let first = path.iter().filter_map(|name| phase.phase.resources.get_index_of(*name)).min();
        if first == Some(index) {
            let at = phase.path(&["resources", start.as_str(), "depends_on"]);
            found.push(facts.document.error_at_key(
                &at,
                "cyclic-dependency",
                format!("these resources wait for each other: {}", path.join(" → ")),
            ));
        }
    }
}

/// Whether a walk from the end of the path comes back to `start`; the path is then the cycle.
fn walk<'a>(
    next: &impl Fn(&str) -> Vec<&'a str>,
    start: &str,
    path: &mut Vec<&'a str>,
    seen: &mut std::collections::HashSet<&'a str>,
) -> bool {
    let Some(last) = path.last().copied() else { return false };
    for name in next(last) {
        if name == start {
            path.push(name);
            return true;
        }
        if seen.insert(name) {
            path.push(name);
            if walk(next, start, path, seen) {
                return true;
            }
            path.pop();
        }
    }
    false
}
