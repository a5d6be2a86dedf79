//! A replacement that fails: what served before serves again, whenever the engine dies meanwhile.

use opensculpt::kernel::answer::Said;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::needs::Unlock;
use opensculpt::manifest::resource::Scope;
use opensculpt::plan::sealed::Plan;

use super::plans::{Draft, job, phase, plan, server};
use super::script::{Play, Service, Try, says};
use super::world::World;

fn failing() -> Vec<Try> {
    vec![Try { after: vec![Said::Fail], ..Try::default() }]
}

/// `a` changes, and its checks fail then; `b` needs it.
fn drafts() -> Plan {
    plan(2, vec![web(), server("b").needs(&["a"])])
}

fn web() -> Draft {
    phase("a").directory("data", Scope::Goal).file("conf").custom("cache", Scope::Goal).serve("svc", Scope::Goal).checks(1)
}

/// A goal that is up with `g.1`, and whose next run changes `a` for the worse.
fn up(draw_up: &dyn Fn() -> Plan) -> World {
    let mut world = World::new();
    world.carry_out(draw_up());
    assert_eq!(world.verdict(), Verdict::Verified);
    world.plays.insert("g.2/a".to_owned(), Play { fingerprint: "f2".to_owned(), tries: failing(), ..Play::default() });
    world.play("b").before = vec![says(Said::Pass)];
    world
}

fn maker(world: &World, place: &str) -> String {
    world.kernel.state().resource(&place.parse().unwrap()).unwrap().run.to_string()
}

#[test]
fn what_served_before_serves_again_when_its_replacement_fails() {
    let mut world = up(&drafts);
    let from = world.effects().len();
    world.carry_out(drafts());
    assert_eq!(
        world.effects()[from..],
        [
            "end g/a/svc",
            "remove g/a/cache",
            "make g/a/data",
            "make g/a/conf",
            "make g/a/cache",
            "serve g/a/svc",
            "end g/a/svc",
            "remove g/a/cache",
            "make g/a/conf",
            "make g/a/cache",
            "serve g/a/svc"
        ]
    );
    assert_eq!((world.ending("a"), world.outcome("b")), ((Outcome::Failed, Proof::None), Outcome::Skipped));
    assert_eq!(world.phase("a").why, "check 1: connection refused; rolled back to g.1");
    assert_eq!((world.verdict(), world.is_at_rest()), (Verdict::Failed, true));
    for place in ["g/a/svc", "g/a/conf", "g/a/cache", "g/b/svc"] {
        assert_eq!((world.resource(place), maker(&world, place).as_str()), (ResourceState::Ready, "g.1"), "{place}");
    }
    assert!(world.is_alive("g/a/svc") && world.is_alive("g/b/svc"));
    assert_eq!(world.did("serve g/b/svc"), 1, "what had not begun kept what it had");
    // The old plan again: what serves is what was proved.
    world.play("a").before = vec![says(Said::Pass)];
    world.carry_out(drafts());
    assert_eq!((world.verdict(), world.ending("a")), (Verdict::Verified, (Outcome::Verified, Proof::Already)));
    world.down(true);
    world.settle();
    assert!(world.alive.is_empty() && world.there.is_empty() && world.is_at_rest());
}

#[test]
fn a_rollback_ends_the_same_whichever_record_its_engine_dies_after() {
    let ends = |world: &World, died: usize| {
        assert!(world.phase("a").why.ends_with("; rolled back to g.1"), "died after {died}: {}", world.phase("a").why);
        assert_eq!((world.outcome("a"), world.verdict()), (Outcome::Failed, Verdict::Failed), "died after {died}");
        let places = ["g/a/svc", "g/a/conf", "g/a/cache", "g/b/svc"];
        assert!(places.iter().all(|place| maker(world, place) == "g.1" && world.resource(place) == ResourceState::Ready));
        assert!(world.is_alive("g/a/svc") && world.alive.len() == 2 && world.is_at_rest(), "died after {died}: {:?}", world.standing());
    };
    let mut whole = up(&drafts);
    let before = whole.records.len();
    whole.carry_out(drafts());
    for died in before..whole.records.len() {
        let mut world = up(&drafts);
        world.dies_after = Some(died);
        world.start(drafts());
        if world.run().id.0 == "g.1" {
            world.start(drafts());
        }
        world.settle();
        assert_eq!(world.deaths, 1);
        ends(&world, died);
    }
    // Engines that die one after the other.
    for step in 1..20 {
        let mut world = up(&drafts);
        world.start(drafts());
        for round in 0.. {
            world.dies_after = (round < 200).then(|| world.records.len() + step);
            if world.run().ended.is_some() {
                break;
            }
            if !world.step() {
                world.restart();
            }
        }
        world.dies_after = None;
        world.settle();
        ends(&world, step);
    }
}

