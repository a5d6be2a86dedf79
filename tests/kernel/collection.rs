//! What a collection ends, what it never does, and when there is one.

use std::collections::BTreeSet;

use opensculpt::base::time::Timestamp;
use opensculpt::kernel::action::{Effect, Shown};
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::collection::{Reason, Trigger};
use opensculpt::kernel::input::Input;
use opensculpt::kernel::memory::Sight;
use opensculpt::kernel::outcome::Outcome;
use opensculpt::kernel::pressure::Vitals;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::state::State;
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::Plan;
use proptest::prelude::*;

use super::plans::{Draft, job, phase, plan, server};
use super::properties::{goal, shapes, world};
use super::script::Try;
use super::world::World;

const ON_REQUEST: Trigger = Trigger::Request { evict: false };
const EVICTING: Trigger = Trigger::Request { evict: true };

fn picks(world: &World, trigger: Trigger) -> Vec<(String, Reason)> {
    let picked = world.kernel.state().collectable(Timestamp(world.now), trigger);
    picked.into_iter().map(|pick| (pick.owner.to_string(), pick.reason)).collect()
}

fn done(drafts: Vec<Draft>) -> World {
    let mut world = World::new();
    world.carry_out(plan(2, drafts));
    world
}

/// A service that may be evicted.
fn idle(name: &str) -> Draft {
    server(name).evictable("svc")
}

#[test]
fn what_is_evictable_goes_where_nothing_needs_it_that_stays() {
    let both = |a: Draft, b: Draft| done(vec![a, b]);
    let cases: Vec<(&str, World, &[&str])> = vec![
        ("nothing is evictable", done(vec![server("a")]), &[]),
        ("it is", done(vec![idle("a")]), &["g/a/svc"]),
        ("a later phase made what stays", both(idle("a"), server("b").needs(&["a"])), &[]),
        ("what a later phase made goes too", both(idle("a"), idle("b").needs(&["a"])), &["g/b/svc", "g/a/svc"]),
        ("another phase made what stays", both(idle("a"), server("b")), &["g/a/svc"]),
        ("a later one of its phase stays", done(vec![phase("a").custom("db", Scope::Goal).serve("svc", Scope::Goal).evictable("db")]), &[]),
        (
            "an earlier one of its phase stays",
            done(vec![phase("a").custom("db", Scope::Goal).serve("svc", Scope::Goal).evictable("svc")]),
            &["g/a/svc"],
        ),
        ("custom", done(vec![phase("a").custom("db", Scope::Goal).evictable("db").work()]), &["g/a/db"]),
        ("kept", done(vec![phase("a").custom("db", Scope::Goal).evictable("db").keep("db", true).work()]), &[]),
        ("of an attempt that is over", done(vec![phase("a").serve("svc", Scope::Phase).evictable("svc").work()]), &[]),
    ];
    for (case, world, expected) in cases {
        let places = |trigger| picks(&world, trigger).into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(places(Trigger::Pressure), expected, "{case}");
        assert_eq!(places(EVICTING), expected, "{case}");
        for trigger in [Trigger::Opening, Trigger::Teardown, Trigger::Period, ON_REQUEST] {
            assert!(places(trigger).is_empty(), "{case}: {trigger:?} evicts nothing");
        }
    }
}

#[test]
fn what_was_there_before_is_not_evicted() {
    let mut world = World::new();
    world.there.insert("g/a/db".to_owned());
    world.carry_out(plan(2, vec![phase("a").custom("db", Scope::Goal).evictable("db").work()]));
    assert_eq!(picks(&world, EVICTING), []);
}

#[test]
fn an_evicted_service_says_so_and_is_started_again_by_the_next_run() {
    let mut world = done(vec![idle("a")]);
    world.collect(true);
    world.settle();
    let evicted = |world: &World| {
        let resource = world.kernel.state().resource(&"g/a/svc".parse().unwrap()).unwrap().clone();
        (resource.state, resource.evidence, resource.evicted)
    };
    let why = "evicted: `sculpt gc --evict`".to_owned();
    assert_eq!(evicted(&world), (ResourceState::Gone, why.clone(), Some(why.clone())));
    assert!(!world.is_alive("g/a/svc") && !world.kernel.state().goals["g"].down, "its goal is up, without it");
    world.collect(true);
    world.restart();
    assert_eq!(evicted(&world).2, Some(why), "whoever comes later knows why");
    world.carry_out(plan(2, vec![idle("a")]));
    assert!(world.is_alive("g/a/svc"));
    assert_eq!(evicted(&world).2, None);
}

