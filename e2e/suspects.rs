//! What starts outside of every scope: real crontabs, `at` jobs, tmux servers and processes that leave their group are suspected, and left
//! alone, until a person gives them to their goal.

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
pub(crate) fn has(part: &str, program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    require(part, program, found)
}

/// What `ps` suspects of this kind, of which something names this workspace or carries its mark. Others use the host meanwhile.
pub(crate) fn suspected(workspace: &Workspace, kind: &str) -> Vec<Value> {
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
pub(crate) fn by_hand(command: &Value) -> String {
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
        ps.contains("suspected: ")
            && ps.contains("! marked unit serve.service of the user (outside/one/suspect:user-unit-serve.service, outside.1 attempt 1)"),
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
fn a_process_that_leaves_its_group_is_suspected_and_not_killed_until_it_is_adopted() {
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
    // It outlives its goal, and whoever adopts it then takes it down with that.
    let place = adopt(&workspace, &suspect);
    assert_eq!(suspected(&workspace, "process"), [] as [Value; 0]);
    assert_eq!(workspace.sleepers(), 1);
    workspace.sculpt("down outside").run().expect(0);
    assert_eq!((workspace.sleepers(), resource(&workspace, &place)), (0, None));
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

/// A person adopts it with the command that is shown.
#[track_caller]
pub(crate) fn adopt(workspace: &Workspace, suspect: &Value) -> String {
    let place = suspect["place"].as_str().unwrap().to_owned();
    assert_eq!(suspect["adopt"], format!("sculpt adopt {place}"), "{suspect}");
    let said = workspace.sculpt(&format!("adopt {place}")).run().expect(0).out;
    assert!(said.contains("adopted by") && said.contains("`sculpt down outside` removes it"), "{said}");
    place
}

/// The resource at a place, as `ps` shows it.
pub(crate) fn resource(workspace: &Workspace, place: &str) -> Option<Value> {
    workspace.ps()["resources"].as_array().unwrap().iter().find(|resource| resource["owner"] == place).cloned()
}

#[test]
fn an_adopted_job_of_at_is_the_goals_survives_its_engine_and_goes_down_with_it() {
    if !has("an adopted job of at", "at") || !require_root("a job of at, whose spool is closed to others") {
        return;
    }
    let script = "echo 'sleep 86400.MARK' | at 'now + 1 year'; echo 'sleep 86400.MARK.other' | at 'now + 1 year'";
    let workspace = Workspace::with_goal(&format!(
        "version: \"1\"\nname: outside\nphases:\n  one:\n    run: {script}\n    resources: {{ up: {{ process: {{ run: sleep 86400.MARK }}, scope: \
         goal }} }}\n",
    ));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let seen = suspected(&workspace, "at");
    assert_eq!(seen.len(), 2, "{seen:#?}");
    let place = adopt(&workspace, &seen[0]);
    let job = seen[0]["what"].as_str().unwrap().trim_start_matches("job ").to_owned();
    assert_eq!(place, format!("outside/one/suspect:at-{job}"));
    let made = resource(&workspace, &place).expect("it is the goal's");
    assert_eq!((&made["kind"], &made["state"], &made["scope"]), (&"adopted".into(), &"ready".into(), &"goal".into()));
    assert_eq!(suspected(&workspace, "at").len(), 1, "it is no longer suspected");
    let again = workspace.sculpt(&format!("adopt {place}")).run().expect(2);
    assert!(again.err.contains("was adopted by"), "{}", again.err);
    let ps = workspace.sculpt("ps").run().expect(0).out;
    assert!(ps.contains(&format!("{place} ")) && ps.contains(&format!("ready: at job {job}: adopted by")), "{ps}");
    assert!(workspace.supervisor().is_some(), "it stands by the service");
    workspace.kill_the_supervisor();
    assert_eq!(resource(&workspace, &place).unwrap()["state"], "ready");
    let down = workspace.sculpt("down outside").run().expect(0).out;
    assert!(down.contains(&place) && workspace.sleepers() == 0, "{down}");
    assert_eq!(resource(&workspace, &place), None);
    let left = by_hand(&"atq".into());
    assert!(!left.lines().any(|line| line.starts_with(&format!("{job}\t"))), "{left}");
    // Whatever nobody adopted is where it was.
    let other = the_suspect(&workspace, "at");
    assert_eq!(other["place"], seen[1]["place"]);
    by_hand(&other["remove"]);
}

#[test]
fn a_job_of_at_that_somebody_changed_is_left_and_leaks_until_it_is_gone() {
    if !has("a changed job of at", "at") || !require_root("a job of at, whose spool is closed to others") {
        return;
    }
    let workspace = goal("echo 'sleep 86400.MARK' | at 'now + 1 year'");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let suspect = the_suspect(&workspace, "at");
    let place = adopt(&workspace, &suspect);
    let record = workspace.journal().of("suspect_adopted").next().unwrap().clone();
    let path = record["suspected"]["suspect"]["subject"]["path"].as_str().unwrap().to_owned();
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("# mine by now\n");
    fs::write(&path, &text).unwrap();
    let down = workspace.sculpt("down outside").run().expect(1);
    assert!(down.said().contains("it is not as it was seen, and is left alone"), "{}", down.said());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let leak = resource(&workspace, &place).unwrap()["leak"]["why"].as_str().unwrap().to_owned();
    assert!(leak.contains(&format!("{path} was changed or replaced since then")), "{leak}");
    fs::remove_file(&path).unwrap();
    until("the end of the leak", || resource(&workspace, &place).is_none().then_some(()));
}

#[test]
fn exactly_the_adopted_lines_of_a_crontab_are_taken_out() {
    let part = "an adopted line of a crontab";
    if !has(part, "crontab") || !require_root(part) {
        return;
    }
    // A user whom nobody else uses here.
    let workspace = goal(
        "(crontab -u games -l 2>/dev/null || true; echo '0 0 30 2 * cd ROOT && ./poll'; echo '@daily ROOT/other') | crontab -u games -",
    );
    let root = workspace.root().display().to_string();
    by_hand(&"printf '# a note\n5 0 30 2 * true\n' | crontab -u games -".into());
    let ended = workspace.sculpt("run goal.yaml").run();
    let seen = suspected(&workspace, "crontab");
    // A stranger comes later, and may even have a like line.
    by_hand(&format!("(crontab -u games -l; echo '0 0 30 2 * cd {root} && ./poll.mine') | crontab -u games -").into());
    let file = "/var/spool/cron/crontabs/games";
    let stood = |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(path).unwrap();
        (metadata.mode(), metadata.uid(), metadata.gid())
    };
    let before = stood(file);
    let place = seen.first().map(|suspect| adopt(&workspace, suspect));
    let down = workspace.sculpt("down outside").run();
    let (after, left) = (stood(file), by_hand(&"crontab -u games -l".into()));
    by_hand(&"crontab -u games -r".into());
    ended.expect(0);
    down.expect(0);
    assert_eq!((seen.len(), place.as_deref()), (1, Some("outside/one/suspect:crontab-games")), "{seen:#?}");
    assert_eq!(left, format!("# a note\n5 0 30 2 * true\n0 0 30 2 * cd {root} && ./poll.mine\n"));
    assert_eq!(after, before, "its mode and its owner");
}

#[test]
fn an_adopted_pane_ends_and_the_rest_of_its_server_stays() {
    if !has("an adopted pane of tmux", "tmux") {
        return;
    }
    let workspace = goal("tmux -S ROOT/tmux.sock new-window 'sleep 86400.MARK'");
    let socket = workspace.path("tmux.sock").display().to_string();
    let tmux =
        |words: &[&str]| Command::new("tmux").args(["-S", &socket]).args(words).env_remove("TMUX").stdin(Stdio::null()).output().unwrap();
    let began = tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "before", "cat"]);
    assert!(began.status.success(), "{began:?}");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let place = adopt(&workspace, &the_suspect(&workspace, "tmux"));
    assert!(resource(&workspace, &place).unwrap()["pid"].is_u64());
    workspace.sculpt("down outside").run().expect(0);
    assert_eq!((workspace.sleepers(), resource(&workspace, &place)), (0, None));
    let left = tmux(&["list-panes", "-a"]);
    assert_eq!(String::from_utf8_lossy(&left.stdout).lines().count(), 1, "{left:?}");
    tmux(&["kill-server"]);
}

