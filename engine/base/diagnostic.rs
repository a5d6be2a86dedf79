//! What is wrong with a text, where, why, and what to do: data, rendered elsewhere.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// How bad a finding is. Only errors change an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// The manifest works, but probably does not do what its author thinks.
    Warning,
}

/// A text that was read, with the name to show for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// One finding. Several are collected and shown at once, in the order of their place.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable name of the rule, in kebab case: `unknown-key`, `cyclic-needs`.
    pub rule: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The text in which it is wrong; none where a file could not be read at all.
    pub source: Option<Arc<Source>>,
    /// Byte range in the source's text; empty means the point.
    pub span: Range<usize>,
    /// The short text at the caret, where it says more than the message.
    pub label: Option<String>,
    /// What to do, each a sentence without a full stop.
    pub hints: Vec<String>,
    /// A text that, put in the place of `span`, mends it (did-you-mean).
    pub replacement: Option<String>,
}

impl Source {
    /// The line and the column of a byte, both from 1; the column counts characters, and so does an editor.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.as_bytes().get(..byte).unwrap_or(self.text.as_bytes());
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.split(|byte| *byte == b'\n').count();
        // Bytes that do not continue a character: right also where `byte` is no border of one.
        let column = before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
        (line, column)
    }
}

impl Diagnostic {
    /// Adds a sentence that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Sets the short text at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Offers a text in the place of the span.
    #[must_use]
    pub fn replace_with(mut self, text: impl Into<String>) -> Self {
        self.replacement = Some(text.into());
        self
    }

    /// The line and the column, both from 1, where there is a text.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.source.as_ref().map(|source| source.position(self.span.start))
    }
}

/// Puts findings into the order in which a person reads them, each once: by file, place, severity, rule.
///
/// The files keep the order in which they were first named.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    let mut files: Vec<String> = Vec::new();
    let rank = |diagnostic: &Diagnostic, files: &mut Vec<String>| {
        let path = diagnostic.source.as_ref().map_or("", |source| source.path.as_str());
        files.iter().position(|file| file == path).unwrap_or_else(|| {
            files.push(path.to_owned());
            files.len() - 1
        })
    };
    let mut keyed: Vec<_> = diagnostics
        .drain(..)
        .map(|diagnostic| {
            let file = rank(&diagnostic, &mut files);
            ((file, diagnostic.span.start, diagnostic.severity, diagnostic.rule, diagnostic.message.clone()), diagnostic)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed.dedup_by(|a, b| a.0 == b.0);
    diagnostics.extend(keyed.into_iter().map(|(_, diagnostic)| diagnostic));
}

/// The candidate nearest to what was written, where one is near enough to be meant: a slip or two, or a part of the name.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let most = (written.chars().count() / 3).clamp(1, 3);
    let written = written.to_lowercase();
    let slip = candidates
        .clone()
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&written, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    let part = || candidates.into_iter().find(|candidate| written.len() >= 3 && candidate.to_lowercase().ends_with(&written));
    slip.or_else(part)
}
