//! The massacre rehearsed: ten goals at once, each with five children that take all the memory that they can have. What the workspace lets
//! them use is all they get, whoever else is on the host lives on, every goal ends in a stated outcome, and nothing is left.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use opensculpt::kernel::admission::room;
use serde_json::{Value, json};

use crate::docker::fixture::IMAGE;
use crate::docker::left::{expect_nothing_in_docker, there_is_docker};
use crate::part::require;
use crate::world::bystander::Bystander;
use crate::world::deadline::until;
use crate::world::table;
use crate::world::workspace::Workspace;

const MIB: u64 = 1 << 20;

/// What all goals together may use: so little that no host is in danger.
const WHOLE: u64 = 768 * MIB;

/// What each of them may use. All of them together would be more than the whole.
const EACH: u64 = 128 * MIB;

const GOALS: usize = 10;

/// Five children that take memory until they may have no more.
const CHILDREN: &str = "for child in 1 2 3 4 5; do tail /dev/zero & done";

/// The same as containers, which would live on. One that has no memory to begin with does not begin.
const CONTAINERS: &str = "for child in 1 2 3 4 5; do docker run -d IMAGE tail /dev/zero || true; done";

/// A workspace that lets its goals use so much, with a service in it that holds its groups for us to read. None where nothing is enforced.
fn fenced(part: &str) -> Option<Workspace> {
    let workspace = Workspace::with_goal(
        "version: \"1\"\nname: it\nphases: { one: { resources: { holder: { process: 'exec sleep 86400.MARK', scope: goal } } } }\n",
    );
    workspace.write(".opensculpt/config.yaml", &format!("limits: {{ memory: {WHOLE}, goal_memory: {EACH} }}\n"));
    let plan = workspace.sculpt("plan goal.yaml --json").run().expect(0).json();
    let there = plan["host"]["enforceable"].as_array().unwrap().contains(&json!("memory"));
    require(part, "control groups that limit memory", there).then(|| {
        workspace.sculpt("run goal.yaml").run().expect(0);
        workspace
    })
}

/// A figure of the workspace's own group, in whichever version of control groups limits memory here.
fn figure(workspace: &Workspace, files: [&str; 2]) -> u64 {
    let groups: Vec<PathBuf> = table::groups(&format!("sculpt-{}", workspace.id().unwrap()));
    let texts = groups.iter().flat_map(|group| files.map(|file| fs::read_to_string(group.join(file))));
    let mut figures = texts.filter_map(|text| text.ok()?.trim().parse().ok());
    figures.next().unwrap_or_else(|| panic!("none of {groups:?} has {files:?}"))
}

