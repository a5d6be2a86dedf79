//! The corpus: manifests that must be accepted, and manifests that must be refused with exactly these words.
//!
//! Beside each `tests/manifests/invalid/NAME.yaml` stands `NAME.txt`, what `sculpt validate` prints for it. A valid manifest that is warned
//! about has one too. `UPDATE=1 cargo test manifests` writes them anew: read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use opensculpt::base::diagnostic::{Diagnostic, Severity};
use opensculpt::interface::report::{self, Format};
use opensculpt::manifest::load::{self, Loaded};

mod hostile;
mod properties;
mod schema;

pub(crate) fn corpus(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Loads a file of the project under its path in the project, so that no report names this machine.
pub(crate) fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = path.strip_prefix(root).unwrap().to_str().unwrap();
    load::load(name, &|name| fs::read(root.join(name)).map_err(|error| error.to_string()))
}

/// Loads a text that stands alone.
pub(crate) fn load_text(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    load::load("goal.yaml", &alone(text))
}

/// A disk with one file.
pub(crate) fn alone(text: &str) -> impl Fn(&str) -> Result<Vec<u8>, String> {
    move |path| if path == "goal.yaml" { Ok(text.as_bytes().to_vec()) } else { Err("no such file".to_owned()) }
}

fn compare(path: &Path, found: &[Diagnostic], wrong: &mut Vec<String>) {
    let expected_path = path.with_extension("txt");
    let actual = report::render(found, Format::Human, false);
    let expected = fs::read_to_string(&expected_path).unwrap_or_default();
    if actual == expected {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        if actual.is_empty() {
            fs::remove_file(&expected_path).unwrap();
        } else {
            fs::write(&expected_path, &actual).unwrap();
        }
        return;
    }
    wrong.push(format!("{}: expected\n{expected}\nbut found\n{actual}", path.display()));
}

#[test]
fn invalid_manifests_are_refused_with_exactly_these_words() {
    let mut wrong = Vec::new();
    for path in corpus("invalid") {
        match load(&path) {
            Err(found) => {
                assert!(found.iter().any(|finding| finding.severity == Severity::Error), "{}", path.display());
                compare(&path, &found, &mut wrong);
            }
            Ok(_) => wrong.push(format!("{} was accepted", path.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn valid_manifests_are_accepted() {
    let mut wrong = Vec::new();
    for path in corpus("valid") {
        match load(&path) {
            Ok(loaded) => compare(&path, &loaded.warnings, &mut wrong),
            Err(found) => wrong.push(format!("{} was refused:\n{}", path.display(), report::render(&found, Format::Human, false))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_goals_of_this_repository_are_accepted_without_a_warning() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("goals")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("phases") {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "yaml") && fs::read_to_string(&path).unwrap().contains("\nphases:") {
                seen += 1;
                match load(&path) {
                    Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", report::render(&loaded.warnings, Format::Human, false)),
                    Err(found) => panic!("{}", report::render(&found, Format::Human, false)),
                }
            }
        }
    }
    assert!(seen >= 2);
}

fn value(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/valid").join(name);
    serde_json::to_value(load(&path).unwrap().goal).unwrap()
}

#[test]
fn merge_keys_and_anchors_give_the_values_that_yaml_says() {
    let goal = value("anchors_and_merge_keys.yaml");
    let retry = serde_json::json!({ "attempts": 3, "backoff": { "initial": "1s", "factor": 2.0, "max": "1m" } });
    assert_eq!(goal["phases"]["a"]["retry"], retry);
    assert_eq!(goal["phases"]["a"]["env"], serde_json::json!({ "A": "one", "B": "two" }));
    // Written out wins over merged, the first of a list over the second, and a merge never goes deep.
    let b = &goal["phases"]["b"];
    assert_eq!((&b["timeout"], &b["working_dir"], &b["env"]), (&"7m".into(), &"src".into(), &serde_json::json!({ "A": "mine" })));
    assert!(goal.get("x-base").is_none());
}

#[test]
fn words_of_yaml_1_1_are_texts() {
    let goal = value("yaml_1_1_words.yaml");
    assert_eq!(goal["name"], "no");
    assert_eq!(goal["phases"]["on"]["run"], serde_json::json!(["echo", "yes", "no", "off", "~x"]));
    let words = value("words_that_readers_differ_on.yaml");
    assert_eq!(words["phases"]["a"]["run"], serde_json::json!(["echo", "010", "1_000", "12:30:45", "0755"]));
    assert_eq!(
        goal["phases"]["on"]["env"],
        serde_json::json!({ "ANSWER": "no", "COUNTRY": "NO", "FLAG": true, "NUMBER": 7, "NEGATIVE": -1.5 })
    );
    assert_eq!(goal["phases"]["on"]["resources"]["srv"]["restart"], "no");
}

#[test]
fn line_ends_and_byte_order_marks_leave_no_trace() {
    assert_eq!(value("crlf.yaml")["phases"]["a"]["run"], "one\ntwo\n");
    assert_eq!(value("bom.yaml")["version"], "1");
}

#[test]
fn reusable_phases_and_included_files_become_part_of_the_goal() {
    let goal = value("include_and_uses.yaml");
    assert_eq!(goal["env"]["SHARED"], "yes");
    let names: Vec<&String> = goal["phases"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["own", "after", "included", "more"]);
    let own = &goal["phases"]["own"];
    // What the naming phase says wins; environments add up; params are gone.
    assert_eq!(own["env"], serde_json::json!({ "PGUSER": "other", "PGPORT": "6543" }));
    assert_eq!(own["when"], "\"postgres\" != \"nobody\"");
    assert_eq!(own["outputs"]["url"], "postgres://postgres@localhost:{{ 6543 + 0 }}/");
    assert_eq!((&own["timeout"], own.get("uses"), own.get("with")), (&"5m".into(), None, None));
    let more = &goal["phases"]["more"];
    assert_eq!(more["resources"]["db"]["process"], "postgres -p {{ (params.port) }}");
    assert_eq!(more["run"], "initdb -U me");
}
