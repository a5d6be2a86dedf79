//! Services that end by themselves, and are started again.

use opensculpt::base::owner::Owner;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::{Effect, Exit, Seen, Shown};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::process::{Restart, RestartLimits};
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{Draft, job, phase, plan, server};
use super::script::{Service, Try};
use super::world::World;

const SVC: &str = "g/a/svc";

/// So many restarts within so many milliseconds, and the count begins anew after it ran so long.
fn limits(attempts: u32, interval: u64, reset_after: Option<u64>) -> RestartLimits {
    RestartLimits { attempts: Some(attempts), interval: Some(Span(interval)), reset_after: reset_after.map(Span) }
}

fn restarted(policy: Restart) -> Draft {
    server("a").restart("svc", policy, RestartLimits::default())
}

fn up(policy: Restart) -> World {
    up_with(restarted(policy))
}

fn up_with(draft: Draft) -> World {
    let mut world = World::new();
    world.carry_out(plan(1, vec![draft]));
    assert_eq!(world.verdict(), Verdict::Verified);
    world
}

/// When the service was asked for, also those starts that came to nothing.
fn starts(world: &World) -> Vec<u64> {
    world.times(|record| matches!(record, Record::Requested { owner, effect: Effect::Serve { .. }, .. } if owner.to_string() == SVC))
}

/// How a place stands, and why its restarts were given up.
fn given_up(world: &World) -> Option<String> {
    world.kernel.state().resource(&SVC.parse().unwrap())?.restarts.given_up.clone()
}

/// Ends the service with this exit as soon as it is there.
fn ends(world: &mut World, exit: Exit) {
    let owner: Owner = SVC.parse().unwrap();
    let id = world.alive.remove(&owner).unwrap_or_else(|| panic!("it is not there: {:?}", world.standing()));
    world.exited(id, exit, Vec::new());
}

#[test]
fn after_the_run_each_policy_answers_each_exit() {
    let on_failure = [false, true, true, true];
    let all = [true; 4];
    for (policy, answers) in
        [(Restart::No, [false; 4]), (Restart::OnFailure, on_failure), (Restart::Always, all), (Restart::UnlessStopped, all)]
    {
        for (exit, again) in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Unseen].into_iter().zip(answers) {
            let mut world = up(policy);
            ends(&mut world, exit);
            world.settle_for(100);
            assert_eq!(world.is_alive(SVC), again, "{policy:?} {exit}");
            let stands = if again { ResourceState::Ready } else { ResourceState::Gone };
            assert_eq!(world.resource(SVC), stands, "{policy:?} {exit}: it is ready again, and the goal with it");
            assert_eq!(given_up(&world), None, "{policy:?} {exit}");
        }
    }
}

