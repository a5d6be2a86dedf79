//! A goal as text, with what was not mapped on top of it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::finding::{Finding, Kind};
use crate::manifest::node::Document;
use crate::manifest::yaml::{self, WriteError};

/// The first line, as in every goal.
const SCHEMA: &str = "# yaml-language-server: $schema=../schemas/goal.v1.json\n";

/// The text of a manifest.
///
/// # Errors
/// For values that YAML cannot hold; the importer makes none.
pub(super) fn manifest(goal: &Map<String, Value>, findings: &[Finding], document: &Document) -> Result<String, WriteError> {
    let mut text = SCHEMA.to_owned();
    let path = document.sources.first().map_or("", |source| source.path.as_str());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# Made by `sculpt import` of {}.", one_line(path));
    for (kind, title) in [(Kind::NotMapped, "Not mapped:"), (Kind::Differs, "Not quite the same:")] {
        let mut listed = findings.iter().filter(|finding| finding.kind == kind).peekable();
        if listed.peek().is_some() {
            let _ = writeln!(text, "# {title}");
        }
        for finding in listed {
            let line = document.sources.first().map_or(0, |source| source.position(finding.place.range().start).0);
            let _ = writeln!(text, "# - line {line}, {}: {}", one_line(&finding.path), one_line(&finding.why));
        }
    }
    text.push_str("# Nothing is verified yet: give phases a `verify:` with checks.\n");
    text.push_str(&yaml::write(goal)?);
    Ok(text)
}

/// A text that cannot leave its comment.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { char }).collect()
}
