//! For GitHub Actions: workflow commands, which become annotations on the changed lines.

use std::fmt::Write as _;

use super::{path, region, word};
use crate::base::diagnostic::Diagnostic;

pub(super) fn render(findings: &[Diagnostic]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mut place = String::new();
        if !path(finding).is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(place, "file={},", property(path(finding)));
        }
        if let Some((start, end)) = region(finding) {
            let _ = write!(place, "line={},endLine={},col={},", start.0, end.0, start.1);
            // GitHub refuses an end column where the end is on another line.
            if start.0 == end.0 {
                let _ = write!(place, "endColumn={},", end.1.max(start.1));
            }
        }
        let mut message = finding.message.clone();
        for hint in &finding.hints {
            message.push('\n');
            message.push_str(hint);
        }
        let _ = writeln!(text, "::{} {place}title={}::{}", word(finding.severity), property(finding.rule), data(&message));
    }
    text
}

/// Escapes what a message may hold.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes what a property may hold.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
