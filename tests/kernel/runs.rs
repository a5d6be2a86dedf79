//! Runs: stops, budgets, persons, second runs, teardown, and engines that die.

use indexmap::IndexMap;
use opensculpt::base::name::Name;
use opensculpt::base::time::Span;
use opensculpt::kernel::action::Effect;
use opensculpt::kernel::answer::Said;
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::input::{Refusal, Request};
use opensculpt::kernel::outcome::{Outcome, Verdict};
use opensculpt::kernel::phase::PhaseState;
use opensculpt::kernel::record::{Record, RunOptions, StopReason};
use opensculpt::kernel::resource::ResourceState;
use opensculpt::manifest::param::Secret;
use opensculpt::manifest::resource::Scope;
use opensculpt::manifest::verify::Tier;
use opensculpt::plan::sealed::{Part, Plan};

use super::plans::{job, phase, plan, server};
use super::script::{Try, says};
use super::world::World;

fn endless() -> Vec<Try> {
    vec![Try { takes: None, ..Try::default() }]
}

fn with_secrets(mut plan: Plan) -> Plan {
    plan.secrets = IndexMap::from([(Name::from("password"), Secret::default())]);
    plan
}

fn within(mut plan: Plan, ms: u64) -> Plan {
    plan.budget.max_time = Some(Span(ms));
    plan
}

#[test]
fn a_stop_ends_gently_what_this_run_started_in_the_reverse_order() {
    let mut world = World::new();
    world.play("c").tries = endless();
    world.start(plan(4, vec![server("a"), server("b").needs(&["a"]), job("c").needs(&["b"]), job("d").needs(&["c"])]));
    world.until(2000);
    assert_eq!(world.phase("c").state, PhaseState::Running);
    assert_eq!(world.stop(false), None);
    world.settle();
    assert!(world.alive.is_empty() && world.is_at_rest());
    assert_eq!((world.outcome("a"), world.outcome("c"), world.outcome("d")), (Outcome::Verified, Outcome::Cancelled, Outcome::Cancelled));
    assert_eq!((world.verdict(), world.survivors(), world.end_why()), (Verdict::Cancelled, 0, "stopped by a person"));
    let effects = world.effects();
    assert_eq!(effects[effects.len() - 3..], ["end g/c", "end g/b/svc", "end g/a/svc"]);
}

#[test]
fn a_second_stop_kills_what_is_being_ended_and_what_would_be() {
    let mut world = World::new();
    world.end_takes = 10_000;
    world.play("c").tries = endless();
    world.start(plan(4, vec![server("a"), server("b").needs(&["a"]), job("c").needs(&["b"]), job("z").part(Part::Finally)]));
    world.until(2000);
    world.stop(false);
    world.until(2100);
    world.stop(true);
    let forced = world.now;
    world.settle();
    assert!(world.alive.is_empty());
    assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Cancelled, Verdict::Cancelled));
    assert_eq!((world.did("kill g/b/svc"), world.did("kill g/a/svc"), world.did("end g/a/svc")), (1, 1, 0));
    assert!(world.times(|record| matches!(record, Record::RunEnded { .. }))[0] < forced + 100);
}

#[test]
fn a_second_stop_while_the_run_is_torn_down_kills_the_rest_of_it() {
    let mut world = World::new();
    world.end_takes = 10_000;
    let once = RunOptions { once: true, strict: false, ..RunOptions::default() };
    world.start_with(plan(4, vec![server("a"), server("b").needs(&["a"]), server("c").needs(&["b"])]), once);
    world.until(2000);
    assert_eq!(world.effects().last().unwrap(), "end g/c/svc");
    world.stop(true);
    world.settle();
    assert_eq!((world.did("end g/a/svc"), world.did("kill g/a/svc"), world.alive.len()), (0, 1, 0));
}

