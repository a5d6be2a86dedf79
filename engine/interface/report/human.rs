//! For people: file, line and column, the source line, a caret, the name of the rule, hints, and the mended line.

use annotate_snippets::renderer::{DecorStyle, Renderer};
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Snippet};

use super::path;
use crate::base::diagnostic::{Diagnostic, Severity};

pub(super) fn render(findings: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for finding in findings {
        text.push_str(renderer.render(&groups(finding)).trim_end_matches('\n'));
        text.push_str("\n\n");
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn groups(finding: &Diagnostic) -> Vec<Group<'_>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(finding.message.as_str()).id(finding.rule));
    let text = finding.source.as_ref().map_or("", |source| source.text.as_str());
    if text.is_empty() {
        if !path(finding).is_empty() {
            group = group.element(annotate_snippets::Origin::path(path(finding)));
        }
    } else {
        let (window, first_line, offset) = window(text, finding);
        let span = finding.span.start - offset..finding.span.end - offset;
        let mut annotation = AnnotationKind::Primary.span(span);
        if let Some(label) = &finding.label {
            annotation = annotation.label(label.as_str());
        }
        group = group.element(Snippet::source(window).line_start(first_line).path(path(finding)).annotation(annotation));
    }
    // A mended line stands under the hint that it carries out, which comes first.
    let mended = finding.replacement.as_deref().filter(|_| !text.is_empty());
    let carried_out = usize::from(mended.is_some());
    for hint in finding.hints.iter().skip(carried_out) {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    let mut groups = vec![group];
    if let Some(replacement) = mended {
        let (window, first_line, offset) = window(text, finding);
        let span = finding.span.start - offset..finding.span.end - offset;
        let title = finding.hints.first().map_or("write", String::as_str);
        groups.push(
            Group::with_title(Level::HELP.secondary_title(title))
                .element(Snippet::source(window).line_start(first_line).path(path(finding)).patch(Patch::new(span, replacement))),
        );
    }
    groups
}

/// The lines of the span, their number, and where they start: the renderer walks all it is given, and a manifest can be big.
fn window<'a>(text: &'a str, finding: &Diagnostic) -> (&'a str, usize, usize) {
    let start = text[..finding.span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[finding.span.end..].find('\n').map_or(text.len(), |newline| finding.span.end + newline);
    let line = text[..start].split('\n').count();
    (text[start..end].trim_end_matches('\r'), line, start)
}
