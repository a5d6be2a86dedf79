//! What this host can enforce of a plan's limits, in the plan's words. Looks only.

use std::path::PathBuf;

use indexmap::IndexMap;

use super::preflight::{FoundEngine, Unmet};
use super::uncontained::uncontained;
use crate::adapters::process::containment::Containment;
use crate::adapters::process::mechanism::Report;
use crate::adapters::vitals::host::HostGauge;
use crate::adapters::workspace::Workspace;
use crate::base::size::ByteSize;
use crate::journal::lock::holder;
use crate::kernel::admission::room;
use crate::kernel::fault::Fault;
use crate::kernel::options::{Shares, Unenforced};
use crate::manifest::config::DefaultLimits;
use crate::manifest::policy::Enforce;
use crate::manifest::share::Share;
use crate::plan::explain::limits::{HostReport, Limit, limits};
use crate::plan::sealed::Plan;
use crate::ports::vitals::Gauge as _;

/// The best that this host offers to hold processes together, with this very program as the supervisor where one is needed.
pub fn containment(id: &str) -> Containment {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("sculpt"));
    Containment::detect(id, &program)
}

/// The same as the workspace's engine has it, be it this process or not, or as one would have it that were started now.
pub fn engine_containment(workspace: &Workspace, id: &str) -> Containment {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("sculpt"));
    Containment::of_engine(holder(&workspace.folder()).map(|holder| holder.pid), id, &program)
}

/// What a workspace lets its goals use on a host with so much memory, in bytes. Where that is not known, only what is said as a size.
pub fn shares(limits: &DefaultLimits, total: Option<u64>) -> Shares {
    let of = |share: Share| share.of_known(total).map(ByteSize);
    Shares { workspace: of(limits.memory), goal: of(limits.goal_memory) }
}

/// What this host can do for whoever has this environment, and the container engine that was found for a plan. Nothing is made by it.
pub fn look(workspace: &Workspace, env: &IndexMap<String, String>, engine: Option<&FoundEngine>) -> HostReport {
    // The id only names groups, and none is made here.
    let containment = engine_containment(workspace, "plan");
    let mut host = told(containment.report());
    host.gaps.extend(uncontained(containment.has_views(), env));
    host.container_engine = engine.map(|engine| engine.version.to_string());
    if let Some(cgroups) = engine.and_then(|engine| engine.cgroups.as_ref()) {
        host.together = containment.version_for_containers().is_some_and(|version| cgroups.takes_parent(version));
        host.container_limits = Some(cgroups.limits.clone());
    }
    host
}

/// Whether a plan limits its goal, and each container of it has that for itself there.
pub fn is_apart(plan: &Plan, host: &HostReport) -> bool {
    limits(plan, host).iter().any(|limited| limited.apart)
}

/// How much memory may be promised here to everything of a workspace, in bytes; none where that cannot be seen.
pub fn room_here(limits: &DefaultLimits) -> Option<u64> {
    let total = HostGauge::here().read().ok()?.total;
    Some(room(total, Some(limits.memory.of(total))))
}

/// The phases that declare more memory than may ever be promised: they would never start. Where that is not known, nobody is held back.
pub fn too_large(plan: &Plan, room: Option<u64>) -> Vec<Unmet> {
    let Some(room) = room else { return Vec::new() };
    let size = |bytes: u64| ByteSize(bytes).rounded();
    let declared = plan.indexed().map(|(ix, planned)| (ix, plan.most_memory().unwrap_or(u64::MAX).min(planned.memory(None))));
    declared
        .filter(|(_, need)| *need > room)
        .map(|(ix, need)| Unmet {
            what: format!("{}: it declares {} of memory, and only {} may be promised here", plan.owner(ix), size(need), size(room)),
            hint: Fault::TooLarge.hint().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn told(report: &Report) -> HostReport {
    HostReport {
        mechanism: report.mechanism.to_string(),
        enforceable: report.limits.iter().copied().map(Limit::from).collect(),
        gaps: report.gaps.iter().map(|gap| gap.sentence().to_owned()).collect(),
        container_engine: None,
        container_limits: None,
        together: false,
        defaults: None,
    }
}

/// The limits that a plan declares and that are not enforced there, place by place.
pub fn unenforced(plan: &Plan, enforceable: &[Limit]) -> Vec<Unenforced> {
    let host = HostReport { enforceable: enforceable.to_vec(), ..HostReport::default() };
    let missed = limits(plan, &host).into_iter().filter(|limited| !limited.unenforced.is_empty());
    missed.map(|limited| Unenforced { owner: limited.owner, limits: limited.unenforced }).collect()
}

/// What a plan wants enforced strictly and this host cannot enforce. The host is looked at only where there is such a wish.
pub fn refused(plan: &Plan, host: impl FnOnce() -> HostReport) -> Vec<Unmet> {
    if !wishes(plan) {
        return Vec::new();
    }
    let host = host();
    let refused = limits(plan, &host).into_iter().filter(|limited| limited.refused);
    refused
        .map(|limited| {
            let owner = &limited.owner;
            if limited.unenforced.is_empty() {
                let what =
                    format!("{owner}: `enforce: strict` limits what containers have each for itself: together they cannot be limited");
                let hint = "limit each container, and say `enforce: best-effort` in the limits of the goal".to_owned();
                return Unmet { what, hint };
            }
            let words = limited.unenforced.iter().map(|limit| limit.word()).collect::<Vec<_>>().join(", ");
            let held = &host.mechanism;
            Unmet {
                what: format!("{owner}: `enforce: strict` limits {words}, which cannot be limited here: processes are held by {held}"),
                hint: "run it where control groups may be written (as root, or in a delegated group, as that of `sculpt service install`), or say `enforce: best-effort`"
                    .to_owned(),
            }
        })
        .collect()
}

/// Whether anything is to be enforced strictly.
fn wishes(plan: &Plan) -> bool {
    let strict = |enforce: Option<Enforce>| enforce == Some(Enforce::Strict);
    let specs = plan.phases.iter().map(|phase| &phase.spec);
    strict(plan.limits.enforce)
        || specs
            .flat_map(|spec| spec.limits.iter().chain(spec.resources.values().filter_map(|resource| resource.limits.as_ref())))
            .any(|limits| strict(limits.enforce))
}
