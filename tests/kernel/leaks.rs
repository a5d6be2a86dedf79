//! What would not go: it is tried again with a growing pause, shown until it is gone, and never said to be gone before.

use opensculpt::base::owner::Owner;
use opensculpt::kernel::leak::Leak;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::resource::Scope;

use super::plans::{job, phase, plan, server};
use super::script::Try;
use super::world::World;

const DB: &str = "g/a/db";

/// A goal that was taken down, and whose database could not be destroyed.
fn leaking() -> World {
    let mut world = World::new();
    world.unremovable.insert(DB.to_owned());
    world.carry_out(plan(2, vec![phase("a").custom("db", Scope::Goal).work()]));
    world.down(false);
    world.settle();
    world
}

fn leak<'w>(world: &'w World, place: &str) -> Option<&'w Leak> {
    let owner: Owner = place.parse().unwrap();
    world.kernel.state().leak(&owner)
}

/// The pauses that were recorded, in seconds.
fn pauses(world: &World) -> Vec<u64> {
    let leaked = world.records.iter().filter_map(|(at, record)| match record {
        Record::Leaked { retry_at, .. } => Some((retry_at.0 - at) / 1000),
        _ => None,
    });
    leaked.collect()
}

#[test]
fn a_removal_that_fails_is_tried_again_after_twice_as_long_each_time_until_it_is_gone() {
    let mut world = leaking();
    assert_eq!(world.did("remove g/a/db"), 3, "at first at once");
    let first = leak(&world, DB).expect("it leaks");
    assert_eq!((first.attempts, first.rounds, first.why.as_str()), (3, 1, "device busy"));
    assert_eq!(world.resource(DB), ResourceState::Stopping, "it is not gone");
    assert!(!world.kernel.is_busy(), "nobody waits for it");
    assert!(world.kernel.is_needed(), "an engine stays for it");

    let begun = world.now;
    world.until(begun + 1_000_000);
    assert_eq!(pauses(&world), [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(leak(&world, DB).unwrap().attempts, 13);
    let leaked = world.times(|record| matches!(record, Record::Leaked { .. }));
    assert_eq!(leak(&world, DB).unwrap().since.0, leaked[0], "it leaks since it did first");

    world.unremovable.clear();
    world.until(begun + 1_300_000);
    assert_eq!((leak(&world, DB), world.resource(DB)), (None, ResourceState::Gone));
    assert!(!world.kernel.is_needed());
}

#[test]
fn the_next_engine_takes_it_up_where_it_was() {
    let mut world = leaking();
    world.settle_for(60_000);
    let (rounds, due) = leak(&world, DB).map(|leak| (leak.rounds, leak.retry_at)).unwrap();
    world.restart();
    world.settle();
    assert_eq!(leak(&world, DB).unwrap().rounds, rounds, "not before its time");
    world.until(due.0 + 10);
    assert_eq!(leak(&world, DB).unwrap().rounds, rounds + 1);
    world.unremovable.clear();
    // Its time comes while no engine is there.
    world.now += 1_000_000;
    world.restart();
    world.settle();
    assert_eq!(leak(&world, DB), None);
}

#[test]
fn whoever_asks_does_not_wait_for_its_time() {
    for by_down in [true, false] {
        let mut world = leaking();
        world.settle_for(100_000);
        world.unremovable.clear();
        let before = world.did("remove g/a/db");
        if by_down {
            world.down(false);
        } else {
            world.collect(false);
        }
        world.settle();
        assert_eq!((leak(&world, DB), world.did("remove g/a/db")), (None, before + 1));
    }
}

#[test]
fn nothing_is_removed_twice_at_once() {
    let mut world = leaking();
    let before = world.did("remove g/a/db");
    world.unremovable.clear();
    world.collect(false);
    world.collect(false);
    world.down(false);
    assert_eq!(world.did("remove g/a/db"), before + 1, "the others wait for the first");
    world.settle();
    assert_eq!((leak(&world, DB), world.did("remove g/a/db")), (None, before + 1));
    assert!(world.is_at_rest());
}

#[test]
fn a_run_that_goes_on_is_not_disturbed_and_its_end_promises_anew() {
    let mut world = World::new();
    world.unremovable.insert("g/a/dir".to_owned());
    world.play("b").tries = vec![Try { takes: Some(60_000), ..Try::default() }];
    // The attempt of `a` ends, and its directory stays; `b` works on.
    world.start(plan(2, vec![phase("a").directory("dir", Scope::Phase).work(), job("b")]));
    world.settle_for(50_000);
    assert_eq!(leak(&world, "g/a/dir").map(|leak| leak.rounds), Some(1), "it waits");
    world.settle();
    world.settle_for(10_000);
    assert!(leak(&world, "g/a/dir").unwrap().rounds > 1, "it is tried again after the run");
    // What is made anew at the place is no leak.
    world.unremovable.clear();
    world.carry_out(plan(2, vec![phase("a").directory("dir", Scope::Phase).work(), job("b")]));
    assert_eq!(leak(&world, "g/a/dir"), None);
}

#[test]
fn a_service_that_survives_is_killed_again() {
    let mut world = World::new();
    world.carry_out(plan(2, vec![server("a")]));
    world.stubborn.insert("g/a/svc".to_owned(), 4);
    world.down(false);
    world.settle();
    assert_eq!(leak(&world, "g/a/svc").unwrap().why, "processes would not end: 77");
    world.settle_for(1100);
    assert_eq!(leak(&world, "g/a/svc").unwrap().rounds, 2);
    world.settle_for(2100);
    assert_eq!((leak(&world, "g/a/svc"), world.is_alive("g/a/svc")), (None, false));
}

#[test]
fn processes_that_outlive_their_command_are_found_again_by_their_place() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { survivors: vec![88], ..Try::default() }];
    world.stubborn.insert("g/a".to_owned(), 4);
    world.carry_out(plan(2, vec![job("a")]));
    let left = leak(&world, "g/a").expect("it leaks");
    assert!(left.process.is_some(), "whoever ends the place must find their scope");
    world.restart();
    world.settle_for(5000);
    assert_eq!(leak(&world, "g/a"), None);
    assert!(!world.kernel.is_needed());
}
