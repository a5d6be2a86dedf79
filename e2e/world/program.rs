//! The program under test, as another process starts it.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use super::deadline::{LIMIT, until_within};

/// This build's program; a test as another user brings a copy that this user can read.
pub(crate) fn path() -> PathBuf {
    std::env::var_os("SCULPT_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_sculpt").into(), PathBuf::from)
}

/// A command line about to be started.
pub(crate) struct Program {
    pub(crate) command: Command,
    /// Where its output goes: a file never blocks it, and stays readable when it is killed.
    output: PathBuf,
    limit: Duration,
}

/// What a command line came to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; minus the signal where one killed it.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn new(mut command: Command, output: PathBuf) -> Self {
        // A group of its own, as a shell with job control makes one: Ctrl-C goes to all of it.
        command.stdin(Stdio::null()).process_group(0);
        Self { command, output, limit: LIMIT }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Its end may take this long: it builds something.
    pub(crate) fn patiently(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Somebody will type.
    pub(crate) fn with_keyboard(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    pub(crate) fn start(mut self) -> Started {
        let (out, err) = (self.output.with_extension("out"), self.output.with_extension("err"));
        self.command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let child = self.command.spawn().unwrap();
        Started { child, out, err, limit: self.limit }
    }

    /// Runs it to its end, whatever that is; within the limit, for a test that fails is to fail and not to wait.
    pub(crate) fn quietly(mut self) {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = self.command.spawn() else { return };
        let begun = std::time::Instant::now();
        while begun.elapsed() < self.limit && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(child.kill());
        drop(child.wait());
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }
}

/// A command line at work. It is killed with the test.
pub(crate) struct Started {
    child: Child,
    out: PathBuf,
    err: PathBuf,
    limit: Duration,
}

impl Started {
    /// Types on the keyboard.
    pub(crate) fn types(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("a keyboard").write_all(text.as_bytes()).unwrap();
    }

    /// Ctrl-C: the terminal sends SIGINT to the whole foreground group.
    pub(crate) fn interrupt(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            kill_process_group(Pid::from_child(&self.child), Signal::INT).unwrap();
        }
    }

    /// What a service manager or a shutdown sends.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// kill -9, to the program alone.
    pub(crate) fn kill(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::KILL).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn out(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap()
    }

    pub(crate) fn wait(mut self) -> Ended {
        use std::os::unix::process::ExitStatusExt as _;
        let status = until_within(self.limit, "the end of a command line", || self.child.try_wait().unwrap());
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap());
        Ended { code, out: self.out(), err: self.err() }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Only a test that failed leaves it at work.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ended {
    /// Fails the test, with all that was said, where the exit code is another one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// All that was said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}{}", self.out, self.err))
    }
}
