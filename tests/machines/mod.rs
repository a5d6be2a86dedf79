//! The machines: every state with every input, held against the table on top of the machine's file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use opensculpt::kernel::answer::Said;
use opensculpt::kernel::health::Health;
use opensculpt::kernel::outcome::Outcome;
use opensculpt::kernel::phase::{PhaseInput, PhaseState};
use opensculpt::kernel::question::{QuestionInput, QuestionState};
use opensculpt::kernel::resource::{ResourceInput, ResourceState};
use opensculpt::kernel::restart::Ended;
use opensculpt::manifest::process::Restart;

/// A move: from, on, to.
type Move = (String, String, String);

/// Every state with every input, in words, where the machine moves; and how many pairs it refuses.
fn moves<S: Copy, I: Copy>(
    states: &[(S, &str)],
    inputs: &[(I, &str)],
    on: impl Fn(S, I) -> Option<S>,
    word: impl Fn(S) -> String,
) -> (BTreeSet<Move>, String) {
    let mut taken = BTreeSet::new();
    let mut table = String::new();
    for (state, from) in states {
        for (input, what) in inputs {
            let next = on(*state, *input).map(&word);
            let shown = next.as_deref().unwrap_or("-");
            writeln!(table, "{from:<12} {what:<32} {shown}").unwrap();
            if let Some(next) = next {
                taken.insert(((*from).to_owned(), (*what).to_owned(), next));
            }
        }
    }
    (taken, table)
}

/// The moves in the table on top of a machine's file.
fn header(source: &str) -> BTreeSet<Move> {
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | ")).filter(|row| !row.contains("--"));
    let mut moves = BTreeSet::new();
    for row in rows.skip(1) {
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let [states, inputs, next] = cells[..] else { panic!("three cells: {row}") };
        for state in states.split(", ") {
            for input in inputs.split(" / ") {
                moves.insert((state.to_owned(), input.to_owned(), next.to_owned()));
            }
        }
    }
    moves
}

#[test]
fn the_phase_moves_as_its_table_says() {
    use {PhaseInput as I, PhaseState as S};
    let states = [S::Pending, S::Ready, S::Running, S::Verifying, S::Waiting, S::BackingOff, S::Done(Outcome::Failed)];
    let states = states.map(|state| (state, if state.outcome().is_some() { "done" } else { state.word() }));
    let inputs = [
        (I::Unlocked, "unlocked"),
        (I::Admitted, "admitted"),
        (I::Worked, "worked"),
        (I::Asked, "asked"),
        (I::Again, "again"),
        (I::Ended(Outcome::Verified), "ended"),
    ];
    let word = |state: S| if state.outcome().is_some() { "done".to_owned() } else { state.word().to_owned() };
    let (moves, table) = moves(&states, &inputs, S::on, word);
    assert_eq!(moves, header(include_str!("../../engine/kernel/phase.rs")));
    insta::assert_snapshot!("phase", table);
    assert_eq!(S::Ready.on(I::Ended(Outcome::Skipped)).and_then(S::outcome), Some(Outcome::Skipped), "it ends as it was told");
}

#[test]
fn the_resource_moves_as_its_table_says() {
    use {ResourceInput as I, ResourceState as S};
    let states = [S::Declared, S::Creating, S::Ready, S::Unhealthy, S::Stopping, S::Gone].map(|state| (state, state.word()));
    let inputs = [
        (I::Creating, "creating"),
        (I::Ready, "ready"),
        (I::Failing, "failing"),
        (I::Restarting, "restarting"),
        (I::Stopping, "stopping"),
        (I::Gone, "gone"),
    ];
    let (moves, table) = moves(&states, &inputs, S::on, |state| state.word().to_owned());
    assert_eq!(moves, header(include_str!("../../engine/kernel/resource.rs")));
    insta::assert_snapshot!("resource", table);
}

#[test]
fn the_question_moves_as_its_table_says() {
    use {QuestionInput as I, QuestionState as S};
    let states = [(S::Asking, "asking"), (S::Pausing, "pausing"), (S::Answered, "answered")];
    let answer = |said, left| I::Answer { said, left };
    let inputs = [
        (answer(Said::Pass, true), "pass, tries left"),
        (answer(Said::Pass, false), "pass, no tries left"),
        (answer(Said::Fail, true), "fail, tries left"),
        (answer(Said::Fail, false), "fail, no tries left"),
        (answer(Said::Unknown, true), "unknown, tries left"),
        (answer(Said::Unknown, false), "unknown, no tries left"),
        (I::Noted, "an answer to a standing question"),
        (I::Again, "the pause is over"),
        (I::Enough, "patience is over"),
    ];
    let word = |state| states.iter().find(|(other, _)| *other == state).unwrap().1.to_owned();
    let (moves, table) = moves(&states, &inputs, S::on, word);
    assert_eq!(moves, header(include_str!("../../engine/kernel/question.rs")));
    insta::assert_snapshot!("question", table);
}

#[test]
fn a_service_is_started_again_as_the_table_says() {
    let policies =
        [(Restart::No, "no"), (Restart::OnFailure, "on-failure"), (Restart::Always, "always"), (Restart::UnlessStopped, "unless-stopped")];
    let ends = [
        (Ended::Well, "ended well"),
        (Ended::Badly, "ended badly"),
        (Ended::Unseen, "ended unseen"),
        (Ended::Unstarted, "did not start"),
        (Ended::Completed, "completed"),
    ];
    // The machine has no state but the policy: the word of the next is what happens.
    let mut taken = BTreeSet::new();
    let mut table = String::new();
    for (policy, from) in policies {
        for (ended, what) in ends {
            let then = if ended.restarts(policy) { "is started again" } else { "stays down" };
            writeln!(table, "{from:<16} {what:<16} {then}").unwrap();
            taken.insert((from.to_owned(), what.to_owned(), then.to_owned()));
        }
    }
    let source = include_str!("../../engine/kernel/restart.rs");
    assert_eq!(taken, header(source.split("//!\n").nth(1).unwrap()));
    insta::assert_snapshot!("restart", table);
}

#[test]
fn health_changes_as_the_table_says() {
    let retries = 3;
    let inputs = [
        (Said::Pass, 2, true, "passes"),
        (Said::Fail, 1, true, "fails, fewer than `retries` in a row"),
        (Said::Fail, 2, true, "fails, `retries` in a row"),
        (Said::Unknown, 2, true, "could not be asked"),
    ];
    let mut taken = BTreeSet::new();
    for (ready, from) in [(true, "ready"), (false, "unhealthy")] {
        for (said, failures, in_time, what) in inputs {
            let (health, counts) = Health::of(ready, failures, retries, said, in_time);
            let then = match health {
                Health::Same => from,
                Health::Recovers => "ready",
                Health::Sickens => "unhealthy",
            };
            let counted = match said {
                Said::Pass => 0,
                Said::Fail => failures + 1,
                Said::Unknown => failures,
            };
            assert_eq!(counts, counted, "{from}, {what}");
            taken.insert((from.to_owned(), what.to_owned(), then.to_owned()));
        }
    }
    let source = include_str!("../../engine/kernel/health.rs");
    assert_eq!(taken, header(source.split("//!\n").nth(1).unwrap()));
    // That no answer came in time is a failure.
    assert_eq!(Health::of(true, 2, retries, Said::Unknown, false), (Health::Sickens, 3));
    assert_eq!(Health::of(true, 0, 0, Said::Fail, true), (Health::Sickens, 1), "none is waited for");
}
