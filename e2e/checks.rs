//! The commands of checks: whatever is no longer asked has ended before anything follows it.

use crate::docker::fixture::IMAGE;
use crate::docker::left::{expect_nothing_in_docker, there_is_docker};
use crate::world::workspace::Workspace;

/// A check's command that says that it is up, and neither answers nor ends; one of it has left its session.
const HANGS: &str = "setsid sleep 86400.MARK & echo up > ROOT/up; exec sleep 86400.MARK";

fn goal(phases: &str) -> Workspace {
    Workspace::with_goal(&format!("version: \"1\"\nname: it\nphases:\n{phases}").replace("HANGS", HANGS))
}

/// The run is stopped while the command of its check is up; nobody is left, by Ctrl-C and by `stop`.
#[track_caller]
fn is_stopped(case: &str, phases: &str) {
    for by_signal in [true, false] {
        let workspace = goal(phases);
        let mut run = workspace.sculpt("run goal.yaml").start();
        workspace.until_written("up");
        if by_signal {
            run.interrupt();
        } else {
            workspace.sculpt("stop it").run().expect(0);
        }
        run.wait().expect(130);
        workspace.expect_nothing_alive(&format!("{case}, by signal: {by_signal}"));
    }
}

#[test]
fn a_check_after_the_work_is_stopped_with_the_run() {
    is_stopped(
        "after the work",
        "
  one:
    run: touch ROOT/done
    verify: { checks: [ { exec: \"[ -e ROOT/done ] || exit 1; HANGS\", timeout: 10m } ] }
",
    );
}

#[test]
fn a_check_before_the_work_is_stopped_with_the_run() {
    is_stopped("before the work", "\n  one: { run: \"true\", verify: { checks: [ { exec: \"HANGS\", timeout: 10m } ] } }\n");
}

#[test]
fn a_check_of_a_phase_without_work_is_stopped_with_the_run_before_anything_else_begins() {
    let phases = "
  one: { verify: { checks: [ { exec: \"HANGS\", timeout: 10m } ] } }
finally:
  last: { run: ps ax -o args | grep '^sleep 86400.MARK' > ROOT/beside || true }
";
    is_stopped("a phase without work", phases);
    let workspace = goal(phases);
    let mut run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    run.interrupt();
    run.wait().expect(130);
    assert_eq!(workspace.read("beside"), "", "`finally` began beside the command of a check");
}

#[test]
fn a_health_check_is_stopped_with_the_run() {
    is_stopped(
        "a health check",
        "
  one:
    resources:
      svc:
        process: { run: [ sleep, \"86400.MARK\" ] }
        healthcheck: { exec: \"HANGS\", timeout: 10m }
    run: \"true\"
",
    );
}

#[test]
fn a_health_check_that_outlasts_patience_has_ended_before_the_next_attempt() {
    let workspace = goal(
        "
  one:
    retry: { attempts: 2, backoff: { initial: 1ms } }
    resources:
      svc:
        process: { run: [ sleep, \"86400.MARK\" ] }
        healthcheck: { exec: [ /bin/sh, ROOT/check.sh ], timeout: 10m, start_period: 1s, retries: 1, interval: 100ms }
    run: \"true\"
",
    );
    let check = "[ -s pid ] && kill -0 \"$(cat pid)\" && echo beside > beside\necho $$ > pid; echo . >> tries; exec sleep 86400.MARK\n";
    workspace.write("check.sh", &check.replace("MARK", &workspace.mark));
    workspace.sculpt("run goal.yaml").run().expect(1);
    workspace.expect_nothing_alive("a health check without patience");
    assert!(workspace.has("tries") && !workspace.has("beside"), "an attempt began beside the check of the one before");
}

#[test]
fn a_health_check_ends_with_the_service_that_it_is_about() {
    let workspace = goal(
        "
  one:
    resources:
      svc:
        process: { run: \"until [ -s ROOT/up ]; do sleep 0.01; done; exit 3\" }
        healthcheck: { exec: \"HANGS\", timeout: 10m }
    run: \"true\"
",
    );
    workspace.sculpt("run goal.yaml").run().expect(1);
    workspace.expect_nothing_alive("a service that ended under its health check");
}

#[test]
fn a_check_that_is_asked_again_can_be_stopped_and_nothing_is_known_of_it_then() {
    let workspace = goal(
        "
  one:
    run: touch ROOT/made
    verify: { checks: [ { exec: \"[ -e ROOT/hang ] && { HANGS; }; [ -e ROOT/made ]\", timeout: 10m } ] }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.write("hang", "");
    let mut verify = workspace.sculpt("verify it").start();
    workspace.until_written("up");
    verify.interrupt();
    verify.wait().expect(130);
    workspace.expect_nothing_alive("`verify`, stopped");
    // What has not answered says nothing: the green is as old as it was.
    let status = workspace.status();
    assert_eq!((&status["outcome"], &status["phases"][0]["as_of"]), (&"verified".into(), &status["ended"]));
}

#[test]
fn a_health_check_that_is_switched_off_is_asked_by_nobody() {
    for health in ["{ test: [NONE] }", "{ disable: true }", "{ test: [CMD, \"false\"], disable: true }"] {
        let workspace = Workspace::with_goal(&format!(
            "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc: {{ process: {{ run: sleep 86400.MARK }}, healthcheck: {health}, scope: goal }}
    timeout: 20s
"
        ));
        workspace.sculpt("run goal.yaml").run().expect(0);
        assert_eq!(workspace.ps()["resources"][0]["state"], "ready", "{health}");
        assert!(!workspace.read(".opensculpt/journal.jsonl").contains("\"do\":\"ask\""), "{health}: no command was permitted");
    }
}

#[test]
fn where_health_is_switched_off_that_of_the_image_is_not_waited_for_either() {
    if !there_is_docker("health that is switched off") {
        return;
    }
    for health in ["{ test: [NONE] }", "{ disable: true }"] {
        let workspace = Workspace::new();
        let check = "HEALTHCHECK --interval=1h CMD [\"/bin/busybox\", \"false\"]";
        workspace.write("web/Dockerfile", &format!("FROM {IMAGE}\nENTRYPOINT [\"/bin/busybox\"]\n{check}\n"));
        workspace.goal(&format!(
            "
version: \"1\"
name: it
phases:
  a:
    resources:
      svc: {{ container: {{ build: web, command: sleep 3600 }}, healthcheck: {health}, scope: goal }}
    timeout: 20s
"
        ));
        workspace.sculpt("run goal.yaml").run().expect(0);
        assert_eq!(workspace.ps()["resources"][0]["state"], "ready", "{health}");
        workspace.sculpt("down it --volumes").run().expect(0);
        expect_nothing_in_docker(&workspace, health);
    }
}
