//! What is no longer kept goes by whole segments, and the chain stays verifiable.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use opensculpt::base::time::Timestamp;
use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::error::ReadError;
use opensculpt::journal::follow;
use opensculpt::journal::read::Entry;
use opensculpt::journal::segment::{sealed, snapshots};
use opensculpt::journal::verify::{Gone, Taken, verify};
use opensculpt::kernel::record::Record;
use opensculpt::manifest::config::Retention;
use tempfile::tempdir;

use super::story::{Writer, copy, flip, fold, opening, records};

const DAY: u64 = 86_400_000;

/// The records, with the four runs that end among them days apart.
fn spread() -> Vec<Entry<Record>> {
    let mut days = 0;
    let mut entries = records();
    for entry in &mut entries {
        days += u64::from(matches!(entry.record, Record::RunStarted { .. }));
        entry.at = Timestamp(entry.at.0 + days * 10 * DAY);
    }
    entries
}

fn kept(dir: &Path, retention: Retention) -> Writer {
    let mut writer = Writer::open(dir, 20);
    writer.retention = retention;
    for entry in &spread() {
        writer.write(entry);
    }
    writer
}

#[test]
fn whole_segments_go_and_the_chain_is_whole_without_them() {
    let dir = tempdir().unwrap();
    let writer = kept(dir.path(), Retention { runs: 1, days: 25 });
    let pruned: Vec<(u64, u64)> = writer
        .own
        .iter()
        .filter_map(|record| match record {
            Record::Pruned { first, last, .. } => Some((*first, *last)),
            _ => None,
        })
        .collect();
    assert!(pruned.len() > 1 && pruned[0].0 == 0, "{pruned:?}");
    assert!(pruned.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1), "{pruned:?}");
    let gone = pruned.last().unwrap().1;
    assert_eq!(sealed(dir.path()).unwrap()[0].seq, gone + 1);
    let state = writer.state;
    drop(writer.journal);
    let verified = verify(dir.path()).unwrap();
    assert_eq!(verified.gone, [Gone { first: 0, last: gone, why: Taken::Pruned }]);
    let opened = Journal::open(dir.path(), &opening()).unwrap();
    assert_eq!(opened.state, state);
    // What lives, and what is proved, is as if all had been kept; only history is shorter.
    let (mut whole, mut short) = (fold(&spread()), state);
    let goal = |state: &opensculpt::kernel::state::State| state.goals["shop"].past.iter().map(|run| run.id.0.clone()).collect::<Vec<_>>();
    assert_eq!((goal(&whole), goal(&short)), (vec!["shop.1".to_owned(), "shop.2".to_owned()], vec!["shop.2".to_owned()]));
    for state in [&mut whole, &mut short] {
        state.goals.values_mut().for_each(|goal| goal.past.clear());
    }
    assert_eq!(whole, short);
}

#[test]
fn a_run_that_goes_on_keeps_what_came_after_its_beginning() {
    let dir = tempdir().unwrap();
    // The first run of `shop` waits for a person: however old it is by then, nothing of it goes.
    let (all, mut writer) = (records(), Writer::open(dir.path(), 10));
    writer.retention = Retention { runs: 1, days: 1 };
    let waits = all.iter().position(|entry| matches!(entry.record, Record::Asked { .. })).unwrap();
    all[..=waits].iter().for_each(|entry| writer.write(entry));
    let engine = Record::EngineStarted { version: "0".to_owned(), pid: 1, torn: 0 };
    for day in 1..100 {
        writer.write(&Entry { seq: 0, at: Timestamp(all[waits].at.0 + day * DAY), record: engine.clone() });
    }
    assert_eq!(writer.own, [], "nothing went");
    assert_eq!(sealed(dir.path()).unwrap()[0].seq, 0);
}

#[test]
fn what_a_dead_engine_had_not_removed_yet_is_removed_by_the_next() {
    let (dir, before) = (tempdir().unwrap(), tempdir().unwrap());
    let mut writer = Writer::open(dir.path(), 20);
    writer.retention = Retention { runs: 1, days: 25 };
    let mut segments = None;
    for entry in spread() {
        if segments.is_none() {
            drop(std::fs::remove_dir_all(before.path().join("journal")));
            copy(dir.path(), before.path());
        }
        writer.write(&entry);
        if writer.own.iter().any(|record| matches!(record, Record::Pruned { .. })) {
            segments.get_or_insert_with(|| sealed(dir.path()).unwrap());
            break;
        }
    }
    let state = writer.state;
    drop(writer.journal);
    for old in sealed(before.path()).unwrap() {
        let place = dir.path().join("journal").join(old.path.file_name().unwrap());
        if !place.exists() && old.seq < segments.as_ref().unwrap()[0].seq {
            std::fs::copy(&old.path, place).unwrap();
        }
    }
    assert!(sealed(dir.path()).unwrap().len() > segments.as_ref().unwrap().len(), "what was removed is there again");
    assert_eq!(verify(dir.path()).unwrap().gone, [], "nothing is missing");
    assert_eq!(Journal::open(dir.path(), &opening()).unwrap().state, state);
    assert_eq!(sealed(dir.path()).unwrap(), segments.unwrap());
}

