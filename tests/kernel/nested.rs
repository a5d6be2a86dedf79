//! Runs within runs: owned by the attempt whose command began them.

use opensculpt::base::name::Name;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::RunId;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Refusal;
use opensculpt::kernel::nesting::Parent;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::plan::sealed::Plan;

use super::plans::{Draft, job, phase, plan, server};
use super::script::Try;
use super::world::World;

/// The goal `g` with a service, and a phase `p` whose command goes on until it is ended or told to exit.
fn outer(world: &mut World) -> Plan {
    world.play("p").tries = vec![Try { takes: None, ..Try::default() }];
    plan(2, vec![server("a"), phase("p").work().checks(1).needs(&["a"])])
}

fn inner() -> Plan {
    plan(2, vec![server("s"), job("t").needs(&["s"])])
}

fn within(run: &str, phase: &str) -> RunOptions {
    let parent = Parent { run: RunId(run.to_owned()), phase: Name::from(phase), attempt: 1, left: None };
    RunOptions { parent: Some(parent), ..RunOptions::default() }
}

/// Begins `h` within `g/p`, once that is at work; where the engine dies meanwhile, the next one is asked.
fn nest(world: &mut World, plan: &Plan) {
    while !world.knows("h") {
        while !world.is_alive("g/p") {
            assert!(world.step(), "g/p never begins: {:?}", world.standing());
        }
        let mut options = within("g.1", "p");
        options.parent.as_mut().unwrap().attempt = world.phase("p").attempt;
        if world.begin("h", plan.clone(), options).is_some() {
            world.step();
        }
    }
}

/// `g/p` is at work, and `h` has run within it.
fn nested() -> World {
    let mut world = World::new();
    let plan = outer(&mut world);
    world.start(plan);
    world.until(1100);
    nest(&mut world, &inner());
    world.until(1300);
    assert_eq!(world.verdict_of("h"), Verdict::Verified);
    world
}

