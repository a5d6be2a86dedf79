//! What starts outside of every scope: real crontabs, `at` jobs, tmux servers and processes that leave their group are suspected, and left alone.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::part::{require, require_root};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

fn goal(script: &str) -> Workspace {
    let script: Vec<String> = script.lines().map(|line| format!("      {line}")).collect();
    Workspace::with_goal(&format!("version: \"1\"\nname: outside\nphases:\n  one:\n    run: |\n{}\n", script.join("\n")))
}

/// Whether a program is there.
fn has(part: &str, program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    require(part, program, found)
}

/// What `ps` suspects of this kind, of which something names this workspace or carries its mark. Others use the host meanwhile.
fn suspected(workspace: &Workspace, kind: &str) -> Vec<Value> {
    let ps = workspace.ps();
    let all = ps["suspected"].as_array().unwrap().iter();
    all.filter(|suspect| suspect["kind"] == kind && suspect["rank"] == "marked").cloned().collect()
}

#[track_caller]
fn the_suspect(workspace: &Workspace, kind: &str) -> Value {
    let mut found = suspected(workspace, kind);
    assert_eq!(found.len(), 1, "{found:#?}");
    let suspect = found.remove(0);
    assert_eq!((&suspect["owner"], &suspect["run"], &suspect["attempt"]), (&"outside/one".into(), &"outside.1".into(), &1.into()));
    suspect
}

/// A person copies the command that is shown.
#[track_caller]
fn by_hand(command: &Value) -> String {
    let output = Command::new("sh").args(["-c", command.as_str().unwrap()]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_unit_of_the_user_is_told_by_ps_status_and_why() {
    let workspace = goal(
        "mkdir -p \"$HOME/.config/systemd/user\"\necho '[Service]\nExecStart=ROOT/serve' > \"$HOME/.config/systemd/user/serve.service\"",
    );
    let home = workspace.path("home");
    workspace.sculpt("run goal.yaml").env("HOME", &home.display().to_string()).run().expect(0);
    let suspect = the_suspect(&workspace, "unit");
    assert_eq!(suspect["what"], "serve.service of the user");
    assert_eq!(suspect["evidence"], "is new since the attempt began; it names the workspace");
    assert_eq!(suspect["remove"], "systemctl --user disable --now serve.service");
    let line = "suspected: unit serve.service of the user may run on outside of it: `sculpt ps outside`";
    for words in ["status", "why outside"] {
        let said = workspace.sculpt(words).run().expect(0).out;
        assert!(said.contains(line.trim_end_matches(": `sculpt ps outside`")), "{words}: {said}");
    }
    let why = workspace.sculpt("why outside/one").run().expect(0).out;
    assert!(why.contains("It may have left unit serve.service of the user") && why.contains("systemctl --user cat serve.service"), "{why}");
    let ps = workspace.sculpt("ps").run().expect(0).out;
    assert!(
        ps.contains("suspected: ") && ps.contains("! marked unit serve.service of the user (outside/one, outside.1 attempt 1)"),
        "{ps}"
    );
    // It outlives the goal as well, and is told of until it is gone.
    workspace.sculpt("down outside").run().expect(0);
    assert!(home.join(".config/systemd/user/serve.service").is_file());
    assert_eq!(suspected(&workspace, "unit").len(), 1);
    fs::remove_file(home.join(".config/systemd/user/serve.service")).unwrap();
    assert_eq!(suspected(&workspace, "unit"), [] as [Value; 0]);
    // A second run finds nothing new where there is nothing new.
    workspace.goal("version: \"1\"\nname: outside\nphases:\n  one: { run: \"true\" }\n");
    workspace.sculpt("run goal.yaml").env("HOME", &home.display().to_string()).run().expect(0);
    assert_eq!(suspected(&workspace, "unit"), [] as [Value; 0]);
}

#[test]
fn a_process_that_leaves_its_group_is_suspected_and_not_killed() {
    let part = "a process that leaves its control group";
    let groups = ["/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/cgroup.procs"].into_iter().find(|file| fs::exists(file).unwrap());
    if !require_root(part) || !require(part, "control groups of version 2", groups.is_some()) {
        return;
    }
    let groups = groups.unwrap();
    let workspace = goal(&format!("setsid sleep 86400.MARK &\necho $! > {groups}\n"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let suspect = the_suspect(&workspace, "process");
    assert!(suspect["evidence"].as_str().unwrap().ends_with("it carries the attempt's mark"), "{suspect}");
    assert!(by_hand(&suspect["look"]).contains("sleep 86400"), "{suspect}");
    workspace.sculpt("down outside").run().expect(0);
    assert_eq!(workspace.sleepers(), 1, "nobody ends it by guess");
    by_hand(&suspect["remove"]);
    until("its end", || (workspace.sleepers() == 0).then_some(()));
    assert_eq!(suspected(&workspace, "process"), [] as [Value; 0]);
}

#[test]
fn what_a_phase_starts_in_a_tmux_from_before_is_suspected() {
    if !has("a tmux server from before", "tmux") {
        return;
    }
    let workspace = goal("tmux -S ROOT/tmux.sock new-window 'sleep 86400.MARK'");
    let socket = workspace.path("tmux.sock").display().to_string();
    let tmux =
        |words: &[&str]| Command::new("tmux").args(["-S", &socket]).args(words).env_remove("TMUX").stdin(Stdio::null()).output().unwrap();
    let began = tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "before", "cat"]);
    assert!(began.status.success(), "{began:?}");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let suspect = the_suspect(&workspace, "tmux");
    assert!(suspect["evidence"].as_str().unwrap().ends_with("it works in the workspace"), "{suspect}");
    assert!(by_hand(&suspect["look"]).contains("before"), "{suspect}");
    by_hand(&suspect["remove"]);
    until("the end of what ran in the pane", || suspected(&workspace, "tmux").is_empty().then_some(()));
    // The server and its other window were there before, and are there still.
    let left = tmux(&["list-panes", "-a"]);
    assert!(left.status.success(), "{left:?}");
    tmux(&["kill-server"]);
}

#[test]
fn a_line_in_the_users_crontab_is_suspected() {
    if !has("a crontab", "crontab") {
        return;
    }
    // The 30th of February never comes.
    let workspace = goal("(crontab -l 2>/dev/null || true; echo '0 0 30 2 * cd ROOT && ./poll') | crontab -");
    let ended = workspace.sculpt("run goal.yaml").run();
    let found = suspected(&workspace, "crontab");
    let shown = found.first().map(|suspect| by_hand(&suspect["look"]));
    // What was there before is kept, whoever's it is.
    let root = workspace.root().display().to_string();
    let others = format!(
        "crontab -l | grep -v '{root}' > '{root}/others' || true; if [ -s '{root}/others' ]; then crontab '{root}/others'; else crontab -r; fi"
    );
    by_hand(&others.into());
    ended.expect(0);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0]["what"].as_str().unwrap().contains(&format!("`0 0 30 2 * cd {root} && ./poll`")), "{}", found[0]);
    assert!(shown.unwrap().contains(&root));
    assert_eq!(suspected(&workspace, "crontab"), [] as [Value; 0], "its line is gone");
}

