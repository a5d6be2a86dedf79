//! {version 2, version 1, both, none} × {memory, cpus, pids, files}, each on a kernel of its own: what is declared is enforced, or it is said
//! not to be, before anything starts and after.

mod machine;

use machine::{Machine, SYSTEMD};
use serde_json::{Value, json};

/// Takes 140 MB where it may, and ends.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=140M count=1";

/// Until it has had half a second of processor time; then it writes how long that took.
const SPIN: &str = "read s _ < /proc/uptime; i=0; while [ $i -lt 50 ]; do j=0; while [ $j -lt 500 ]; do j=$((j+1)); done; \
                    read -r line < /proc/self/stat; set -- $line; i=$((${14} + ${15})); done; read e _ < /proc/uptime; echo \"$s $e\" > wall";

/// Writes what its group may swap: with version 1 beside its memory, with version 2 alone.
const SWAP: &str = "cat /sys/fs/cgroup/memory$(sed -n s/^[0-9]*:memory://p /proc/self/cgroup)/memory.memsw.limit_in_bytes \
                    /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.swap.max > swap || true";

/// Every limit, each of a phase of its own; one after the other, so that none takes the processor from another.
fn declared() -> String {
    format!(
        "version: \"1\"
name: it
concurrency: 1
phases:
  hog: {{ run: '{HOG}', limits: {{ memory: 64Mi }} }}
  bomb: {{ run: 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 86400 & done', limits: {{ pids: 6 }} }}
  spin: {{ run: '{SPIN}', limits: {{ cpus: 0.2 }} }}
  open: {{ run: 'ulimit -n > files', limits: {{ files: 77 }} }}
  swap: {{ run: '{SWAP}', limits: {{ memory: 64Mi }} }}
  serve:
    resources: {{ hog: {{ process: '{HOG} && touch whole && exec sleep 86400', scope: goal, limits: {{ memory: 64Mi }}, healthcheck: {{ exec: test -e whole, interval: 200ms, start_period: 1m }} }} }}
"
    )
}

/// The same for a goal as a whole.
fn whole() -> String {
    format!("version: \"1\"\nname: whole\nlimits: {{ memory: 64Mi }}\nphases:\n  hog: {{ run: '{HOG}' }}\n")
}

/// The hog beside a service.
fn unit() -> String {
    format!(
        "version: \"1\"\nname: unit\nphases:\n  serve: {{ resources: {{ it: {{ process: sleep 86400, scope: goal }} }} }}\n  \
         hog: {{ needs: [serve], run: '{HOG}', limits: {{ memory: 64Mi }} }}\n"
    )
}

/// What must be enforced or not begin at all.
const STRICT: &str = "version: \"1\"\nname: strict\nlimits: { memory: 64Mi, cpus: 1, pids: 64, files: 64, enforce: strict }\nphases:\n  one: { run: touch begun }\n";

const SCRIPT: &str = "
cd /it
step plan sculpt plan goal.yaml --json
step run sculpt run goal.yaml
step status sculpt status --json
step top sculpt top it --json
step journal cat .opensculpt/journal.jsonl
step wall cat wall
step files cat files
step swap cat swap
cd /whole
step whole sculpt run goal.yaml
step whole-status sculpt status --json
cd /strict
step strict sculpt run goal.yaml --once
step begun ls begun
";

/// Has everything that follows run in a group that is handed all controllers, beside the shell that runs it.
const CROWDED: &str = "
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/session
echo $$ >/sys/fs/cgroup/session/cgroup.procs
";

/// The same, and gives each workspace a supervisor that is alone in a group, as a service is.
const SERVICES: &str = "
for workspace in it whole strict; do
  mkdir /sys/fs/cgroup/$workspace
  sh -c \"echo 0 >/sys/fs/cgroup/$workspace/cgroup.procs; exec sculpt -C /$workspace supervise\" >/tmp/$workspace.said 2>&1 &
  until grep -q supervises /tmp/$workspace.said; do sleep 0.1; done
done
";

/// A service that may have half a processor, and what wants two of them.
const HALF: &str =
    "version: \"1\"\nname: half\nphases:\n  one: { resources: { it: { process: sleep 86400, scope: goal, limits: { cpus: 0.5 } } } }\n";
const TWO: &str = "version: \"1\"\nname: two\nphases:\n  one: { run: touch two, limits: { cpus: 2 } }\n";

/// Version 1 refuses a group more processors than the one around it has, which nobody has foreseen.
const REFUSED: &str = "
cd /refused
step half sculpt run half.yaml
echo 60000 >/sys/fs/cgroup/cpu,cpuacct/sculpt-$(cut -d' ' -f1 .opensculpt/id)/cpu.cfs_quota_us
step two sculpt run two.yaml
step two-status sculpt status two --json
step two-said sculpt status two
step two-journal cat .opensculpt/journal.jsonl
";

/// The unit that `service install` writes: started, killed while something lives that it has started, restarted and stopped.
const UNIT: &str = "
cd /unit
sculpt service install --system >/dev/null
unit=sculpt-$(cut -d' ' -f1 .opensculpt/id)
main() { systemctl show -p MainPID --value $unit; }
systemctl daemon-reload
step unit-start systemctl start $unit
step unit-run sculpt run goal.yaml
step unit-status sculpt status --json
killed=$(main)
kill -9 $killed
tries=0
until [ $(main) != $killed ] && [ $(systemctl is-active $unit) = active ] || [ $tries = 100 ]; do tries=$((tries + 1)); sleep 0.2; done
step unit-again systemctl status --no-pager $unit
step unit-other [ $(main) != $killed ]
step unit-plan sculpt plan goal.yaml --json
step unit-restart systemctl restart $unit
step unit-lives sculpt status --json
step unit-stop systemctl stop $unit
step unit-down sculpt down unit
";

/// Boots a layout and runs all of it there, after these words.
fn boot(layout: &str, before: &str, after: &str) -> Option<Machine> {
    let (declared, whole, unit) = (declared(), whole(), unit());
    let files = [
        ("it/goal.yaml", declared.as_str()),
        ("whole/goal.yaml", whole.as_str()),
        ("strict/goal.yaml", STRICT),
        ("refused/half.yaml", HALF),
        ("refused/two.yaml", TWO),
        ("unit/goal.yaml", &unit),
    ];
    Machine::boot(&format!("a host with control groups: {layout}"), layout, &files, &format!("{before}{SCRIPT}{after}"))
}

fn phase<'s>(status: &'s Value, name: &str) -> &'s Value {
    let phases = status["goals"][0]["phases"].as_array().unwrap();
    phases.iter().find(|phase| phase["name"] == name).unwrap_or_else(|| panic!("no phase {name} in {status}"))
}

