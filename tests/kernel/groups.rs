//! Goals of one group: one at a time, in the order of arrival, whoever dies meanwhile.

use opensculpt::base::name::Name;
use opensculpt::base::time::Span;
use opensculpt::kernel::input::Request;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::{Record, RunOptions, StopReason};
use opensculpt::manifest::verify::Tier;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{Draft, job, phase, plan};
use super::world::World;

fn grouped(drafts: Vec<Draft>) -> Plan {
    Plan { concurrency_group: Some(Name::from("db")), ..plan(2, drafts) }
}

/// The goals `g`, `h` and `i`, each with two jobs and a clean-up.
fn three() -> Vec<(&'static str, Plan)> {
    let jobs = |name: &str| {
        let (first, second) = (format!("{name}1"), format!("{name}2"));
        grouped(vec![job(first.as_str()), job(second.as_str()).needs(&[&first]), job(format!("{name}z")).part(Part::Finally)])
    };
    vec![("g", jobs("g")), ("i", jobs("i")), ("h", jobs("h"))]
}

fn begun(world: &mut World, goals: Vec<(&'static str, Plan)>) {
    for (goal, plan) in goals {
        assert_eq!(world.begin(goal, plan, RunOptions::default()), None);
    }
}

/// From the first to the last command of each goal, in the order in which they began; none begins before the one before has ended.
fn one_at_a_time(world: &World, goals: &[&str]) -> bool {
    let spans: Vec<(u64, u64)> = goals
        .iter()
        .map(|goal| {
            let spans = world.at_work(goal);
            (spans.iter().map(|span| span.0).min().unwrap(), spans.iter().map(|span| span.1).max().unwrap())
        })
        .collect();
    spans.windows(2).all(|pair| pair[0].1 <= pair[1].0)
}

fn stop(world: &mut World, goal: &str) {
    world.ask(Request::Stop { goal: Name::from(goal), reason: StopReason::Person, force: false });
}

#[test]
fn goals_of_a_group_run_one_after_the_other_as_they_came() {
    let mut world = World::new();
    begun(&mut world, three());
    let state = world.kernel.state();
    let ahead = |goal: &str| state.ahead_of(world.run_in(goal)).map(|run| run.id.0.clone());
    assert_eq!((ahead("g"), ahead("i"), ahead("h")), (None, Some("g.1".to_owned()), Some("g.1".to_owned())));
    world.settle();
    assert!(one_at_a_time(&world, &["g", "i", "h"]));
    for goal in ["g", "i", "h"] {
        assert_eq!(world.verdict_of(goal), Verdict::Verified);
    }
}

#[test]
fn goals_without_a_group_or_of_another_wait_for_nobody() {
    let mut world = World::new();
    let other = Plan { concurrency_group: Some(Name::from("else")), ..plan(2, vec![job("h1")]) };
    begun(&mut world, vec![("g", grouped(vec![job("g1")])), ("h", other), ("i", plan(2, vec![job("i1")]))]);
    world.settle();
    let from = |goal: &str| world.at_work(goal)[0].0;
    assert!(from("h") < world.at_work("g")[0].1 && from("i") < world.at_work("g")[0].1);
}

#[test]
fn a_run_that_waits_for_its_turn_is_stopped_at_once_and_nothing_of_it_was_done() {
    let mut world = World::new();
    begun(&mut world, three());
    world.until(1005);
    stop(&mut world, "i");
    assert_eq!(world.verdict_of("i"), Verdict::Cancelled);
    world.settle();
    assert!(world.at_work("i").is_empty() && one_at_a_time(&world, &["g", "h"]));
    assert!(!world.effects().iter().any(|effect| effect.contains("i/")), "not even `finally`: there is nothing to clean up");
}

#[test]
fn the_turn_of_a_run_that_is_stopped_goes_to_the_next() {
    let mut world = World::new();
    begun(&mut world, three());
    world.until(1005);
    stop(&mut world, "g");
    world.settle();
    assert_eq!((world.verdict_of("g"), world.verdict_of("i")), (Verdict::Cancelled, Verdict::Verified));
    assert!(one_at_a_time(&world, &["g", "i", "h"]), "what it cleans up is part of its turn");
}

/// `g` asks a person between two jobs.
fn asking() -> Plan {
    grouped(vec![job("g1"), phase("p").checks(1).tier(Tier::AskUser).needs(&["g1"]), job("g2").needs(&["p"])])
}

#[test]
fn who_waits_for_a_person_lets_the_others_go_on_and_waits_for_its_turn_once_it_is_answered() {
    let mut world = World::new();
    let mut goals = three();
    goals[0].1 = asking();
    world.play("i1").tries[0].takes = Some(1000);
    begun(&mut world, goals);
    world.until(1500);
    assert!(world.run_in("i").has_turn && !world.run_in("g").has_turn);
    world.reply("g/p", true);
    world.until(1600);
    let waits_for = world.kernel.state().ahead_of(world.run_in("g")).map(|run| run.id.0.clone());
    assert_eq!((waits_for, world.did("work g/g2")), (Some("i.1".to_owned()), 0));
    world.settle();
    assert_eq!(world.verdict_of("g"), Verdict::Verified);
    let second = world.at_work("g")[1];
    assert!(world.at_work("i").iter().all(|span| span.1 <= second.0) && second.1 <= world.at_work("h")[0].0, "it came before h");
}

#[test]
fn waiting_for_the_turn_is_not_counted_as_the_goals_time() {
    let mut world = World::new();
    world.play("g1").tries[0].takes = Some(5000);
    let mut late = grouped(vec![job("h1")]);
    late.budget.max_time = Some(Span(100));
    begun(&mut world, vec![("g", grouped(vec![job("g1")])), ("h", late.clone())]);
    world.settle();
    assert_eq!(world.verdict_of("h"), Verdict::Verified);
    world.play("h1").tries[0].takes = Some(500);
    world.begin("h", late, RunOptions::default());
    world.settle();
    assert_eq!(world.verdict_of("h"), Verdict::Budget, "but its own time is");
}

#[test]
fn the_order_holds_whichever_record_the_engine_dies_after() {
    let mut whole = World::new();
    begun(&mut whole, three());
    whole.settle();
    for died in 0..whole.records.len() {
        let mut world = World::new();
        world.dies_after = Some(died);
        for (goal, plan) in three() {
            while !world.knows(goal) {
                world.begin(goal, plan.clone(), RunOptions::default());
            }
        }
        world.settle();
        assert_eq!(world.deaths, 1);
        assert!(one_at_a_time(&world, &["g", "i", "h"]), "died after {died}");
        assert!(world.is_repeated_nowhere() && world.is_at_rest(), "died after {died}");
        for goal in ["g", "i", "h"] {
            assert_eq!(world.verdict_of(goal), Verdict::Verified, "died after {died}");
        }
        assert_eq!(world.times(|record| matches!(record, Record::Admitted { .. })).len(), 3, "died after {died}");
    }
}

#[test]
fn no_two_are_at_work_whichever_record_the_engine_dies_after_while_one_asks_a_person() {
    let goals = || vec![("g", asking()), ("h", grouped(vec![job("h1"), job("h2").needs(&["h1"])]))];
    let answered = |world: &mut World| {
        world.until(1045);
        while world.phase("p").reply.is_none() {
            world.settle_until_asked();
            world.reply("g/p", true);
        }
        world.settle();
    };
    let mut whole = World::new();
    begun(&mut whole, goals());
    answered(&mut whole);
    for died in 0..whole.records.len() {
        let mut world = World::new();
        world.dies_after = Some(died);
        for (goal, plan) in goals() {
            while !world.knows(goal) {
                world.begin(goal, plan.clone(), RunOptions::default());
            }
        }
        answered(&mut world);
        assert_eq!((world.verdict_of("g"), world.verdict_of("h")), (Verdict::Verified, Verdict::Verified), "died after {died}");
        let apart = |one: &(u64, u64), other: &(u64, u64)| one.1 <= other.0 || other.1 <= one.0;
        let h = world.at_work("h");
        assert!(world.at_work("g").iter().all(|one| h.iter().all(|other| apart(one, other))), "died after {died}");
        assert_eq!(world.outcome("g2"), Outcome::Verified);
    }
}
