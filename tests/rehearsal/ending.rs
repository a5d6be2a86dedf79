//! What must hold once a run is over, and once its goal is down.

use opensculpt::driver::rehearsal::Rehearsal;
use opensculpt::kernel::action::Seen;
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::state::State;
use opensculpt::kernel::stock::Kind;
use opensculpt::manifest::resource::Scope;
use opensculpt::views::outside::Outside;
use opensculpt::views::replay::Replay;
use opensculpt::views::why::why;

use super::root;
use super::watcher::Watcher;

impl Watcher {
    /// Whether something would not end, and that was told: what it means for what comes after is told there too.
    fn told_of_survivors(&self) -> bool {
        self.records.iter().any(|(_, record)| match record {
            Record::Observed { seen: Seen::Ended { survivors, .. } | Seen::Exited { survivors, .. }, .. } => !survivors.is_empty(),
            _ => false,
        })
    }

    /// The run has ended, or names what it waits for; what lives is known.
    pub(super) fn run_is_over(&mut self, rehearsal: &Rehearsal, state: &State, once: bool) {
        self.agrees(state);
        let simulation = rehearsal.simulation();
        assert_eq!(simulation.violations(), Vec::<String>::new(), "\n{}", self.story());
        let (name, goal) = state.goals.first().unwrap();
        let run = goal.run.as_ref().unwrap();
        if run.ended.is_none() {
            let waiting: Vec<String> = run
                .plan
                .indexed()
                .filter(|(ix, _)| run.phase(*ix).state == PhaseState::Waiting)
                .map(|(ix, _)| run.owner(ix).to_string())
                .collect();
            assert!(!waiting.is_empty(), "a run neither ends nor waits for anybody\n{}", self.story());
            let outside = Outside { now: simulation.time(), alive: &|_| true, usage: &|_| None, there: &|_| true, engine: true };
            let told = why(&Replay::over(state.clone()), &outside, &|_| String::new(), name.as_str()).unwrap();
            assert!(told.hints.iter().any(|hint| waiting.iter().any(|place| hint.contains(place.as_str()))), "{told:?}");
        }
        if self.told_of_survivors() {
            return;
        }
        let alive = simulation.alive();
        for (owner, _) in &alive {
            let known = if owner.resource.is_some() {
                state.resource(owner).is_some_and(|resource| resource.state.is_live())
            } else {
                state.effects.values().any(|open| open.owner == *owner)
            };
            assert!(known, "{owner} is forgotten\n{}", self.story());
        }
        for resource in state
            .live_resources()
            .filter(|resource| resource.kind == Kind::Process && resource.exit.is_none() && resource.restarts.next.is_none())
        {
            assert!(alive.iter().any(|(owner, _)| *owner == resource.owner), "{} is thought to live\n{}", resource.owner, self.story());
        }
        if once && run.ended.is_some() {
            assert_eq!(alive, [], "something outlives `--once`\n{}", self.story());
        }
        if run.ended.is_some() {
            // What ends unknown is kept for a person to see.
            let left = state.live_resources().find(|resource| {
                let outcome = run.plan.find(resource.owner.phase.as_ref().unwrap().as_str()).map(|(ix, _)| run.phase(ix).state.word());
                resource.scope == Scope::Phase && !resource.keep && outcome != Some("unknown") && resource.run == run.id
            });
            assert!(left.is_none(), "{left:?} outlives its attempt\n{}", self.story());
        }
    }

    /// Nothing is left but what is kept; what is somebody else's is untouched.
    pub(super) fn is_down(&mut self, rehearsal: &Rehearsal, state: &State, volumes: bool) {
        self.agrees(state);
        let simulation = rehearsal.simulation();
        assert_eq!(simulation.violations(), Vec::<String>::new(), "\n{}", self.story());
        assert!(simulation.strangers() > 0, "a stranger was touched");
        let paths = simulation.paths();
        for mine in ["d0", "d0/kept-by-a-stranger"] {
            assert!(paths.contains(&root().join(mine)), "{mine} was a stranger's\n{}", self.story());
        }
        let down = self.records.iter().rev().find_map(|(_, record)| match record {
            Record::DownEnded { survivors, kept, .. } => Some((*survivors, kept.clone())),
            _ => None,
        });
        let Some((survivors, kept)) = down else { panic!("it is not down\n{}", self.story()) };
        if survivors > 0 || self.told_of_survivors() {
            return;
        }
        assert_eq!(simulation.alive(), [], "\n{}", self.story());
        assert!(!volumes || kept.is_empty(), "{kept:?} is kept\n{}", self.story());
        let is_kept = |relative: &str| {
            let declared = kept.iter().filter_map(|owner| state.resource(owner)).flat_map(|resource| &resource.paths);
            declared.into_iter().any(|path| relative.starts_with(path.as_str()))
        };
        for path in paths.iter().filter_map(|path| path.strip_prefix(root()).ok()?.to_str()) {
            // The directories above a resource's own are made with it, and stay as they would on a host.
            let above = |made: &String| made.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
            let is_above = state.goals.values().flat_map(|goal| goal.resources.values()).flat_map(|resource| &resource.paths).any(above);
            assert!(path.starts_with("d0") || is_above || is_kept(path), "{path} is left\n{}", self.story());
        }
        let left: Vec<_> = simulation.customs().into_iter().filter(|owner| !kept.contains(owner)).collect();
        assert_eq!(left, [], "\n{}", self.story());
    }
}