#[test]
fn a_stop_leaves_what_an_earlier_run_started() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![server("a"), job("b").needs(&["a"])]));
    world.play("a").before = vec![says(Said::Pass)];
    let play = world.play("b");
    play.tries = endless();
    world.start(plan(4, vec![server("a"), job("b").needs(&["a"])]));
    world.until(world.now + 500);
    world.stop(false);
    world.settle();
    assert!(world.is_alive("g/a/svc"));
    assert_eq!((world.outcome("a"), world.outcome("b")), (Outcome::Verified, Outcome::Cancelled));
}

#[test]
fn a_stop_at_any_time_ends_the_run_with_nothing_left() {
    let drafts = || {
        vec![
            server("a"),
            phase("b").custom("db", Scope::Phase).work().checks(1).needs(&["a"]).retry(3, 20, 1.0, 20),
            phase("w").checks(2).needs(&["b"]),
            phase("p").work().tier(Tier::AskUser).needs(&["a"]),
            job("z").part(Part::Finally),
        ]
    };
    for at in 1000..1160 {
        for force in [false, true] {
            let mut world = World::new();
            world.exits("b", &[1, 1, 0]);
            world.seed(at, at % 7);
            world.start(with_secrets(plan(2, drafts())));
            world.until(at);
            world.stop(force);
            world.settle();
            assert_eq!(world.verdict(), Verdict::Cancelled, "stopped at {at}");
            assert_eq!(world.outcome("z"), if force { Outcome::Cancelled } else { Outcome::Verified }, "stopped at {at}");
            assert!(world.alive.is_empty() && world.there.is_empty(), "stopped at {at}: {:?}", world.effects());
            assert!(world.is_at_rest(), "stopped at {at}");
        }
    }
}

#[test]
fn secrets_come_first_and_without_them_nothing_starts() {
    let mut world = World::new();
    world.carry_out(with_secrets(plan(1, vec![job("a")])));
    let requested =
        |wanted: fn(&Effect) -> bool| world.times(|record| matches!(record, Record::Requested { effect, .. } if wanted(effect)));
    let (prepared, worked) =
        (requested(|effect| matches!(effect, Effect::Prepare { .. })), requested(|effect| matches!(effect, Effect::Work { .. })));
    assert!(prepared.len() == 1 && worked.len() == 1 && prepared[0] < worked[0], "{prepared:?} {worked:?}");
    let mut world = World::new();
    world.no_secrets = true;
    world.carry_out(with_secrets(plan(1, vec![job("a"), job("z").part(Part::Finally)])));
    assert_eq!((world.verdict(), world.end_why()), (Verdict::Failed, "CRM_PASSWORD is not set"));
    assert_eq!((world.effects(), world.phase("a").fault), (Vec::<String>::new(), Some(Fault::Secret)));
}

#[test]
fn once_tears_down_everything_of_the_goal_but_what_is_kept() {
    let mut world = World::new();
    world.carry_out_once(plan(
        4,
        vec![phase("a").directory("data", Scope::Goal).serve("svc", Scope::Goal).checks(1), server("b").needs(&["a"])],
    ));
    assert_eq!((world.verdict(), world.survivors()), (Verdict::Verified, 0));
    assert!(world.alive.is_empty() && world.is_at_rest());
    assert!(world.there.contains("g/a/data"));
    let effects = world.effects();
    assert_eq!(effects[effects.len() - 2..], ["end g/b/svc", "end g/a/svc"]);
}

#[test]
fn a_survivor_of_once_is_reported_and_no_run_is_green_with_one() {
    let mut world = World::new();
    world.stubborn.insert("g/a/svc".to_owned(), 99);
    world.carry_out_once(plan(4, vec![server("a")]));
    assert_eq!((world.outcome("a"), world.verdict(), world.survivors()), (Outcome::Verified, Verdict::Failed, 1));
    assert!(world.end_why().contains("77"), "{}", world.end_why());
}

