//! Attempts: retries, timeouts, and what a failed one must not leave.

use std::collections::HashSet;

use opensculpt::kernel::action::{Effect, EffectId, Exit, Seen};
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::explain::limits::Limit;

use super::plans::{job, phase, plan, server};
use super::script::{Service, Try};
use super::world::World;

fn started(record: &Record) -> bool {
    matches!(record, Record::AttemptStarted { .. })
}

#[test]
fn each_retry_waits_its_backoff_to_the_millisecond() {
    let mut world = World::new();
    world.exits("a", &[1, 1, 1, 1, 0]);
    world.carry_out(plan(1, vec![job("a").retry(5, 100, 3.0, 1000)]));
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Proven), "the red of before the first attempt is kept");
    let starts = world.times(started);
    let failed = world.times(|record| matches!(record, Record::AttemptFailed { .. }));
    let pauses: Vec<u64> = starts[1..].iter().zip(&failed).map(|(start, failed)| start - failed).collect();
    assert_eq!(pauses, [100, 300, 900, 1000], "initial × factor^(n−1), at most max");
    assert_eq!(world.phase("a").failures.len(), 4);
    let before = world.records.iter().filter(|(_, record)| record.event() == "answered").count();
    assert_eq!(before, 2, "a check is asked once before the work, whatever the number of attempts");
}

#[test]
fn attempts_count_every_try_and_then_it_has_failed() {
    let mut world = World::new();
    world.exits("a", &[1, 7]);
    world.carry_out(plan(1, vec![job("a").retry(2, 1, 1.0, 1)]));
    assert_eq!((world.outcome("a"), world.phase("a").why.as_str()), (Outcome::Failed, "the command ended with exit 7"));
    assert_eq!(world.did("work g/a"), 2);
}

#[test]
fn a_failing_check_is_retried_like_failing_work() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Fail], ..Try::default() }, Try::default()];
    world.carry_out(plan(1, vec![job("a").retry(2, 1, 1.0, 1)]));
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Proven));
}

#[test]
fn a_pause_between_attempts_holds_no_slot() {
    let mut world = World::new();
    world.exits("a", &[1, 0]);
    world.carry_out(plan(1, vec![job("a").retry(2, 10_000, 1.0, 10_000), job("b")]));
    assert!(world.phase("b").ended < world.phase("a").ended);
}

#[test]
fn the_exit_status_names_the_fault() {
    let faults = [
        (Exit::Code(1), Fault::WorkFailed),
        (Exit::Code(126), Fault::Permission),
        (Exit::Code(127), Fault::MissingCommand),
        (Exit::Signal(9), Fault::Killed),
    ];
    for (exit, fault) in faults {
        let mut world = World::new();
        world.play("a").tries = vec![Try { exit, ..Try::default() }];
        world.carry_out(plan(1, vec![job("a")]));
        assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(fault)));
    }
}

#[test]
fn a_timeout_ends_the_work_before_the_phase_has_failed() {
    let mut world = World::new();
    world.end_takes = 4000;
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }];
    world.start(plan(1, vec![job("a").timeout(500), job("b")]));
    world.until(1002 + 500 + 3999);
    assert_eq!((world.effects().last().map(String::as_str), world.phase("a").state), (Some("end g/a"), PhaseState::Running));
    assert!(world.is_alive("g/a"), "it takes its time");
    assert_eq!(world.did("work g/b"), 0, "what is still being ended is at work, and holds its slot");
    world.settle();
    assert!(!world.is_alive("g/a"));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::TimedOut)));
    assert_eq!(world.phase("a").ended.unwrap().0, 1002 + 500 + 4000);
    assert_eq!(world.outcome("b"), Outcome::Verified);
    assert!(world.is_at_rest());
}

#[test]
fn a_timeout_is_retried_only_when_the_first_attempt_is_gone() {
    let mut world = World::new();
    world.jitter = 20;
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }, Try::default()];
    world.carry_out(plan(1, vec![job("a").timeout(500).retry(2, 1, 1.0, 1)]));
    assert_eq!(world.outcome("a"), Outcome::Verified);
}

#[test]
fn verification_has_times_of_its_own() {
    let mut world = World::new();
    world.look_takes = 1000;
    world.carry_out(plan(1, vec![job("a").timeout(500)]));
    assert_eq!(world.outcome("a"), Outcome::Verified);
}

