//! The goals of this repository load, validate without a word and compile, and this build acts on all that they declare.

use std::fs;
use std::path::PathBuf;

use opensculpt::interface::report::{self, Format};
use opensculpt::manifest::rules::{not_in_this_build, without_effect};
use opensculpt::manifest::settings::settle;
use opensculpt::plan::compile::{Inputs, compile};

use super::root;
use crate::manifests;

fn goals() -> Vec<PathBuf> {
    let files = ["goals", "goals/examples"].iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let mut goals: Vec<PathBuf> =
        files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
    goals.sort();
    assert!(goals.len() >= 6, "{goals:?}");
    goals
}

#[test]
fn every_goal_is_valid_and_has_a_plan() {
    for path in goals() {
        let shown = |found: &[_]| format!("{}\n{}", path.display(), report::render(found, Format::Human, false));
        let loaded = manifests::load(&path).unwrap_or_else(|found| panic!("{}", shown(&found)));
        assert!(loaded.warnings.is_empty(), "{}", shown(&loaded.warnings));
        let unsupported = not_in_this_build(&loaded.goal, &loaded.document);
        assert!(unsupported.is_empty(), "{}", shown(&unsupported));
        let ignored = without_effect(&loaded.goal, &loaded.document);
        assert!(ignored.is_empty(), "{}", shown(&ignored));
        let params = settle(&loaded.goal.params, &[]).unwrap();
        let plan = compile(&loaded.goal, &Inputs { params, ..Inputs::default() }).unwrap();
        assert!(!plan.phases.is_empty());
    }
}

#[test]
fn a_goal_has_the_name_of_its_file_and_names_its_schema() {
    for path in goals() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| panic!("{}: {first}", path.display()));
        let schema = path.parent().unwrap().join(schema);
        assert!(schema.exists(), "{}: {} is not there", path.display(), schema.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(text.contains(&format!("\nname: {name}\n")), "{} has another name", path.display());
    }
}
