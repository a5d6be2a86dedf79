//! The verbs that only read and write files: init, validate, schema.

use super::{sculpt, workspace};

const WRONG: &str = "version: \"1\"\nname: wrong\nphases:\n  a:\n    rn: \"true\"\n  b: { needs: [c], run: \"true\" }\n";

#[test]
fn init_makes_a_workspace_that_runs_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let first = sculpt(dir.path(), &["init"]);
    insta::assert_snapshot!("init", first.shown(dir.path()));
    let hello = dir.path().join("goals/hello.yaml");
    assert_eq!(sculpt(dir.path(), &["validate", "goals/hello.yaml"]).code, 0, "what init writes is valid");

    std::fs::write(&hello, "mine").unwrap();
    std::fs::write(dir.path().join(".opensculpt/.gitignore"), "mine").unwrap();
    let again = sculpt(dir.path(), &["init"]);
    insta::assert_snapshot!("init_again", again.shown(dir.path()));
    assert_eq!(std::fs::read_to_string(&hello).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(dir.path().join(".opensculpt/.gitignore")).unwrap(), "mine");
}

#[test]
fn init_writes_no_goal_beside_others() {
    let dir = workspace(&[("other.yaml", "")]);
    assert_eq!(sculpt(dir.path(), &["--json", "init"]).json()["made"], serde_json::json!([".opensculpt/"]));
    assert!(!dir.path().join("goals/hello.yaml").exists());
}

#[test]
fn validate_says_all_that_is_wrong_and_exits_2() {
    let dir = workspace(&[("wrong.yaml", WRONG), ("good.yaml", "version: \"1\"\nname: good\nphases: { a: { run: \"true\" } }\n")]);
    let files = ["validate", "goals/good.yaml", "goals/wrong.yaml"];
    insta::assert_snapshot!("validate", sculpt(dir.path(), &files).shown(dir.path()));
    assert_eq!(sculpt(dir.path(), &files[..2]).shown(dir.path()), "exit 0\n--- out\n+ goals/good.yaml is valid\n");
    let json = sculpt(dir.path(), &["--json", "validate", "goals/wrong.yaml"]);
    assert_eq!((json.code, json.json()["errors"].as_u64()), (2, Some(2)));
    let github = sculpt(dir.path(), &["validate", "--format", "github", "goals/wrong.yaml"]);
    assert!(github.out.starts_with("::error file=goals/wrong.yaml,line=5,"), "{}", github.out);
    let sarif = sculpt(dir.path(), &["validate", "--format", "sarif", "goals/wrong.yaml"]).json();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "unknown-key");
}

#[test]
fn schema_is_the_one_of_this_program() {
    let dir = workspace(&[]);
    let schema = sculpt(dir.path(), &["schema"]);
    assert_eq!(schema.out, opensculpt::manifest::schema::text(opensculpt::manifest::schema::goal()));
    assert_eq!(sculpt(dir.path(), &["schema", "goal"]).out, schema.out);
}

#[test]
fn paths_are_relative_to_the_folder_that_is_named() {
    let dir = workspace(&[("good.yaml", "version: \"1\"\nname: good\nphases: { a: { run: \"true\" } }\n")]);
    let other = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    assert_eq!(sculpt(other.path(), &["-C", folder, "validate", "goals/good.yaml"]).code, 0);
    assert_eq!(sculpt(other.path(), &["validate", "-C", folder, "goals/good.yaml"]).code, 0);
    assert_eq!(sculpt(other.path(), &["validate", "goals/good.yaml"]).code, 2);
}
