//! What each phase owns, and when it lets go of it.

use serde::Serialize;

use crate::base::owner::Owner;
pub use crate::manifest::kind::Kind;
use crate::manifest::process::Process;
use crate::manifest::resource::{Directory, Fallback, PortClaim, Resource, Scope};
use crate::manifest::template::{self, Context};
use crate::manifest::work::Run;
use crate::plan::sealed::{Plan, PlannedPhase};

/// When a resource goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Released {
    /// When its phase ends.
    PhaseEnd,
    /// With `sculpt down`.
    Down,
    /// With `sculpt down --volumes`; otherwise it is kept.
    DownVolumes,
}

impl Released {
    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PhaseEnd => "the phase's end",
            Self::Down => "sculpt down",
            Self::DownVolumes => "sculpt down --volumes",
        }
    }
}

/// A resource that a phase owns. A directory that is there before is used, but not owned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Its place.
    pub owner: Owner,
    /// What it is.
    pub kind: Kind,
    /// Its path, its ports or its command, as far as they are known before the run.
    pub what: String,
    /// How long it lives.
    pub scope: Scope,
    /// When it goes.
    pub released: Released,
}

/// What the phases own, in the order of the plan.
pub(super) fn holdings(plan: &Plan) -> Vec<Holding> {
    plan.phases
        .iter()
        .flat_map(|phase| {
            phase.spec.resources.iter().map(|(name, resource)| {
                let kind = Kind::of(resource);
                let kept_by_default = resource.scope == Scope::Goal && kind.holds_data();
                let released = match (resource.keep.unwrap_or(kept_by_default), resource.scope) {
                    (true, _) => Released::DownVolumes,
                    (false, Scope::Goal) => Released::Down,
                    (false, Scope::Phase) => Released::PhaseEnd,
                };
                Holding {
                    owner: Owner::resource(&plan.goal, &phase.name, name),
                    kind,
                    what: what(plan, phase, resource),
                    scope: resource.scope,
                    released,
                }
            })
        })
        .collect()
}

fn what(plan: &Plan, phase: &PlannedPhase, resource: &Resource) -> String {
    let text = written(resource);
    if phase.spec.templates == Some(false) || !template::has_template(&text) {
        return text;
    }
    let mut context = Context::new().with("params", &plan.params);
    for (root, value) in &phase.bindings {
        context.set(root, value);
    }
    // What only the run knows (outputs, secrets) stays as it is written.
    template::render(&text, &context).unwrap_or(text)
}

fn written(resource: &Resource) -> String {
    let ports = |ports: &[PortClaim]| ports.iter().map(port).collect::<Vec<_>>().join(", ");
    match resource {
        Resource { directory: Some(Directory::Path(path)), .. } => path.clone(),
        Resource { directory: Some(Directory::Full(directory)), .. } => directory.path.clone(),
        Resource { file: Some(file), .. } => file.path.clone(),
        Resource { port: Some(one), .. } => port(one),
        Resource { ports: list, .. } if !list.is_empty() => ports(list),
        Resource { process: Some(Process::Run(run)), .. } => command(run),
        Resource { process: Some(Process::Full(process)), .. } => command(&process.run),
        Resource { container: Some(container), .. } => container.image.clone().or_else(|| container.build.clone()).unwrap_or_default(),
        Resource { custom: Some(custom), .. } => command(&custom.create),
        _ => String::new(),
    }
}

fn port(claim: &PortClaim) -> String {
    let port = claim.port().text();
    match claim.fallback() {
        Some(Fallback::NextFree) => format!("{port} or the next free"),
        None => port.into_owned(),
    }
}

fn command(run: &Run) -> String {
    match run {
        Run::Script(script) => script.lines().next().unwrap_or_default().to_owned(),
        Run::Argv(arguments) => arguments.join(" "),
    }
}
