//! The leak matrix: every escape, from every place where something is started, by every way in which it ends.
//!
//! | started by | ends by |
//! |---|---|
//! | a phase's work | success, failure, timeout, Ctrl-C, Ctrl-C twice, `stop`, `kill -9` of the engine and then `stop` |
//! | a process of scope `phase` | the same |
//! | a process of scope `goal` | the same, and `down` for what may stay |
//!
//! Each goal has a phase for each escape, all at once. `E2E_ROUNDS` says how often the matrix is repeated.

use std::fmt::Write as _;

use crate::part::require_root;
use crate::world::bystander::Bystander;
use crate::world::deadline::until;
use crate::world::program::Started;
use crate::world::workspace::Workspace;

/// Ways to leave the one who started it.
const ESCAPES: [(&str, &str); 4] = [
    ("background", r#"/bin/sh "$root/escapee.sh" "$up" "$mark" &"#),
    ("setsid", r#"setsid /bin/sh "$root/escapee.sh" "$up" "$mark" &"#),
    ("forked-twice", r#"( ( /bin/sh "$root/escapee.sh" "$up" "$mark" & ) & )"#),
    ("scrubbed", r#"env -i /usr/bin/setsid /bin/sh -c '( ( /bin/sh "$0" "$1" "$2" & ) & )' "$root/escapee.sh" "$up" "$mark""#),
];

/// Ways to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Success,
    Failure,
    Timeout,
    Interrupt,
    InterruptTwice,
    Stop,
    Killed,
}

use Ending::{Failure, Interrupt, InterruptTwice, Killed, Stop, Success, Timeout};

impl Ending {
    /// What the work does once all that it started is up.
    const fn last_line(self) -> &'static str {
        match self {
            Success => "exit 0",
            Failure => "exit 3",
            Timeout | Interrupt | InterruptTwice | Stop | Killed => "exec sleep 86400.MARK",
        }
    }

    /// Long enough for four shells to start on a machine that is busy with other things; only waited for by the timeout.
    const fn timeout(self) -> &'static str {
        if matches!(self, Timeout) { "timeout: 3s" } else { "timeout: 5m" }
    }

    const fn exit_code(self) -> i32 {
        match self {
            Success => 0,
            Failure | Timeout => 1,
            Interrupt | InterruptTwice | Stop | Killed => 130,
        }
    }

    /// A person stopped it: then what earlier phases left up ends too.
    const fn by_a_person(self) -> bool {
        matches!(self, Interrupt | InterruptTwice | Stop | Killed)
    }

    /// Brings it about, once everybody is up.
    fn bring_about(self, workspace: &Workspace, run: &mut Started) {
        match self {
            Success | Failure | Timeout => {}
            Interrupt => run.interrupt(),
            InterruptTwice => {
                run.interrupt();
                run.interrupt();
            }
            Stop => {
                workspace.sculpt("stop leak").run().expect(0);
            }
            Killed => {
                // The next command finds what the engine left.
                workspace.kill_the_engine();
                workspace.sculpt("stop leak").run().expect(0);
            }
        }
    }
}

fn rounds() -> u32 {
    std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().expect("E2E_ROUNDS is a number"))
}

/// A workspace with the programs that leave.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("escapee.sh", "echo $$ > \"$1\"\nexec sleep 86400.\"$2\"\n");
    let mut leave = String::from("case $escape in\n");
    for (name, command) in ESCAPES {
        writeln!(leave, "{name}) {command} ;;").unwrap();
    }
    leave.push_str("esac\nuntil [ -s \"$up\" ]; do sleep 0.01; done\n");
    workspace.write("leave.sh", &leave);
    workspace.write("service.sh", "escape=$1 root=$2 up=$3 mark=$4\n. \"$root/leave.sh\"\nexec sleep 86400.\"$mark\"\n");
    workspace.sculpt("init").run().expect(0);
    std::fs::create_dir(workspace.path("up")).unwrap();
    workspace
}

