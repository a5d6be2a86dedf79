//! Journals of every format that a release has written: they replay for ever, to the state that they had.
//!
//! `v1` is one file, as the first release wrote it. `v2` has sealed segments, snapshots, pruned lines and a run that goes on.
//! The state beside each is a snapshot, and so a fixture of that format as well. `UPDATE=1` writes it anew, where the state has a new field.

use opensculpt::base::time::Timestamp;
use opensculpt::journal::commit::Journal;
use opensculpt::journal::verify::{Taken, verify};
use opensculpt::journal::{follow, snapshot};
use opensculpt::manifest::config::Retention;
use tempfile::tempdir;

use super::story::{copy, fixture, fold, opening, records};

#[test]
fn every_format_replays_to_its_state() {
    for name in ["v1", "v2"] {
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            update(name);
        }
        let dir = tempdir().unwrap();
        copy(&fixture(name), dir.path());
        let wanted = snapshot::read(&dir.path().join("state.snapshot")).unwrap();
        assert_eq!(verify(dir.path()).unwrap().head, wanted.last.hash, "{name}");
        let mut following = follow::open(dir.path()).unwrap();
        for entry in following.reader.by_ref().map(Result::unwrap) {
            following.state.apply(entry.at, &entry.record).unwrap();
            following.beside.apply(entry.seq, entry.at, &entry.record);
        }
        assert_eq!((following.state, following.beside), (wanted.state.clone(), wanted.beside), "{name}");
        assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, wanted.state, "{name}");
        assert!(following.ignored.is_empty(), "{name}: {:?}", following.ignored);
    }
}

/// Writes the state beside a fixture: the snapshot that an engine makes which opens it and seals.
fn update(name: &str) {
    let dir = tempdir().unwrap();
    copy(&fixture(name), dir.path());
    let mut open = Journal::open(dir.path(), &opening()).unwrap();
    open.journal.seal(Timestamp(0), &open.state, Retention::default()).unwrap();
    let files = std::fs::read_dir(dir.path().join("journal")).unwrap().map(|file| file.unwrap().path());
    let newest = files.filter(|path| path.extension().is_some_and(|end| end == "snapshot")).max().unwrap();
    std::fs::copy(newest, fixture(name).join("state.snapshot")).unwrap();
}

#[test]
fn the_first_format_is_one_file_of_every_kind_of_record_and_replays_at_any_length() {
    let all = records();
    let mut kinds: Vec<&str> = all.iter().map(|entry| entry.record.event()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 18, "{kinds:?}");
    for count in 0..all.len() {
        fold(&all[..count]);
    }
    assert_eq!(verify(&fixture("v1")).unwrap().segments, 1);
}

#[test]
fn the_second_has_segments_and_says_what_is_gone() {
    let verified = verify(&fixture("v2")).unwrap();
    assert!(verified.segments > 2);
    assert!(verified.gone.iter().any(|gone| gone.why == Taken::Pruned), "{:?}", verified.gone);
}
