//! A workspace of one test: a folder, a mark that everything started for it bears, and an end that leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::deadline::until;
use super::journal::Journal;
use super::program::{self, Program};
use super::table::{self, Process};

/// The variable that carries the mark down to everything that does not scrub its environment.
pub(crate) const MARK: &str = "E2E_MARK";

/// A workspace.
pub(crate) struct Workspace {
    folder: TempDir,
    outputs: TempDir,
    started: Cell<u32>,
    strangers: RefCell<BTreeSet<u32>>,
    /// Digits that occur nowhere else on the host: `sleep 86400.MARK` is somebody of this workspace.
    pub(crate) mark: String,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{:08}{:05}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().unwrap();
        // Phases may be other users; the folder of a temporary directory is closed to them.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let outputs = tempfile::tempdir().unwrap();
        Self { folder, outputs, started: Cell::new(0), strangers: RefCell::default(), mark }
    }

    /// With one goal in `goal.yaml`. `ROOT` and `MARK` in its text are those of the workspace.
    pub(crate) fn with_goal(text: &str) -> Self {
        let workspace = Self::new();
        workspace.goal(text);
        workspace
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// Writes `goal.yaml`.
    pub(crate) fn goal(&self, text: &str) {
        let text = text.replace("ROOT", &self.root().display().to_string()).replace("MARK", &self.mark);
        self.write("goal.yaml", &text);
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Waits for a file that somebody in the workspace writes.
    pub(crate) fn until_written(&self, path: &str) {
        let written = || std::fs::metadata(self.path(path)).is_ok_and(|file| file.len() > 0).then_some(());
        until(&format!("{path} to be written"), written);
    }

    /// The program with these arguments, words of one text, in this workspace.
    pub(crate) fn sculpt(&self, words: &str) -> Program {
        let mut command = Command::new(program::path());
        command.args(words.split_whitespace());
        self.command(command)
    }

    /// Any program in this workspace.
    pub(crate) fn command(&self, mut command: Command) -> Program {
        command.current_dir(self.root()).env(MARK, &self.mark).env_remove("SCULPT_GOAL").env_remove("NO_COLOR");
        self.started.set(self.started.get() + 1);
        Program::new(command, self.outputs.path().join(self.started.get().to_string()))
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::read(&self.path(".opensculpt"))
    }

    /// The random id that names the control groups, once there is one.
    pub(crate) fn id(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path(".opensculpt/id")).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    }

    /// A process that is not to be touched, however much it looks like one of ours.
    pub(crate) fn stranger(&self, pid: u32) {
        self.strangers.borrow_mut().insert(pid);
    }

    /// All that runs for this workspace, by the look of the host.
    /// Its supervisor is not part of it: it watches over all this, and ends by itself.
    pub(crate) fn alive(&self) -> Vec<Process> {
        let mut all = self.all();
        all.retain(|process| !process.supervises(self.root()));
        all
    }

    fn all(&self) -> Vec<Process> {
        table::of_workspace(&self.mark, self.root(), self.id().as_deref(), &self.strangers.borrow())
    }

    /// The process id of the workspace's supervisor, by the table of processes.
    pub(crate) fn supervisor(&self) -> Option<u32> {
        let all = table::processes();
        all.iter().find(|process| process.supervises(self.root())).map(|process| process.pid)
    }

    /// Of these, who does what the manifest asked for: sleeps. Where there are no control groups, a supervisor stands beside.
    pub(crate) fn sleepers(&self) -> usize {
        let command = format!("sleep 86400.{}", self.mark);
        self.alive().iter().filter(|process| process.arguments.trim_end() == command).count()
    }

    /// Zero survivors: by the look of the host, by `ps`, and by the measurement in the journal; and no empty group is left either.
    #[track_caller]
    pub(crate) fn expect_nothing_alive(&self, case: &str) {
        // One that is about to end has no arguments any more.
        let ends = |process: &Process| process.arguments.is_empty() || process.arguments.contains(" supervise");
        until("the supervisor to end, since nothing is promised", || (!self.alive().iter().any(ends)).then_some(()));
        let alive = self.alive();
        assert!(alive.is_empty(), "{case}: survivors: {alive:#?}");
        let ps = self.ps();
        let processes: Vec<&Value> = ps["resources"].as_array().unwrap().iter().filter(|one| one["kind"] == "process").collect();
        assert!(processes.is_empty(), "{case}: `ps` lists {processes:?}");
        assert_eq!(ps["work"], Value::Array(Vec::new()), "{case}");
        let groups = table::groups(&format!("sculpt-{}", self.id().expect("a workspace that was used")));
        assert!(groups.is_empty(), "{case}: control groups without anybody in them: {groups:?}");
        let endpoints = || table::endpoints(&self.id().unwrap());
        until("the folder of the endpoints to go, since nothing uses it", || endpoints().is_empty().then_some(()));
        let survivors = self.journal().last_survivors();
        assert_eq!(survivors, Some(0), "{case}: the journal's own measurement");
    }

    /// kill -9 of the supervisor, where there is one.
    pub(crate) fn kill_the_supervisor(&self) {
        let Some(pid) = self.supervisor().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) else { return };
        let _ = kill_process(pid, Signal::KILL);
        until("the supervisor's end", || {
            (self.supervisor().is_none_or(|other| other != pid.as_raw_nonzero().get().unsigned_abs())).then_some(())
        });
    }

    pub(crate) fn ps(&self) -> Value {
        self.sculpt("ps --json").run().expect(0).json()
    }

    /// The only goal, as `status` shows it.
    pub(crate) fn status(&self) -> Value {
        let mut status = self.sculpt("status --json").run().expect(0).json();
        status["goals"][0].take()
    }

    /// A phase of the only goal, as `status` shows it.
    #[track_caller]
    pub(crate) fn phase(&self, name: &str) -> Value {
        let status = self.status();
        let found = status["phases"].as_array().and_then(|phases| phases.iter().find(|phase| phase["name"] == name));
        found.unwrap_or_else(|| panic!("no phase `{name}` in {status}")).clone()
    }

    /// The outcome of a phase of the only goal.
    #[track_caller]
    pub(crate) fn outcome(&self, name: &str) -> String {
        self.phase(name)["outcome"].as_str().unwrap_or("none").to_owned()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.path(".opensculpt").is_dir() {
            for words in ["down --all", "supervise --stop"] {
                let mut command = Command::new(program::path());
                command.args(words.split_whitespace());
                self.command(command).quietly();
            }
        }
        let left = self.id().map(|id| table::endpoints(&id)).unwrap_or_default();
        // A failed test leaves nothing either. What is killed bears the mark of this test, or lies in its folder.
        // Again and again: a shell may start its next command between the look and its end.
        for _ in 0..100 {
            let alive = self.all();
            if alive.is_empty() {
                break;
            }
            for pid in alive.iter().filter_map(|process| Pid::from_raw(i32::try_from(process.pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if !std::thread::panicking() {
            assert!(left.is_empty(), "no engine is left, and its endpoints' folder is: {left:?}");
        }
    }
}
