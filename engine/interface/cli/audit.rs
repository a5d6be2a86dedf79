//! `sculpt audit verify`: whether every byte of the journal is as it was written. `sculpt audit quarantine`: a way on where it is not.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, now};
use crate::adapters::workspace::Workspace;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Tone, show, show_json};
use crate::journal::damage::{Damage, Line, survey};
use crate::journal::error::ReadError;
use crate::journal::head;
use crate::journal::log::Opening;
use crate::journal::quarantine::{Quarantined, quarantine};
use crate::journal::verify::{Gone, Taken, Verified, verify};

/// Shows whether the journal is as it was written.
#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    what: What,
}

/// What is audited.
#[derive(Debug, Subcommand)]
enum What {
    /// Walk the chain of the journal: one changed, lost or added byte is found
    Verify,
    /// Set aside what is damaged in the journal, and go on from what is intact
    Quarantine,
}

/// The chain is whole.
#[derive(Debug, Serialize)]
struct Report {
    whole: bool,
    records: u64,
    segments: u64,
    head: String,
    gone: Vec<GoneReport>,
    torn: Option<u64>,
}

#[derive(Debug, Serialize)]
struct GoneReport {
    first: u64,
    last: u64,
    why: &'static str,
}

/// A broken place.
#[derive(Debug, Serialize)]
struct DamageReport<'a> {
    file: &'a str,
    line: u64,
    why: String,
    covered: bool,
    kept: Option<&'a str>,
    behind: &'a [Line],
}

impl Audit {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        if !workspace.exists() {
            return Err(Failure::refused(
                format!("failed to find a journal in {}", workspace.root().display()),
                "nothing was run here yet; name another folder with `-C DIR`",
            ));
        }
        match self.what {
            What::Verify => walk(context, &workspace),
            What::Quarantine => set_aside(context, &workspace),
        }
    }
}

fn walk(context: &Context, workspace: &Workspace) -> Result<u8, Failure> {
    let verified = match verify(&workspace.folder()) {
        Ok(verified) => verified,
        Err(error @ ReadError::Broken(_)) => {
            let found = survey(&workspace.folder())?;
            if context.json {
                let damage: Vec<DamageReport<'_>> = found.iter().map(|damage| report(damage, None)).collect();
                show_json(&serde_json::json!({ "whole": false, "damage": damage }))?;
            } else {
                show(&found.iter().map(|damage| describe(context, damage)).collect::<String>())?;
            }
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    let Verified { records, segments, head, gone, torn, .. } = verified;
    if context.json {
        let gone = gone.iter().map(|gone| GoneReport { first: gone.first, last: gone.last, why: word(gone.why) }).collect();
        let torn = torn.map(|torn| torn.bytes);
        show_json(&Report { whole: true, records, segments, head: head.to_string(), gone, torn })?;
        return Ok(0);
    }
    let mark = context.out.paint(Tone::Green, context.out.pick("✓", "+"));
    let mut text = format!("{mark} the chain is whole: {records} records, head {head}\n");
    // Writing to a String cannot fail.
    for Gone { first, last, why } in gone {
        let _ = writeln!(text, "  lines {first} to {last} are gone: {}, as a later record says", word(why));
    }
    if let Some(torn) = torn {
        let _ = writeln!(
            text,
            "  after it {} bytes of an unfinished line: an engine is writing just now, or died while it did; the next engine drops them",
            torn.bytes
        );
    }
    show(&text)?;
    Ok(0)
}

fn set_aside(context: &Context, workspace: &Workspace) -> Result<u8, Failure> {
    let id = workspace.establish()?.id;
    let done = quarantine(&workspace.folder(), &Opening { workspace: &id, doing: "audit quarantine", now: now() })?;
    if context.json {
        let done: Vec<DamageReport<'_>> = done.iter().map(|one| report(&one.damage, Some(&one.kept))).collect();
        show_json(&serde_json::json!({ "quarantined": done }))?;
        return Ok(0);
    }
    if done.is_empty() {
        show("the chain is whole: there is nothing to set aside\n")?;
        return Ok(0);
    }
    let mut text = String::new();
    for Quarantined { damage, kept } in &done {
        text.push_str(&describe(context, damage));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  set aside in .opensculpt/{kept}, with a list of what can be read; a record says so");
    }
    if done.iter().any(|one| !one.damage.covered) {
        text.push_str("look at what still runs: `sculpt ps`; processes that only a lost record knew of are ended by the next engine\n");
    }
    show(&text)?;
    Ok(0)
}

const fn word(why: Taken) -> &'static str {
    match why {
        Taken::Pruned => "pruned",
        Taken::Quarantined => "quarantined",
    }
}

fn report<'a>(damage: &'a Damage, kept: Option<&'a str>) -> DamageReport<'a> {
    let (line, why) = (damage.broken.line, damage.broken.what.to_string());
    DamageReport { file: &damage.file, line, why, covered: damage.covered, kept, behind: &damage.behind }
}

/// What is wrong, and what it means.
fn describe(context: &Context, damage: &Damage) -> String {
    let mark = context.out.paint(Tone::Red, context.out.pick("✗", "x"));
    let mut text = format!("{mark} .opensculpt/{} line {}: {}\n", damage.file, damage.broken.line, damage.broken.what);
    let meaning = if damage.file == head::FILE {
        "the journal itself is not touched by it; whether its end was cut off can no longer be told"
    } else if damage.covered {
        "the state is not touched by it: a snapshot stands for these records, and only the proof of what happened is lost"
    } else {
        "what happened from there on is not known: it can be read, and proves nothing"
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {meaning}");
    let lines = |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
    for (about, count) in damage.affected() {
        let _ = match about {
            Some(about) => writeln!(text, "  {} about {about}", lines(count)),
            None => writeln!(text, "  {} about no run, or not readable", lines(count)),
        };
    }
    text
}