#[test]
fn nothing_of_a_goal_at_work_is_touched() {
    let mut world = done(vec![idle("a"), job("b")]);
    world.play("b").tries = vec![Try { takes: Some(60_000), ..Try::default() }];
    world.play("b").fingerprint = "f2".to_owned();
    world.unknown.push("g/a7".to_owned());
    world.start(plan(2, vec![idle("a"), job("b")]));
    world.settle_for(10_000);
    assert_eq!(picks(&world, EVICTING), []);
    world.collect(true);
    world.settle_for(1000);
    assert!(world.is_alive("g/a/svc") && world.swept.is_empty(), "whoever is in its scopes may be its own");
    world.settle();
    assert_eq!(picks(&world, EVICTING), [("g/a/svc".to_owned(), Reason::Evictable)]);
    world.collect(false);
    world.settle();
    assert_eq!(world.swept, ["g/a7"]);
    assert!(world.is_alive("g/a/svc"));
}

#[test]
fn what_a_person_is_to_see_and_what_is_kept_stays() {
    let drafts = || vec![phase("a").serve("helper", Scope::Phase).serve("svc", Scope::Goal).evictable("svc").checks(1)];
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Unknown], ..Try::default() }];
    world.carry_out(plan(2, drafts()));
    assert_eq!(world.outcome("a"), Outcome::Unknown);
    assert!(world.is_alive("g/a/helper") && world.is_alive("g/a/svc"));
    assert_eq!(picks(&world, EVICTING), []);

    let mut world = done(vec![phase("a").file("conf").custom("db", Scope::Goal).keep("db", true).work()]);
    world.down(false);
    world.settle();
    assert_eq!((world.resource("g/a/conf"), world.resource("g/a/db")), (ResourceState::Ready, ResourceState::Ready));
    assert_eq!(picks(&world, EVICTING), []);
}

/// A goal of which records are missing that a teardown should have left, as after a death at the wrong moment.
fn without(mut world: World, dropped: impl Fn(&Record) -> bool, then: impl FnOnce(&mut World)) -> World {
    world.records.retain(|(_, record)| !dropped(record));
    world.restart();
    then(&mut world);
    world
}

#[test]
fn what_a_teardown_has_begun_is_ended_by_the_next_engine() {
    let mut world = World::new();
    world.unremovable.insert("g/a/db".to_owned());
    world.carry_out(plan(2, vec![phase("a").custom("db", Scope::Goal).work()]));
    world.down(false);
    world.settle();
    world.unremovable.clear();
    // An older release gave up without a word.
    let world = without(world, |record| matches!(record, Record::Leaked { .. }), World::settle);
    assert_eq!(world.resource("g/a/db"), ResourceState::Gone);
    let collected = |record: &Record| matches!(record, Record::Collected { reason: Reason::Unfinished, .. });
    assert_eq!(world.times(collected).len(), 1);
}

#[test]
fn what_is_down_and_what_is_no_longer_planned_is_left_over() {
    let two = || vec![phase("a").custom("db", Scope::Goal).work(), phase("b").custom("db", Scope::Goal).work()];
    let world = done(two());
    let mut state: State = world.kernel.state().clone();
    state.goals.get_mut("g").unwrap().down = true;
    let places = |state: &State| {
        let picked = state.collectable(Timestamp(world.now), ON_REQUEST);
        picked.into_iter().map(|pick| (pick.owner.to_string(), pick.reason)).collect::<BTreeSet<_>>()
    };
    assert_eq!(places(&state), [("g/a/db".to_owned(), Reason::Down), ("g/b/db".to_owned(), Reason::Down)].into());

    let mut later = done(two());
    later.unremovable.insert("g/b/db".to_owned());
    later.carry_out(plan(2, two().into_iter().take(1).collect::<Vec<_>>()));
    let mut state = later.kernel.state().clone();
    state.goals.get_mut("g").unwrap().leaks.clear();
    let dropped = state.goals.get_mut("g").unwrap().resources.values_mut().find(|resource| resource.owner.to_string() == "g/b/db").unwrap();
    dropped.state = ResourceState::Ready;
    assert_eq!(places(&state), [("g/b/db".to_owned(), Reason::Unplanned)].into());
}

