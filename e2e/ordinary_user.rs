//! The same promises for somebody who may write no control group; and what cannot be promised is said.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::part::require_root;
use crate::world::program;
use crate::world::workspace::Workspace;

/// The parts that need no rights.
const PARTS: [&str; 6] = ["leaks::", "grace::", "endings::", "people::", "again::", "journal::"];

/// Runs a program as nobody, from copies that nobody may read.
pub(crate) fn as_nobody(folder: &tempfile::TempDir) -> Command {
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let sculpt = folder.path().join("sculpt");
    // One that runs cannot be written.
    if !sculpt.exists() {
        std::fs::copy(program::path(), &sculpt).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    // Nothing is inherited but where programs are: root's folders are closed to others.
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", folder.path()).env("TMPDIR", folder.path());
    command.env("SCULPT_TEST_PROGRAM", &sculpt).current_dir(folder.path());
    if let Some(rounds) = std::env::var_os("E2E_ROUNDS") {
        command.env("E2E_ROUNDS", rounds);
    }
    command
}

#[test]
fn all_of_it_holds_for_an_ordinary_user() {
    if !require_root("to become an ordinary user") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tests = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let output = as_nobody(&folder).arg(&tests).args(PARTS).args(["--test-threads", "2"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("leaks::work_that_is_interrupted_leaves_nobody ... ok"), "{said}");
}

#[test]
fn a_plan_says_how_processes_are_held_and_what_is_not_promised() {
    let workspace = Workspace::with_goal("version: \"1\"\nname: it\nphases:\n  one: { run: \"true\", limits: { memory: 64Mi } }\n");
    let mine = workspace.sculpt("plan goal.yaml").run().expect(0).out;
    if require_root("the plan of an ordinary user") {
        let folder = tempfile::tempdir().unwrap();
        let mut command = as_nobody(&folder);
        command.arg(folder.path().join("sculpt")).args(["plan", "goal.yaml"]).arg("-C").arg(workspace.root());
        let output = command.output().unwrap();
        let theirs = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{theirs}{}", String::from_utf8_lossy(&output.stderr));
        assert!(theirs.contains("memory, cpus and pids are not limited"), "{theirs}");
        assert_ne!(mine, theirs, "this host offers more to root");
    }
    assert!(mine.contains("not promised") || mine.contains("cannot"), "{mine}");
}
