//! Sealed segments: one chain through all of them, readers that follow it, and engines that die between two renames.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use opensculpt::base::time::Timestamp;
use opensculpt::journal::chain::Break;
use opensculpt::journal::error::{Broken, ReadError};
use opensculpt::journal::log::Log;
use opensculpt::journal::read::Reader;
use opensculpt::journal::segment::{self, Bounds, sealed_path};
use opensculpt::journal::verify::verify;
use tempfile::tempdir;

use super::story::files;
use super::{NOW, open, open_as, seen, words};
use crate::part;

/// A journal of three segments, with two records in each.
fn three(dir: &Path) {
    let (mut log, ..) = open(dir);
    for round in 0..3 {
        log.append(&words(2), NOW).unwrap();
        if round < 2 {
            log.seal(NOW).unwrap();
        }
    }
}

fn thrice() -> Vec<String> {
    [words(2), words(2), words(2)].concat()
}

#[test]
fn one_chain_runs_through_all_segments() {
    let dir = tempdir().unwrap();
    three(dir.path());
    assert_eq!(files(&dir.path().join("journal")), ["000000000000.jsonl", "000000000003.jsonl"]);
    for file in ["journal/000000000000.jsonl", "journal/000000000003.jsonl", "journal.jsonl"] {
        assert_eq!(std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o7777, 0o600, "{file}");
    }
    assert_eq!(std::fs::metadata(dir.path().join("journal")).unwrap().permissions().mode() & 0o7777, 0o700);
    let all = thrice();
    assert_eq!(seen(dir.path()), all);
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.records, verified.segments, verified.gone), (6, 3, vec![]));
    // One after the other the files are one journal, line by line.
    let whole: Vec<u8> = [sealed_path(dir.path(), 0), sealed_path(dir.path(), 3), dir.path().join(segment::ACTIVE)]
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect();
    for (line, number) in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).zip(0..) {
        assert!(line.starts_with(format!("{{\"seq\":{number},").as_bytes()));
    }
    let (mut log, opened, records) = open(dir.path());
    assert_eq!((opened.records, records), (6, all));
    assert_eq!(log.append(&words(1), NOW).unwrap(), 9);
}

#[test]
fn a_segment_is_full_by_lines_or_by_bytes_and_never_empty() {
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    log.set_bounds(Bounds { bytes: 0, lines: 0 });
    assert!(!log.is_full(), "a header alone is not worth a segment");
    log.append(&words(1), NOW).unwrap();
    assert!(log.is_full());
    log.set_bounds(Bounds { bytes: 1 << 20, lines: 2 });
    assert!(!log.is_full());
    log.append(&words(1), NOW).unwrap();
    assert!(log.is_full());
    log.seal(NOW).unwrap();
    assert!(!log.is_full());
    log.set_bounds(Bounds { bytes: 2_000, lines: 1_000 });
    log.append(&["x".repeat(2_000)], NOW).unwrap();
    assert!(log.is_full());
}

#[test]
fn a_reader_goes_on_from_segment_to_segment_wherever_it_stands() {
    for first in 0..6_usize {
        let dir = tempdir().unwrap();
        let (mut log, ..) = open(dir.path());
        let mut reader = None;
        let mut read = Vec::new();
        for number in 0..6 {
            if number == first {
                reader = Some(Log::<String>::read(dir.path()).unwrap());
            }
            if number % 2 == first % 2
                && let Some(reader) = &mut reader
            {
                read.extend(reader.map(|entry| entry.unwrap().record));
            }
            log.append(&[format!("{number}")], NOW).unwrap();
            log.seal(NOW).unwrap();
        }
        let mut reader = reader.unwrap();
        read.extend(reader.by_ref().map(|entry| entry.unwrap().record));
        assert_eq!(read, ["0", "1", "2", "3", "4", "5"], "begun before record {first}");
        assert!(reader.next().is_none());
        log.append(&["after".to_owned()], NOW).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().record, "after");
    }
}

