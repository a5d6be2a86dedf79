//! Admission: who may begin, by what is promised of the memory and by how short it is.

use opensculpt::base::name::Name;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::RunId;
use opensculpt::kernel::action::Shown;
use opensculpt::kernel::admission::{Hold, room};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Input;
use opensculpt::kernel::input::Request;
use opensculpt::kernel::memory::{Sight, Sighting};
use opensculpt::kernel::nesting::Parent;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::pressure::{Pressure, Vitals};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::manifest::needs::Unlock;
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::{Part, Plan};
use proptest::prelude::*;

use super::plans::{Draft, job, memory, phase, plan, server};
use super::script::Try;
use super::world::World;

const MIB: u64 = 1 << 20;

#[test]
fn a_run_that_waits_for_nobody_but_its_own_earlier_services_fails_instead() {
    let mut world = on(host(100, 10));
    let goal = |first: u64| plan(2, vec![job("a").memory(first), server("b").needs_when("a", Unlock::Finished).service_memory("svc", 60)]);
    world.carry_out(goal(30));
    assert_eq!(world.verdict(), Verdict::Verified);
    for name in ["a", "b"] {
        world.play(name).fingerprint = "f2".to_owned();
    }
    // The service of `b` goes on until `b` begins, and that waits for `a`.
    world.carry_out(goal(50));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::TooLarge)));
    assert_eq!(world.outcome("b"), Outcome::Verified);
}

/// A host of which so many MiB may be promised, and of whose memory so much is used, in percent.
#[expect(clippy::unnecessary_wraps, reason = "a look may also fail")]
pub(super) fn host(room: u64, used: u64) -> Sighting {
    Ok(Sight { vitals: Vitals { total: 1000, available: 1000 - used * 10, psi: None }, room: room * MIB })
}

/// A world whose engine looks at its memory.
fn on(sighting: Sighting) -> World {
    let mut world = World::new();
    world.memory = Some(sighting.clone());
    world.give(Input::Shown(Shown::Memory(sighting)));
    world
}

/// A job that takes so many MiB and so long.
fn big(world: &mut World, name: &str, mib: u64, takes: u64) -> Draft {
    world.play(name).tries[0].takes = Some(takes);
    job(name).memory(mib)
}

fn begun(world: &World, name: &str) -> u64 {
    world.phase(name).started.unwrap_or_else(|| panic!("{name} has not begun: {:?}", world.standing())).0
}

fn ended(world: &World, name: &str) -> u64 {
    world.phase(name).ended.unwrap_or_else(|| panic!("{name} has not ended: {:?}", world.standing())).0
}

fn hold(world: &World, goal: &str, name: &str) -> Option<Hold> {
    let run = world.run_in(goal);
    world.kernel.state().hold(run, run.plan.find(name).unwrap().0)
}

/// What is promised by the state alone, in MiB; what `finally` promises does not count: it always begins.
fn promised(world: &World) -> u64 {
    let state = world.kernel.state();
    let cleans = |owner: &opensculpt::base::owner::Owner| {
        let run = state.goals[owner.goal.as_str()].run.as_ref().unwrap();
        run.plan.find(owner.phase.as_ref().unwrap().as_str()).is_some_and(|(_, planned)| planned.part != Part::Phase)
    };
    state.promises().iter().map(|goal| goal.sum(0, |promise| !cleans(&promise.owner))).sum::<u64>() / MIB
}

#[test]
fn what_fits_beside_each_other_runs_at_once_and_what_does_not_waits_for_the_end_of_another() {
    let mut world = on(host(100, 10));
    let drafts = vec![big(&mut world, "a", 60, 1000), big(&mut world, "b", 40, 100), big(&mut world, "c", 40, 100)];
    world.start(plan(9, drafts));
    world.until(1050);
    let Some(Hold::Promised { need, promised, room, to }) = hold(&world, "g", "c") else { panic!("{:?}", world.standing()) };
    assert_eq!((need / MIB, promised / MIB, room / MIB), (40, 100, 100));
    let to: Vec<String> = to.iter().map(|promise| format!("{} {}", promise.owner, promise.memory / MIB)).collect();
    assert_eq!(to, ["g/a 60", "g/b 40"]);
    assert!(world.kernel.is_busy(), "it waits for something that will happen");
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
    assert!(begun(&world, "b") < ended(&world, "a"));
    assert!((ended(&world, "b")..ended(&world, "a")).contains(&begun(&world, "c")), "as soon as there is room for it");
    assert_eq!(world.times(|record| matches!(record, Record::Held { .. })).len(), 1, "it is said once");
}

