//! Errors of syntax, in the words of a manifest's author.

use std::ops::Range;
use std::sync::Arc;

use serde_yaml::granit_parser::{Marker, ScanError};

use crate::base::diagnostic::{Diagnostic, Severity, Source};

/// An error at a stretch of a text.
pub(super) fn at(source: &Arc<Source>, span: Range<usize>, rule: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        rule,
        message: message.into(),
        source: Some(Arc::clone(source)),
        span,
        label: None,
        hints: Vec::new(),
        replacement: None,
    }
}

/// An error of the scanner or the parser.
pub(super) fn syntax(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let start = byte(&source.text, *error.marker());
    let end = source.text[start..].chars().next().filter(|c| !c.is_control()).map_or(start, |c| start + c.len_utf8());
    let line = line_of(&source.text, start);
    let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    let info = error.info();
    if indent.contains('\t') || info.contains("tab") {
        let tab = start - (start - line_start(&source.text, start)) + indent.find('\t').unwrap_or(0);
        let span = if indent.contains('\t') { tab..tab + 1 } else { start..end };
        return at(source, span, "tab-indentation", "a tab cannot indent YAML").hint("indent with spaces");
    }
    if info.contains("nesting") || info.contains("recursion limit") {
        return too_deep(source, start..end);
    }
    let found = at(source, start..end, "yaml-syntax", format!("this is not YAML: {}", info.trim_end_matches('.')));
    let rest = &source.text[start..];
    if rest.starts_with(['%', '@', '`']) {
        return found.hint("quote a text that starts with `%`, `@` or a backtick");
    }
    if info.contains("mapping values are not allowed") {
        return found.hint("quote a text that holds `: `, or mend the indentation");
    }
    if info.contains("unclosed") || info.contains("quoted scalar") {
        return found.hint("close the bracket or the quote, or indent the lines that belong to it");
    }
    found
}

/// A file that nests too deep.
pub(super) fn too_deep(source: &Arc<Source>, span: Range<usize>) -> Diagnostic {
    at(source, span, "too-deep", format!("the file nests deeper than {} levels", super::compose::MAX_DEPTH))
        .hint("nothing in a manifest is that deep: look at the indentation and the brackets")
}

/// The byte where a marker stands: lines count from 1, columns, in characters, from 0.
pub(super) fn byte(text: &str, marker: Marker) -> usize {
    if let Some(byte) = marker.byte_offset() {
        return byte.min(text.len());
    }
    let mut start = 0;
    for _ in 1..marker.line() {
        match text[start..].find('\n') {
            Some(newline) => start += newline + 1,
            None => return text.len(),
        }
    }
    text[start..].char_indices().nth(marker.col()).map_or(text.len(), |(offset, _)| start + offset)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_of(text: &str, at: usize) -> &str {
    text[line_start(text, at)..].lines().next().unwrap_or_default()
}
