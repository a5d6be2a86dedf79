//! Limits that are really exceeded: what is declared is enforced, or said not to be; want of memory is named; what was used is measured.

use serde_json::{Value, json};

use crate::ordinary_user;
use crate::part::{require, require_root};
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

/// Takes memory until it may have no more.
const HOG: &str = "exec tail /dev/zero";

fn goal(text: &str) -> Workspace {
    Workspace::with_goal(&format!("version: \"1\"\nname: it\n{text}"))
}

/// Whether this host lets us limit that, by the word of `plan`.
fn can_limit(part: &str, limit: &str) -> bool {
    let workspace = goal("phases:\n  one: { run: \"true\" }\n");
    let plan = workspace.sculpt("plan goal.yaml --json").run().expect(0).json();
    let there = plan["host"]["enforceable"].as_array().unwrap().contains(&json!(limit));
    require(part, &format!("control groups that limit {limit}"), there)
}

fn phase(workspace: &Workspace, index: usize) -> Value {
    workspace.sculpt("status --json").run().expect(0).json()["goals"][0]["phases"][index].clone()
}

/// What was seen of the ends of processes, as the journal has it, oldest first.
fn exits(workspace: &Workspace) -> Vec<Value> {
    let journal = workspace.journal();
    journal.of("observed").map(|record| record["seen"].clone()).filter(|seen| seen["saw"] == "exited").collect()
}

const MIB: u64 = 1 << 20;