#[test]
fn what_fails_for_good_is_rolled_back_however_it_fails() {
    let draw_up = || plan(2, vec![phase("a").work().serve("svc", Scope::Goal).checks(1).retry(2, 20, 1.0, 20).timeout(500)]);
    let service = Service::default();
    let plays: [(&str, Play); 4] = [
        ("work", Play { tries: vec![Try { exit: opensculpt::kernel::action::Exit::Code(1), ..Try::default() }], ..Play::default() }),
        ("late", Play { tries: vec![Try { takes: None, ..Try::default() }], ..Play::default() }),
        ("start", Play { service: Service { broken: true, ..service.clone() }, ..Play::default() }),
        ("ready", Play { service: Service { ready_after: None, ..service }, ..Play::default() }),
    ];
    for (how, play) in plays {
        let mut world = up(&draw_up);
        world.plays.insert("g.2/a".to_owned(), Play { fingerprint: "f2".to_owned(), ..play });
        world.carry_out(draw_up());
        assert_eq!((world.outcome("a"), world.phase("a").attempt), (Outcome::Failed, 2), "{how}");
        assert!(world.phase("a").why.ends_with("; rolled back to g.1"), "{how}: {}", world.phase("a").why);
        assert!(world.is_alive("g/a/svc") && world.is_at_rest(), "{how}");
    }
}

#[test]
fn what_is_unknown_stays_for_the_person_to_see() {
    let mut world = up(&drafts);
    world.play("g.2/a").tries = vec![Try { after: vec![Said::Unknown], ..Try::default() }];
    world.carry_out(drafts());
    assert_eq!((world.outcome("a"), maker(&world, "g/a/svc").as_str()), (Outcome::Unknown, "g.2"));
    assert!(world.is_alive("g/a/svc"));
}

#[test]
fn a_stop_gives_back_what_the_run_has_replaced_and_a_second_one_waits_for_nothing() {
    let draw_up = || plan(2, vec![phase("a").work().serve("svc", Scope::Goal).checks(1)]);
    for forced in [false, true] {
        let mut world = up(&draw_up);
        world.play("g.2/a").tries = vec![Try { takes: None, ..Try::default() }];
        world.start(draw_up());
        world.until(world.now + 200);
        assert!(world.alive.len() == 1 && !world.is_alive("g/a/svc"), "the new work goes on");
        world.stop(false);
        if forced {
            world.stop(true);
        }
        world.settle();
        assert_eq!((world.outcome("a"), world.verdict()), (Outcome::Cancelled, Verdict::Cancelled));
        assert_eq!(world.is_alive("g/a/svc"), !forced);
        let why = if forced { "; not rolled back to g.1: a person wanted an end at once" } else { "; rolled back to g.1" };
        assert_eq!(world.phase("a").why, format!("stopped by a person{why}"));
        assert!(world.is_at_rest());
    }
}

/// `a` and `b` are replaced and green, then somebody stops the run while `c` is at work.
fn stopped(died: Option<usize>) -> World {
    let draw_up = || plan(2, vec![server("a"), server("b").needs(&["a"]), job("c").needs(&["b"])]);
    let mut world = up(&draw_up);
    world.plays.insert("g.2/a".to_owned(), Play { fingerprint: "f2".to_owned(), ..Play::default() });
    world.play("b").before = vec![says(Said::Fail)];
    world.play("c").tries = vec![Try { takes: None, ..Try::default() }];
    world.start(draw_up());
    while world.did("work g/c") < 2 {
        assert!(world.step());
    }
    assert_eq!((world.outcome("a"), world.outcome("b")), (Outcome::Verified, Outcome::Verified));
    world.dies_after = died;
    world.stop(false);
    if world.run().stopping.is_none() {
        world.stop(false);
    }
    world
}

#[test]
fn a_stop_gives_back_what_green_phases_have_replaced_too_and_in_their_order() {
    let mut whole = stopped(None);
    let before = whole.times(|_| true).len();
    whole.settle();
    let effects = whole.effects();
    assert_eq!(effects[effects.len() - 5..], ["end g/c", "end g/b/svc", "end g/a/svc", "serve g/a/svc", "serve g/b/svc"]);
    for died in before - 2..whole.records.len() {
        let mut world = stopped(Some(died));
        world.settle();
        assert_eq!(world.deaths, 1);
        assert_eq!((world.verdict(), world.alive.len(), world.is_at_rest()), (Verdict::Cancelled, 2, true), "died after {died}");
        assert_eq!(world.end_why(), "stopped by a person; a: rolled back to g.1; b: rolled back to g.1", "died after {died}");
        assert_eq!((maker(&world, "g/a/svc"), maker(&world, "g/b/svc")), ("g.1".to_owned(), "g.1".to_owned()));
    }
}

#[test]
fn a_second_stop_ends_what_the_first_gives_back() {
    let mut world = stopped(None);
    while world.did("serve g/a/svc") < 3 {
        assert!(world.step());
    }
    world.stop(true);
    world.settle();
    assert_eq!(world.end_why(), "stopped by a person; a: not rolled back to g.1: a person wanted an end at once");
    assert!(world.is_at_rest() && !world.is_alive("g/b/svc"));
}