#[test]
fn what_a_run_within_a_verified_phase_made_stays_until_the_outer_goal_goes_down() {
    let mut world = nested();
    world.exit("g/p", 0);
    world.settle();
    assert_eq!((world.verdict(), world.is_alive("h/s/svc")), (Verdict::Verified, true));
    let from = world.effects().len();
    world.down(false);
    world.settle();
    assert_eq!(world.effects()[from..], ["end h/s/svc", "end g/a/svc"], "what was begun within goes first");
    assert!(world.alive.is_empty() && world.is_at_rest());
    let down: Vec<String> = world
        .records
        .iter()
        .filter_map(|(_, record)| match record {
            Record::DownEnded { goal, .. } => Some(goal.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(down, ["h", "g"]);
}

#[test]
fn a_run_within_an_attempt_that_fails_goes_with_it() {
    let mut world = nested();
    world.exit("g/p", 1);
    world.settle();
    assert_eq!((world.verdict(), world.did("end h/s/svc")), (Verdict::Failed, 1));
    assert!(world.is_alive("g/a/svc") && !world.is_alive("h/s/svc"));
}

#[test]
fn a_stop_of_the_outer_run_ends_what_the_inner_one_made() {
    for stopped_while_at_work in [true, false] {
        let mut world = nested();
        if !stopped_while_at_work {
            world = World::new();
            world.play("p").tries = vec![Try { takes: None, ..Try::default() }];
            world.play("q").tries = vec![Try { takes: None, ..Try::default() }];
            world.start(plan(2, vec![server("a"), phase("p").work().checks(1).needs(&["a"]), phase("q").work().needs(&["p"])]));
            world.until(1100);
            nest(&mut world, &inner());
            world.until(1300);
            world.exit("g/p", 0);
            world.until(1400);
            assert_eq!(world.outcome("p"), Outcome::Verified);
        }
        world.stop(false);
        world.settle();
        assert_eq!(world.verdict(), Verdict::Cancelled);
        assert!(world.alive.is_empty() && world.is_at_rest(), "{stopped_while_at_work}: {:?}", world.alive);
    }
}

#[test]
fn a_run_that_goes_on_is_stopped_with_the_attempt_and_before_its_command() {
    let mut world = World::new();
    let plan = outer(&mut world);
    world.play("t").tries[0].takes = None;
    world.start(plan);
    world.until(1100);
    nest(&mut world, &inner());
    world.until(1300);
    let from = world.effects().len();
    world.stop(false);
    world.settle();
    assert_eq!(world.effects()[from..], ["end h/t", "end h/s/svc", "end g/p", "end g/a/svc"]);
    let stopping = &world.run_in("h").stopping.as_ref().unwrap().1;
    assert_eq!((world.verdict_of("h"), stopping.as_str()), (Verdict::Cancelled, "g/p ended, in which it was begun"));
    assert!(world.is_at_rest());
}

#[test]
fn a_second_stop_kills_what_goes_on_within() {
    let mut world = World::new();
    let plan = outer(&mut world);
    world.play("t").tries[0].takes = None;
    world.end_takes = 500;
    world.start(plan);
    world.until(1100);
    nest(&mut world, &inner());
    world.until(1300);
    world.stop(false);
    world.until(1310);
    world.stop(true);
    world.until(1360);
    assert!(world.alive.is_empty() && world.run().ended.is_some() && world.run_in("h").ended.is_some(), "{:?}", world.alive);
}

#[test]
fn a_phase_that_ends_well_takes_a_run_that_it_left_behind() {
    let mut world = World::new();
    let plan = outer(&mut world);
    world.play("t").tries[0].takes = None;
    world.start(plan);
    world.until(1100);
    nest(&mut world, &inner());
    world.until(1300);
    world.exit("g/p", 0);
    world.settle();
    assert_eq!((world.verdict(), world.verdict_of("h")), (Verdict::Verified, Verdict::Cancelled));
    assert!(world.is_at_rest() && !world.is_alive("h/s/svc"));
}

#[test]
fn a_further_attempt_begins_without_what_ran_within_the_last() {
    let mut world = World::new();
    world.play("p").tries = vec![Try { takes: None, ..Try::default() }, Try::default()];
    world.start(plan(2, vec![phase("p").work().checks(1).retry(2, 5, 1.0, 5)]));
    world.until(1100);
    nest(&mut world, &inner());
    world.until(1300);
    world.exit("g/p", 1);
    world.settle();
    assert_eq!((world.verdict(), world.alive.len(), world.did("end h/s/svc")), (Verdict::Verified, 0, 1));
}

#[test]
fn a_run_within_itself_or_too_deep_or_within_nothing_is_refused() {
    let mut world = World::new();
    let names = ["g", "h", "i", "j", "k"];
    let drafts = |name: &str| -> Vec<Draft> { vec![phase(format!("{name}p")).work()] };
    for name in names {
        world.play(&format!("{name}p")).tries = vec![Try { takes: None, ..Try::default() }];
    }
    world.begin("g", plan(1, drafts("g")), RunOptions::default());
    for pair in names.windows(2) {
        world.until(world.now + 50);
        let refused = world.begin(pair[1], plan(1, drafts(pair[1])), within(&format!("{}.1", pair[0]), &format!("{}p", pair[0])));
        let expected = (pair[1] == "k").then(|| "runs may lie 3 deep within another, and not deeper: g → h → i → j → k".to_owned());
        assert_eq!(refused.map(|refusal| refusal.to_string()), expected);
    }
    let refused = world.begin("g", plan(1, drafts("g")), within("i.1", "ip")).unwrap();
    assert_eq!(refused.to_string(), "`g` runs within itself: g → h → i → g");
    for (run, phase, attempt) in [("x.1", "p", 1), ("j.2", "jp", 1), ("j.1", "p", 1), ("j.1", "jp", 2)] {
        let mut options = within(run, phase);
        options.parent.as_mut().unwrap().attempt = attempt;
        assert!(matches!(world.begin("k", plan(1, drafts("k")), options), Some(Refusal::NotAtWork { .. })), "{run} {phase} {attempt}");
    }
    assert!(!world.knows("k"));
    world.exit("g/gp", 0);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest(), "all of them ended with the outermost");
    assert!(matches!(world.begin("k", plan(1, drafts("k")), within("g.1", "gp")), Some(Refusal::NotAtWork { .. })), "it has ended");
}

#[test]
fn a_run_has_no_more_time_than_is_left_around_it() {
    let left = |mend: &dyn Fn(&mut Plan)| {
        let mut world = World::new();
        let mut plan = outer(&mut world);
        mend(&mut plan);
        world.play("t").tries[0].takes = None;
        world.start(plan);
        world.until(1100);
        nest(&mut world, &inner());
        let left = world.run_in("h").options.parent.as_ref().unwrap().left;
        world.settle_for(5000);
        (left, world)
    };
    let (none, world) = left(&|_| {});
    assert!(none.is_none() && world.run_in("h").ended.is_none());
    let (of_run, world) = left(&|plan| plan.budget.max_time = Some(Span(1000)));
    assert_eq!((of_run, world.verdict()), (Some(Span(900)), Verdict::Budget));
    assert!(world.run_in("h").ended.is_some());
    let (of_attempt, world) = left(&|plan| plan.phases[1].spec.timeout = Some(Span(1000)));
    assert_eq!(world.phase("p").fault, Some(Fault::TimedOut));
    let began = world.phase("p").attempt_started.unwrap().0;
    assert_eq!(of_attempt, Some(Span(began + 1000 - 1100)));
    // It alone ends where the command around it lets it.
    let mut world = World::new();
    let plan = outer(&mut world);
    world.play("t").tries[0].takes = None;
    world.start(plan);
    world.until(1100);
    let mut short = inner();
    short.budget.max_time = Some(Span(200));
    nest(&mut world, &short);
    world.until(2000);
    assert_eq!(world.verdict_of("h"), Verdict::Budget);
    assert!(world.is_alive("g/p"));
}

#[test]
fn a_run_within_a_run_of_its_group_is_part_of_that_ones_turn() {
    let mut world = World::new();
    let group = |plan: Plan| Plan { concurrency_group: Some(Name::from("db")), ..plan };
    let plan = group(outer(&mut world));
    world.start(plan);
    world.until(1100);
    world.begin("i", group(super::plans::plan(1, vec![job("i1")])), RunOptions::default());
    nest(&mut world, &group(inner()));
    world.until(1300);
    assert_eq!((world.verdict_of("h"), world.run_in("i").has_turn), (Verdict::Verified, false));
    world.exit("g/p", 0);
    world.settle();
    assert_eq!(world.verdict_of("i"), Verdict::Verified);
}

/// The outer attempt takes too long while the inner run goes on, and everything is taken down.
fn late(world: &mut World, dies_after: Option<usize>) {
    let mut plan = outer(world);
    plan.phases[1].spec.timeout = Some(Span(300));
    world.play("t").tries[0].takes = None;
    world.dies_after = dies_after;
    while !world.knows("g") {
        world.start(plan.clone());
    }
    world.until(1100);
    nest(world, &inner());
    world.settle();
}

#[test]
fn nothing_within_outlives_an_attempt_whichever_record_the_engine_dies_after() {
    let mut whole = World::new();
    late(&mut whole, None);
    assert_eq!(whole.phase("p").fault, Some(Fault::TimedOut));
    for died in 0..whole.records.len() {
        let mut world = World::new();
        late(&mut world, Some(died));
        assert_eq!((world.deaths, world.verdict()), (1, Verdict::Failed), "died after {died}: {:?}", world.standing());
        assert_eq!(world.verdict_of("h"), Verdict::Cancelled, "died after {died}");
        let alive: Vec<String> = world.alive.keys().map(ToString::to_string).collect();
        assert_eq!(alive, ["g/a/svc"], "died after {died}");
        assert!(world.is_at_rest() && world.is_repeated_nowhere(), "died after {died}");
    }
}

#[test]
fn both_go_down_whichever_record_the_engine_dies_after() {
    let up = || {
        let mut world = nested();
        world.exit("g/p", 0);
        world.settle();
        world
    };
    let mut whole = up();
    let before = whole.records.len();
    whole.down(true);
    whole.settle();
    for died in before..whole.records.len() {
        let mut world = up();
        world.dies_after = Some(died);
        world.down(true);
        if died == before {
            world.down(true);
        }
        world.settle();
        assert!(world.alive.is_empty() && world.is_at_rest(), "died after {died}: {:?}", world.alive);
        assert!(world.kernel.state().goals.values().all(|goal| !goal.falling), "died after {died}");
    }
}
