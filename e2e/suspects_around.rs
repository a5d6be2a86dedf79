//! What starts outside of every scope by services and custom resources: suspected of the right one, left alone, and gone with the goal once a
//! person has adopted it.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::part::require_root;
use crate::suspects::{adopt, by_hand, has, resource, suspected};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// A goal with one phase, `one`, that has this resource.
fn goal(resource: &str) -> Workspace {
    Workspace::with_goal(&format!("version: \"1\"\nname: outside\nphases:\n  one:\n    resources:\n{resource}"))
}

/// A service `up` that runs this script, each line of which may use `$HOME`, and is ready as soon as there is a file `ready`.
fn service(script: &str, policy: &str) -> Workspace {
    let script: Vec<String> = script.lines().map(|line| format!("            {line}")).collect();
    let health = "{ exec: \"test -f ROOT/ready\", timeout: 10m, start_period: 1m, interval: 1s }";
    goal(&format!(
        "      up:\n        scope: goal\n        restart: {policy}\n        healthcheck: {health}\n        process:\n          run: |\n{}\n",
        script.join("\n")
    ))
}

/// A script that begins to be ready and goes on once somebody writes to `go`.
const WAITS: &str = "[ -p ROOT/go ] || mkfifo ROOT/go; touch ROOT/ready; [ -f ROOT/gone ] || cat ROOT/go";

/// The script of a unit of the user with this name, which names the workspace.
fn writes_unit(name: &str) -> String {
    format!("mkdir -p \"$HOME/.config/systemd/user\"; echo '[Service] ROOT' > \"$HOME/.config/systemd/user/{name}.service\"")
}

fn run(workspace: &Workspace) {
    workspace.sculpt("run goal.yaml").env("HOME", &workspace.path("home").display().to_string()).run().expect(0);
}

/// Lets the script of `WAITS` go on.
fn goes_on(workspace: &Workspace) {
    fs::write(workspace.path("go"), "on\n").unwrap();
}

#[track_caller]
fn of(suspect: &Value, resource: &str) {
    assert_eq!((&suspect["owner"], &suspect["run"]), (&format!("outside/one/{resource}").into(), &"outside.1".into()), "{suspect}");
}

#[test]
fn a_job_of_at_that_a_service_gives_is_told_left_alone_and_goes_with_the_goal_that_adopts_it() {
    if !has("a job of at that a service gives", "at") || !require_root("a job of at, whose spool is closed to others") {
        return;
    }
    let workspace = service(
        "echo 'sleep 86400.MARK' | at 'now + 1 year'\necho 'sleep 86400.MARK.other' | at 'now + 1 year'\ntouch ROOT/ready\nexec sleep 86400.MARK",
        "\"no\"",
    );
    run(&workspace);
    let seen = suspected(&workspace, "at");
    assert_eq!(seen.len(), 2, "{seen:#?}");
    for suspect in &seen {
        of(suspect, "up");
    }
    assert_eq!(seen[0]["evidence"], "is new since the attempt began; it carries the attempt's mark");
    let number = |suspect: &Value| suspect["what"].as_str().unwrap().trim_start_matches("job ").to_owned();
    assert_eq!(seen[0]["place"], format!("outside/one/suspect:at-{}", number(&seen[0])));
    let said = |words: &str| workspace.sculpt(words).run().expect(0).out;
    let told = format!("may have left at job {}, which runs on outside of it: it is new since", number(&seen[0]));
    let (of_phase, of_service, ps) = (said("why outside/one"), said("why outside/one/up"), said("ps"));
    assert!(of_phase.contains(&format!("Its up {told}")), "{of_phase}");
    assert!(of_service.contains(&format!("It {told}")), "{of_service}");
    assert!(ps.contains("of outside/one/up, outside.1 attempt 1)"), "{ps}");
    let place = adopt(&workspace, &seen[0]);
    workspace.sculpt("down outside").run().expect(0);
    assert_eq!((workspace.sleepers(), resource(&workspace, &place)), (0, None));
    let left = by_hand(&"atq".into());
    assert!(!left.lines().any(|line| line.starts_with(&format!("{}\t", number(&seen[0])))), "{left}");
    // Whatever nobody adopted is where it was.
    let other = suspected(&workspace, "at");
    assert_eq!(other.len(), 1, "{other:#?}");
    assert_eq!(other[0]["place"], seen[1]["place"]);
    by_hand(&other[0]["remove"]);
}

#[test]
fn what_a_service_leaves_while_it_lives_is_told_when_it_ends_also_where_it_is_started_again() {
    let script = format!("{WAITS}\n[ ! -f ROOT/gone ] || exec sleep 86400.MARK\n{}\ntouch ROOT/gone\nexit 1", writes_unit("late"));
    let workspace = service(&script, "always");
    run(&workspace);
    assert_eq!(suspected(&workspace, "unit"), [] as [Value; 0]);
    goes_on(&workspace);
    let seen = until("the suspicion", || {
        let seen = suspected(&workspace, "unit");
        (!seen.is_empty()).then_some(seen)
    });
    assert_eq!(seen.len(), 1, "{seen:#?}");
    of(&seen[0], "up");
    assert_eq!(seen[0]["evidence"], "is new since the service was ready; it names the workspace");
    until("the restart", || (workspace.sleepers() == 1).then_some(()));
    let place = adopt(&workspace, &seen[0]);
    workspace.sculpt("down outside").run().expect(0);
    assert_eq!((workspace.sleepers(), resource(&workspace, &place)), (0, None));
    assert!(!workspace.has("home/.config/systemd/user/late.service"));
}

