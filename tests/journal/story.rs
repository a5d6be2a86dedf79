//! Real records to write journals from: those of the journal that the first release wrote.

use std::path::{Path, PathBuf};

use opensculpt::base::time::Timestamp;
use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::log::{Log, Opening};
use opensculpt::journal::read::Entry;
use opensculpt::journal::segment::Bounds;
use opensculpt::kernel::record::Record;
use opensculpt::kernel::state::State;
use opensculpt::manifest::config::Retention;

/// The id of the workspace of all journals here.
pub(super) const WORKSPACE: &str = "dc3de75c314a";

/// What keeps everything.
pub(super) const ALL: Retention = Retention { runs: u32::MAX, days: u32::MAX };

pub(super) fn opening() -> Opening<'static> {
    Opening { workspace: WORKSPACE, doing: "a test", now: Timestamp(1_795_000_000_000) }
}

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(name)
}

pub(super) fn records() -> Vec<Entry<Record>> {
    Log::<Record>::read(&fixture("v1")).unwrap().map(Result::unwrap).collect()
}

/// The fold of records, without any journal.
pub(super) fn fold(records: &[Entry<Record>]) -> State {
    let mut state = State::default();
    for entry in records {
        state.apply(entry.at, &entry.record).unwrap();
    }
    state
}

/// A journal that is written as an engine writes it, with the state that it has.
pub(super) struct Writer {
    pub(super) journal: Journal,
    pub(super) state: State,
    pub(super) retention: Retention,
    /// The records that the journal wrote for itself.
    pub(super) own: Vec<Record>,
}

impl Writer {
    /// Opens a journal whose segments have at most so many lines.
    pub(super) fn open(dir: &Path, lines: u64) -> Self {
        let Open { mut journal, state, .. } = Journal::open(dir, &opening()).unwrap();
        journal.set_bounds(Bounds { bytes: u64::MAX, lines });
        Self { journal, state, retention: ALL, own: Vec::new() }
    }

    pub(super) fn write(&mut self, entry: &Entry<Record>) {
        self.state.apply(entry.at, &entry.record).unwrap();
        drop(self.journal.commit(entry.at, std::slice::from_ref(&entry.record)).unwrap());
        for record in self.journal.tend(entry.at, &self.state, self.retention).unwrap() {
            self.state.apply(entry.at, &record).unwrap();
            self.own.push(record);
        }
    }
}

/// A journal of all the records, in segments of so many lines.
pub(super) fn write(dir: &Path, lines: u64) -> State {
    let mut writer = Writer::open(dir, lines);
    for entry in &records() {
        writer.write(entry);
    }
    writer.state
}

/// The names of the files in a folder, in order.
pub(super) fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Changes one bit in the middle of a line of a file.
pub(super) fn flip(path: &Path, line: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let start: usize = bytes.split_inclusive(|byte| *byte == b'\n').take(line - 1).map(<[u8]>::len).sum();
    bytes[start + 120] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Copies a folder with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
