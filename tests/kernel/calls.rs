//! What commands make in the container engine: whose it is, and when it goes.

use opensculpt::base::owner::Owner;
use opensculpt::kernel::action::{Effect, EffectId, Exit, ProcessMark, Seen};
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::call::{Call, CallId, Verb};
use opensculpt::kernel::input::{Input, Request};
use opensculpt::kernel::object::Object;
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::kernel::stock::Kind;
use opensculpt::kernel::told::Told;
use opensculpt::kernel::usage::Usage;
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::Plan;

use super::plans::{job, phase, plan, server};
use super::script::{Try, says};
use super::world::World;

impl World {
    /// What runs at a place asks the container engine for something. Gives its permit, where it has one.
    fn calls(&mut self, place: &str, verb: Verb, subject: Option<&str>, name: Option<&str>) -> Option<EffectId> {
        self.calls_on(place, verb, (subject, None), name)
    }

    /// The same, of what the container engine knows by this id.
    fn calls_on(&mut self, place: &str, verb: Verb, (subject, id): (Option<&str>, Option<&str>), name: Option<&str>) -> Option<EffectId> {
        let by = *self.alive.get(&place.parse::<Owner>().unwrap()).expect("something runs there");
        self.calls_by(by, verb, (subject, id), name)
    }

    /// The same of the command of any effect.
    fn calls_by(&mut self, by: EffectId, verb: Verb, (subject, id): (Option<&str>, Option<&str>), name: Option<&str>) -> Option<EffectId> {
        let known = self.records.len();
        let [subject, name, engines] = [subject, name, id].map(|text| text.map(str::to_owned));
        let call = Call { verb, request: "POST /x".to_owned(), subject, id: engines, name };
        self.give(Input::Called { by, id: CallId(1), call });
        self.records[known..].iter().find_map(|(_, record)| match record {
            Record::Requested { id, effect: Effect::Call { .. }, .. } => Some(*id),
            _ => None,
        })
    }

    /// It makes something.
    fn makes(&mut self, place: &str, kind: Kind, name: &str) {
        let permit = self.calls(place, Verb::Create(kind), None, Some(name)).expect("a permit");
        self.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(201), id: Some(format!("id-{name}")) } });
        if !kind.runs() {
            let owner = self.kernel.state().live_resources().last().unwrap().owner.to_string();
            self.there.insert(owner);
        }
    }

    /// What a command that ends has made and may not keep is ended with it; how many things that were.
    pub(super) fn sweep_caught(&mut self, by: &Owner) -> Option<u32> {
        if self.engine_is_away {
            return None;
        }
        let of = |resource: &&opensculpt::kernel::stock::Resource| {
            resource.caught.as_ref().is_some_and(|caught| caught.by == *by && !caught.keeps)
        };
        let gone: Vec<String> = self.kernel.state().live_resources().filter(of).map(|resource| resource.owner.to_string()).collect();
        for place in &gone {
            self.there.remove(place);
        }
        (!gone.is_empty()).then(|| u32::try_from(gone.len()).unwrap())
    }

    fn caught(&self) -> Vec<(String, ResourceState)> {
        let resources = self.kernel.state().goals["g"].resources.values().filter(|resource| resource.caught.is_some());
        resources.map(|resource| (resource.owner.to_string(), resource.state)).collect()
    }

    fn live_caught(&self) -> Vec<String> {
        self.caught().into_iter().filter(|(_, state)| state.is_live()).map(|(place, _)| place).collect()
    }
}

fn keeping() -> Plan {
    plan(2, vec![phase("a").work().checks(1).docker("keep")])
}

/// A world in which `a` works until the time is 1200, and has made some of everything by 1100.
fn at_work(keeps: bool) -> World {
    let mut world = World::new();
    let play = world.play("a");
    (play.tries, play.fingerprint) = (vec![Try { takes: Some(190), ..Try::default() }], "the same".to_owned());
    world.start(if keeps { keeping() } else { plan(2, vec![job("a")]) });
    world.until(1050);
    for (kind, name) in [(Kind::Network, "net"), (Kind::Volume, "data"), (Kind::Container, "web")] {
        world.makes("g/a", kind, name);
    }
    world
}

