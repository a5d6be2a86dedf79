//! `sculpt why PLACE`: why it is so.

use std::fmt::Write as _;

use clap::Args;

use super::context::{Context, log_path, shown};
use super::goal::named;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Look, Tone, show, show_json};
use crate::views::why::{AnswerStory, Explanation, why};

/// Explains why something is so: what it waits for, why it failed, why it may be believed.
#[derive(Debug, Args)]
pub struct Why {
    /// A goal, a phase (goal/phase) or a resource (goal/phase/resource)
    place: String,
}

impl Why {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let is_file = context.path(&self.place).is_file();
        let place = if is_file { named(context, &self.place)?.to_string() } else { self.place };
        let place = place.trim_end_matches('/');
        let explanation = context.view(|replay, outside, workspace| {
            let path = |file: &_| shown(workspace, &log_path(workspace, file));
            Ok(why(replay, outside, &path, place)?)
        })?;
        if context.json {
            show_json(&explanation)?;
        } else {
            show(&text(&explanation, context.out))?;
        }
        Ok(0)
    }
}

fn text(explanation: &Explanation, look: Look) -> String {
    let mut text = String::new();
    let fault = explanation.fault.as_ref().map(|fault| format!(" [{fault}]")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} {}{fault}\n", look.state(&explanation.state), look.paint(Tone::Bold, &explanation.place));
    for sentence in &explanation.sentences {
        let _ = writeln!(text, "{sentence}");
    }
    for attempt in &explanation.attempts {
        let _ = writeln!(text, "  attempt {}: [{}] {}", attempt.attempt, attempt.fault, attempt.why);
    }
    if !explanation.checks.is_empty() {
        text.push_str("\nchecks:\n");
    }
    for check in &explanation.checks {
        let _ = writeln!(text, "  {}. {}", check.check, check.asks);
        for (when, answer) in [("before", &check.before), ("after", &check.after)] {
            let _ = writeln!(text, "     {when:<6}  {}", said(answer.as_ref(), look));
        }
    }
    for log in &explanation.logs {
        let _ = writeln!(text, "\nlog: {log}");
    }
    if !explanation.hints.is_empty() {
        text.push('\n');
    }
    for hint in &explanation.hints {
        let _ = writeln!(text, "{} {hint}", look.paint(Tone::Blue, "help:"));
    }
    text
}

fn said(answer: Option<&AnswerStory>, look: Look) -> String {
    match answer {
        None => look.paint(Tone::Dim, "not asked"),
        Some(answer) if answer.evidence.is_empty() => look.state(answer.said.word()),
        Some(answer) => format!("{}: {}", look.state(answer.said.word()), answer.evidence),
    }
}
