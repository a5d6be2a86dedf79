//! One supervisor per workspace: whatever its clients do, there is one engine, and it waits for none of them.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::world::deadline::{LIMIT, until};
use crate::world::program::Started;
use crate::world::workspace::Workspace;

/// Work that goes on until somebody writes `go`, beside a service.
const GOAL: &str = "
version: \"1\"
name: it
phases:
  serve:
    resources: { one: { process: { run: [ sleep, \"86400.MARK\" ] }, scope: goal } }
  work:
    needs: [serve]
    run: |
      echo begun; echo begun > ROOT/begun
      while ! [ -e ROOT/go ]; do sleep 0.01; done
      echo done >> ROOT/done
    verify: { checks: [ { file: done } ] }
";

fn started() -> (Workspace, Started) {
    let workspace = Workspace::with_goal(GOAL);
    let run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("begun");
    (workspace, run)
}

fn go(workspace: &Workspace) {
    workspace.write("go", "now");
}

/// The process of the only service.
fn service(workspace: &Workspace) -> u64 {
    workspace.ps()["resources"][0]["pid"].as_u64().expect("a service that lives")
}

fn supervisor(workspace: &Workspace) -> u32 {
    workspace.supervisor().expect("a supervisor")
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

fn connect(workspace: &Workspace) -> UnixStream {
    let stream = until("the socket", || UnixStream::connect(workspace.path(".opensculpt/engine.sock")).ok());
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn say(stream: &mut UnixStream, line: &Value) {
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn answer(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// Everything is taken down, and the supervisor, for which nothing is left to do, ends by itself.
fn expect_the_end(workspace: &Workspace, case: &str) {
    workspace.sculpt("down --all").run().expect(0);
    until("the supervisor to end by itself", || workspace.supervisor().is_none().then_some(()));
    workspace.expect_nothing_alive(case);
}

#[test]
fn two_command_lines_and_ten_terminals_share_one_engine() {
    let (workspace, first) = started();
    let second = workspace.sculpt("run goal.yaml").start();
    let looks: Vec<Started> = ["status", "ps", "logs it/work", "status --json", "why it/work", "ps --json", "runs", "status it", "ps it"]
        .iter()
        .map(|words| workspace.sculpt(words).start())
        .collect();
    let follow = workspace.sculpt("logs -f it/work").start();
    for look in looks {
        look.wait().expect(0);
    }
    until("the second to attach", || second.err().contains("it.1 is under way").then_some(()));
    go(&workspace);
    for run in [first, second] {
        let ended = run.wait().expect(0);
        assert!(ended.out.contains("verified it/work"), "{}", ended.said());
    }
    assert_eq!(follow.wait().expect(0).out, "begun\n");
    let journal = workspace.journal();
    assert_eq!((journal.count("engine_started"), journal.count("run_started")), (1, 1));
    assert_eq!(workspace.sleepers(), 1);
    expect_the_end(&workspace, "ten terminals");
}

#[test]
fn the_same_goal_started_twice_at_once_is_one_deployment() {
    let workspace = Workspace::with_goal(GOAL);
    let runs = [workspace.sculpt("run goal.yaml").start(), workspace.sculpt("run goal.yaml").start()];
    workspace.until_written("begun");
    // Whoever came second is told so, unless both were begun before either was read.
    until("both to be there", || runs.iter().all(|run| !run.out().is_empty() || !run.err().is_empty()).then_some(()));
    go(&workspace);
    for run in runs {
        run.wait().expect(0);
    }
    let journal = workspace.journal();
    assert_eq!((journal.count("engine_started"), journal.count("run_started")), (1, 1));
    assert_eq!((workspace.sleepers(), workspace.read("done").lines().count()), (1, 1));
    expect_the_end(&workspace, "twice at once");
}

#[test]
fn another_plan_of_a_goal_that_runs_is_refused_with_the_difference() {
    let (workspace, run) = started();
    workspace.goal(&GOAL.replace("echo done", "echo well done"));
    let ended = workspace.sculpt("run goal.yaml").run().expect(2);
    assert!(ended.err.contains("it.1 is running") && ended.err.contains("phase `work` is different"), "{}", ended.err);
    go(&workspace);
    run.wait().expect(0);
    expect_the_end(&workspace, "another plan");
}

#[test]
fn a_client_that_does_not_read_or_stays_silent_delays_nobody() {
    let (workspace, run) = started();
    let mut deaf = connect(&workspace);
    say(&mut deaf, &json!({ "version": 2, "do": { "attach": { "goal": "it" } } }));
    let mut silent = connect(&workspace);
    silent.write_all(b"{\"version\":2,\"do\":{\"att").unwrap();
    // Beside them a goal with so many records that the first one's buffer is full long before the end.
    let mut phases = String::from("version: \"1\"\nname: many\nconcurrency: 1\nphases:\n");
    for number in 0..300 {
        writeln!(phases, "  p{number}: {{ run: sleep 0.01 }}").unwrap();
    }
    workspace.write("many.yaml", &phases);
    workspace.sculpt("run many.yaml").run().expect(0);
    go(&workspace);
    run.wait().expect(0);
    assert_eq!(workspace.journal().count("engine_started"), 1);
    drop((deaf, silent));
    expect_the_end(&workspace, "slow clients");
}

#[test]
fn a_client_of_another_version_is_told_which_one_is_spoken() {
    let (workspace, run) = started();
    let mut old = connect(&workspace);
    say(&mut old, &json!({ "version": 1, "do": "stop", "goal": "it", "force": false }));
    let told = answer(&mut BufReader::new(old));
    assert_eq!((&told["mismatch"]["version"], &told["mismatch"]["pid"]), (&json!(2), &json!(supervisor(&workspace))), "{told}");
    let mut newer = connect(&workspace);
    say(&mut newer, &json!({ "version": 99, "do": "status", "and": "more" }));
    assert_eq!(answer(&mut BufReader::new(newer))["status"]["pid"], json!(supervisor(&workspace)));
    go(&workspace);
    run.wait().expect(0);
    expect_the_end(&workspace, "versions");
}

#[test]
fn a_supervisor_of_another_version_is_named_with_what_to_do() {
    for (version, advice) in [(1, "sculpt supervise --replace"), (99, "update this one")] {
        let workspace = Workspace::with_goal("version: \"1\"\nname: it\nphases: { one: { run: \"true\" } }\n");
        std::fs::create_dir(workspace.path(".opensculpt")).unwrap();
        let listener = UnixListener::bind(workspace.path(".opensculpt/engine.sock")).unwrap();
        let run = workspace.sculpt("run goal.yaml").start();
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        assert_eq!(answer(&mut stream)["version"], 2);
        say(stream.get_mut(), &json!({ "mismatch": { "version": version, "sculpt": "7.8.9", "pid": 1 } }));
        let ended = run.wait().expect(1);
        assert!(ended.err.contains("sculpt 7.8.9") && ended.err.contains(advice), "{}", ended.err);
    }
}

#[test]
fn a_run_that_is_detached_goes_on_and_can_be_watched_again() {
    let workspace = Workspace::with_goal(GOAL);
    let ended = workspace.sculpt("run goal.yaml --detach").run().expect(0);
    assert!(ended.out.contains("sculpt resume it"), "{}", ended.out);
    workspace.until_written("begun");
    assert_eq!(workspace.status()["outcome"], "running");
    let resumed = workspace.sculpt("resume").start();
    go(&workspace);
    resumed.wait().expect(0);
    assert_eq!(workspace.status()["outcome"], "verified");
    let nothing = workspace.sculpt("resume it").run().expect(0);
    assert!(nothing.out.contains("nothing to go on with"), "{}", nothing.out);
    expect_the_end(&workspace, "detached");
}

#[test]
fn ctrl_c_twice_kills_what_does_not_want_to_end() {
    let stubborn = "trap '' TERM INT HUP; echo begun > ROOT/begun; while :; do sleep 0.05; done";
    let workspace = Workspace::with_goal(&format!("version: \"1\"\nname: it\nphases:\n  work: {{ run: \"{stubborn}\" }}\n"));
    let mut run = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("begun");
    run.interrupt();
    until("the first to be heard", || run.err().contains("once more kills at once").then_some(()));
    run.interrupt();
    run.wait().expect(130);
    workspace.expect_nothing_alive("Ctrl-C twice");
}

#[test]
fn a_client_that_is_killed_leaves_the_run_going() {
    let (workspace, mut run) = started();
    run.kill();
    assert_eq!(run.wait().code, -9);
    assert_eq!(workspace.status()["outcome"], "running");
    let resumed = workspace.sculpt("resume it").start();
    go(&workspace);
    resumed.wait().expect(0);
    assert_eq!(workspace.journal().count("attempt_started"), 2, "nothing was begun twice");
    expect_the_end(&workspace, "a client that is killed");
}

#[test]
fn a_client_outlives_the_supervisor_that_is_killed_under_it() {
    let (workspace, run) = started();
    let (service, before) = (service(&workspace), supervisor(&workspace));
    signal(before, Signal::KILL);
    go(&workspace);
    run.wait().expect(0);
    assert_ne!(supervisor(&workspace), before);
    assert_eq!((self::service(&workspace), workspace.sleepers()), (service, 1));
    assert_eq!(workspace.read("done").lines().count(), 1);
    expect_the_end(&workspace, "a supervisor that is killed");
}

#[test]
fn another_supervisor_takes_over_without_a_restart() {
    let (workspace, run) = started();
    let (service, before) = (service(&workspace), supervisor(&workspace));
    let ended = workspace.sculpt("supervise --replace").run().expect(0);
    assert!(ended.out.contains(&format!("(pid {before}) was replaced")), "{}", ended.out);
    assert_ne!(supervisor(&workspace), before);
    go(&workspace);
    run.wait().expect(0);
    assert_eq!((self::service(&workspace), workspace.sleepers()), (service, 1), "the same process serves on");
    assert_eq!(workspace.read("done").lines().count(), 1, "nothing was done twice");
    expect_the_end(&workspace, "another supervisor");
}

#[test]
fn what_a_supervisor_lets_go_is_adopted_by_the_next_look() {
    let (workspace, run) = started();
    go(&workspace);
    run.wait().expect(0);
    let service = service(&workspace);
    let ended = workspace.sculpt("supervise --stop").run().expect(0);
    assert!(ended.out.contains("lives on: it/serve/one") && ended.out.contains("sculpt down --all"), "{}", ended.out);
    assert_eq!((workspace.supervisor(), workspace.sleepers()), (None, 1));
    assert_eq!(workspace.status()["outcome"], "verified");
    assert!(workspace.supervisor().is_some(), "a look has started the next one");
    assert_eq!((self::service(&workspace), workspace.journal().count("adopted")), (service, 1));
    expect_the_end(&workspace, "a supervisor that let go");
}

#[test]
fn a_service_manager_is_told_that_it_is_ready_that_it_turns_and_that_it_stops() {
    let workspace = Workspace::with_goal(GOAL);
    let manager = UnixDatagram::bind(workspace.path("notify")).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let told = || {
        let mut words = [0; 256];
        let length = manager.recv(&mut words).unwrap();
        String::from_utf8_lossy(&words[..length]).into_owned()
    };
    let address = workspace.path("notify").display().to_string();
    let period = Duration::from_millis(200).as_micros().to_string();
    let foreground = workspace.sculpt("supervise").env("NOTIFY_SOCKET", &address).env("WATCHDOG_USEC", &period).start();
    assert_eq!(told(), format!("READY=1\nMAINPID={}", foreground.pid()));
    assert_eq!((told(), told()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    go(&workspace);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(workspace.journal().count("engine_started"), 1, "it is the one that serves");
    foreground.terminate();
    until("the last word", || (told() == "STOPPING=1").then_some(()));
    let ended = foreground.wait().expect(0);
    assert!(ended.out.contains("lives on: it/serve/one"), "{}", ended.out);
    assert_eq!(workspace.sleepers(), 1);
    expect_the_end(&workspace, "a service manager");
}