#[test]
fn the_goals_budget_of_time_ends_the_run() {
    let mut world = World::new();
    world.play("a").tries = endless();
    world.carry_out(within(plan(4, vec![job("a"), job("b").needs(&["a"]), job("z").part(Part::Finally)]), 3000));
    assert_eq!((world.verdict(), world.end_why()), (Verdict::Budget, "the goal's `max_time` of 3s is used up"));
    assert_eq!(
        (world.outcome("a"), world.phase("a").fault, world.outcome("b")),
        (Outcome::Cancelled, Some(Fault::Budget), Outcome::Cancelled)
    );
    assert_eq!(world.outcome("z"), Outcome::Verified);
    assert!(world.times(|record| matches!(record, Record::Stopping { .. })) == [4000]);
    assert!(!world.is_alive("g/a"));
}

#[test]
fn waiting_for_a_person_does_not_count_and_wakes_nobody() {
    let mut world = World::new();
    world.play("b").tries = vec![Try { takes: Some(2500), ..Try::default() }];
    let drafts = || vec![phase("a").work().tier(Tier::AskUser), job("b").needs(&["a"])];
    world.carry_out(within(plan(4, drafts()), 3000));
    let before = world.processed;
    world.until(1_000_000);
    assert!(world.processed <= before + 2, "{} wake-ups", world.processed - before);
    assert!(world.run().ended.is_none());
    world.reply("g/a", true);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Verified);

    let mut world = World::new();
    world.play("b").tries = endless();
    world.carry_out(within(plan(4, drafts()), 3000));
    world.until(1_000_000);
    world.reply("g/a", true);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Budget);
    let stopped = world.times(|record| matches!(record, Record::Stopping { .. }))[0];
    assert_eq!(stopped, 1_000_000 + 3000 - 11, "what was spent before the question counts: 1 for the brief, 10 for the work");
}

#[test]
fn a_person_who_takes_his_time_does_not_lend_it_to_others() {
    let mut world = World::new();
    world.play("b").tries = endless();
    world.carry_out(within(plan(4, vec![phase("a").work().tier(Tier::AskUser), job("b")]), 3000));
    assert_eq!((world.verdict(), world.times(|record| matches!(record, Record::Stopping { .. }))), (Verdict::Budget, vec![4000]));
}

#[test]
fn a_phases_budget_ends_that_phase_and_names_the_verdict() {
    let mut world = World::new();
    world.play("a").tries = endless();
    world.carry_out(plan(4, vec![job("a").max_time(500), job("b").needs(&["a"]), job("c")]));
    assert_eq!((world.outcome("a"), world.phase("a").fault), (Outcome::Cancelled, Some(Fault::Budget)));
    assert_eq!((world.outcome("b"), world.outcome("c"), world.verdict()), (Outcome::Skipped, Outcome::Verified, Verdict::Budget));
    assert!(world.alive.is_empty());
}

#[test]
fn of_several_verdicts_the_weightiest_counts() {
    let mut world = World::new();
    world.exits("a", &[1]);
    world.carry_out(plan(4, vec![job("a"), phase("p").work().tier(Tier::AskUser)]));
    world.ask(Request::Stop { goal: Name::from("g"), reason: StopReason::Unattended, force: false });
    world.settle();
    assert_eq!((world.verdict().exit_code(), world.outcome("p")), (1, Outcome::Cancelled), "1 before 4");
    let mut world = World::new();
    world.carry_out(plan(4, vec![phase("p").work().tier(Tier::AskUser)]));
    world.ask(Request::Stop { goal: Name::from("g"), reason: StopReason::Unattended, force: false });
    world.settle();
    assert_eq!(world.verdict().exit_code(), 4);
}

#[test]
fn a_question_outlives_the_engine_and_the_answer_goes_on_with_the_run() {
    for yes in [true, false] {
        let mut world = World::new();
        let asked = phase("a").serve("svc", Scope::Goal).tier(Tier::AskUser);
        world.carry_out(within(plan(4, vec![asked, job("b").needs(&["a"]), job("z").part(Part::Finally)]), 60_000));
        world.restart();
        world.settle();
        assert!(world.run().ended.is_none() && world.phase("a").state == PhaseState::Waiting);
        assert_eq!(world.reply("g/a", yes), None);
        world.settle();
        assert_eq!(world.outcome("b"), if yes { Outcome::Verified } else { Outcome::Skipped });
        assert_eq!(world.outcome("z"), Outcome::Verified);
        assert_eq!(world.verdict(), if yes { Verdict::Verified } else { Verdict::Failed });
        assert_eq!(world.is_alive("g/a/svc"), yes);
    }
}

