//! Services that were ready: whether they still are, and who waits for that.

use opensculpt::kernel::action::{Effect, Exit};
use opensculpt::kernel::answer::{Answer, Said};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::process::{Restart, RestartLimits};
use opensculpt::manifest::resource::HealthCheck;
use opensculpt::plan::sealed::Plan;

use super::plans::{Draft, job, plan, server};
use super::script::says;
use super::world::World;

const SVC: &str = "g/a/svc";

fn healthy() -> Draft {
    server("a").healthy("svc", false)
}

/// A goal that is up since its service is ready, and the time at which that was.
fn up(world: &mut World, plan: Plan) -> u64 {
    world.carry_out(plan);
    assert_eq!(world.verdict(), Verdict::Verified, "{:?}", world.standing());
    changes(world)[0].0
}

/// When the service was found to be well, or not.
fn changes(world: &World) -> Vec<(u64, bool)> {
    let told = |record: &Record| match record {
        Record::ResourceReady { owner, .. } if owner.to_string() == SVC => Some(true),
        Record::ResourceUnhealthy { owner, .. } if owner.to_string() == SVC => Some(false),
        _ => None,
    };
    world.records.iter().filter_map(|(at, record)| Some((*at, told(record)?))).collect()
}

fn is_sick(world: &mut World, from: u64, to: u64, says: Answer) {
    world.play("a").service.sick.push((from, to, says));
}

fn asks(world: &World) -> usize {
    let ask = |record: &Record| matches!(record, Record::Requested { effect: Effect::Ask { .. }, .. });
    world.records.iter().filter(|(_, record)| ask(record)).count()
}

fn told(world: &mut World, container: &str, well: bool) {
    world.give(Input::Health { container: container.to_owned(), well });
}

#[test]
fn three_failures_in_a_row_make_it_unhealthy_and_one_success_ready_again() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![healthy()]));
    let due = |n: u64| ready + n * 1000;
    is_sick(&mut world, due(5), due(9), says(Said::Fail));
    world.until(due(20));
    let seen = changes(&world);
    let wells: Vec<bool> = seen.iter().map(|(_, well)| *well).collect();
    assert_eq!(wells, [true, false, true], "only what changes is recorded: {seen:?}");
    assert!((due(7)..due(8)).contains(&seen[1].0), "the third of them: {seen:?}, ready at {ready}");
    assert!((due(9)..due(10)).contains(&seen[2].0), "{seen:?}, ready at {ready}");
    assert_eq!(world.resource(SVC), ResourceState::Ready);
    assert!(world.is_at_rest(), "nobody waits for the answers");
}

#[test]
fn failures_that_are_not_in_a_row_do_not_count_and_what_could_not_be_asked_neither() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![healthy()]));
    for n in [3, 6, 9] {
        is_sick(&mut world, ready + n * 1000, ready + (n + 2) * 1000, says(Said::Fail));
    }
    is_sick(&mut world, ready + 13_000, ready + 90_000, says(Said::Unknown));
    world.until(ready + 95_000);
    assert_eq!(changes(&world).len(), 1, "{:?}", changes(&world));
    // It was asked all the time.
    is_sick(&mut world, ready + 95_000, ready + 99_500, says(Said::Fail));
    world.until(ready + 99_000);
    assert_eq!(changes(&world).len(), 2, "{:?}", changes(&world));
}

#[test]
fn what_does_not_answer_in_time_is_not_well() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![healthy()]));
    is_sick(&mut world, ready + 500, ready + 90_000, Answer::unknown(Fault::TimedOut, "no answer in 10s"));
    world.until(ready + 5000);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy, "{:?}", world.standing());
}

#[test]
fn who_is_unhealthy_is_not_started_again_and_who_ends_is_and_is_asked_anew() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![healthy().restart("svc", Restart::Always, RestartLimits::default())]));
    let starts = |world: &World| world.starts[&SVC.parse().unwrap()];
    is_sick(&mut world, ready + 500, ready + 10_000, says(Said::Fail));
    world.until(ready + 8000);
    assert_eq!((world.resource(SVC), starts(&world)), (ResourceState::Unhealthy, 1));
    world.exit(SVC, 1);
    world.until(ready + 12_000);
    assert_eq!((world.resource(SVC), starts(&world)), (ResourceState::Ready, 2), "{:?}", world.standing());
    is_sick(&mut world, ready + 20_000, ready + 30_000, says(Said::Fail));
    world.until(ready + 29_000);
    assert_eq!((world.resource(SVC), starts(&world)), (ResourceState::Unhealthy, 2), "{:?}", world.standing());
}

