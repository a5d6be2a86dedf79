//! A goal that is run again, and one that is taken down.

use opensculpt::base::name::Name;
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::Refusal;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::resource::Scope;

use super::plans::{job, phase, plan, server};
use super::script::says;
use super::world::World;

#[test]
fn the_same_goal_again_repeats_nothing_that_is_proved_and_alive() {
    let drafts = || plan(4, vec![job("w"), server("a").needs(&["w"]), job("b").needs(&["a"]), phase("c").checks(1).needs(&["b"])]);
    let mut world = World::new();
    world.carry_out(drafts());
    assert_eq!(world.verdict(), Verdict::Verified);
    let effects = world.effects().len();
    for name in ["w", "a", "b", "c"] {
        world.play(name).before = vec![says(Said::Pass)];
    }
    world.carry_out(drafts());
    assert_eq!(world.effects().len(), effects, "nothing was done");
    for name in ["w", "a", "b", "c"] {
        assert_eq!(world.ending(name), (Outcome::Verified, Proof::Already), "{name}");
    }
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn what_has_changed_is_replaced_and_so_are_its_dependents() {
    let drafts = || plan(4, vec![server("a"), job("b").needs(&["a"]), server("c").needs(&["b"]), server("other")]);
    let mut world = World::new();
    world.carry_out(drafts());
    for name in ["a", "b", "c", "other"] {
        world.play(name).before = vec![says(Said::Pass)];
    }
    let play = world.play("a");
    play.fingerprint = "f2".to_owned();
    play.before = vec![says(Said::Fail)];
    let from = world.effects().len();
    world.carry_out(drafts());
    let effects: Vec<String> = world.effects()[from..].to_vec();
    assert_eq!(effects[..2], ["end g/a/svc", "serve g/a/svc"]);
    assert!(effects.contains(&"end g/c/svc".to_owned()) && effects.contains(&"serve g/c/svc".to_owned()), "{effects:?}");
    assert!(!effects.iter().any(|effect| effect.contains("other")), "{effects:?}");
    assert_eq!((world.ending("a"), world.ending("other")), ((Outcome::Verified, Proof::Proven), (Outcome::Verified, Proof::Already)));
    assert_eq!(world.alive.len(), 3);
}

#[test]
fn what_would_not_end_gets_no_successor() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![server("a")]));
    world.play("a").fingerprint = "f2".to_owned();
    world.stubborn.insert("g/a/svc".to_owned(), 99);
    world.carry_out(plan(4, vec![server("a")]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Failed, Some(Fault::Survivors)));
    assert_eq!((world.did("serve g/a/svc"), world.survivors()), (1, 1));
}

#[test]
fn what_the_manifest_no_longer_has_is_ended_before_anything_begins() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![server("a"), phase("b").directory("data", Scope::Goal).serve("svc", Scope::Goal).checks(1)]));
    world.play("a").before = vec![says(Said::Pass)];
    world.carry_out(plan(4, vec![server("a"), job("c")]));
    assert!(world.is_alive("g/a/svc") && !world.is_alive("g/b/svc"));
    assert!(world.there.contains("g/b/data"));
    let effects = world.effects();
    assert_eq!(effects[effects.len() - 2..], ["end g/b/svc", "work g/c"]);
}

#[test]
fn what_is_to_be_kept_is_neither_replaced_nor_removed_for_a_change() {
    let drafts = || plan(4, vec![phase("a").custom("db", Scope::Goal).keep("db", true).custom("cache", Scope::Goal).work().checks(1)]);
    let mut world = World::new();
    world.carry_out(drafts());
    world.play("a").fingerprint = "f2".to_owned();
    world.carry_out(drafts());
    assert_eq!((world.did("remove g/a/db"), world.did("remove g/a/cache")), (0, 1));
    world.carry_out(plan(4, vec![job("b")]));
    assert!(world.there.contains("g/a/db") && !world.there.contains("g/a/cache"));
    world.down(true);
    world.settle();
    assert!(world.there.is_empty(), "it is still known to be sculpt's own");
}

#[test]
fn what_was_there_before_is_not_sculpts_because_another_path_was_made_at_its_place() {
    let drafts = || plan(4, vec![phase("a").directory("data", Scope::Goal).work().checks(1)]);
    let mut world = World::new();
    world.paths.insert("g/a/data".to_owned(), "out1".to_owned());
    world.carry_out(drafts());
    world.there.insert("photos".to_owned());
    for (fingerprint, path) in [("f2", "photos"), ("f3", "out2"), ("f4", "photos")] {
        world.play("a").fingerprint = fingerprint.to_owned();
        world.paths.insert("g/a/data".to_owned(), path.to_owned());
        world.carry_out(drafts());
        assert!(world.there.contains("out1"), "it is kept until `down --volumes`");
    }
    world.down(true);
    world.settle();
    assert_eq!(world.there.iter().map(String::as_str).collect::<Vec<_>>(), ["photos"]);
    assert_eq!((world.did("remove g/a/data"), world.resource("g/a/data")), (1, ResourceState::Gone));
}

