//! A container engine of one's own, which can be killed and started again, beside the one of the host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::fixture::{IMAGE, image};
use crate::part::require_root;
use crate::world::deadline::until;

/// A container engine that ends with its test.
pub(crate) struct Daemon {
    folder: tempfile::TempDir,
    process: Child,
}

impl Daemon {
    /// Starts one with the image of the tests; none, loudly, where there is no program for it or no right to.
    pub(crate) fn start(part: &str) -> Option<Self> {
        let there = Command::new("dockerd").arg("--version").output().is_ok_and(|output| output.status.success());
        if !require_root(part) || !crate::part::require(part, "dockerd", there) {
            return None;
        }
        image();
        let folder = tempfile::tempdir().unwrap();
        // Others than root are to reach its socket.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let process = begin(&folder);
        let daemon = Self { folder, process };
        daemon.until_it_answers();
        let saved = daemon.folder.path().join("image.tar");
        super::fixture::docker(&["save", "-o", &saved.to_string_lossy(), IMAGE]);
        daemon.docker(&["load", "-q", "-i", &saved.to_string_lossy()]);
        Some(daemon)
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// Runs the docker client on it.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let output = Command::new("docker").args(["-H", &self.host()]).args(args).output().unwrap();
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// kill -9, and another one in its place.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // What the dead one says of itself keeps the next from its work.
        for file in ["pid", "exec/containerd/containerd.pid"] {
            drop(fs::remove_file(self.folder.path().join(file)));
        }
        self.process = begin(&self.folder);
        self.until_it_answers();
    }

    fn until_it_answers(&self) {
        until("a container engine of one's own", || {
            let asked = Command::new("docker").args(["-H", &self.host(), "version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            asked.unwrap().success().then_some(())
        });
    }
}

fn begin(folder: &tempfile::TempDir) -> Child {
    let path = |name: &str| folder.path().join(name);
    let log = fs::File::options().create(true).append(true).open(path("log")).unwrap();
    // In a network namespace of its own, since every engine makes, or removes, the host's `docker0`.
    Command::new("unshare")
        .args(["--net", "dockerd", "--data-root"])
        .arg(path("data"))
        .arg("--exec-root")
        .arg(path("exec"))
        .arg("--pidfile")
        .arg(path("pid"))
        .args(["--iptables=false", "--ip6tables=false", "-H"])
        .arg(format!("unix://{}", path("engine.sock").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Gently: what it started for itself ends with it.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        drop(self.process.wait());
    }
}
