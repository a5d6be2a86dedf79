//! The sealed plan: everything that a run needs to know, in the order in which it may happen.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::goal::EnvValue;
use crate::manifest::kind::Kind;
use crate::manifest::needs::Unlock;
use crate::manifest::param::Secret;
use crate::manifest::phase::Phase;
use crate::manifest::policy::{Budget, Limits};
use crate::manifest::requires::Requires;
use crate::manifest::resource::{Resource, Scope};
use crate::manifest::verify::{Tier, Verify};

/// The index of a phase in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhaseIx(pub u32);

impl PhaseIx {
    /// The index as the standard library wants it.
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A goal, compiled: loops expanded, profiles chosen, edges resolved, waves and steps decided.
///
/// Texts keep their templates: they are rendered when their phase starts, when the outputs they name exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The goal.
    pub goal: Name,
    /// The manifest's path as it was given.
    pub manifest: String,
    /// SHA-256 of all texts the plan was made from, in hex.
    pub digest: String,
    /// The profiles that were chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Name>,
    /// The parameters' values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub params: IndexMap<Name, Value>,
    /// Where the secrets come from; never their values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub secrets: IndexMap<Name, Secret>,
    /// Environment of every phase.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, EnvValue>,
    /// Environment files of every phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_file: Vec<String>,
    /// Working directory of every phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// False where templating is off for the goal's own texts; each phase says it for its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<bool>,
    /// How many phases may work at once.
    pub concurrency: u32,
    /// The group of goals of which one runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_group: Option<Name>,
    /// What the goal may spend.
    #[serde(default)]
    pub budget: Budget,
    /// What the goal may use.
    #[serde(default)]
    pub limits: Limits,
    /// How often the checks of the goal are asked again while it is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverify: Option<Span>,
    /// What must be there first: the goal's needs and those of its phases, rendered.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// The phases, each after everything that it needs.
    pub phases: Vec<PlannedPhase>,
}

/// What part a phase plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A phase like most.
    #[default]
    Phase,
    /// Runs at the end, however the others ended.
    Finally,
    /// The goal's own checks, asked when all phases are done.
    Goal,
}

/// A phase, or one instance of a looped one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedPhase {
    /// Its name; an instance of a loop carries its value: `build[a]`.
    pub name: Name,
    /// The name in the manifest.
    pub origin: Name,
    /// The part it plays.
    #[serde(default)]
    pub part: Part,
    /// `item` and `matrix` of an instance.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bindings: BTreeMap<String, Value>,
    /// What it waits for, by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Edge>,
    /// The phases whose outputs its texts name, in the order of the plan. Where the names are computed, or stand in a template file, all
    /// phases that it comes after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<PhaseIx>,
    /// Its wave: 0 needs nothing, others come one after the last thing they need.
    pub wave: u32,
    /// What an attempt does, in order; verification follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The phase as declared, without `needs`, `for_each` and `matrix`: what they mean stands above.
    pub spec: Phase,
}

/// An edge of the plan: what is needed, and how it must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The needed phase.
    pub phase: PhaseIx,
    /// How it must have ended.
    pub unlock: Unlock,
}

/// One step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Make a passive resource: directory, file, port, custom.
    Make(Name),
    /// Start a process.
    Serve(Name),
    /// Wait until a process is ready.
    Ready(Name),
    /// Wait until a process has ended well.
    Complete(Name),
    /// Run the command.
    Work,
}

impl Step {
    /// The resource that the step makes or starts; none where it only waits or works.
    pub const fn resource(&self) -> Option<&Name> {
        match self {
            Self::Make(name) | Self::Serve(name) => Some(name),
            Self::Ready(_) | Self::Complete(_) | Self::Work => None,
        }
    }
}

impl Plan {
    /// A phase by its index.
    pub fn phase(&self, ix: PhaseIx) -> &PlannedPhase {
        &self.phases[ix.at()]
    }

    /// A phase by its name.
    pub fn find(&self, name: &str) -> Option<(PhaseIx, &PlannedPhase)> {
        self.indexed().find(|(_, phase)| phase.name.as_str() == name)
    }

    /// All phases with their indices.
    pub fn indexed(&self) -> impl Iterator<Item = (PhaseIx, &PlannedPhase)> {
        (0..).map(PhaseIx).zip(&self.phases)
    }

    /// For each phase, those that need it, and how it must have ended for each.
    pub fn dependents(&self) -> Vec<Vec<Edge>> {
        let mut dependents = vec![Vec::new(); self.phases.len()];
        for (ix, planned) in self.indexed() {
            for edge in &planned.needs {
                dependents[edge.phase.at()].push(Edge { phase: ix, unlock: edge.unlock });
            }
        }
        dependents
    }

    /// Whether anything of it is for a container engine.
    pub fn has_containers(&self) -> bool {
        let in_engine = |phase: &PlannedPhase| {
            phase.spec.image.is_some() || phase.spec.resources.values().any(|resource| Kind::of(resource).is_of_engine())
        };
        self.phases.iter().any(in_engine)
    }

    /// The place of a phase.
    pub fn owner(&self, ix: PhaseIx) -> Owner {
        Owner::phase(&self.goal, &self.phase(ix).name)
    }
}

impl PlannedPhase {
    /// How it is verified: as declared, or not at all.
    pub fn verify(&self) -> Verify {
        self.spec.verify.clone().unwrap_or(Verify { tier: Tier::None, ..Verify::default() })
    }

    /// The tier; `none` where nothing is declared.
    pub fn tier(&self) -> Tier {
        self.spec.verify.as_ref().map_or(Tier::None, |verify| verify.tier)
    }

    /// How many checks it has.
    pub fn checks(&self) -> usize {
        self.spec.verify.as_ref().map_or(0, |verify| verify.checks.len())
    }

    /// A resource by its name.
    pub fn resource(&self, name: &Name) -> Option<&Resource> {
        self.spec.resources.get(name)
    }

    /// True where a resource, or the phase's own command, is carried out in a container: it has the limits of the goal for itself.
    pub fn is_contained(&self, resource: Option<&Name>) -> bool {
        match resource {
            Some(name) => self.resource(name).is_some_and(|resource| resource.container.is_some()),
            None => self.spec.image.is_some(),
        }
    }

    /// True where anything of the phase is carried out in a container.
    pub fn has_containers(&self) -> bool {
        self.is_contained(None) || self.spec.resources.keys().any(|name| self.is_contained(Some(name)))
    }

    /// True where somebody waits for the end of a resource: it keeps its promise by ending well.
    pub fn completes(&self, name: &Name) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Complete(waited) if waited == name))
    }

    /// True where the phase does something itself; otherwise its checks are about the work of what it needs.
    pub fn works(&self) -> bool {
        !self.steps.is_empty()
    }

    /// True where something of the phase outlives the run.
    pub fn promises(&self) -> bool {
        self.spec.resources.values().any(|resource| resource.scope == Scope::Goal)
    }
}
