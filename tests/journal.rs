//! The journal on real files: torn tails, full disks, two engines, segments, snapshots, retention, quarantine.

mod command;
mod fixtures;
mod quarantine;
mod retention;
mod segments;
mod snapshots;
mod story;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use opensculpt::base::time::Timestamp;
use opensculpt::journal::chain::Break;
use opensculpt::journal::error::{Broken, OpenError, ReadError, WriteError};
use opensculpt::journal::lock::{Lock, LockError};
use opensculpt::journal::log::{Log, Opened, Opening};
use opensculpt::journal::read::Entry;
use opensculpt::journal::scan::Torn;
use opensculpt::journal::verify::verify;
use opensculpt::journal::{head, lock, read};
use tempfile::tempdir;

use crate::part;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

type Replayed = (Log<String>, Opened, Vec<Entry<String>>);

fn open_as(dir: &Path, workspace: &str) -> Result<Replayed, OpenError> {
    let mut entries = Vec::new();
    let (log, opened) = Log::open(dir, &Opening { workspace, doing: "run of crm", now: NOW }, |entry| entries.push(entry))?;
    Ok((log, opened, entries))
}

fn open(dir: &Path) -> (Log<String>, Opened, Vec<String>) {
    let (log, opened, entries) = open_as(dir, "w1").unwrap();
    (log, opened, entries.into_iter().map(|entry| entry.record).collect())
}

fn words(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("record {i}")).collect()
}

fn seen(dir: &Path) -> Vec<String> {
    Log::<String>::read(dir).unwrap().map(|entry| entry.unwrap().record).collect()
}

#[test]
fn what_was_appended_comes_back_in_its_order_and_private() {
    let dir = tempdir().unwrap();
    let (mut log, opened, _) = open(dir.path());
    assert_eq!(opened, Opened { records: 0, torn: None });
    assert_eq!((log.last().seq, log.durable()), (0, 0), "the header is on disk before anything else");
    assert_eq!(log.append(&words(2), NOW).unwrap(), 2);
    assert_eq!(log.append(&words(1), Timestamp(7)).unwrap(), 3);
    assert_eq!(seen(dir.path()), ["record 1", "record 2", "record 1"], "readers need no lock and see what is recorded");
    assert_eq!(log.durable(), 0);
    log.sync().unwrap();
    assert_eq!(log.durable(), 3);
    let last = log.last();
    drop(log);
    for file in [read::FILE, head::FILE, lock::FILE] {
        assert_eq!(std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o7777, 0o600, "{file}");
    }
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.records, verified.head, verified.torn, &verified.workspace[..]), (3, last.hash, None, "w1"));
    let (log, opened, entries) = open_as(dir.path(), "w1").unwrap();
    assert_eq!((log.last(), opened.records), (last, 3));
    assert_eq!(entries[2], Entry { seq: 3, at: Timestamp(7), record: "record 1".to_owned() });
}

#[test]
fn a_flush_on_another_thread_covers_what_was_there_when_it_was_asked_for() {
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    log.append(&words(2), NOW).unwrap();
    let flush = log.flush().unwrap().expect("two records are new");
    log.append(&words(1), NOW).unwrap();
    let flushed = std::thread::spawn(|| flush.run()).join().unwrap();
    log.flushed(flushed).unwrap();
    assert_eq!((log.durable(), log.last().seq), (2, 3));
    assert_eq!(log.flush().unwrap().expect("one is").upto(), 3);
    log.sync().unwrap();
    assert!(log.flush().unwrap().is_none());
}

#[test]
fn a_tail_torn_at_any_byte_is_dropped_and_said_and_the_chain_goes_on() {
    let whole = tempdir().unwrap();
    let (mut log, ..) = open(whole.path());
    log.append(&words(3), NOW).unwrap();
    drop(log);
    let bytes = std::fs::read(whole.path().join(read::FILE)).unwrap();
    let known = std::fs::read(whole.path().join(head::FILE)).unwrap();
    let header = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    // The header was synced; everything behind it was only recorded, and may be cut anywhere by a power failure.
    for cut in header..=bytes.len() {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join(read::FILE), &bytes[..cut]).unwrap();
        std::fs::write(dir.path().join(head::FILE), &known).unwrap();
        let lines = bytes[..cut].split_inclusive(|b| *b == b'\n').collect::<Vec<_>>();
        let rest = lines.last().filter(|line| !line.ends_with(b"\n")).map_or(0, |line| line.len());
        let kept = lines.len() - 1 - usize::from(rest > 0);
        assert_eq!(seen(dir.path()), words(kept), "a reader passes over a torn tail");
        let (mut log, opened, records) = open(dir.path());
        assert_eq!(records, words(kept));
        let torn = (rest > 0).then(|| Torn { line: kept as u64 + 2, bytes: rest as u64 });
        assert_eq!(opened, Opened { records: kept as u64, torn });
        log.append(&["after".to_owned()], NOW).unwrap();
        drop(log);
        assert_eq!(verify(dir.path()).unwrap().torn, None);
        assert_eq!(seen(dir.path()).last().unwrap(), "after");
    }
}

