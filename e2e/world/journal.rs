//! The journal, read as what it is: lines of JSON.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The records of a journal, those of its headers among them.
pub(crate) struct Journal(Vec<Value>);

impl Journal {
    /// All whole lines of a workspace's segments, oldest first; a last one may be in the writing.
    pub(crate) fn read(folder: &Path) -> Self {
        let sealed = std::fs::read_dir(folder.join("journal")).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut segments: Vec<PathBuf> = sealed.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect();
        segments.sort();
        segments.push(folder.join("journal.jsonl"));
        let texts: String = segments.iter().map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect();
        let lines = texts.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        Self(lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["rec"].take()).collect())
    }

    /// The records of this kind, oldest first.
    pub(crate) fn of<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |record| record["event"] == event)
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.of(event).count()
    }

    /// The survivors of the latest run or teardown that ended.
    pub(crate) fn last_survivors(&self) -> Option<u64> {
        let ends = |record: &&Value| record["event"] == "run_ended" || record["event"] == "down_ended";
        self.0.iter().rfind(ends)?["survivors"].as_u64()
    }
}
