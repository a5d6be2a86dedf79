//! `sculpt audit verify`: whether every byte of the journal is as it was written.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use crate::interface::failure::Failure;
use crate::interface::terminal::{Tone, show, show_json};
use crate::journal::verify::{Verified, verify};

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
}

/// The chain is whole.
#[derive(Debug, Serialize)]
struct Report {
    whole: bool,
    records: u64,
    head: String,
    torn: Option<u64>,
}

impl Audit {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let What::Verify = self.what;
        let workspace = context.workspace()?;
        if !workspace.exists() {
            return Err(Failure::refused(
                format!("failed to find a journal in {}", workspace.root().display()),
                "nothing was run here yet; name another folder with `-C DIR`",
            ));
        }
        let Verified { records, head, torn, .. } = verify(&workspace.folder())?;
        let report = Report { whole: true, records, head: head.to_string(), torn: torn.map(|torn| torn.bytes) };
        if context.json {
            show_json(&report)?;
            return Ok(0);
        }
        let mark = context.out.paint(Tone::Green, context.out.pick("✓", "+"));
        let mut text = format!("{mark} the chain is whole: {records} records, head {head}\n");
        if let Some(torn) = torn {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  after it {} bytes of an unfinished line: an engine is writing just now, or died while it did; the next engine drops them",
                torn.bytes
            );
        }
        show(&text)?;
        Ok(0)
    }
}