#[test]
fn what_a_command_makes_is_its_own_and_ends_with_it() {
    let mut world = at_work(false);
    assert_eq!(world.live_caught(), ["g/a/docker:net", "g/a/docker:data", "g/a/docker:web"]);
    world.settle();
    assert_eq!((world.verdict(), world.live_caught()), (Verdict::Verified, vec![]));
    assert_eq!(world.phase("a").contained, 3);
    assert!(world.is_at_rest());
}

#[test]
fn what_is_kept_stays_until_its_goal_goes_down_and_data_until_volumes_do() {
    let mut world = at_work(true);
    world.settle();
    assert_eq!((world.verdict(), world.live_caught().len()), (Verdict::Verified, 3));
    // Another run finds its phase verified already, and nobody collects what that stands on.
    world.play("a").before = vec![says(Said::Pass)];
    world.start(keeping());
    world.settle();
    world.ask(Request::Collect { evict: true });
    world.settle();
    assert_eq!(world.live_caught().len(), 3);
    world.down(false);
    world.settle();
    assert_eq!(world.live_caught(), ["g/a/docker:data"]);
    world.down(true);
    world.settle();
    assert!(world.live_caught().is_empty() && world.there.is_empty());
    // Containers first, then the networks that they were in, then volumes.
    let ends: Vec<String> = world.effects().into_iter().filter(|effect| effect.contains("docker:")).collect();
    assert_eq!(ends, ["end g/a/docker:web", "remove g/a/docker:net", "remove g/a/docker:data"]);
}

#[test]
fn a_failed_attempt_takes_what_it_made_even_where_it_might_have_kept_it() {
    let mut world = at_work(true);
    world.stop(false);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Cancelled);
    assert_eq!(world.live_caught(), ["g/a/docker:data"], "data is kept, as what is declared is");
}

#[test]
fn what_cannot_be_seen_to_be_gone_is_ended_with_the_attempt() {
    let mut world = at_work(false);
    world.engine_is_away = true;
    world.unremovable.insert("g/a/docker:net".to_owned());
    world.settle();
    assert_eq!(world.phase("a").state.outcome(), Some(Outcome::Unknown), "{}", world.phase("a").why);
    assert!(world.phase("a").why.contains("g/a/docker:net"), "{}", world.phase("a").why);
    assert_eq!(world.live_caught(), ["g/a/docker:net"]);
}

#[test]
fn what_a_command_removes_is_gone_by_whatever_it_is_called() {
    for (subject, id) in [("web", Some("id-web")), ("id-we", Some("id-web")), ("web", None), ("id-web", None)] {
        let mut world = at_work(false);
        let verb = Verb::Remove(Kind::Container);
        let permit = world.calls_on("g/a", verb, (Some(subject), id), None).expect("a permit");
        assert_eq!(world.live_caught().len(), 3, "asked for is not done");
        world.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(204), id: None } });
        assert_eq!(world.live_caught(), ["g/a/docker:net", "g/a/docker:data"], "{subject} {id:?}");
    }
    let mut world = at_work(false);
    let permit = world.calls("g/a", Verb::Remove(Kind::Container), Some("web"), None).expect("a permit");
    world.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(409), id: None } });
    assert_eq!(world.live_caught().len(), 3, "refused is not done");
}

#[test]
fn a_removal_takes_nothing_that_only_begins_like_it() {
    // An engine says 204 also where it is told to remove what is not there, and force.
    for (subject, id, status) in [
        ("da", Some("da"), 204),
        ("da", None, 204),
        ("", None, 204),
        ("id-d", None, 204),
        ("data", Some("elsewhere"), 204),
        ("data", None, 404),
    ] {
        let mut world = at_work(false);
        let permit = world.calls_on("g/a", Verb::Remove(Kind::Volume), (Some(subject), id), None).expect("a permit");
        world.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(status), id: None } });
        assert_eq!(world.live_caught().len(), 3, "{subject} {id:?} {status}");
    }
}

