//! A broken journal: what it means is said, nothing is reset, and there is a way on.

use std::path::Path;

use opensculpt::journal::chain::Break;
use opensculpt::journal::commit::Journal;
use opensculpt::journal::damage::{Damage, survey};
use opensculpt::journal::follow;
use opensculpt::journal::log::Log;
use opensculpt::journal::quarantine::{Quarantined, quarantine};
use opensculpt::journal::read::Entry;
use opensculpt::journal::segment::{ACTIVE, sealed, sealed_path, snapshots};
use opensculpt::journal::verify::{Gone, Taken, verify};
use opensculpt::kernel::record::Record;
use tempfile::tempdir;

use super::story::{copy, files, flip, fold, opening, records, write};

fn set_aside(dir: &Path) -> Vec<Quarantined> {
    quarantine(dir, &opening()).unwrap()
}

fn last(dir: &Path) -> Record {
    follow::open(dir).unwrap().reader.last().unwrap().unwrap().record
}

#[test]
fn a_whole_journal_has_no_damage_and_nothing_is_set_aside() {
    let dir = tempdir().unwrap();
    write(dir.path(), 20);
    assert_eq!(survey(dir.path()).unwrap(), []);
    assert_eq!(set_aside(dir.path()), []);
    assert!(!dir.path().join("quarantine").exists());
}

#[test]
fn what_a_snapshot_covers_is_set_aside_without_a_change_of_state() {
    let wanted = fold(&records());
    let count = {
        let dir = tempdir().unwrap();
        write(dir.path(), 20);
        sealed(dir.path()).unwrap().len()
    };
    for index in 0..count {
        let dir = tempdir().unwrap();
        write(dir.path(), 20);
        let found = sealed(dir.path()).unwrap();
        flip(&found[index].path, 5);
        let damaged = std::fs::read(&found[index].path).unwrap();
        assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, wanted, "an engine does not need it");
        let damage = survey(dir.path()).unwrap();
        assert_eq!(damage.len(), 1, "{damage:?}");
        let [Damage { broken, covered, behind, .. }] = &damage[..] else { panic!() };
        assert_eq!((broken.segment, broken.line, &broken.what, covered), (Some(found[index].seq), 5, &Break::Altered, &true));
        assert!(behind[0].event.is_some() || !behind[0].whole);
        assert!(behind[1..].iter().all(|line| line.whole && line.event.is_some()), "{behind:?}");
        let done = set_aside(dir.path());
        assert_eq!(done.len(), 1);
        let kept = dir.path().join(&done[0].kept);
        assert_eq!(std::fs::read(kept.join(found[index].path.file_name().unwrap())).unwrap(), damaged);
        assert!(!found[index].path.exists());
        let verified = verify(dir.path()).unwrap();
        let end = found.get(index + 1).map_or_else(|| snapshots(dir.path()).unwrap()[1].seq + 1, |next| next.seq) - 1;
        assert_eq!(verified.gone, [Gone { first: found[index].seq, last: end, why: Taken::Quarantined }]);
        assert!(matches!(last(dir.path()), Record::Quarantined { .. }));
        assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, wanted);
        assert_eq!(set_aside(dir.path()), [], "once is enough");
    }
}

#[test]
fn behind_the_newest_snapshot_the_journal_goes_on_from_what_is_intact() {
    let all = records();
    // With and without segments before it.
    for lines in [u64::MAX, 100] {
        let dir = tempdir().unwrap();
        write(dir.path(), lines);
        let active = dir.path().join(ACTIVE);
        flip(&active, 12);
        let damaged = std::fs::read(&active).unwrap();
        let error = Journal::open(dir.path(), &opening()).unwrap_err();
        assert!(error.to_string().contains("failed to read the journal"), "{error}");
        assert_eq!(std::fs::read(&active).unwrap(), damaged, "it is refused, and not changed");
        let damage = survey(dir.path()).unwrap();
        let [Damage { broken, covered: false, behind, seq, .. }] = &damage[..] else { panic!("{damage:?}") };
        assert_eq!((broken.segment, broken.line), (None, 12));
        assert_eq!(behind.len(), std::fs::read_to_string(&active).unwrap().lines().count() - 11);
        assert!(damage[0].affected().iter().any(|(about, _)| about.is_some_and(|about| about.starts_with("shop"))), "{damage:?}");
        let intact: Vec<Entry<Record>> = all.iter().take_while(|entry| entry.seq + entry.seq / lines < *seq).cloned().collect();
        let done = set_aside(dir.path());
        assert_eq!(done.len(), 1);
        let kept = dir.path().join(&done[0].kept);
        assert_eq!(files(&kept), ["damage.json", "journal.head", "journal.jsonl"]);
        assert_eq!(std::fs::read(kept.join(ACTIVE)).unwrap(), damaged);
        let report: serde_json::Value = serde_json::from_slice(&std::fs::read(kept.join("damage.json")).unwrap()).unwrap();
        assert_eq!(report["behind"].as_array().unwrap().len(), behind.len());
        assert_eq!(verify(dir.path()).unwrap().gone, []);
        let Record::Quarantined { first, kept, .. } = last(dir.path()) else { panic!("it is said in the journal") };
        assert_eq!((first, kept), (*seq, done[0].kept.clone()));
        let opened = Journal::open(dir.path(), &opening()).unwrap();
        assert_eq!(opened.state, fold(&intact));
        assert!(intact.len() > 5);
    }
}

