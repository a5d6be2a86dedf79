//! A journal of 1,000,000 records: how long opening it takes, with snapshots and without, and whether one flipped bit is found.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use opensculpt::base::owner::Owner;
use opensculpt::base::time::Timestamp;
use opensculpt::journal::commit::{Journal, Open};
use opensculpt::journal::follow;
use opensculpt::journal::log::Opening;
use opensculpt::journal::segment::{Bounds, sealed, snapshots};
use opensculpt::journal::verify::verify;
use opensculpt::kernel::action::{Effect, EffectId, Exit, ProcessMark, RunId, Seen};
use opensculpt::kernel::outcome::{Outcome, Proof, Verdict};
use opensculpt::kernel::record::{Record, RunOptions};
use opensculpt::kernel::state::State;
use opensculpt::manifest::config::Retention;
use opensculpt::manifest::load::load;
use opensculpt::plan::compile::{Inputs, compile};
use opensculpt::plan::sealed::{PhaseIx, Plan};

use super::{SCULPT, goal, single, timed};

const RECORDS: u64 = 1_000_000;

/// Phases of each run.
const PHASES: usize = 100;

/// How many bits are flipped, one after the other.
const FLIPS: u64 = 8;

const OPENING: Opening<'static> = Opening { workspace: "bench", doing: "a benchmark", now: Timestamp(1_795_000_000_000) };
const ALL: Retention = Retention { runs: u32::MAX, days: u32::MAX };

/// Measures all of it.
pub fn bench(folder: &Path) {
    let (segmented, whole) = (folder.join("segmented"), folder.join("one-file"));
    for (place, bounds) in [(&segmented, Bounds::default()), (&whole, Bounds { bytes: u64::MAX, lines: u64::MAX })] {
        let dir = place.join(".opensculpt");
        fs::create_dir_all(&dir).expect("a folder");
        let begun = Instant::now();
        let size = write(&dir, bounds);
        let (segments, took) = (sealed(&dir).expect("it is listed").len() + 1, begun.elapsed().as_secs_f64());
        println!("journal, {RECORDS} records, {} MiB written in {took:.1} s: {segments} segments", size >> 20);
    }
    let dir = segmented.join(".opensculpt");
    let newest = snapshots(&dir).expect("they are listed").pop().expect("there is one");
    println!("{:<44} {} KiB", "  newest snapshot", fs::metadata(&newest.path).expect("it is there").len() >> 10);
    single("  replay with snapshots", || replay(&dir));
    single("  replay in full, one file of the last release", || replay(&whole.join(".opensculpt")));
    single("  sculpt status, with snapshots", || timed(&segmented, &[SCULPT, "status"]));
    single("  audit verify, every segment", || timed(&segmented, &[SCULPT, "audit", "verify"]));
    flips(&dir);
}

fn replay(dir: &Path) -> std::time::Duration {
    let begun = Instant::now();
    let mut following = follow::open(dir).expect("it opens");
    for entry in following.reader.by_ref().map(|entry| entry.expect("it is whole")) {
        following.state.apply(entry.at, &entry.record).expect("it fits");
    }
    begun.elapsed()
}

/// Writes records as an engine does, a commit for each few of them. Gives the size in bytes.
fn write(dir: &Path, bounds: Bounds) -> u64 {
    let text = goal(PHASES, false);
    let manifest = load("goal.yaml", &|_| Ok(text.as_bytes().to_vec())).expect("a good manifest").goal;
    let plan = compile(&manifest, &Inputs { manifest: "goal.yaml".to_owned(), ..Inputs::default() }).expect("a plan");
    let Open { mut journal, mut state, .. } = Journal::open(dir, &OPENING).expect("it opens");
    journal.set_bounds(bounds);
    let (mut written, mut at) = (0, OPENING.now.0);
    for number in 1.. {
        for batch in run(&plan, number) {
            if written + batch.len() as u64 > RECORDS {
                journal.sync().expect("it is synced");
                let files = sealed(dir).expect("they are listed").into_iter().map(|one| one.path);
                return files.chain([dir.join("journal.jsonl")]).map(|path| fs::metadata(path).expect("it is there").len()).sum();
            }
            at += 1;
            take(&mut journal, &mut state, Timestamp(at), &batch);
            written += batch.len() as u64;
        }
    }
    0
}