#[test]
fn a_timeout_while_a_resource_is_made_waits_for_it_and_removes_it() {
    for kind in [phase("a").directory("d", Scope::Phase), phase("a").custom("d", Scope::Goal)] {
        let mut world = World::new();
        world.make_takes = 2000;
        world.carry_out(plan(1, vec![kind.work().timeout(500)]));
        assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::TimedOut)));
        assert!(world.there.is_empty(), "{:?}", world.effects());
        assert_eq!(world.resource("g/a/d"), ResourceState::Gone);
        assert!(world.is_at_rest());
    }
}

#[test]
fn a_failed_attempt_takes_what_it_started_and_keeps_directories_of_the_goal() {
    let mut world = World::new();
    world.exits("a", &[1]);
    let draft = phase("a")
        .directory("tmp", Scope::Phase)
        .directory("data", Scope::Goal)
        .serve("helper", Scope::Phase)
        .serve("svc", Scope::Goal)
        .work();
    world.carry_out(plan(1, vec![draft]));
    assert_eq!(world.outcome("a"), Outcome::Failed);
    assert!(world.alive.is_empty());
    assert_eq!(world.there.iter().map(String::as_str).collect::<Vec<_>>(), ["g/a/data"]);
    let ends: Vec<String> = world.effects().into_iter().filter(|effect| !effect.starts_with("make")).collect();
    assert_eq!(ends, ["serve g/a/helper", "serve g/a/svc", "work g/a", "end g/a/svc", "end g/a/helper", "remove g/a/tmp"]);
}

#[test]
fn a_failed_attempt_keeps_no_process_whatever_it_declares() {
    let mut world = World::new();
    world.exits("a", &[1]);
    world.carry_out(plan(1, vec![phase("a").serve("svc", Scope::Goal).keep("svc", true).work()]));
    assert!(world.alive.is_empty());
}

#[test]
fn a_verified_phase_keeps_what_outlives_it_and_nothing_else() {
    let mut world = World::new();
    world.carry_out(plan(
        1,
        vec![phase("a").directory("tmp", Scope::Phase).serve("helper", Scope::Phase).serve("svc", Scope::Goal).checks(1)],
    ));
    assert_eq!(world.outcome("a"), Outcome::Verified);
    assert!(world.is_alive("g/a/svc") && !world.is_alive("g/a/helper"));
    assert!(world.there.is_empty());
}

#[test]
fn what_is_half_made_is_destroyed_with_the_attempt() {
    for scope in [Scope::Phase, Scope::Goal] {
        let mut world = World::new();
        world.half_made.insert("g/a/cloud".to_owned());
        world.carry_out(plan(4, vec![phase("a").custom("cloud", scope).work().checks(1)]));
        assert_eq!((world.outcome("a"), world.did("remove g/a/cloud"), world.did("work g/a")), (Outcome::Failed, 1, 0));
        assert!(world.there.is_empty());
    }
}

#[test]
fn what_is_half_made_and_kept_is_destroyed_by_down_with_volumes() {
    let mut world = World::new();
    world.half_made.insert("g/a/cloud".to_owned());
    world.carry_out(plan(4, vec![phase("a").custom("cloud", Scope::Goal).keep("cloud", true).work().checks(1)]));
    assert_eq!((world.resource("g/a/cloud"), world.did("remove g/a/cloud")), (ResourceState::Unhealthy, 0));
    world.down(true);
    world.settle();
    assert_eq!((world.resource("g/a/cloud"), world.there.len()), (ResourceState::Gone, 0));
}

#[test]
fn what_could_not_be_looked_for_is_not_sculpts() {
    let mut world = World::new();
    world.there.insert("g/a/cloud".to_owned());
    world.taken.insert("g/a/cloud".to_owned());
    world.carry_out(plan(4, vec![phase("a").custom("cloud", Scope::Goal).work().checks(1)]));
    assert_eq!((world.resource("g/a/cloud"), world.did("remove g/a/cloud")), (ResourceState::Gone, 0));
}

#[test]
fn what_an_engine_that_died_had_begun_to_make_is_destroyed_by_the_next() {
    let mut world = World::new();
    world.make_takes = 1000;
    world.half_made.insert("g/a/cloud".to_owned());
    world.start(plan(4, vec![phase("a").custom("cloud", Scope::Goal).work().checks(1)]));
    let begun = |record: &Record| matches!(record, Record::Observed { seen: Seen::Begun { .. }, .. });
    while world.times(begun).is_empty() {
        assert!(world.step());
    }
    world.restart();
    world.settle();
    assert_eq!(
        (world.resource("g/a/cloud"), world.did("remove g/a/cloud")),
        (ResourceState::Gone, 2),
        "and what the next try had begun too"
    );
    assert!(world.there.is_empty());
}

