//! Questions to people: waiting costs nothing, and never turns into a yes by itself.

use std::process::Command;

use crate::part::require;
use crate::world::deadline::until;
use crate::world::program::{self, Program, Started};
use crate::world::workspace::Workspace;

fn goal() -> Workspace {
    Workspace::with_goal(
        "
version: \"1\"
name: ask
phases:
  serve:
    resources: { it: { process: { run: [ sleep, \"86400.MARK\" ] }, scope: goal } }
  review: { needs: [serve], verify: { tier: ask_user, question: Is it good? } }
  publish: { needs: [review], run: touch ROOT/published }
  withdraw: { needs: { review: { when: failed } }, run: touch ROOT/withdrawn }
",
    )
}

#[test]
fn a_yes_goes_on_with_what_waited() {
    let workspace = goal();
    workspace.sculpt("run goal.yaml").run().expect(4);
    assert!(!workspace.has("published"));
    assert_eq!(workspace.sleepers(), 1, "the service stays up meanwhile");
    workspace.sculpt("answer ask/review yes").run().expect(0);
    assert!(workspace.has("published") && !workspace.has("withdrawn"));
    let phase = workspace.phase("review");
    assert_eq!((&phase["outcome"], &phase["proof"]), (&"verified".into(), &"person".into()));
    assert_eq!(workspace.sleepers(), 1);
    workspace.sculpt("down ask").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_no_goes_the_other_way() {
    let workspace = goal();
    workspace.sculpt("run goal.yaml").run().expect(4);
    let mut words = Command::new(program::path());
    words.args(["answer", "ask", "no", "not yet"]);
    workspace.command(words).run().expect(1);
    assert!(!workspace.has("published") && workspace.has("withdrawn"));
    let journal = workspace.journal();
    let replied = journal.of("replied").next().unwrap();
    assert_eq!((&replied["yes"], &replied["text"]), (&false.into(), &"not yet".into()));
    assert!(replied["by"].as_str().is_some_and(|by| !by.is_empty()), "who answered");
}

#[test]
fn what_is_neither_yes_nor_no_changes_nothing() {
    let workspace = goal();
    workspace.sculpt("run goal.yaml").run().expect(4);
    workspace.sculpt("answer ask/review perhaps").run().expect(2);
    workspace.sculpt("answer ask/publish yes").run().expect(2);
    workspace.sculpt("answer other/review yes").run().expect(2);
    assert_eq!(workspace.phase("review")["state"], "waiting");
}

#[test]
fn a_question_that_is_taken_down_is_cancelled() {
    let workspace = goal();
    workspace.sculpt("run goal.yaml").run().expect(4);
    workspace.sculpt("down ask").run().expect(0);
    workspace.expect_nothing_alive("down");
    assert_eq!(workspace.outcome("review"), "cancelled");
    assert!(!workspace.has("published"));
}

#[test]
fn a_question_that_is_stopped_is_cancelled_and_leaves_nobody() {
    let workspace = goal();
    workspace.sculpt("run goal.yaml").run().expect(4);
    workspace.sculpt("stop ask").run().expect(0);
    workspace.expect_nothing_alive("stop");
    assert_eq!(workspace.outcome("review"), "cancelled");
}

/// The run on a terminal of its own, once it asks. None where this machine cannot make a terminal.
fn on_a_terminal(workspace: &Workspace, part: &str) -> Option<Started> {
    if !require(part, "script, of bsdutils", std::path::Path::new("/usr/bin/script").exists()) {
        return None;
    }
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command"]).arg(format!("{} run goal.yaml", program::path().display())).arg("/dev/null");
    terminal.env("TERM", "xterm");
    let program: Program = workspace.command(terminal).with_keyboard();
    let run = program.start();
    until("the question on the terminal", || run.out().contains("yes or no").then_some(()));
    Some(run)
}

#[test]
fn a_question_is_answered_where_it_is_asked() {
    let workspace = goal();
    let Some(mut run) = on_a_terminal(&workspace, "a question on a terminal") else { return };
    run.types("yes, looks right\n");
    let ended = run.wait().expect(0);
    assert!(ended.out.contains("Is it good?"), "{}", ended.out);
    assert!(workspace.has("published"));
    assert_eq!(workspace.journal().of("replied").next().unwrap()["text"], "looks right");
}

#[test]
fn an_interrupt_at_a_question_tears_down() {
    let workspace = goal();
    let Some(mut run) = on_a_terminal(&workspace, "Ctrl-C on a terminal") else { return };
    run.types("\u{3}");
    run.wait().expect(130);
    assert!(!workspace.has("published"));
    workspace.expect_nothing_alive("Ctrl-C at a question");
}

#[test]
fn a_person_who_leaves_has_not_said_yes() {
    let workspace = goal();
    let Some(mut run) = on_a_terminal(&workspace, "the end of input on a terminal") else { return };
    run.types("\u{4}");
    run.wait().expect(4);
    assert_eq!(workspace.phase("review")["state"], "waiting");
}

#[test]
fn a_question_on_a_terminal_is_answered_from_another_one() {
    let workspace = goal();
    let Some(run) = on_a_terminal(&workspace, "an answer from elsewhere") else { return };
    workspace.sculpt("answer ask/review yes").run().expect(0);
    run.wait().expect(0);
    assert!(workspace.has("published"));
}