#[test]
fn who_runs_without_a_record_is_swept_every_five_minutes() {
    let mut world = done(vec![server("a")]);
    world.restart();
    world.settle();
    let opened = world.now;
    world.unknown.push("g/a9".to_owned());
    world.until(opened + 299_000);
    assert!(world.swept.is_empty());
    world.until(opened + 301_000);
    assert_eq!(world.swept, ["g/a9"]);
    world.unknown.push("other/r.x.y".to_owned());
    world.until(opened + 601_000);
    assert_eq!(world.swept, ["g/a9", "other/r.x.y"]);
    assert!(world.is_alive("g/a/svc"), "whom a record knows stays");
    world.down(false);
    world.settle();
    assert!(!world.kernel.is_needed(), "nobody stays for the next time");
}

#[test]
fn a_scope_that_will_not_empty_leaks_until_it_does() {
    let mut world = done(vec![job("a")]);
    world.unknown.push("g/a9".to_owned());
    world.stubborn.insert("g/a9".to_owned(), 7);
    world.collect(false);
    world.settle();
    let leak = world.kernel.state().leak(&"g".parse().unwrap()).expect("it leaks").clone();
    assert_eq!((leak.scope.as_deref(), leak.attempts), (Some("g/a9"), 3));
    assert_eq!(picks(&world, ON_REQUEST), [("g".to_owned(), Reason::Leak)]);
    world.settle_for(1100);
    assert_eq!(world.kernel.state().leak(&"g".parse().unwrap()).unwrap().attempts, 6);
    world.stubborn.clear();
    world.settle_for(2100);
    assert_eq!((world.kernel.state().leaks().count(), world.swept), (0, vec!["g/a9".to_owned()]));
}

/// What no collection may pick: of a goal at work, what is kept, what a person is to see.
fn is_rightly_picked(state: &State, now: u64) {
    for pick in state.collectable(Timestamp(now), EVICTING) {
        let goal = &state.goals[&pick.owner.goal];
        assert!(!goal.is_running() && !goal.falling, "{} is of a goal at work", pick.owner);
        let Some(resource) = goal.resources.get(&pick.owner).filter(|_| pick.reason != Reason::Leak) else { continue };
        let run = state.run(&resource.run).expect("what nothing explains stays");
        let phase = run.phase(resource.phase);
        let shown = phase.attempt == resource.attempt && phase.state.outcome() == Some(Outcome::Unknown);
        assert!(!shown || goal.down || resource.state == ResourceState::Stopping, "{} was left to be seen", pick.owner);
        assert!(!resource.keep || resource.kind.runs() || goal.volumes || resource.state == ResourceState::Stopping, "{}", pick.owner);
        assert!(!goal.down || pick.reason != Reason::Evictable);
    }
}

/// The same, with every resource evictable whose phase says so by its number.
fn some_evictable(mut plan: Plan, every: usize) -> Plan {
    for phase in plan.phases.iter_mut().step_by(every) {
        for resource in phase.spec.resources.values_mut() {
            resource.evictable = Some(true);
        }
    }
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_collection_picks_nothing_that_somebody_wants_and_comes_to_an_end(
        shapes in shapes(false), every in 1..4_usize, seed: u64, jitter in 0..25_u64, at in 0..500_u64, dies: bool, down: bool,
    ) {
        let mut world = world(&shapes, seed, jitter);
        let mut steps = 0;
        world.start(some_evictable(goal(&shapes, 2), every));
        while steps < 2000 && world.step() {
            steps += 1;
            is_rightly_picked(world.kernel.state(), world.now);
            if steps == at && dies {
                world.restart();
            }
            if steps == at + 20 {
                world.collect(true);
            }
        }
        if down {
            world.down(false);
            world.settle();
        }
        if !dies && steps < at + 20 {
            let left = picks(&world, Trigger::Period);
            prop_assert!(left.iter().all(|(_, reason)| *reason == Reason::Leak), "a run, and nothing else, has left {left:?}");
        }
        world.collect(false);
        world.settle();
        // What something needed that was ended, or leaked, goes with the next one.
        for _ in 0..3 {
            world.collect(true);
            world.settle();
            is_rightly_picked(world.kernel.state(), world.now);
        }
        let left = picks(&world, EVICTING);
        prop_assert!(left.iter().all(|(_, reason)| *reason == Reason::Leak), "{left:?}");
    }
}

