//! Going on from an earlier run: what of it stands is carried over, the rest is done.
//!
//! | asked for            | done                                                                     | carried over |
//! |----------------------|--------------------------------------------------------------------------|--------------|
//! | retry                | what did not end well, or made something that is dead; and what depends on that | the rest |
//! | retry, a phase       | that phase, and what depends on it or on something dead; anew            | the rest     |
//! | retry, only a phase  | that phase, anew                                                         | the rest, as it stands: red stays red |
//! | run from a phase     | that phase, and what depends on it or on something dead; anew            | the rest, which must have ended well and be the same |
//!
//! *Anew*: also where its checks pass and it is proved already. A carried phase keeps its outcome, its proof, its outputs and what it made,
//! and names the run that did it. It ends before anything begins: in the turn that records the run, or in the next engine's first.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::action::{EffectId, Exit, RunId};
use super::fold::Misfit;
use super::fold_run::step;
use super::input::{At, Refusal};
use super::outcome::{Outcome, Proof};
use super::phase::{PhaseInput, PhaseState};
use super::record::{Record, RunOptions};
use super::resource::ResourceState;
use super::state::{PhaseRun, Run};
use super::turn::Turn;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::base::time::Timestamp;
use crate::manifest::resource::Scope;
use crate::manifest::verify::Tier;
use crate::plan::sealed::{Edge, PhaseIx, Plan, PlannedPhase};

/// What a run takes over from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The run that it goes on from.
    pub from: RunId,
    /// What is carried over, by the index in the new run's plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseIx>,
    /// Whether everything else is done also where it is proved already.
    #[serde(default)]
    pub anew: bool,
}

impl RunOptions {
    /// Whether what is not carried over is done also where it is proved already.
    pub fn does_anew(&self) -> bool {
        self.carry.as_ref().is_some_and(|carry| carry.anew)
    }
}

/// How the phases that a new run carries over stood in the run that it goes on from.
pub(super) fn carried(run: &Run, earlier: Option<&Run>) -> BTreeMap<PhaseIx, PhaseRun> {
    let Some(carry) = &run.options.carry else { return BTreeMap::new() };
    let Some(earlier) = earlier.filter(|earlier| earlier.id == carry.from) else { return BTreeMap::new() };
    let places = by_name(&earlier.plan);
    let stood = |ix: &PhaseIx| {
        let name = &run.plan.phases.get(ix.at())?.name;
        Some((*ix, earlier.phase(*places.get(name)?).clone()))
    };
    carry.phases.iter().filter_map(stood).collect()
}

impl Run {
    /// A phase ends as it stood in an earlier run.
    pub(super) fn carry(&mut self, at: Timestamp, record: &Record) -> Result<(), Misfit> {
        let Record::Carried { phase, from, outcome, proof, fault, why, .. } = record else { return Ok(()) };
        let earlier = self.carries.remove(phase).unwrap_or_default();
        let entry = &mut self.phases[phase.at()];
        step(record, entry, PhaseInput::Ended(*outcome))?;
        entry.take_over(earlier);
        entry.ended = Some(at);
        entry.carried = Some(from.clone());
        entry.proof = Some(*proof);
        entry.fault = *fault;
        entry.why.clone_from(why);
        self.open -= 1;
        self.unlock(*phase);
        Ok(())
    }
}

impl PhaseRun {
    /// Takes over what an earlier run made of this phase. Its attempts, with their logs, stay that run's.
    fn take_over(&mut self, earlier: Self) {
        self.brief = earlier.brief;
        self.outputs = earlier.outputs;
        self.written = earlier.written;
        if earlier.before.len() == self.before.len() {
            (self.before, self.after) = (earlier.before, earlier.after);
        }
    }
}

