//! The same seed is the same story: the same journal, byte for byte.

use indexmap::IndexMap;
use opensculpt::adapters::rehearsal::faults::Faults;
use opensculpt::adapters::workspace::Workspace;
use opensculpt::driver::rehearsal::{Rehearsal, Scene};
use opensculpt::kernel::input::Request;
use opensculpt::kernel::record::RunOptions;

use super::drawn::manifest;
use super::{plan_of, root, some_faults};

/// The journal's bytes and everything that was seen, in words.
fn story(seed: u64, faults: &Faults) -> (Vec<u8>, Vec<String>) {
    let plan = plan_of("goals/drawn.yaml", &manifest(seed));
    let mut rehearsal = Rehearsal::new(&Workspace::at(root()).unwrap(), &plan, seed, faults).unwrap();
    let mut told = Vec::new();
    let mut audience = |scene: Scene<'_>| match scene {
        Scene::Recorded(at, record, _) => told.push(format!("{} {record:?}", at.0)),
        Scene::Noted(note) => told.push(format!("{note:?}")),
        Scene::Begun(_) => told.push("an engine begins".to_owned()),
    };
    let request = Request::Run { plan: Box::new(plan), options: RunOptions::default(), seen: None };
    rehearsal.carry_out(&request, &IndexMap::new(), &mut audience).unwrap();
    let journal = std::fs::read(rehearsal.folder().join("journal.jsonl")).unwrap();
    (journal, told)
}

#[test]
fn the_same_seed_is_the_same_journal() {
    for seed in 0..40 {
        let faults = some_faults(seed);
        let (one, two) = (story(seed, &faults), story(seed, &faults));
        assert_eq!(one.1, two.1, "seed {seed}");
        assert!(one.0 == two.0, "the journals of seed {seed} differ");
    }
}

#[test]
fn other_seeds_are_other_stories() {
    let all = Faults::all();
    assert_ne!(story(1, &all).1, story(2, &all).1);
}

#[test]
fn nothing_is_left_on_the_host() {
    let plan = plan_of("goals/drawn.yaml", &manifest(1));
    let rehearsal = Rehearsal::new(&Workspace::at(root()).unwrap(), &plan, 1, &Faults::default()).unwrap();
    let folder = rehearsal.folder();
    assert!(folder.is_dir() && !folder.starts_with(root()));
    drop(rehearsal);
    assert!(!folder.exists());
}