#[test]
fn readers_follow_a_writer_that_seals_all_the_time() {
    const RECORDS: u64 = 3_000;
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    std::thread::scope(|scope| {
        let path = dir.path();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let mut reader = Log::<String>::read(path).unwrap();
                    let mut next = 0;
                    while next < RECORDS {
                        match reader.next() {
                            Some(entry) => {
                                assert_eq!(entry.unwrap().record, next.to_string());
                                next += 1;
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        for number in 0..RECORDS {
            log.append(&[number.to_string()], NOW).unwrap();
            if number % 7 == 0 {
                log.seal(NOW).unwrap();
            }
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert_eq!(verify(dir.path()).unwrap().records, RECORDS);
}

#[test]
fn an_engine_that_dies_while_it_seals_loses_nothing() {
    // Before anything was renamed: a new segment lies there, whole or not.
    for rest in [&b""[..], b"{\"seq\":3", b"what an engine before that one left\n"] {
        let dir = tempdir().unwrap();
        three(dir.path());
        std::fs::write(dir.path().join("journal.jsonl.new"), rest).unwrap();
        let (mut log, _, records) = open(dir.path());
        assert_eq!(records, thrice());
        log.seal(NOW).unwrap();
        drop(log);
        assert_eq!(verify(dir.path()).unwrap().segments, 4);
    }
    // Between the two renames: there is no active segment.
    let dir = tempdir().unwrap();
    three(dir.path());
    let mut reader = Log::<String>::read(dir.path()).unwrap();
    assert_eq!(reader.by_ref().count(), 6);
    std::fs::rename(dir.path().join(segment::ACTIVE), sealed_path(dir.path(), 6)).unwrap();
    assert_eq!((reader.by_ref().count(), seen(dir.path()).len()), (0, 6), "readers wait");
    let (mut log, opened, records) = open(dir.path());
    assert_eq!((opened.records, opened.torn, records.len()), (6, None, 6));
    assert_eq!(log.append(&["after".to_owned()], NOW).unwrap(), 10);
    assert_eq!(reader.next().unwrap().unwrap().record, "after");
    drop(log);
    assert_eq!(verify(dir.path()).unwrap().segments, 4);
    // After them, before the head file was written: it names a record of an older segment.
    let head = std::fs::read(dir.path().join("journal.head")).unwrap();
    let (mut log, ..) = open(dir.path());
    log.seal(NOW).unwrap();
    drop(log);
    std::fs::write(dir.path().join("journal.head"), head).unwrap();
    assert_eq!(open(dir.path()).2.len(), 7);
}

#[test]
fn damage_in_a_sealed_segment_is_named_with_its_file() {
    let refused = |change: &dyn Fn(&Path), wanted: Broken| {
        let dir = tempdir().unwrap();
        three(dir.path());
        change(dir.path());
        match verify(dir.path()) {
            Err(ReadError::Broken(found)) => assert_eq!(found, wanted),
            other => panic!("{other:?}"),
        }
        let error = open_as(dir.path(), "w1").err().unwrap();
        assert!(error.to_string().starts_with("failed to read the journal"), "{error}");
    };
    let second = |dir: &Path| sealed_path(dir, 3);
    let broken = |line, what| Broken { segment: Some(3), line, what };
    let edit = |dir: &Path, edit: &dyn Fn(&str) -> String| {
        std::fs::write(second(dir), edit(&std::fs::read_to_string(second(dir)).unwrap())).unwrap();
    };
    refused(&|dir| edit(dir, &|text| text.replace("record 2", "record 9")), broken(3, Break::Altered));
    refused(&|dir| edit(dir, &|text| text[..text.len() - 1].to_owned()), broken(3, Break::Unfinished));
    let two = |text: &str| text.split_inclusive('\n').take(2).collect();
    let gap = |first| Broken { segment: None, line: 1, what: Break::Gap { first, last: 5 } };
    refused(&|dir| edit(dir, &two), gap(5));
    refused(&|dir| std::fs::remove_file(second(dir)).unwrap(), gap(3));
    assert_eq!(
        broken(3, Break::Altered).to_string(),
        "line 3 of the journal's segment `journal/000000000003.jsonl` is broken: its hash does not match its content: it was altered"
    );
}

#[test]
fn the_beginning_of_a_journal_does_not_go_unnoticed() {
    let dir = tempdir().unwrap();
    three(dir.path());
    std::fs::remove_file(sealed_path(dir.path(), 0)).unwrap();
    assert!(open_as(dir.path(), "w1").is_err());
    assert!(Reader::<String>::open(dir.path()).unwrap().any(|entry| entry.is_err()));
    let error = verify(dir.path()).unwrap_err();
    assert!(matches!(&error, ReadError::Broken(Broken { what: Break::Gap { first: 0, last: 2 }, .. })), "{error:?}");
}

/// A real file system without room left, met while sealing: the log is dead, and what was written is there.
#[test]
fn a_full_disk_met_while_sealing_ends_the_log() {
    if !part::require_root("sealing on a full disk") {
        return;
    }
    let dir = tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "sculpt-full"]).arg(dir.path()).status().unwrap();
    if !part::require("sealing on a full disk", "to mount a tmpfs", mounted.success()) {
        return;
    }
    let checked = std::panic::catch_unwind(|| {
        let (mut log, ..) = open(dir.path());
        log.append(&words(3), NOW).unwrap();
        log.sync().unwrap();
        // All the room there is, but for what is already there.
        let mut rest = vec![0_u8; 1 << 17];
        while !rest.is_empty() && std::fs::write(dir.path().join("filler"), &rest).is_err() {
            rest.truncate(rest.len() - 512);
        }
        let error = log.seal(Timestamp(NOW.0 + 1)).unwrap_err();
        assert_eq!(error.to_string(), "failed to seal a segment of the journal: the disk is full");
        assert_eq!(log.append(&words(1), NOW).unwrap_err().to_string(), error.to_string(), "dead is dead");
        drop(log);
        std::fs::remove_file(dir.path().join("filler")).unwrap();
        assert_eq!(open(dir.path()).2, words(3));
    });
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}

/// A file system that became read-only, as a damaged one does.
#[test]
fn a_read_only_folder_is_a_clear_error_and_can_still_be_read() {
    if !part::require_root("the journal in a read-only folder") {
        return;
    }
    let dir = tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "sculpt-ro"]).arg(dir.path()).status().unwrap();
    if !part::require("the journal in a read-only folder", "to mount a tmpfs", mounted.success()) {
        return;
    }
    let checked = std::panic::catch_unwind(|| {
        three(dir.path());
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(dir.path()).status().unwrap().success());
        let error = open_as(dir.path(), "w1").err().unwrap();
        assert_eq!(error.to_string(), format!("failed to lock `{}`", dir.path().join("journal.lock").display()));
        assert_eq!(seen(dir.path()).len(), 6);
        assert_eq!(verify(dir.path()).unwrap().segments, 3);
    });
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}
