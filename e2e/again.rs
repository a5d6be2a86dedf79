//! A goal that is run again: what holds is kept, what changed is replaced, what is gone is red.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::deadline::until;
use crate::world::workspace::Workspace;

const GOAL: &str = "
version: \"1\"
name: it
phases:
  store:
    resources: { place: { directory: var/it, scope: goal, keep: false } }
    run: echo made >> ROOT/made; touch var/it/file
    verify: { checks: [ { file: var/it/file } ] }
  serve:
    needs: [store]
    resources:
      one: { process: { run: [ /bin/sh, -c, 'echo first > ROOT/up; exec sleep 86400.MARK' ] }, scope: goal }
    verify: { checks: [ { exec: 'pgrep -fx \"sleep 86400.MARK\"', retries: 100, interval: 50ms } ] }
";

/// The main process of the only process resource.
fn service(workspace: &Workspace) -> u32 {
    let ps = workspace.ps();
    let pids: Vec<&Value> =
        ps["resources"].as_array().unwrap().iter().filter(|one| one["kind"] == "process").map(|one| &one["pid"]).collect();
    let [pid] = pids[..] else { panic!("one process, not {ps}") };
    u32::try_from(pid.as_u64().expect("a process that lives")).unwrap()
}

fn up() -> Workspace {
    let workspace = Workspace::with_goal(GOAL);
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace
}

