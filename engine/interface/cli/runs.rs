//! `sculpt runs`: what was run.

use std::fmt::Write as _;

use clap::Args;

use super::context::Context;
use super::status::{cells, only};
use crate::base::time::Span;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Look, Tone, show, show_json};
use crate::views::runs::{RunStatus, runs};
use crate::views::within::Within;

/// Up to so many characters of a reason are shown.
const SHORT: usize = 90;

/// Shows what was run, oldest first.
#[derive(Debug, Args)]
pub struct Runs {
    /// Only of this goal
    goal: Option<String>,
}

impl Runs {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let runs = context.view(|replay, outside, _| {
            let only = only(replay, self.goal.as_deref(), context)?;
            Ok(runs(replay, outside, only.as_ref()))
        })?;
        if context.json {
            show_json(&runs)?;
            return Ok(0);
        }
        if runs.runs.is_empty() {
            show("nothing was run in this workspace yet\n")?;
            return Ok(0);
        }
        let mut rows = vec![["RUN".to_owned(), "STARTED".to_owned(), "TOOK".to_owned(), "OUTCOME".to_owned()]];
        for run in &runs.runs {
            let took = Span(run.elapsed_ms).human();
            rows.push([run.run.clone(), run.started.clone(), took, how(run, context.out)]);
        }
        let mut text = cells(&rows, |first, line| if first { context.out.paint(Tone::Dim, line) } else { line.to_owned() });
        match runs.pruned {
            0 => {}
            1 => text.push_str("1 older run is no longer kept: it was pruned\n"),
            count => {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{count} older runs are no longer kept: they were pruned");
            }
        }
        show(&text)?;
        Ok(0)
    }
}

/// How a run ended, why where it is not green, and where it came from.
fn how(run: &RunStatus, look: Look) -> String {
    let mut notes = Vec::new();
    if run.outcome != "verified" && !run.why.is_empty() {
        notes.push(short(&run.why));
    }
    notes.extend(run.retries.as_ref().map(|from| format!("goes on from {from}")));
    notes.extend(run.parent.as_ref().map(Within::words));
    let notes = if notes.is_empty() { String::new() } else { format!("  {}", look.paint(Tone::Dim, &notes.join("; "))) };
    format!("{}{notes}", look.state(run.outcome))
}

/// The first line of a text, cut where it is long.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}
