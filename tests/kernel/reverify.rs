//! Green has an age: what is asked again, when, and what is written down of it.

use opensculpt::base::time::Span;
use opensculpt::kernel::answer::{Said, Stage};
use opensculpt::kernel::input::Request;
use opensculpt::kernel::outcome::Verdict;
use opensculpt::kernel::record::{Record, StopReason};
use opensculpt::manifest::check::Holds;
use opensculpt::plan::sealed::Plan;

use super::plans::{job, plan, server};
use super::world::World;

const MINUTE: u64 = 60_000;

fn every(interval: u64, mut plan: Plan) -> Plan {
    plan.reverify = Some(Span(interval));
    plan
}

/// A goal that is up and is asked again every five minutes.
fn up() -> World {
    let mut world = World::new();
    world.carry_out(every(5 * MINUTE, plan(2, vec![server("a"), job("b").needs(&["a"])])));
    assert_eq!(world.verdict(), Verdict::Verified);
    world
}

fn again(world: &World) -> Vec<(u64, Said)> {
    let records = world.records.iter().filter_map(|(at, record)| match record {
        Record::Answered { stage: Stage::Again, answer, .. } => Some((*at, answer.said)),
        _ => None,
    });
    records.collect()
}

fn rounds(world: &World) -> Vec<u64> {
    world.times(|record| matches!(record, Record::Reverified { .. }))
}

fn fails(world: &World, name: &str) -> bool {
    world.phase(name).after[0].as_ref().is_some_and(|answer| answer.said == Said::Fail)
}

#[test]
fn it_is_asked_again_for_as_long_as_it_is_up_and_only_changes_are_written() {
    let mut world = up();
    assert!(world.kernel.is_needed());
    let ended = world.now;
    world.until(ended + 16 * MINUTE);
    assert!(again(&world).is_empty(), "nothing has changed");
    let rounds_so_far = rounds(&world);
    assert_eq!(rounds_so_far.len(), 3);
    assert!(rounds_so_far.iter().zip(1..).all(|(at, n)| (ended + n * 5 * MINUTE..ended + n * 5 * MINUTE + 100).contains(at)));
    assert_eq!(world.phase("a").held.unwrap().0, rounds_so_far[2], "the age of its green is that of the last round");

    world.play("b").again = Said::Fail;
    world.until(ended + 31 * MINUTE);
    let failed = again(&world);
    assert_eq!(failed.iter().map(|(_, said)| *said).collect::<Vec<_>>(), [Said::Fail], "once, not once a round");
    assert_eq!(world.phase("b").since[0].unwrap().0, failed[0].0);
    assert!(fails(&world, "b") && world.phase("b").held.unwrap().0 == rounds_so_far[2] && world.phase("a").held.unwrap().0 > failed[0].0);

    world.play("b").again = Said::Pass;
    world.until(ended + 37 * MINUTE);
    assert_eq!(again(&world).last().unwrap().1, Said::Pass);
    assert!(!fails(&world, "b"));

    world.down(false);
    world.settle();
    let written = world.records.len();
    assert!(!world.kernel.is_needed());
    world.until(world.now + 60 * MINUTE);
    assert_eq!(world.records.len(), written, "what is down promises nothing");
}

#[test]
fn no_answer_neither_regresses_nor_recovers() {
    let mut world = up();
    world.play("a").again = Said::Unknown;
    world.until(world.now + 11 * MINUTE);
    assert!(!fails(&world, "a"));
    world.play("a").again = Said::Fail;
    world.until(world.now + 5 * MINUTE);
    assert!(fails(&world, "a"));
    let since = world.phase("a").since[0];
    world.play("a").again = Said::Unknown;
    world.until(world.now + 10 * MINUTE);
    assert!(fails(&world, "a") && world.phase("a").since[0] == since, "it stays red");
    // A person's question is written down whatever it brings, and changes no more.
    world.ask(Request::Verify { goal: "g".into() });
    world.settle();
    assert!(
        fails(&world, "a") && again(&world).last().unwrap().1 == Said::Unknown || again(&world).iter().any(|one| one.1 == Said::Unknown)
    );
}

#[test]
fn the_next_engine_keeps_the_promise() {
    for (dies_after, next) in [(MINUTE, 5 * MINUTE), (12 * MINUTE, 15 * MINUTE)] {
        let mut world = up();
        let ended = world.now;
        world.until(ended + dies_after);
        let before = rounds(&world).len();
        world.restart();
        world.until(ended + next - 100);
        assert_eq!(rounds(&world).len(), before);
        world.until(ended + next + 200);
        assert_eq!(rounds(&world).len(), before + 1, "at its time");
        world.now += 60 * MINUTE;
        world.restart();
        world.until(world.now + 100);
        assert_eq!(rounds(&world).len(), before + 2, "overdue: at once, and once");
    }
}

#[test]
fn a_goal_that_is_asked_every_second_fills_no_journal() {
    let mut world = World::new();
    world.carry_out(every(1000, plan(2, vec![server("a")])));
    world.until(world.now + 10 * MINUTE);
    assert!((9..=10).contains(&rounds(&world).len()) && again(&world).is_empty(), "{:?}", rounds(&world));
}

fn promises(world: &World) -> bool {
    world.kernel.state().reverified().next().is_some()
}

#[test]
fn only_a_run_that_ended_well_promises() {
    let mut world = up();
    world.exits("b", &[1]);
    world.plays.insert("g.2/a".to_owned(), super::script::Play { fingerprint: "f2".to_owned(), ..super::script::Play::default() });
    world.carry_out(every(5 * MINUTE, plan(2, vec![server("a"), job("b").needs(&["a"])])));
    assert_eq!((world.verdict(), promises(&world)), (Verdict::Failed, false));
    let written = world.records.len();
    world.until(world.now + 30 * MINUTE);
    assert_eq!(world.records.len(), written);
    let mut world = World::new();
    world.carry_out_once(every(5 * MINUTE, plan(2, vec![server("a")])));
    assert!(!world.kernel.is_needed());
}

#[test]
fn a_round_that_is_stopped_changes_nothing_and_another_follows() {
    let mut world = up();
    world.look_takes = 10_000;
    world.ask(Request::Verify { goal: "g".into() });
    assert!(world.kernel.is_verifying(&"g".into()));
    assert_eq!(world.ask(Request::Stop { goal: "g".into(), reason: StopReason::Person, force: false }), None);
    world.settle();
    assert!(again(&world).is_empty() && !world.kernel.is_verifying(&"g".into()));
    world.look_takes = 1;
    world.until(world.now + 6 * MINUTE);
    assert_eq!(rounds(&world).len(), 1);
}

#[test]
fn what_held_only_then_is_not_asked_again() {
    let mut world = World::new();
    let mut declared = every(5 * MINUTE, plan(2, vec![server("a")]));
    for check in &mut declared.phases[0].spec.verify.as_mut().unwrap().checks {
        check.holds = Some(Holds::Then);
    }
    world.carry_out(declared);
    world.play("a").again = Said::Fail;
    world.until(world.now + 30 * MINUTE);
    assert!(again(&world).is_empty() && world.phase("a").held.is_none());
}

#[test]
fn a_run_that_begins_while_its_predecessor_is_asked_has_no_use_for_the_answers() {
    let mut world = up();
    world.look_takes = 500;
    world.ask(Request::Verify { goal: "g".into() });
    world.carry_out(plan(2, vec![server("a"), job("b").needs(&["a"])]));
    assert!(again(&world).is_empty() && world.verdict() == Verdict::Verified);
}
