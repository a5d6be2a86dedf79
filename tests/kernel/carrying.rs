//! Going on from an earlier run: what is carried over, what is done again, and engines that die meanwhile.

use opensculpt::base::name::Name;
use opensculpt::kernel::action::RunId;
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::input::{Refusal, Request};
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::manifest::verify::{RedBeforeGreen, Tier};
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{job, phase, plan, server};
use super::script::says;
use super::world::World;

/// A service, a job that fails once, one that depends on it, and one beside.
fn drafts() -> Plan {
    plan(
        4,
        vec![
            server("a"),
            job("b").needs(&["a"]),
            job("c").needs(&["b"]),
            job("beside").red(RedBeforeGreen::Waived),
            job("z").part(Part::Finally),
        ],
    )
}

/// The first run has failed in `b`.
fn failed() -> World {
    let mut world = World::new();
    world.exits("b", &[1]);
    world.carry_out(drafts());
    assert_eq!((world.verdict(), world.outcome("c")), (Verdict::Failed, Outcome::Skipped));
    world.exits("b", &[0]);
    world
}

fn carried(world: &World, name: &str) -> Option<String> {
    world.phase(name).carried.as_ref().map(|run| run.0.clone())
}

#[test]
fn what_did_not_end_well_goes_again_and_the_rest_is_carried_over() {
    let mut world = failed();
    let from = world.effects().len();
    assert_eq!(world.retry(None, false), None);
    assert_eq!(world.verdict(), Verdict::Verified, "{:?}", world.standing());
    assert_eq!(world.effects()[from..], ["work g/b", "work g/c", "work g/z"]);
    assert_eq!((world.ending("a"), carried(&world, "a")), ((Outcome::Verified, Proof::Proven), Some("g.1".to_owned())));
    assert_eq!(world.ending("beside"), (Outcome::Verified, Proof::Waived), "a waived proof is not made better by being carried");
    assert!(world.phase("a").why.starts_with("carried over from g.1: "), "{}", world.phase("a").why);
    assert_eq!((world.ending("b"), carried(&world, "b")), ((Outcome::Verified, Proof::Proven), None));
    assert!(world.is_alive("g/a/svc"), "the same service serves on");
    assert_eq!(world.kernel.state().goals["g"].past[1].retries, Some(RunId("g.1".to_owned())));
    assert_eq!(world.kernel.state().goals["g"].proofs["a"].run, RunId("g.1".to_owned()), "who proved it is not forgotten");
    world.down(true);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest());
}

#[test]
fn outputs_and_checks_are_carried_too() {
    let mut world = failed();
    world.play("a").again = Said::Fail;
    world.retry(None, false);
    let (before, brief) = (world.phase("a").before.clone(), world.phase("a").brief.clone());
    assert!(before[0].as_ref().is_some_and(|answer| answer.said == Said::Fail) && !brief.fingerprint.is_empty());
    world.ask(Request::Verify { goal: Name::from("g") });
    world.settle();
    assert!(world.phase("a").after[0].as_ref().is_some_and(|answer| answer.said == Said::Fail), "it is asked again like any other");
}

#[test]
fn it_is_named_who_did_it_however_often_it_is_carried() {
    let mut world = failed();
    world.exits("b", &[1]);
    world.retry(None, false);
    world.retry(None, false);
    assert_eq!((world.run().id.0.as_str(), carried(&world, "a")), ("g.3", Some("g.1".to_owned())));
    assert_eq!(world.phase("a").why.matches("carried over").count(), 1, "{}", world.phase("a").why);
    assert_eq!(world.did("work g/b"), 3);
}

#[test]
fn a_carried_phase_whose_promise_is_dead_goes_again_with_what_depends_on_it() {
    let mut world = World::new();
    world.play("a").service.lives = Some(500);
    world.carry_out(plan(4, vec![server("a"), job("b").needs(&["a"]), job("c")]));
    world.until(5000);
    world.play("a").service.lives = None;
    assert_eq!(world.retry(None, false), None);
    assert_eq!((world.did("serve g/a/svc"), world.did("work g/b"), world.did("work g/c")), (2, 2, 1));
    assert_eq!((world.verdict(), carried(&world, "c")), (Verdict::Verified, Some("g.1".to_owned())));
}