#[test]
fn what_is_proven_and_alive_is_not_done_again() {
    let workspace = up();
    let before = service(&workspace);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.read("made").lines().count(), 1);
    assert_eq!(
        (workspace.phase("store")["proof"].clone(), workspace.phase("serve")["proof"].clone()),
        ("already".into(), "already".into())
    );
    assert_eq!(service(&workspace), before, "the same process serves on");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_service_that_changed_is_replaced_and_the_old_one_is_gone() {
    let workspace = up();
    let before = service(&workspace);
    workspace.goal(&GOAL.replace("echo first", "echo second"));
    workspace.sculpt("run goal.yaml").run();
    assert_eq!(workspace.read("up"), "second\n");
    assert_ne!(service(&workspace), before);
    assert_eq!(workspace.read("made").lines().count(), 1, "what did not change is not done again");
    assert_eq!(workspace.sleepers(), 1, "{:#?}", workspace.alive());
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_service_that_is_no_longer_declared_ends() {
    let workspace = up();
    workspace.goal(&GOAL[..GOAL.find("  serve:").unwrap()]);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert!(workspace.alive().is_empty(), "{:#?}", workspace.alive());
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn a_script_that_changed_is_run_again_wherever_it_lies() {
    let goal = "
version: \"1\"
name: it
working_dir: app
phases:
  goals: { run: ./build.sh goals, verify: { checks: [ { file: made.goals } ] } }
  own: { working_dir: other, run: ./build.sh own, verify: { checks: [ { file: made.own } ] } }
";
    for (changed, made) in [("app", ("first\nsecond\n", "first\n")), ("other", ("first\n", "first\nsecond\n"))] {
        let workspace = Workspace::with_goal(goal);
        let script = |folder: &str, word: &str| {
            let file = format!("{folder}/build.sh");
            workspace.write(&file, &format!("#!/bin/sh\necho {word} >> {}/made.$1\n", workspace.root().display()));
            std::fs::set_permissions(workspace.path(&file), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        };
        script("app", "first");
        script("other", "first");
        workspace.sculpt("run goal.yaml").run().expect(0);
        workspace.sculpt("run goal.yaml").run().expect(0);
        script(changed, "second");
        workspace.sculpt("run goal.yaml").run();
        assert_eq!((&*workspace.read("made.goals"), &*workspace.read("made.own")), made, "{changed}/build.sh changed");
        workspace.sculpt("down it").run().expect(0);
        workspace.expect_nothing_alive("down");
    }
}

#[test]
fn a_service_that_died_is_red_and_is_served_again() {
    let workspace = up();
    let before = service(&workspace);
    kill_process(Pid::from_raw(i32::try_from(before).unwrap()).unwrap(), Signal::KILL).unwrap();
    until("its end", || workspace.alive().is_empty().then_some(()));
    assert_eq!(workspace.status()["outcome"], "regressed");
    workspace.sculpt("verify it").run().expect(1);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_ne!(service(&workspace), before);
    assert_eq!(workspace.sleepers(), 1);
    assert_eq!(workspace.status()["outcome"], "verified");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down");
}

#[test]
fn checks_can_be_asked_again_at_any_time() {
    let workspace = up();
    workspace.sculpt("verify it").run().expect(0);
    std::fs::remove_file(workspace.path("var/it/file")).unwrap();
    let ended = workspace.sculpt("verify it").run().expect(1);
    assert!(ended.said().contains("store"), "{}", ended.said());
}

#[test]
fn down_keeps_what_it_did_not_make() {
    let workspace = Workspace::with_goal(GOAL);
    workspace.write("var/it/older", "here before");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("down it --volumes").run().expect(0);
    assert_eq!(workspace.read("var/it/older"), "here before");
    workspace.expect_nothing_alive("down");
}

#[test]
fn down_removes_what_it_made_and_not_what_is_declared_at_its_place_by_now() {
    let workspace = Workspace::with_goal(
        "
version: \"1\"
name: it
params: { dir: { default: out1 } }
phases:
  fill:
    resources: { place: { directory: '{{ params.dir }}', scope: goal } }
    run: 'touch {{ params.dir }}/file'
    verify: { checks: [ { file: '{{ params.dir }}/file' } ] }
",
    );
    workspace.write("photos/older", "here before");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("run goal.yaml --set dir=photos").run().expect(0);
    assert!(workspace.has("out1/file"), "what is kept is kept until `down --volumes`");
    workspace.sculpt("down it --volumes").run().expect(0);
    assert_eq!(workspace.read("photos/older"), "here before");
    assert!(workspace.has("photos/file") && !workspace.has("out1"));
    workspace.expect_nothing_alive("down");
}

#[test]
fn down_removes_what_is_not_kept_and_can_be_repeated() {
    let workspace = up();
    workspace.sculpt("down goal.yaml").run().expect(0);
    assert!(!workspace.has("var/it"));
    workspace.sculpt("down it").run().expect(0);
    workspace.sculpt("down").run().expect(0);
    workspace.expect_nothing_alive("down twice");
    assert_eq!(workspace.status()["outcome"], "down");
}

#[test]
fn a_copy_of_a_workspace_is_another_workspace() {
    let workspace = up();
    let before = service(&workspace);
    let copy = Workspace::new();
    let copied = std::process::Command::new("cp").arg("-a").arg(workspace.path(".opensculpt")).arg(copy.root()).status();
    assert!(copied.unwrap().success());
    copy.goal(GOAL);
    let id = workspace.id().unwrap();
    let ended = copy.sculpt("run goal.yaml").run().expect(0);
    let aside = format!(".opensculpt/copied-from-{id}");
    assert!(ended.err.contains(&format!("copy of workspace {id}")) && ended.err.contains(&aside), "{}", ended.err);
    assert!(copy.has(&format!("{aside}/journal.jsonl")));
    copy.sculpt("down it").run().expect(0);
    copy.expect_nothing_alive("down of the copy");
    assert_eq!(service(&workspace), before, "the original is untouched");
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down of the original");
}

const FAMILY: &str = "
version: \"1\"
name: it
phases:
  serve:
    resources:
      one: { process: { run: [ /bin/sh, -c, 'sleep 86400.MARK & sleep 86400.MARK & echo up > ROOT/up; wait' ] }, scope: goal }
    verify: { checks: [ { file: up, retries: 100, interval: 50ms } ] }
";

/// A service of which only the main process has died, while no engine watched.
fn bereft() -> Workspace {
    let workspace = Workspace::with_goal(FAMILY);
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.until_written("up");
    let main = Pid::from_raw(i32::try_from(service(&workspace)).unwrap()).unwrap();
    workspace.sculpt("supervise --stop").run().expect(0);
    kill_process(main, Signal::KILL).unwrap();
    until("the main process to be gone", || {
        workspace.alive().iter().all(|one| one.pid != main.as_raw_nonzero().get().unsigned_abs()).then_some(())
    });
    assert_eq!(workspace.sleepers(), 2, "what it started lives on");
    workspace
}

#[test]
fn what_a_dead_main_process_left_goes_down_with_its_goal() {
    let workspace = bereft();
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down after the main process was killed");
}

#[test]
fn a_service_without_its_main_process_is_not_up_and_what_it_left_is_ended() {
    let workspace = bereft();
    workspace.sculpt("verify it").run().expect(1);
    // Whoever asks is told that it is not up; nobody has asked to wait for the end of what it left.
    until("what was left to end with it", || (workspace.sleepers() == 0).then_some(()));
    workspace.sculpt("run goal.yaml").run();
    until("the service to be whole again", || (workspace.sleepers() == 2).then_some(()));
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("down after a new start");
}
