//! The same tests as somebody who may write no control group.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::host::program;

#[test]
fn all_of_it_holds_for_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), all).expect("a directory for all");
    let tests = dir.path().join("tests");
    let sculpt = dir.path().join("sculpt");
    // The build may be where only root can read.
    #[expect(clippy::disallowed_methods, reason = "a file of the test")]
    let copied = std::fs::copy(std::env::current_exe().expect("this program"), &tests).and_then(|_| std::fs::copy(program(), &sculpt));
    copied.expect("copies for all");
    #[expect(clippy::disallowed_methods, reason = "the engine is not asked to change its own user")]
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&tests)
        .arg("adapters_process::")
        .env("SCULPT_TEST_PROGRAM", &sculpt)
        .current_dir("/")
        .output()
        .expect("setpriv");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("adapters_process::leaks::nothing_survives_a_kill ... ok"), "{said}");
}
