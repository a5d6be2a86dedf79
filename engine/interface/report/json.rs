//! For programs: `{"findings":[…],"errors":n,"warnings":n}`. Fields are only ever added.

use serde::Serialize;

use super::{path, region};
use crate::base::diagnostic::{Diagnostic, Severity};

#[derive(Serialize)]
struct Report<'a> {
    findings: Vec<Finding<'a>>,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: Severity,
    rule: &'a str,
    message: &'a str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
    hints: &'a [String],
    replacement: Option<&'a str>,
}

pub(super) fn render(findings: &[Diagnostic]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let report =
        Report { findings: findings.iter().map(finding).collect(), errors: count(Severity::Error), warnings: count(Severity::Warning) };
    let mut text = serde_json::to_string_pretty(&report).expect("texts and numbers have a JSON form");
    text.push('\n');
    text
}

fn finding(finding: &Diagnostic) -> Finding<'_> {
    let region = region(finding);
    Finding {
        severity: finding.severity,
        rule: finding.rule,
        message: &finding.message,
        file: path(finding),
        line: region.map(|(start, _)| start.0),
        column: region.map(|(start, _)| start.1),
        end_line: region.map(|(_, end)| end.0),
        end_column: region.map(|(_, end)| end.1),
        hints: &finding.hints,
        replacement: finding.replacement.as_deref(),
    }
}
