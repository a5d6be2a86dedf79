//! docs/compose.md: its Compose files become the goals beside them, and it names every key that is lost.

use std::collections::BTreeSet;

use opensculpt::interface::report::{self, Format};
use opensculpt::manifest::import::Kind;
use opensculpt::manifest::import::compose::{Compose, import};
use opensculpt::manifest::import::keys::{Fate, SERVICE};

use super::Page;
use super::blocks::blocks;
use crate::manifests;

#[test]
fn each_compose_file_becomes_the_goal_below_it() {
    let page = Page::read("docs/compose.md");
    let blocks = blocks(&page);
    let mut count = 0;
    for (index, block) in blocks.iter().enumerate() {
        let Some(lost) = block.marker.as_deref().and_then(|marker| marker.strip_prefix("compose")) else { continue };
        let bytes = block.text.clone().into_bytes();
        let imported = import(Compose { path: "compose.yaml", bytes, folder: "", project: "none" })
            .unwrap_or_else(|found| panic!("line {}\n{}", block.line, report::render(&found, Format::Human, false)));
        let found: Vec<&str> =
            imported.findings.iter().filter(|finding| finding.kind == Kind::NotMapped).map(|finding| finding.path.as_str()).collect();
        let said: Vec<&str> = lost.trim_start_matches(':').split_whitespace().collect();
        assert_eq!(found, said, "line {}", block.line);
        let goal = &blocks[index + 1];
        assert_eq!(goal.marker.as_deref(), Some("goal of it"), "line {}", goal.line);
        let value = |text: &str| serde_json::to_value(manifests::load_text(text).unwrap().goal).unwrap();
        assert_eq!(value(&goal.text), value(&imported.manifest), "line {}:\n{}", goal.line, imported.manifest);
        count += 1;
    }
    assert!(count >= 2, "only {count} files were found");
}

#[test]
fn every_lost_key_is_named_and_no_other() {
    let page = Page::read("docs/compose.md");
    let (_, after) = page.text.split_once("<!-- lost keys of a service -->\n").unwrap();
    let paragraph = after.split("\n\n").next().unwrap();
    let named: BTreeSet<&str> = paragraph.split('`').skip(1).step_by(2).collect();
    let lost: BTreeSet<&str> = SERVICE.iter().filter(|(_, fate)| matches!(fate, Fate::Lost(..))).map(|(key, _)| *key).collect();
    assert_eq!(named, lost);
}
