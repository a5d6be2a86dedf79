//! The goals of this repository, played: without faults each ends green, with faults by the rules.

use opensculpt::adapters::rehearsal::faults::Faults;
use opensculpt::kernel::outcome::Verdict;

use super::{plan_of, play, root, some_faults};

/// The manifests of this repository.
pub(super) fn manifests() -> Vec<String> {
    let folders = ["goals", "goals/examples"].map(|folder| (folder, std::fs::read_dir(root().join(folder)).unwrap()));
    let mut found: Vec<String> = folders
        .into_iter()
        .flat_map(|(folder, entries)| entries.map(move |entry| format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy())))
        .filter(|path| std::path::Path::new(path).extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    assert!(found.len() >= 6, "{found:?}");
    found
}

fn plan(path: &str) -> opensculpt::plan::sealed::Plan {
    plan_of(path, &std::fs::read_to_string(root().join(path)).unwrap())
}

#[test]
fn every_goal_of_this_repository_ends_green_without_faults() {
    for path in manifests() {
        let watcher = play(&plan(&path), 1, &Faults::default(), false);
        assert_eq!(watcher.verdicts().first(), Some(&Verdict::Verified), "{path}\n{}", watcher.story());
    }
}

#[test]
fn every_goal_of_this_repository_is_carried_out_by_the_rules_with_faults() {
    for path in manifests() {
        for seed in 0..20 {
            play(&plan(&path), seed, &some_faults(seed), false);
        }
    }
}