#[test]
fn a_name_that_comes_again_is_another_thing() {
    let mut world = at_work(false);
    world.makes("g/a", Kind::Network, "web");
    let places = world.live_caught();
    assert!(places[3].starts_with("g/a/docker:web."), "{places:?}");
    world.makes("g/a", Kind::Volume, "data");
    assert_eq!(world.live_caught(), places, "a volume that is there is not made again");
}

#[test]
fn nobody_who_is_being_ended_may_call() {
    let mut world = at_work(false);
    world.stop(false);
    let known = world.records.len();
    if world.alive.contains_key(&"g/a".parse::<Owner>().unwrap()) {
        assert_eq!(world.calls("g/a", Verb::Change, None, None), None);
    }
    assert_eq!(world.records.len(), known, "nothing is recorded of what is not permitted");
    world.settle();
    assert!(world.is_at_rest());
}

#[test]
fn a_service_owns_what_it_makes() {
    let mut world = World::new();
    world.start(plan(1, vec![server("a")]));
    world.settle();
    world.makes("g/a/svc", Kind::Container, "side");
    assert_eq!(world.live_caught(), ["g/a/docker:side"]);
    world.ask(Request::Collect { evict: true });
    world.settle();
    assert_eq!(world.live_caught(), ["g/a/docker:side"], "nobody collects what a service that is wanted has made");
    world.down(false);
    world.settle();
    assert!(world.live_caught().is_empty() && world.is_at_rest());
}

#[test]
fn what_was_made_is_known_to_the_next_engine_and_a_call_that_it_was_at_is_over() {
    let mut world = at_work(false);
    world.calls("g/a", Verb::Create(Kind::Container), None, Some("late")).expect("a permit");
    world.restart();
    assert_eq!(world.live_caught().len(), 3);
    let open = world.kernel.state().effects.values().filter(|open| matches!(open.effect, Effect::Call { .. })).count();
    assert_eq!(open, 0, "nobody will see its answer");
    world.makes("g/a", Kind::Container, "later");
    world.settle();
    assert!(world.live_caught().is_empty() && world.is_at_rest());
}

/// A container of the phase `a`, by the id that `makes` gives it.
fn web(world: &World) -> opensculpt::kernel::stock::Resource {
    world.kernel.state().goals["g"].resources[&"g/a/docker:web".parse::<Owner>().unwrap()].clone()
}

impl World {
    fn hears(&mut self, container: &str, told: Told) -> usize {
        let known = self.records.len();
        self.give(Input::Told { container: container.to_owned(), told });
        self.records[known..].iter().filter(|(_, record)| matches!(record, Record::Told { .. })).count()
    }
}

#[test]
fn what_the_engine_tells_of_a_container_is_what_is_known_of_it() {
    let mut world = at_work(true);
    let process = ProcessMark { pid: 7, ..ProcessMark::of_container(&"g".into(), "id-web") };
    assert_eq!(world.hears("id-web", Told::Started { process: process.clone() }), 1);
    assert_eq!(world.hears("id-web", Told::Started { process: process.clone() }), 0, "what is told again changes nothing");
    assert_eq!((web(&world).state, web(&world).process), (ResourceState::Ready, Some(process.clone())));
    let usage = Usage { oom_kills: 1, peak_memory: Some(5 << 20), ..Usage::default() };
    assert_eq!(world.hears("id-web", Told::Ended { exit: Exit::Code(137), usage }), 1);
    assert_eq!((web(&world).state, web(&world).exit, web(&world).usage), (ResourceState::Unhealthy, Some(Exit::Code(137)), usage));
    assert!(web(&world).evidence.starts_with("killed for want of memory"), "{}", web(&world).evidence);
    assert_eq!(world.hears("id-web", Told::Started { process }), 1, "somebody has started it again");
    assert_eq!((web(&world).state, web(&world).exit, web(&world).usage), (ResourceState::Ready, None, Usage::default()));
    assert_eq!(world.hears("id-web", Told::Renamed { name: "other".into() }), 1);
    assert_eq!(web(&world).caught.unwrap().name, "other");
    assert_eq!(world.hears("id-web", Told::Removed), 1);
    assert_eq!(web(&world).state, ResourceState::Gone);
    assert_eq!(world.hears("id-web", Told::Removed), 0);
    assert_eq!(world.hears("id-of-a-stranger", Told::Removed), 0);
    assert_eq!(world.live_caught().len(), 2, "the network and the volume are still there");
}

