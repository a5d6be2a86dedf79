//! `sculpt plan FILE` where the goal is up: what a run would change of what is there. A function of plan and state, with one look at who lives.
//!
//! | a phase of the plan                                         | change   |
//! |-------------------------------------------------------------|----------|
//! | was never carried out, or nothing is known of it any more   | starts   |
//! | does nothing itself                                         | asked    |
//! | amounts to the same, was proved, and what it made is ready  | stays    |
//! | has changed, or needs what is served anew; a service of it is up | replaced |
//! | the same, and nothing of it is up; or nothing proves it      | again    |
//!
//! Plans do not tell everything: what files hold, what the environment says and what phases put out is known when it runs.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::changes::{In, changed, names};
use super::outside::Outside;
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::action::RunId;
use crate::kernel::outcome::Outcome;
use crate::kernel::resource::ResourceState;
use crate::kernel::state::{Goal, Run, State};
use crate::kernel::stock::{Kind, Resource};
use crate::manifest::resource::Scope;
use crate::manifest::verify::Tier;
use crate::plan::sealed::{PhaseIx, Plan, PlannedPhase};

/// What a run of a plan would change. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The goal's latest run.
    pub against: String,
    /// Whether that run goes on: then another is refused.
    pub running: bool,
    /// The phases in the order of the plan.
    pub phases: Vec<PhaseChange>,
    /// What is there and the plan no longer has: it ends before anything begins.
    pub ends: Vec<Ends>,
}

/// What becomes of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseChange {
    /// Its name.
    pub name: Name,
    /// What becomes of it.
    pub change: Change,
    /// Why, each a few words.
    pub why: Vec<String>,
    /// What only a run will know, and what may make it differ.
    pub known_when_it_runs: Vec<String>,
    /// Its resources.
    pub resources: Vec<ResourceChange>,
    /// The run whose services serve again where its replacement fails.
    pub rolls_back_to: Option<String>,
}

/// What becomes of a phase or of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is left as it is.
    Stays,
    /// Its checks are asked: they are about the work of others.
    Asked,
    /// It ends, and is started or made anew.
    Replaced,
    /// Its work is done again.
    Again,
    /// It is done, started or made for the first time.
    Starts,
}

impl Change {
    /// The word for it on a screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Asked => "asked",
            Self::Replaced => "replaced",
            Self::Again => "again",
            Self::Starts => "starts",
        }
    }
}

/// What becomes of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    /// Its name.
    pub name: Name,
    /// What becomes of it.
    pub change: Change,
    /// The run that made what is there.
    pub run: Option<String>,
}

/// Something that is there and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// Its place.
    pub owner: String,
    /// What it is.
    pub kind: &'static str,
    /// The run that made it.
    pub run: String,
}

/// What a run of the plan would change; none where nothing of its goal is up.
pub fn difference(plan: &Plan, state: &State, outside: &Outside<'_>) -> Option<Difference> {
    let goal = state.goals.get(&plan.goal)?;
    let run = goal.run.as_ref()?;
    if !goal.is_running() && goal.live_resources().all(|resource| resource.kind.holds_data()) {
        return None;
    }
    let mut made: HashMap<&Name, Vec<&Resource>> = HashMap::new();
    for resource in goal.live_resources() {
        if let Some(phase) = &resource.owner.phase {
            made.entry(phase).or_default().push(resource);
        }
    }
    let mut compared = Comparing { plan, goal, state, outside, made, renewed: HashSet::new(), redone: HashSet::new() };
    let phases = plan.indexed().map(|(ix, planned)| compared.phase(ix, planned)).collect();
    let has = |owner: &Owner| {
        let place = owner.phase.as_ref().zip(owner.resource.as_ref());
        place.is_some_and(|(phase, name)| plan.find(phase.as_str()).is_some_and(|(_, planned)| planned.resource(name).is_some()))
    };
    let ends = goal.live_resources().filter(|made| made.kind.is_remade() && !made.keep && !has(&made.owner));
    let ends = ends.map(|made| Ends { owner: made.owner.to_string(), kind: made.kind.word(), run: made.run.to_string() }).collect();
    Some(Difference { against: run.id.to_string(), running: run.ended.is_none(), phases, ends })
}

/// A plan that is held against what is there, phase by phase: each comes after all that it needs.
struct Comparing<'a> {
    plan: &'a Plan,
    goal: &'a Goal,
    state: &'a State,
    outside: &'a Outside<'a>,
    /// What is there, by its phase.
    made: HashMap<&'a Name, Vec<&'a Resource>>,
    /// Phases whose services are started anew, and what depends on them.
    renewed: HashSet<PhaseIx>,
    /// Phases whose work is done again.
    redone: HashSet<PhaseIx>,
}

