//! `fallback-without-effect`, `literal-port`: a port that may become another one, and who would not notice.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::ports::{defaults, listen, ports, target, target_port};
use super::templates::each_template;
use super::{Facts, Located};
use crate::base::diagnostic::Diagnostic;
use crate::manifest::port::Listen;
use crate::manifest::resource::Resource;
use crate::manifest::template::{self, Context};

/// A port with a fallback.
struct Movable<'a> {
    phase: Located<'a>,
    resource: &'a str,
    listen: Listen,
}

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let context = defaults(facts);
    let mut movable = Vec::new();
    for phase in facts.phases.values() {
        for (name, resource) in &phase.phase.resources {
            for (_, claim) in ports(resource).into_iter().filter(|(_, claim)| claim.fallback().is_some()) {
                // What is no port, or not known before the run, is judged elsewhere, or not at all.
                if let Some(Ok(listen)) = listen(claim.port(), &context) {
                    movable.push(Movable { phase: *phase, resource: name.as_str(), listen });
                }
            }
        }
    }
    unheard(facts, found);
    if !movable.is_empty() {
        literal_in_checks(facts, &movable, &context, found);
        literal_in_ports(facts, &movable, &context, found);
    }
}

/// A process that is not told which port was chosen goes on listening on the declared one. A container is told by what it publishes.
fn unheard(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let with_fallback = |resource: &Resource| resource.container.is_none() && resource.claims().any(|claim| claim.fallback().is_some());
    if !facts.phases.values().any(|phase| phase.phase.resources.values().any(with_fallback)) {
        return;
    }
    let mut named: HashSet<(String, String)> = HashSet::new();
    each_template(facts.document, &mut |path, text, _| {
        let [_, phase, ..] = path else { return };
        for reference in template::references(text) {
            match reference.path.as_slice() {
                [root, name, ..] if root == "resources" => {
                    named.insert(((*phase).to_owned(), name.clone()));
                }
                _ => {}
            }
        }
    });
    for phase in facts.phases.values() {
        // A template file says nothing to us about what it names.
        let opaque = phase.phase.resources.values().any(|resource| resource.file.as_ref().is_some_and(|file| file.template.is_some()));
        for (name, resource) in phase.phase.resources.iter().filter(|(_, resource)| !opaque && with_fallback(resource)) {
            if named.contains(&(phase.name.to_owned(), name.to_string())) {
                continue;
            }
            let key = if resource.port.is_some() { "port" } else { "ports" };
            let message = format!("nothing of `{}` is told which port is chosen for `{name}`", phase.name);
            let finding = facts.document.warning_at(&phase.path(&["resources", name.as_str(), key]), "fallback-without-effect", message);
            found.push(finding.hint(format!("name it as `{{{{ resources.{name}.port }}}}` where the declared port stands")));
        }
    }
}

/// A check that names the declared port asks whoever has it.
fn literal_in_checks(facts: &Facts<'_>, movable: &[Movable<'_>], context: &Context, found: &mut Vec<Diagnostic>) {
    facts.each_check(|path, kind, phase| {
        let Some(target) = target(kind) else { return };
        let context = match phase {
            Some(phase) => context.clone().with("outputs", &outputs(&phase, context)),
            None => context.clone(),
        };
        let Ok(rendered) = template::render(target, &context) else { return };
        let port = target_port(&rendered);
        let meant = movable.iter().find(|movable| movable.listen.port == port && !movable.listen.udp);
        let Some(Movable { phase: of, resource, .. }) = meant else { return };
        let message = format!("this check asks port {port}, whichever port is chosen for `{resource}`");
        let key = if kind.http.is_some() { "http" } else { "tcp" };
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        let hint = if phase.is_some_and(|phase| phase.name == of.name) {
            format!("write `{{{{ resources.{resource}.port }}}}`")
        } else {
            format!("give `{}` an output of `{{{{ resources.{resource}.port }}}}`, and name that", of.name)
        };
        found.push(facts.document.warning_at(&path, "literal-port", message).hint(hint));
    });
}

/// Another resource of the phase that wants the very port: the one that was kept free for it.
fn literal_in_ports(facts: &Facts<'_>, movable: &[Movable<'_>], context: &Context, found: &mut Vec<Diagnostic>) {
    for Movable { phase, resource, listen: wanted } in movable.iter().filter(|movable| movable.is_reserved()) {
        for (name, other) in phase.phase.resources.iter().filter(|(name, _)| name.as_str() != *resource) {
            for (keys, claim) in ports(other) {
                let Some(Ok(listen)) = listen(claim.port(), context) else { continue };
                if listen.port != wanted.port || listen.udp != wanted.udp {
                    continue;
                }
                let path: Vec<String> = phase.path(&["resources", name.as_str()]).into_iter().map(str::to_owned).chain(keys).collect();
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let message = format!("`{name}` wants port {}, whichever port is chosen for `{resource}`", listen.port);
                let finding = facts.document.warning_at(&path, "literal-port", message);
                found.push(finding.hint(format!("write `{{{{ resources.{resource}.port }}}}`")));
            }
        }
    }
}

impl Movable<'_> {
    /// Whether it is a `port:` of its own, kept free for somebody else.
    fn is_reserved(&self) -> bool {
        self.phase.phase.resources.iter().any(|(name, resource)| name.as_str() == self.resource && resource.port.is_some())
    }
}

/// The outputs of a phase as far as they are known before the run.
fn outputs<'a>(phase: &Located<'a>, context: &Context) -> IndexMap<&'a str, Value> {
    let rendered =
        phase.phase.outputs.iter().filter_map(|(name, text)| Some((name.as_str(), template::render(text, context).ok()?.into())));
    rendered.collect()
}
