//! Goal → Plan.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use petgraph::graph::NodeIndex;
use serde_json::Value;

use super::error::{MAX_EDGES, PlanError};
use super::instances::{self, Section};
use super::reads::{self, Mentions};
use super::sealed::{Edge, Part, PhaseIx, Plan, PlannedPhase, Step};
use super::{order, requires, steps};
use crate::base::name::Name;
use crate::manifest::goal::{DEFAULT_CONCURRENCY, Goal};
use crate::manifest::needs::{Needs, Unlock};
use crate::manifest::phase::Phase;
use crate::manifest::work::OneOrMany;

/// The name of the phase that asks the goal's own checks. No phase of a manifest can have it.
pub const GOAL_PHASE: &str = "@goal";

/// What a goal is compiled with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The value of every parameter, settled and checked.
    pub params: IndexMap<Name, Value>,
    /// The profiles that were chosen.
    pub profiles: Vec<Name>,
    /// The environment of `sculpt run`, which a `for_each` may name.
    pub env: IndexMap<String, String>,
    /// The manifest's path as it was given.
    pub manifest: String,
    /// SHA-256 of all texts the goal was read from, in hex.
    pub digest: String,
}

/// Compiles a goal: loops expanded, profiles chosen, edges resolved, waves and steps decided.
///
/// The phases come first, each after all that it needs and otherwise in the order of the manifest; then the goal's own checks as the phase
/// [`GOAL_PHASE`], which waits for all of them to end, however; then `finally`, which waits for all of these.
///
/// # Errors
/// All that is wrong, not the first only.
pub fn compile(goal: &Goal, inputs: &Inputs) -> Result<Plan, Vec<PlanError>> {
    let mut errors = Vec::new();
    check_profiles(goal, inputs, &mut errors);
    errors.extend(goal.finally.keys().filter(|name| goal.phases.contains_key(*name)).map(|name| PlanError::Twice { phase: name.clone() }));
    let main = instances::expand(goal, &goal.phases, inputs, 0, &mut errors);
    let last = instances::expand(goal, &goal.finally, inputs, main.instances.len(), &mut errors);
    let requires = requires::gather(goal, main.instances.iter().chain(&last.instances), inputs, &mut errors);

    let mut build = Build { goal, phases: Vec::with_capacity(main.instances.len() + 1), mentions: Vec::new(), edges: 0, errors };
    build.section(&main, Part::Phase);
    build.goal_phase();
    build.section(&last, Part::Finally);
    let Build { phases, errors, .. } = build.read();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Plan {
        goal: goal.name.clone(),
        manifest: inputs.manifest.clone(),
        digest: inputs.digest.clone(),
        profiles: inputs.profiles.clone(),
        params: inputs.params.clone(),
        secrets: goal.secrets.clone(),
        env: goal.env.clone(),
        env_file: goal.env_file.as_ref().map(OneOrMany::as_slice).unwrap_or_default().to_vec(),
        working_dir: goal.working_dir.clone(),
        templates: goal.templates,
        concurrency: goal.concurrency.unwrap_or(DEFAULT_CONCURRENCY),
        concurrency_group: goal.concurrency_group.clone(),
        budget: goal.budget.clone().unwrap_or_default(),
        limits: goal.limits.clone().unwrap_or_default(),
        reverify: goal.reverify,
        requires,
        phases,
    })
}

/// Every chosen profile is one of some phase; and something is left to do.
fn check_profiles(goal: &Goal, inputs: &Inputs, errors: &mut Vec<PlanError>) {
    let known: IndexSet<&Name> = goal.phases.values().chain(goal.finally.values()).flat_map(|phase| &phase.profiles).collect();
    let names = || known.iter().map(|name| (*name).clone()).collect();
    for profile in inputs.profiles.iter().filter(|profile| !known.contains(profile)) {
        errors.push(PlanError::UnknownProfile { profile: profile.clone(), known: names() });
    }
    let takes_part = |phase: &Phase| phase.profiles.is_empty() || phase.profiles.iter().any(|profile| inputs.profiles.contains(profile));
    if !goal.phases.is_empty() && !goal.phases.values().any(takes_part) {
        errors.push(PlanError::Empty { known: names() });
    }
}

/// What all instances of one declared phase share.
#[derive(Clone)]
struct Shared {
    spec: Phase,
    steps: Vec<Step>,
    mentions: Arc<Mentions>,
}

/// What the instances of a section need of each other, by their places in it.
struct Wiring {
    graph: order::Graph,
    needs: Vec<Vec<(usize, Unlock)>>,
}

/// A plan's phases in the making.
struct Build<'a> {
    goal: &'a Goal,
    phases: Vec<PlannedPhase>,
    /// What the texts of each of them read.
    mentions: Vec<Arc<Mentions>>,
    edges: usize,
    errors: Vec<PlanError>,
}

