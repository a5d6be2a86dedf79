//! The plan floor from outside: manifests become plans, and plans are explained.

use std::path::Path;

use indexmap::IndexMap;
use opensculpt::base::name::Name;
use opensculpt::manifest::{load, settings};
use opensculpt::plan::compile::{Inputs, compile};
use opensculpt::plan::error::PlanError;
use opensculpt::plan::explain::limits::{HostReport, Limit};
use opensculpt::plan::sealed::{Plan, PlannedPhase};

mod explaining;
mod looping;
mod needing;
mod properties;
mod stepping;

/// Loads a manifest of this repository, or a text, and settles its params.
fn inputs_of(manifest: &str, text: Option<&str>, set: &[&str]) -> (opensculpt::manifest::goal::Goal, Inputs) {
    let read = |path: &str| match text {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).map_err(|error| error.to_string()),
    };
    let loaded = load::load(manifest, &read).unwrap_or_else(|found| panic!("{found:#?}"));
    let set: Vec<String> = set.iter().map(|&text| text.to_owned()).collect();
    let params = settings::settle(&loaded.goal.params, &set).unwrap();
    let inputs = Inputs { params, manifest: manifest.to_owned(), digest: "0".repeat(64), ..Inputs::default() };
    (loaded.goal, inputs)
}

/// Compiles a manifest of this repository.
fn plan_file(path: &str) -> Plan {
    let (goal, inputs) = inputs_of(path, None, &[]);
    compile(&goal, &inputs).unwrap()
}

/// Compiles the phases of a text that begins after `name`.
fn plan_with(body: &str, set: &[&str], profiles: &[&str]) -> Result<Plan, Vec<PlanError>> {
    let text = format!("version: \"1\"\nname: g\n{body}");
    let (goal, mut inputs) = inputs_of("goals/g.yaml", Some(&text), set);
    inputs.profiles = profiles.iter().map(|&name| Name::from(name)).collect();
    inputs.env = IndexMap::from([("TARGETS".to_owned(), "x,y".to_owned())]);
    compile(&goal, &inputs)
}

fn plan(body: &str) -> Plan {
    plan_with(body, &[], &[]).unwrap()
}

/// What a person would be told.
fn errors(body: &str, set: &[&str], profiles: &[&str]) -> Vec<String> {
    plan_with(body, set, profiles).unwrap_err().iter().map(ToString::to_string).collect()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.phases.iter().map(|phase| phase.name.as_str()).collect()
}

fn phase<'a>(plan: &'a Plan, name: &str) -> &'a PlannedPhase {
    plan.find(name).unwrap().1
}

/// `name: what it needs` for each phase.
fn edges(plan: &Plan) -> Vec<String> {
    let needs = |phase: &PlannedPhase| -> Vec<&str> { phase.needs.iter().map(|edge| plan.phase(edge.phase).name.as_str()).collect() };
    plan.phases.iter().map(|phase| format!("{}: {}", phase.name, needs(phase).join(" ")).trim_end().to_owned()).collect()
}

fn host() -> HostReport {
    HostReport {
        mechanism: "control groups (version 2)".to_owned(),
        enforceable: vec![Limit::Memory, Limit::Cpus, Limit::Pids],
        gaps: vec!["a process with the engine's own rights can move itself into another control group on purpose".to_owned()],
        container_engine: None,
        container_limits: None,
        together: false,
        defaults: None,
    }
}