#[test]
fn a_reader_goes_on_where_it_stopped_even_inside_a_line() {
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    log.append(&words(2), NOW).unwrap();
    drop(log);
    let path = dir.path().join(read::FILE);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let mut reader = Log::<String>::read(dir.path()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().record, "record 1");
    assert!(reader.next().is_none());
    assert_eq!(reader.torn().map(|torn| torn.line), Some(3));
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&bytes[bytes.len() - 20..]).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().record, "record 2");
    assert!(reader.next().is_none());
    assert_eq!(reader.torn(), None);
    assert_eq!(reader.header().map(|header| &header.workspace[..]), Some("w1"));
}

#[test]
fn a_broken_journal_is_never_opened_and_never_changed() {
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    log.append(&words(3), NOW).unwrap();
    log.sync().unwrap();
    drop(log);
    let path = dir.path().join(read::FILE);
    let bytes = std::fs::read(&path).unwrap();
    let refused = |content: &[u8], broken: Broken| {
        std::fs::write(&path, content).unwrap();
        match open_as(dir.path(), "w1") {
            Err(OpenError::Read(ReadError::Broken(found))) => assert_eq!(found, broken),
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read(&path).unwrap(), content);
        assert!(Log::<String>::read(dir.path()).unwrap().any(|entry| matches!(entry, Err(ReadError::Broken(found)) if found == broken)));
    };
    let text = String::from_utf8(bytes.clone()).unwrap();
    refused(text.replace("record 2", "record 9").as_bytes(), Broken { segment: None, line: 3, what: Break::Altered });
    // Synced records that are gone are not a torn tail, wherever the cut is.
    refused(&bytes[..bytes.len() - 1], Broken { segment: None, line: 4, what: Break::Cut { known: 3 } });
    refused(b"", Broken { segment: None, line: 1, what: Break::Cut { known: 3 } });
    refused(b"garbage\n", Broken { segment: None, line: 1, what: Break::Malformed });
    std::fs::write(dir.path().join(head::FILE), "{}").unwrap();
    refused_head(dir.path());
    std::fs::write(&path, &bytes).unwrap();
    std::fs::remove_file(dir.path().join(head::FILE)).unwrap();
    assert_eq!(open(dir.path()).2, words(3), "without a head file the chain alone is believed");
    assert!(dir.path().join(head::FILE).metadata().unwrap().len() > 0, "and the head is kept from then on");
}

fn refused_head(dir: &Path) {
    let error = open_as(dir, "w1").err().unwrap();
    assert!(matches!(error, OpenError::Read(ReadError::Broken(Broken { what: Break::HeadAltered, .. }))), "{error:?}");
}

#[test]
fn a_journal_of_another_workspace_or_of_unknown_records_is_refused() {
    let dir = tempdir().unwrap();
    let (mut log, ..) = open(dir.path());
    log.append(&words(1), NOW).unwrap();
    drop(log);
    let error = open_as(dir.path(), "w2").err().unwrap();
    assert_eq!(error.to_string(), "failed to open the journal: it belongs to workspace w1, and this is workspace w2");
    let error = Log::<u64>::read(dir.path()).unwrap().next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "failed to understand line 2 of the journal: a newer engine may have written it");
}

#[test]
fn a_record_without_json_leaves_the_log_as_it_was() {
    type Odd = std::collections::BTreeMap<(u8, u8), u8>;
    let dir = tempdir().unwrap();
    let (mut log, _) = Log::<Odd>::open(dir.path(), &Opening { workspace: "w1", doing: "", now: NOW }, |_| ()).unwrap();
    let before = log.last();
    let error = log.append(&[Odd::new(), Odd::from([((1, 2), 3)])], NOW).unwrap_err();
    assert!(matches!(error, WriteError::Encode(_)), "{error:?}");
    assert_eq!(log.last(), before);
    assert_eq!(log.append(&[Odd::new()], NOW).unwrap(), 1);
    assert_eq!(verify(dir.path()).unwrap().records, 1);
}

