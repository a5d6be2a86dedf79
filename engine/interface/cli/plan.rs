//! `sculpt plan FILE`: what a run would do, and what this host can enforce of it. Nothing is changed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::changes;
use super::context::{Context, with_outside};
use super::prepare::{Choices, compiled, environment};
use super::saved::Saved;
use crate::driver::{host, preflight};
use crate::interface::failure::Failure;
use crate::interface::terminal::{show, show_json};
use crate::plan::explain::dot::dot;
use crate::plan::explain::explanation::{Explanation, explain};
use crate::plan::explain::mermaid::mermaid;
use crate::plan::explain::text::text;
use crate::views::difference::{Difference, difference};
use crate::views::replay::Replay;

/// Shows what a run would do: waves, order, resources, limits and whether this host can enforce them, budgets.
#[derive(Debug, Args)]
pub struct Plan {
    /// The manifest
    file: String,
    #[command(flatten)]
    choices: Choices,
    /// Save the plan, for `sculpt run FILE`: it is refused once the manifest, or what is up, has changed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The form of the plan
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// For programs
    Json,
}

/// A plan, and what it would change where its goal is up.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    explanation: Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

impl Plan {
    pub(super) fn carry_out(self, context: &Context) -> Result<u8, Failure> {
        let workspace = context.workspace()?;
        let (plan, document) = compiled(context, &workspace, &self.file, &self.choices)?;
        let limits = workspace.config()?.limits;
        let engine = preflight::engine_of(&plan, &environment());
        let mut host = host::look(&workspace, &environment(), engine.as_ref().ok().and_then(Option::as_ref));
        host.defaults = Some(limits);
        let explanation = explain(&plan, &host);
        let replay = Replay::of(&workspace.folder())?;
        let difference = with_outside(&workspace, |outside| difference(&plan, &replay.state, outside));
        match if context.json { Format::Json } else { self.format } {
            Format::Text => {
                let changes = difference.map(|difference| changes::text(&difference, context.out)).unwrap_or_default();
                show(&format!("{}{changes}", text(&explanation, context.out.colour)))?;
            }
            Format::Dot => show(&dot(&explanation))?,
            Format::Mermaid => show(&mermaid(&explanation))?,
            Format::Json => show_json(&Shown { explanation, difference })?,
        }
        let mut refused = host::refused(&plan, || host);
        refused.extend(engine.err());
        refused.extend(host::too_large(&plan, host::room_here(&limits)));
        if !refused.is_empty() {
            return Err(Failure::Unmet(refused));
        }
        if let Some(file) = &self.out {
            let saved = Saved::new(context, &workspace, &self.file, &self.choices, (plan, &document), &replay.state)?;
            saved.write(&context.path(file))?;
            if !context.json {
                eprintln!("saved: `sculpt run {}` carries out exactly this", file.display());
            }
        }
        Ok(0)
    }
}