/// One goal may use 50 MiB. Of its containers one says that it takes 20, one nothing.
fn of_containers() -> Plan {
    let one = server("one").contained("svc").service_memory("svc", 20);
    Plan { limits: memory(50), ..plan(9, vec![one, server("two").contained("svc").needs(&["one"])]) }
}

#[test]
fn containers_share_what_their_goal_may_use_where_they_are_limited_together() {
    let mut world = on(host(100, 10));
    world.start(of_containers());
    world.settle();
    assert_eq!((world.verdict(), promised(&world)), (Verdict::Verified, 20), "who declares nothing shares the rest");
}

#[test]
fn each_container_is_promised_what_it_has_for_itself_where_they_are_not() {
    let mut world = on(host(100, 10));
    world.start_with(of_containers(), RunOptions { apart: true, ..RunOptions::default() });
    world.settle();
    assert_eq!((world.verdict(), promised(&world)), (Verdict::Verified, 70), "beside 20 of its own all that the goal may use");
    let mut crowded = on(host(60, 10));
    crowded.start_with(of_containers(), RunOptions { apart: true, ..RunOptions::default() });
    crowded.settle();
    assert_eq!((crowded.outcome("two"), crowded.phase("two").fault), (Outcome::Failed, Some(Fault::TooLarge)));
}

#[test]
fn who_declares_nothing_waits_for_nobody() {
    let mut world = on(host(100, 10));
    let drafts = vec![big(&mut world, "a", 100, 1000), big(&mut world, "b", 1, 10), job("c")];
    world.start(plan(9, drafts));
    world.settle();
    assert!(ended(&world, "c") < ended(&world, "a") && begun(&world, "b") >= ended(&world, "a"));
}

