//! `sculpt import FILE`: a Compose file → a goal. What was not mapped goes to standard error. Exit 0, or 2 where it is no Compose file.

use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::goal::read;
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::interface::failure::{Failure, USAGE};
use crate::interface::report::{self, summary};
use crate::interface::terminal::{show, show_json};
use crate::manifest::import::compose::{Compose, Imported, import};
use crate::manifest::import::{Finding, Kind};

/// Makes a goal of a Compose file: every key is mapped, or listed as not mapped with its place.
#[derive(Debug, Args)]
pub struct Import {
    /// The Compose file: docker-compose.yml, compose.yaml
    #[arg(value_name = "FILE")]
    file: String,
    /// Write the goal to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<String>,
    /// Replace the file of `--out` where it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Write nothing, and exit with 2, where anything is not mapped
    #[arg(long)]
    strict: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The goal; none where `--strict` refuses it.
    manifest: Option<&'a str>,
    /// The file it was written to.
    written: Option<&'a str>,
    not_mapped: Vec<Entry<'a>>,
    differs: Vec<Entry<'a>>,
}

/// A key that is not mapped, or not quite.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    path: &'a str,
    line: usize,
    col: usize,
    why: &'a str,
    hint: Option<&'a str>,
}

impl Import {
    pub(super) fn carry_out(&self, context: &Context) -> Result<u8, Failure> {
        let bytes = read(context)(&self.file).map_err(|why| Failure::Manifest(vec![unreadable(&self.file, &why)]))?;
        let file = std::fs::canonicalize(context.path(&self.file)).map_err(Failure::file("find", &self.file))?;
        let workspace = std::fs::canonicalize(context.workspace()?.root()).map_err(Failure::file("find", &self.file))?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        let inside = folder.strip_prefix(&workspace).unwrap_or(folder).to_string_lossy().into_owned();
        let project = folder.file_name().map_or_else(|| "compose".to_owned(), |name| name.to_string_lossy().into_owned());
        let imported = import(Compose { path: &self.file, bytes, folder: &inside, project: &project }).map_err(Failure::Manifest)?;
        let refused = self.strict && !imported.is_complete();
        let manifest = Some(imported.manifest.as_str()).filter(|_| !refused);
        if let (Some(manifest), Some(out)) = (manifest, &self.out) {
            write(&context.path(out), manifest, self.force)?;
        }
        if context.json {
            show_json(&Report { manifest, written: self.out.as_deref().filter(|_| !refused), ..report_of(&imported) })?;
        } else {
            tell(&imported, context);
            if let (Some(manifest), None) = (manifest, &self.out) {
                show(manifest)?;
            }
        }
        Ok(if refused { USAGE } else { 0 })
    }
}

/// The findings, for a person, on standard error.
fn tell(imported: &Imported, context: &Context) {
    let findings = imported.diagnostics();
    if !findings.is_empty() {
        let text = report::render(&findings, report::Format::Human, context.err.colour);
        eprintln!("{text}\n{}", summary(&findings));
    }
}

fn report_of(imported: &Imported) -> Report<'_> {
    let entries =
        |kind: Kind| imported.findings.iter().filter(|finding| finding.kind == kind).map(|finding| entry(imported, finding)).collect();
    Report { manifest: None, written: None, not_mapped: entries(Kind::NotMapped), differs: entries(Kind::Differs) }
}

fn entry<'a>(imported: &Imported, finding: &'a Finding) -> Entry<'a> {
    let source = imported.document.sources.get(finding.place.source.0 as usize);
    let (line, col) = source.map_or((1, 1), |source| source.position(finding.place.range().start));
    Entry { path: &finding.path, line, col, why: &finding.why, hint: finding.hint.as_deref() }
}

fn unreadable(file: &str, why: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        rule: "unreadable-file",
        message: format!("failed to read {file}: {why}"),
        source: None,
        span: 0..0,
        label: None,
        hints: vec!["name the Compose file: `sculpt import docker-compose.yml`".to_owned()],
        replacement: None,
    }
}

/// Writes the goal, and makes its folder; what is there stays unless that is said.
#[expect(clippy::disallowed_methods, reason = "a file that the user asked for, and that no goal owns")]
fn write(path: &Path, manifest: &str, force: bool) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut file) => file.write_all(manifest.as_bytes()).map_err(Failure::file("write", path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::usage(format!("`{}` is there already", path.display()), "name another file, or replace it with `--force`"))
        }
        Err(error) => Err(Failure::file("write", path)(error)),
    }
}
