//! Order: needs, skips, slots, `when` and `finally`.

use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::Record;
use opensculpt::manifest::needs::Unlock;
use opensculpt::manifest::verify::Tier;
use opensculpt::plan::sealed::Part;

use super::plans::{job, phase, plan, server};
use super::script::Try;
use super::world::World;

#[test]
fn each_kind_of_need_unlocks_on_what_it_says() {
    use Outcome as O;
    use Unlock as U;
    let runs = |outcome: O, unlock: U| match unlock {
        U::Verified => outcome == O::Verified,
        U::Unverified => matches!(outcome, O::Verified | O::Unverified),
        U::Finished => true,
        U::Failed => outcome == O::Failed,
    };
    for unlock in [U::Verified, U::Unverified, U::Finished, U::Failed] {
        for outcome in [O::Verified, O::Unverified, O::Failed, O::Unknown, O::Skipped] {
            let mut world = World::new();
            let play = world.play("a");
            match outcome {
                O::Unverified => play.before = vec![super::script::says(opensculpt::kernel::answer::Said::Pass)],
                O::Failed => play.tries = vec![Try { exit: opensculpt::kernel::action::Exit::Code(1), ..Try::default() }],
                O::Unknown => play.tries[0].after = vec![opensculpt::kernel::answer::Said::Unknown],
                O::Skipped => play.wanted = false,
                O::Verified | O::Cancelled => {}
            }
            world.carry_out(plan(2, vec![job("a"), job("b").needs_when("a", unlock)]));
            assert_eq!(world.outcome("a"), outcome);
            let expected = if runs(outcome, unlock) { O::Verified } else { O::Skipped };
            assert_eq!(world.outcome("b"), expected, "{unlock:?} of {outcome:?}");
        }
    }
}

#[test]
fn an_unverified_phase_of_tier_none_unlocks_and_another_does_not() {
    let mut world = World::new();
    world.play("c").before = vec![super::script::says(opensculpt::kernel::answer::Said::Pass)];
    let drafts = vec![phase("a").work(), job("b").needs(&["a"]), job("c"), job("d").needs(&["c"])];
    world.carry_out(plan(2, drafts));
    assert_eq!((world.outcome("a"), world.outcome("b")), (Outcome::Unverified, Outcome::Verified));
    assert_eq!((world.outcome("c"), world.outcome("d")), (Outcome::Unverified, Outcome::Skipped));
}

#[test]
fn two_needs_of_the_same_phase_must_both_be_met() {
    let mut world = World::new();
    world.exits("a", &[1]);
    let draft = job("c").needs_when("a", Unlock::Verified).needs_when("a", Unlock::Finished).needs(&["b"]);
    world.carry_out(plan(2, vec![job("a"), job("b"), draft]));
    assert_eq!(world.outcome("c"), Outcome::Skipped);
}

#[test]
fn a_skip_goes_down_the_line_and_says_why() {
    let mut world = World::new();
    world.exits("a", &[1]);
    let drafts = vec![job("a"), job("b").needs(&["a"]), job("c").needs(&["b"]), job("d").needs_when("c", Unlock::Finished)];
    world.carry_out(plan(2, drafts));
    assert_eq!((world.outcome("b"), world.outcome("c"), world.outcome("d")), (Outcome::Skipped, Outcome::Skipped, Outcome::Verified));
    assert_eq!(world.phase("b").why, "it needs a, which ended failed");
    assert_eq!(world.phase("c").why, "it needs b, which ended skipped");
    assert_eq!(world.verdict(), Verdict::Failed);
    assert_eq!(world.end_why(), "a is failed: the command ended with exit 1");
}

#[test]
fn a_phase_that_is_not_wanted_is_skipped_and_so_is_what_needs_it() {
    let mut world = World::new();
    world.play("a").wanted = false;
    world.carry_out(plan(2, vec![job("a"), job("b").needs(&["a"]), job("c")]));
    assert_eq!((world.ending("a"), world.phase("a").why.as_str()), ((Outcome::Skipped, Proof::None), "`when` is false"));
    assert_eq!((world.outcome("b"), world.outcome("c"), world.verdict()), (Outcome::Skipped, Outcome::Verified, Verdict::Verified));
}

#[test]
fn a_phase_whose_texts_cannot_be_rendered_fails_without_a_retry() {
    let mut world = World::new();
    world.play("a").unbriefed = Some(Fault::Template);
    world.carry_out(plan(1, vec![job("a").retry(3, 1, 1.0, 1)]));
    assert_eq!((world.outcome("a"), world.phase("a").attempt, world.phase("a").fault), (Outcome::Failed, 0, Some(Fault::Template)));
}

#[test]
fn no_more_phases_work_at_once_than_may_and_all_slots_are_used() {
    let mut world = World::new();
    world.carry_out(plan(3, (0..20).map(|n| job(format!("p{n}"))).collect()));
    assert_eq!(world.peak, 3);
    assert_eq!(world.verdict(), Verdict::Verified);
}

