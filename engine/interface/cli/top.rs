//! `sculpt top`: what is used now, and what was used.

use clap::Args;

use super::context::Context;
use super::status::{cells, only};
use crate::base::size::ByteSize;
use crate::base::time::Span;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Tone, show, show_json};
use crate::views::top::{self, Used, top};

/// Shows what is used by what lives: memory, processor time, processes, and the limits.
#[derive(Debug, Args)]
pub struct Top {
    /// Only this goal, and also what has ended of its latest run
    goal: Option<String>,
}

impl Top {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let top = context.view(|replay, outside, _| {
            let only = only(replay, self.goal.as_deref(), context)?;
            Ok(top(replay, outside, only.as_ref()))
        })?;
        if context.json {
            show_json(&top)?;
        } else {
            show(&table(&top, context))?;
        }
        Ok(0)
    }
}

fn table(top: &top::Top, context: &Context) -> String {
    if top.places.is_empty() {
        return "nothing runs; `sculpt top GOAL` shows what the latest run of a goal has used\n".to_owned();
    }
    let head = ["PLACE", "RUN", "MEMORY", "PEAK", "CPU TIME", "PROCESSES", "LIMITS"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(top.places.iter().map(row)).collect();
    cells(&rows, |first, line| if first { context.out.paint(Tone::Dim, line) } else { line.to_owned() })
}

fn row(used: &Used) -> [String; 7] {
    let unknown = || "-".to_owned();
    let size = |bytes: u64| ByteSize(bytes).rounded();
    // Where nobody counted all of it together, it was at least as much as its largest process.
    let least = if used.largest_process { "≥ " } else { "" };
    let killed = if used.oom_kills > 0 { ", killed for want of memory" } else { "" };
    [
        used.owner.clone(),
        format!("{} ({})", used.run, used.attempt),
        used.memory.map_or_else(|| if used.live { unknown() } else { "ended".to_owned() }, size),
        used.peak_memory.map_or_else(unknown, |peak| format!("{least}{}{killed}", size(peak))),
        used.cpu_ms.map_or_else(unknown, |ms| Span(ms).human()),
        used.processes.map_or_else(unknown, |processes| processes.to_string()),
        limits(used),
    ]
}

fn limits(used: &Used) -> String {
    let limits = &used.limits;
    let parts = [
        limits.memory.map(|memory| memory.to_string()),
        limits.cpus.map(|cpus| format!("{cpus} cpus")),
        limits.pids.map(|pids| format!("{pids} pids")),
        limits.files.map(|files| format!("{files} files")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
