//! `template-syntax`: every `{{ }}` is an expression. Asked of the tree alone, so that it is answered beside errors of the schema.

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::manifest::node::{Data, Document, Node, Place};
use crate::manifest::template::{self, TemplateError};

/// Every template of the document that is none.
pub(crate) fn syntax(document: &Document) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each_template(document, &mut |path, text, place| {
        let expression = is_expression(path);
        let result = if expression { template::check_expression(text) } else { template::check(text) };
        if let Err(error) = result {
            found.push(at(document, &error, text, place));
        }
    });
    found
}

/// Calls `f` with every text that is templated: the path to it, the text, its place.
pub(super) fn each_template<'a>(document: &'a Document, f: &mut impl FnMut(&[&'a str], &'a str, Place)) {
    if is_off(&document.root) {
        return;
    }
    let Some(root) = document.root.map() else { return };
    for (key, entry) in root {
        let mut path = vec![key.as_str()];
        match key.as_str() {
            "env" | "env_file" | "working_dir" | "verify" | "daemons" => entry.node.each_text(&mut path, f),
            "phases" | "finally" => {
                for (name, phase) in entry.node.map().into_iter().flatten() {
                    path.push(name);
                    each_in_phase(&phase.node, &mut path, f);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

fn each_in_phase<'a>(phase: &'a Node, path: &mut Vec<&'a str>, f: &mut impl FnMut(&[&'a str], &'a str, Place)) {
    if is_off(phase) {
        return;
    }
    for (key, entry) in phase.map().into_iter().flatten() {
        let plain =
            matches!(key.as_str(), "description" | "needs" | "profiles" | "uses" | "with" | "matrix" | "timeout" | "retry" | "budget");
        // The values of a loop are values; as a text it is an expression.
        let values = key == "for_each" && matches!(entry.node.data, Data::List(_));
        if plain || values || key.starts_with("x-") {
            continue;
        }
        path.push(key);
        entry.node.each_text(path, f);
        path.pop();
    }
}

fn is_off(node: &Node) -> bool {
    node.get("templates").is_some_and(|node| node.data == Data::Bool(false))
}

/// `when` and a `for_each` that is a text are expressions, with braces or without.
pub(super) fn is_expression(path: &[&str]) -> bool {
    matches!(path, ["phases" | "finally", _, "when" | "for_each"])
}

fn at(document: &Document, error: &TemplateError, text: &str, place: Place) -> Diagnostic {
    let part = text.get(error.span.clone()).unwrap_or_default();
    let found = document.diagnostic(
        Severity::Error,
        "template-syntax",
        within(document, place, text, error.span.start, part),
        error.message.clone(),
    );
    match &error.hint {
        Some(hint) => found.hint(hint),
        None => found,
    }
}

/// Where a part of a text stands in its source: the text itself may be quoted, escaped, folded or indented there.
pub(super) fn within(document: &Document, place: Place, text: &str, offset: usize, part: &str) -> Place {
    let written = document.sources.get(place.source.0 as usize).and_then(|source| source.text.get(place.range()));
    let Some(written) = written.filter(|_| !part.trim().is_empty()) else { return place };
    // The same occurrence: the n-th in the text is the n-th in the source.
    let nth = text[..offset].matches(part).count();
    let Some((at, _)) = written.match_indices(part).nth(nth) else { return place };
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let start = place.start + narrow(at);
    Place { start, end: start + narrow(part.len()), ..place }
}
