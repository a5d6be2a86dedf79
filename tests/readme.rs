//! What a newcomer reads is true: the README, the pages of docs/ and the goals are run as tests.

use std::fs;
use std::path::{Path, PathBuf};

mod blocks;
mod captured;
mod compose;
mod console;
mod fields;
mod goals;
mod journal;
mod keys;
mod links;
mod sample;
mod tables;

/// The folder of this repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of this repository.
struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: &str) -> Self {
        let path = root().join(path);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }
}

/// All pages for people.
fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs.chain(top).filter(|path| path.extension().is_some_and(|ext| ext == "md")).collect();
    paths.sort();
    assert!(paths.len() >= 8, "{paths:?}");
    paths.iter().map(|path| Page::read(path.strip_prefix(root()).unwrap().to_str().unwrap())).collect()
}
