//! `sculpt ps`: what lives, and whose it is.

use std::fmt::Write as _;

use clap::Args;

use super::context::Context;
use super::status::{cells, only};
use crate::interface::failure::Failure;
use crate::interface::terminal::{Look, Tone, show, show_json};
use crate::views::leaks::LeakStatus;
use crate::views::ps::{self, ps};
use crate::views::suspects::SuspectStatus;

/// Shows what lives, and whose it is.
#[derive(Debug, Args)]
pub struct Ps {
    /// Only of this goal
    goal: Option<String>,
}

impl Ps {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let ps = context.view(|replay, outside, _| {
            let only = only(replay, self.goal.as_deref(), context)?;
            Ok(ps(replay, outside, only.as_ref()))
        })?;
        if context.json {
            show_json(&ps)?;
        } else {
            show(&format!("{}{}", table(&ps, context), suspected(&ps.suspected, context.out)))?;
        }
        Ok(0)
    }
}

fn table(ps: &ps::Ps, context: &Context) -> String {
    let nothing = ps.resources.is_empty() && ps.work.is_empty() && ps.leaks.is_empty();
    if nothing && !ps.suspected.is_empty() {
        return "nothing lives that is known to be of a goal\n".to_owned();
    }
    if nothing {
        return "nothing lives: no resource is there, and no command is at work\n".to_owned();
    }
    let mut rows = vec![["PLACE".to_owned(), "KIND".to_owned(), "PID".to_owned(), "RUN".to_owned(), "STATE".to_owned()]];
    let pid = |pid: Option<u32>| pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    for work in &ps.work {
        let run = format!("{} ({})", work.run, work.attempt);
        rows.push([work.owner.clone(), "command".to_owned(), pid(work.pid), run, context.out.state("running")]);
    }
    for resource in &ps.resources {
        let mut state = context.out.state(resource.state);
        if let Some(leak) = &resource.leak {
            rows.push([
                resource.owner.clone(),
                resource.kind.to_owned(),
                pid(resource.pid),
                resource.run.clone(),
                format!("{state}, {}", leak.line()),
            ]);
            continue;
        }
        for port in &resource.ports {
            let _ = write!(state, ", on port {port}");
        }
        if resource.keep && resource.kind != "process" {
            state.push_str(", kept by `down`");
        }
        if let Some(restarts) = &resource.restarts {
            let _ = write!(state, ", {}", restarts.line());
        } else if (resource.state != "ready" || resource.kind == "adopted") && !resource.evidence.is_empty() {
            let _ = write!(state, ": {}", resource.evidence);
        }
        rows.push([resource.owner.clone(), resource.kind.to_owned(), pid(resource.pid), resource.run.clone(), state]);
    }
    // Processes that no resource has.
    let placed = |leak: &&LeakStatus| ps.resources.iter().all(|resource| resource.owner != leak.owner);
    for leak in ps.leaks.iter().filter(placed) {
        rows.push([leak.owner.clone(), "processes".to_owned(), pid(None), "-".to_owned(), leak.line()]);
    }
    cells(&rows, |first, line| if first { context.out.paint(Tone::Dim, line) } else { line.to_owned() })
}

/// What may be of a goal, and what a person can do about it.
fn suspected(suspects: &[SuspectStatus], look: Look) -> String {
    let mut text = String::new();
    if !suspects.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", look.paint(Tone::Bold, "suspected: started outside of what sculpt holds, and left alone"));
    }
    for suspect in suspects {
        let SuspectStatus { rank, kind, what, place, owner, run, attempt, .. } = suspect;
        // The place says the phase; where it was a resource of it, that is said too.
        let is_phase = place.strip_prefix(owner).is_some_and(|rest| rest.starts_with("/suspect:"));
        let around = if is_phase { String::new() } else { format!("of {owner}, ") };
        let _ = writeln!(text, "{} {kind} {what} ({place}, {around}{run} attempt {attempt})", look.state(rank.word()));
        let _ = writeln!(text, "    {}", suspect.evidence);
        let _ = writeln!(text, "    {} `{}`", look.paint(Tone::Dim, "look:  "), suspect.look);
        let _ = writeln!(text, "    {} `{}`", look.paint(Tone::Dim, "remove:"), suspect.remove);
        if let Some(adopt) = &suspect.adopt {
            let _ = writeln!(text, "    {} `{adopt}`", look.paint(Tone::Dim, "adopt: "));
        }
    }
    text
}