#[test]
fn a_pane_that_is_opened_in_the_workspace_while_a_service_lives_is_a_coincidence_and_no_other_is_told() {
    if !has("a tmux server beside a service", "tmux") {
        return;
    }
    let workspace = service("touch ROOT/ready\nexec sleep 86400.MARK", "\"no\"");
    let socket = workspace.path("tmux.sock").display().to_string();
    let tmux = |words: &[&str]| {
        let ran = Command::new("tmux").args(["-S", &socket]).args(words).env_remove("TMUX").stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "before", "-c", "/", "cat"]);
    run(&workspace);
    // A person opens two, one of them here.
    let here = workspace.root().display().to_string();
    tmux(&["new-window", "-c", "/", "tail -f /dev/null"]);
    tmux(&["new-window", "-c", &here, "cat"]);
    workspace.sculpt("down outside").run().expect(0);
    let panes = |suspect: &&Value| suspect["kind"] == "tmux" && suspect["look"].as_str().unwrap().contains(&socket);
    let seen: Vec<Value> = workspace.ps()["suspected"].as_array().unwrap().iter().filter(panes).cloned().collect();
    tmux(&["kill-server"]);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    of(&seen[0], "up");
    assert_eq!(seen[0]["rank"], "coincident");
    let why = seen[0]["evidence"].as_str().unwrap();
    assert!(why.starts_with("began while the service ran") && why.ends_with("it works in the workspace, as somebody else may"), "{why}");
}

#[test]
fn what_a_service_leaves_under_the_next_engine_is_told_too() {
    let script = format!("{WAITS}\n{}\ntouch ROOT/gone\nexec sleep 86400.MARK", writes_unit("late"));
    let workspace = service(&script, "\"no\"");
    run(&workspace);
    workspace.kill_the_supervisor();
    workspace.sculpt("verify outside").run();
    assert!(workspace.supervisor().is_some(), "another stands by the service");
    goes_on(&workspace);
    until("what it leaves", || workspace.has("gone").then_some(()));
    assert_eq!(suspected(&workspace, "unit"), [] as [Value; 0], "it goes on");
    workspace.sculpt("down outside").run().expect(0);
    let seen = suspected(&workspace, "unit");
    assert_eq!(seen.len(), 1, "{seen:#?}");
    of(&seen[0], "up");
    assert!(workspace.has("home/.config/systemd/user/late.service"), "nobody removes it by guess");
}

#[test]
fn what_the_commands_of_a_custom_resource_leave_is_told() {
    let part = "a line that a custom resource leaves in a crontab";
    if !has(part, "crontab") || !require_root(part) {
        return;
    }
    // A user whom no other test has. The 30th of February never comes.
    let workspace = goal(&format!(
        "      db:\n        scope: goal\n        custom:\n          exists: test -f ROOT/made\n          create: |\n            (crontab -u news -l \
         2>/dev/null || true; echo '0 0 30 2 * cd ROOT && ./poll') | crontab -u news -\n            touch ROOT/made\n          destroy: \
         |\n            {}\n            rm ROOT/made\n",
        writes_unit("destroyed"),
    ));
    by_hand(&"printf '5 0 30 2 * true\n' | crontab -u news -".into());
    run(&workspace);
    let seen = suspected(&workspace, "crontab");
    let place = seen.first().map(|suspect| adopt(&workspace, suspect));
    let down = workspace.sculpt("down outside").run();
    let left = by_hand(&"crontab -u news -l; crontab -u news -r".into());
    assert_eq!((seen.len(), place.as_deref()), (1, Some("outside/one/suspect:crontab-news")), "{seen:#?}");
    of(&seen[0], "db");
    down.expect(0);
    assert_eq!(left, "5 0 30 2 * true\n");
    // Its destroy command has left something as well.
    let units = suspected(&workspace, "unit");
    assert_eq!(units.len(), 1, "{units:#?}");
    of(&units[0], "db");
}

#[test]
fn a_secret_in_what_is_suspected_of_a_resource_is_not_written_down() {
    let part = "a secret that a custom resource leaves in a crontab";
    if !has(part, "crontab") || !require_root(part) {
        return;
    }
    let workspace = Workspace::with_goal(
        "version: \"1\"\nname: outside\nsecrets: { key: { env: KEY } }\nphases:\n  one:\n    resources:\n      db:\n        scope: goal\n        \
         custom:\n          exists: test -f ROOT/made\n          create: |\n            echo \"0 0 30 2 * cd ROOT && ./poll $KEY\" | crontab \
         -u mail -\n            touch ROOT/made\n          destroy: rm ROOT/made\n",
    );
    let secret = format!("secret-{}", workspace.mark);
    let ended = workspace.sculpt("run goal.yaml").env("KEY", &secret).run();
    let seen = suspected(&workspace, "crontab");
    by_hand(&"crontab -u mail -r".into());
    ended.expect(0);
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(seen[0]["what"].as_str().unwrap().ends_with("./poll ***`") && seen[0]["adopt"].is_null(), "{}", seen[0]);
    assert!(!workspace.read(".opensculpt/journal.jsonl").contains(&secret));
}