#[test]
fn the_first_restart_is_at_once_and_the_pauses_double_up_to_a_minute() {
    let mut world = up_with(server("a").restart("svc", Restart::Always, limits(12, 1_000_000, None)));
    for _ in 0..13 {
        world.until(world.now + 100_000);
        if world.is_alive(SVC) {
            ends(&mut world, Exit::Code(0));
        }
    }
    let pauses: Vec<u64> = world
        .records
        .iter()
        .filter_map(|(now, record)| match record {
            Record::Restarting { at, .. } => Some(at.0 - now),
            _ => None,
        })
        .collect();
    assert_eq!(pauses[..9], [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
}

#[test]
fn a_service_that_ends_at_once_each_time_is_given_up_at_its_limit_and_stays_down() {
    let mut world = up(Restart::OnFailure);
    world.play("a").service.lives = Some(5);
    ends(&mut world, Exit::Signal(9));
    world.settle_for(3_600_000);
    assert_eq!(starts(&world).len(), 1 + 5, "five restarts in ten minutes, where nothing is said");
    assert_eq!(world.resource(SVC), ResourceState::Gone);
    let why = given_up(&world).unwrap();
    assert_eq!(why, "it ended with exit 1, after it was started again 5 times within 10m: its `restart_limits` allow no more");
    assert!(!world.kernel.is_needed(), "nobody stays at work for what stays down");
    world.restart();
    world.settle_for(3_600_000);
    assert_eq!(starts(&world).len(), 6, "nor does the next engine start it");
}

#[test]
fn what_could_not_be_started_again_counts_like_what_failed() {
    let mut world = up(Restart::OnFailure);
    world.play("a").service.broken_at = vec![2, 3];
    ends(&mut world, Exit::Code(1));
    world.settle_for(10_000);
    assert_eq!(world.resource(SVC), ResourceState::Ready);
    assert_eq!(starts(&world).len(), 4);
    let owner = SVC.parse().unwrap();
    let made = world.kernel.state().resource(&owner).unwrap();
    assert_eq!(made.restarts.why, "it could not be started again: no such program");
    assert_eq!((made.restarts.done, made.restarts.counted.len()), (3, 3));
}

#[test]
fn restarts_that_are_long_past_do_not_count_and_those_before_a_long_run_neither() {
    let mut world = up_with(server("a").restart("svc", Restart::Always, limits(1, 10_000, None)));
    ends(&mut world, Exit::Code(0));
    world.settle_for(10_000);
    ends(&mut world, Exit::Code(0));
    world.settle_for(100);
    assert_eq!(world.resource(SVC), ResourceState::Ready, "the interval is over");
    ends(&mut world, Exit::Code(0));
    world.settle_for(100);
    assert_eq!(world.resource(SVC), ResourceState::Gone, "one is the limit");

    let mut world = up_with(server("a").restart("svc", Restart::Always, limits(1, 1_000_000, Some(5000))));
    for _ in 0..4 {
        ends(&mut world, Exit::Code(0));
        world.settle_for(5000);
        assert_eq!(world.resource(SVC), ResourceState::Ready, "it ran for `reset_after`");
    }
    ends(&mut world, Exit::Code(0));
    world.settle_for(4000);
    ends(&mut world, Exit::Code(0));
    world.settle_for(100);
    assert_eq!(world.resource(SVC), ResourceState::Gone, "it did not");
}

#[test]
fn an_attempt_goes_on_waiting_for_a_service_that_ends_before_it_is_ready() {
    let mut world = World::new();
    world.play("a").service = Service { ready_after: Some(200), lives: Some(50), dies: Some(3), ..Service::default() };
    world.carry_out(plan(1, vec![restarted(Restart::OnFailure)]));
    assert_eq!(world.outcome("a"), Outcome::Verified);
    assert_eq!((world.phase("a").attempt, starts(&world).len()), (1, 4));
}

#[test]
fn an_attempt_fails_once_the_limit_of_its_service_is_reached() {
    let mut world = World::new();
    world.play("a").service = Service { ready_after: Some(200), lives: Some(50), ..Service::default() };
    world.carry_out(plan(1, vec![server("a").restart("svc", Restart::OnFailure, limits(2, 600_000, None))]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::ServiceExited)));
    assert_eq!(starts(&world).len(), 3);
    assert!(world.phase("a").why.contains("started again 2 times within 10m"), "{}", world.phase("a").why);
    assert!(world.is_at_rest());
}

#[test]
fn an_attempt_waits_no_longer_for_a_service_that_is_started_again_than_for_another() {
    let mut world = World::new();
    world.play("a").service = Service { ready_after: None, lives: Some(400), ..Service::default() };
    world.carry_out(plan(1, vec![server("a").timeout(3000).restart("svc", Restart::Always, limits(1000, 1000, None))]));
    assert_eq!(world.outcome("a"), Outcome::Failed);
    assert!(world.now < 10_000 && world.alive.is_empty() && world.is_at_rest(), "{:?}", world.standing());
}

#[test]
fn a_service_that_others_wait_for_is_done_once_it_ended_well_whatever_its_policy() {
    for policy in [Restart::No, Restart::OnFailure, Restart::Always, Restart::UnlessStopped] {
        let mut world = World::new();
        world.play("a").service = Service { lives: Some(10), exit: Exit::Code(0), ..Service::default() };
        world.carry_out(plan(
            1,
            vec![phase("a").start("svc", Scope::Goal).complete("svc").restart("svc", policy, RestartLimits::default())],
        ));
        world.settle_for(600_000);
        assert_eq!((world.outcome("a"), starts(&world).len()), (Outcome::Unverified, 1), "{policy:?}");
        assert_eq!(world.verdict(), Verdict::Verified, "{policy:?}");
    }
}

#[test]
fn a_service_that_others_wait_for_is_tried_until_it_ends_well() {
    let mut world = World::new();
    world.play("a").service = Service { lives: Some(10), dies: Some(2), ..Service::default() };
    let one_shot = phase("a").start("svc", Scope::Goal).complete("svc").restart("svc", Restart::OnFailure, RestartLimits::default());
    world.start(plan(1, vec![one_shot, job("b").needs_when("a", opensculpt::manifest::needs::Unlock::Unverified)]));
    while !world.is_alive(SVC) || starts(&world).len() < 3 {
        assert!(world.step());
    }
    ends(&mut world, Exit::Code(0));
    world.settle();
    assert_eq!((world.outcome("a"), world.outcome("b"), starts(&world).len()), (Outcome::Unverified, Outcome::Verified, 3));
    assert!(world.now < 5000, "nobody waits for what is done");
}

#[test]
fn a_service_that_ends_while_the_work_beside_it_goes_on_is_there_again_and_the_work_is_not_disturbed() {
    let mut world = World::new();
    world.play("a").tries[0].takes = Some(500);
    world.start(plan(
        1,
        vec![phase("a").serve("svc", Scope::Phase).work().checks(1).restart("svc", Restart::OnFailure, RestartLimits::default())],
    ));
    world.until(1200);
    ends(&mut world, Exit::Signal(11));
    world.settle();
    assert_eq!((world.outcome("a"), starts(&world).len(), world.did("work g/a")), (Outcome::Verified, 2, 1));
    assert!(world.alive.is_empty() && world.is_at_rest(), "it ends with its attempt");
}

/// A service, work that takes a second, and a phase that needs both.
fn with_a_dependent() -> World {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(1000);
    world.start(plan(2, vec![restarted(Restart::OnFailure), job("b"), job("c").needs(&["a", "b"])]));
    world.until(1900);
    world
}

#[test]
fn a_phase_that_needs_a_service_that_is_started_again_waits_until_it_is_ready() {
    let mut world = with_a_dependent();
    world.play("a").service.ready_after = Some(3000);
    ends(&mut world, Exit::Code(1));
    world.settle();
    assert_eq!((world.verdict(), world.outcome("c")), (Verdict::Verified, Outcome::Verified));
    let began =
        world.times(|record| matches!(record, Record::Requested { owner, effect: Effect::Work { .. }, .. } if owner.to_string() == "g/c"));
    let ready = world.times(|record| matches!(record, Record::ResourceReady { .. }));
    assert_eq!((began.len(), ready.len()), (1, 2));
    assert!(began[0] >= ready[1], "needs means ready now");
}

#[test]
fn a_phase_is_skipped_once_what_it_needs_is_given_up() {
    let mut world = with_a_dependent();
    world.play("a").service.lives = Some(1);
    ends(&mut world, Exit::Code(1));
    world.settle();
    assert_eq!(world.outcome("c"), Outcome::Skipped);
    assert!(world.phase("c").why.contains("allow no more"), "{}", world.phase("c").why);
    assert_eq!(world.verdict(), Verdict::Failed);
    assert!(world.end_why().contains("regressed"), "{}", world.end_why());
}

#[test]
fn nobody_waits_for_ever_for_a_service_that_is_never_ready_again() {
    let mut world = with_a_dependent();
    world.play("a").service.ready_after = None;
    ends(&mut world, Exit::Code(1));
    world.settle();
    assert_eq!(world.outcome("c"), Outcome::Skipped);
    assert!(world.phase("c").why.contains("is not ready again"), "{}", world.phase("c").why);
    assert!((120_000..140_000).contains(&world.now), "it may take as long as any start: {}", world.now);
    assert!(world.is_alive(SVC) && world.resource(SVC) == ResourceState::Creating);
    // Late is better than never.
    world.play("a").service.ready_after = Some(1);
    world.settle_for(6000);
    assert_eq!(world.resource(SVC), ResourceState::Ready);
}

#[test]
fn a_run_ends_well_where_what_ended_at_its_very_end_is_ready_again() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(1000);
    world.play("a").service.ready_after = Some(2000);
    world.start(plan(2, vec![restarted(Restart::Always), job("b").needs(&["a"])]));
    world.until(4000);
    ends(&mut world, Exit::Code(0));
    world.settle();
    assert_eq!((world.verdict(), world.resource(SVC)), (Verdict::Verified, ResourceState::Ready));
}