#[test]
fn what_died_while_no_engine_watched_is_not_carried_over_before_anybody_has_told_how_it_ended() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![server("a"), job("b").needs(&["a"]), job("c")]));
    world.bury("g/a/svc");
    world.restart();
    assert_eq!(world.retry(None, false), None);
    assert_eq!((world.did("serve g/a/svc"), world.did("work g/b"), world.verdict()), (2, 2, Verdict::Verified));
}

#[test]
fn what_a_stop_has_ended_goes_again() {
    let mut world = World::new();
    world.play("b").tries[0].takes = None;
    world.start(plan(4, vec![server("a"), job("b").needs(&["a"]), job("c")]));
    world.until(1200);
    world.stop(false);
    world.settle();
    assert!(world.alive.is_empty());
    world.exits("b", &[0]);
    world.retry(None, false);
    assert_eq!((world.verdict(), carried(&world, "a"), carried(&world, "c")), (Verdict::Verified, None, Some("g.1".to_owned())));
    assert!(world.is_alive("g/a/svc"));
}

#[test]
fn a_named_phase_is_done_anew_with_what_depends_on_it() {
    let mut world = World::new();
    world.carry_out(drafts());
    for name in ["a", "b", "c", "beside"] {
        world.play(name).before = vec![says(Said::Pass)];
    }
    let from = world.effects().len();
    assert_eq!(world.retry(Some("b"), false), None);
    assert_eq!(world.effects()[from..], ["work g/b", "work g/c", "work g/z"], "although it was proved already");
    assert_eq!(world.ending("b"), (Outcome::Verified, Proof::Already));
    assert_eq!(world.phase("b").why, "proved by g.1");
    assert_eq!((world.verdict(), carried(&world, "a")), (Verdict::Verified, Some("g.1".to_owned())));
}

#[test]
fn a_service_that_is_done_anew_is_started_anew() {
    let mut world = World::new();
    world.carry_out(drafts());
    world.retry(Some("a"), false);
    assert_eq!((world.did("end g/a/svc"), world.did("serve g/a/svc"), world.verdict()), (1, 2, Verdict::Verified));
    assert_eq!(carried(&world, "beside"), Some("g.1".to_owned()));
}

#[test]
fn only_that_phase_leaves_everything_else_as_it_stood() {
    let mut world = World::new();
    world.exits("b", &[1]);
    world.exits("beside", &[1]);
    world.carry_out(drafts());
    world.exits("b", &[0]);
    let from = world.effects().len();
    world.retry(Some("b"), true);
    assert_eq!(world.effects()[from..], ["work g/b"]);
    assert_eq!(world.ending("b"), (Outcome::Verified, Proof::Proven));
    assert_eq!((world.outcome("c"), world.outcome("beside")), (Outcome::Skipped, Outcome::Failed));
    assert_eq!(world.verdict(), Verdict::Failed, "what was red and was not done again counts");
    assert!(world.end_why().contains("carried over from g.1"), "{}", world.end_why());
}

#[test]
fn what_needs_something_red_that_is_carried_over_is_skipped() {
    let mut world = World::new();
    world.exits("b", &[1]);
    world.carry_out(drafts());
    world.retry(Some("c"), true);
    assert_eq!((world.outcome("c"), world.did("work g/c"), world.verdict()), (Outcome::Skipped, 0, Verdict::Failed));
}

#[test]
fn a_yes_is_carried_over_and_nobody_is_asked_twice() {
    let mut world = World::new();
    world.exits("b", &[1]);
    world.carry_out(plan(4, vec![phase("p").work().checks(1).tier(Tier::AskUser), job("b").needs(&["p"])]));
    world.reply("g/p", true);
    world.settle();
    world.exits("b", &[0]);
    world.retry(None, false);
    assert_eq!((world.ending("p"), world.verdict()), ((Outcome::Verified, Proof::Person), Verdict::Verified));
    assert!(world.phase("p").why.contains("ada said yes"));
}