/// A figure of this host, in bytes.
fn host(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Looks at the host's free memory all the time, until it is asked for the least that it saw.
struct Watch(Arc<AtomicBool>, JoinHandle<u64>);

impl Watch {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let looks = std::thread::spawn(move || {
            let mut least = u64::MAX;
            while !ends.load(Ordering::Relaxed) {
                least = least.min(host("MemAvailable"));
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            least
        });
        Self(over, looks)
    }

    fn least(self) -> u64 {
        self.0.store(true, Ordering::Relaxed);
        self.1.join().unwrap()
    }
}

/// Ten goals at once that each start five hungry children and do not wait for them.
#[test]
fn ten_hungry_goals_cannot_take_the_machine() {
    for (part, run) in [("and exit", CHILDREN.to_owned()), ("and wait", format!("{CHILDREN}; wait; echo fed"))] {
        let Some(workspace) = fenced(&format!("ten goals that start hungry children {part}")) else { return };
        // Those that nobody waits for are ended with their command, and may not have had the time to take much.
        let taken = if run == CHILDREN { 0 } else { EACH / 2 };
        rehearse(&workspace, &format!("run: '{run}'"), taken, "down --all");
    }
}

/// The same with containers that a shell starts and leaves behind; they may stay, so that nobody but the goal's end ends them.
#[test]
fn ten_goals_of_hungry_containers_cannot_take_the_machine() {
    let part = "ten goals of hungry containers";
    if !there_is_docker(part) {
        return;
    }
    let Some(workspace) = fenced(part) else { return };
    let phase = format!("capabilities: {{ docker: [ keep ] }}, run: '{}'", CONTAINERS.replace("IMAGE", IMAGE));
    rehearse(&workspace, &phase, EACH / 2, "down --all --volumes");
    expect_nothing_in_docker(&workspace, part);
}

fn rehearse(workspace: &Workspace, phase: &str, taken: u64, down: &str) {
    let mut bystanders = Bystander::all(workspace);
    assert_eq!(figure(workspace, ["memory.max", "memory.limit_in_bytes"]), WHOLE);
    // What the engine keeps free on a host of this size: see `admission::room`.
    let total = host("MemTotal");
    let reserve = total - room(total, None);
    let watch = Watch::begin();
    for index in 0..GOALS {
        let text = format!("version: \"1\"\nname: hungry{index}\nphases: {{ eat: {{ {phase} }} }}\n");
        workspace.write(&format!("hungry{index}.yaml"), &text);
        workspace.sculpt(&format!("run hungry{index}.yaml --detach")).run();
    }
    let goals = until("every goal to end", || {
        let status = workspace.sculpt("status --json").run().expect(0).json();
        let goals: Vec<Value> = status["goals"].as_array().unwrap().iter().filter(|goal| goal["name"] != "it").cloned().collect();
        let ended = goals.iter().filter(|goal| !goal["ended"].is_null()).count();
        (ended == GOALS).then_some(goals)
    });
    for goal in &goals {
        let outcome = goal["outcome"].as_str().unwrap();
        assert!(["unverified", "failed"].contains(&outcome), "{goal}");
        assert!(outcome == "unverified" || goal["phases"][0]["fault"] == "out-of-memory", "{goal}");
    }
    let peak = figure(workspace, ["memory.peak", "memory.max_usage_in_bytes"]);
    // The kernel lets whoever it ends have the last pages that this takes.
    assert!(peak <= WHOLE + MIB, "{peak} of {WHOLE} were used");
    assert!(peak > taken, "nobody was hungry: {peak}");
    let least = watch.least();
    assert!(least > reserve, "the host had {least} left, {reserve} are to be free");
    println!("{GOALS} goals: the peak of all was {} MiB of {}, the host had at least {} MiB free", peak / MIB, WHOLE / MIB, least / MIB);
    assert!(bystanders.iter_mut().all(Bystander::untouched), "a bystander was touched");
    assert_eq!(workspace.sleepers(), 1, "what behaves lives on");
    workspace.sculpt(down).run().expect(0);
    workspace.expect_nothing_alive("ten hungry goals");
    assert!(bystanders.iter_mut().all(Bystander::untouched), "a bystander was touched");
}

#[test]
fn who_is_killed_by_a_default_limit_is_told_so() {
    let Some(workspace) = fenced("the default limit of a goal") else { return };
    workspace.write("hog.yaml", "version: \"1\"\nname: hog\nphases: { hog: { run: 'exec tail /dev/zero' }, well: { run: 'true', needs: { hog: { when: finished } } } }\n");
    workspace.sculpt("run hog.yaml").run().expect(1);
    let status = workspace.sculpt("status hog --json").run().expect(0).json();
    let hog = &status["goals"][0]["phases"][0];
    assert_eq!(hog["fault"], "out-of-memory", "{hog}");
    let why = hog["why"].as_str().unwrap();
    assert!(why.starts_with("killed for want of memory: the default limit of its goal, `goal_memory` in config.yaml, is 128Mi"), "{why}");
    assert_eq!(status["goals"][0]["phases"][1]["outcome"], "unverified");
    workspace.sculpt("down --all").run().expect(0);
    workspace.expect_nothing_alive("a hog under a default limit");
}

#[test]
fn what_waits_for_memory_says_so_and_goes_on_when_a_service_goes_down() {
    let workspace = Workspace::with_goal(
        "version: \"1\"\nname: it\nphases: { serve: { resources: { db: { process: 'exec sleep 86400.MARK', scope: goal, limits: { memory: 48Mi } } } } }\n",
    );
    workspace.write(".opensculpt/config.yaml", "limits: { memory: 64Mi }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.write("late.yaml", "version: \"1\"\nname: late\nphases: { late: { run: 'true', limits: { memory: 32Mi } } }\n");
    workspace.sculpt("run late.yaml --detach").run();
    let waits = || {
        let status = workspace.sculpt("status --json").run().expect(0).json();
        (status["memory"]["waiting"] == json!(["late/late"])).then_some(status)
    };
    let status = until("it to wait", waits);
    assert_eq!((&status["memory"]["room"], &status["memory"]["promised"]), (&json!(64 * MIB), &json!(48 * MIB)), "{status}");
    let told = workspace.sculpt("why late/late").run().expect(0).out;
    assert!(told.contains("late/late could start, and waits for 32Mi of memory: 48Mi of 64Mi are promised: it/serve/db 48Mi"), "{told}");
    workspace.sculpt("down it").run().expect(0);
    let ended = || {
        let status = workspace.sculpt("status late --json").run().expect(0).json();
        (!status["goals"][0]["ended"].is_null()).then_some(status)
    };
    assert_eq!(until("it to end", ended)["goals"][0]["outcome"], "unverified");
    // What can never fit is refused before anything starts, by `plan` too.
    workspace.write("late.yaml", "version: \"1\"\nname: late\nphases: { late: { run: 'true', limits: { memory: 65Mi } } }\n");
    for words in ["plan late.yaml", "run late.yaml"] {
        let refused = workspace.sculpt(words).run().expect(1);
        assert!(
            refused.err.contains("late/late: it declares 65Mi of memory, and only 64Mi may be promised here"),
            "{words}: {}",
            refused.err
        );
    }
    workspace.sculpt("down --all").run().expect(0);
    workspace.expect_nothing_alive("what waited for memory");
}
