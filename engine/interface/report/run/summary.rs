//! The last words of a run: how each phase ended, what stays up and how to end it, what failed and what it said.
//!
//! Bounded: of many phases only those that are not green are listed, and of those the first few.

use std::fmt::Write as _;

use crate::base::time::Span;
use crate::interface::terminal::{Look, Tone};
use crate::kernel::outcome::Outcome;
use crate::views::standing::GoalOutcome;
use crate::views::status::{GoalStatus, PhaseStatus, ResourceStatus};

/// Up to so many phases are listed one by one, whatever their outcome.
const LISTED: usize = 40;

/// Of more phases than that, so many that are not green are.
const TROUBLED: usize = 20;

/// So many failed phases show the end of what they said.
const TAILS: usize = 3;

/// The end of what a phase said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The place that said it.
    pub place: String,
    /// The last lines, masked.
    pub lines: Vec<String>,
}

/// The phases whose last words a summary shows: the first that failed, or whose checker could not run.
pub fn to_tail(goal: &GoalStatus) -> impl Iterator<Item = &PhaseStatus> {
    goal.phases.iter().filter(|phase| matches!(phase.outcome, Some(Outcome::Failed | Outcome::Unknown))).take(TAILS)
}

/// The summary of a goal's run, with a newline at its end.
pub fn summary(goal: &GoalStatus, elapsed: Span, tails: &[Tail], look: Look) -> String {
    let mut text = String::new();
    list(&mut text, goal, look);
    for tail in tails {
        let head = format!("the end of what {} said:", tail.place);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", look.paint(Tone::Bold, &head));
        for line in &tail.lines {
            let _ = writeln!(text, "  {} {line}", look.paint(Tone::Dim, look.pick("│", "|")));
        }
    }
    verdict(&mut text, goal, elapsed, look);
    stays(&mut text, goal);
    next(&mut text, goal, look);
    text
}

/// The summary of a run that was only played: nothing of it is there, and no other command knows of it.
pub fn summary_of_play(goal: &GoalStatus, elapsed: Span, look: Look) -> String {
    let mut text = String::new();
    list(&mut text, goal, look);
    verdict(&mut text, goal, elapsed, look);
    for resource in goal.resources.iter().take(LISTED) {
        let _ = writeln!(text, "  would stay: {} ({})", resource.owner, resource.kind);
    }
    text
}

fn verdict(text: &mut String, goal: &GoalStatus, elapsed: Span, look: Look) {
    let run = goal.run.as_deref().unwrap_or(&goal.name);
    let (symbol, tone) = look.mark(goal.outcome.word());
    let verdict = format!("{symbol} {run} {} in {}", goal.outcome.word(), elapsed.human());
    let _ = writeln!(text, "\n{}: {}", look.paint(tone, &verdict), counts(goal));
    if !matches!(goal.outcome, GoalOutcome::Verified) && !goal.why.is_empty() {
        let _ = writeln!(text, "  {}", goal.why);
    }
}

fn list(text: &mut String, goal: &GoalStatus, look: Look) {
    let all = goal.phases.len() <= LISTED;
    let troubled = |phase: &&PhaseStatus| phase.outcome != Some(Outcome::Verified);
    let shown: Vec<&PhaseStatus> =
        if all { goal.phases.iter().collect() } else { goal.phases.iter().filter(troubled).take(TROUBLED).collect() };
    let width = shown.iter().map(|phase| phase.name.chars().count()).max().unwrap_or(0).min(40);
    for phase in &shown {
        let proof = phase.proof.map_or("", crate::kernel::outcome::Proof::word);
        let took = phase.elapsed_ms.map_or_else(String::new, |ms| Span(ms).human());
        let attempts = if phase.attempts > 1 { format!(" ({} attempts)", phase.attempts) } else { String::new() };
        let (name, state) = (&phase.name, look.state_wide(phase.state, 11));
        let _ = writeln!(text, "  {state} {name:<width$}  {proof:<8}  {took:>7}{attempts}  {}", look.paint(Tone::Dim, &phase.why));
    }
    if !all {
        let left = goal.phases.iter().filter(troubled).count().saturating_sub(shown.len());
        if left > 0 {
            let _ = writeln!(text, "  and {left} more that are not green: `sculpt status {}`", goal.name);
        }
    }
}

/// `3 verified, 1 failed`.
fn counts(goal: &GoalStatus) -> String {
    let words = ["verified", "unverified", "failed", "unknown", "skipped", "cancelled", "waiting"];
    let count = |word: &str| goal.phases.iter().filter(|phase| phase.state == word).count();
    let mut parts: Vec<String> =
        words.iter().map(|word| (count(word), word)).filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let open = goal.phases.iter().filter(|phase| phase.outcome.is_none() && phase.state != "waiting").count();
    if open > 0 {
        parts.push(format!("{open} not begun"));
    }
    parts.join(", ")
}

/// What stays up, and how to end it.
fn stays(text: &mut String, goal: &GoalStatus) {
    let word = |resource: &ResourceStatus| match (resource.kind, resource.keep) {
        ("process", _) => "up",
        (_, true) => "kept",
        (_, false) => "there",
    };
    for resource in goal.resources.iter().take(LISTED) {
        let pid = resource.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let _ = writeln!(text, "  {}: {} ({}{pid})", word(resource), resource.owner, resource.kind);
    }
    let hidden = goal.resources.len().saturating_sub(LISTED);
    if hidden > 0 {
        let _ = writeln!(text, "  and {hidden} more: `sculpt ps`");
    }
    if goal.resources.iter().any(|resource| word(resource) != "kept") {
        let _ = writeln!(text, "  end it with `sculpt down {}`", goal.name);
    }
}

/// What to do next.
fn next(text: &mut String, goal: &GoalStatus, look: Look) {
    let help = look.paint(Tone::Blue, "help:");
    for phase in goal.phases.iter().filter(|phase| phase.state == "waiting").take(TAILS) {
        let question = phase.question.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{help} {}/{} asks: {question}", goal.name, phase.name);
        let _ = writeln!(text, "      answer with `sculpt answer {}/{} yes` or `no`", goal.name, phase.name);
    }
    for phase in to_tail(goal) {
        let _ = writeln!(text, "{help} `sculpt why {}/{}` explains it", goal.name, phase.name);
    }
}