/// A goal with a phase for each escape, from a text in which ESCAPE stands for its name.
fn goal(phase: &str, rest: &str) -> String {
    let phases: String = ESCAPES.iter().map(|(escape, _)| phase.replace("ESCAPE", escape)).collect();
    format!("version: \"1\"\nname: leak\nconcurrency: 8\nphases:\n{phases}{rest}")
}

/// The goal is run and ended, and everybody was really there before.
fn carry_out(workspace: &Workspace, ending: Ending, case: &str) {
    let mut bystanders = Bystander::all(workspace);
    let mut run = workspace.sculpt("run goal.yaml").start();
    for (escape, _) in ESCAPES {
        workspace.until_written(&format!("up/{escape}"));
    }
    if ending.by_a_person() {
        workspace.until_written("up/all");
    }
    ending.bring_about(workspace, &mut run);
    let ended = run.wait();
    assert_eq!(ended.code, ending.exit_code(), "{case}\n{}", ended.said());
    assert!(bystanders.iter_mut().all(Bystander::untouched), "{case}: a bystander was touched");
}

fn of_work(ending: Ending) {
    for round in 0..rounds() {
        let case = format!("work, {ending:?}, round {round}");
        let workspace = workspace();
        let phase = "
  ESCAPE:
    TIMEOUT
    run: |
      escape=ESCAPE root=ROOT up=ROOT/up/ESCAPE mark=MARK
      . ROOT/leave.sh
      echo up >> ROOT/up/all
      END
";
        workspace.goal(&goal(phase, "").replace("TIMEOUT", ending.timeout()).replace("END", ending.last_line()));
        carry_out(&workspace, ending, &case);
        workspace.expect_nothing_alive(&case);
    }
}

