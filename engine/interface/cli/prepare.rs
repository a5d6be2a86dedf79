//! From a manifest's path to a sealed plan: load, refuse what is not in this build, settle the parameters, compile.

use indexmap::IndexMap;

use super::context::Context;
use super::goal::loaded;
use super::saved::Saved;
use crate::adapters::workspace::Workspace;
use crate::base::diagnostic::{self, Diagnostic};
use crate::base::digest::Digest;
use crate::base::marks::ENGINE;
use crate::base::name::Name;
use crate::interface::failure::Failure;
use crate::interface::report::{self, Format};
use crate::manifest::load::Loaded;
use crate::manifest::node::Document;
use crate::manifest::rules::{not_in_this_build, without_effect};
use crate::manifest::settings::settle;
use crate::plan::compile::{Inputs, compile};
use crate::plan::error::PlanError;
use crate::plan::sealed::Plan;

/// What a plan is made from, beside the manifest.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Choices {
    /// Set a parameter of the goal
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Choose a profile; may be given several times
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
}

/// The environment of this process, as far as it is text. In a phase it leads to that attempt's endpoint of the container engine; what is
/// begun there is owned in its own right, and is led to the container engine itself.
pub fn environment() -> IndexMap<String, String> {
    let texts = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut env: IndexMap<String, String> = texts.collect();
    if let Some(real) = env.shift_remove(ENGINE) {
        env.shift_remove("DOCKER_HOST");
        if !real.is_empty() {
            env.insert("DOCKER_HOST".to_owned(), real);
        }
    }
    env
}

/// A plan for a manifest, with the texts that it was compiled from. Warnings are told on standard error.
pub fn compiled(context: &Context, workspace: &Workspace, file: &str, choices: &Choices) -> Result<(Plan, Document), Failure> {
    let Loaded { goal, document, mut warnings } = loaded(context, file)?;
    warnings.extend(without_effect(&goal, &document));
    diagnostic::sort(&mut warnings);
    if !warnings.is_empty() && !context.json {
        eprint!("{}", report::render(&warnings, Format::Human, context.err.colour));
    }
    let unsupported = not_in_this_build(&goal, &document);
    if !unsupported.is_empty() {
        return Err(Failure::Manifest(unsupported));
    }
    let inputs = Inputs {
        params: settle(&goal.params, &choices.set).map_err(Failure::Set)?,
        profiles: choices.profiles.iter().map(|profile| Name::from(profile.as_str())).collect(),
        env: environment(),
        manifest: from_root(context, workspace, file),
        digest: digest(&document),
    };
    match compile(&goal, &inputs) {
        Ok(plan) => Ok((plan, document)),
        Err(errors) => {
            let mut findings: Vec<Diagnostic> = errors.iter().map(|error| finding(error, &document)).collect();
            diagnostic::sort(&mut findings);
            Err(Failure::Manifest(findings))
        }
    }
}

/// What is to be carried out: a plan that was saved, or one for a manifest.
pub fn plan(context: &Context, workspace: &Workspace, file: &str, choices: &Choices) -> Result<(Plan, Option<Saved>), Failure> {
    let Some(saved) = Saved::read(&context.path(file))? else {
        return Ok((compiled(context, workspace, file, choices)?.0, None));
    };
    if !choices.set.is_empty() || !choices.profiles.is_empty() {
        let what = format!("`{file}` is a saved plan: its parameters and profiles are chosen");
        return Err(Failure::usage(what, "save another plan: `sculpt plan MANIFEST --set … --out FILE`"));
    }
    Ok((saved.plan().clone(), Some(saved)))
}

/// The path of a manifest as one would write it at the workspace's root; as it was given where it is elsewhere.
fn from_root(context: &Context, workspace: &Workspace, file: &str) -> String {
    let absolute = context.path(file).canonicalize().ok();
    let inside = absolute.as_deref().and_then(|path| path.strip_prefix(workspace.root()).ok());
    inside.map_or_else(|| file.to_owned(), |path| path.display().to_string())
}

/// The hash of all texts that a goal was read from, each with its length, so that no two sets of texts are one.
fn digest(document: &Document) -> String {
    let mut all = Vec::new();
    for source in &document.sources {
        all.extend_from_slice(&(source.text.len() as u64).to_be_bytes());
        all.extend_from_slice(source.text.as_bytes());
    }
    Digest::of(&all).to_string()
}

/// What the compiler refuses, at its place in the text.
fn finding(error: &PlanError, document: &Document) -> Diagnostic {
    let place = error.place();
    // An instance of a loop carries its value in its name; the text has only its phase.
    let phase = place.map(|(phase, _)| phase.as_str().split('[').next().unwrap_or_default().to_owned()).unwrap_or_default();
    let key = place.map_or("", |(_, key)| key);
    let section = if document.root.to_value().pointer(&format!("/finally/{phase}")).is_some() { "finally" } else { "phases" };
    let path: Vec<&str> = [section, &phase, key].into_iter().filter(|part| !part.is_empty()).collect();
    let path = if place.is_some() { path.as_slice() } else { &["name"] };
    let found = document.error_at_key(path, error.rule(), error.to_string());
    match error.hint() {
        Some(hint) => found.hint(hint),
        None => found,
    }
}