fn take(journal: &mut Journal, state: &mut State, at: Timestamp, batch: &[Record]) {
    for record in batch {
        state.apply(at, record).expect("it fits");
    }
    drop(journal.commit(at, batch).expect("it is written"));
    let own = journal.tend(at, state, ALL).expect("it is kept");
    for record in &own {
        state.apply(at, record).expect("it fits");
    }
}

/// What a run of that plan writes, commit by commit.
fn run(plan: &Plan, number: u64) -> Vec<Vec<Record>> {
    let run = RunId(format!("{}.{number}", plan.goal));
    let mut commits = vec![vec![Record::RunStarted { run: run.clone(), plan: Box::new(plan.clone()), options: RunOptions::default() }]];
    for (phase, planned) in plan.indexed() {
        commits.extend(attempt(plan, &run, phase, &Owner::phase(&plan.goal, &planned.name), number));
    }
    commits.push(vec![Record::RunEnded {
        run,
        verdict: Verdict::Verified,
        why: "all phases ended as they should".to_owned(),
        survivors: 0,
    }]);
    commits
}

fn attempt(plan: &Plan, run: &RunId, phase: PhaseIx, owner: &Owner, number: u64) -> [Vec<Record>; 3] {
    let id = EffectId(number * plan.phases.len() as u64 + u64::from(phase.0));
    let process = ProcessMark {
        pid: phase.0 + 2,
        start: number,
        boot: "b".repeat(36),
        unique: None,
        scope: format!("{owner}/{number}"),
        container: None,
    };
    let exited = Seen::Exited {
        exit: Exit::Code(0),
        leftovers: 0,
        survivors: Vec::new(),
        outputs: indexmap::IndexMap::new(),
        artifacts: Vec::new(),
        usage: opensculpt::kernel::usage::Usage { cpu_ms: Some(2), ..Default::default() },
        suspects: Vec::new(),
        contained: None,
    };
    let run = run.clone();
    [
        vec![
            Record::AttemptStarted { run: run.clone(), phase, attempt: 1 },
            Record::Requested { id, owner: owner.clone(), effect: Effect::Work { run: run.clone(), phase, attempt: 1 } },
        ],
        vec![Record::Observed { id, seen: Seen::Started { process } }],
        vec![
            Record::Observed { id, seen: exited },
            Record::Worked { run: run.clone(), phase, outputs: indexmap::IndexMap::new() },
            Record::PhaseEnded {
                run,
                phase,
                outcome: Outcome::Unverified,
                proof: Proof::None,
                fault: None,
                why: "nothing verifies it".to_owned(),
            },
        ],
    ]
}

/// Flips single bits, spread over the whole journal, and looks whether each is found.
fn flips(dir: &Path) {
    let mut files: Vec<_> = sealed(dir).expect("they are listed").into_iter().map(|one| one.path).collect();
    files.push(dir.join("journal.jsonl"));
    let mut found = 0;
    for flip in 0..FLIPS {
        let path = &files[usize::try_from(flip).expect("it is small") * files.len() / usize::try_from(FLIPS).expect("it is small")];
        let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("it opens");
        let at = file.metadata().expect("it is there").len() * (2 * flip + 1) / (2 * FLIPS);
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("it is read");
        file.write_all_at(&[byte[0] ^ (1 << (flip % 8))], at).expect("it is written");
        found += u64::from(verify(dir).is_err());
        file.write_all_at(&byte, at).expect("it is written");
    }
    assert!(verify(dir).is_ok(), "every bit is back");
    println!("{:<44} {found} of {FLIPS}", "  one flipped bit found by audit verify");
}