#[test]
fn a_phase_that_needs_it_waits_until_it_is_well() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(5000);
    is_sick(&mut world, 2500, 6900, says(Said::Fail));
    world.start(plan(2, vec![healthy(), job("b"), job("c").needs(&["a", "b"])]));
    world.until(6800);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy, "{:?}", world.standing());
    assert_eq!(world.run().phases[2].started, None, "{:?}", world.standing());
    world.settle();
    assert_eq!((world.verdict(), world.outcome("c")), (Verdict::Verified, Outcome::Verified), "{:?}", world.standing());
    assert!(world.run().phases[2].started.unwrap().0 >= 6900);
}

#[test]
fn what_is_not_well_in_time_is_a_promise_that_is_not_kept() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(6000);
    is_sick(&mut world, 2500, u64::MAX, says(Said::Fail));
    world.carry_out(plan(2, vec![healthy(), job("b"), job("c").needs(&["a", "b"])]));
    assert_eq!((world.verdict(), world.outcome("c")), (Verdict::Failed, Outcome::Skipped), "{:?}", world.standing());
    let why = &world.run().phases[2].why;
    assert_eq!(why, "it needs g/a/svc is unhealthy: connection refused");
    assert!(world.run().ended.as_ref().unwrap().why.contains("g/a/svc is unhealthy"), "{:?}", world.run().ended);
    // As long as its start may take, and one more answer: the interval and the timeout.
    assert!((39_000..40_000).contains(&world.now), "{}", world.now);
}

#[test]
fn the_end_of_a_run_waits_for_it_too() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(4500);
    is_sick(&mut world, 2500, 7000, says(Said::Fail));
    world.carry_out(plan(2, vec![healthy(), job("b")]));
    assert_eq!(world.verdict(), Verdict::Verified, "{:?}", world.standing());
    assert!(world.run().ended.as_ref().unwrap().at.0 >= 7000);
}

#[test]
fn the_next_engine_goes_on_asking() {
    for dies_at in [4500, 6500] {
        let mut world = World::new();
        let ready = up(&mut world, plan(1, vec![healthy()]));
        is_sick(&mut world, ready + 500, ready + 20_000, says(Said::Fail));
        world.until(ready + dies_at - 3000);
        world.restart();
        world.until(ready + 10_000);
        assert_eq!(world.resource(SVC), ResourceState::Unhealthy, "{:?}", world.standing());
        world.restart();
        world.until(ready + 25_000);
        assert_eq!(world.resource(SVC), ResourceState::Ready, "{:?}", world.standing());
    }
}

#[test]
fn a_command_that_asks_has_one_permit_for_all_its_life_and_ends_with_its_service() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![server("a").healthy("svc", true)]));
    world.until(ready + 60_000);
    // The check twice, the readiness, and one that asks on.
    assert_eq!(asks(&world), 4, "{:?}", world.standing());
    world.down(false);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest(), "{:?}", world.kernel.state().effects);
}

#[test]
fn a_service_that_has_ended_is_not_asked() {
    let mut world = World::new();
    let ready = up(&mut world, plan(1, vec![server("a").healthy("svc", true)]));
    world.exit(SVC, 0);
    world.until(ready + 60_000);
    assert_eq!(world.resource(SVC), ResourceState::Gone);
    assert!(world.is_at_rest(), "{:?}", world.kernel.state().effects);
}

#[test]
fn what_the_container_engine_tells_counts_where_nothing_else_is_declared() {
    let id = "c1";
    let contained = |health: Option<HealthCheck>| {
        let mut plan = plan(1, vec![server("a").contained("svc")]);
        plan.phases[0].spec.resources.get_mut("svc").unwrap().healthcheck = health;
        plan
    };
    let off = HealthCheck { disable: true, ..HealthCheck::default() };
    for (health, counts) in [(None, true), (Some(off), false)] {
        let mut world = World::new();
        world.container = Some(id.to_owned());
        up(&mut world, contained(health));
        told(&mut world, "another", false);
        assert_eq!(world.resource(SVC), ResourceState::Ready);
        told(&mut world, id, false);
        told(&mut world, id, false);
        let state = if counts { ResourceState::Unhealthy } else { ResourceState::Ready };
        assert_eq!(world.resource(SVC), state);
        told(&mut world, id, true);
        told(&mut world, id, true);
        assert_eq!(world.resource(SVC), ResourceState::Ready);
        assert_eq!(changes(&world).len(), if counts { 3 } else { 1 });
    }
}

