//! The script in docs/journal.md accepts a real journal and finds what is altered, lost or repeated in it.

use std::fs;

use super::Page;
use super::blocks::blocks;
use super::console::{Workspace, shell};

#[test]
fn a_journal_is_verified_with_standard_tools() {
    let page = Page::read("docs/journal.md");
    let script = blocks(&page).into_iter().find(|block| block.language == "sh").unwrap().text;
    let workspace = Workspace::new();
    let dir = workspace.path();
    fs::write(dir.join("check-journal.sh"), script).unwrap();
    fs::write(dir.join("g.yaml"), "version: \"1\"\nname: g\nphases: { p: { run: echo hello } }\n").unwrap();
    shell(dir, "sculpt run g.yaml");
    let check = |text: &str| {
        fs::write(dir.join("copy.jsonl"), text).unwrap();
        shell(dir, "sh check-journal.sh copy.jsonl")
    };
    let whole = fs::read_to_string(dir.join(".opensculpt/journal.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let head = lines.last().unwrap().rsplit('"').nth(1).unwrap();
    assert_eq!(check(&whole), format!("{} lines, head {head}\n", lines.len()));
    assert_eq!(check(&whole.replacen("\"phase\":0", "\"phase\":1", 1)).split(' ').skip(2).collect::<String>(), "wasaltered\n");
    let without: Vec<&str> = [&lines[..2], &lines[3..]].concat();
    assert_eq!(check(&(without.join("\n") + "\n")), "line 3 does not follow\n");
    let twice: Vec<&str> = [&lines[..3], &lines[2..]].concat();
    assert_eq!(check(&(twice.join("\n") + "\n")), "line 4 does not follow\n");

    // The one line above the script, for the line that it takes as its example.
    let one = blocks(&page).into_iter().find(|block| block.text.starts_with("sed ")).unwrap().text;
    let hash = lines[7].rsplit('"').nth(1).unwrap();
    assert_eq!(shell(dir, &one), format!("{hash}  -\n"));
}

#[test]
fn segments_are_verified_one_after_the_other_also_where_the_oldest_are_pruned() {
    let page = Page::read("docs/journal.md");
    let script = blocks(&page).into_iter().find(|block| block.language == "sh").unwrap().text;
    let command = script.lines().next().unwrap().strip_prefix("# ").unwrap();
    let workspace = Workspace::new();
    let dir = workspace.path();
    fs::write(dir.join("check-journal.sh"), &script).unwrap();
    let fixture = super::root().join("tests/journals/v2");
    fs::create_dir_all(dir.join(".opensculpt/journal")).unwrap();
    for entry in fs::read_dir(fixture.join("journal")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), dir.join(".opensculpt/journal").join(entry.file_name())).unwrap();
    }
    fs::copy(fixture.join("journal.jsonl"), dir.join(".opensculpt/journal.jsonl")).unwrap();
    let text = fs::read_to_string(fixture.join("journal.jsonl")).unwrap();
    let head = text.lines().last().unwrap().rsplit('"').nth(1).unwrap();
    let said = shell(dir, command);
    assert!(said.ends_with(&format!("head {head}\n")), "{said}");
    let gone = fs::read_dir(dir.join(".opensculpt/journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().unwrap() == "jsonl");
    let mut gone: Vec<_> = gone.collect();
    gone.sort();
    fs::remove_file(&gone[1]).unwrap();
    assert!(shell(dir, command).contains("does not follow"), "a segment in the middle is missed");
}