#[test]
fn nothing_goes_before_two_snapshots_stand_for_it() {
    let dir = tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), 20);
    writer.retention = Retention { runs: 1, days: 1 };
    let engine = Record::EngineStarted { version: "0".to_owned(), pid: 1, torn: 0 };
    let write = |writer: &mut Writer, number: u64| {
        writer.write(&Entry { seq: 0, at: Timestamp(number * DAY), record: engine.clone() });
    };
    (0..20).for_each(|number| write(&mut writer, number));
    assert_eq!((snapshots(dir.path()).unwrap().len(), sealed(dir.path()).unwrap().len(), writer.own.len()), (1, 1, 0));
    // The snapshot is damaged before there is another: the next seal still has only one that is intact.
    flip(&snapshots(dir.path()).unwrap()[0].path, 2);
    (20..40).for_each(|number| write(&mut writer, number));
    assert_eq!((snapshots(dir.path()).unwrap().len(), writer.own.len()), (2, 0));
    (40..60).for_each(|number| write(&mut writer, number));
    assert!(matches!(writer.own[..], [Record::Pruned { first: 0, .. }]), "{:?}", writer.own);
}

#[test]
fn without_any_snapshot_a_pruned_journal_is_refused_and_kept() {
    let dir = tempdir().unwrap();
    drop(kept(dir.path(), Retention { runs: 1, days: 25 }));
    for found in snapshots(dir.path()).unwrap() {
        flip(&found.path, 2);
    }
    let first = sealed(dir.path()).unwrap()[0].seq;
    let said = format!("failed to read the journal: the records before {first} were pruned, and no snapshot stands for them");
    assert_eq!(follow::open(dir.path()).unwrap_err().to_string(), said);
    assert!(matches!(follow::open(dir.path()), Err(ReadError::Pruned { .. })));
    assert_eq!(Journal::open(dir.path(), &opening()).unwrap_err().to_string(), said);
    let error = opensculpt::journal::quarantine::quarantine(dir.path(), &opening()).unwrap_err();
    assert!(error.to_string().contains("nothing is left to go on from"), "{error}");
    assert!(verify(dir.path()).is_ok(), "what is there is as it was written");
}

#[test]
fn an_opened_journal_is_sealed_as_soon_as_it_is_written_to_where_it_is_too_large() {
    let dir = tempdir().unwrap();
    drop(super::story::write(dir.path(), u64::MAX));
    let Open { mut journal, state, .. } = Journal::open(dir.path(), &opening()).unwrap();
    journal.set_bounds(opensculpt::journal::segment::Bounds { bytes: 1 << 20, lines: 100 });
    assert_eq!(journal.tend(Timestamp(1), &state, super::story::ALL).unwrap(), []);
    assert_eq!(snapshots(dir.path()).unwrap()[0].seq, 239);
}

/// Writes, seals and prunes, and says what is surely written, until it is killed.
#[test]
#[ignore = "run by an_engine_killed_while_it_seals_and_prunes_leaves_a_journal_that_opens"]
fn child_keeps() {
    let mut writer = Writer::open(&super::given(), 5);
    writer.retention = Retention { runs: 1, days: 1 };
    let begun = writer.state.last_effect;
    for number in begun.. {
        let owner = opensculpt::base::owner::Owner::goal(&"g".into());
        let id = opensculpt::kernel::action::EffectId(number + 1);
        let effect = opensculpt::kernel::action::Effect::Remove;
        let at = Timestamp((number + 1) * DAY);
        writer.write(&Entry { seq: 0, at, record: Record::Requested { id, owner, effect } });
        writer.write(&Entry { seq: 0, at, record: Record::Observed { id, seen: opensculpt::kernel::action::Seen::Done } });
        println!("written {}", number + 1);
    }
}

#[test]
fn an_engine_killed_while_it_seals_and_prunes_leaves_a_journal_that_opens() {
    let dir = tempdir().unwrap();
    let mut known = 0;
    for round in 0..25_usize {
        let mut engine = super::child("retention::child_keeps", dir.path(), "").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(engine.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut written = lines.filter_map(|line| line.strip_prefix("written ").map(|number| number.parse::<u64>().unwrap()));
        known = written.nth(7 + round).expect("it writes until it is killed").max(known);
        engine.kill().unwrap();
        engine.wait().unwrap();
        known = written.max().unwrap_or(known).max(known);
        verify(dir.path()).unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        let following = follow::open(dir.path()).unwrap();
        assert!(following.ignored.is_empty(), "round {round}: {:?}", following.ignored);
        let opened = Journal::open(dir.path(), &opening()).unwrap();
        assert!(opened.state.last_effect >= known, "round {round}: what was written is there");
        assert!(opened.ignored.is_empty());
    }
    assert!(sealed(dir.path()).unwrap()[0].seq > 50, "it was pruned");
}