const SERVICE: &str = "
      service:
        process: { run: [ /bin/sh, ROOT/service.sh, ESCAPE, ROOT, ROOT/up/ESCAPE, \"MARK\" ] }
        healthcheck: { test: [ CMD, test, -s, ROOT/up/ESCAPE ], interval: 50ms, retries: 1000 }
        scope: SCOPE
";

fn of_a_phase_service(ending: Ending) {
    for round in 0..rounds() {
        let case = format!("process of scope phase, {ending:?}, round {round}");
        let workspace = workspace();
        let phase = format!(
            "
  ESCAPE:
    TIMEOUT
    resources:{}
    run: |
      echo up >> ROOT/up/all
      END
",
            SERVICE.replace("SCOPE", "phase")
        );
        workspace.goal(&goal(&phase, "").replace("TIMEOUT", ending.timeout()).replace("END", ending.last_line()));
        carry_out(&workspace, ending, &case);
        workspace.expect_nothing_alive(&case);
    }
}

fn of_a_goal_service(ending: Ending) {
    for round in 0..rounds() {
        let case = format!("process of scope goal, {ending:?}, round {round}");
        let workspace = workspace();
        let phase = format!("\n  ESCAPE:\n    resources:{}", SERVICE.replace("SCOPE", "goal"));
        let last = "
  last:
    needs: [ background, setsid, forked-twice, scrubbed ]
    TIMEOUT
    run: |
      echo up >> ROOT/up/all
      END
";
        workspace.goal(&goal(&phase, last).replace("TIMEOUT", ending.timeout()).replace("END", ending.last_line()));
        carry_out(&workspace, ending, &case);
        if !ending.by_a_person() {
            let mut bystanders = Bystander::all(&workspace);
            // A verified phase keeps what it promised.
            until("each service, and whoever left it, to sleep", || (workspace.sleepers() == 2 * ESCAPES.len()).then_some(()));
            workspace.sculpt("down leak").run().expect(0);
            assert!(bystanders.iter_mut().all(Bystander::untouched), "{case}: a bystander was touched");
        }
        workspace.expect_nothing_alive(&case);
    }
}

#[test]
fn work_that_succeeds_leaves_nobody() {
    of_work(Success);
}

#[test]
fn work_that_fails_leaves_nobody() {
    of_work(Failure);
}

#[test]
fn work_that_takes_too_long_leaves_nobody() {
    of_work(Timeout);
}

#[test]
fn work_that_is_interrupted_leaves_nobody() {
    of_work(Interrupt);
}

#[test]
fn work_that_is_interrupted_twice_leaves_nobody() {
    of_work(InterruptTwice);
}

#[test]
fn work_that_another_process_stops_leaves_nobody() {
    of_work(Stop);
}

#[test]
fn work_whose_engine_was_killed_leaves_nobody() {
    of_work(Killed);
}

#[test]
fn a_service_of_a_phase_whose_engine_was_killed_leaves_nobody() {
    of_a_phase_service(Killed);
}

#[test]
fn a_service_of_the_goal_whose_engine_was_killed_leaves_nobody() {
    of_a_goal_service(Killed);
}

#[test]
fn a_service_of_a_phase_that_succeeds_leaves_nobody() {
    of_a_phase_service(Success);
}

#[test]
fn a_service_of_a_phase_that_fails_leaves_nobody() {
    of_a_phase_service(Failure);
}

#[test]
fn a_service_of_a_phase_that_takes_too_long_leaves_nobody() {
    of_a_phase_service(Timeout);
}

#[test]
fn a_service_of_a_phase_that_is_interrupted_leaves_nobody() {
    of_a_phase_service(Interrupt);
}

#[test]
fn a_service_of_a_phase_that_is_interrupted_twice_leaves_nobody() {
    of_a_phase_service(InterruptTwice);
}

#[test]
fn a_service_of_a_phase_that_another_process_stops_leaves_nobody() {
    of_a_phase_service(Stop);
}

#[test]
fn a_service_of_the_goal_lives_until_down_and_leaves_nobody() {
    of_a_goal_service(Success);
}

#[test]
fn a_service_of_the_goal_outlives_a_later_failure_and_leaves_nobody_after_down() {
    of_a_goal_service(Failure);
}

#[test]
fn a_service_of_the_goal_outlives_a_later_timeout_and_leaves_nobody_after_down() {
    of_a_goal_service(Timeout);
}

#[test]
fn a_service_of_the_goal_ends_with_a_run_that_is_interrupted() {
    of_a_goal_service(Interrupt);
}

#[test]
fn a_service_of_the_goal_ends_with_a_run_that_is_interrupted_twice() {
    of_a_goal_service(InterruptTwice);
}

#[test]
fn a_service_of_the_goal_ends_with_a_run_that_another_process_stops() {
    of_a_goal_service(Stop);
}

#[test]
fn a_service_whose_phase_is_not_verified_leaves_nobody() {
    let workspace = workspace();
    let phase = format!(
        "\n  ESCAPE:\n    resources:{}    verify: {{ checks: [ {{ exec: test -s ROOT/up/never }} ] }}\n",
        SERVICE.replace("SCOPE", "goal")
    );
    workspace.goal(&goal(&phase, ""));
    carry_out(&workspace, Failure, "a failed verification");
    workspace.expect_nothing_alive("a failed verification");
}

#[test]
fn a_service_that_never_is_ready_leaves_nobody() {
    let workspace = workspace();
    let service = SERVICE.replace("SCOPE", "goal").replace("test, -s, ROOT/up/ESCAPE", "test, -s, ROOT/up/never");
    let phase = format!("\n  ESCAPE:\n    timeout: 3s\n    resources:{service}");
    workspace.goal(&goal(&phase, ""));
    carry_out(&workspace, Failure, "never ready");
    workspace.expect_nothing_alive("never ready");
}

#[test]
fn work_as_another_user_leaves_nobody() {
    if !require_root("work as another user") {
        return;
    }
    let workspace = workspace();
    workspace.goal(
        "
version: \"1\"
name: leak
phases:
  other:
    user: nobody
    run: |
      ( ( env -i /usr/bin/setsid sleep 86400.MARK & ) & )
      id -un > /dev/stderr
      echo \"who=$(id -un)\" >> \"$SCULPT_OUTPUT\"
  said:
    needs: [other]
    run: echo {{ phases.other.outputs.who }} > ROOT/who
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("who"), "nobody\n");
    workspace.expect_nothing_alive("another user");
}
