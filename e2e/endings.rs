//! The exit codes of `run`, each for its reason.

use crate::world::workspace::Workspace;

fn goal(phases: &str) -> Workspace {
    Workspace::with_goal(&format!("version: \"1\"\nname: it\nphases:\n{phases}"))
}

#[test]
fn a_run_whose_checks_were_red_and_are_green_exits_with_0() {
    let workspace = goal("\n  one: { run: touch ROOT/made, verify: { checks: [ { file: made } ] } }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let phase = workspace.phase("one");
    assert_eq!((&phase["outcome"], &phase["proof"]), (&"verified".into(), &"proven".into()));
}

#[test]
fn a_run_that_declares_no_checks_exits_with_0_and_strictly_with_3() {
    let workspace = goal("\n  one: { run: \"true\" }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.outcome("one"), "unverified");
    workspace.sculpt("run goal.yaml --strict").run().expect(3);
}

#[test]
fn a_check_that_passed_before_the_work_proves_nothing_and_exits_with_3() {
    let workspace = goal("\n  one: { run: \"true\", verify: { checks: [ { file: there } ] } }\n");
    workspace.write("there", "");
    workspace.sculpt("run goal.yaml").run().expect(3);
    let phase = workspace.phase("one");
    assert_eq!((&phase["outcome"], &phase["proof"]), (&"unverified".into(), &"unproven".into()));
}

#[test]
fn work_that_fails_exits_with_1_and_its_last_words_are_shown() {
    let workspace = goal("\n  one: { run: echo the last words; exit 7 }\n");
    let ended = workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(ended.said().contains("the last words"), "{}", ended.said());
}

#[test]
fn a_check_that_fails_exits_with_1() {
    let workspace = goal("\n  one: { run: \"true\", verify: { checks: [ { file: never } ] } }\n");
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.outcome("one"), "failed");
}

#[test]
fn a_checker_that_cannot_run_is_unknown_and_exits_with_1() {
    let workspace = goal("\n  one: { run: \"true\", verify: { checks: [ { exec: [ ./no-such-checker ] } ] } }\n");
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.outcome("one"), "unknown");
}

#[test]
fn a_bad_manifest_exits_with_2_and_starts_nothing() {
    let workspace = goal("\n  one: { run: touch ROOT/started }\n  two: { needs: [on], run: \"true\" }\n");
    let ended = workspace.sculpt("run goal.yaml").run().expect(2);
    assert!(ended.err.contains("goal.yaml:6:") && ended.err.contains("one"), "{}", ended.err);
    assert!(!workspace.has("started"));
}

#[test]
fn a_usage_that_nobody_knows_exits_with_2() {
    let workspace = Workspace::new();
    workspace.sculpt("run").run().expect(2);
    workspace.sculpt("rum goal.yaml").run().expect(2);
    workspace.sculpt("run nowhere.yaml").run().expect(2);
}

#[test]
fn a_run_that_waits_for_a_person_exits_with_4() {
    let workspace = goal("\n  one: { verify: { tier: ask_user, question: Well? } }\n");
    let ended = workspace.sculpt("run goal.yaml").run().expect(4);
    assert!(ended.said().contains("sculpt answer it/one"), "{}", ended.said());
    assert_eq!(workspace.phase("one")["state"], "waiting");
}

#[test]
fn a_run_that_waits_and_is_for_once_is_torn_down_and_exits_with_4() {
    let workspace = goal(
        "
  serve:
    resources: { it: { process: { run: [ sleep, \"86400.MARK\" ] }, scope: goal } }
  ask: { needs: [serve], verify: { tier: ask_user, question: Well? } }
",
    );
    workspace.sculpt("run goal.yaml --once").run().expect(4);
    workspace.expect_nothing_alive("a question, once");
}

#[test]
fn a_failure_beside_a_question_exits_with_1() {
    let workspace = goal("\n  bad: { run: exit 1 }\n  ask: { verify: { tier: ask_user, question: Well? } }\n");
    workspace.sculpt("run goal.yaml").run().expect(1);
}

#[test]
fn a_budget_of_time_that_is_used_up_exits_with_5_and_leaves_nobody() {
    let workspace = goal(
        "
  one:
    run: |
      setsid sleep 86400.MARK &
      exec sleep 86400.MARK
budget: { max_time: 1s }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(5);
    workspace.expect_nothing_alive("a budget");
}

#[test]
fn an_interrupt_beside_a_failure_exits_with_130() {
    let workspace = goal(
        "
  bad: { run: exit 1 }
  slow: { needs: { bad: { when: failed } }, run: echo up > ROOT/up; exec sleep 86400.MARK }
",
    );
    let mut run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    run.interrupt();
    run.wait().expect(130);
    workspace.expect_nothing_alive("an interrupt");
}

#[test]
fn what_a_host_lacks_is_named_at_once_and_nothing_starts() {
    let workspace = goal(
        "
  one: { run: touch ROOT/started }
requires: { commands: [ no-such-command, nor-this-one ], files: [ /no/such/file ] }
",
    );
    let ended = workspace.sculpt("run goal.yaml").run();
    assert_ne!(ended.code, 0);
    for missing in ["no-such-command", "nor-this-one", "/no/such/file"] {
        assert!(ended.err.contains(missing), "{missing} in {}", ended.err);
    }
    assert!(!workspace.has("started"));
}

#[test]
fn a_report_for_ci_names_what_failed() {
    let workspace = goal("\n  good: { run: \"true\" }\n  bad: { run: exit 1 }\n");
    workspace.sculpt("run goal.yaml --junit report.xml").run().expect(1);
    let report = workspace.read("report.xml");
    assert!(report.contains("<testsuite") && report.contains("<failure") && report.contains("bad"), "{report}");
}

#[test]
fn a_run_for_once_leaves_nothing_up() {
    let workspace = goal(
        "
  serve:
    resources:
      it: { process: { run: [ sleep, \"86400.MARK\" ] }, scope: goal }
      place: { directory: made, scope: goal, keep: false }
",
    );
    workspace.sculpt("run goal.yaml --once").run().expect(0);
    workspace.expect_nothing_alive("once");
    assert!(!workspace.has("made"));
}
