//! For logs and pipes: one line an event, with the time since the beginning; the words never change.

use super::event::Event;
use super::reporter::{Out, Reporter};
use crate::base::time::{Span, Timestamp};
use crate::interface::terminal::{Look, Tone};
use crate::kernel::fault::Fault;
use crate::kernel::pressure::Pressure;
use crate::views::phase::fault_word;

/// Writes each event as a line.
#[derive(Debug)]
pub struct Plain {
    out: Out,
    look: Look,
    began: Option<Timestamp>,
}

impl Plain {
    /// Writes to this.
    pub fn to(out: Out, look: Look) -> Self {
        Self { out, look, began: None }
    }
}

impl Reporter for Plain {
    fn tell(&mut self, at: Timestamp, event: &Event) {
        let began = *self.began.get_or_insert(at);
        if let Some(line) = line(event, self.look) {
            self.out.line(&format!("{} {line}", self.look.paint(Tone::Dim, &format!("{:>7}", seconds(at - began)))));
        }
    }

    fn rest(&mut self) {}
}

/// Seconds with a tenth: sortable, and of one width up to a day.
pub fn seconds(span: Span) -> String {
    format!("{}.{}s", span.0 / 1000, span.0 % 1000 / 100)
}

/// An event as a line; none where a line would only be noise.
pub fn line(event: &Event, look: Look) -> Option<String> {
    let mark = |word: &str, text: &str| {
        let (symbol, tone) = look.mark(word);
        look.paint(tone, &format!("{symbol} {text}"))
    };
    Some(match event {
        Event::RunStarted { run, phases, .. } => {
            let s = if *phases == 1 { "" } else { "s" };
            format!("{} with {phases} phase{s}", mark("running", &format!("{run} started")))
        }
        Event::Pressure { level, why } => {
            format!("{}: {why}", mark("waiting", &format!("memory pressure {}", level.map_or("unknown", Pressure::word))))
        }
        Event::Held { phase, why } => format!("{} {phase}: for {why}", mark("waiting", "waits")),
        Event::PortsChosen { phase, ports } => {
            let ports: Vec<String> = ports.iter().map(|port| format!("{} has port {port}", port.resource)).collect();
            format!("{} {phase}: {}", mark("waiting", "moved"), ports.join(", "))
        }
        Event::PhaseStarted { phase, attempt: 1 } => format!("{} {phase}", mark("running", "started")),
        Event::PhaseStarted { phase, attempt } => format!("{} {phase}: attempt {attempt}", mark("running", "started")),
        Event::PhaseVerifying { .. } => return None,
        Event::ResourceReady { resource, evidence } => {
            format!("{} {resource}{}", mark("ready", "ready"), tail(evidence))
        }
        Event::ResourceUnhealthy { resource, evidence } => format!("{} {resource}{}", mark("unhealthy", "unhealthy"), tail(evidence)),
        Event::ResourceRestarting { resource, why, restart_in_ms, .. } => {
            let when = if *restart_in_ms == 0 { "at once".to_owned() } else { format!("in {}", Span(*restart_in_ms).human()) };
            format!("{} {resource}: {why}; again {when}", mark("backing off", "restarting"))
        }
        Event::ResourceNotRestarted { resource, why } => format!("{} {resource}: {why}", mark("failed", "stays down")),
        Event::ResourceGone { resource, evidence, failed: false, .. } => {
            format!("{} {resource}{}", mark("gone", "gone"), tail(evidence))
        }
        Event::ResourceGone { resource, evidence, survivors, .. } => {
            let pids: Vec<String> = survivors.iter().map(ToString::to_string).collect();
            let pids = if pids.is_empty() { String::new() } else { format!(" (pid {})", pids.join(", ")) };
            format!("{} {resource}: {evidence}{pids}", mark("failed", "left"))
        }
        Event::Answered { phase, check, said, evidence } => {
            format!("{} {phase} check {check}{}", mark(said.word(), said.word()), tail(evidence))
        }
        Event::Asked { phase, question } => {
            format!("{} {phase}: {question} (answer with `sculpt answer {phase} yes` or `no`)", mark("waiting", "asked"))
        }
        Event::Replied { phase, yes, by } => {
            format!("{} {phase}: {} by {by}", mark("running", "answered"), if *yes { "yes" } else { "no" })
        }
        Event::AttemptFailed { phase, attempt, fault, why, retry_in_ms } => format!(
            "{} {phase}: attempt {attempt}: {}; again in {}",
            mark("backing off", "retrying"),
            because(Some(*fault), why),
            Span(*retry_in_ms).human()
        ),
        Event::PhaseEnded { phase, outcome, proof, fault, why, elapsed_ms, .. } => format!(
            "{} {phase} ({}, {}): {}",
            mark(outcome.word(), outcome.word()),
            proof.word(),
            Span(*elapsed_ms).human(),
            because(*fault, why)
        ),
        Event::Stopping { why, .. } => format!("{}: {why}", mark("stopping", "stopping")),
        Event::RunEnded { run, verdict, why, elapsed_ms, .. } => {
            format!("{} {run} ({}): {why}", mark(verdict.word(), verdict.word()), Span(*elapsed_ms).human())
        }
        Event::DownStarted { goal } => format!("{} {goal}", mark("stopping", "taking down")),
        Event::DownEnded { goal, survivors, kept, leaks, liars } => {
            let kept = if kept.is_empty() { String::new() } else { format!("; kept: {}", kept.join(", ")) };
            let lies = liars
                .iter()
                .map(|lie| format!("\n  {} {lie}, although what it is about is gone: it proves nothing", mark("unverified", "liar")));
            let lies: String = lies.collect();
            let left = match leaks.as_slice() {
                [] => String::new(),
                left => format!("; still there: {}: the supervisor tries again until it is gone", left.join(", ")),
            };
            let state = if *survivors == 0 && leaks.is_empty() { "down" } else { "failed" };
            format!("{} {goal}: survivors: {survivors}{kept}{left}{lies}", mark(state, "down"))
        }
    })
}

/// The evidence behind a colon, where there is any.
fn tail(evidence: &str) -> String {
    if evidence.is_empty() { String::new() } else { format!(": {evidence}") }
}

/// The fault's name before its evidence, where there is one.
pub fn because(fault: Option<Fault>, why: &str) -> String {
    fault.map_or_else(|| why.to_owned(), |fault| format!("[{}] {why}", fault_word(fault)))
}
