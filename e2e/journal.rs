//! What is written is what happened, whatever becomes of the engine and the disk.

use std::fmt::Write as _;
use std::process::Command;

use crate::part::require_root;
use crate::world::deadline::until;
use crate::world::workspace::Workspace;

const JOURNAL: &str = ".opensculpt/journal.jsonl";

#[test]
fn one_flipped_bit_is_found_wherever_it_is() {
    let workspace =
        Workspace::with_goal("version: \"1\"\nname: it\nphases:\n  one: { run: touch made, verify: { checks: [ { file: made } ] } }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    workspace.sculpt("audit verify").run().expect(0);
    let path = workspace.path(JOURNAL);
    let whole = std::fs::read(&path).unwrap();
    // Every 67th byte, and the end, where a torn line could be taken for the flaw.
    let places = (0..whole.len()).filter(|place| place % 67 == 0 || place + 4 > whole.len());
    for place in places {
        let mut flawed = whole.clone();
        flawed[place] ^= 1;
        std::fs::write(&path, &flawed).unwrap();
        let ended = workspace.sculpt("audit verify").run();
        assert_eq!(ended.code, 1, "byte {place} of {}: {}", whole.len(), ended.said());
    }
    let flawed: Vec<u8> = whole.iter().enumerate().map(|(place, byte)| if place == whole.len() / 2 { byte ^ 1 } else { *byte }).collect();
    std::fs::write(&path, flawed).unwrap();
    workspace.sculpt("run goal.yaml").run().expect(1);
    std::fs::write(&path, whole).unwrap();
    workspace.sculpt("audit verify").run().expect(0);
}

#[test]
fn records_that_are_cut_off_are_missed() {
    let workspace = Workspace::with_goal("version: \"1\"\nname: it\nphases:\n  one: { run: \"true\" }\n");
    workspace.sculpt("run goal.yaml").run().expect(0);
    let text = workspace.read(JOURNAL);
    let kept: Vec<&str> = text.split_inclusive('\n').collect();
    std::fs::write(workspace.path(JOURNAL), kept[..kept.len() - 1].concat()).unwrap();
    workspace.sculpt("audit verify").run().expect(1);
}

const LONG: &str = "
version: \"1\"
name: long
phases:
  work: { run: echo up > ROOT/up; exec sleep 86400.MARK }
";

#[test]
fn a_second_engine_is_refused_and_told_who_is_at_work() {
    let workspace = Workspace::with_goal(LONG);
    let mut first = workspace.sculpt("run goal.yaml").start();
    workspace.until_written("up");
    let before = workspace.journal().count("engine_started");
    let engine = workspace.supervisor().expect("a supervisor");
    let second = workspace.sculpt("supervise").run().expect(1);
    assert!(second.err.contains(&engine.to_string()) && second.err.contains("`--replace` lets another one take over"), "{}", second.err);
    assert_eq!(workspace.journal().count("engine_started"), before);
    // To look is allowed at any time.
    assert_eq!(workspace.phase("work")["state"], "running");
    assert_eq!(workspace.ps()["work"][0]["owner"], "long/work");
    first.interrupt();
    first.wait().expect(130);
    workspace.expect_nothing_alive("two engines");
}

/// Work with somebody who escaped from it, beside a service; on a second attempt it ends well.
const ABANDONED: &str = "
version: \"1\"
name: long
phases:
  serve:
    resources: { it: { process: { run: [ sleep, \"86400.MARK\" ] }, scope: goal } }
  work:
    needs: [serve]
    resources: { beside: { process: { run: [ sleep, \"86400.MARK\" ] } } }
    run: |
      if [ -e ROOT/up ]; then exit 0; fi
      ( ( env -i /usr/bin/setsid sleep 86400.MARK & ) & )
      echo up > ROOT/up
      exec sleep 86400.MARK
";

fn abandoned() -> Workspace {
    let workspace = Workspace::with_goal(ABANDONED);
    let mut run = workspace.sculpt("run goal.yaml").start();
    let all = || (workspace.sleepers() == 4).then_some(());
    until("everybody to sleep", all);
    // The client first: it would start the next engine.
    run.kill();
    assert_eq!(run.wait().code, -9);
    workspace.kill_the_supervisor();
    assert_eq!(workspace.sleepers(), 4, "a dead engine breaks no child: {:#?}", workspace.alive());
    workspace
}

#[test]
fn what_a_killed_engine_left_is_shown_and_taken_down() {
    let workspace = abandoned();
    workspace.status();
    workspace.sculpt("audit verify").run().expect(0);
    workspace.sculpt("down long").run().expect(0);
    workspace.expect_nothing_alive("down after kill -9");
}

#[test]
fn what_a_killed_engine_left_at_work_goes_on_with_the_next_run_and_is_begun_once() {
    let workspace = abandoned();
    let run = workspace.sculpt("run goal.yaml").start();
    until("the next engine to adopt all of it", || (workspace.journal().count("adopted") == 3).then_some(()));
    until("the run to attach", || run.err().contains("long.1 is under way").then_some(()));
    assert_eq!(workspace.sleepers(), 4, "{:#?}", workspace.alive());
    assert_eq!(workspace.journal().count("run_started"), 1);
    workspace.sculpt("stop long").run().expect(0);
    run.wait().expect(130);
    workspace.sculpt("down long").run().expect(0);
    workspace.expect_nothing_alive("down after a second run");
}

#[test]
fn an_engine_that_is_killed_at_any_record_leaves_nobody_after_down() {
    let mut phases = String::new();
    for number in 0..8 {
        let scope = if number % 2 == 0 { "goal" } else { "phase" };
        write!(
            phases,
            "  p{number}:
    resources: {{ it: {{ process: {{ run: [ sleep, \"86400.MARK\" ] }}, scope: {scope} }} }}
    run: env -i /usr/bin/setsid sleep 86400.MARK & sleep 0.02\n"
        )
        .unwrap();
    }
    let rounds: u32 = std::env::var("E2E_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    for record in (4..60).step_by(if rounds > 1 { 1 } else { 6 }) {
        let workspace = Workspace::with_goal(&format!("version: \"1\"\nname: it\nconcurrency: 3\nphases:\n{phases}"));
        let mut run = workspace.sculpt("run goal.yaml").start();
        let lines = || std::fs::read_to_string(workspace.path(JOURNAL)).unwrap_or_default().lines().count();
        until("so many records", || (lines() >= record).then_some(()));
        run.kill();
        run.wait();
        workspace.kill_the_supervisor();
        let down = workspace.sculpt("down it").run();
        assert_eq!(down.code, 0, "killed at record {record}: {}", down.said());
        workspace.expect_nothing_alive(&format!("killed at record {record}"));
        workspace.sculpt("audit verify").run().expect(0);
    }
}

/// A small disk of its own, mounted over the workspace's folder.
struct Disk<'w>(&'w Workspace);

impl<'w> Disk<'w> {
    fn mount(workspace: &'w Workspace) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k,mode=755", "tmpfs"]).arg(workspace.root()).status();
        assert!(mounted.unwrap().success());
        Self(workspace)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // A failed test may have left somebody whose folder this is.
        drop(Command::new("umount").arg("--lazy").arg(self.0.root()).status());
    }
}

#[test]
fn a_full_disk_stops_the_run_and_turns_nothing_green() {
    if !require_root("a disk that is full") {
        return;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let workspace = Workspace::new();
    let disk = Disk::mount(&workspace);
    let (mut after, mut before, place) = (String::new(), "fill".to_owned(), elsewhere.path().display());
    for number in 0..100 {
        let verify = format!("verify: {{ checks: [ {{ file: {place}/{number} }} ] }}");
        writeln!(after, "  after{number}: {{ needs: [{before}], run: touch {place}/{number}, {verify} }}").unwrap();
        before = format!("after{number}");
    }
    workspace.goal(&format!(
        "
version: \"1\"
name: full
phases:
  serve:
    resources: {{ it: {{ process: {{ run: [ sleep, \"86400.MARK\" ] }}, scope: goal }} }}
  beside:
    needs: [serve]
    run: env -i setsid sleep 86400.MARK & exec sleep 86400.MARK
  fill:
    needs: [serve]
    run: dd if=/dev/zero of=ROOT/filler bs=1k || true
{after}"
    ));
    let ended = workspace.sculpt("run goal.yaml").run().expect(1);
    assert!(ended.err.contains("No space left") || ended.err.contains("disk is full"), "{}", ended.err);
    let verified = |workspace: &Workspace| {
        let journal = workspace.journal();
        journal.of("phase_ended").filter(|record| record["outcome"] == "verified").count()
    };
    let goal = workspace.status();
    let green = verified(&workspace);
    assert!(green < 100, "the disk was never full");
    assert_ne!(goal["outcome"], "verified");
    let shown = goal["phases"].as_array().unwrap().iter().filter(|phase| phase["outcome"] == "verified").count();
    assert_eq!(shown, green, "green is what is written");

    std::fs::remove_file(workspace.path("filler")).unwrap();
    workspace.sculpt("audit verify").run().expect(0);
    workspace.sculpt("down full").run().expect(0);
    assert_eq!(verified(&workspace), green, "nothing turned green afterwards");
    workspace.expect_nothing_alive("down after a full disk");
    drop(disk);
}
