//! `sculpt init`: a workspace, and a first goal where there is none. Nothing is ever overwritten.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::session::establish;
use crate::adapters::workspace::Workspace;
use crate::interface::failure::Failure;
use crate::interface::terminal::{show, show_json};
use crate::manifest::schema;

/// The first goal.
const HELLO: &str = include_str!("hello.yaml");

/// Scaffolds a workspace: .opensculpt/, and a first goal where there is none.
#[derive(Debug, Args)]
pub struct Init {}

/// What was made.
#[derive(Debug, Serialize)]
struct Report {
    workspace: String,
    made: Vec<String>,
    next: Vec<String>,
}

impl Init {
    pub(super) fn carry_out(context: &Context) -> Result<u8, Failure> {
        let workspace = Workspace::at(&context.dir)?;
        let root = workspace.root().to_owned();
        let mut made = Vec::new();
        if !workspace.folder().join(".gitignore").exists() {
            made.push(".opensculpt/".to_owned());
        }
        establish(&workspace)?;
        let goals = root.join("goals");
        let first = std::fs::read_dir(&goals).map_or(true, |mut entries| entries.next().is_none());
        if first {
            make(&root, "goals/hello.yaml", HELLO, &mut made)?;
            make(&root, "schemas/goal.v1.json", &schema::text(schema::goal()), &mut made)?;
        }
        let goal = if first { "goals/hello.yaml" } else { "goals/NAME.yaml" };
        let next = vec![format!("sculpt validate {goal}"), format!("sculpt run {goal}"), "sculpt status".to_owned()];
        let report = Report { workspace: root.display().to_string(), made, next };
        if context.json {
            show_json(&report)?;
        } else {
            show(&text(&report))?;
        }
        Ok(0)
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    if report.made.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} is a workspace already; nothing was changed", report.workspace);
    } else {
        let _ = writeln!(text, "{} is a workspace now; new:", report.workspace);
        for path in &report.made {
            let _ = writeln!(text, "  {path}");
        }
    }
    text.push_str("\nnext:\n");
    for command in &report.next {
        let _ = writeln!(text, "  {command}");
    }
    text
}

/// Writes a file that is not there yet; leaves one that is.
#[expect(clippy::disallowed_methods, reason = "files that the user asked for, before there is anything to own them")]
fn make(root: &Path, name: &str, content: &str, made: &mut Vec<String>) -> Result<(), Failure> {
    let path = root.join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            file.write_all(content.as_bytes()).map_err(Failure::file("write", &path))?;
            made.push(name.to_owned());
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::file("write", &path)(error)),
    }
}