/// Appends until there is no room, and checks what must then hold.
fn fill(dir: &Path, reason: &str) {
    let (mut log, ..) = open(dir);
    log.append(&words(3), NOW).unwrap();
    log.sync().unwrap();
    let batch = vec!["x".repeat(700); 5];
    let mut good = 3;
    let error = loop {
        match log.append(&batch, NOW) {
            Ok(last) => good = last,
            Err(error) => break error,
        }
        assert!(good < 10_000, "there is no end to the room");
    };
    let text = format!("failed to write the journal: {reason}");
    assert_eq!(error.to_string(), text);
    assert!(matches!(&error, WriteError::Dead(dead) if dead.is_full()));
    // Dead is dead, also for a record that would fit.
    for _ in 0..2 {
        assert_eq!(log.append(&[String::new()], NOW).unwrap_err().to_string(), text);
        assert_eq!(log.sync().unwrap_err().to_string(), text);
        assert_eq!(log.flush().unwrap_err().to_string(), text);
    }
    drop(log);
    let verified = verify(dir).unwrap();
    assert_eq!((verified.records, verified.torn), (good, None), "whole batches only, and no half record");
}

/// A real file system without room left.
#[test]
fn a_full_disk_ends_the_log() {
    if !part::require_root("the journal on a full disk") {
        return;
    }
    let dir = tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "sculpt-full"]).arg(dir.path()).status().unwrap();
    if !part::require("the journal on a full disk", "to mount a tmpfs", mounted.success()) {
        return;
    }
    let checked = std::panic::catch_unwind(|| fill(dir.path(), "the disk is full"));
    assert!(Command::new("umount").arg("-l").arg(dir.path()).status().unwrap().success());
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}

const CHILD: &str = "SCULPT_TEST_JOURNAL";

/// This test binary again, running one of the `child_…` tests below with a directory, after a shell line.
fn child(test: &str, dir: &Path, shell: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    let this = std::env::current_exe().unwrap();
    command.arg("-c").arg(format!("{shell}\nexec \"$@\"")).arg("sh").arg(this);
    command.args(["--exact", &format!("journal::{test}"), "--ignored", "--nocapture"]).env(CHILD, dir);
    command
}

fn given() -> std::path::PathBuf {
    std::env::var_os(CHILD).expect("only run as a child of another test").into()
}

/// A limit that an ordinary user meets as well. The kernel's signal is ignored, as the write's error says the same.
#[test]
fn a_limit_on_the_size_of_files_ends_the_log() {
    let dir = tempdir().unwrap();
    let output = child("child_fills", dir.path(), "trap '' XFSZ; ulimit -f 32").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(verify(dir.path()).unwrap().records >= 3);
}

#[test]
#[ignore = "run by a_limit_on_the_size_of_files_ends_the_log"]
fn child_fills() {
    fill(&given(), "the limit on the size of files is reached");
}

/// The lock of an engine that was killed is free at once, and its words do not keep anyone out.
#[test]
fn a_killed_engine_holds_nothing() {
    let dir = tempdir().unwrap();
    let mut engine = child("child_holds", dir.path(), "").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(engine.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("holding")), "the child ended early");
    let held = open_as(dir.path(), "w1").err().unwrap();
    match &held {
        OpenError::Lock(LockError::Held { holder: Some(holder) }) => {
            assert_eq!((holder.pid, &holder.doing[..]), (engine.id(), "run of crm"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(seen(dir.path()), words(2), "readers are not kept out");
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert!(std::fs::metadata(dir.path().join(lock::FILE)).unwrap().len() > 0, "its words are still there");
    let (mut log, opened, records) = open(dir.path());
    assert_eq!((opened.torn, records), (None, words(2)), "what was recorded survives without a sync");
    assert_eq!(log.append(&words(1), NOW).unwrap(), 3);
    assert!(Lock::take(dir.path(), "down").is_err());
}

#[test]
#[ignore = "run by a_killed_engine_holds_nothing"]
fn child_holds() {
    let (mut log, ..) = open(&given());
    log.append(&words(2), NOW).unwrap();
    println!("holding");
    // Until the parent kills it; where the parent dies, the pipe closes.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}
