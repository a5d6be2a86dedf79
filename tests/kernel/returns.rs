//! Services that are started again, or are not: who waits for them, and what an engine that died had left of that.

use opensculpt::base::owner::Owner;
use opensculpt::kernel::action::{Effect, EffectId, Exit};
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::process::{Restart, RestartLimits};
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{job, phase, plan, server};
use super::script::Service;
use super::world::World;

const SVC: &str = "g/a/svc";

fn goal() -> Plan {
    plan(1, vec![server("a").restart("svc", Restart::OnFailure, RestartLimits::default())])
}

fn up(plan: Plan) -> World {
    let mut world = World::new();
    world.carry_out(plan);
    assert_eq!(world.verdict(), Verdict::Verified);
    world
}

/// Ends a service with this exit, and these of its processes would not end.
fn ends(world: &mut World, place: &str, exit: Exit, survivors: Vec<u32>) {
    let owner: Owner = place.parse().unwrap();
    let id = world.alive.remove(&owner).unwrap_or_else(|| panic!("it is not there: {:?}", world.standing()));
    world.exited(id, exit, survivors);
}

/// Where in the journal such effects were asked for.
fn asked(world: &World, wanted: impl Fn(&Effect) -> bool) -> Vec<usize> {
    let asks = |record: &Record| matches!(record, Record::Requested { effect, .. } if wanted(effect));
    world.records.iter().enumerate().filter(|(_, (_, record))| asks(record)).map(|(index, _)| index).collect()
}

fn starts(world: &World) -> Vec<usize> {
    asked(world, |effect| matches!(effect, Effect::Serve { .. }))
}

fn given_up(world: &World) -> String {
    world.kernel.state().resource(&SVC.parse().unwrap()).unwrap().restarts.given_up.clone().unwrap_or_default()
}

/// Somebody runs in the goal whom no record knows, and would not end so often.
fn leaves_behind(world: &mut World, stubborn: u32) {
    world.alive.insert("g/x".parse().unwrap(), EffectId(999));
    world.stubborn.insert("g/x".to_owned(), stubborn);
}

#[test]
fn a_stop_lets_finally_wait_for_a_service_that_is_being_started_again() {
    let mut world = World::new();
    world.play("z").service = Service { lives: Some(10), dies: Some(2), ..Service::default() };
    let last = phase("z").start("svc", Scope::Phase).complete("svc").restart("svc", Restart::OnFailure, RestartLimits::default());
    world.start(plan(1, vec![job("a"), last.part(Part::Finally)]));
    while starts(&world).len() < 2 || world.is_alive("g/z/svc") {
        assert!(world.step());
    }
    world.settle_for(100);
    assert_eq!(world.stop(false), None);
    while !world.is_alive("g/z/svc") {
        assert!(world.step(), "{:?}", world.standing());
    }
    ends(&mut world, "g/z/svc", Exit::Code(0), Vec::new());
    world.settle();
    assert_eq!((world.outcome("z"), starts(&world).len()), (Outcome::Unverified, 3), "{:?}", world.standing());
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn a_service_that_is_away_is_not_ready_because_somebody_else_answers_and_its_time_goes_on() {
    let mut world = World::new();
    world.play("a").service = Service { ready_after: None, lives: Some(400), replaced: true, ..Service::default() };
    let often = RestartLimits { attempts: Some(1000), interval: Some(opensculpt::base::time::Span(1000)), reset_after: None };
    world.carry_out(plan(1, vec![server("a").restart("svc", Restart::Always, often)]));
    assert_eq!(world.outcome("a"), Outcome::Failed);
    assert!((120_000..125_000).contains(&world.now), "it is waited for as long as any other: {}", world.now);
    assert!(world.processed < 5000, "{} inputs: it is asked with pauses", world.processed);
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn a_run_ends_where_the_engine_died_before_it_gave_up_a_service_whose_processes_would_not_end() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(1000);
    world.start(plan(
        2,
        vec![server("a").restart("svc", Restart::OnFailure, RestartLimits::default()), job("b"), job("c").needs(&["a", "b"])],
    ));
    world.until(1900);
    world.play("a").service.ready_after = Some(3000);
    ends(&mut world, SVC, Exit::Code(1), Vec::new());
    world.settle_for(50);
    world.dies_after = Some(world.records.len() + 1);
    ends(&mut world, SVC, Exit::Code(1), vec![77]);
    world.settle();
    assert_eq!((world.deaths, world.verdict()), (1, Verdict::Failed), "{:?}", world.standing());
    assert!(given_up(&world).contains("would not end"), "{}", given_up(&world));
}

#[test]
fn nothing_is_started_again_before_what_an_engine_that_died_left_is_swept() {
    let mut world = up(goal());
    world.bury(SVC);
    leaves_behind(&mut world, 1);
    world.restart();
    world.settle_for(1000);
    let sweeps = asked(&world, |effect| matches!(effect, Effect::Sweep { .. }));
    assert_eq!((sweeps.len(), starts(&world).len()), (2, 2), "{:?}", world.standing());
    let swept = |record: &Record| matches!(record, Record::Observed { seen, .. } if matches!(seen, opensculpt::kernel::action::Seen::Ended { survivors, .. } if survivors.is_empty()));
    let clean = world.records.iter().rposition(|(_, record)| swept(record)).unwrap();
    assert!(clean < starts(&world)[1], "{:?}", world.standing());
    assert_eq!(world.resource(SVC), ResourceState::Ready);
}

#[test]
fn what_would_not_end_keeps_a_service_down_until_it_is_gone_and_no_longer() {
    for gone in [false, true] {
        let mut world = up(goal());
        leaves_behind(&mut world, if gone { 3 } else { 1000 });
        world.restart();
        world.settle_for(10_000);
        assert_eq!(world.kernel.state().leaks().count(), usize::from(!gone), "{:?}", world.standing());
        ends(&mut world, SVC, Exit::Code(1), Vec::new());
        world.settle_for(1000);
        assert_eq!(world.is_alive(SVC), gone, "{:?}", world.standing());
        assert_eq!(given_up(&world).contains("is in its way"), !gone, "it is said: {}", given_up(&world));
    }
}

#[test]
fn the_limits_of_a_goal_are_set_anew_before_a_service_of_a_run_that_is_over_is_started_again() {
    for refused in [false, true] {
        let mut limited = goal();
        limited.limits.pids = Some(50);
        let mut world = up(limited);
        world.bury(SVC);
        world.no_limits = refused;
        world.restart();
        world.settle_for(1000);
        let limits = asked(&world, |effect| matches!(effect, Effect::Limit { .. }));
        assert_eq!((limits.len(), world.is_alive(SVC)), (1, !refused), "{:?}", world.standing());
        assert!(starts(&world).get(1).is_none_or(|again| limits[0] < *again));
        assert_eq!(given_up(&world).contains("the limits of its goal cannot be set anew: no cgroup"), refused, "{}", given_up(&world));
    }
}
