//! The folders that are made on the way to a directory: known before they are made, and removed by whoever is the last in them.

use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::state::State;
use opensculpt::manifest::resource::Scope;

use super::plans::{phase, plan};
use super::script::Try;
use super::world::World;

fn above(state: &State, place: &str) -> Vec<String> {
    state.resource(&place.parse().unwrap()).unwrap().above.clone()
}

fn lies(world: &mut World, place: &str, path: &str, above: Option<&str>) {
    world.paths.insert(place.to_owned(), path.to_owned());
    world.above.extend(above.map(|above| (place.to_owned(), above.to_owned())));
}

#[test]
fn they_are_known_before_anything_is_made_and_where_another_path_is_declared_later() {
    let mut world = World::new();
    world.make_takes = 1_000;
    lies(&mut world, "g/a/data", "x/y/data", Some("x"));
    let drawn = || plan(2, vec![phase("a").directory("data", Scope::Goal).work().checks(1)]);
    world.start(drawn());
    let begun = |world: &World| world.records.iter().any(|(_, record)| serde_json::to_string(record).unwrap().contains(r#""above":"x""#));
    while !begun(&world) {
        assert!(world.step());
    }
    // The engine dies here; the next one reads it.
    world.restart();
    assert_eq!(above(world.kernel.state(), "g/a/data"), ["x"]);
    world.settle();
    lies(&mut world, "g/a/data", "z/data", Some("z"));
    world.play("a").fingerprint = "f2".to_owned();
    world.carry_out(drawn());
    assert_eq!(above(world.kernel.state(), "g/a/data"), ["x", "z"]);
    world.down(true);
    world.settle();
    assert_eq!((world.resource("g/a/data"), above(world.kernel.state(), "g/a/data").len()), (ResourceState::Gone, 0));
}

#[test]
fn whoever_lives_on_in_them_has_them_next() {
    let mut world = World::new();
    lies(&mut world, "g/a/first", "x/first", Some("x"));
    lies(&mut world, "g/b/second", "x/y/second", Some("x/y"));
    lies(&mut world, "g/b/beside", "xx/beside", None);
    world.play("a").tries = vec![Try { takes: Some(500), ..Try::default() }];
    let first = phase("a").directory("first", Scope::Phase).work().checks(1);
    let second = phase("b").directory("second", Scope::Goal).directory("beside", Scope::Goal).work().checks(1);
    world.carry_out(plan(2, vec![first, second]));
    assert_eq!(world.resource("g/a/first"), ResourceState::Gone);
    assert_eq!(above(world.kernel.state(), "g/b/second"), ["x/y", "x"]);
    assert_eq!(above(world.kernel.state(), "g/b/beside"), [] as [&str; 0], "a name that begins alike is another folder");
    // It is the same where the journal is read again.
    let mut state = State::default();
    for (at, record) in &world.records {
        let record: Record = serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap();
        state.apply(opensculpt::base::time::Timestamp(*at), &record).unwrap();
    }
    assert_eq!(above(&state, "g/b/second"), ["x/y", "x"]);
}

#[test]
fn a_folder_on_the_way_that_is_declared_too_is_the_goals_and_stays_as_long_as_that() {
    let mut world = World::new();
    lies(&mut world, "g/a/conf", "data/conf", Some("data"));
    lies(&mut world, "g/a/data", "data", None);
    // The file is made first, and the folder is found.
    world.there.insert("data".to_owned());
    world.carry_out(plan(1, vec![phase("a").directory("conf", Scope::Phase).directory("data", Scope::Goal).work().checks(1)]));
    let state = world.kernel.state();
    let data = state.resource(&"g/a/data".parse().unwrap()).unwrap();
    assert!(data.created && data.paths == ["data"], "nobody made it but sculpt: {data:?}");
    assert_eq!(world.resource("g/a/conf"), ResourceState::Gone);
    assert!(world.there.contains("data"), "{:?}", world.there);
    world.down(true);
    world.settle();
    assert_eq!(world.resource("g/a/data"), ResourceState::Gone);
}

#[test]
fn all_that_lead_to_what_is_removed_go_with_it_and_what_others_have_stays() {
    let mut world = World::new();
    lies(&mut world, "g/a/one", "x/one", Some("x"));
    lies(&mut world, "g/a/two", "x/y/two", Some("x/y"));
    lies(&mut world, "g/a/other", "z/other", Some("z"));
    let draft = phase("a").directory("one", Scope::Goal).directory("two", Scope::Goal).directory("other", Scope::Goal);
    world.carry_out(plan(1, vec![draft.work().checks(1)]));
    let ways = |place: &str| world.kernel.state().ways(&place.parse().unwrap());
    assert_eq!(ways("g/a/two"), (vec!["x".to_owned(), "x/y".to_owned()], vec!["x/one".to_owned(), "z/other".to_owned()]));
    assert_eq!(ways("g/a/one").0, ["x"]);
}