/// How a phase's command ended, as the journal has it.
fn exit(machine: &Machine, phase: &str) -> Value {
    let records: Vec<Value> =
        machine.step("journal").said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["rec"].take()).collect();
    let asked =
        |record: &&Value| record["event"] == "requested" && record["effect"]["do"] == "work" && record["owner"] == format!("it/{phase}");
    let id = &records.iter().find(asked).unwrap_or_else(|| panic!("{phase} was never begun"))["id"];
    let seen = records.iter().find(|record| record["event"] == "observed" && record["id"] == *id && record["seen"]["saw"] == "exited");
    seen.unwrap_or_else(|| panic!("nobody saw the end of {phase}: {records:#?}"))["seen"].clone()
}

/// How long the phase that spins took, and how much processor time it had, in seconds.
fn share(machine: &Machine) -> f64 {
    let wall: Vec<f64> = machine.step("wall").said.split_whitespace().map(|time| time.parse().unwrap()).collect();
    0.5 / (wall[1] - wall[0])
}

/// What holds on every layout: open files need no group.
fn expect_files(machine: &Machine) {
    assert_eq!(machine.step("files").said.trim(), "77");
}

/// All limits are enforced, by the word of the plan and in deed.
fn expect_enforced(machine: &Machine, mechanism: &str) {
    let plan = machine.step("plan").expect(0).json();
    assert_eq!(plan["host"]["mechanism"], mechanism);
    assert_eq!(plan["host"]["enforceable"], json!(["memory", "cpus", "pids"]));
    machine.step("run").expect(1);
    let status = machine.step("status").json();
    assert_eq!(status["goals"][0]["unenforced"], json!([]));
    for (name, subject) in [("hog", "killed"), ("serve", "hog was killed")] {
        let hog = phase(&status, name);
        assert_eq!(hog["fault"], "out-of-memory", "{hog}");
        let why = hog["why"].as_str().unwrap();
        assert!(why.starts_with(&format!("{subject} for want of memory: its limit is 64Mi, its peak was 64Mi")), "{why}");
    }
    let bomb = phase(&status, "bomb");
    let left = exit(machine, "bomb")["leftovers"].as_u64().unwrap();
    assert!(bomb["fault"] == "work-failed" && (1..=5).contains(&left), "{left} beside the shell: {bomb}");
    assert!(share(machine) < 0.4, "{} of a processor is twice what it may have", share(machine));
    assert!(exit(machine, "spin")["usage"]["cpu_ms"].as_u64().unwrap() >= 400, "{}", exit(machine, "spin"));
    expect_files(machine);
    machine.step("whole").expect(1);
    let whole = machine.step("whole-status").json();
    let hog = phase(&whole, "hog");
    assert!(hog["why"].as_str().unwrap().contains("the limit of its goal is 64Mi"), "{hog}");
    machine.step("strict").expect(0);
    machine.step("begun").expect(0);
}