#[test]
fn where_no_snapshot_is_left_all_behind_the_break_is_listed_and_kept() {
    let dir = tempdir().unwrap();
    write(dir.path(), 50);
    for found in snapshots(dir.path()).unwrap() {
        flip(&found.path, 2);
    }
    let found = sealed(dir.path()).unwrap();
    flip(&found[1].path, 10);
    assert!(Journal::open(dir.path(), &opening()).is_err());
    let damage = survey(dir.path()).unwrap();
    assert_eq!((damage.len(), damage[0].covered, damage[0].broken.segment), (1, false, Some(found[1].seq)));
    let after = Log::<serde_json::Value>::read(dir.path()).unwrap().filter_map(Result::ok).count();
    assert_eq!(after + damage[0].behind.len(), 239 + (found.len() - 1), "every line is either intact or listed");
    let done = set_aside(dir.path());
    let names = files(&dir.path().join(&done[0].kept));
    let later = found[1..].iter().chain(&[]).map(|one| one.path.file_name().unwrap().to_str().unwrap());
    assert!(later.chain(["journal.jsonl", "journal.head"]).all(|name| names.iter().any(|found| found == name)), "{names:?}");
    assert_eq!(sealed(dir.path()).unwrap(), found[..1]);
    assert_eq!(verify(dir.path()).unwrap().records, after as u64 + 1);
    assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, fold(&records()[..after]));
}

#[test]
fn a_cut_end_an_altered_head_a_lost_segment_and_a_lost_beginning_have_a_way_on() {
    type Change<'a> = &'a dyn Fn(&Path);
    let lines = |text: &str, from: usize, to: usize| text.split_inclusive('\n').skip(from).take(to - from).collect::<String>();
    let cases: [(&str, u64, Change<'_>); 7] = [
        ("the end was cut", u64::MAX, &|dir| {
            let text = std::fs::read_to_string(dir.join(ACTIVE)).unwrap();
            std::fs::write(dir.join(ACTIVE), lines(&text, 0, 100)).unwrap();
        }),
        ("the head file was altered", 50, &|dir| std::fs::write(dir.join("journal.head"), "{}").unwrap()),
        ("the head file is of another chain", 50, &|dir| {
            let seq = snapshots(dir).unwrap().pop().unwrap().seq;
            std::fs::write(dir.join("journal.head"), format!("{{\"seq\":{seq:>20},\"hash\":\"{}\"}}\n", "0".repeat(64))).unwrap();
        }),
        ("the first line was lost", u64::MAX, &|dir| {
            let text = std::fs::read_to_string(dir.join(ACTIVE)).unwrap();
            std::fs::write(dir.join(ACTIVE), lines(&text, 1, 500)).unwrap();
        }),
        ("all is garbage", u64::MAX, &|dir| std::fs::write(dir.join(ACTIVE), "garbage\n").unwrap()),
        ("a sealed segment was lost", 50, &|dir| std::fs::remove_file(&sealed(dir).unwrap()[1].path).unwrap()),
        ("the first of them was lost", 50, &|dir| std::fs::remove_file(sealed_path(dir, 0)).unwrap()),
    ];
    for (what, size, change) in cases {
        let dir = tempdir().unwrap();
        write(dir.path(), size);
        // Everything that was written is on disk, and the head file says so.
        let mut log = Log::<Record>::open(dir.path(), &opening(), |_| ()).unwrap().0;
        log.sync().unwrap();
        drop(log);
        change(dir.path());
        assert!(Journal::open(dir.path(), &opening()).is_err() || verify(dir.path()).is_err(), "{what}");
        let done = set_aside(dir.path());
        assert_eq!(done.len(), 1, "{what}: {done:?}");
        verify(dir.path()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert!(matches!(last(dir.path()), Record::Quarantined { .. }), "{what}");
        Journal::open(dir.path(), &opening()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
}

#[test]
fn an_engine_at_work_is_not_disturbed() {
    let dir = tempdir().unwrap();
    write(dir.path(), 50);
    let held = Journal::open(dir.path(), &opening()).unwrap();
    let error = quarantine(dir.path(), &opening()).unwrap_err();
    assert!(error.to_string().contains("another engine"), "{error}");
    drop(held);
}

#[test]
fn a_quarantine_that_was_killed_is_finished_by_the_next() {
    let (whole, all) = (tempdir().unwrap(), records());
    write(whole.path(), 50);
    for found in snapshots(whole.path()).unwrap() {
        flip(&found.path, 2);
    }
    flip(&sealed(whole.path()).unwrap()[1].path, 10);
    let damaged = sealed(whole.path()).unwrap();
    // After the new active segment got its name: of what was to go, all is there, or only the last.
    for left in 1..damaged.len() {
        let dir = tempdir().unwrap();
        copy(whole.path(), dir.path());
        let after = Log::<serde_json::Value>::read(dir.path()).unwrap().filter_map(Result::ok).count();
        set_aside(dir.path());
        for one in &damaged[left..] {
            std::fs::copy(&one.path, sealed_path(dir.path(), one.seq)).unwrap();
        }
        std::fs::copy(whole.path().join("journal.head"), dir.path().join("journal.head")).unwrap();
        assert!(Journal::open(dir.path(), &opening()).is_err(), "it is refused until it is finished");
        set_aside(dir.path());
        assert_eq!(sealed(dir.path()).unwrap().len(), 1);
        verify(dir.path()).unwrap();
        assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, fold(&all[..after]));
    }
}