#[test]
fn what_sculpt_ends_stays_down_whatever_the_policy() {
    for moment in ["ready", "starting", "backing off"] {
        for what in ["down", "stop", "again"] {
            let mut world = World::new();
            world.play("z").tries[0].takes = Some(500_000);
            world.start(plan(2, vec![restarted(Restart::Always), job("z")]));
            world.until(1500);
            if what != "stop" {
                world.exit("g/z", 0);
                world.settle();
            }
            match moment {
                "starting" => {
                    world.start_takes = 50;
                    ends(&mut world, Exit::Code(0));
                }
                "backing off" => {
                    ends(&mut world, Exit::Code(0));
                    world.settle_for(100);
                    ends(&mut world, Exit::Code(0));
                    world.settle_for(500);
                    assert!(!world.is_alive(SVC) && world.resource(SVC) == ResourceState::Unhealthy);
                }
                _ => {}
            }
            if moment == "starting" {
                // It is asked for, and not seen to start yet.
                while world.kernel.state().resource(&SVC.parse().unwrap()).unwrap().restarts.done == 0 {
                    assert!(world.step());
                }
            }
            match what {
                "down" => assert_eq!(world.down(false), None),
                "stop" => assert_eq!(world.stop(false), None),
                _ => {
                    world.play("a").fingerprint = "f2".to_owned();
                    world.start(plan(1, vec![phase("a").work().checks(1)]));
                }
            }
            world.settle();
            world.settle_for(600_000);
            assert!(world.alive.is_empty() && world.is_at_rest(), "{moment}, {what}: {:?}", world.standing());
            assert_eq!(world.resource(SVC), ResourceState::Gone, "{moment}, {what}");
        }
    }
}

