//! For a terminal: what is at work has a line that moves, what has ended scrolls by.
//!
//! Lines are bounded: at most `LINES` phases are shown at work, the rest is counted; of a plan with more than `SCROLLED` phases
//! only what is not green scrolls by.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::event::Event;
use super::plain::line;
use super::reporter::{Out, Reporter};
use crate::base::time::Timestamp;
use crate::interface::terminal::{Look, Tone};
use crate::kernel::outcome::Outcome;

/// How many phases at work have a line of their own.
const LINES: usize = 8;

/// A plan of more phases than this does not scroll its green ones by.
const SCROLLED: usize = 500;

/// How often the spinners move.
const TICK: Duration = Duration::from_millis(100);

/// Live progress.
#[derive(Debug)]
pub struct Live {
    look: Look,
    lines: MultiProgress,
    total: ProgressBar,
    /// The phases at work, those with a line first.
    working: IndexMap<String, Option<ProgressBar>>,
    phases: usize,
    ended: usize,
    failed: usize,
    /// Whether questions are put on the same terminal.
    prompts: bool,
    /// The phases whose questions stand there: meanwhile nothing moves, so that a person can write.
    asking: HashSet<String>,
    out: Out,
}

impl Live {
    /// Draws on standard output. Where questions are put there too, nothing moves while one is open.
    pub fn on_stdout(look: Look, prompts: bool) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let total = lines.add(ProgressBar::new_spinner());
        total.set_style(style("{msg} {elapsed}", look));
        Self {
            look,
            lines,
            total,
            working: IndexMap::new(),
            phases: 0,
            ended: 0,
            failed: 0,
            prompts,
            asking: HashSet::new(),
            out: Out::stdout(),
        }
    }

    fn start(&mut self, phase: &str) {
        let shown = self.working.values().filter(|line| line.is_some()).count();
        let bar = (shown < LINES).then(|| self.line_for(phase));
        self.working.insert(phase.to_owned(), bar);
    }

    fn line_for(&self, phase: &str) -> ProgressBar {
        let bar = self.lines.insert_before(&self.total, ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {msg} {elapsed}", self.look));
        bar.set_message(phase.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }

    /// A phase is no longer at work; one that had no line may get its.
    fn stop(&mut self, phase: &str) {
        let Some(line) = self.working.shift_remove(phase) else { return };
        let Some(line) = line else { return };
        self.lines.remove(&line);
        let next = self.working.iter().find(|(_, line)| line.is_none()).map(|(name, _)| name.clone());
        if let Some(next) = next {
            let bar = self.line_for(&next);
            self.working.insert(next, Some(bar));
        }
    }

    fn count(&mut self) {
        if self.phases == 0 {
            return;
        }
        let hidden = self.working.values().filter(|line| line.is_none()).count();
        let mut text = format!("{} of {} ended, {} at work", self.ended, self.phases, self.working.len());
        if hidden > 0 {
            let _ = write!(text, " ({hidden} not shown)");
        }
        if self.failed > 0 {
            let _ = write!(text, ", {} failed", self.failed);
        }
        let tone = if self.failed > 0 { Tone::Red } else { Tone::Bold };
        self.total.set_message(self.look.paint(tone, &text));
    }

    /// A question is open: the moving lines make room.
    fn pause(&mut self, phase: &str) {
        if self.prompts && self.asking.insert(phase.to_owned()) {
            drop(self.lines.clear());
            self.lines.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// A question is no longer open, whoever answered it.
    fn resume(&mut self, phase: &str) {
        if self.asking.remove(phase) && self.asking.is_empty() {
            self.lines.set_draw_target(ProgressDrawTarget::stdout());
        }
    }

    fn scroll(&mut self, event: &Event) {
        let quiet = self.phases > SCROLLED && matches!(event, Event::PhaseEnded { outcome: Outcome::Verified | Outcome::Unverified, .. });
        if quiet {
            return;
        }
        if let Some(line) = line(event, self.look) {
            let line = format!("  {line}");
            if self.asking.is_empty() {
                // A terminal that has gone away is told nothing more; the run goes on.
                drop(self.lines.println(line));
            } else {
                self.out.line(&line);
            }
        }
    }
}

impl Reporter for Live {
    fn tell(&mut self, _: Timestamp, event: &Event) {
        match event {
            Event::RunStarted { phases, .. } => {
                self.phases = *phases;
                self.total.reset_elapsed();
                self.total.enable_steady_tick(TICK);
                self.scroll(event);
            }
            Event::PhaseStarted { phase, attempt } => {
                self.start(phase);
                if *attempt > 1 {
                    self.label(phase, &format!("{phase} (attempt {attempt})"));
                }
            }
            Event::PhaseVerifying { phase } => self.label(phase, &format!("{phase} (checks)")),
            Event::Asked { phase, .. } => {
                self.stop(phase);
                if self.prompts {
                    // The question itself is put by whoever reads the answer.
                    self.pause(phase);
                } else {
                    self.scroll(event);
                }
            }
            Event::AttemptFailed { phase, .. } => {
                self.stop(phase);
                self.scroll(event);
            }
            Event::Replied { phase, .. } => {
                self.resume(phase);
                self.scroll(event);
            }
            Event::PhaseEnded { phase, outcome, .. } => {
                self.ended += 1;
                self.resume(phase);
                self.failed += usize::from(matches!(outcome, Outcome::Failed | Outcome::Unknown));
                self.stop(phase);
                self.scroll(event);
            }
            // The summary says it.
            Event::RunEnded { .. } => self.rest(),
            _ => self.scroll(event),
        }
        self.count();
    }

    fn rest(&mut self) {
        self.working.clear();
        self.total.disable_steady_tick();
        // A terminal that has gone away cannot be cleared.
        drop(self.lines.clear());
    }
}

impl Live {
    fn label(&self, phase: &str, text: &str) {
        if let Some(Some(line)) = self.working.get(phase) {
            line.set_message(text.to_owned());
        }
    }
}

fn style(template: &str, look: Look) -> ProgressStyle {
    let ticks = look.pick("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ", "-\\|/ ");
    // The templates are ours and known to be right; a spinner without one still turns.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).tick_chars(ticks)
}
