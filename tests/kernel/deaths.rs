//! Engines that die at every record, also in the middle of a commit, and the next one that goes on.

use opensculpt::base::time::Span;
use opensculpt::kernel::action::Exit;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, StopReason};
use opensculpt::manifest::resource::Scope;
use opensculpt::manifest::verify::Tier;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{job, phase, plan, server};
use super::script::{Try, says};
use super::world::World;
use opensculpt::kernel::answer::Said;

/// Some of everything: services, a directory of the attempt, a failure with another try, a phase without work, `finally`.
fn drafts() -> Plan {
    plan(
        2,
        vec![
            server("a").directory("data", Scope::Goal),
            phase("b").directory("tmp", Scope::Phase).custom("db", Scope::Phase).work().checks(2).needs(&["a"]).retry(2, 20, 1.0, 20),
            phase("c").serve("helper", Scope::Phase).work().serve("svc", Scope::Goal).checks(1).needs(&["a"]),
            phase("w").checks(1).needs(&["b"]),
            job("z").part(Part::Finally),
        ],
    )
}

fn scripted() -> World {
    let mut world = World::new();
    world.exits("b", &[1, 0]);
    world
}

/// Carries the plan out with engines that die after so many records.
fn carried_out(world: &mut World, dies_after: usize, draw_up: &dyn Fn() -> Plan) {
    world.dies_after = Some(dies_after);
    world.start(draw_up());
    if !world.kernel.state().goals.contains_key("g") {
        world.start(draw_up()); // It died before the run was recorded: whoever asked has no answer, and asks again.
    }
    world.settle();
}

#[test]
fn a_run_ends_as_it_would_have_whichever_record_its_engine_dies_after() {
    let mut whole = scripted();
    whole.start(drafts());
    whole.settle();
    assert_eq!(whole.verdict(), Verdict::Verified);
    for died in 0..whole.records.len() {
        let mut world = scripted();
        carried_out(&mut world, died, &drafts);
        assert_eq!(world.deaths, 1);
        assert_eq!(world.verdict(), Verdict::Verified, "died after {died}: {:?}", world.standing());
        assert!(world.is_repeated_nowhere(), "died after {died}");
        assert!(world.is_at_rest() && world.is_alive("g/a/svc") && world.is_alive("g/c/svc"), "died after {died}");
        assert_eq!(world.alive.len(), 2, "died after {died}");
        world.down(true);
        world.settle();
        assert!(world.alive.is_empty() && world.is_at_rest() && world.there.is_empty(), "died after {died}: {:?}", world.there);
    }
}

#[test]
fn a_run_ends_also_where_what_a_dead_engine_left_would_not_end() {
    let mut whole = scripted();
    whole.start(drafts());
    whole.settle();
    let mut barred = 0;
    for place in ["g/a/svc", "g/b", "g/c/helper", "g/c", "g/c/svc", "g/z"] {
        for died in 0..whole.records.len() {
            let mut world = scripted();
            world.stubborn.insert(place.to_owned(), 99);
            carried_out(&mut world, died, &drafts);
            let case = format!("{place}, died after {died}: {:?}", world.standing());
            assert!(world.run().ended.is_some(), "{case}");
            barred += usize::from(matches!(world.run().stopping, Some((StopReason::Unprepared, _))));
            assert!(world.is_repeated_nowhere(), "{case}");
            // Once it would end after all, nothing of it stays.
            world.stubborn.clear();
            world.down(true);
            world.settle();
            assert!(world.alive.is_empty() && world.is_at_rest() && world.there.is_empty(), "{case}, {:?}", world.there);
        }
    }
    assert!(barred > 6, "each place is left once at least: {barred}");
}

#[test]
fn engines_may_die_one_after_the_other() {
    for step in 1..25 {
        let mut world = scripted();
        carried_out(&mut world, step, &drafts);
        let mut rounds = 0;
        while world.run().ended.is_none() {
            world.dies_after = Some(world.records.len() + step);
            rounds += 1;
            if !world.step() {
                world.restart();
            }
            assert!(rounds < 10_000, "every {step} records: {:?}", world.standing());
            if rounds > 200 {
                world.dies_after = None;
                world.settle();
            }
        }
        assert_eq!(world.verdict(), Verdict::Verified, "every {step} records: {:?}", world.standing());
        assert!(world.is_repeated_nowhere());
    }
}

#[test]
fn a_stop_is_gone_on_with_whichever_record_its_engine_dies_after() {
    for at in [1010, 1060, 1120] {
        let mut whole = scripted();
        whole.start(drafts());
        whole.until(at);
        let before = whole.records.len();
        whole.stop(false);
        whole.settle();
        for died in before..whole.records.len() {
            let mut world = scripted();
            world.start(drafts());
            world.until(at);
            world.dies_after = Some(died);
            world.stop(false);
            if world.run().stopping.is_none() {
                world.stop(false);
            }
            world.settle();
            assert_eq!(world.verdict(), Verdict::Cancelled, "at {at} died after {died}");
            assert!(world.alive.is_empty() && world.is_at_rest(), "at {at} died after {died}: {:?}", world.alive);
        }
    }
}

