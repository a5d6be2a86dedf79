//! What a manifest says of its phases is what happens.

use std::fmt::Write as _;

use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A goal with these phases; the text begins below `phases:`.
fn goal(phases: &str) -> Workspace {
    Workspace::with_goal(&format!("version: \"1\"\nname: it\nphases:\n{phases}"))
}

#[test]
fn what_a_create_command_has_half_made_is_destroyed_and_looked_for() {
    for (create, destroyed) in [("touch ROOT/cloud; exit 1", true), ("exit 1", false)] {
        let workspace = Workspace::with_goal(
            &"
version: \"1\"
name: it
phases:
  make:
    resources:
      cloud:
        custom: { create: 'CREATE', exists: 'test -e ROOT/cloud', destroy: 'rm ROOT/cloud; touch ROOT/destroyed' }
        scope: goal
        keep: KEEP
    run: 'true'
"
            .replace("CREATE", create)
            .replace("KEEP", if destroyed { "true" } else { "false" }),
        );
        workspace.sculpt("run goal.yaml").run().expect(1);
        assert_eq!(workspace.has("cloud"), destroyed, "what is kept is kept");
        workspace.sculpt("down it --volumes").run().expect(0);
        assert_eq!((workspace.has("cloud"), workspace.has("destroyed")), (false, destroyed));
        workspace.expect_nothing_alive("down");
    }
}

#[test]
fn a_command_of_a_custom_resource_that_hangs_is_killed_and_has_failed() {
    for (hanging, create, exists, destroy) in [
        ("create", "touch ROOT/cloud; setsid sleep 86400.MARK & sleep 86400.MARK", "test -e ROOT/cloud", "rm ROOT/cloud"),
        ("exists", "touch ROOT/cloud", "sleep 86400.MARK", "rm ROOT/cloud"),
        ("destroy", "touch ROOT/cloud", "test -e ROOT/cloud", "if test ! -e ROOT/may-go; then sleep 86400.MARK; fi; rm ROOT/cloud"),
    ] {
        let custom = format!("{{ create: '{create}', exists: '{exists}', destroy: '{destroy}', timeout: 400ms }}");
        let workspace = goal(&format!("  make: {{ resources: {{ cloud: {{ custom: {custom}, scope: goal }} }} }}\n"));
        let late = format!("its {hanging} command took longer than 400ms");
        let ended = if hanging == "destroy" {
            workspace.sculpt("run goal.yaml").run().expect(0);
            workspace.sculpt("down it").run().expect(1)
        } else {
            workspace.sculpt("run goal.yaml").run().expect(1)
        };
        assert!(ended.out.contains(&late), "{}", ended.said());
        assert_eq!(workspace.sleepers(), 0, "{hanging}");
        // What was half created is gone; what could not be destroyed is a leak, until it can be.
        assert_eq!(workspace.has("cloud"), hanging == "destroy", "{}", ended.said());
        workspace.write("may-go", "");
        until("everything to be gone", || (!workspace.has("cloud")).then_some(()));
    }
}