#[test]
fn what_was_made_is_not_forgotten_because_its_successor_could_not_be_made() {
    let mut world = World::new();
    let drafts = || plan(4, vec![phase("a").directory("data", Scope::Goal).work().checks(1)]);
    world.carry_out(drafts());
    world.taken.insert("g/a/data".to_owned());
    world.carry_out(drafts());
    assert_eq!((world.outcome("a"), world.resource("g/a/data")), (Outcome::Failed, ResourceState::Unhealthy));
    world.down(true);
    world.settle();
    assert!(world.there.is_empty());
}

#[test]
fn a_service_that_died_since_is_started_again_with_its_dependents() {
    let drafts = || plan(4, vec![server("a"), server("b").needs(&["a"])]);
    let mut world = World::new();
    world.play("a").service.lives = Some(5000);
    world.carry_out(drafts());
    world.until(20_000);
    assert_eq!(world.resource("g/a/svc"), ResourceState::Gone);
    world.play("a").service.lives = None;
    world.play("b").before = vec![says(Said::Pass)];
    world.carry_out(drafts());
    assert_eq!((world.did("serve g/a/svc"), world.did("serve g/b/svc"), world.alive.len()), (2, 2, 2));
}

#[test]
fn down_ends_all_but_what_is_kept_and_volumes_end_that_too() {
    let mut world = World::new();
    world.there.insert("g/a/home".to_owned());
    let draft =
        phase("a").directory("home", Scope::Goal).directory("data", Scope::Goal).custom("db", Scope::Goal).serve("svc", Scope::Goal);
    world.carry_out(plan(4, vec![draft.checks(1), server("b").needs(&["a"])]));
    let from = world.effects().len();
    assert_eq!(world.down(false), None);
    assert_eq!(world.down(false), Some(Refusal::Falling { goal: Name::from("g") }));
    assert!(matches!(world.start_with(plan(1, vec![job("a")]), RunOptions::default()), Some(Refusal::Falling { .. })));
    world.settle();
    assert_eq!(world.effects()[from..], ["end g/b/svc", "end g/a/svc", "remove g/a/db"]);
    assert!(world.alive.is_empty() && world.there.contains("g/a/data"));
    let kept = world.records.iter().rev().find_map(|(_, record)| match record {
        Record::DownEnded { kept, survivors: 0, .. } => Some(kept.iter().map(ToString::to_string).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(kept.unwrap(), ["g/a/home", "g/a/data"]);
    let from = world.effects().len();
    assert_eq!(world.down(true), None);
    world.settle();
    assert_eq!(world.effects()[from..], ["remove g/a/data", "forget g"]);
    assert_eq!(world.there.iter().map(String::as_str).collect::<Vec<_>>(), ["g/a/home"], "it was there before");
    assert!(world.is_at_rest() && world.kernel.state().live_resources().count() == 0);
}

#[test]
fn down_is_refused_while_it_runs_and_where_nothing_is_known() {
    let mut world = World::new();
    assert!(matches!(world.down(false), Some(Refusal::NoGoal { .. })));
    assert!(matches!(world.stop(false), Some(Refusal::NotRunning { .. })));
    world.start(plan(1, vec![job("a")]));
    assert!(matches!(world.down(false), Some(Refusal::Running { .. })));
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn the_same_run_is_attached_to_and_anything_else_is_refused_with_the_difference() {
    let mut world = World::new();
    world.start(plan(1, vec![job("a")]));
    let begun = world.records.len();
    assert_eq!(world.start_with(plan(1, vec![job("a")]), RunOptions::default()), None);
    assert_eq!(world.records.len(), begun, "nothing is begun twice");
    let mut differences = |plan, options| match world.start_with(plan, options) {
        Some(Refusal::Different { differences, .. }) => differences,
        other => panic!("{other:?}"),
    };
    let strict = RunOptions { strict: true, ..RunOptions::default() };
    assert_eq!(differences(plan(1, vec![job("a")]), strict), ["`--strict` was given here and not there"]);
    assert_eq!(differences(plan(2, vec![job("b")]), RunOptions::default()).len(), 3, "two phases and the concurrency");
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn a_check_that_passes_when_its_subject_is_gone_is_named_as_a_liar() {
    let lies = |again: Said, subject: &str| {
        let mut world = World::new();
        world.play("a").subjects = vec![(0, Name::from(subject))];
        world.play("a").again = again;
        world.carry_out(plan(1, vec![server("a").directory("data", Scope::Goal)]));
        assert_eq!(world.verdict(), Verdict::Verified);
        assert_eq!(world.down(false), None);
        world.settle();
        let ended = world.records.iter().find_map(|(_, record)| match record {
            Record::DownEnded { liars, .. } => Some(liars.iter().map(|lie| format!("{} {}", lie.phase, lie.check)).collect::<Vec<_>>()),
            _ => None,
        });
        ended.unwrap()
    };
    assert_eq!(lies(Said::Pass, "svc"), ["g/a 0"]);
    assert!(lies(Said::Fail, "svc").is_empty(), "an honest check fails then");
    assert!(lies(Said::Unknown, "svc").is_empty(), "no answer is no lie");
    assert!(lies(Said::Pass, "data").is_empty(), "what is kept accuses nobody");
}
