//! What `sculpt plan` shows, as data: the JSON of `--format json`, and what the text and the graphs are drawn from.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

use super::budget::{self, RollUp};
use super::course;
use super::critical::{self, CriticalPath};
use super::holding::{self, Holding};
use super::limits::{self, HostReport, Limited};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Span;
use crate::manifest::needs::Unlock;
use crate::manifest::phase::Condition;
use crate::manifest::requires::Requires;
use crate::manifest::verify::Tier;
use crate::plan::sealed::{Part, Plan, PlannedPhase, Step};

/// A plan, explained. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The goal.
    pub goal: Name,
    /// The manifest's path as it was given.
    pub manifest: String,
    /// SHA-256 of all texts the plan was made from, in hex.
    pub digest: String,
    /// The profiles that were chosen.
    pub profiles: Vec<Name>,
    /// The parameters' values.
    pub params: IndexMap<Name, Value>,
    /// How many phases may work at once.
    pub concurrency: u32,
    /// The phases in the order of the plan.
    pub phases: Vec<PhaseLine>,
    /// The phases that may work at the same time, wave by wave.
    pub waves: Vec<Vec<Name>>,
    /// The chain of phases that decides how long a run may take.
    pub critical_path: CriticalPath,
    /// The resources in the order in which they start; those of one rank (wave and step) together.
    pub start_order: Vec<Vec<Owner>>,
    /// What outlives its phase, in the order in which `sculpt down` ends it; those of one rank at once.
    pub teardown_order: Vec<Vec<Owner>>,
    /// What each phase owns, and when it lets go of it.
    pub resources: Vec<Holding>,
    /// All declared limits, and whether this host can enforce them.
    pub limits: Vec<Limited>,
    /// What this host can do.
    pub host: HostReport,
    /// What may be spent.
    pub budget: RollUp,
    /// What must be there before anything starts.
    pub requires: Vec<Requires>,
}

/// A phase, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseLine {
    /// Its name.
    pub name: Name,
    /// The name in the manifest.
    pub origin: Name,
    /// The part it plays.
    pub part: Part,
    /// Its wave.
    pub wave: u32,
    /// What it needs by the manifest. Besides, the goal's checks wait for all phases, and `finally` for all of these.
    pub needs: Vec<NeedLine>,
    /// The phases whose outputs its texts name.
    pub reads: Vec<Name>,
    /// What an attempt does, in order.
    pub steps: Vec<Step>,
    /// The condition under which it runs, where it has one.
    pub when: Option<String>,
    /// Who decides whether it is verified.
    pub tier: Tier,
    /// How many checks it has.
    pub checks: usize,
    /// How long an attempt may take.
    pub timeout: Option<Span>,
    /// How often it is tried at most.
    pub attempts: u32,
}

/// A need, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeedLine {
    /// The needed phase.
    pub phase: Name,
    /// The name of that phase in the manifest.
    pub origin: Name,
    /// How it must have ended.
    pub unlock: Unlock,
}

/// What a host can do for this plan, and what its container engine cannot.
fn promised(limits: &[Limited], host: &HostReport) -> HostReport {
    let mut host = host.clone();
    if limits.iter().any(|limited| limited.apart && !limited.refused) {
        host.gaps.push("what the containers of a goal use together is not limited: each has its goal's limits for itself".to_owned());
    }
    host
}

/// Explains a plan for a host.
pub fn explain(plan: &Plan, host: &HostReport) -> Explanation {
    let mut waves: Vec<Vec<Name>> = Vec::new();
    for phase in &plan.phases {
        let wave = phase.wave as usize;
        waves.resize_with(waves.len().max(wave + 1), Vec::new);
        waves[wave].push(phase.name.clone());
    }
    let limits = limits::limits(plan, host);
    Explanation {
        goal: plan.goal.clone(),
        manifest: plan.manifest.clone(),
        digest: plan.digest.clone(),
        profiles: plan.profiles.clone(),
        params: plan.params.clone(),
        concurrency: plan.concurrency,
        phases: plan.phases.iter().map(|phase| line(plan, phase)).collect(),
        waves,
        critical_path: critical::path(plan),
        start_order: course::starts(plan),
        teardown_order: course::teardown(plan),
        resources: holding::holdings(plan),
        host: promised(&limits, host),
        limits,
        budget: budget::roll_up(plan),
        requires: plan.requires.clone(),
    }
}

fn line(plan: &Plan, phase: &PlannedPhase) -> PhaseLine {
    let declared = phase.needs.iter().filter(|edge| phase.part == Part::Phase || plan.phase(edge.phase).part == phase.part);
    let need = |edge: &crate::plan::sealed::Edge| {
        let needed = plan.phase(edge.phase);
        NeedLine { phase: needed.name.clone(), origin: needed.origin.clone(), unlock: edge.unlock }
    };
    PhaseLine {
        name: phase.name.clone(),
        origin: phase.origin.clone(),
        part: phase.part,
        wave: phase.wave,
        needs: declared.map(need).collect(),
        reads: phase.reads.iter().map(|ix| plan.phase(*ix).name.clone()).collect(),
        steps: phase.steps.clone(),
        when: phase.spec.when.as_ref().map(|when| match when {
            Condition::Boolean(truth) => truth.to_string(),
            Condition::Expression(expression) => expression.trim().to_owned(),
        }),
        tier: phase.tier(),
        checks: phase.checks(),
        timeout: phase.spec.timeout,
        attempts: phase.spec.retry.as_ref().map_or(1, |retry| retry.attempts),
    }
}
