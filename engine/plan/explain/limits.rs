//! Limits, and whether this host can enforce them.

use serde::{Deserialize, Serialize};

use crate::base::owner::Owner;
use crate::manifest::config::DefaultLimits;
use crate::manifest::policy::{Enforce, Limits};
use crate::plan::sealed::{Plan, PlannedPhase};

/// What can be limited by a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Memory.
    Memory,
    /// Processors.
    Cpus,
    /// Processes and threads.
    Pids,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpus, Self::Pids];

    /// The word for it, as in the manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpus => "cpus",
            Self::Pids => "pids",
        }
    }
}

/// What a host can do, as far as a plan depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// How processes are held together there, as the end of "processes are held together by …".
    pub mechanism: String,
    /// What it can limit beside open files, which are limited everywhere.
    pub enforceable: Vec<Limit>,
    /// What it cannot promise, each as the end of "it cannot promise: …".
    pub gaps: Vec<String>,
    /// The container engine that was found, where the plan needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_engine: Option<String>,
    /// What that can limit of a container; none where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_limits: Option<Vec<Limit>>,
    /// True where it puts a goal's containers below the goal's own group: the goal's limits hold for all of it together.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// What the workspace lets its goals use; none where it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defaults: Option<DefaultLimits>,
}

/// The limits of a goal, a phase or a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limited {
    /// Whose limits they are.
    pub owner: Owner,
    /// The limits as declared.
    pub limits: Limits,
    /// What of them this host cannot enforce.
    pub unenforced: Vec<Limit>,
    /// True where containers have them each for itself: what these use together cannot be limited.
    pub apart: bool,
    /// True where the run is refused for it: `enforce: strict`, said here or by the goal.
    pub refused: bool,
}

/// All declared limits: the goal's, then those of phases and resources in the order of the plan. Those of a container are its engine's to
/// enforce, whatever this host offers for processes; what nobody has asked it is taken for granted.
pub fn limits(plan: &Plan, host: &HostReport) -> Vec<Limited> {
    let limited = |owner: Owner, limits: &Limits, enforceable: &[Limit], apart: bool| {
        let declared =
            [(Limit::Memory, limits.memory.is_some()), (Limit::Cpus, limits.cpus.is_some()), (Limit::Pids, limits.pids.is_some())];
        let declared: Vec<Limit> = declared.into_iter().filter(|(_, declared)| *declared).map(|(limit, _)| limit).collect();
        let apart = apart && !declared.is_empty();
        let unenforced: Vec<Limit> = declared.into_iter().filter(|limit| !enforceable.contains(limit)).collect();
        let enforce = limits.enforce.or(plan.limits.enforce).unwrap_or_default();
        let refused = enforce == Enforce::Strict && (apart || !unenforced.is_empty());
        Limited { owner, limits: limits.clone(), unenforced, apart, refused }
    };
    let of_engine = host.container_limits.as_deref().unwrap_or(&Limit::ALL);
    let enforceable = |contained: bool| if contained { of_engine } else { host.enforceable.as_slice() };
    let mut all = Vec::new();
    if plan.limits != Limits::default() {
        let apart = !host.together && plan.phases.iter().any(PlannedPhase::has_containers);
        all.push(limited(Owner::goal(&plan.goal), &plan.limits, &host.enforceable, apart));
    }
    for (ix, phase) in plan.indexed() {
        let own = phase.spec.limits.as_ref();
        all.extend(own.map(|limits| limited(plan.owner(ix), limits, enforceable(phase.is_contained(None)), false)));
        for (name, resource) in &phase.spec.resources {
            let (owner, own) = (Owner::resource(&plan.goal, &phase.name, name), resource.limits.as_ref());
            all.extend(own.map(|limits| limited(owner, limits, enforceable(phase.is_contained(Some(name))), false)));
        }
    }
    all
}