#[test]
fn verification_and_a_person_hold_no_slot() {
    let mut world = World::new();
    world.look_takes = 1000;
    world.carry_out(plan(1, vec![phase("a").work().tier(Tier::AskUser), job("b"), job("c")]));
    assert_eq!((world.outcome("b"), world.outcome("c")), (Outcome::Verified, Outcome::Verified));
    let verifying = world.times(|record| matches!(record, Record::Worked { .. }));
    let begun = world.times(|record| matches!(record, Record::AttemptStarted { .. }));
    assert!(begun[2] <= verifying[1] + 2000, "c does not wait for b's checks");
}

#[test]
fn finally_runs_after_success_failure_and_stop_and_last() {
    let drafts = || vec![job("a"), job("b").needs(&["a"]), job("z").part(Part::Finally)];
    let mut world = World::new();
    world.carry_out(plan(4, drafts()));
    assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Verified, Verdict::Verified));
    assert_eq!(world.effects().last().unwrap(), "work g/z");

    let mut world = World::new();
    world.exits("a", &[1]);
    world.carry_out(plan(4, drafts()));
    assert_eq!((world.outcome("b"), world.outcome("z"), world.verdict()), (Outcome::Skipped, Outcome::Verified, Verdict::Failed));

    for at in [1000, 1001, 1002, 1005, 1012, 1013, 1014] {
        let mut world = World::new();
        world.start(plan(4, drafts()));
        world.until(at);
        world.stop(false);
        world.settle();
        assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Verified, Verdict::Cancelled), "stopped at {at}");
        assert_eq!(world.outcome("b"), Outcome::Cancelled);
        assert!(world.is_at_rest());
    }
}

#[test]
fn a_finally_phase_that_needs_another_waits_for_it_and_a_failing_one_fails_the_run() {
    let mut world = World::new();
    world.exits("y", &[1]);
    world.carry_out(plan(4, vec![job("a"), job("y").part(Part::Finally), job("z").part(Part::Finally).needs(&["y"])]));
    assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Skipped, Verdict::Failed));
    let mut world = World::new();
    world.start(plan(4, vec![job("a"), job("z").part(Part::Finally).needs(&["a"])]));
    world.until(1005);
    world.stop(false);
    world.settle();
    assert_eq!((world.outcome("z"), world.verdict()), (Outcome::Skipped, Verdict::Cancelled));
}

#[test]
fn the_goals_own_checks_are_asked_first_and_last() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![job("a"), job("b"), phase("goal").checks(1).part(Part::Goal)]));
    assert_eq!((world.ending("goal"), world.verdict()), ((Outcome::Verified, Proof::Proven), Verdict::Verified));
    assert!(world.phase("goal").ended >= world.phase("b").ended);
}

#[test]
fn a_service_that_died_meanwhile_is_a_broken_need_and_the_run_has_regressed() {
    for once in [false, true] {
        let mut world = World::new();
        world.play("a").service.lives = Some(1000);
        world.play("b").tries = vec![Try { takes: Some(5000), ..Try::default() }];
        let plan = plan(4, vec![server("a"), job("b").needs(&["a"]), job("c").needs(&["a", "b"]), job("d").needs(&["c"])]);
        if once {
            world.carry_out_once(plan);
        } else {
            world.carry_out(plan);
        }
        assert_eq!((world.outcome("a"), world.outcome("b")), (Outcome::Verified, Outcome::Verified));
        assert_eq!((world.outcome("c"), world.outcome("d")), (Outcome::Skipped, Outcome::Skipped));
        assert_eq!(world.phase("c").why, "it needs g/a/svc ended with exit 1");
        assert_eq!((world.verdict(), world.end_why()), (Verdict::Failed, "regressed: g/a/svc ended with exit 1"));
    }
}

#[test]
fn a_dead_service_is_no_broken_need_where_its_phase_need_not_be_well() {
    let mut world = World::new();
    world.play("a").service.lives = Some(1000);
    world.play("b").tries = vec![Try { takes: Some(5000), ..Try::default() }];
    world.carry_out(plan(4, vec![server("a"), job("b"), job("c").needs_when("a", Unlock::Finished).needs(&["b"])]));
    assert_eq!(world.outcome("c"), Outcome::Verified);
}

#[test]
fn a_retry_whose_need_has_died_is_failed_and_not_skipped() {
    let mut world = World::new();
    world.play("a").service.lives = Some(1000);
    world.exits("b", &[1]);
    world.carry_out(plan(4, vec![server("a"), job("b").needs(&["a"]).retry(9, 2000, 1.0, 2000)]));
    assert_eq!((world.outcome("b"), world.phase("b").attempt), (Outcome::Failed, 1));
}