impl Turn<'_> {
    /// Carries out the plan of the goal's latest run once more.
    pub(super) fn retry(
        &mut self,
        goal: &Name,
        run: Option<&RunId>,
        phase: Option<&Name>,
        only: bool,
        options: RunOptions,
    ) -> Result<(), Refusal> {
        let latest = self.latest(goal)?;
        if let Some(run) = run.filter(|run| **run != latest.id) {
            return Err(Refusal::NotLatest { run: run.clone(), latest: latest.id.clone() });
        }
        self.may_begin(goal, &options)?;
        let named = phase.map(|phase| find(&latest.plan, phase)).transpose()?;
        let again: Vec<PhaseIx> = latest.plan.indexed().map(|(ix, _)| ix).filter(|ix| self.goes_again(latest, *ix, named, only)).collect();
        let again = if only { again } else { downstream(&latest.dependents, again) };
        if again.is_empty() {
            return Err(Refusal::NothingLeft { run: latest.id.clone() });
        }
        let carry = Carry { from: latest.id.clone(), phases: rest(&latest.plan, &again), anew: named.is_some() };
        let (plan, apart) = (Box::new((*latest.plan).clone()), latest.options.apart);
        self.begin_run(plan, RunOptions { carry: Some(carry), apart, ..options })
    }

    /// Carries out a plan from a phase on.
    pub(super) fn run_from(&mut self, plan: Box<Plan>, phase: &Name, options: RunOptions) -> Result<(), Refusal> {
        let named = find(&plan, phase)?;
        let latest = self.latest(&plan.goal)?;
        self.may_begin(&plan.goal, &options)?;
        let dependents = plan.dependents();
        let mut again = downstream(&dependents, vec![named]);
        let places = by_name(&latest.plan);
        let mut dead = Vec::new();
        for ix in rest(&plan, &again) {
            let name = &plan.phase(ix).name;
            let refused = |why: String| Refusal::NotCarried { phase: name.clone(), run: latest.id.clone(), why };
            let earlier = *places.get(name).ok_or_else(|| refused("that run did not have it".to_owned()))?;
            if !ended_well(latest, earlier) {
                let stood = latest.phase(earlier);
                return Err(refused(format!("it ended {}: {}", stood.state.word(), stood.why)));
            }
            if let Some(what) = changed((&latest.plan, earlier), (&plan, ix)) {
                return Err(refused(format!("{what} since")));
            }
            if !self.is_kept(latest, earlier) {
                dead.push(ix);
            }
        }
        again.extend(dead);
        let again = downstream(&dependents, again);
        let carry = Carry { from: latest.id.clone(), phases: rest(&plan, &again), anew: true };
        self.begin_run(plan, RunOptions { carry: Some(carry), ..options })
    }

    /// The latest run of a goal, ended or not.
    fn latest(&self, goal: &Name) -> Result<&Run, Refusal> {
        let known = self.state.goals.get(goal).and_then(|goal| goal.run.as_ref());
        known.ok_or_else(|| Refusal::NoGoal { goal: goal.clone() })
    }

    /// Whether a phase goes again for its own sake, whatever it depends on.
    fn goes_again(&self, run: &Run, ix: PhaseIx, named: Option<PhaseIx>, only: bool) -> bool {
        match named {
            Some(named) if only => ix == named,
            Some(named) => ix == named || ended_well(run, ix) && !self.is_kept(run, ix),
            None => !ended_well(run, ix) || !self.is_kept(run, ix),
        }
    }

    /// Whether all that a phase made to last is still there.
    fn is_kept(&self, run: &Run, ix: PhaseIx) -> bool {
        let planned = run.plan.phase(ix);
        planned.spec.resources.iter().filter(|(_, declared)| declared.scope == Scope::Goal).all(|(name, _)| {
            let Some(made) = self.state.resource(&Owner::resource(&run.plan.goal, &planned.name, name)) else { return false };
            // One that has to end well keeps its promise by ending well.
            let completes = planned.completes(name);
            completes && made.exit.is_some_and(Exit::is_success)
                || matches!(made.state, ResourceState::Creating | ResourceState::Ready)
                    && made.exit.is_none()
                    && made.restarts.away.is_none()
                    && !self.has_ended(&made.owner)
        })
    }

    /// Whether the process of a place is known to have ended although nobody has told how.
    fn has_ended(&self, owner: &Owner) -> bool {
        let serves = |id: &EffectId| self.state.effects.get(id).is_some_and(|open| open.owner == *owner && open.may_live_on());
        self.live.ended.iter().any(serves)
    }

    /// Ends the phases that are carried over, before anything begins.
    pub(super) fn carry_over(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let Some(from) = run.options.carry.as_ref().map(|carry| carry.from.clone()) else { return };
        let ended: Vec<Record> = run.carries.iter().filter_map(|(phase, earlier)| carried_record(id, *phase, &from, earlier)).collect();
        for record in ended {
            self.record(record);
        }
    }

    /// What is carried over locks for good what cannot follow from how it ended.
    pub(super) fn carried_over(&mut self, id: &RunId) {
        let Some(run) = self.run(id) else { return };
        let carried: Vec<PhaseIx> = run.plan.indexed().map(|(ix, _)| ix).filter(|ix| run.phase(*ix).carried.is_some()).collect();
        for phase in carried {
            self.phase_over(&At { run: id.clone(), phase });
        }
    }
}