#[test]
fn what_is_gone_or_was_never_suspected_is_refused_with_what_is_meant() {
    let workspace = goal("mkdir -p \"$HOME/.config/systemd/user\"\necho ROOT > \"$HOME/.config/systemd/user/MARK.service\"");
    let home = workspace.path("home");
    workspace.sculpt("run goal.yaml").env("HOME", &home.display().to_string()).run().expect(0);
    let place = the_suspect(&workspace, "unit")["place"].as_str().unwrap().to_owned();
    let mistyped = workspace.sculpt(&format!("adopt {}", place.replace(".service", ".servic"))).run().expect(2).err;
    assert!(mistyped.contains("nothing is suspected at") && mistyped.contains(&format!("did you mean `{place}`?")), "{mistyped}");
    let file = home.join(format!(".config/systemd/user/{}.service", workspace.mark));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, "[Service]\n").unwrap();
    let changed = workspace.sculpt(&format!("adopt {place}")).run().expect(2).err;
    assert!(changed.contains("cannot be adopted: it is not as it was seen"), "{changed}");
    fs::remove_file(&file).unwrap();
    let gone = workspace.sculpt(&format!("adopt {place}")).run().expect(2).err;
    assert!(gone.contains("cannot be adopted: it is not there any more"), "{gone}");
    // Seen anew, it is exactly known again.
    workspace.goal(&format!(
        "version: \"1\"\nname: outside\nphases:\n  one: {{ run: \"printf '{}' > {}\" }}\n",
        text.trim(),
        file.display()
    ));
    workspace.sculpt("run goal.yaml").env("HOME", &home.display().to_string()).run().expect(0);
    workspace.sculpt(&format!("adopt {place}")).run().expect(0);
    workspace.sculpt("down outside").run().expect(0);
    assert!(!file.exists());
}

#[test]
fn another_docker_context_is_left_again_and_removed() {
    if !has("an adopted Docker context", "docker") {
        return;
    }
    let workspace = goal("docker context create far.MARK --docker host=tcp://ROOT:1\ndocker context use far.MARK");
    let home = workspace.path("home");
    workspace.write("home/.docker/config.json", "{\"auths\":{}}");
    workspace.sculpt("run goal.yaml").env("HOME", &home.display().to_string()).run().expect(0);
    let all = workspace.ps()["suspected"].as_array().unwrap().clone();
    let name = format!("far.{}", workspace.mark);
    let seen: Vec<Value> =
        all.into_iter().filter(|suspect| suspect["kind"] == "docker-context" && suspect["what"] == name.as_str()).collect();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    for suspect in &seen {
        adopt(&workspace, suspect);
    }
    workspace.sculpt("down outside").run().expect(0);
    let left =
        by_hand(&format!("docker --config {} context ls --format '{{{{.Name}}}} {{{{.Current}}}}'", home.join(".docker").display()).into());
    assert_eq!(left, "default true\n");
}