#[test]
fn a_phase_that_wants_too_much_memory_is_ended_and_why_says_so() {
    if !can_limit("memory of a phase", "memory") {
        return;
    }
    let workspace = goal(&format!("phases:\n  hog: {{ run: \"{HOG}\", limits: {{ memory: 64Mi }} }}\n"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    let hog = phase(&workspace, 0);
    assert_eq!(hog["fault"], "out-of-memory", "{hog}");
    let why = hog["why"].as_str().unwrap();
    assert!(why.starts_with("killed for want of memory: its limit is 64Mi, its peak was 64Mi"), "{why}");
    let told = workspace.sculpt("why it/hog").run().expect(0).out;
    assert!(told.contains("killed for want of memory: its limit is 64Mi") && told.contains("raise `limits: { memory: … }`"), "{told}");
    let usage = &exits(&workspace)[0]["usage"];
    let peak = usage["peak_memory"].as_u64().unwrap();
    assert!((60 * MIB..=64 * MIB).contains(&peak) && usage["oom_kills"] == 1, "{usage}");
    workspace.expect_nothing_alive("a hog");
}

#[test]
fn want_of_memory_is_seen_behind_a_shell_too_and_is_what_is_retried() {
    if !can_limit("memory of a phase's children", "memory") {
        return;
    }
    let workspace = goal(
        "phases:
  hog: { run: 'if [ $SCULPT_ATTEMPT = 1 ]; then tail /dev/zero; fi; echo well', retry: { attempts: 2, backoff: { initial: 1ms } }, limits: { memory: 48Mi } }
",
    );
    workspace.sculpt("run goal.yaml").run().expect(0);
    let failed = workspace.journal().of("attempt_failed").next().unwrap().clone();
    assert_eq!(failed["fault"], "out-of-memory", "{failed}");
    // The next attempt has not used what the one before it has.
    let usage: Vec<Value> = exits(&workspace).iter().map(|exit| exit["usage"].clone()).collect();
    assert_eq!((usage[0]["oom_kills"].as_u64(), usage[1]["oom_kills"].as_u64()), (Some(1), None), "{usage:?}");
    assert!(usage[1]["peak_memory"].as_u64().unwrap() < 40 * MIB, "{usage:?}");
    let top = workspace.sculpt("top it --json").run().expect(0).json();
    let attempts: Vec<u64> = top["places"].as_array().unwrap().iter().map(|place| place["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2], "{top}");
    assert!(top["places"].as_array().unwrap().iter().all(|place| place["live"] == false && place["limits"]["memory"] == "48Mi"));
}

#[test]
fn the_limit_of_a_goal_holds_for_all_of_it_and_names_whom_it_has_hit() {
    if !can_limit("memory of a goal", "memory") {
        return;
    }
    let workspace = goal(&format!("limits: {{ memory: 64Mi }}\nphases:\n  small: {{ run: \"true\" }}\n  hog: {{ run: \"{HOG}\" }}\n"));
    workspace.sculpt("run goal.yaml").run().expect(1);
    assert_eq!(phase(&workspace, 0)["outcome"], "unverified");
    let hog = phase(&workspace, 1);
    assert!(hog["why"].as_str().unwrap().contains("the limit of its goal is 64Mi"), "{hog}");
    workspace.expect_nothing_alive("a hog in a goal with a limit");
}

#[test]
fn a_service_that_wants_too_much_memory_is_ended_and_its_phase_says_why() {
    if !can_limit("memory of a service", "memory") {
        return;
    }
    let workspace = goal(&format!(
        "phases:
  serve:
    resources: {{ hog: {{ process: \"{HOG}\", scope: goal, limits: {{ memory: 64Mi }}, healthcheck: {{ exec: \"false\", interval: 10m }} }} }}
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(1);
    let serve = phase(&workspace, 0);
    assert_eq!(serve["fault"], "out-of-memory", "{serve}");
    assert!(serve["why"].as_str().unwrap().contains("hog was killed for want of memory: its limit is 64Mi"), "{serve}");
    let told = workspace.sculpt("why it/serve/hog").run().expect(0).out;
    assert!(told.contains("killed for want of memory: its limit is 64Mi"), "{told}");
}

#[test]
fn processes_are_bounded_by_phase_and_by_service() {
    if !can_limit("numbers of processes", "pids") {
        return;
    }
    // The shell that cannot start one more ends; what it had started by then is ended with it.
    let fork = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 86400.MARK & done";
    let workspace = goal(&format!(
        "phases:
  bomb: {{ run: \"{fork}\", limits: {{ pids: 6 }} }}
  serve:
    needs: {{ bomb: {{ when: finished }} }}
    resources: {{ bomb: {{ process: \"{fork}; wait\", scope: goal, limits: {{ pids: 6 }} }} }}
"
    ));
    workspace.sculpt("run goal.yaml").run().expect(1);
    let bomb = phase(&workspace, 0);
    assert_eq!((bomb["outcome"].as_str(), bomb["fault"].as_str()), (Some("failed"), Some("work-failed")), "{bomb}");
    let both = || Some(exits(&workspace)).filter(|exits| exits.len() == 2);
    for exit in until("both to end", both) {
        let left = exit["leftovers"].as_u64().unwrap();
        assert!((1..=5).contains(&left), "{left} beside the shell: {exit}");
    }
    workspace.sculpt("down it").run().expect(0);
    workspace.expect_nothing_alive("fork bombs");
}

#[test]
fn processors_are_limited() {
    if !can_limit("processor time", "cpus") {
        return;
    }
    // Until it has had half a second of processor time by its own count: with a fifth of a processor that takes two and a half.
    let spin = "'read s _ < /proc/uptime; i=0; while [ $i -lt 60 ]; do i=0; j=0; while [ $j -lt 2000 ]; do j=$((j+1)); done; read -r line < /proc/self/stat; \
                set -- $line; i=$((${14} + ${15})); done; read e _ < /proc/uptime; echo \"$s $e\" > ROOT/wall'";
    let workspace = goal(&format!("phases:\n  spin: {{ run: {spin}, limits: {{ cpus: 0.2 }} }}\n"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let text = workspace.read("wall");
    let times: Vec<f64> = text.split_whitespace().map(|time| time.parse().unwrap()).collect();
    let wall = times[1] - times[0];
    let cpu = exits(&workspace)[0]["usage"]["cpu_ms"].as_u64().unwrap();
    assert!(cpu >= 400, "{cpu} ms were counted");
    #[expect(clippy::cast_precision_loss, reason = "a few milliseconds")]
    let share = cpu as f64 / 1000.0 / wall;
    // A busy machine gives less; twice as much as it may have would be no limit.
    assert!(share < 0.4, "{cpu} ms in {wall} s");
}

/// What `ulimit -n` says in a phase, in one with a limit of its own, in a child of its child, and in a service.
fn open_files(workspace: &Workspace) -> [String; 4] {
    ["goal", "own", "child", "service"].map(|file| workspace.read(file).trim().to_owned())
}

const FILES: &str = "limits: { files: 99 }
phases:
  whole: { run: ulimit -n > ROOT/goal }
  one:
    limits: { files: 77 }
    run: ulimit -n > ROOT/own; sh -c 'sh -c \"ulimit -Hn\"' > ROOT/child; ! sh -c 'ulimit -n 100000000' 2> ROOT/refused
  serve:
    resources: { it: { process: ulimit -n > ROOT/service; exec sleep 86400.MARK, limits: { files: 55 } } }
    run: while ! [ -s ROOT/service ]; do :; done
";

#[test]
fn open_files_are_limited_everywhere() {
    let workspace = goal(FILES);
    workspace.sculpt("run goal.yaml").run().expect(0);
    assert_eq!(open_files(&workspace), ["99", "77", "77", "55"]);
    workspace.expect_nothing_alive("open files");
}

/// `sculpt` as nobody, who may write no control group, on a copy of the program and in a workspace of its own.
fn as_nobody(folder: &tempfile::TempDir, text: &str, words: &str) -> std::process::Output {
    let text = text.replace("ROOT", &folder.path().display().to_string()).replace("MARK", "1");
    std::fs::write(folder.path().join("goal.yaml"), format!("version: \"1\"\nname: it\n{text}")).unwrap();
    ordinary_user::as_nobody(folder).arg(folder.path().join("sculpt")).args(words.split_whitespace()).output().unwrap()
}

#[test]
fn open_files_and_figures_need_no_control_groups() {
    if !require_root("limits of an ordinary user") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = as_nobody(&folder, FILES, "run goal.yaml --once");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let said = ["goal", "own", "child", "service"].map(|file| std::fs::read_to_string(folder.path().join(file)).unwrap().trim().to_owned());
    assert_eq!(said, ["99", "77", "77", "55"]);
    // Without a controller the command itself is measured, and that is said.
    let big = "phases:\n  big: { run: \"head -c 100000000 /dev/zero | tail -c 90000000 > ROOT/big\" }\n";
    assert!(as_nobody(&folder, big, "run goal.yaml").status.success());
    let top: Value = serde_json::from_slice(&as_nobody(&folder, big, "top it --json").stdout).unwrap();
    let big = &top["places"][0];
    assert!(big["peak_memory"].as_u64().unwrap() > 80 * MIB && big["largest_process"] == true && big["cpu_ms"].is_u64(), "{top}");
}

#[test]
fn strict_is_refused_before_anything_starts_where_the_host_cannot() {
    if !require_root("limits of an ordinary user") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let strict = "phases:\n  first: { run: touch ROOT/begun }\n  one: { needs: [first], run: \"true\", limits: { memory: 64Mi, pids: 9, enforce: strict } }\n";
    for words in ["plan goal.yaml", "run goal.yaml", "plan goal.yaml --out saved.plan"] {
        let refused = as_nobody(&folder, strict, words);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{words}: {said}");
        assert!(said.contains("it/one") && said.contains("memory, pids") && said.contains("enforce: best-effort"), "{words}: {said}");
    }
    assert!(!folder.path().join("begun").exists() && !folder.path().join("saved.plan").exists());
    // The same, wanted as far as it goes: it runs, and the plan, the record and the status say what it goes without.
    let wished = strict.replace(", enforce: strict", "");
    let plan = as_nobody(&folder, &wished, "plan goal.yaml");
    assert!(plan.status.success() && String::from_utf8_lossy(&plan.stdout).contains("not enforced: memory, pids"));
    assert!(as_nobody(&folder, &wished, "run goal.yaml").status.success());
    let status: Value = serde_json::from_slice(&as_nobody(&folder, &wished, "status --json").stdout).unwrap();
    assert_eq!(status["goals"][0]["unenforced"], json!([{ "owner": "it/one", "limits": ["memory", "pids"] }]));
    let told = as_nobody(&folder, &wished, "status");
    assert!(String::from_utf8_lossy(&told.stdout).contains("not enforced on this host: memory, pids of it/one"));
    // The place that the limits are declared at is one that can hold everything else: open files alone are no reason to refuse.
    let files = strict.replace("memory: 64Mi, pids: 9", "files: 64");
    assert!(as_nobody(&folder, &files, "run goal.yaml").status.success());
}

#[test]
fn top_shows_what_lives_and_its_limits() {
    let workspace = goal(
        "phases:
  serve:
    resources: { it: { process: 'exec sleep 86400.MARK', scope: goal, limits: { files: 64 } } }
",
    );
    assert!(workspace.sculpt("top").run().expect(0).out.contains("nothing runs"));
    workspace.sculpt("run goal.yaml").run().expect(0);
    let top = workspace.sculpt("top --json").run().expect(0).json();
    let it = &top["places"][0];
    assert_eq!((it["owner"].as_str(), it["live"].as_bool(), it["processes"].as_u64()), (Some("it/serve/it"), Some(true), Some(1)), "{top}");
    assert!(it["memory"].as_u64().unwrap() > 0 && it["cpu_ms"].is_u64() && it["limits"]["files"] == 64, "{top}");
    let table = workspace.sculpt("top").run().expect(0).out;
    assert!(table.starts_with("PLACE") && table.contains("it/serve/it") && table.contains("64 files"), "{table}");
    workspace.sculpt("down it").run().expect(0);
    let ended = workspace.sculpt("top it --json").run().expect(0).json();
    assert_eq!((ended["places"][0]["live"].as_bool(), &ended["places"][0]["memory"]), (Some(false), &Value::Null), "{ended}");
    workspace.expect_nothing_alive("top");
}