/// How short the memory is: this much of it is used, in percent.
const fn memory(used: u64) -> Sight {
    Sight { vitals: Vitals { total: 1000, available: 1000 - used * 10, psi: None }, room: u64::MAX }
}

/// A host with enough memory, and a goal whose service may be evicted.
fn on_a_calm_host() -> World {
    let mut world = World::new();
    world.memory = Some(Ok(memory(10)));
    world.restart();
    world.carry_out(plan(2, vec![idle("a")]));
    world
}

#[test]
fn what_is_idle_is_evicted_as_soon_as_memory_is_so_short() {
    let mut world = on_a_calm_host();
    world.unknown.push("g/a7".to_owned());
    for (used, alive) in [(80, true), (95, false)] {
        world.memory = Some(Ok(memory(used)));
        world.settle_for(61_000);
        assert_eq!(world.is_alive("g/a/svc"), alive, "at {used} %");
    }
    let resource = world.kernel.state().resource(&"g/a/svc".parse().unwrap()).unwrap();
    assert_eq!(resource.evidence, "evicted: memory pressure");
    assert_eq!(world.swept, ["g/a7"], "and whoever runs there without a record");
}

#[test]
fn what_becomes_idle_while_memory_stays_so_short_is_evicted_too() {
    let mut world = on_a_calm_host();
    world.play("b").tries = vec![Try { takes: Some(60_000), ..Try::default() }];
    world.start(plan(2, vec![idle("a"), job("b")]));
    world.settle_for(1000);
    world.memory = Some(Ok(memory(95)));
    world.settle_for(30_000);
    assert!(world.is_alive("g/a/svc"), "its goal is at work");
    world.settle_for(60_000);
    assert!(!world.is_alive("g/a/svc"), "{:?}", world.standing());
    let collected = world.times(|record| matches!(record, Record::Collected { .. })).len();
    world.settle_for(600_000);
    assert_eq!(world.times(|record| matches!(record, Record::Collected { .. })).len(), collected, "once");
}

#[test]
fn the_next_engine_evicts_under_the_pressure_that_it_finds_and_only_after_it_knows_who_lives() {
    let mut world = on_a_calm_host();
    world.memory = Some(Ok(memory(95)));
    let known = world.records.len();
    world.restart();
    world.settle_for(1000);
    assert!(!world.is_alive("g/a/svc"));
    let events: Vec<&str> = world.records[known..].iter().map(|(_, record)| record.event()).collect();
    let at = |event: &str| events.iter().position(|other| *other == event);
    assert!(at("adopted") < at("collected") && at("adopted").is_some(), "{events:?}");

    // The journal says already how short it is: that is no change.
    let mut world = on_a_calm_host();
    world.memory = Some(Ok(memory(95)));
    world.give(Input::Shown(Shown::Memory(Ok(memory(95)))));
    world.records.retain(|(_, record)| !matches!(record, Record::Collected { .. } | Record::Requested { effect: Effect::End { .. }, .. }));
    world.restart();
    world.settle_for(1000);
    assert!(!world.is_alive("g/a/svc"));
}

#[test]
fn what_cannot_be_looked_into_is_written_down_once_and_until_it_can() {
    let mut world = done(vec![idle("a")]);
    let engine = || vec!["failed to reach the container engine".to_owned()];
    let said = |world: &World| -> Vec<Vec<String>> {
        let records = world.records.iter().filter_map(|(_, record)| match record {
            Record::LookedAround { unseen } => Some(unseen.clone()),
            _ => None,
        });
        records.collect()
    };
    world.collect(false);
    world.settle();
    assert!(said(&world).is_empty(), "all of it was seen");
    world.unseen = engine();
    for _ in 0..2 {
        world.collect(false);
        world.settle();
    }
    assert_eq!((said(&world), &world.kernel.state().unseen), (vec![engine()], &engine()));
    world.unseen.clear();
    world.collect(false);
    world.settle();
    assert_eq!(said(&world), [engine(), vec![]]);
}
