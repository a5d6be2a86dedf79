//! What a test asks of the simulated world, and what it reads there.

use std::collections::{HashMap, HashSet};

use opensculpt::base::name::Name;
use opensculpt::base::owner::Owner;
use opensculpt::kernel::action::{Effect, Exit, RunId, Seen, StopPolicy};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::{Refusal, Request};
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, RunOptions, StopReason};
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::state::{PhaseRun, Run};
use opensculpt::plan::sealed::Plan;

use super::world::World;

impl World {
    pub(crate) fn start_with(&mut self, plan: Plan, options: RunOptions) -> Option<Refusal> {
        self.ask(Request::Run { plan: Box::new(plan), options, seen: None })
    }

    pub(crate) fn start(&mut self, plan: Plan) {
        assert_eq!(self.start_with(plan, RunOptions::default()), None);
    }

    /// Carries a plan out, to its end or until a person is asked.
    pub(crate) fn carry_out(&mut self, plan: Plan) -> &mut Self {
        self.start(plan);
        self.settle();
        self
    }

    pub(crate) fn carry_out_once(&mut self, plan: Plan) -> &mut Self {
        self.start_with(plan, RunOptions { once: true, strict: false, ..RunOptions::default() });
        self.settle();
        self
    }

    pub(crate) fn stop(&mut self, force: bool) -> Option<Refusal> {
        self.ask(Request::Stop { goal: Name::from("g"), reason: StopReason::Person, force })
    }

    pub(crate) fn down(&mut self, volumes: bool) -> Option<Refusal> {
        self.ask(Request::Down { goal: Name::from("g"), volumes })
    }

    pub(crate) fn collect(&mut self, evict: bool) {
        assert_eq!(self.ask(Request::Collect { evict }), None);
    }

    pub(crate) fn reply(&mut self, place: &str, yes: bool) -> Option<Refusal> {
        self.ask(Request::Reply { owner: place.parse().unwrap(), yes, text: None, by: "ada".to_owned() })
    }

    pub(crate) fn run(&self) -> &Run {
        self.kernel.state().goals["g"].run.as_ref().unwrap()
    }

    /// A run, by its id.
    pub(super) fn run_of(&self, id: &RunId) -> &Run {
        self.kernel.state().run(id).unwrap_or_else(|| panic!("nothing is known of {id}"))
    }

    /// The latest run of a goal.
    pub(crate) fn run_in(&self, goal: &str) -> &Run {
        self.kernel.state().goals[goal].run.as_ref().unwrap()
    }

    pub(crate) fn verdict_of(&self, goal: &str) -> Verdict {
        self.run_in(goal).ended.as_ref().unwrap_or_else(|| panic!("the run of {goal} has not ended")).verdict
    }

    /// Begins a run of a goal of this name. One that was begun is not begun again.
    pub(crate) fn begin(&mut self, goal: &str, plan: Plan, options: RunOptions) -> Option<Refusal> {
        let plan = Plan { goal: Name::from(goal), ..plan };
        self.ask(Request::Run { plan: Box::new(plan), options, seen: None })
    }

    /// Whether anything was ever run of a goal.
    pub(crate) fn knows(&self, goal: &str) -> bool {
        self.kernel.state().goals.contains_key(goal)
    }

    /// When a run of a goal began and ended to work: from its first command to its last.
    pub(crate) fn at_work(&self, goal: &str) -> Vec<(u64, u64)> {
        let mut begun = HashMap::new();
        let mut spans = Vec::new();
        for (at, record) in &self.records {
            match record {
                Record::Requested { id, owner, effect: Effect::Work { .. } } if owner.goal.as_str() == goal => drop(begun.insert(*id, *at)),
                Record::Observed { id, seen } if seen.is_end() => spans.extend(begun.remove(id).map(|from| (from, *at))),
                _ => {}
            }
        }
        spans
    }

    /// Goes on from the latest run, and settles.
    pub(crate) fn retry(&mut self, phase: Option<&str>, only: bool) -> Option<Refusal> {
        let refused = self.ask_retry(phase, only);
        self.settle();
        refused
    }