#[test]
fn limits_that_could_not_be_set_are_known_of_the_run_and_nothing_else_follows() {
    let mut world = World::new();
    world.start(plan(4, vec![server("a"), job("b").needs(&["a"])]));
    let mut told = HashSet::new();
    loop {
        let effects = world.kernel.state().effects.iter();
        let limited = |effect: &Effect| matches!(effect, Effect::Prepare { .. } | Effect::Serve { .. } | Effect::Work { .. });
        let open: Vec<EffectId> = effects.filter(|(_, open)| limited(&open.effect)).map(|(id, _)| *id).collect();
        for id in open.into_iter().filter(|id| told.insert(*id)) {
            for limit in [Limit::Pids, Limit::Memory, Limit::Pids] {
                let seen = Seen::Unenforced { limits: vec![limit], why: "the kernel says no".to_owned() };
                assert_eq!(world.give(Input::Seen { id, seen }), None);
            }
        }
        if !world.step() {
            break;
        }
    }
    assert_eq!((world.verdict(), told.len()), (Verdict::Verified, 3));
    let missed = |world: &World| {
        let missed = world.run().options.unenforced.clone().into_iter();
        missed.map(|missed| (missed.owner.to_string(), missed.limits)).collect::<Vec<_>>()
    };
    let both = vec![Limit::Memory, Limit::Pids];
    assert_eq!(missed(&world), ["g", "g/a/svc", "g/b"].map(|owner| (owner.to_owned(), both.clone())));
    world.restart();
    assert_eq!(missed(&world).len(), 3, "it is in the records");
}

#[test]
fn a_directory_that_was_there_before_is_left_alone() {
    let mut world = World::new();
    world.there.insert("g/a/tmp".to_owned());
    world.exits("a", &[1]);
    world.carry_out(plan(1, vec![phase("a").directory("tmp", Scope::Phase).work()]));
    assert!(world.there.contains("g/a/tmp"));
    assert_eq!((world.did("remove g/a/tmp"), world.resource("g/a/tmp")), (0, ResourceState::Gone));
}

#[test]
fn a_port_that_is_taken_fails_before_the_work_and_a_free_one_is_released() {
    let mut world = World::new();
    world.taken.insert("g/a/http".to_owned());
    world.carry_out(plan(1, vec![phase("a").port("http").work(), phase("b").port("http").work()]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::PortTaken)));
    assert_eq!((world.did("work g/a"), world.outcome("b")), (0, Outcome::Unverified));
    assert_eq!((world.resource("g/b/http"), world.did("remove g/b/http")), (ResourceState::Gone, 0));
}

#[test]
fn a_service_that_is_late_is_waited_for_without_a_slot() {
    let mut world = World::new();
    world.play("a").service.ready_after = Some(5000);
    world.carry_out(plan(1, vec![server("a"), job("b"), job("c").needs(&["a"])]));
    assert_eq!((world.outcome("a"), world.outcome("b"), world.outcome("c")), (Outcome::Verified, Outcome::Verified, Outcome::Verified));
    assert!(world.phase("b").ended.unwrap().0 < 2000 && world.phase("a").ended.unwrap().0 > 6000);
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn a_service_that_is_never_ready_fails_after_two_minutes_or_the_timeout_and_is_ended() {
    for (draft, fault, span) in [(server("a"), Fault::NotReady, 120_000), (server("a").timeout(3000), Fault::TimedOut, 3000)] {
        let mut world = World::new();
        world.play("a").service.ready_after = None;
        world.carry_out(plan(1, vec![draft]));
        assert_eq!(world.outcome("a"), Outcome::Failed);
        assert!([fault, Fault::NotReady].contains(&world.phase("a").fault.unwrap()));
        let took = world.phase("a").ended.unwrap().0 - 1000;
        assert!((span..span + 50).contains(&took), "{took}");
        assert!(world.alive.is_empty() && world.is_at_rest());
    }
}

#[test]
fn a_service_that_ends_before_it_is_ready_fails_at_once() {
    let mut world = World::new();
    world.play("a").service = Service { ready_after: None, lives: Some(100), exit: Exit::Code(3), ..Service::default() };
    world.carry_out(plan(1, vec![server("a").retry(3, 10, 1.0, 10)]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::ServiceExited)));
    assert_eq!((world.phase("a").attempt, world.phase("a").failures.len()), (3, 2));
    assert_eq!(world.phase("a").why, "svc ended with exit 3 before it was ready");
}

