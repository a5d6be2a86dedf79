//! Findings as text: for people, for programs, for GitHub's annotations, for code scanning; and in `run`, what a run tells while it goes on.

mod github;
mod human;
mod json;
pub mod run;
mod sarif;

use std::fmt::Write as _;

use crate::base::diagnostic::{Diagnostic, Severity};

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a terminal or a log: the source line, a caret, hints.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// GitHub's workflow commands: one annotation each.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// Writes findings, in the order given ([`crate::base::diagnostic::sort`] gives the right one). Ends with a newline, or is empty.
pub fn render(findings: &[Diagnostic], format: Format, colour: bool) -> String {
    match format {
        Format::Human => human::render(findings, colour),
        Format::Json => json::render(findings),
        Format::Github => github::render(findings),
        Format::Sarif => sarif::render(findings),
    }
}

/// `2 errors, 1 warning`; empty where there is nothing.
pub fn summary(findings: &[Diagnostic]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let mut text = String::new();
    for (number, word) in [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")] {
        if number > 0 {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{number} {word}{}", if number == 1 { "" } else { "s" });
        }
    }
    text
}

/// The word of a severity, as every format but GitHub's and SARIF's spells it.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// The path of the text, where there is one.
fn path(finding: &Diagnostic) -> &str {
    finding.source.as_ref().map_or("", |source| source.path.as_str())
}

/// Line and column of both ends, from 1, columns in characters.
fn region(finding: &Diagnostic) -> Option<((usize, usize), (usize, usize))> {
    let source = finding.source.as_ref()?;
    if source.text.is_empty() {
        return None;
    }
    Some((source.position(finding.span.start), source.position(finding.span.end)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::diagnostic::Source;

    fn findings() -> Vec<Diagnostic> {
        let text = "name: \"é\"\nphases:\n  ü: { rn: true, é: 1 }\n".to_owned();
        let at = text.find("rn").expect("it is there");
        let source = Arc::new(Source { path: "goals/a,b:c.yaml".to_owned(), text });
        let finding = Diagnostic {
            severity: Severity::Error,
            rule: "unknown-key",
            message: "unknown key `rn` in a phase: 100%".to_owned(),
            source: Some(Arc::clone(&source)),
            span: at..at + 2,
            label: None,
            hints: vec!["did you mean `run`?".to_owned()],
            replacement: Some("run".to_owned()),
        };
        let warning = Diagnostic { severity: Severity::Warning, replacement: None, label: Some("here".to_owned()), ..finding.clone() };
        let lost = Diagnostic { source: None, span: 0..0, rule: "unreadable", message: "failed to read x".to_owned(), ..warning.clone() };
        vec![finding, warning, lost]
    }

    #[test]
    fn people_see_the_line_and_the_caret() {
        insta::assert_snapshot!(render(&findings(), Format::Human, false));
    }

    #[test]
    fn colours_are_added_to_the_same_text() {
        let coloured = render(&findings(), Format::Human, true);
        assert!(coloured.contains("\u{1b}["));
        let plain: String = coloured
            .split('\u{1b}')
            .enumerate()
            .map(|(i, part)| if i == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) })
            .collect();
        assert_eq!(plain, render(&findings(), Format::Human, false));
    }

    #[test]
    fn programs_see_the_same() {
        insta::assert_snapshot!("json", render(&findings(), Format::Json, false));
        insta::assert_snapshot!("github", render(&findings(), Format::Github, false));
        insta::assert_snapshot!("sarif", render(&findings(), Format::Sarif, false));
    }

    #[test]
    fn counts() {
        assert_eq!(summary(&findings()), "1 error, 2 warnings");
        assert_eq!(summary(&[]), "");
    }
}
