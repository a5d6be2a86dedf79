//! Any DAG: order respected, waves the longest path, teardown the reverse, indices consistent, the plan reads back.

use std::collections::HashMap;

use opensculpt::base::name::Name;
use opensculpt::manifest::goal::Goal;
use opensculpt::plan::compile::{Inputs, compile};
use opensculpt::plan::explain::explanation::explain;
use opensculpt::plan::sealed::{Part, Plan, Step};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::host;

/// A phase of a random goal: what it needs among the phases drawn before it, how many instances it has, which resources.
#[derive(Clone, Debug)]
struct Drawn {
    needs: Vec<usize>,
    instances: Option<usize>,
    directory: bool,
    process: bool,
    work: bool,
}

fn phases(most: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let phase = (prop::collection::vec(any::<prop::sample::Index>(), 0..4), prop::option::weighted(0.2, 0_usize..4), any::<[bool; 3]>());
    prop::collection::vec(phase, 1..most).prop_map(|drawn| {
        let mut phases = Vec::with_capacity(drawn.len());
        for (at, (needs, instances, [directory, process, work])) in drawn.into_iter().enumerate() {
            let mut needs: Vec<usize> = if at == 0 { Vec::new() } else { needs.iter().map(|need| need.index(at)).collect() };
            needs.sort_unstable();
            needs.dedup();
            phases.push(Drawn { needs, instances, directory, process, work });
        }
        phases
    })
}

/// A goal of these phases, written in any order, with a last phase of `finally` and checks of its own.
fn goals() -> impl Strategy<Value = (Vec<Drawn>, Goal)> {
    phases(24).prop_flat_map(|drawn| {
        let order: Vec<usize> = (0..drawn.len()).collect();
        (Just(drawn), Just(order).prop_shuffle()).prop_map(|(drawn, order)| {
            let written: serde_json::Map<String, Value> = order.iter().map(|at| (name(*at), declare(&drawn[*at]))).collect();
            let goal = json!({
                "version": "1", "name": "g", "phases": written, "finally": { "last": { "run": "x" } },
                "verify": { "checks": [ { "tcp": "127.0.0.1:1" } ] },
            });
            (drawn, serde_json::from_value(goal).unwrap())
        })
    })
}

fn name(at: usize) -> String {
    format!("p{at}")
}

fn declare(drawn: &Drawn) -> Value {
    let mut phase = json!({ "needs": drawn.needs.iter().map(|need| name(*need)).collect::<Vec<_>>(), "resources": {} });
    if drawn.directory {
        phase["resources"]["dir"] = json!({ "directory": "d", "scope": "goal" });
    }
    if drawn.process {
        phase["resources"]["srv"] =
            json!({ "process": "s", "scope": "goal", "depends_on": if drawn.directory { json!(["dir"]) } else { json!([]) } });
    }
    if drawn.work {
        phase["run"] = json!("x");
    }
    if let Some(instances) = drawn.instances {
        phase["for_each"] = json!((0..instances).collect::<Vec<_>>());
    }
    phase
}