    pub(crate) fn ask_retry(&mut self, phase: Option<&str>, only: bool) -> Option<Refusal> {
        let (goal, phase) = (Name::from("g"), phase.map(Name::from));
        self.ask(Request::Retry { goal, run: None, phase, only, options: RunOptions::default() })
    }

    /// Carries a plan out from a phase on.
    pub(crate) fn run_from(&mut self, plan: Plan, phase: &str) -> Option<Refusal> {
        let refused =
            self.ask(Request::RunFrom { plan: Box::new(plan), phase: Name::from(phase), options: RunOptions::default(), seen: None });
        self.settle();
        refused
    }

    pub(crate) fn phase(&self, name: &str) -> &PhaseRun {
        let (ix, _) = self.run().plan.find(name).unwrap();
        self.run().phase(ix)
    }

    pub(crate) fn outcome(&self, name: &str) -> Outcome {
        self.phase(name).state.outcome().unwrap_or_else(|| panic!("{name} has not ended: {:?}", self.standing()))
    }

    pub(crate) fn ending(&self, name: &str) -> (Outcome, Proof) {
        (self.outcome(name), self.phase(name).proof.unwrap())
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.run().ended.as_ref().unwrap_or_else(|| panic!("the run has not ended: {:?}", self.standing())).verdict
    }

    pub(crate) fn end_why(&self) -> &str {
        &self.run().ended.as_ref().unwrap().why
    }

    pub(crate) fn survivors(&self) -> u32 {
        self.run().ended.as_ref().unwrap().survivors
    }

    pub(crate) fn resource(&self, place: &str) -> ResourceState {
        self.kernel.state().resource(&place.parse().unwrap()).map_or(ResourceState::Declared, |resource| resource.state)
    }

    pub(crate) fn is_alive(&self, place: &str) -> bool {
        self.alive.contains_key(&place.parse::<Owner>().unwrap())
    }

    /// When records were written that `wanted` chooses.
    pub(crate) fn times(&self, wanted: impl Fn(&Record) -> bool) -> Vec<u64> {
        self.records.iter().filter(|(_, record)| wanted(record)).map(|(at, _)| *at).collect()
    }

    /// The effects that were asked for, in order: `work g/a`.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.records
            .iter()
            .filter_map(|(_, record)| match record {
                Record::Requested { owner, effect, .. } => {
                    let word = match effect {
                        Effect::Make { .. } => "make",
                        Effect::Serve { .. } => "serve",
                        Effect::Work { .. } => "work",
                        // Every run is prepared, and what it prepares is seen elsewhere.
                        Effect::Ask { .. } | Effect::Prepare { .. } => return None,
                        Effect::End { stop } if *stop == StopPolicy::KILL => "kill",
                        Effect::End { .. } => "end",
                        Effect::Sweep { .. } => "sweep",
                        Effect::Limit { .. } => "limit",
                        Effect::Call { .. } => "call",
                        Effect::Remove => "remove",
                        Effect::Forget => "forget",
                    };
                    Some(format!("{word} {owner}"))
                }
                _ => None,
            })
            .collect()
    }

    pub(crate) fn did(&self, effect: &str) -> usize {
        self.effects().iter().filter(|done| *done == effect).count()
    }

    /// What has a recorded end is never repeated: in each run, of work that was seen to end well and whose attempt did not fail afterwards there
    /// is one for each phase.
    pub(crate) fn is_repeated_nowhere(&self) -> bool {
        let mut at_work = HashMap::new();
        let mut done = HashSet::new();
        self.records.iter().all(|(_, record)| match record {
            Record::Requested { id, effect: Effect::Work { run, phase, .. }, .. } => {
                at_work.insert(*id, (run.clone(), *phase));
                !done.contains(&(run.clone(), *phase))
            }
            Record::Observed { id, seen: Seen::Exited { exit: Exit::Code(0), .. } } => {
                done.extend(at_work.get(id).cloned());
                true
            }
            // Its checks did not believe it, or a service of it failed.
            Record::AttemptFailed { run, phase, fault, .. } => !done.remove(&(run.clone(), *phase)) || *fault != Fault::EngineDied,
            _ => true,
        })
    }
}
