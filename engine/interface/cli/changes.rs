//! What a run would change, as text for `sculpt plan`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::interface::terminal::{Look, Tone};
use crate::views::difference::{Change, Difference, PhaseChange};

/// Of a goal with more phases than this, only those that change are listed.
const LISTED: usize = 40;

/// What a run would change, for a person; empty lines apart from what stands above it.
pub fn text(difference: &Difference, look: Look) -> String {
    let mut text = format!("\n{}\n", look.paint(Tone::Bold, &format!("Against what runs ({})", difference.against)));
    let all = difference.phases.len() <= LISTED;
    let shown: Vec<&PhaseChange> = difference.phases.iter().filter(|phase| all || phase.change != Change::Stays).collect();
    let width = shown.iter().map(|phase| phase.name.as_str().chars().count()).max().unwrap_or(0).min(40);
    // Writing to a String cannot fail.
    if difference.running {
        let warning = format!("{} goes on: until it has ended, another run is refused", difference.against);
        let _ = writeln!(text, "  {}", look.paint(Tone::Yellow, &warning));
    }
    for phase in &shown {
        let word = look.paint(tone(phase.change), &format!("{} {:<8}", symbol(phase.change), phase.change.word()));
        let mut why = phase.why.clone();
        why.extend(phase.rolls_back_to.iter().map(|run| format!("where that fails, {run} serves again")));
        let line = format!("  {word}  {:<width$}  {}", phase.name.as_str(), why.join("; "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let hidden = difference.phases.len() - shown.len();
    if hidden > 0 {
        let _ = writeln!(text, "  and {hidden} more that stay");
    }
    for ends in &difference.ends {
        let word = look.paint(Tone::Red, "- ends    ");
        let _ = writeln!(text, "  {word}  {} ({}, of {})", ends.owner, ends.kind, ends.run);
    }
    let unknown: BTreeSet<&String> = difference.phases.iter().flat_map(|phase| &phase.known_when_it_runs).collect();
    if !unknown.is_empty() {
        let unknown: Vec<&str> = unknown.into_iter().map(String::as_str).collect();
        let note = format!("known when it runs: {}; what differs then does not stay", unknown.join(", "));
        let _ = writeln!(text, "  {}", look.paint(Tone::Dim, &note));
    }
    text
}

const fn symbol(change: Change) -> &'static str {
    match change {
        Change::Stays => "=",
        Change::Asked => "?",
        Change::Replaced => "~",
        Change::Again => "*",
        Change::Starts => "+",
    }
}

const fn tone(change: Change) -> Tone {
    match change {
        Change::Stays | Change::Asked => Tone::Dim,
        Change::Replaced => Tone::Yellow,
        Change::Again => Tone::Blue,
        Change::Starts => Tone::Green,
    }
}