fn compiled(goal: &Goal) -> Plan {
    compile(goal, &Inputs { manifest: "g.yaml".to_owned(), ..Inputs::default() }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_phase_is_there_once_and_after_what_it_needs((drawn, goal) in goals()) {
        let plan = compiled(&goal);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for phase in &plan.phases {
            *counts.entry(phase.origin.as_str()).or_default() += 1;
        }
        for (at, phase) in drawn.iter().enumerate() {
            prop_assert_eq!(counts.get(name(at).as_str()).copied().unwrap_or(0), phase.instances.unwrap_or(1));
        }
        for (ix, phase) in plan.indexed() {
            prop_assert_eq!(plan.find(phase.name.as_str()).map(|(found, _)| found), Some(ix), "a name is one phase's");
            let mut needed: Vec<&str> = phase.needs.iter().map(|edge| plan.phase(edge.phase).origin.as_str()).collect();
            prop_assert!(phase.needs.iter().all(|edge| edge.phase < ix));
            needed.dedup();
            needed.sort_unstable();
            needed.dedup();
            let Some(at) = phase.origin.as_str().strip_prefix('p').filter(|_| phase.part == Part::Phase) else { continue };
            let declared = &drawn[at.parse::<usize>().unwrap()];
            let mut wanted: Vec<String> = declared.needs.iter().filter(|need| drawn[**need].instances != Some(0)).map(|need| name(*need)).collect();
            wanted.sort_unstable();
            prop_assert_eq!(needed, wanted);
            let edges: usize = declared.needs.iter().map(|need| drawn[*need].instances.unwrap_or(1)).sum();
            prop_assert_eq!(phase.needs.len(), edges, "an edge to every instance, each once");
        }
    }

    #[test]
    fn of_all_that_may_come_next_the_first_written_does((_, goal) in goals()) {
        let plan = compiled(&goal);
        let written = |name: &str| goal.phases.get_index_of(name).unwrap();
        let main: Vec<_> = plan.indexed().filter(|(_, phase)| phase.part == Part::Phase).collect();
        for (at, (ix, phase)) in main.iter().enumerate() {
            for (_, later) in &main[at + 1..] {
                let free = later.needs.iter().all(|edge| edge.phase < *ix);
                prop_assert!(!free || written(phase.origin.as_str()) <= written(later.origin.as_str()), "{} before {}", phase.name, later.name);
            }
        }
    }

    #[test]
    fn a_wave_is_the_longest_path((_, goal) in goals()) {
        let plan = compiled(&goal);
        let waves: Vec<u32> = plan.phases.iter().map(|phase| phase.wave).collect();
        for (ix, phase) in plan.indexed() {
            let longest = phase.needs.iter().map(|edge| waves[edge.phase.at()] + 1).max().unwrap_or(0);
            prop_assert_eq!(waves[ix.at()], longest, "{}", phase.name);
        }
        let explained = explain(&plan, &host());
        prop_assert_eq!(explained.waves.iter().map(Vec::len).sum::<usize>(), plan.phases.len());
        prop_assert!(explained.waves.iter().all(|wave| !wave.is_empty()));
        prop_assert_eq!(explained.critical_path.phases.len(), explained.waves.len(), "without timeouts it is the longest chain");
    }

    #[test]
    fn the_goals_checks_come_after_all_and_finally_after_these((_, goal) in goals()) {
        let plan = compiled(&goal);
        let [.., check, last] = plan.phases.as_slice() else { panic!("both are there") };
        prop_assert_eq!((check.part, last.part), (Part::Goal, Part::Finally));
        let everything = |count: usize| (0..count).collect::<Vec<_>>();
        prop_assert_eq!(check.needs.iter().map(|edge| edge.phase.at()).collect::<Vec<_>>(), everything(plan.phases.len() - 2));
        prop_assert_eq!(last.needs.iter().map(|edge| edge.phase.at()).collect::<Vec<_>>(), everything(plan.phases.len() - 1));
    }

    #[test]
    fn every_resource_starts_once_and_teardown_is_the_reverse((_, goal) in goals()) {
        let plan = compiled(&goal);
        for phase in &plan.phases {
            let mut started: Vec<&str> = phase.steps.iter().filter_map(Step::resource).map(Name::as_str).collect();
            started.sort_unstable();
            let mut declared: Vec<&str> = phase.spec.resources.keys().map(Name::as_str).collect();
            declared.sort_unstable();
            prop_assert_eq!(started, declared);
            prop_assert_eq!(phase.steps.contains(&Step::Work), phase.spec.run.is_some());
        }
        let explained = explain(&plan, &host());
        let reversed: Vec<_> = explained.teardown_order.iter().rev().cloned().collect();
        prop_assert_eq!(&reversed, &explained.start_order, "everything here outlives its phase");
        let ends: HashMap<String, usize> =
            explained.teardown_order.iter().enumerate().flat_map(|(at, rank)| rank.iter().map(move |owner| (owner.to_string(), at))).collect();
        prop_assert_eq!(ends.len(), explained.resources.len());
        for phase in plan.phases.iter().filter(|phase| phase.part == Part::Phase) {
            for needed in phase.needs.iter().map(|edge| plan.phase(edge.phase)) {
                for mine in phase.spec.resources.keys() {
                    for theirs in needed.spec.resources.keys() {
                        let (mine, theirs) = (format!("g/{}/{mine}", phase.name), format!("g/{}/{theirs}", needed.name));
                        prop_assert!(ends[&mine] < ends[&theirs]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_plan_reads_back((_, goal) in goals()) {
        let plan = compiled(&goal);
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Plan>(&text).unwrap(), &plan);
        prop_assert_eq!(compiled(&goal), plan, "the same goal is the same plan");
    }
}