#[test]
fn an_attempt_that_fails_takes_a_service_that_is_being_started_again() {
    let mut world = World::new();
    let svc = phase("a").serve("svc", Scope::Goal).work().restart("svc", Restart::Always, RestartLimits::default());
    world.start(plan(1, vec![svc.retry(2, 10, 1.0, 10)]));
    world.until(1050);
    world.play("a").tries = vec![Try { takes: None, ..Try::default() }, Try::default()];
    world.until(1200);
    ends(&mut world, Exit::Code(0));
    world.exit("g/a", 1);
    world.settle();
    // The second attempt has a service of its own.
    assert_eq!(starts(&world).len(), 3);
    world.down(false);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn what_is_being_started_again_is_not_alive_for_a_retry() {
    let mut world = up(Restart::OnFailure);
    world.play("a").service.ready_after = None;
    ends(&mut world, Exit::Code(1));
    world.settle_for(1000);
    assert!(world.is_alive(SVC));
    assert_eq!(world.ask_retry(None, false), None, "it is not ready, so there is something to do again");
    world.play("a").service.ready_after = Some(30);
    world.settle();
    assert_eq!((world.verdict(), world.resource(SVC)), (Verdict::Verified, ResourceState::Ready));
    assert_eq!(world.alive.len(), 1);
}

#[test]
fn memory_that_is_short_holds_no_restart_back() {
    let mut world = up_with(restarted(Restart::OnFailure).service_memory("svc", 100));
    let short = super::admission::host(10, 95);
    world.memory = Some(short.clone());
    world.give(Input::Shown(Shown::Memory(short)));
    assert!(world.kernel.state().memory.short().is_some());
    ends(&mut world, Exit::Code(1));
    world.settle_for(100);
    assert_eq!(world.resource(SVC), ResourceState::Ready);
}

#[test]
fn processes_that_would_not_end_keep_a_service_down() {
    let mut world = up(Restart::Always);
    let id = world.alive.remove(&SVC.parse().unwrap()).unwrap();
    world.exited(id, Exit::Code(0), vec![77]);
    world.settle_for(600_000);
    assert_eq!((starts(&world).len(), world.resource(SVC)), (1, ResourceState::Unhealthy));
    assert!(given_up(&world).unwrap().contains("would not end"));
}

#[test]
fn what_a_rollback_starts_again_is_restarted_as_it_was_before() {
    let mut world = up(Restart::OnFailure);
    world.play("a").fingerprint = "f2".to_owned();
    world.plays.insert(
        "g.2/a".to_owned(),
        super::script::Play {
            fingerprint: "f2".to_owned(),
            service: Service { ready_after: None, lives: Some(10), ..Service::default() },
            ..super::script::Play::default()
        },
    );
    world.play("a").service = Service { lives: Some(10), dies: Some(3), ..Service::default() };
    world.start(plan(1, vec![server("a")]));
    world.settle();
    assert_eq!(world.outcome("a"), Outcome::Failed);
    assert!(
        world.phase("a").why.contains("rolled back to g.1") && !world.phase("a").why.contains("not rolled back"),
        "{}",
        world.phase("a").why
    );
    world.settle_for(5000);
    assert_eq!(world.resource(SVC), ResourceState::Ready, "{:?}", world.standing());
    ends(&mut world, Exit::Code(1));
    world.settle_for(5000);
    assert_eq!(world.resource(SVC), ResourceState::Ready);
    world.down(false);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn a_service_whose_end_nobody_saw_is_restarted_once() {
    for policy in [Restart::No, Restart::OnFailure] {
        let mut world = up(policy);
        world.bury(SVC);
        world.restart();
        world.settle_for(10_000);
        assert_eq!(starts(&world).len(), if policy == Restart::No { 1 } else { 2 }, "{policy:?}");
        assert_eq!(world.is_alive(SVC), policy == Restart::OnFailure);
    }
}

/// A service that ends three times, work beside it, and what needs both.
fn crashing(world: &mut World) -> Plan {
    world.play("a").service = Service { ready_after: Some(100), lives: Some(300), dies: Some(3), ..Service::default() };
    world.play("b").tries[0].takes = Some(400);
    world.play("h").service = Service { ready_after: Some(20), lives: Some(60), dies: Some(1), ..Service::default() };
    world.play("h").tries[0].takes = Some(200);
    let helper = phase("h").serve("svc", Scope::Phase).work().checks(1).restart("svc", Restart::Always, RestartLimits::default());
    plan(3, vec![restarted(Restart::OnFailure), job("b"), helper, job("c").needs(&["a", "b"]), job("z").part(Part::Finally)])
}

#[test]
fn an_engine_may_die_at_every_record_of_restarts() {
    let mut whole = World::new();
    let goal = crashing(&mut whole);
    whole.start(goal);
    whole.settle();
    whole.settle_for(60_000);
    assert_eq!((whole.verdict(), starts(&whole).len()), (Verdict::Verified, 4), "{:?}", whole.standing());
    for died in 0..whole.records.len() {
        let mut world = World::new();
        let goal = crashing(&mut world);
        world.dies_after = Some(died);
        world.start(goal.clone());
        if !world.kernel.state().goals.contains_key("g") {
            world.start(goal);
        }
        world.settle();
        world.settle_for(60_000);
        let case = || format!("died after {died}: {:?}", world.standing());
        assert_eq!((world.deaths, world.verdict()), (1, Verdict::Verified), "{}", case());
        assert!(world.is_repeated_nowhere() && world.is_at_rest(), "{}", case());
        assert!(world.is_alive(SVC) && world.alive.len() == 1, "{}", case());
        assert_eq!(world.resource(SVC), ResourceState::Ready, "{}", case());
        assert!((4..=5).contains(&world.starts[&SVC.parse().unwrap()]), "{}", case());
        world.down(true);
        world.settle();
        world.settle_for(60_000);
        assert!(world.alive.is_empty() && world.is_at_rest(), "died after {died}");
    }
}

#[test]
fn a_limit_holds_and_down_leaves_nothing_whichever_record_the_engine_dies_after() {
    let crash_loop = || {
        let mut world = World::new();
        world.play("a").service = Service { ready_after: Some(10), lives: Some(200), ..Service::default() };
        world
    };
    let goal = || plan(1, vec![server("a").restart("svc", Restart::Always, limits(3, 600_000, None))]);
    let end = |world: &mut World| {
        world.settle_for(20_000);
        world.down(false);
        world.settle();
        world.settle_for(60_000);
    };
    let mut whole = crash_loop();
    whole.start(goal());
    whole.settle();
    end(&mut whole);
    assert_eq!(starts(&whole).len(), 4);
    for died in 0..whole.records.len() {
        let mut world = crash_loop();
        world.dies_after = Some(died);
        world.start(goal());
        if !world.kernel.state().goals.contains_key("g") {
            world.start(goal());
        }
        world.settle();
        end(&mut world);
        if !world.kernel.state().goals["g"].down {
            world.down(false);
            world.settle();
        }
        let observed = |record: &Record| matches!(record, Record::Observed { seen: Seen::Started { .. }, .. });
        assert!(world.times(observed).len() <= 5, "died after {died}: {:?}", world.standing());
        assert!(world.alive.is_empty() && world.is_at_rest(), "died after {died}: {:?}", world.standing());
    }
}
