//! `unknown-variable`, `output-before-it-exists`, `secret-in-output`, `unused-param`, `unused-secret`: what templates refer to.

use std::collections::HashSet;

use super::templates::{each_template, is_expression, within};
use super::{Facts, Located, suggest};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::name::Name;
use crate::manifest::node::{Aim, Place};
use crate::manifest::template::{self, ROOTS, Reference};

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut used: HashSet<(String, String)> = HashSet::new();
    each_template(facts.document, &mut |path, text, place| {
        let references = if is_expression(path) { template::expression_references(text) } else { template::references(text) };
        for reference in references {
            if let [root, name, ..] = reference.path.as_slice()
                && matches!(root.as_str(), "params" | "secrets")
            {
                used.insert((root.clone(), name.clone()));
            }
            let seat = Seat::of(facts, path);
            if let Some(finding) = seat.judge(&reference) {
                found.push(finding.at(facts, text, &reference, place));
            }
        }
    });
    unused(facts, &used, found);
}

/// A finding that does not know its place yet.
struct Finding {
    severity: Severity,
    rule: &'static str,
    message: String,
    /// The names that might have been meant, and for which key of the path.
    known: Vec<String>,
    key: usize,
    hint: Option<String>,
}

impl Finding {
    fn new(rule: &'static str, message: String) -> Self {
        Self { severity: Severity::Error, rule, message, known: Vec::new(), key: 0, hint: None }
    }

    fn known<'a>(mut self, key: usize, known: impl Iterator<Item = &'a str>) -> Self {
        self.key = key;
        self.known = known.map(str::to_owned).collect();
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn at(self, facts: &Facts<'_>, text: &str, reference: &Reference, place: Place) -> Diagnostic {
        let written = &text[reference.span.clone()];
        let place = within(facts.document, place, text, reference.span.start, written);
        let mut found = facts.document.diagnostic(self.severity, self.rule, place, self.message);
        if let Some(key) = reference.path.get(self.key).filter(|_| !self.known.is_empty()) {
            let source = facts.document.sources.get(place.source.0 as usize);
            let exact = source.and_then(|source| source.text.get(place.range())) == Some(written);
            found = suggest(found, key, self.known.iter().map(String::as_str), "such names");
            // The name is put into the whole reference; where that cannot be, the sentence has to do.
            found.replacement = found.replacement.filter(|_| exact).map(|near| written.replacen(key.as_str(), &near, 1));
        }
        match self.hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }
}

/// Where a template stands, and so what it may see.
struct Seat<'a, 'f> {
    facts: &'a Facts<'f>,
    phase: Option<Located<'f>>,
    in_output: bool,
    in_for_each: bool,
    /// The resource in whose ports it stands.
    port_of: Option<&'a str>,
}