#[test]
fn a_service_that_cannot_be_started_fails_with_its_evidence() {
    let mut world = World::new();
    world.play("a").service.broken = true;
    world.carry_out(plan(1, vec![server("a")]));
    assert_eq!((world.outcome("a"), world.phase("a").why.as_str()), (Outcome::Failed, "no such program"));
    assert!(world.is_at_rest());
}

#[test]
fn a_service_that_has_to_end_well_may_and_is_no_broken_promise() {
    for (code, outcome) in [(0, Outcome::Verified), (1, Outcome::Failed)] {
        let mut world = World::new();
        world.play("a").service = Service { ready_after: None, lives: Some(100), exit: Exit::Code(code), ..Service::default() };
        world.carry_out(plan(1, vec![phase("a").start("init", Scope::Goal).complete("init").work().checks(1), job("b").needs(&["a"])]));
        assert_eq!(world.outcome("a"), outcome);
        assert_eq!(world.verdict() == Verdict::Verified, code == 0, "{}", world.end_why());
    }
}

#[test]
fn a_service_may_be_seen_to_end_before_it_is_seen_to_start() {
    for seed in 0..40 {
        let mut world = World::new();
        world.seed(seed, 30);
        world.play("a").service = Service { ready_after: None, lives: Some(1), exit: Exit::Code(3), ..Service::default() };
        world.carry_out(plan(1, vec![server("a").retry(2, 1, 1.0, 1)]));
        assert_eq!((world.outcome("a"), world.verdict()), (Outcome::Failed, Verdict::Failed));
    }
}

#[test]
fn the_end_of_an_earlier_attempts_service_is_not_taken_for_that_of_the_next() {
    for seed in 0..40 {
        let mut world = World::new();
        world.seed(seed, 60);
        world.exits("a", &[1, 0]);
        world.carry_out(plan(1, vec![phase("a").serve("svc", Scope::Goal).work().checks(1).retry(2, 1, 1.0, 1)]));
        assert_eq!(world.outcome("a"), Outcome::Verified, "{}", world.phase("a").why);
        assert_eq!((world.resource("g/a/svc"), world.is_alive("g/a/svc")), (ResourceState::Ready, true));
    }
}

#[test]
fn survivors_are_killed_again_and_then_reported_and_never_green() {
    let mut world = World::new();
    world.stubborn.insert("g/a/helper".to_owned(), 99);
    world.carry_out(plan(1, vec![phase("a").serve("helper", Scope::Phase).work().checks(1)]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Unknown, Some(Fault::Survivors)));
    assert_eq!((world.did("end g/a/helper"), world.did("kill g/a/helper")), (1, 2));
    assert_eq!((world.verdict(), world.survivors()), (Verdict::Failed, 1));
}

#[test]
fn work_that_would_not_end_does_not_hold_the_run_for_ever() {
    let mut world = World::new();
    world.stubborn.insert("g/a".to_owned(), 99);
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }];
    world.carry_out(plan(1, vec![job("a").timeout(100).retry(3, 1, 1.0, 1), job("b")]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::Survivors)));
    assert_eq!(world.did("work g/a"), 1, "its successor would meet it");
    assert_eq!((world.outcome("b"), world.verdict(), world.survivors()), (Outcome::Verified, Verdict::Failed, 1));
}

#[test]
fn survivors_of_a_command_that_ended_are_killed_and_looked_for_again() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { survivors: vec![5], ..Try::default() }];
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::Survivors)));
    assert_eq!((world.did("kill g/a"), world.survivors()), (1, 0), "the last look found none");
}

#[test]
fn a_removal_that_fails_is_tried_again_and_never_recorded_as_done() {
    let mut world = World::new();
    world.unremovable.insert("g/a/tmp".to_owned());
    world.carry_out(plan(1, vec![phase("a").directory("tmp", Scope::Phase).work().checks(1)]));
    assert_eq!((world.outcome("a"), world.did("remove g/a/tmp")), (Outcome::Unknown, 3));
    assert_eq!(world.phase("a").why, "failed to remove g/a/tmp: device busy");
    assert_ne!(world.resource("g/a/tmp"), ResourceState::Gone);
}