/// What the kernel refuses when it is set is said of the run as if it had been foreseen, and why.
fn expect_refusal_said(machine: &Machine) {
    machine.step("half").expect(0);
    machine.step("two").expect(0);
    let missed = json!([{ "owner": "two/one", "limits": ["cpus"] }]);
    assert_eq!(machine.step("two-status").json()["goals"][0]["unenforced"], missed);
    let said = &machine.step("two-said").said;
    assert!(said.contains("not enforced on this host: cpus of two/one"), "{said}");
    let journal = &machine.step("two-journal").said;
    let why = journal.lines().find(|line| line.contains("\"saw\":\"unenforced\"")).expect("a record of the refusal");
    assert!(why.contains("failed to write 200000 to"), "{why}");
}

/// No limit is enforced, which is said before anything starts and after; what must be enforced does not begin.
fn expect_unenforced(machine: &Machine) {
    let plan = machine.step("plan").expect(0).json();
    assert_eq!(plan["host"]["enforceable"], json!([]));
    let status = machine.step("status").json();
    let missed = [("it/hog", "memory"), ("it/bomb", "pids"), ("it/spin", "cpus"), ("it/swap", "memory"), ("it/serve/hog", "memory")];
    let missed: Vec<Value> = missed.iter().map(|(owner, limit)| json!({ "owner": owner, "limits": [limit] })).collect();
    assert_eq!(status["goals"][0]["unenforced"], json!(missed), "{status}");
    assert_eq!(phase(&status, "hog")["outcome"], "unverified");
    assert_eq!(exit(machine, "bomb")["leftovers"], 12);
    expect_files(machine);
    machine.step("whole").expect(0);
    let strict = machine.step("strict").expect(1);
    assert!(strict.said.contains("memory, cpus, pids") && strict.said.contains("enforce: best-effort"), "{}", strict.said);
    machine.step("begun").expect(1);
}

#[test]
fn version_2_alone_enforces_all_of_them() {
    let Some(machine) = boot("v2", "", "") else { return };
    expect_enforced(&machine, "control groups (version 2)");
    assert_eq!(machine.step("swap").said.trim(), "0");
}

#[test]
fn version_2_enforces_them_where_the_supervisor_is_alone_in_a_group() {
    let Some(machine) = boot("v2", &[CROWDED, SERVICES].concat(), "") else { return };
    expect_enforced(&machine, "control groups (version 2)");
}

#[test]
fn version_2_enforces_none_where_others_are_in_the_group_and_says_how_it_would() {
    let Some(machine) = boot("v2", CROWDED, "") else { return };
    expect_unenforced(&machine);
    let plan = machine.step("plan").json();
    assert_eq!(plan["host"]["mechanism"], "control groups (version 2)");
    let gaps = plan["host"]["gaps"].to_string();
    assert!(gaps.contains("a delegated control group in which the engine is alone"), "{gaps}");
}

#[test]
fn systemd_gives_a_supervisor_in_the_background_a_group_in_which_all_of_them_are_enforced() {
    let Some(machine) = boot(SYSTEMD, "", UNIT) else { return };
    expect_enforced(&machine, "control groups (version 2)");
    machine.step("unit-start").expect(0);
    machine.step("unit-run").expect(1);
    let status = machine.step("unit-status").json();
    assert_eq!(phase(&status, "hog")["fault"], "out-of-memory", "{status}");
    let pid = |status: &Value| status["goals"][0]["resources"][0]["pid"].as_u64().unwrap();
    machine.step("unit-again").expect(0);
    machine.step("unit-other").expect(0);
    assert_eq!(machine.step("unit-plan").expect(0).json()["host"]["enforceable"], json!(["memory", "cpus", "pids"]));
    machine.step("unit-restart").expect(0);
    let lives = machine.step("unit-lives").json();
    assert_eq!((pid(&lives), &lives["goals"][0]["resources"][0]["state"]), (pid(&status), &json!("ready")), "{lives}");
    machine.step("unit-stop").expect(0);
    machine.step("unit-down").expect(0);
}

#[test]
fn version_1_alone_enforces_all_of_them() {
    let Some(machine) = boot("v1", "", REFUSED) else { return };
    expect_enforced(&machine, "control groups (version 1)");
    assert_eq!(machine.step("swap").said.trim(), "67108864");
    expect_refusal_said(&machine);
}

#[test]
fn version_1_beside_version_2_enforces_all_of_them() {
    let Some(machine) = boot("hybrid", "", "") else { return };
    expect_enforced(&machine, "control groups (version 2)");
}

#[test]
fn without_control_groups_it_is_said_that_none_is_enforced() {
    let Some(machine) = boot("none", "", "") else { return };
    expect_unenforced(&machine);
}