impl<'a, 'f> Seat<'a, 'f> {
    fn of(facts: &'a Facts<'f>, path: &[&'a str]) -> Self {
        let phase = match path {
            [section @ ("phases" | "finally"), name, ..] => facts.phases.get(*name).filter(|phase| phase.section == *section).copied(),
            _ => None,
        };
        Self {
            facts,
            phase,
            in_output: matches!(path, ["phases" | "finally", _, "outputs", ..]),
            in_for_each: matches!(path, ["phases" | "finally", _, "for_each"]),
            port_of: match path {
                ["phases" | "finally", _, "resources", name, "port" | "ports", ..] => Some(name),
                _ => None,
            },
        }
    }

    fn judge(&self, reference: &Reference) -> Option<Finding> {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        let root = *path.first()?;
        if self.in_for_each && matches!(root, "secrets" | "phases" | "outputs" | "resources" | "item" | "matrix") {
            let found = Finding::new(
                "unknown-variable",
                "`for_each` sees only `params` and `env`: its values are known before anything runs".to_owned(),
            );
            return Some(found);
        }
        match path.as_slice() {
            ["params", name, ..] if !self.facts.goal.params.contains_key(*name) => Some(
                Finding::new("unknown-variable", format!("there is no param `{name}`"))
                    .known(1, self.facts.goal.params.keys().map(Name::as_str))
                    .or_declare("params"),
            ),
            ["secrets", name, ..] if !self.facts.goal.secrets.contains_key(*name) => Some(
                Finding::new("unknown-variable", format!("there is no secret `{name}`"))
                    .known(1, self.facts.goal.secrets.keys().map(Name::as_str))
                    .or_declare("secrets"),
            ),
            ["secrets", name, rest @ ..] => self.secret(name, rest),
            ["phases", name, rest @ ..] => self.output_of(name, rest),
            ["outputs", name, ..] => self.own_output(name),
            ["item", ..] if self.phase.is_none_or(|phase| phase.phase.for_each.is_none()) => {
                Some(Finding::new("unknown-variable", "`item` is the value of a `for_each`, and there is none here".to_owned()))
            }
            ["resources", name, rest @ ..] => self.resource(name, rest),
            ["matrix", rest @ ..] => self.matrix(rest.first().copied()),
            [root] if matches!(*root, "params" | "secrets" | "phases" | "outputs" | "env" | "item") => None,
            [root, ..] if ROOTS.contains(root) => None,
            _ => Some(
                Finding::new("unknown-variable", format!("there is no variable `{root}`"))
                    .known(0, ROOTS.iter().copied())
                    .hint("text stands in quotes: `{{ 'text' }}`"),
            ),
        }
    }

    fn secret(&self, name: &str, rest: &[&str]) -> Option<Finding> {
        if self.in_output && rest.is_empty() {
            return Some(
                Finding::new("secret-in-output", format!("the secret `{name}` would become an output, which is shown and kept"))
                    .hint("later phases can name the secret themselves"),
            );
        }
        match rest {
            [] | ["file"] => None,
            [other, ..] => Some(
                Finding::new("unknown-variable", format!("a secret has no `{other}`"))
                    .hint(format!("`secrets.{name}` is its text, `secrets.{name}.file` a file that holds it")),
            ),
        }
    }

    fn output_of(&self, name: &str, rest: &[&str]) -> Option<Finding> {
        // An instance of a loop: `build[a]`.
        let base = name.split_once('[').map_or(name, |(base, _)| base);
        let Some(there) = self.facts.phases.get(base) else {
            let known = self.facts.phases.keys().copied();
            return Some(Finding::new("unknown-variable", format!("there is no phase `{base}`")).known(1, known));
        };
        let output = match rest {
            ["outputs"] => None,
            ["outputs", output, ..] => Some(*output),
            _ => {
                return Some(
                    Finding::new("unknown-variable", "of a phase only its outputs can be seen".to_owned())
                        .hint(format!("write `phases.{base}.outputs.NAME`")),
                );
            }
        };
        if let Some(phase) = &self.phase
            && !self.facts.is_before(base, phase)
        {
            if phase.name == base {
                return Some(
                    Finding::new("output-before-it-exists", format!("`{base}` asks for its own outputs as another phase would"))
                        .hint("write `outputs.NAME`"),
                );
            }
            return Some(
                Finding::new(
                    "output-before-it-exists",
                    format!("`{}` does not wait for `{base}`: its outputs may not exist yet", phase.name),
                )
                .hint(format!("add `{base}` to the `needs` of `{}`", phase.name)),
            );
        }
        output.and_then(|output| undeclared(there, output, 3))
    }

    fn own_output(&self, name: &str) -> Option<Finding> {
        let Some(phase) = &self.phase else {
            return Some(
                Finding::new("unknown-variable", "`outputs` are those of the phase, and this stands in none".to_owned())
                    .hint("write `phases.NAME.outputs.KEY`"),
            );
        };
        if self.in_output {
            return Some(Finding::new(
                "output-before-it-exists",
                "an output cannot be made of outputs: all of them are made at once".to_owned(),
            ));
        }
        undeclared(phase, name, 1)
    }

    /// Of a resource its ports can be seen, by the phase that has it.
    fn resource(&self, name: &str, rest: &[&str]) -> Option<Finding> {
        let Some(phase) = &self.phase else {
            return Some(
                Finding::new("unknown-variable", "`resources` are those of the phase, and this stands in none".to_owned())
                    .hint("make an output of it, and write `phases.NAME.outputs.KEY`"),
            );
        };
        let with_ports = || phase.phase.resources.iter().filter(|(_, resource)| resource.claims().next().is_some());
        let Some(resource) = with_ports().find(|(other, _)| other.as_str() == name).map(|(_, resource)| resource) else {
            let message = format!("`{}` has no resource `{name}` with a port", phase.name);
            return Some(Finding::new("unknown-variable", message).known(1, with_ports().map(|(name, _)| name.as_str())));
        };
        if let Some(of) = self.port_of {
            let names_others = |text: &str| template::references(text).iter().any(|reference| reference.path[0] == "resources");
            if of == name || resource.claims().any(|claim| names_others(&claim.port().text())) {
                let message = "a port can be that of another resource only where that one's names no resource".to_owned();
                return Some(Finding::new("unknown-variable", message));
            }
        }
        match rest {
            ["port"] | ["ports", ..] => None,
            _ => Some(
                Finding::new("unknown-variable", "of a resource only its ports can be seen".to_owned())
                    .hint(format!("write `resources.{name}.port`, or `resources.{name}.ports[0]`")),
            ),
        }
    }

    fn matrix(&self, axis: Option<&str>) -> Option<Finding> {
        let declared = self.phase.map(|phase| &phase.phase.matrix);
        match (declared.filter(|matrix| !matrix.is_empty()), axis) {
            (None, _) => Some(Finding::new("unknown-variable", "`matrix` is the values of a `matrix`, and there is none here".to_owned())),
            (Some(matrix), Some(axis)) if !matrix.contains_key(axis) => {
                Some(Finding::new("unknown-variable", format!("the matrix has no `{axis}`")).known(1, matrix.keys().map(Name::as_str)))
            }
            _ => None,
        }
    }
}

impl Finding {
    fn or_declare(self, section: &str) -> Self {
        if self.known.is_empty() { self.hint(format!("declare it under `{section}:`")) } else { self }
    }
}

/// An output that a phase does not declare. Work may write more of them, but one that is nearly declared is a slip.
fn undeclared(phase: &Located<'_>, name: &str, key: usize) -> Option<Finding> {
    let outputs = &phase.phase.outputs;
    if outputs.contains_key(name) {
        return None;
    }
    let known = || outputs.keys().map(Name::as_str);
    let mut found = Finding::new("unknown-variable", format!("`{}` has no output `{name}`", phase.name)).known(key, known());
    if phase.may_write_outputs() {
        crate::base::diagnostic::nearest(name, known())?;
        found.severity = Severity::Warning;
        found.message = format!("`{}` declares no output `{name}`: its work would have to write it", phase.name);
    } else if outputs.is_empty() {
        found = found.hint(format!("declare it under `outputs:` of `{}`", phase.name));
    }
    Some(found)
}

fn unused(facts: &Facts<'_>, used: &HashSet<(String, String)>, found: &mut Vec<Diagnostic>) {
    // A template file and a phase without templates say nothing to us about what they use.
    let opaque = facts
        .phases
        .values()
        .any(|phase| phase.phase.resources.values().any(|resource| resource.file.as_ref().is_some_and(|file| file.template.is_some())));
    if opaque {
        return;
    }
    let params = facts.goal.params.keys().map(|name| ("params", "param", name));
    let secrets = facts.goal.secrets.keys().map(|name| ("secrets", "secret", name));
    for (section, word, name) in params.chain(secrets) {
        if used.contains(&(section.to_owned(), name.as_str().to_owned())) {
            continue;
        }
        let rule = if section == "params" { "unused-param" } else { "unused-secret" };
        let place = facts.document.place(&[section, name.as_str()], Aim::Key);
        found.push(
            facts
                .document
                .diagnostic(Severity::Warning, rule, place, format!("nothing uses the {word} `{name}`"))
                .hint(format!("use it as `{{{{ {section}.{name} }}}}`, or take it out")),
        );
    }
}
