//! `sculpt rehearse` as people and programs see it.

use super::goals::manifests;
use super::root;
use crate::cli::{command, sculpt, workspace};

const GOAL: &str = "version: \"1\"\nname: g\nphases:\n  a:\n    run: make a\n    retry: { attempts: 3 }\n    verify: { checks: [ { file: out/a } ] }\n  b:\n    needs: [a]\n    resources: { web: { process: serve b, ports: [ 8080 ], scope: goal } }\n    verify: { checks: [ { http: \"http://127.0.0.1:8080/\" } ] }\n";

#[test]
fn a_rehearsal_is_told_and_leaves_nothing() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    for line in ["verified g/a (proven", "ready g/b/web", "would stay: g/b/web (process)", "rehearsed with seed 0, faults: none"] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
    assert!(!said.out.contains("sculpt down") && !said.out.contains("sculpt why"), "there is nothing to look at\n{}", said.out);
    let there: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there, ["goals"], "nothing was made, and nothing of it is kept");
}

#[test]
fn the_same_seed_says_the_same() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    let mut stories = Vec::new();
    for seed in ["1", "2", "3", "4"] {
        let args = ["rehearse", "goals/g.yaml", "--faults", "all", "--seed", seed];
        let (one, two) = (sculpt(dir.path(), &args), sculpt(dir.path(), &args));
        assert_eq!((one.code, &one.out), (two.code, &two.out), "seed {seed}");
        stories.push(one.out);
    }
    stories.dedup();
    assert!(stories.len() > 1, "every seed is the same story");
}

#[test]
fn programs_read_lines_and_the_code_is_that_of_the_run() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml", "--faults", "red", "--seed", "3", "--json"]);
    let lines = said.lines();
    let summary = lines.last().unwrap();
    assert_eq!((summary["event"].as_str(), summary["exit_code"].as_i64()), (Some("summary"), Some(i64::from(said.code))));
    assert_eq!((summary["seed"].as_u64(), summary["faults"][0].as_str()), (Some(3), Some("red")));
    let fault = lines.iter().find(|line| line["event"] == "fault");
    assert_eq!(fault.is_some(), said.code != 0, "it fails by its fault alone\n{}", said.out);
    if let Some(fault) = fault {
        assert!(fault["place"].is_string() && fault["what"].is_string() && fault["fault"] == "red");
    }
}

#[test]
fn a_crash_is_told_and_gone_on_from() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    let crashed = (0..30).find_map(|seed| {
        let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml", "--faults", "crash", "--seed", &seed.to_string()]);
        (said.code == 0 && said.out.contains("fault [crash] engine 1 is killed")).then_some(said)
    });
    let said = crashed.expect("some seed kills the engine in time");
    assert_eq!(said.out.matches("g.1 started").count(), 1, "{}", said.out);
    assert!(said.out.contains("g.1 verified"), "{}", said.out);
}

#[test]
fn a_disk_in_trouble_stops_the_engine_and_is_gone_on_from() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    for (fault, says) in [
        ("disk-full", "fault [disk-full] the disk is full: engine 1 stops"),
        ("disk-full", "fault [disk-full] the disk has become read-only: engine 1 stops"),
        ("disk-fails", "fault [disk-fails] what is written does not reach the disk: engine 1 stops"),
    ] {
        let stopped = (0..60).find_map(|seed| {
            let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml", "--faults", fault, "--seed", &seed.to_string()]);
            (said.code == 0 && said.out.contains(says)).then_some(said)
        });
        let said = stopped.unwrap_or_else(|| panic!("no seed says: {says}"));
        assert_eq!(said.out.matches("g.1 started").count(), 1, "{}", said.out);
        assert!(said.out.contains("g.1 verified"), "{}", said.out);
    }
}

#[test]
fn an_unknown_fault_is_named_with_the_near_one() {
    let dir = workspace(&[("g.yaml", GOAL)]);
    let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml", "--faults", "crash,port-takn"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("`port-takn`") && said.err.contains("did you mean `port-taken`?"), "{}", said.err);
    let said = sculpt(dir.path(), &["rehearse", "goals/g.yaml", "--faults", "xyzzy"]);
    assert!(said.code == 2 && said.err.contains("the faults are crash, torn"), "{}", said.err);
}

#[test]
fn every_goal_of_this_repository_can_be_rehearsed() {
    for path in manifests() {
        let said = command(root(), &["rehearse", &path]).output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{path}: {}", String::from_utf8_lossy(&said.stderr));
    }
}
