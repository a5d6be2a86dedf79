//! For code scanning: SARIF 2.1.0, columns in Unicode code points.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{path, region, word};
use crate::base::diagnostic::Diagnostic;

pub(super) fn render(findings: &[Diagnostic]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let report = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sculpt",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| json!({ "id": rule })).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(|finding| result(finding, &rules)).collect::<Vec<_>>(),
        }],
    });
    format!("{report:#}\n")
}

fn result(finding: &Diagnostic, rules: &[&str]) -> Value {
    let mut message = finding.message.clone();
    for hint in &finding.hints {
        message.push_str("; ");
        message.push_str(hint);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.binary_search(&finding.rule).unwrap_or_default(),
        "level": word(finding.severity),
        "message": { "text": message },
    });
    if !path(finding).is_empty() {
        let mut place = json!({ "artifactLocation": { "uri": uri(path(finding)) } });
        if let Some((start, end)) = region(finding) {
            place["region"] = json!({ "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 });
        }
        result["locations"] = json!([{ "physicalLocation": place }]);
        if let (Some(replacement), Some((start, end))) = (&finding.replacement, region(finding)) {
            result["fixes"] = json!([{ "artifactChanges": [{
                "artifactLocation": { "uri": uri(path(finding)) },
                "replacements": [{
                    "deletedRegion": { "startLine": start.0, "startColumn": start.1, "endLine": end.0, "endColumn": end.1 },
                    "insertedContent": { "text": replacement },
                }],
            }] }]);
        }
    }
    result
}

/// A path as a relative URI reference: what is not plain is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte as char),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
