//! The engine of a workspace, as others see it: who holds the journal, and what it has written.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::deadline::until;
use super::workspace::Workspace;

impl Workspace {
    /// The process that holds the workspace's journal, by the kernel's own list of locks; none where nobody does.
    pub(crate) fn engine(&self) -> Option<Pid> {
        let inode = fs::metadata(self.path(".opensculpt/journal.lock")).ok()?.ino();
        let held = fs::read_to_string("/proc/locks").unwrap();
        let place = format!(":{inode}");
        held.lines().find_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
            let holds = words.first() == Some(&"FLOCK") && words.get(4).is_some_and(|file| file.ends_with(&place));
            holds.then(|| Pid::from_raw(words[3].parse().ok()?)).flatten()
        })
    }

    /// kill -9 of the engine, where there is one.
    pub(crate) fn kill_the_engine(&self) {
        let Some(engine) = self.engine() else { return };
        let _ = kill_process(engine, Signal::KILL);
        until("the engine's end", || (self.engine() != Some(engine)).then_some(()));
    }

    /// The records of the journal so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path(".opensculpt/journal.jsonl")).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).skip(1);
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["rec"].take()).collect()
    }
}
