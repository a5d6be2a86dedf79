//! The engine is killed at every write of its journal, and the next command goes on: nothing is lost, nothing that had a recorded end is
//! repeated, nobody is alive twice, and nobody is forgotten.
//!
//! | how it dies | |
//! |---|---|
//! | at its n-th write | by the system call itself (`strace --inject`), for every n of a whole run |
//! | at some time | by `kill -9` after a random pause; `E2E_KILLS` says how often |
//! | with its last page torn | the last line of the journal is cut in half as well |

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::part::require;
use crate::world::deadline::until;
use crate::world::program::Started;
use crate::world::workspace::Workspace;

/// How many writes of the journal there may be; more than a whole run has.
const WRITES: u32 = 400;

/// Twenty phases: work that says that it was done, and services of which there may be one of each. Whoever is there twice says so.
fn goal() -> String {
    let mut text = String::from("version: \"1\"\nname: resume\nconcurrency: 4\nphases:\n");
    for service in 0..4 {
        let needs = if service == 0 { String::new() } else { format!("    needs: [ work{} ]\n", service * 4 - 1) };
        write!(
            text,
            "
  service{service}:
{needs}    resources:
      data: {{ directory: nest/deep/data{service}, scope: goal, keep: false }}
      sleeper:
        process: {{ run: [ /bin/sh, ROOT/service.sh, service{service}, ROOT, \"MARK\" ] }}
        healthcheck: {{ test: [ CMD, test, -s, ROOT/up/service{service} ], start_interval: 20ms, start_period: 60s }}
        scope: goal
    verify: {{ checks: [ {{ file: {{ path: up/service{service}, min_size: 1 }} }} ] }}
"
        )
        .unwrap();
    }
    for work in 0..16 {
        let needs = if work % 4 == 0 { format!("service{}", work / 4) } else { format!("work{}", work - 1) };
        // Half of them can be seen to be done; what is lost of the others is done again.
        let verify = if work % 2 == 0 { format!("    verify: {{ checks: [ {{ file: done/work{work} }} ] }}\n") } else { String::new() };
        // One fails at first.
        let retry = if work == 5 { "    retry: { attempts: 2, backoff: { initial: 10ms } }\n" } else { "" };
        let fails = if work == 5 { "[ -e ROOT/up/tried ] || { echo > ROOT/up/tried; exit 3; }; " } else { "" };
        write!(
            text,
            "  work{work}:\n    needs: [ {needs} ]\n    run: \"{fails}exec /bin/sh ROOT/work.sh work{work} ROOT\"\n{retry}{verify}"
        )
        .unwrap();
    }
    text
}

/// A lock that its holder's death releases: who finds it taken is a second copy.
const ALONE: &str = "exec 9> \"$root/locks/$1\"\nflock -n 9 || { echo \"$1\" >> \"$root/copies\"; exit 9; }\n";

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    for folder in ["locks", "up", "done"] {
        std::fs::create_dir(workspace.path(folder)).unwrap();
    }
    workspace.write("work.sh", &format!("root=$2\n{ALONE}sleep 0.02\necho $$ >> \"$root/done/$1\"\n"));
    workspace.write("service.sh", &format!("root=$2\n{ALONE}echo $$ >> \"$root/up/$1\"\nexec sleep 86400.\"$3\"\n"));
    workspace.goal(&goal());
    workspace.sculpt("init").run().expect(0);
    workspace
}

/// The engine in the foreground.
fn engine(workspace: &Workspace) -> Started {
    workspace.sculpt("supervise").start()
}

/// The engine in the foreground, that is killed by its n-th write into the journal's files.
fn engine_that_dies_at(workspace: &Workspace, write: u32) -> Started {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", &format!("inject=pwrite64:signal=KILL:when={write}")]);
    command.arg(crate::world::program::path()).arg("supervise");
    workspace.command(command).start()
}

/// Waits until the engine listens, or is no more.
fn until_it_listens(workspace: &Workspace, engine: &mut Started) {
    until("the engine to listen", || (engine.has_ended() || workspace.has(".opensculpt/engine.sock")).then_some(()));
}

/// What must hold at the end, however often an engine died before.
fn is_whole(workspace: &Workspace, case: &str) {
    let status = workspace.status();
    let phases = status["phases"].as_array().unwrap_or_else(|| panic!("{case}: {status}"));
    assert_eq!(phases.len(), 20, "{case}");
    for phase in phases {
        let name = phase["name"].as_str().unwrap();
        let checked = name.starts_with("service") || name[4..].parse::<u32>().unwrap() % 2 == 0;
        assert_eq!(phase["outcome"], if checked { "verified" } else { "unverified" }, "{case}: {phase:#}");
    }
    assert!(!workspace.has("copies"), "{case}: two copies of {}", workspace.read("copies"));
    assert_eq!(workspace.sleepers(), 4, "{case}: {:#?}", workspace.alive());
    nothing_is_repeated(&workspace.records(), case);
    workspace.sculpt("audit verify").run().expect(0);
    workspace.sculpt("down resume --volumes").run().expect(0);
    workspace.expect_nothing_alive(case);
    assert!(!workspace.has("nest"), "{case}: a directory was forgotten, or a folder on the way to it");
}

/// Of work that was seen to end well there is no second start, unless its attempt failed for another reason than an engine's death.
fn nothing_is_repeated(records: &[Value], case: &str) {
    let mut at_work: HashMap<u64, Value> = HashMap::new();
    let mut done: BTreeMap<String, u32> = BTreeMap::new();
    for record in records {
        match record["event"].as_str() {
            Some("requested") if record["effect"]["do"] == "work" => {
                at_work.insert(record["id"].as_u64().unwrap(), record["effect"]["phase"].clone());
                assert!(!done.contains_key(&record["effect"]["phase"].to_string()), "{case}: repeated: {record}");
            }
            Some("observed") if record["seen"]["exit"]["code"] == 0 => {
                if let Some(phase) = at_work.get(&record["id"].as_u64().unwrap()) {
                    *done.entry(phase.to_string()).or_default() += 1;
                }
            }
            Some("attempt_failed") if record["fault"] != "engine-died" => {
                done.remove(&record["phase"].to_string());
            }
            _ => {}
        }
    }
}

/// Cuts the journal's last line in half, where what is cut off was not known to be on disk.
fn tear(workspace: &Workspace) {
    let path = workspace.path(".opensculpt/journal.jsonl");
    let text = std::fs::read(&path).unwrap_or_default();
    let head: Option<Value> =
        serde_json::from_str(&std::fs::read_to_string(workspace.path(".opensculpt/journal.head")).unwrap_or_default()).ok();
    let Some(begin) = text.strip_suffix(b"\n").map(|text| text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)) else {
        return;
    };
    let last: Value = serde_json::from_slice(&text[begin..]).unwrap();
    if head.is_some_and(|head| head["seq"].as_u64() < last["seq"].as_u64()) {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len((begin + (text.len() - begin) / 2) as u64).unwrap();
    }
}

/// One run whose engine dies at its n-th write. True where it died before the run was over.
fn dies_at(write: u32, torn: bool) -> bool {
    let case = format!("killed at write {write}{}", if torn { ", the last page torn" } else { "" });
    let workspace = workspace();
    let mut engine = engine_that_dies_at(&workspace, write);
    until_it_listens(&workspace, &mut engine);
    workspace.sculpt("run goal.yaml --detach").run().expect(0);
    until("the engine's death, or the run's end", || (engine.has_ended() || workspace.records().iter().any(is_end)).then_some(()));
    let died = engine.has_ended();
    // Where it died before the run was asked for, the command has brought the next one, and the file is in its hands.
    if died && torn && workspace.engine().is_none() {
        tear(&workspace);
    }
    workspace.sculpt("resume resume").run().expect(0);
    is_whole(&workspace, &case);
    died
}

fn is_end(record: &Value) -> bool {
    record["event"] == "run_ended"
}

/// Every n, some at once: most of the time of each is spent waiting.
fn at_every_write(torn: bool) {
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    if !require("the engine's death at every write", "strace that may trace", traced) {
        return;
    }
    let (next, last) = (AtomicU32::new(1), AtomicU32::new(WRITES));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let write = next.fetch_add(1, Ordering::Relaxed);
                    if write > last.load(Ordering::Relaxed) {
                        return;
                    }
                    if !dies_at(write, torn) {
                        last.fetch_min(write, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let last = last.into_inner();
    assert!(last > 50 && last < WRITES, "a whole run has {last} writes");
    println!("killed at each of {} writes", last - 1);
}

#[test]
fn an_engine_may_be_killed_at_every_write_of_its_journal() {
    at_every_write(false);
}

#[test]
fn an_engine_may_be_killed_at_every_write_and_its_last_page_be_torn() {
    at_every_write(true);
}

#[test]
fn an_engine_may_be_killed_at_any_time_and_again() {
    let kills: u64 = std::env::var("E2E_KILLS").map_or(20, |kills| kills.parse().expect("E2E_KILLS is a number"));
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for kill in 0..kills {
        let case = format!("kill {kill}");
        let workspace = workspace();
        let mut engine = engine(&workspace);
        until_it_listens(&workspace, &mut engine);
        workspace.sculpt("run goal.yaml --detach").run().expect(0);
        for _ in 0..2 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let more = workspace.records().len() + usize::try_from(random >> 58).unwrap();
            until("some more records, or the end", || {
                let records = workspace.records();
                (records.len() >= more || records.iter().any(is_end)).then_some(())
            });
            workspace.kill_the_engine();
            // Any command brings the next one.
            workspace.sculpt("status").run().expect(0);
        }
        workspace.sculpt("resume resume").run().expect(0);
        is_whole(&workspace, &case);
    }
}

#[test]
fn who_takes_down_what_a_killed_engine_left_begins_nothing_more() {
    for command in ["down chain", "stop chain"] {
        let mut phases = String::from("  p0: { run: sleep 0.2 }\n");
        for number in 1..40 {
            writeln!(phases, "  p{number}: {{ needs: [ p{} ], run: sleep 0.05 }}", number - 1).unwrap();
        }
        let workspace = Workspace::with_goal(&format!("version: \"1\"\nname: chain\nphases:\n{phases}"));
        let begun = || workspace.journal().count("attempt_started");
        let mut run = workspace.sculpt("run goal.yaml").start();
        until("three phases have begun", || (begun() >= 3).then_some(()));
        run.kill();
        run.wait();
        workspace.kill_the_supervisor();
        let before = begun();
        let ended = workspace.sculpt(command).run().expect(0);
        assert_eq!(begun(), before, "{command}: {}", ended.said());
        workspace.expect_nothing_alive(command);
    }
}
