//! The fenced blocks of a page; and every YAML in them holds.

use std::path::Path;

use opensculpt::interface::report::{self, Format};

use super::{Page, pages};
use crate::manifests;

/// A fenced block.
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
    /// The number of its first line in the page.
    pub(super) line: usize,
    /// The HTML comment on the line before it, where there is one.
    pub(super) marker: Option<String>,
}

pub(super) fn blocks(page: &Page) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut marker = None;
    for (number, line) in (1..).zip(page.text.lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                open = Some(Block { language: language.to_owned(), text: String::new(), line: number + 1, marker: marker.take() });
            }
            (None, None) => marker = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")).map(str::to_owned),
        }
    }
    assert!(open.is_none(), "{}: a block has no end", page.path.display());
    blocks
}

impl Block {
    /// Whether it is a whole manifest.
    pub(super) fn is_goal(&self) -> bool {
        self.language == "yaml" && self.text.lines().any(|line| line.starts_with("version:"))
    }

    /// The path in its first line, where that is a comment which names one.
    pub(super) fn file(&self) -> Option<&str> {
        self.text.lines().next()?.strip_prefix("# ").filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "yaml"))
    }
}

#[test]
fn every_manifest_in_a_page_is_valid() {
    let mut count = 0;
    for page in pages() {
        for block in blocks(&page).iter().filter(|block| block.is_goal()) {
            let found = match manifests::load_text(&block.text) {
                Ok(loaded) => loaded.warnings,
                Err(errors) => errors,
            };
            let place = format!("{}:{}", page.path.display(), block.line);
            assert!(found.is_empty(), "{place}\n{}", report::render(&found, Format::Human, false));
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} manifests were found");
}

#[test]
fn every_other_yaml_in_a_page_is_yaml() {
    let others: Vec<Block> = pages().iter().flat_map(blocks).filter(|block| block.language == "yaml" && !block.is_goal()).collect();
    assert!(!others.is_empty());
    for block in others {
        let value: Result<serde_json::Value, _> = serde_yaml::from_str(&block.text);
        assert!(value.as_ref().is_ok_and(serde_json::Value::is_object), "{value:?}\n{}", block.text);
    }
}