#[test]
fn an_engine_that_begins_to_stop_a_goal_begins_nothing_of_it() {
    let mut whole = scripted();
    whole.start(drafts());
    whole.settle();
    for died in 0..whole.records.len() {
        let mut world = scripted();
        world.dies_after = Some(died);
        world.stops = Some("g".into());
        world.start(drafts());
        world.settle();
        let next = world.records.iter().rposition(|(_, record)| matches!(record, Record::EngineStarted { .. })).unwrap();
        let begun =
            world.records.iter().skip(next).filter(|(_, record)| matches!(record, Record::AttemptStarted { phase, .. } if phase.at() < 4));
        assert_eq!(begun.count(), 0, "died after {died}: {:?}", world.standing());
        if world.kernel.state().goals.contains_key("g") {
            assert!(world.run().ended.is_some() && world.is_at_rest(), "died after {died}: {:?}", world.standing());
        }
    }
}

#[test]
fn a_person_is_heard_once_whichever_record_the_engine_dies_after() {
    let draw_up = || plan(4, vec![server("a"), phase("p").work().checks(1).tier(Tier::AskUser).needs(&["a"]), job("b").needs(&["p"])]);
    let mut whole = World::new();
    whole.carry_out(draw_up());
    whole.reply("g/p", true);
    whole.settle();
    for died in 0..whole.records.len() {
        let mut world = World::new();
        carried_out(&mut world, died, &draw_up);
        if world.phase("p").reply.is_none() {
            world.reply("g/p", true);
            if world.phase("p").reply.is_none() {
                world.reply("g/p", true);
            }
        }
        world.settle();
        assert_eq!((world.verdict(), world.outcome("b")), (Verdict::Verified, Outcome::Verified), "died after {died}");
        assert_eq!(world.times(|record| matches!(record, Record::Replied { .. })).len(), 1, "died after {died}");
    }
}

#[test]
fn work_that_ends_unseen_is_believed_only_where_its_checks_were_red() {
    // Before the work, attempts, outcome, attempts in all.
    for (before, retry, expected, attempts) in [(Said::Fail, 1, Outcome::Verified, 1), (Said::Pass, 1, Outcome::Unverified, 2)] {
        let mut world = World::new();
        world.play("a").before = vec![says(before)];
        world.play("a").tries = vec![Try { takes: Some(100), ..Try::default() }];
        world.start(plan(1, vec![job("a").retry(retry, 5, 1.0, 5)]));
        world.until(1050);
        world.restart();
        world.settle();
        assert_eq!((world.outcome("a"), world.phase("a").attempt), (expected, attempts), "{before:?}");
        if before == Said::Fail {
            assert!(world.phase("a").why.contains("no engine watched") && world.ending("a").1 == Proof::Proven);
        }
    }
}

#[test]
fn what_is_lost_with_an_engine_counts_as_no_try() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { takes: Some(100), ..Try::default() }, Try { exit: Exit::Code(1), ..Try::default() }, Try::default()];
    world.start(plan(1, vec![phase("a").work().retry(2, 5, 1.0, 5)]));
    world.until(1050);
    world.restart();
    world.settle();
    let faults: Vec<Fault> = world.phase("a").failures.iter().map(|failure| failure.fault).collect();
    assert_eq!(faults, [Fault::EngineDied, Fault::WorkFailed]);
    assert_eq!((world.outcome("a"), world.phase("a").attempt), (Outcome::Unverified, 3));
}

#[test]
fn a_timeout_counts_from_the_attempts_own_start() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }];
    world.start(plan(1, vec![job("a").timeout(200)]));
    world.until(1100);
    world.restart();
    world.settle();
    let failed = world.times(|record| matches!(record, Record::PhaseEnded { fault: Some(Fault::TimedOut), .. }));
    assert!(failed.len() == 1 && failed[0] >= 1200 && failed[0] <= 1260, "{failed:?}");
    assert_eq!(Span(200).0, 200);
}

#[test]
fn a_service_that_died_with_the_engine_is_a_failure() {
    let mut world = World::new();
    world.play("a").service.lives = Some(5000);
    world.start(plan(1, vec![server("a")]));
    world.until(3000);
    world.restart();
    assert!(world.is_alive("g/a/svc"));
    world.until(20_000);
    let exit = world.kernel.state().resource(&"g/a/svc".parse().unwrap()).and_then(|resource| resource.exit);
    assert_eq!(exit, Some(Exit::Unseen), "the next engine watches it, and does not know how it ended");
}

#[test]
fn the_limits_of_a_goal_are_set_anew_before_anything_goes_on() {
    let draw_up = || {
        let mut plan = plan(1, vec![job("a"), job("b")]);
        plan.limits.pids = Some(50);
        plan
    };
    let mut world = World::new();
    world.start(draw_up());
    world.until(1005);
    world.restart();
    assert!(world.kernel.is_recovering());
    world.settle();
    assert_eq!((world.did("limit g"), world.verdict()), (1, Verdict::Verified));
}

#[test]
fn work_whose_service_died_unseen_holds_its_slot_until_it_is_ended() {
    let mut world = World::new();
    world.play("a").service.lives = Some(500);
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }];
    world.end_takes = 300;
    world.start(plan(1, vec![phase("a").serve("side", Scope::Phase).work(), job("b").retry(2, 700, 1.0, 700)]));
    world.exits("b", &[1, 0]);
    world.until(1600);
    assert!(!world.is_alive("g/a/side") && world.is_alive("g/a"), "only work is waited for");
    world.restart();
    world.settle();
    assert_eq!((world.outcome("a"), world.outcome("b"), world.peak), (Outcome::Failed, Outcome::Verified, 1));
}
