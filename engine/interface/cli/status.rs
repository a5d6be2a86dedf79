//! `sculpt status`, and `sculpt` alone: how the goals stand.

use std::fmt::Write as _;

use clap::Args;

use super::context::Context;
use super::goal::named;
use crate::base::name::Name;
use crate::base::time::Span;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Look, Tone, show, show_json};
use crate::kernel::pressure::Pressure;
use crate::views::memory::MemoryStatus;
use crate::views::place::goal;
use crate::views::replay::Replay;
use crate::views::standing::GoalOutcome;
use crate::views::status::{GoalStatus, status};
use crate::views::suspects::in_short;

/// Of a goal with more phases than this, only those that are neither green nor pending are listed.
const LISTED: usize = 40;

/// Shows how the goals stand.
#[derive(Debug, Args)]
pub struct Status {
    /// Only this goal, with all its phases
    goal: Option<String>,
}

impl Status {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let whole = self.goal.is_some();
        let status = context.view(|replay, outside, _| {
            let only = only(replay, self.goal.as_deref(), context)?;
            Ok(status(replay, outside, only.as_ref()))
        })?;
        if context.json {
            show_json(&status)?;
            return Ok(0);
        }
        let mut text = status.memory.as_ref().map(|memory| pressure(memory, context.out)).unwrap_or_default();
        for goal in &status.goals {
            text.push_str(&paragraph(goal, whole, context.out));
        }
        if status.goals.is_empty() {
            text.push_str("no goal was run in this workspace yet\n\nnext:\n  sculpt run goals/NAME.yaml\n  sculpt init     writes a first goal where there is none\n");
        }
        show(&text)?;
        Ok(0)
    }
}

/// `sculpt` alone: the workspace.
pub fn workspace(context: &Context) -> Result<u8, Failure> {
    if !context.json {
        let workspace = context.workspace()?;
        let root = workspace.root().display().to_string();
        show(&format!("{}\n\n", context.out.paint(Tone::Bold, &format!("workspace {root}"))))?;
    }
    Status { goal: None }.carry_out(context)
}

/// The goal that was named, by its name or its file, where one was. One that nothing is known of is an error with a suggestion.
pub fn only(replay: &Replay, given: Option<&str>, context: &Context) -> Result<Option<Name>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let name = named(context, given)?;
    let (name, _) = goal(&replay.state, name.as_str())?;
    Ok(Some(name.clone()))
}

/// How the memory stands, where that is worth a line.
fn pressure(memory: &MemoryStatus, look: Look) -> String {
    let waiting = match memory.waiting.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} waits for it"),
        many => format!("; {} phases wait for it", many.len()),
    };
    let line = match memory.pressure {
        Some(Pressure::Calm) => return String::new(),
        None => format!("memory pressure is unknown: {}{waiting}", memory.why),
        Some(level) => format!("memory pressure ({}): {}; nothing new begins{waiting}", level.word(), memory.why),
    };
    format!("{}\n", look.paint(Tone::Yellow, &line))
}

fn paragraph(goal: &GoalStatus, whole: bool, look: Look) -> String {
    let mut text = String::new();
    // A whole is as old as the oldest of its greens.
    let oldest = goal.phases.iter().filter_map(|phase| phase.age_ms).max().or(goal.age_ms);
    let age = match (goal.outcome, goal.regressed_ms, goal.ended.as_ref().and(oldest)) {
        (GoalOutcome::Regressed, Some(since), _) => format!(", for {}", Span(since).human()),
        (GoalOutcome::Down | GoalOutcome::Regressed, ..) | (_, _, None) => String::new(),
        (_, _, Some(age)) => format!(", as of {} ago", Span(age).human()),
    };
    let run = goal.run.as_deref().unwrap_or_default();
    let (state, name) = (look.state(goal.outcome.word()), look.paint(Tone::Bold, &goal.name));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{state} {name} ({run}{age})");
    if goal.outcome != GoalOutcome::Verified && !goal.why.is_empty() {
        let _ = writeln!(text, "    {}", goal.why);
    }
    if let Some(parent) = &goal.parent {
        let _ = writeln!(text, "    {}", parent.words());
    }
    for missed in &goal.unenforced {
        let limits = missed.limits.iter().map(|limit| limit.word()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "    not enforced on this host: {limits} of {}", missed.owner);
    }
    if goal.apart {
        let _ = writeln!(text, "    not enforced on this host: the goal's limits for its containers together; each has them for itself");
    }
    if goal.outcome != GoalOutcome::Down || whole {
        phases(&mut text, goal, whole, look);
    }
    for resource in &goal.resources {
        // What an earlier run made serves on, or again.
        let earlier = (resource.run != run).then(|| resource.run.clone());
        let told: Vec<String> = earlier.into_iter().chain(resource.pid.map(|pid| format!("pid {pid}"))).collect();
        let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
        let _ = writeln!(text, "    {} {} {}{told}", look.state(resource.state), resource.kind, resource.owner);
    }
    for leak in &goal.leaks {
        let _ = writeln!(text, "    {} {}: {}", look.paint(Tone::Bold, "leak"), leak.owner, leak.words());
    }
    if let Some(words) = in_short(&goal.suspected) {
        let _ = writeln!(text, "    {words}: `sculpt ps {}`", goal.name);
    }
    for phase in goal.phases.iter().filter(|phase| phase.state == "waiting") {
        let _ = writeln!(text, "    answer with `sculpt answer {}/{} yes` or `no`", goal.name, phase.name);
    }
    text
}

fn phases(text: &mut String, goal: &GoalStatus, whole: bool, look: Look) {
    let all = whole || goal.phases.len() <= LISTED;
    let shown: Vec<_> = goal
        .phases
        .iter()
        .filter(|phase| all || !matches!(phase.state, "verified" | "pending" | "skipped"))
        .take(if all { usize::MAX } else { LISTED })
        .collect();
    let width = shown.iter().map(|phase| phase.name.chars().count()).max().unwrap_or(0).min(40);
    for phase in &shown {
        let proof = phase.proof.map_or("", crate::kernel::outcome::Proof::word);
        let attempts = if phase.attempts > 1 { format!("{} attempts: ", phase.attempts) } else { String::new() };
        let age = phase.age_ms.map(|age| format!(", {} ago", Span(age).human())).unwrap_or_default();
        let why = look.paint(Tone::Dim, &format!("{attempts}{}{age}", phase.why));
        let _ = writeln!(text, "    {} {:<width$}  {proof:<8}  {why}", look.state_wide(phase.state, 11), phase.name);
    }
    let hidden = goal.phases.len() - shown.len();
    if hidden > 0 {
        let _ = writeln!(text, "    and {hidden} more: `sculpt status {}`", goal.name);
    }
}

/// Rows as columns; the first row is the head. The last column may be of any width and may hold colours.
pub fn cells<const N: usize>(rows: &[[String; N]], paint: impl Fn(bool, &str) -> String) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == N {
                line.push_str(cell);
            } else {
                let _ = write!(line, "{cell:<width$}  ", width = widths[column]);
            }
        }
        text.push_str(&paint(index == 0, line.trim_end()));
        text.push('\n');
    }
    text
}