#[test]
fn time_is_watched_again_after_a_restart() {
    let mut world = World::new();
    world.play("b").tries = endless();
    world.carry_out(within(plan(4, vec![phase("a").work().tier(Tier::AskUser), job("b").needs(&["a"])]), 3000));
    world.restart();
    world.until(50_000);
    world.reply("g/a", true);
    world.settle();
    assert_eq!(world.verdict(), Verdict::Budget);
}

#[test]
fn a_waiting_run_can_be_stopped_or_taken_down_by_another_engine() {
    for down in [false, true] {
        let mut world = World::new();
        world.carry_out(plan(4, vec![server("a"), phase("p").work().tier(Tier::AskUser).needs(&["a"]), job("b").needs(&["p"])]));
        world.restart();
        assert_eq!(if down { world.down(false) } else { world.stop(false) }, None);
        world.settle();
        assert_eq!((world.verdict(), world.outcome("p"), world.outcome("b")), (Verdict::Cancelled, Outcome::Cancelled, Outcome::Cancelled));
        assert!(world.alive.is_empty() && world.is_at_rest());
    }
}

#[test]
fn a_teardown_whose_engine_died_is_gone_on_with() {
    for (volumes, after) in [(false, 1), (true, 1), (true, 7), (true, 9)] {
        let mut world = World::new();
        world.carry_out(plan(4, vec![phase("a").directory("data", Scope::Goal).serve("svc", Scope::Goal).checks(1)]));
        world.down(volumes);
        world.until(world.now + after);
        world.restart();
        world.settle();
        assert!(!world.kernel.state().goals["g"].falling && world.alive.is_empty() && world.is_at_rest());
        assert_eq!(world.resource("g/a/data") == ResourceState::Gone, volumes);
    }
}

#[test]
fn checks_are_asked_again_on_demand_even_while_another_run_begins() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![job("a"), job("b")]));
    world.play("a").again = Said::Fail;
    let verify = || Request::Verify { goal: Name::from("g") };
    world.ask(verify());
    world.ask(verify());
    assert!(world.kernel.is_verifying(&Name::from("g")));
    world.settle();
    assert!(!world.kernel.is_verifying(&Name::from("g")));
    assert_eq!(world.phase("a").after[0].as_ref().unwrap().said, Said::Fail);
    assert_eq!(world.outcome("a"), Outcome::Verified, "what was proved then is not changed");
    world.ask(verify());
    world.carry_out(plan(4, vec![job("a"), job("b")]));
    assert!(world.is_at_rest() && !world.kernel.is_verifying(&Name::from("g")));
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn a_saved_plan_is_refused_where_its_goal_has_moved_on() {
    let mut world = World::new();
    let seen = Some(world.kernel.state().standing(&Name::from("g")));
    let run = |seen| Request::Run { plan: Box::new(plan(2, vec![job("a")])), options: RunOptions::default(), seen };
    assert_eq!(world.ask(run(seen.clone())), None, "it stands as it was seen");
    let moved = Some(Refusal::Moved { goal: Name::from("g") });
    assert_eq!(world.ask(run(seen.clone())), moved, "the same is under way, which nobody had seen");
    world.settle();
    assert_eq!(world.ask(run(seen)), moved);
    let seen = Some(world.kernel.state().standing(&Name::from("g")));
    world.down(false);
    world.settle();
    assert_eq!(world.ask(run(seen)), moved, "it was taken down");
    assert_eq!(world.ask(run(None)), None, "whoever expects nothing is not refused");
}
