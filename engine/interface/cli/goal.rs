//! From a manifest's path to a goal that may be planned; and from what a person calls a goal to its name.

use std::path::Path;

use super::context::Context;
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::manifest::load::{Loaded, assemble, load};

/// Reads a file for the loader; the reason of a failure without its path, which the loader says itself.
pub fn read(context: &Context) -> impl Fn(&str) -> Result<Vec<u8>, String> + '_ {
    |path| {
        std::fs::read(context.path(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
            std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
            _ => error.to_string(),
        })
    }
}

/// Loads a manifest. Everything that is wrong with it is a failure; warnings come with the goal.
pub fn loaded(context: &Context, file: &str) -> Result<Loaded, Failure> {
    load(file, &read(context)).map_err(|mut findings| {
        hint_at_manifests(context, file, &mut findings);
        Failure::Manifest(findings)
    })
}

/// Where the file is not there: the manifests that are.
pub fn hint_at_manifests(context: &Context, file: &str, findings: &mut [crate::base::diagnostic::Diagnostic]) {
    let [finding] = findings else { return };
    if finding.source.is_some() || context.path(file).exists() {
        return;
    }
    let there = manifests(context);
    let written = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stems: Vec<String> = there.iter().filter_map(|path| Some(Path::new(path).file_stem()?.to_string_lossy().into_owned())).collect();
    let near = crate::base::diagnostic::nearest(&written, stems.iter().map(String::as_str));
    if let Some(index) = near.and_then(|near| stems.iter().position(|stem| stem == near)) {
        finding.hints.push(format!("did you mean `{}`?", there[index]));
    } else if there.is_empty() {
        finding.hints.push("`sculpt init` writes a first goal to goals/hello.yaml".to_owned());
    } else {
        finding.hints.push(format!("there is {}", there.iter().take(8).cloned().collect::<Vec<_>>().join(", ")));
    }
}

/// The manifests in `goals/`, as they would be written on the command line.
fn manifests(context: &Context) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(context.path("goals")) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
        .map(|name| format!("goals/{name}"))
        .collect();
    found.sort();
    found
}

/// The name of a goal that a person gave by its name or by its file. A file need not be valid for that: what runs must be ended anyway.
pub fn named(context: &Context, given: &str) -> Result<Name, Failure> {
    let is_file = given.contains('/') || Path::new(given).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_file {
        return Ok(Name::from(given));
    }
    let document = assemble(given, &read(context)).map_err(|mut findings| {
        hint_at_manifests(context, given, &mut findings);
        Failure::Manifest(findings)
    })?;
    let value = document.root.to_value();
    let name = value.get("name").and_then(serde_json::Value::as_str);
    name.map(Name::from).ok_or_else(|| Failure::usage(format!("`{given}` has no name"), "name the goal itself: `sculpt down NAME`"))
}
