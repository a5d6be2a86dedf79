//! The command line as people and programs see it: exact texts, exit codes, JSON.

mod engine;
mod files;
mod help;
mod looks;
mod mistakes;
mod views;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;

/// What a command said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Everything that a person sees, with what differs from run to run made the same.
    pub(crate) fn shown(&self, dir: &Path) -> String {
        let mut text = format!("exit {}\n", self.code);
        for (name, stream) in [("out", &self.out), ("err", &self.err)] {
            if !stream.is_empty() {
                write!(text, "--- {name}\n{stream}").unwrap();
            }
        }
        same(&text, dir)
    }

    /// The output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// The output as lines of JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

/// A text in which times, durations, process ids, hashes and the folder are made the same.
pub(crate) fn same(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.canonicalize().unwrap().display().to_string(), "[DIR]");
    let mut text = text.replace(&dir.display().to_string(), "[DIR]");
    for (pattern, to) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[TIME]"),
        (r"(?m)^ +\d+\.\ds", "[AT]"),
        // A column is as wide as the longest time in it: the blanks around it are part of the time.
        (r" *\b(\d+m\d\ds|\d+\.\ds|\d+ms)\b {2,}", " [TOOK]  "),
        (r"\bTOOK {2,}", "TOOK  "),
        (r" *\b(\d+m\d\ds|\d+\.\ds|\d+ms)", " [TOOK]"),
        (r"pid \d+", "pid [PID]"),
        (r#"("pid": ?)\d+"#, "$1[PID]"),
        (r#"("(?:age_ms|elapsed_ms)": ?)\d+"#, "$1[MS]"),
        (r#"time="[\d.]+""#, r#"time="[S]""#),
        (r"\b[0-9a-f]{64}\b", "[HASH]"),
        (r"\b\d+ records", "[N] records"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, to).into_owned();
    }
    text
}

/// The program in a folder, with a plain environment: no colours, no locale, nobody at a terminal.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sculpt"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("USER", "ada");
    command
}

/// Runs the program in a folder.
pub(crate) fn sculpt(dir: &Path, args: &[&str]) -> Said {
    let output = command(dir, args).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of one test. Nothing of it lives on, however the test ends.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.path().join(".opensculpt").is_dir() {
            for args in [&["down", "--all"][..], &["supervise", "--stop"]] {
                drop(command(self.path(), args).output());
            }
        }
    }
}

/// A workspace with these manifests in goals/.
pub(crate) fn workspace(goals: &[(&str, &str)]) -> Folder {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("goals")).unwrap();
    for (name, text) in goals {
        std::fs::write(dir.path().join("goals").join(name), text).unwrap();
    }
    Folder(dir)
}
