//! Snapshots: the same state with less reading, and never trusted.

use std::path::Path;

use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::follow;
use opensculpt::journal::log::Log;
use opensculpt::journal::segment::snapshots;
use opensculpt::journal::snapshot::{KEPT, read};
use opensculpt::kernel::record::Record;
use tempfile::tempdir;

use super::story::{Writer, fold, opening, records, write};

fn open(dir: &Path) -> Open {
    Journal::open(dir, &opening()).unwrap()
}

#[test]
fn a_snapshot_and_the_records_behind_it_are_the_fold_of_all() {
    let (all, dir) = (records(), tempdir().unwrap());
    let mut writer = Writer::open(dir.path(), 20);
    for (entry, count) in all.iter().zip(1..) {
        writer.write(entry);
        let wanted = fold(&all[..count]);
        assert_eq!(writer.state, wanted);
        let mut following = follow::open(dir.path()).unwrap();
        let mut tail = 0;
        for entry in following.reader.by_ref().map(Result::unwrap) {
            following.state.apply(entry.at, &entry.record).unwrap();
            following.beside.apply(entry.seq, entry.at, &entry.record);
            tail += 1;
        }
        assert!(following.ignored.is_empty() && tail <= 20, "{tail}");
        assert_eq!(following.state, wanted, "after {count} records");
        assert_eq!(following.beside.latest, Some(entry.at));
    }
    drop(writer);
    let opened = open(dir.path());
    assert_eq!(opened.state, fold(&all));
    assert!(opened.opened.records <= 20);
    assert_eq!(snapshots(dir.path()).unwrap().len(), KEPT);
    // What the journal itself wrote is among the rest, and nothing else is.
    let read: Vec<Record> = Log::<Record>::read(dir.path()).unwrap().map(|entry| entry.unwrap().record).collect();
    assert_eq!(read, all.into_iter().map(|entry| entry.record).collect::<Vec<_>>());
}

#[test]
fn who_follows_goes_on_behind_the_snapshot_into_new_segments() {
    let (all, dir) = (records(), tempdir().unwrap());
    let mut writer = Writer::open(dir.path(), 20);
    all[..50].iter().for_each(|entry| writer.write(entry));
    let mut following = follow::open(dir.path()).unwrap();
    for entry in &all[50..] {
        writer.write(entry);
        for entry in following.reader.by_ref().map(Result::unwrap) {
            following.state.apply(entry.at, &entry.record).unwrap();
        }
        assert_eq!(following.state, writer.state);
    }
}

#[test]
fn a_snapshot_that_is_not_what_it_was_is_left_aside_and_said() {
    let wanted = fold(&records());
    let of = |change: &dyn Fn(&Path, &Path), all: bool, why: &str| {
        let dir = tempdir().unwrap();
        write(dir.path(), 20);
        let intact = open(dir.path()).opened.records;
        let mut found = snapshots(dir.path()).unwrap();
        let newest = found.pop().unwrap().path;
        change(&newest, &found[0].path);
        if all {
            change(&found[0].path, &newest);
        }
        let following = follow::open(dir.path()).unwrap();
        let opened = open(dir.path());
        assert_eq!(opened.state, wanted);
        assert_eq!((opened.ignored.len(), following.ignored.len()), if all { (2, 2) } else { (1, 1) });
        assert!(opened.ignored[0].to_string().contains(why), "{}", opened.ignored[0]);
        assert!(opened.ignored[0].to_string().contains(newest.to_str().unwrap()));
        let read = opened.opened.records;
        assert!(if all { read == 239 } else { read > intact && read < 60 }, "{read} records were read");
    };
    let altered = |path: &Path, _: &Path| super::story::flip(path, 2);
    let cut = |path: &Path, _: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let newer = |path: &Path, _: &Path| resealed(path, "{\"snapshot\":1,", "{\"snapshot\":2,");
    let strange = |path: &Path, _: &Path| resealed(path, "\"goals\":{", "\"gaols\":{");
    let foreign = |path: &Path, _: &Path| {
        let seq = read(path).unwrap().last;
        resealed(path, &seq.hash.to_string(), &"0".repeat(64));
    };
    let empty = |path: &Path, _: &Path| std::fs::write(path, "").unwrap();
    for all in [false, true] {
        of(&altered, all, "its digest does not match its content");
        of(&cut, all, "its digest does not match its content");
        of(&empty, all, "its digest does not match its content");
        of(&newer, all, "it has version 2, and this engine reads version 1");
        of(&strange, all, "its content is not understood: missing field `goals`");
        of(&foreign, all, "the journal does not go on from it");
    }
}

#[test]
fn a_snapshot_of_another_place_of_the_same_chain_is_left_aside() {
    let dir = tempdir().unwrap();
    let wanted = write(dir.path(), 20);
    let found = snapshots(dir.path()).unwrap();
    std::fs::copy(&found[0].path, &found[1].path).unwrap();
    // What counts is what it says, and the chain goes on from there: the name is only for finding it.
    assert_eq!(open(dir.path()).state, wanted);
    let next = found[1].path.with_file_name("000000000230.snapshot");
    let text = std::fs::read_to_string(&found[0].path).unwrap();
    std::fs::write(&next, text).unwrap();
    resealed(&next, &format!("\"seq\":{},", found[0].seq), "\"seq\":230,");
    let opened = open(dir.path());
    assert_eq!((opened.state == wanted, opened.ignored.len()), (true, 1));
}

/// Changes a snapshot and gives it the digest that it then has.
fn resealed(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    let covered = text[..text.len() - 65].replacen(from, to, 1);
    let digest = opensculpt::base::digest::Digest::of(covered.as_bytes());
    std::fs::write(path, format!("{covered}{digest}\n")).unwrap();
}