#[test]
fn a_job_of_at_is_suspected() {
    if !has("a job of at", "at") || !require_root("a job of at, whose spool is closed to others") {
        return;
    }
    let workspace = goal("echo 'sleep 86400.MARK' | at 'now + 1 year'");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let suspect = the_suspect(&workspace, "at");
    assert_eq!(suspect["evidence"], "is new since the attempt began; it carries the attempt's mark");
    assert!(by_hand(&suspect["look"]).contains(&format!("sleep 86400.{}", workspace.mark)), "{suspect}");
    by_hand(&suspect["remove"]);
    assert_eq!(suspected(&workspace, "at"), [] as [Value; 0]);
}

#[test]
fn a_stranger_is_not_suspected_of_anything() {
    let workspace = goal("until [ -s ROOT/stranger ]; do :; done");
    let running = workspace.sculpt("run goal.yaml --detach").run();
    running.expect(0);
    // Somebody else starts something while the attempt is at work.
    let mut stranger = Command::new("sleep").arg("86400").stdin(Stdio::null()).spawn().unwrap();
    workspace.write("stranger", "is here");
    until("the end of the run", || (workspace.outcome("one") != "none").then_some(()));
    let pid = stranger.id().to_string();
    let told = workspace.ps()["suspected"].as_array().unwrap().iter().any(|suspect| suspect["what"].as_str().unwrap().contains(&pid));
    let pid = Pid::from_raw(i32::try_from(stranger.id()).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    stranger.wait().unwrap();
    assert!(!told);
}