#[test]
fn a_service_is_promised_its_memory_as_long_as_it_lives() {
    let mut world = on(host(100, 10));
    world.begin("h", plan(1, vec![server("s").service_memory("svc", 80)]), RunOptions::default());
    world.settle();
    let drafts = vec![big(&mut world, "a", 40, 10)];
    world.start(plan(1, drafts));
    world.settle_for(60_000);
    assert_eq!(world.phase("a").state, PhaseState::Ready, "another goal's service may go any time");
    assert!(matches!(hold(&world, "g", "a"), Some(Hold::Promised { .. })) && world.kernel.is_busy());
    world.ask(Request::Down { goal: Name::from("h"), volumes: false });
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn what_replaces_itself_needs_no_second_room() {
    let mut world = on(host(100, 10));
    let draft = || server("s").service_memory("svc", 80);
    world.carry_out(plan(1, vec![draft()]));
    world.play("s").fingerprint = "f2".to_owned();
    world.carry_out(plan(1, vec![draft()]));
    assert_eq!((world.verdict(), world.did("serve g/s/svc")), (Verdict::Verified, 2));
}

#[test]
fn what_can_never_fit_fails_and_says_why() {
    for (drafts, why) in [
        (vec![job("a").memory(101)], "it declares 101Mi of memory, and only 100Mi may be promised here"),
        (vec![phase("a").work().serve("svc", Scope::Phase).service_memory("svc", 60).memory(60).checks(1)], "it declares 120Mi of memory,"),
        (
            vec![server("s").service_memory("svc", 60), job("a").memory(50).needs(&["s"])],
            "it declares 50Mi of memory beside 60Mi that stay promised until its run ends, and only 100Mi may be",
        ),
    ] {
        let mut world = on(host(100, 10));
        world.carry_out(plan(2, drafts));
        let a = world.phase("a");
        assert_eq!((a.state, a.fault), (PhaseState::Done(Outcome::Failed), Some(Fault::TooLarge)));
        assert!(a.why.starts_with(why), "{}", a.why);
        assert_eq!(world.verdict(), Verdict::Failed);
    }
}

#[test]
fn a_run_within_an_attempt_that_cannot_fit_beside_it_fails_instead_of_waiting_for_itself() {
    let mut world = on(host(100, 10));
    world.play("p").tries = vec![Try { takes: None, ..Try::default() }];
    world.start(plan(1, vec![phase("p").work().memory(70).checks(1)]));
    world.until(1100);
    let parent = Parent { run: RunId("g.1".to_owned()), phase: Name::from("p"), attempt: 1, left: None };
    let within = || RunOptions { parent: Some(parent.clone()), ..RunOptions::default() };
    world.begin("h", plan(1, vec![job("t").memory(40)]), within());
    world.begin("i", plan(1, vec![job("u").memory(30)]), within());
    world.until(1300);
    assert_eq!((world.verdict_of("h"), world.verdict_of("i")), (Verdict::Failed, Verdict::Verified));
    world.exit("g/p", 0);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn small_ones_do_not_starve_a_large_one() {
    let mut world = on(host(100, 10));
    let mut drafts = vec![big(&mut world, "first", 50, 100), big(&mut world, "large", 90, 100)];
    drafts.extend((0..20).map(|index| big(&mut world, &format!("small{index}"), 40, 100)));
    world.start(plan(9, drafts));
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
    assert!(begun(&world, "large") <= ended(&world, "first") + 10, "nobody passes it");
    for index in 0..20 {
        assert!(begun(&world, &format!("small{index}")) >= ended(&world, "large"));
    }
}

#[test]
fn one_that_waits_for_a_service_that_stays_holds_nobody_back() {
    let mut world = on(host(100, 10));
    world.begin("h", plan(1, vec![server("s").service_memory("svc", 50)]), RunOptions::default());
    world.settle();
    let drafts = vec![big(&mut world, "large", 60, 10), big(&mut world, "small", 40, 10)];
    world.start(plan(9, drafts));
    world.settle_for(1000);
    assert_eq!((world.outcome("small"), world.phase("large").state), (Outcome::Verified, PhaseState::Ready));
}

#[test]
fn the_line_goes_through_all_goals_and_says_who_is_before() {
    let mut world = on(host(100, 10));
    let goals = [("g", "a", 60), ("h", "b", 70), ("i", "c", 30)];
    for (goal, name, mib) in goals {
        let draft = big(&mut world, name, mib, 1000);
        world.begin(goal, plan(1, vec![draft]), RunOptions::default());
        world.settle_for(10);
    }
    assert_eq!(hold(&world, "i", "c"), Some(Hold::Behind("h/b".parse().unwrap())));
    world.settle();
    assert!(goals.iter().all(|(goal, ..)| world.verdict_of(goal) == Verdict::Verified));
    assert_eq!(world.run_in("h").phases[0].started, world.run_in("i").phases[0].started, "both fit once the first has ended");
}

#[test]
fn a_goal_with_a_limit_of_its_own_promises_at_most_that() {
    let mut world = on(host(100, 10));
    let drafts = vec![big(&mut world, "a", 60, 100), big(&mut world, "b", 60, 100)];
    world.start(Plan { limits: memory(70), ..plan(2, drafts) });
    world.until(1080);
    assert_eq!(promised(&world), 70);
    let drafts = vec![big(&mut world, "c", 30, 100)];
    world.begin("h", plan(1, drafts), RunOptions::default());
    world.settle();
    assert!(begun(&world, "b") < ended(&world, "a") && world.run_in("h").phases[0].started.unwrap().0 < ended(&world, "a"));
}

#[test]
fn while_memory_is_short_nothing_begins_and_what_runs_goes_on() {
    for used in [80, 95] {
        let mut world = on(host(100, 10));
        world.play("a").tries[0].takes = Some(20_000);
        let end = phase("z").work().part(Part::Finally);
        world.start(plan(9, vec![job("a"), job("b").needs(&["a"]), job("c").needs_when("a", Unlock::Finished), end]));
        world.until(2000);
        world.memory = Some(host(100, used));
        world.settle_for(60_000);
        assert_eq!((world.outcome("a"), world.phase("b").state), (Outcome::Verified, PhaseState::Ready), "it is verified, too");
        let Some(Hold::Pressure(known)) = hold(&world, "g", "c") else { panic!("{:?}", world.standing()) };
        assert_eq!((known.vitals.used(), known.pressure >= Pressure::Warn), (used * 100, true));
        assert!(world.kernel.is_busy());
        world.memory = Some(host(100, 71));
        world.settle_for(10_000);
        assert_eq!(world.phase("b").state, PhaseState::Ready, "a host at the threshold does not flap");
        world.memory = Some(host(100, 60));
        world.settle();
        assert_eq!((world.verdict(), world.outcome("z")), (Verdict::Verified, Outcome::Unverified));
        let levels = world.times(|record| matches!(record, Record::Pressure { .. })).len();
        assert_eq!(levels, if used == 80 { 3 } else { 4 }, "only changes are recorded");
    }
}

#[test]
fn while_memory_is_short_a_run_can_be_stopped_and_cleaned_up_and_taken_down() {
    let mut world = on(host(100, 10));
    world.start(plan(9, vec![server("s"), job("a").needs(&["s"]).memory(10), phase("z").work().memory(500).part(Part::Finally)]));
    world.memory = Some(host(100, 80));
    world.give(Input::Shown(Shown::Memory(host(100, 80))));
    world.settle_for(10_000);
    assert_eq!(world.phase("s").state, PhaseState::Ready);
    world.stop(false);
    world.settle();
    assert_eq!((world.verdict(), world.outcome("z")), (Verdict::Cancelled, Outcome::Unverified), "`finally` begins, whatever it declares");
    world.down(false);
    world.settle();
    assert!(world.alive.is_empty());
}

#[test]
fn the_time_of_a_run_that_waits_for_memory_runs_out() {
    let mut world = on(host(100, 80));
    let mut plan = plan(1, vec![job("a")]);
    plan.budget.max_time = Some(Span(60_000));
    world.carry_out(plan);
    assert_eq!((world.verdict(), world.outcome("a")), (Verdict::Budget, Outcome::Cancelled));
}

#[test]
fn what_only_asks_checks_is_not_held() {
    let mut world = on(host(100, 80));
    world.carry_out(plan(1, vec![phase("a").checks(1)]));
    assert!(world.phase("a").state.outcome().is_some());
}

#[test]
fn a_further_attempt_waits_like_the_first() {
    let mut world = on(host(100, 10));
    world.exits("a", &[1, 0]);
    world.start(plan(1, vec![job("a").retry(2, 100, 1.0, 100)]));
    world.until(1030);
    world.memory = Some(host(100, 80));
    world.give(Input::Shown(Shown::Memory(host(100, 80))));
    world.settle_for(10_000);
    assert_eq!((world.phase("a").state, world.phase("a").attempt), (PhaseState::BackingOff, 1));
    assert!(matches!(hold(&world, "g", "a"), Some(Hold::Pressure(_))));
    world.memory = Some(host(100, 10));
    world.settle();
    assert_eq!((world.outcome("a"), world.phase("a").attempt), (Outcome::Verified, 2));
}

#[test]
fn what_cannot_be_seen_is_neither_short_nor_calm() {
    let mut world = on(host(100, 80));
    let drafts = vec![big(&mut world, "a", 60, 20_000), big(&mut world, "b", 60, 10)];
    world.start(plan(2, drafts));
    world.settle_for(5000);
    assert_eq!(world.phase("a").state, PhaseState::Ready);
    world.memory = Some(Err("failed to read /proc/meminfo".to_owned()));
    world.settle_for(10_000);
    assert_eq!(world.kernel.state().memory.pressure(), None);
    assert_eq!(
        (world.phase("a").state, world.phase("b").state),
        (PhaseState::Running, PhaseState::Ready),
        "what was promised still counts"
    );
    assert_eq!(world.times(|record| matches!(record, Record::PressureUnknown { .. })).len(), 1);
    world.memory = Some(host(100, 10));
    world.settle();
    assert_eq!((world.kernel.state().memory.pressure(), world.verdict()), (Some(Pressure::Calm), Verdict::Verified));
}

#[test]
fn an_engine_that_never_saw_the_memory_holds_nobody_back() {
    let mut world = on(Err("failed to read /proc/meminfo".to_owned()));
    world.carry_out(plan(1, vec![job("a").memory(1 << 30)]));
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn it_is_looked_at_often_while_something_is_under_way_and_rarely_else() {
    let mut world = on(host(100, 10));
    let due = |world: &World| world.kernel.next_deadline().unwrap().0 - world.now;
    assert_eq!(due(&world), 60_000);
    world.play("a").tries[0].takes = None;
    world.start(plan(1, vec![job("a")]));
    world.until(1100);
    for (used, every) in [(10, 5000), (80, 2000), (95, 1000), (10, 5000)] {
        world.memory = Some(host(100, used));
        world.give(Input::Shown(Shown::Memory(host(100, used))));
        assert_eq!(due(&world), every, "at {used} %");
    }
}

#[test]
fn who_waits_goes_on_waiting_whichever_record_the_engine_dies_after() {
    let drafts = |world: &mut World| vec![big(world, "a", 60, 300), big(world, "b", 70, 50), big(world, "c", 30, 50)];
    let mut whole = on(host(100, 10));
    let plans = drafts(&mut whole);
    whole.carry_out(plan(9, plans.clone()));
    for died in 0..whole.records.len() {
        let mut world = World::new();
        world.memory = Some(host(100, 10));
        drafts(&mut world);
        world.give(Input::Shown(Shown::Memory(host(100, 10))));
        world.dies_after = Some(died.max(1));
        while !world.knows("g") {
            world.begin("g", plan(9, plans.clone()), RunOptions::default());
        }
        while world.step() {
            assert!(promised(&world) <= 100, "died after {died}: {:?}", world.standing());
        }
        assert_eq!(world.verdict(), Verdict::Verified, "died after {died}");
    }
}

#[test]
fn a_reserve_is_promised_to_nobody() {
    let gib = 1 << 30;
    for (total, most, expected) in [
        (100 * gib, None, 95 * gib),
        (gib, None, gib - 256 * MIB),
        (100 * MIB, None, 0),
        (100 * gib, Some(80 * gib), 80 * gib),
        (100 * gib, Some(u64::MAX), 95 * gib),
    ] {
        assert_eq!(room(total, most), expected, "{total} {most:?}");
    }
}

/// A phase of any size, with or without a service that stays, before or behind others.
fn any_phase() -> impl Strategy<Value = (u64, u64, bool, u64, bool)> {
    (0..120_u64, 0..60_u64, any::<bool>(), 1..400_u64, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn never_more_is_promised_than_there_is_and_every_run_ends(
        phases in prop::collection::vec(any_phase(), 1..12),
        slots in 1..6_u32,
        shortages in prop::collection::vec((0..3000_u64, 50..100_u64), 0..4),
        seed in any::<u64>(),
    ) {
        let mut world = on(host(100, 10));
        world.seed(seed, 5);
        let mut drafts = Vec::new();
        for (index, (mib, served, stays, takes, needs)) in phases.into_iter().enumerate() {
            let name = format!("p{index}");
            world.play(&name).tries[0].takes = Some(takes);
            let mut draft = phase(name.as_str()).work().memory(mib).checks(1);
            if stays {
                draft = draft.serve("svc", Scope::Goal).service_memory("svc", served);
            }
            if needs && index > 0 {
                draft = draft.needs_when(format!("p{}", index - 1), Unlock::Finished);
            }
            drafts.push(draft);
        }
        world.start(plan(slots, drafts));
        for (at, used) in shortages {
            world.settle_for(at);
            world.memory = Some(host(100, used));
        }
        world.settle_for(5000);
        world.memory = Some(host(100, 10));
        while world.step() {
            prop_assert!(promised(&world) <= 100, "{:?}", world.standing());
        }
        prop_assert!(world.run().ended.is_some(), "{:?}", world.standing());
    }
}