#[test]
fn a_retry_is_refused_where_there_is_nothing_to_go_on_from() {
    let refused = |world: &mut World, run: Option<&str>, phase: Option<&str>| {
        let (goal, run, phase) = (Name::from("g"), run.map(|run| RunId(run.to_owned())), phase.map(Name::from));
        world.ask(Request::Retry { goal, run, phase, only: false, options: RunOptions::default() })
    };
    let mut world = World::new();
    assert!(matches!(refused(&mut world, None, None), Some(Refusal::NoGoal { .. })));
    world.start(drafts());
    assert!(matches!(refused(&mut world, None, None), Some(Refusal::Running { .. })));
    world.settle();
    assert!(matches!(refused(&mut world, None, None), Some(Refusal::NothingLeft { .. })));
    assert!(matches!(refused(&mut world, None, Some("d")), Some(Refusal::NoPhase { .. })));
    world.carry_out(drafts());
    let refusal = refused(&mut world, Some("g.1"), None).unwrap();
    assert_eq!(refusal.to_string(), "g.1 is not the latest run of its goal: that is g.2");
    assert_eq!(world.run().id.0, "g.2", "nothing has changed");
}

#[test]
fn from_a_phase_on_the_rest_must_be_as_it_was() {
    let changed = |from: &str, mend: &dyn Fn(&mut Plan)| {
        let mut world = World::new();
        world.carry_out(drafts());
        let mut plan = drafts();
        mend(&mut plan);
        (world.run_from(plan, from), world)
    };
    let (refused, world) = changed("b", &|_| {});
    assert_eq!((refused, world.did("work g/b"), world.did("work g/beside"), world.verdict()), (None, 2, 1, Verdict::Verified));
    let (refused, world) = changed("b", &|plan| plan.phases[1].spec.timeout = Some(opensculpt::base::time::Span(900)));
    assert_eq!((refused, world.did("work g/c")), (None, 2), "what is done again may have changed");
    let (refused, _) = changed("c", &|plan| plan.phases[1].spec.timeout = Some(opensculpt::base::time::Span(900)));
    assert_eq!(refused.unwrap().to_string(), "`b` cannot be carried over from g.1: the manifest has changed for it since");
    let (refused, _) = changed("b", &|plan| plan.working_dir = Some("elsewhere".to_owned()));
    assert!(refused.unwrap().to_string().contains("environment, folder or secrets have changed"));
    let (refused, _) = changed("nowhere", &|_| {});
    assert!(matches!(refused, Some(Refusal::NoPhase { .. })));
    let mut world = failed();
    let refused = world.run_from(drafts(), "c").unwrap();
    assert!(refused.to_string().starts_with("`b` cannot be carried over from g.1: it ended failed: "), "{refused}");
    assert!(matches!(World::new().run_from(drafts(), "c"), Some(Refusal::NoGoal { .. })));
}

#[test]
fn a_retry_ends_as_it_would_have_whichever_record_its_engine_dies_after() {
    for only in [false, true] {
        let mut whole = failed();
        let begun = whole.records.len();
        whole.retry(Some("b"), only);
        let verdict = whole.verdict();
        for died in begun..whole.records.len() {
            let mut world = failed();
            world.dies_after = Some(died);
            world.ask_retry(Some("b"), only);
            if world.run().id.0 == "g.1" {
                world.ask_retry(Some("b"), only); // It died before the run was recorded.
            }
            world.settle();
            assert_eq!((world.deaths, world.verdict()), (1, verdict), "died after {died}: {:?}", world.standing());
            assert_eq!((world.did("serve g/a/svc"), world.outcome("b")), (1, Outcome::Verified), "died after {died}");
            assert_eq!(carried(&world, "a"), Some("g.1".to_owned()), "died after {died}");
            assert!(world.is_repeated_nowhere() && world.is_at_rest() && world.is_alive("g/a/svc"), "died after {died}");
            let in_all = world.times(|record| matches!(record, Record::Carried { .. })).len();
            assert_eq!(in_all, if only { 4 } else { 2 }, "died after {died}: each is carried once");
        }
    }
}
