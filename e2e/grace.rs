//! How much time there is to end, and that it ends there.

use std::time::{Duration, Instant};

use crate::world::deadline::until;
use crate::world::table::running;
use crate::world::workspace::Workspace;

/// A goal with one service; `script` is what it runs. It is up once it has written `up`.
fn service(script: &str, stop: &str) -> Workspace {
    let workspace = Workspace::with_goal(&format!(
        "
version: \"1\"
name: grace
phases:
  serve:
    resources:
      it:
        process: {{ run: [ /bin/sh, service.sh ] }}
        healthcheck: {{ test: [ CMD, test, -s, up ], interval: 50ms, retries: 1000 }}
        stop: {stop}
        scope: goal
"
    ));
    workspace.write("service.sh", &script.replace("MARK", &workspace.mark));
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace
}

#[test]
fn a_service_has_the_time_to_end_well() {
    let workspace =
        service("trap 'sleep 0.5; echo well > ended; exit 0' TERM\necho up > up\nwhile :; do sleep 0.05; done\n", "{ grace: 90s }");
    workspace.sculpt("down grace").run().expect(0);
    assert_eq!(workspace.read("ended"), "well\n");
    workspace.expect_nothing_alive("it ended well");
}

#[test]
fn the_signal_that_is_declared_is_the_one_that_comes() {
    let workspace = service(
        "trap 'echo quit > ended; exit 0' QUIT\ntrap 'echo term > ended; exit 0' TERM\necho up > up\nwhile :; do sleep 0.05; done\n",
        "{ signal: SIGQUIT, grace: 90s }",
    );
    workspace.sculpt("down grace").run().expect(0);
    assert_eq!(workspace.read("ended"), "quit\n");
}

#[test]
fn a_deaf_service_is_killed_when_its_time_is_over_and_not_before() {
    let workspace = service("trap '' TERM\necho up > up\nexec sleep 86400.MARK\n", "{ grace: 700ms }");
    let begun = Instant::now();
    workspace.sculpt("down grace").run().expect(0);
    assert!(begun.elapsed() >= Duration::from_millis(700), "it was killed after {:?}", begun.elapsed());
    workspace.expect_nothing_alive("a deaf service");
    let journal = workspace.journal();
    let killed: Vec<_> = journal.of("observed").filter_map(|record| record["seen"]["killed"].as_u64()).collect();
    assert_eq!(killed.iter().sum::<u64>(), 1, "{killed:?}");
}

#[test]
fn deaf_children_of_a_service_are_killed_with_it() {
    let script = "(trap '' TERM; setsid sleep 86400.MARK & sleep 86400.MARK & sleep 86400.MARK) &\n\
         until [ $(pgrep -cfx 'sleep 86400.MARK') -eq 3 ]; do sleep 0.01; done\necho up > up\nexec sleep 86400.MARK\n";
    let workspace = service(script, "{ grace: 300ms }");
    assert_eq!(running(&format!("86400.{}", workspace.mark)), 4);
    workspace.sculpt("down grace").run().expect(0);
    workspace.expect_nothing_alive("deaf children");
}

/// Work that hears no signal but the last one.
fn deaf_work() -> Workspace {
    Workspace::with_goal(
        "
version: \"1\"
name: deaf
phases:
  work:
    resources:
      it: { process: { run: [ /bin/sh, -c, \"trap '' TERM; exec sleep 86400.MARK\" ] }, stop: { grace: 1h } }
    run: |
      trap '' TERM INT
      echo up > ROOT/up
      exec sleep 86400.MARK
",
    )
}

#[test]
fn a_second_interrupt_waits_for_no_grace() {
    let workspace = deaf_work();
    let mut run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    run.interrupt();
    until("the run to be stopping", || (workspace.journal().count("stopping") == 1).then_some(()));
    // The service's grace is an hour: without the second one, the test waits in vain.
    run.interrupt();
    run.wait().expect(130);
    workspace.expect_nothing_alive("a second interrupt");
}

#[test]
fn two_interrupts_of_a_teardown_wait_for_no_grace() {
    let workspace = service("trap '' TERM INT\necho up > up\nexec sleep 86400.MARK\n", "{ grace: 1h }");
    let mut down = workspace.sculpt("down grace").start();
    until("the teardown to have begun", || (workspace.journal().count("down_started") == 1).then_some(()));
    down.interrupt();
    until("the first to be heard", || (!down.err().is_empty()).then_some(()));
    down.interrupt();
    down.wait();
    workspace.expect_nothing_alive("an interrupted teardown");
}

#[test]
fn a_forced_stop_waits_for_no_grace() {
    let workspace = deaf_work();
    let run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    workspace.sculpt("stop deaf --force").run().expect(0);
    run.wait().expect(130);
    workspace.expect_nothing_alive("a forced stop");
}

#[test]
fn deaf_work_that_takes_too_long_is_killed() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: deaf
phases:
  work:
    timeout: 500ms
    run: |
      trap '' TERM
      echo up > ROOT/up
      exec sleep 86400.MARK
",
    );
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.phase("work")["outcome"], "failed");
    workspace.expect_nothing_alive("deaf work");
}

#[test]
fn a_run_that_is_asked_to_terminate_is_torn_down() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: long
phases:
  work: { run: setsid sleep 86400.MARK & echo up > ROOT/up; exec sleep 86400.MARK }
",
    );
    let run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    run.terminate();
    run.wait().expect(130);
    workspace.expect_nothing_alive("SIGTERM");
}

#[test]
fn a_run_whose_reader_goes_away_goes_on_to_its_end() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: long
phases:
  one: { run: echo one > ROOT/one }
  two: { needs: [one], run: setsid sleep 86400.MARK & echo two > ROOT/two }
",
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$0\" run goal.yaml | true"]).arg(crate::world::program::path());
    workspace.command(shell).run().expect(0);
    assert_eq!(workspace.read("two"), "two\n");
    workspace.expect_nothing_alive("nobody reads");
}