#[test]
fn a_second_stop_ends_a_rollback_that_is_under_way() {
    let draw_up = || plan(2, vec![server("a")]);
    let mut world = up(&draw_up);
    world.plays.insert("g.1/a".to_owned(), Play { service: Service { ready_after: None, ..Service::default() }, ..Play::default() });
    world.start(draw_up());
    while world.did("serve g/a/svc") < 3 {
        assert!(world.step());
    }
    world.stop(false);
    assert!(world.run().ended.is_none());
    world.stop(true);
    world.settle();
    assert!(world.phase("a").why.ends_with("not rolled back to g.1: a person wanted an end at once"), "{}", world.phase("a").why);
    assert!(world.is_at_rest());
}

#[test]
fn a_rollback_that_fails_says_why() {
    let draw_up = || plan(2, vec![server("a")]);
    let service = Service::default();
    let plays = [
        (Service { broken: true, ..service.clone() }, "no such program"),
        (Service { lives: Some(10), ready_after: None, ..service.clone() }, "it ended with exit 1"),
        (Service { ready_after: None, ..service }, "svc was not ready in time: connection refused"),
    ];
    for (service, why) in plays {
        let mut world = up(&draw_up);
        world.plays.insert("g.1/a".to_owned(), Play { service, ..Play::default() });
        world.carry_out(draw_up());
        assert_eq!(world.phase("a").why, format!("check 1: connection refused; not rolled back to g.1: {why}"));
        assert_eq!((world.outcome("a"), world.is_at_rest()), (Outcome::Failed, true));
    }
}

#[test]
fn what_would_not_end_meets_no_second_copy() {
    let draw_up = || plan(2, vec![server("a")]);
    let mut world = up(&draw_up);
    world.stubborn.insert("g/a/svc".to_owned(), 99);
    world.carry_out(draw_up());
    assert!(world.phase("a").why.ends_with("; not rolled back to g.1: svc would not end"), "{}", world.phase("a").why);
    assert_eq!(world.did("serve g/a/svc"), 1);
}

#[test]
fn what_is_torn_down_anyway_is_not_started_again() {
    let draw_up = || plan(2, vec![server("a")]);
    let mut world = up(&draw_up);
    world.carry_out_once(draw_up());
    assert_eq!((world.did("serve g/a/svc"), world.alive.len()), (2, 0));
    assert_eq!(world.phase("a").why, "check 1: connection refused");
}

#[test]
fn a_service_under_another_name_gives_way_to_the_old_one_again() {
    let mut world = up(&|| plan(2, vec![server("a")]));
    world.carry_out(plan(2, vec![phase("a").serve("renamed", Scope::Goal).checks(1)]));
    assert!(world.is_alive("g/a/svc") && !world.is_alive("g/a/renamed"));
    assert!(world.phase("a").why.ends_with("; rolled back to g.1"), "{}", world.phase("a").why);
    // One that is never reached keeps what it had, too.
    let mut world = up(&drafts);
    world.carry_out(plan(2, vec![web(), phase("b").serve("renamed", Scope::Goal).checks(1).needs(&["a"])]));
    assert_eq!((world.outcome("b"), world.is_alive("g/b/svc")), (Outcome::Skipped, true));
    assert_eq!(world.phase("b").why, "it needs a, which ended failed; rolled back to g.1");
}

#[test]
fn what_needs_only_its_end_is_renewed_with_what_was_rolled_back() {
    let draw_up = || plan(2, vec![server("a"), server("c").needs_when("a", Unlock::Finished)]);
    let mut world = up(&draw_up);
    world.play("c").before = vec![says(Said::Pass)];
    world.carry_out(draw_up());
    assert_eq!((world.did("serve g/a/svc"), world.did("serve g/c/svc")), (3, 2));
}

#[test]
fn a_phase_that_is_left_by_its_budget_between_two_attempts_is_rolled_back_too() {
    let draw_up = || plan(2, vec![server("a").retry(5, 10_000, 1.0, 10_000).max_time(1000), job("other")]);
    let mut world = up(&draw_up);
    world.carry_out(draw_up());
    assert_eq!(world.outcome("a"), Outcome::Cancelled);
    assert!(world.phase("a").why.ends_with("; rolled back to g.1") && world.is_alive("g/a/svc"));
    assert_eq!(world.times(|record| matches!(record, Record::Replacing { .. })).len(), 1);
}

#[test]
fn the_late_end_of_what_was_replaced_is_not_taken_for_that_of_what_was_started_again() {
    let draw_up = || plan(2, vec![server("a")]);
    for seed in 0..100 {
        let mut world = up(&draw_up);
        world.plays.insert("g.2/a".to_owned(), Play { wanted: false, ..Play::default() });
        world.seed(seed, 8);
        // Its service is no longer declared, and ends while the run opens; then the phase is not wanted.
        world.carry_out(plan(2, vec![job("a")]));
        assert_eq!(
            (world.outcome("a"), world.phase("a").why.as_str()),
            (Outcome::Skipped, "`when` is false; rolled back to g.1"),
            "{:#?}",
            world.standing()
        );
        assert!(world.is_alive("g/a/svc") && world.resource("g/a/svc") == ResourceState::Ready, "{seed}: {:#?}", world.standing());
    }
}