impl<'a> Comparing<'a> {
    fn phase(&mut self, ix: PhaseIx, planned: &PlannedPhase) -> PhaseChange {
        let serving: Vec<&'a Resource> = self.made(planned).filter(|made| made.kind.is_remade() && !made.keep).collect();
        let because: Vec<String> = (planned.needs.iter().filter(|edge| self.renewed.contains(&edge.phase)))
            .map(|edge| format!("it needs {}, which is served anew", self.plan.phase(edge.phase).name))
            .collect();
        let renewed = !because.is_empty();
        let stood = self.stood(planned, &serving);
        let mut why =
            stood.map(|(run, old)| changed(In { plan: &run.plan, phase: run.plan.phase(old) }, In { plan: self.plan, phase: planned }));
        let same = why.as_ref().is_some_and(Vec::is_empty);
        let unproved = self.unproved(planned);
        let change = match &mut why {
            None => Change::Starts,
            Some(_) if !planned.works() => Change::Asked,
            Some(why) => {
                why.extend(because);
                // Without a service of its own, what is the same and passes its checks is not done again for the sake of another.
                if same && unproved.is_none() && (!renewed || serving.is_empty()) {
                    Change::Stays
                } else {
                    why.extend(unproved.filter(|_| same && !renewed));
                    if serving.is_empty() { Change::Again } else { Change::Replaced }
                }
            }
        };
        if renewed || planned.promises() && !matches!(change, Change::Stays | Change::Asked) {
            self.renewed.insert(ix);
        }
        if !matches!(change, Change::Stays | Change::Asked) {
            self.redone.insert(ix);
        }
        let back = serving.iter().find(|made| change == Change::Replaced && self.is_ready(made)).map(|made| made.run.to_string());
        PhaseChange {
            name: planned.name.clone(),
            change,
            why: why.unwrap_or_default(),
            known_when_it_runs: if change == Change::Stays { self.unknown(planned) } else { Vec::new() },
            resources: planned.spec.resources.keys().map(|name| self.resource(planned, name, change)).collect(),
            rolls_back_to: back,
        }
    }

    /// The run whose plan says what the phase amounts to as it stands: the one that serves, else the one that proved it.
    fn stood(&self, planned: &PlannedPhase, serving: &[&Resource]) -> Option<(&'a Run, PhaseIx)> {
        let proved = || self.goal.proofs.get(&planned.name).map(|proved| &proved.run);
        let latest = || {
            let run = self.goal.run.as_ref()?;
            let (ix, _) = run.plan.find(planned.name.as_str())?;
            run.phase(ix).state.outcome().is_some_and(Outcome::is_good).then_some(&run.id)
        };
        let known = |id: &RunId| self.state.run(id);
        // A phase that a later run found proved already amounts to the same there.
        let run = serving.first().and_then(|made| known(&made.run)).or_else(|| latest().or_else(proved).and_then(known))?;
        run.plan.find(planned.name.as_str()).map(|(ix, _)| (run, ix))
    }

    /// Why a phase that is the same is done again all the same.
    fn unproved(&self, planned: &PlannedPhase) -> Option<String> {
        if planned.tier() != Tier::Auto || planned.checks() == 0 {
            return Some("nothing verifies that it need not be done again".to_owned());
        }
        if !self.goal.proofs.contains_key(&planned.name) {
            return Some("it was never proved".to_owned());
        }
        let lasting = planned.spec.resources.iter().filter(|(_, declared)| declared.scope == Scope::Goal);
        lasting.into_iter().find_map(|(name, _)| {
            let made = self.goal.resources.get(&Owner::resource(&self.plan.goal, &planned.name, name));
            let stands = made.map_or("not there", |made| self.outside.look(made).state.word());
            (!made.is_some_and(|made| self.is_ready(made))).then(|| format!("{name} is {stands}"))
        })
    }

    fn is_ready(&self, made: &Resource) -> bool {
        made.exit.is_none() && self.outside.look(made).state == ResourceState::Ready
    }

    fn made(&self, planned: &PlannedPhase) -> impl Iterator<Item = &'a Resource> + '_ {
        self.made.get(&planned.name).into_iter().flatten().copied()
    }

    fn resource(&self, planned: &PlannedPhase, name: &Name, phase: Change) -> ResourceChange {
        let made = self.made(planned).find(|made| made.owner.resource.as_ref() == Some(name));
        let change = match made {
            None if phase == Change::Stays => Change::Stays,
            None => Change::Starts,
            Some(made) if made.keep || matches!(made.kind, Kind::Directory | Kind::Volume | Kind::Port) => Change::Stays,
            Some(_) => phase,
        };
        ResourceChange { name: name.clone(), change, run: made.map(|made| made.run.to_string()) }
    }

    /// What may make a phase differ that the plan says is the same.
    fn unknown(&self, planned: &PlannedPhase) -> Vec<String> {
        let spec = &planned.spec;
        let mut unknown = vec!["whether its checks still pass".to_owned()];
        let templates = spec.resources.values().any(|resource| resource.file.as_ref().is_some_and(|file| file.template.is_some()));
        if spec.run.is_some() || !spec.inputs.is_empty() || spec.env_file.is_some() || !self.plan.env_file.is_empty() || templates {
            unknown.push("what the files hold that it names".to_owned());
        }
        if names(planned, "env.") {
            unknown.push("what the environment says".to_owned());
        }
        let outputs = planned.reads.iter().filter(|ix| self.redone.contains(ix));
        unknown.extend(outputs.map(|ix| format!("what {} puts out", self.plan.phase(*ix).name)));
        unknown
    }
}