#[test]
fn what_is_told_before_it_is_known_to_be_ready_is_not_lost() {
    let mut world = World::new();
    world.container = Some("c1".to_owned());
    world.play("a").service.ready_after = Some(5000);
    world.start(plan(1, vec![server("a").contained("svc")]));
    world.until(3000);
    told(&mut world, "c1", false);
    assert_eq!(world.resource(SVC), ResourceState::Creating);
    world.until(60_000);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy, "{:?}", world.standing());
    told(&mut world, "c1", true);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified, "{:?}", world.standing());
}

#[test]
fn one_that_has_ended_is_not_made_ready_by_what_is_told_late() {
    let mut world = World::new();
    world.container = Some("c1".to_owned());
    up(&mut world, plan(1, vec![server("a").contained("svc")]));
    let owner = SVC.parse().unwrap();
    let serve = world.alive.remove(&owner).unwrap();
    world.exited(serve, Exit::Code(1), vec![77]);
    world.settle_for(50);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy);
    told(&mut world, "c1", true);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy);
}

#[test]
fn one_that_was_not_well_and_ended_is_told_by_its_end() {
    let mut world = World::new();
    world.play("b").tries[0].takes = Some(9000);
    is_sick(&mut world, 2500, u64::MAX, says(Said::Fail));
    world.start(plan(2, vec![healthy(), job("b"), job("c").needs(&["a", "b"])]));
    world.until(6000);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy);
    world.exit(SVC, 3);
    world.settle();
    assert_eq!(world.run().phases[2].why, "it needs g/a/svc ended with exit 3");
    assert!(world.end_why().contains("g/a/svc ended with exit 3"), "{}", world.end_why());
}

#[test]
fn one_that_was_not_well_for_long_and_is_started_again_has_the_time_of_any_other() {
    let mut world = World::new();
    is_sick(&mut world, 3000, 99_000, says(Said::Fail));
    up(&mut world, plan(1, vec![healthy().restart("svc", Restart::Always, RestartLimits::default())]));
    world.until(100_000 - 2000);
    assert_eq!(world.resource(SVC), ResourceState::Unhealthy);
    world.exit(SVC, 1);
    world.settle_for(500);
    let made = world.kernel.state().resource(&SVC.parse().unwrap()).unwrap();
    assert!(made.restarts.away.unwrap().0 >= 98_000, "since its end, and not since it was unwell: {:?}", made.restarts);
}

#[test]
fn a_permit_that_stands_explains_nobody_whom_no_record_knows() {
    let mut world = World::new();
    up(&mut world, plan(1, vec![server("a").healthy("svc", true)]));
    world.unknown = vec!["g/r.x.y".to_owned(), "g/x".to_owned(), "g/a7".to_owned()];
    world.collect(false);
    world.settle_for(1000);
    assert_eq!(world.swept, ["g/r.x.y", "g/x"], "the other one may be the command that asks");
}

#[test]
fn a_command_that_asks_when_its_attempt_ends_is_ended_first() {
    let mut world = World::new();
    world.play("a").tries[0].takes = Some(10_000);
    let draft = super::plans::phase("a").serve("svc", opensculpt::manifest::resource::Scope::Phase).healthy("svc", true);
    world.start(plan(1, vec![draft.work().checks(1)]));
    world.until(9500);
    // From here on it hangs.
    world.look_takes = 60_000;
    world.until(10_900);
    world.look_takes = 1;
    world.settle();
    let at = |wanted: &dyn Fn(&Record) -> bool| world.records.iter().position(|(_, record)| wanted(record));
    let kill = |owner: &opensculpt::base::owner::Owner, effect: &Effect| {
        owner.to_string() == "g/a" && matches!(effect, Effect::End { stop } if *stop == opensculpt::kernel::action::StopPolicy::KILL)
    };
    let killed = at(&|record| matches!(record, Record::Requested { owner, effect, .. } if kill(owner, effect)));
    let ended = at(&|record| matches!(record, Record::PhaseEnded { .. }));
    assert!(killed.is_some() && killed < ended, "{:?}", world.standing());
    assert!(world.is_at_rest(), "{:?}", world.kernel.state().effects);
}

#[test]
fn whoever_waits_for_a_container_that_is_not_well_waits_no_longer_though_the_engine_died() {
    let mut world = World::new();
    world.container = Some("c1".to_owned());
    world.play("b").tries[0].takes = Some(3000);
    world.start(plan(2, vec![server("a").contained("svc"), job("b"), job("c").needs(&["a", "b"])]));
    world.until(2000);
    told(&mut world, "c1", false);
    world.restart();
    world.settle();
    assert_eq!((world.verdict(), world.outcome("c")), (Verdict::Failed, Outcome::Skipped), "{:?}", world.standing());
}