#[test]
fn failed_work_is_tried_again_after_a_growing_pause() {
    let workspace = goal(
        "
  flaky:
    run: |
      date +%s%N >> ROOT/stamps
      [ \"$SCULPT_ATTEMPT\" -ge 3 ]
    retry: { attempts: 5, backoff: { initial: 200ms, factor: 2, max: 60s } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    let stamps: Vec<u128> = workspace.read("stamps").lines().map(|line| line.parse().unwrap()).collect();
    let pauses: Vec<u128> = stamps.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    assert!(matches!(pauses[..], [first, second] if first >= 200 && second >= 400), "{pauses:?} ms");
    assert_eq!(workspace.phase("flaky")["attempts"], 3);
}

#[test]
fn work_that_fails_every_time_is_tried_as_often_as_declared() {
    let workspace = goal(
        "
  broken:
    run: echo again >> ROOT/tries; exit 1
    retry: { attempts: 3, backoff: { initial: 10ms } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.read("tries").lines().count(), 3);
    let phase = workspace.phase("broken");
    assert_eq!((&phase["outcome"], &phase["attempts"]), (&"failed".into(), &3.into()));
}

#[test]
fn a_second_attempt_never_meets_the_first() {
    let workspace = goal(
        "
  slow:
    run: sh ROOT/slow.sh
    timeout: 2s
    retry: { attempts: 2, backoff: { initial: 10ms } }
",
    );
    let script = "if [ \"$SCULPT_ATTEMPT\" = 2 ]; then pgrep -fx 'sleep 86400.MARK' > met; exit 0; fi\n\
         setsid sleep 86400.MARK &\nexec sleep 86400.MARK\n";
    workspace.write("slow.sh", &script.replace("MARK", &workspace.mark));
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("met"), "", "processes of the first attempt");
    workspace.expect_nothing_alive("two attempts");
}

#[test]
fn what_a_phase_says_another_one_hears() {
    let workspace = goal(
        r#"
  one:
    run: |
      echo word=hello >> "$SCULPT_OUTPUT"
      printf 'lines<<END\nfirst\nsecond\nEND\n' >> "$SCULPT_OUTPUT"
    outputs: { fixed: "from {{ params.place }}" }
  two:
    needs: [one]
    env: { LINES_OF_ONE: "{{ phases.one.outputs.lines }}" }
    run: |
      echo "{{ phases.one.outputs.word }} {{ phases.one.outputs.fixed }}" > ROOT/heard
      echo "$LINES_OF_ONE" >> ROOT/heard
params: { place: { default: here } }
"#,
    );
    workspace.sculpt("run goal.yaml --set place=there").run().expect(0);
    assert_eq!(workspace.read("heard"), "hello from there\nfirst\nsecond\n");
}

#[test]
fn a_parameter_of_the_wrong_kind_starts_nothing() {
    let workspace = goal(
        "
  one: { run: touch ROOT/started }
params: { port: { type: integer, default: 1 } }
",
    );
    let ended = workspace.sculpt("run goal.yaml --set port=many").run().expect(2);
    assert!(ended.err.contains("port"), "{}", ended.err);
    assert!(!workspace.has("started"));
}

#[test]
fn a_loop_is_a_phase_for_each_value_and_who_needs_it_waits_for_all() {
    let workspace = goal(
        "
  each:
    for_each: [ a, b, c ]
    run: echo {{ item }} >> ROOT/said
  all:
    needs: [each]
    run: sort ROOT/said > ROOT/sorted
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("sorted"), "a\nb\nc\n");
    assert_eq!(workspace.outcome("each[b]"), "unverified");
}

#[test]
fn no_more_work_goes_on_at_once_than_declared() {
    let workspace = goal(
        "
  each:
    for_each: [ 1, 2, 3, 4, 5, 6, 7 ]
    run: |
      echo + >> ROOT/log
      sleep 0.1
      echo - >> ROOT/log
concurrency: 2
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    let log = workspace.read("log");
    let (mut now, mut most) = (0, 0);
    for line in log.lines() {
        now += if line == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!(log.lines().count(), 14);
    assert!(most <= 2, "{most} at once");
}

#[test]
fn a_condition_skips_its_phase_and_the_goal_is_no_less_green() {
    let workspace = goal(
        "
  maybe: { when: params.wanted, run: touch ROOT/maybe }
  after: { needs: [maybe], run: touch ROOT/after }
  always: { run: touch ROOT/always }
params: { wanted: { type: boolean, default: false } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!((workspace.has("maybe"), workspace.has("after"), workspace.has("always")), (false, false, true));
    assert_eq!((workspace.outcome("maybe"), workspace.outcome("after")), ("skipped".into(), "skipped".into()));
    workspace.sculpt("run goal.yaml --set wanted=true").run().expect(0);
    assert!(workspace.has("maybe") && workspace.has("after"));
}

#[test]
fn a_failure_skips_who_needed_success_and_unlocks_who_waited_for_it() {
    let workspace = goal(
        "
  bad: { run: exit 1 }
  next: { needs: [bad], run: touch ROOT/next }
  rescue: { needs: { bad: { when: failed } }, run: touch ROOT/rescue }
  either: { needs: { bad: { when: finished } }, run: touch ROOT/either }
  beside: { run: touch ROOT/beside }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(workspace.outcome("next"), "skipped");
    let there = ["next", "rescue", "either", "beside"].map(|name| workspace.has(name));
    assert_eq!(there, [false, true, true, true]);
}

const WITH_FINALLY: &str = "
  work:
    run: |
      echo up > ROOT/up
      END
finally:
  tidy: { run: touch ROOT/tidied }
";

#[test]
fn what_comes_finally_comes_after_success() {
    let workspace = goal(&WITH_FINALLY.replace("END", "exit 0"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert!(workspace.has("tidied"));
}

#[test]
fn what_comes_finally_comes_after_failure() {
    let workspace = goal(&WITH_FINALLY.replace("END", "exit 1"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(workspace.has("tidied"));
}

#[test]
fn what_comes_finally_comes_after_an_interrupt() {
    let workspace = goal(&WITH_FINALLY.replace("END", "exec sleep 86400.MARK"));
    let mut run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    run.interrupt();
    run.wait().expect(130);
    assert!(workspace.has("tidied"));
    workspace.expect_nothing_alive("an interrupt before `finally`");
}

#[test]
fn a_phase_knows_who_and_where_it_is() {
    let workspace = goal(
        r#"
  one:
    env_file: vars
    env: { DECLARED: "yes" }
    working_dir: below
    run: |
      echo "$SCULPT_GOAL $SCULPT_RUN $SCULPT_PHASE $SCULPT_ATTEMPT" > ROOT/who
      echo "$FROM_FILE $DECLARED $INHERITED" >> ROOT/who
      pwd >> ROOT/who
"#,
    );
    workspace.write("vars", "FROM_FILE=file\n");
    workspace.write("below/keep", "");
    workspace.sculpt("run goal.yaml").env("INHERITED", "shell").run().expect(0);
    let folder = workspace.path("below").canonicalize().unwrap();
    assert_eq!(workspace.read("who"), format!("it it.1 one 1\nfile yes shell\n{}\n", folder.display()));
}

#[test]
fn a_phase_that_reads_its_input_finds_none() {
    let workspace = goal("\n  one: { run: cat > ROOT/read, timeout: 20s }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("read"), "");
}

#[test]
fn ten_thousand_phases_run_to_the_end() {
    let mut phases = String::new();
    for number in 0..10_000 {
        writeln!(phases, "  p{number}: {{ run: \"true\" }}").unwrap();
    }
    let workspace = goal(&phases);
    workspace.sculpt("run goal.yaml --json").patiently(std::time::Duration::from_mins(10)).run().expect(0);
    assert_eq!(workspace.journal().count("phase_ended"), 10_000);
    workspace.expect_nothing_alive("10,000 phases");
}