/// How a phase ends that stood so in an earlier run. It names the run that did it, however often it was carried over since.
fn carried_record(run: &RunId, phase: PhaseIx, from: &RunId, earlier: &PhaseRun) -> Option<Record> {
    let outcome = earlier.state.outcome()?;
    let did = earlier.carried.as_ref().unwrap_or(from);
    let said = |did: &RunId| format!("carried over from {did}: ");
    let why = earlier.why.strip_prefix(&said(did)).filter(|_| earlier.carried.is_some()).unwrap_or(&earlier.why);
    let (proof, why) = (earlier.proof.unwrap_or(Proof::None), format!("{}{why}", said(did)));
    Some(Record::Carried { run: run.clone(), phase, from: did.clone(), outcome, proof, fault: earlier.fault, why })
}

/// Whether a phase ended as it should: verified, or unverified where nothing was to verify it.
fn ended_well(run: &Run, ix: PhaseIx) -> bool {
    match run.phase(ix).state {
        PhaseState::Done(Outcome::Verified) => true,
        PhaseState::Done(Outcome::Unverified) => run.plan.phase(ix).tier() == Tier::None,
        _ => false,
    }
}

/// What of a phase is another than it was; none where it is the same.
fn changed((before, earlier): (&Plan, PhaseIx), (after, ix): (&Plan, PhaseIx)) -> Option<&'static str> {
    let around = |plan: &Plan| (plan.env.clone(), plan.env_file.clone(), plan.working_dir.clone(), plan.templates, plan.secrets.clone());
    if around(before) != around(after) {
        return Some("the goal's environment, folder or secrets have changed");
    }
    let (old, new) = (before.phase(earlier), after.phase(ix));
    let needs = |plan: &Plan, planned: &PlannedPhase| -> Vec<(Name, crate::manifest::needs::Unlock)> {
        planned.needs.iter().map(|edge| (plan.phase(edge.phase).name.clone(), edge.unlock)).collect()
    };
    let same = old.spec == new.spec && old.steps == new.steps && old.part == new.part && old.bindings == new.bindings;
    if !same || needs(before, old) != needs(after, new) {
        return Some("the manifest has changed for it");
    }
    // Where a text names no parameter, none can matter to it. What cannot be written as text is taken to name one.
    let names_params = |text: serde_json::Result<String>| text.map_or(true, |text| text.contains("params"));
    let reads = names_params(serde_json::to_string(&new.spec)) || names_params(serde_json::to_string(&after.env));
    (reads && before.params != after.params).then_some("the parameters have changed")
}

fn find(plan: &Plan, phase: &Name) -> Result<PhaseIx, Refusal> {
    let known = || plan.phases.iter().map(|planned| planned.name.clone()).collect();
    let found = plan.find(phase.as_str()).map(|(ix, _)| ix);
    found.ok_or_else(|| Refusal::NoPhase { goal: plan.goal.clone(), phase: phase.clone(), known: known() })
}

fn by_name(plan: &Plan) -> HashMap<&Name, PhaseIx> {
    plan.indexed().map(|(ix, planned)| (&planned.name, ix)).collect()
}

/// These phases, and all that depend on them, in the order of the plan.
fn downstream(dependents: &[Vec<Edge>], from: Vec<PhaseIx>) -> Vec<PhaseIx> {
    let mut reached = vec![false; dependents.len()];
    let mut open = from;
    while let Some(ix) = open.pop() {
        if !std::mem::replace(&mut reached[ix.at()], true) {
            open.extend(dependents[ix.at()].iter().map(|edge| edge.phase));
        }
    }
    (0..).map(PhaseIx).zip(reached).filter_map(|(ix, reached)| reached.then_some(ix)).collect()
}

/// All other phases of a plan.
fn rest(plan: &Plan, chosen: &[PhaseIx]) -> Vec<PhaseIx> {
    plan.indexed().map(|(ix, _)| ix).filter(|ix| chosen.binary_search(ix).is_err()).collect()
}
