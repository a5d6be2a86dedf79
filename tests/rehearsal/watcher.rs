//! Who watches a rehearsal: folds the records itself, and holds each to the rules.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use opensculpt::adapters::rehearsal::simulation::Simulation;
use opensculpt::base::owner::Owner;
use opensculpt::base::time::Timestamp;
use opensculpt::driver::rehearsal::{Rehearsal, Scene};
use opensculpt::journal::log::Log;
use opensculpt::kernel::action::{Effect, EffectId, RunId};
use opensculpt::kernel::outcome::Verdict;
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::state::State;
use opensculpt::plan::sealed::PhaseIx;

/// Watches a rehearsal.
pub(super) struct Watcher {
    pub(super) simulation: Simulation,
    folder: PathBuf,
    tells: bool,
    told: Vec<String>,
    /// The fold of all records so far.
    pub(super) state: State,
    pub(super) records: Vec<(Timestamp, Record)>,
    /// Every effect that was asked for.
    pub(super) effects: HashMap<EffectId, (Owner, Effect)>,
    /// Those that have ended.
    pub(super) ended: HashSet<EffectId>,
    /// Those that an engine's death has taken.
    pub(super) lost: HashSet<EffectId>,
    /// Those that hold a slot of their run.
    pub(super) working: BTreeMap<EffectId, (RunId, PhaseIx)>,
    /// True where the engine's state was the fold of the records after the last one.
    in_step: bool,
    /// The world's step in which that was.
    step: u64,
}

impl Watcher {
    pub(super) fn new(rehearsal: &Rehearsal, tells: bool) -> Self {
        Self {
            simulation: rehearsal.simulation().clone(),
            folder: rehearsal.folder(),
            tells,
            told: Vec::new(),
            state: State::default(),
            records: Vec::new(),
            effects: HashMap::new(),
            ended: HashSet::new(),
            lost: HashSet::new(),
            working: BTreeMap::new(),
            in_step: true,
            step: 0,
        }
    }

    /// Takes what is seen.
    pub(super) fn see(&mut self, scene: Scene<'_>) {
        match scene {
            Scene::Begun(state) => {
                self.tell(|| "an engine begins".to_owned());
                self.read_again();
                assert!(self.state == *state, "the state of an engine that begins is not the fold of its journal\n{}", self.story());
            }
            Scene::Recorded(at, record, state) => {
                let step = self.simulation.steps();
                assert!(self.in_step || self.step == step, "the state was not the fold of the records\n{}", self.story());
                self.record(at, record);
                self.in_step = same(&self.state, state);
                self.step = step;
            }
            Scene::Noted(note) => self
                .tell(|| format!("{} fault {}: {:?} {}", note.at.0, note.fault, note.place.as_ref().map(ToString::to_string), note.what)),
        }
    }

    /// Reads the journal from its beginning, and holds it to the rules again.
    pub(super) fn read_again(&mut self) {
        self.state = State::default();
        self.records.clear();
        self.effects.clear();
        self.ended.clear();
        self.lost.clear();
        self.working.clear();
        let entries = Log::<Record>::read(&self.folder).unwrap();
        for entry in entries {
            let entry = entry.unwrap();
            self.record(entry.at, &entry.record);
        }
        self.in_step = true;
    }

    fn record(&mut self, at: Timestamp, record: &Record) {
        self.tell(|| format!("{} {record:?}", at.0));
        self.before(record);
        self.state.apply(at, record).unwrap_or_else(|misfit| panic!("{misfit}\n{}", self.story()));
        self.records.push((at, record.clone()));
        self.after(record);
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.tells {
            let what: String = what().chars().take(300).collect();
            println!("{what}");
            self.told.push(what);
        }
    }

    /// The last things that were seen, in words.
    pub(super) fn story(&self) -> String {
        let last = self.records.iter().rev().take(40).rev();
        last.map(|(at, record)| format!("{} {record:?}", at.0).chars().take(300).collect::<String>()).collect::<Vec<_>>().join("\n")
    }

    /// How the runs ended, in their order.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        let ends = self.records.iter().filter_map(|(_, record)| match record {
            Record::RunEnded { verdict, .. } => Some(*verdict),
            _ => None,
        });
        ends.collect()
    }

    /// Whether a run waits for a person.
    pub(super) fn waits(&self) -> bool {
        let runs = self.state.goals.values().filter_map(|goal| goal.run.as_ref());
        runs.filter(|run| run.ended.is_none()).any(|run| run.phases.iter().any(|phase| phase.state == PhaseState::Waiting))
    }

    /// The state of the engine, and its journal, are the same as the records that were seen.
    pub(super) fn agrees(&mut self, state: &State) {
        assert!(self.in_step && self.state == *state, "the state is not the fold of the records\n{}", self.story());
        self.read_again();
        assert!(self.state == *state, "the state is not the fold of the journal\n{}", self.story());
    }
}

/// Whether two states are the same, plans aside: those never change.
fn same(one: &State, two: &State) -> bool {
    let goals = |state: &State| state.goals.len();
    one.last_effect == two.last_effect
        && one.effects == two.effects
        && goals(one) == goals(two)
        && one.goals.iter().zip(&two.goals).all(|((_, one), (_, two))| {
            let runs = match (&one.run, &two.run) {
                (Some(one), Some(two)) => {
                    one.id == two.id
                        && one.phases == two.phases
                        && (one.open, one.prepared, &one.stopping, &one.ended) == (two.open, two.prepared, &two.stopping, &two.ended)
                }
                (one, two) => one.is_none() && two.is_none(),
            };
            runs && one.resources == two.resources
                && one.reds == two.reds
                && one.proofs == two.proofs
                && (one.runs, one.falling, one.volumes, &one.past) == (two.runs, two.falling, two.volumes, &two.past)
        })
}