/// The effect of this kind that is open.
fn open(world: &World, is: fn(&Effect) -> bool) -> EffectId {
    let mut open = world.kernel.state().effects.iter().filter(|(_, open)| is(&open.effect));
    *open.next().expect("such an effect").0
}

#[test]
fn what_the_command_of_a_custom_resource_makes_is_kept_with_it_and_goes_after_it() {
    for keep in [false, true] {
        let mut world = World::new();
        world.make_takes = 500;
        world.start(plan(1, vec![phase("a").custom("db", Scope::Goal).keep("db", keep)]));
        world.until(1200);
        let by = open(&world, |effect| matches!(effect, Effect::Make { .. }));
        let permit = world.calls_by(by, Verb::Create(Kind::Container), (None, None), Some("web")).expect("a permit");
        world.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(201), id: Some("id-web".to_owned()) } });
        world.settle();
        assert_eq!(world.live_caught(), ["g/a/docker:web"]);
        assert_eq!(world.calls_by(by, Verb::Change, (None, None), None), None, "its command has ended");
        world.down(false);
        world.settle();
        assert_eq!(world.live_caught().len(), usize::from(keep));
        world.down(true);
        world.settle();
        let ends: Vec<String> =
            world.effects().into_iter().filter(|effect| effect.starts_with("end") || effect.starts_with("remove")).collect();
        assert_eq!(ends, ["remove g/a/db", "end g/a/docker:web"]);
    }
}

#[test]
fn the_command_of_a_check_may_call_while_it_is_asked_and_what_it_makes_is_no_resource() {
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Fail)];
    world.look_takes = 500;
    world.start(plan(1, vec![job("a")]));
    world.until(1600);
    let by = open(&world, |effect| matches!(effect, Effect::Ask { .. }));
    let permit = world.calls_by(by, Verb::Create(Kind::Container), (None, None), Some("web")).expect("a permit");
    world.give(Input::Seen { id: permit, seen: Seen::Called { status: Some(201), id: Some("id-web".to_owned()) } });
    assert!(world.live_caught().is_empty());
    world.settle();
    assert_eq!(world.calls_by(by, Verb::Change, (None, None), None), None, "it is not asked any more");
    assert!(world.is_at_rest());
}

#[test]
fn a_network_is_nobodys_once_its_command_has_ended_and_a_volume_may_be_data() {
    let mut world = at_work(false);
    let by = *world.alive.get(&"g/a".parse::<Owner>().unwrap()).expect("it works");
    let object = |kind, effect, id: &str| Object { goal: "g".into(), kind, effect, id: id.to_owned() }.scope();
    let (own, data) = (object(Kind::Network, Some(by.0), "lost"), object(Kind::Volume, None, "lost"));
    assert!(world.kernel.state().explains_object(&own, true), "it is ended with its command");
    assert!(world.kernel.state().explains_object(&object(Kind::Network, None, "id-net"), false), "a record knows it");
    world.settle();
    let state = world.kernel.state();
    assert!(!state.explains_object(&own, false) && !state.explains_object(&object(Kind::Volume, Some(by.0), "lost"), false));
    assert!(state.explains_object(&data, false), "nobody removes it by guess");
}

#[test]
fn what_would_not_go_and_was_removed_by_somebody_else_leaks_no_more() {
    let mut world = at_work(true);
    world.settle();
    world.stubborn.insert("g/a/docker:web".to_owned(), 1000);
    world.down(false);
    world.settle_for(1000);
    let leaks = |world: &World| world.kernel.state().goals["g"].leaks.len();
    assert_eq!(leaks(&world), 1, "{:?}", world.caught());
    assert_eq!(world.hears("id-web", Told::Removed), 1);
    assert_eq!(leaks(&world), 0);
    world.settle();
    assert!(world.is_at_rest(), "nothing is tried again");
}
