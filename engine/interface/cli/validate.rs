//! `sculpt validate FILES…`: offline; host and configuration are ignored. Exit 0 or 2.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::context::Context;
use super::goal::{hint_at_manifests, read};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::interface::failure::{Failure, USAGE};
use crate::interface::report::{self, summary};
use crate::interface::terminal::{Tone, show};
use crate::manifest::load::load;

/// Checks manifests offline: all errors at once, each with its place.
#[derive(Debug, Args)]
pub struct Validate {
    /// The manifests
    #[arg(required = true, value_name = "FILES")]
    files: Vec<String>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The source line, a caret, hints
    Human,
    /// One JSON document
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl Validate {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let format = if context.json { Format::Json } else { self.format };
        let mut findings = Vec::new();
        let mut good = Vec::new();
        for file in &self.files {
            match load(file, &read(context)) {
                Ok(loaded) => {
                    good.push(file.as_str());
                    findings.extend(loaded.warnings);
                }
                Err(mut wrong) => {
                    hint_at_manifests(context, file, &mut wrong);
                    findings.extend(wrong);
                }
            }
        }
        let colour = context.out.colour;
        match format {
            Format::Human => show(&human(&findings, &good, context))?,
            Format::Json => show(&report::render(&findings, report::Format::Json, colour))?,
            Format::Github => show(&report::render(&findings, report::Format::Github, colour))?,
            Format::Sarif => show(&report::render(&findings, report::Format::Sarif, colour))?,
        }
        let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
        Ok(if wrong { USAGE } else { 0 })
    }
}

fn human(findings: &[Diagnostic], good: &[&str], context: &Context) -> String {
    let mut text = report::render(findings, report::Format::Human, context.out.colour);
    if !findings.is_empty() {
        text.push('\n');
    }
    for file in good {
        let mark = context.out.paint(Tone::Green, context.out.pick("✓", "+"));
        let _ = writeln!(text, "{mark} {file} is valid");
    }
    if !findings.is_empty() {
        text.push_str(&summary(findings));
        text.push('\n');
    }
    text
}