impl Build<'_> {
    /// Adds `phases` or `finally`, after all that is there.
    fn section(&mut self, section: &Section<'_>, part: Part) {
        let Some(Wiring { graph, needs }) = self.wiring(section) else { return };
        let order = match order::topological(&graph, |at| at) {
            Ok(order) => order,
            Err(cycle) => {
                // Instances of one phase count as that phase.
                let mut phases: Vec<Name> = cycle.iter().map(|at| section.instances[*at].origin.clone()).collect();
                phases.dedup();
                self.errors.push(PlanError::Cycle { phases });
                return;
            }
        };
        let all_before: Vec<Edge> = (0..self.phases.len()).map(|at| Edge { phase: index(at), unlock: Unlock::Finished }).collect();
        self.edges = self.edges.saturating_add(all_before.len().saturating_mul(order.len()));
        if let (true, Some(instance)) = (self.edges > MAX_EDGES, section.instances.first()) {
            self.errors.push(PlanError::TooManyEdges { phase: instance.origin.clone() });
            return;
        }
        let first_wave = self.next_wave();
        let first = self.phases.len();
        let mut places = vec![0; order.len()];
        for (place, at) in order.iter().enumerate() {
            places[*at] = first + place;
        }
        // Only what is looped is worth keeping: most phases are their own only instance.
        let mut looped: HashMap<&Name, Shared> = HashMap::new();
        let mut buffer = Vec::new();
        for at in order {
            let instance = &section.instances[at];
            let Shared { spec, steps, mentions } = match section.of.get(instance.origin) {
                Some(instances) if instances.len() > 1 => {
                    looped.entry(instance.origin).or_insert_with(|| self.share(instance.origin, instance.spec, &mut buffer)).clone()
                }
                _ => self.share(instance.origin, instance.spec, &mut buffer),
            };
            let mut edges: Vec<Edge> =
                needs[at].iter().map(|(other, unlock)| Edge { phase: index(places[*other]), unlock: *unlock }).collect();
            let wave = edges.iter().map(|edge| self.phases[edge.phase.at()].wave + 1).max().unwrap_or(first_wave);
            edges.extend(&all_before);
            self.mentions.push(mentions);
            self.phases.push(PlannedPhase {
                name: instance.name.clone(),
                origin: instance.origin.clone(),
                part,
                bindings: instance.bindings.clone(),
                needs: edges,
                reads: Vec::new(),
                wave,
                steps,
                spec,
            });
        }
    }

    /// What each instance of a section needs within it; none where that is too much.
    fn wiring(&mut self, section: &Section<'_>) -> Option<Wiring> {
        let mut graph = order::nodes(section.instances.len());
        let mut needs: Vec<Vec<(usize, Unlock)>> = vec![Vec::new(); section.instances.len()];
        for (origin, spec) in section.declared {
            let Some(instances) = section.of.get(origin) else { continue };
            let wanted: IndexMap<&Name, Unlock> = spec.needs.iter().collect();
            for (need, unlock) in wanted {
                let Some(needed) = section.of.get(need) else {
                    self.errors.push(missing(section, origin, need));
                    continue;
                };
                self.edges = self.edges.saturating_add(instances.len().saturating_mul(needed.len()));
                if self.edges > MAX_EDGES {
                    self.errors.push(PlanError::TooManyEdges { phase: origin.clone() });
                    return None;
                }
                for later in instances.clone() {
                    for earlier in needed.clone() {
                        graph.add_edge(NodeIndex::new(earlier), NodeIndex::new(later), ());
                        needs[later].push((earlier, unlock));
                    }
                }
            }
        }
        Some(Wiring { graph, needs })
    }

    /// The goal's own checks, asked when all phases have ended.
    fn goal_phase(&mut self) {
        let Some(verify) = &self.goal.verify else { return };
        let name = Name::new(GOAL_PHASE);
        let spec = Phase { verify: Some(verify.clone()), templates: self.goal.templates, ..Phase::default() };
        let needs = (0..self.phases.len()).map(|at| Edge { phase: index(at), unlock: Unlock::Finished }).collect();
        let wave = self.next_wave();
        self.mentions.push(Arc::new(reads::mentions(&spec, &mut Vec::new())));
        self.phases.push(PlannedPhase {
            name: name.clone(),
            origin: name,
            part: Part::Goal,
            bindings: std::collections::BTreeMap::new(),
            needs,
            reads: Vec::new(),
            wave,
            steps: Vec::new(),
            spec,
        });
    }

    fn share(&mut self, origin: &Name, spec: &Phase, buffer: &mut Vec<u8>) -> Shared {
        let mut spec = spec.clone();
        // Ten thousand instances must not each carry the ten thousand values of their loop.
        (spec.needs, spec.for_each, spec.matrix) = (Needs::default(), None, IndexMap::new());
        if self.goal.templates == Some(false) {
            spec.templates = Some(false);
        }
        let steps = steps::steps(origin, &spec).unwrap_or_else(|error| {
            self.errors.push(error);
            Vec::new()
        });
        let mentions = Arc::new(reads::mentions(&spec, buffer));
        Shared { spec, steps, mentions }
    }

    fn next_wave(&self) -> u32 {
        self.phases.iter().map(|phase| phase.wave + 1).max().unwrap_or(0)
    }

    /// Resolves what the phases read, now that all of them have their places.
    fn read(mut self) -> Self {
        if self.mentions.iter().all(|mentions| mentions.is_empty()) {
            return self;
        }
        let places = reads::Index::new(&self.phases);
        let reads: Vec<Vec<PhaseIx>> =
            (0..).map(PhaseIx).zip(&self.mentions).map(|(ix, mentions)| places.reads(&self.phases, ix, mentions)).collect();
        for (phase, reads) in self.phases.iter_mut().zip(reads) {
            phase.reads = reads;
        }
        self
    }
}

/// A need that no phase of the section answers.
fn missing(section: &Section<'_>, phase: &Name, need: &Name) -> PlanError {
    let (phase, need) = (phase.clone(), need.clone());
    match section.declared.get(&need) {
        Some(left_out) => PlanError::LeftOut { phase, need, profiles: left_out.profiles.clone() },
        None => PlanError::UnknownNeed { phase, need },
    }
}

/// A place as an index; there are at most [`super::error::MAX_PHASES`] of them and one more.
fn index(place: usize) -> PhaseIx {
    PhaseIx(u32::try_from(place).unwrap_or(u32::MAX))
}
