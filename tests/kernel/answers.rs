//! What the answers of checks make of a phase: the proof rule.

use opensculpt::kernel::answer::{Answer, Said};
use opensculpt::kernel::fault::Fault;
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::RunOptions;
use opensculpt::manifest::verify::{RedBeforeGreen, Tier};

use super::plans::{job, phase, plan, server};
use super::script::{Try, says};
use super::world::World;

#[test]
fn red_before_and_green_after_is_proven() {
    let mut world = World::new();
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Proven));
    assert_eq!(world.verdict(), Verdict::Verified);
    assert!(world.is_at_rest());
}

#[test]
fn green_before_is_unproven_and_the_work_runs_all_the_same() {
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Pass)];
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!(world.ending("a"), (Outcome::Unverified, Proof::Unproven));
    assert_eq!(world.phase("a").why, "check 1 passed before the work did");
    assert_eq!((world.did("work g/a"), world.verdict()), (1, Verdict::Unproven));
}

#[test]
fn one_check_without_a_red_makes_the_whole_phase_unproven() {
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Fail), says(Said::Pass), says(Said::Fail)];
    world.carry_out(plan(1, vec![phase("a").work().checks(3)]));
    assert_eq!(world.ending("a"), (Outcome::Unverified, Proof::Unproven));
    assert_eq!(world.phase("a").why, "check 2 passed before the work did");
}

#[test]
fn a_checker_that_could_not_run_before_proves_nothing() {
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Unknown)];
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!(world.ending("a"), (Outcome::Unverified, Proof::Unproven));
}

#[test]
fn a_program_that_the_work_installed_counts_as_red_before_green() {
    let mut world = World::new();
    world.play("a").before = vec![Answer::unknown(Fault::MissingCommand, "exit 127")];
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Proven));
}

#[test]
fn waived_proof_is_verified_and_says_so() {
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Pass)];
    world.carry_out(plan(1, vec![job("a").red(RedBeforeGreen::Waived)]));
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Waived));
    assert_eq!(world.phase("a").why, "1 check passes; proof is waived");
}

#[test]
fn once_accepts_a_red_of_an_earlier_run_and_none_without() {
    let once = || plan(1, vec![job("a").red(RedBeforeGreen::Once)]);
    let mut world = World::new();
    world.play("a").before = vec![says(Said::Pass)];
    world.carry_out(once());
    assert_eq!(world.ending("a"), (Outcome::Unverified, Proof::Unproven), "no run has seen the red");
    world.play("a").before = vec![says(Said::Fail)];
    world.carry_out(once());
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Proven));
    let play = world.play("a");
    play.before = vec![says(Said::Pass)];
    play.fingerprint = "f2".to_owned();
    world.carry_out(once());
    assert_eq!(world.ending("a"), (Outcome::Verified, Proof::Once));
}

#[test]
fn a_port_that_no_check_connects_to_leaves_the_phase_unverified() {
    let mut world = World::new();
    world.play("a").unconnected = vec!["8080".to_owned()];
    world.carry_out(plan(1, vec![job("a")]));
    assert_eq!(world.ending("a"), (Outcome::Unverified, Proof::Unproven));
    assert_eq!(world.phase("a").why, "no check connects to port 8080");
}

#[test]
fn what_nothing_verifies_is_unverified_and_counts_only_when_strict() {
    let mut world = World::new();
    world.carry_out(plan(1, vec![phase("a").work()]));
    assert_eq!((world.ending("a"), world.verdict()), ((Outcome::Unverified, Proof::None), Verdict::Verified));
    world.start_with(plan(1, vec![phase("a").work()]), RunOptions { once: false, strict: true, ..RunOptions::default() });
    world.settle();
    assert_eq!(world.verdict(), Verdict::Unproven);
}

#[test]
fn a_check_that_fails_after_the_work_fails_the_phase_with_its_evidence() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Pass, Said::Fail], ..Try::default() }];
    world.carry_out(plan(1, vec![phase("a").work().checks(2)]));
    assert_eq!((world.outcome("a"), world.verdict()), (Outcome::Failed, Verdict::Failed));
    assert_eq!(world.phase("a").why, "check 2: connection refused");
    assert_eq!(world.phase("a").fault, Some(Fault::ConnectionRefused));
}

#[test]
fn a_checker_that_cannot_run_is_unknown_and_keeps_what_was_made() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Unknown], ..Try::default() }];
    world.carry_out(plan(1, vec![server("a"), job("b").needs(&["a"])]));
    assert_eq!((world.outcome("a"), world.verdict()), (Outcome::Unknown, Verdict::Failed));
    assert!(world.is_alive("g/a/svc"), "it is kept for a person to see");
    assert_eq!(world.outcome("b"), Outcome::Skipped);
}

#[test]
fn a_fail_outweighs_an_unknown() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Unknown, Said::Fail], ..Try::default() }];
    world.carry_out(plan(1, vec![phase("a").work().checks(2)]));
    assert_eq!(world.outcome("a"), Outcome::Failed);
}

#[test]
fn a_patient_check_is_asked_again_after_each_pause_and_not_before_the_work() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Fail], ..Try::default() }];
    world.carry_out(plan(1, vec![job("a").patient(3, 100)]));
    // Briefed 1, asked before 1, worked 10, then four looks of 1 with three pauses of 100.
    assert_eq!(world.phase("a").ended.unwrap().0, 1000 + 1 + 1 + 10 + 4 + 300);
}

#[test]
fn a_person_says_yes_or_no_and_green_says_who() {
    for (yes, outcome) in [(true, Outcome::Verified), (false, Outcome::Failed)] {
        let mut world = World::new();
        world.carry_out(plan(1, vec![phase("a").work().tier(Tier::AskUser), job("b").needs(&["a"])]));
        assert!(world.run().ended.is_none() && !world.kernel.is_busy());
        assert_eq!(world.kernel.asked().iter().map(ToString::to_string).collect::<Vec<_>>(), ["g/a"]);
        assert!(world.reply("g/b", yes).is_some(), "nothing is asked there");
        assert_eq!(world.reply("g/a", yes), None);
        world.settle();
        assert_eq!(world.ending("a"), (outcome, Proof::Person));
        assert_eq!(world.outcome("b"), if yes { Outcome::Verified } else { Outcome::Skipped });
        assert!(world.reply("g/a", yes).is_some(), "it is answered once");
    }
}

#[test]
fn a_person_is_not_asked_about_what_a_check_denies() {
    let mut world = World::new();
    world.play("a").tries = vec![Try { after: vec![Said::Fail], ..Try::default() }];
    world.carry_out(plan(1, vec![job("a").tier(Tier::AskUser)]));
    assert_eq!(world.ending("a"), (Outcome::Failed, Proof::None));
}

#[test]
fn a_phase_without_work_is_asked_before_anything_starts_and_so_can_be_proven() {
    let mut world = World::new();
    world.carry_out(plan(4, vec![job("a"), phase("b").needs(&["a"]).checks(2)]));
    assert_eq!(world.ending("b"), (Outcome::Verified, Proof::Proven));
    let asked = world.records.iter().position(|(_, record)| record.event() == "answered").unwrap();
    let begun = world.records.iter().position(|(_, record)| record.event() == "attempt_started").unwrap();
    assert!(asked < begun);
    assert_eq!(world.times(|record| record.event() == "answered" && record.phase().is_some_and(|ix| ix.0 == 1)).len(), 4);
}
