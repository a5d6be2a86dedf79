//! Files that mean harm, or were made by accident: each gets one clear answer, quickly.

use opensculpt::base::diagnostic::Diagnostic;
use opensculpt::manifest::load;

use super::load_text;

fn refused(text: &str) -> Diagnostic {
    load_text(text).expect_err("it must be refused").remove(0)
}

#[test]
fn ten_megabytes() {
    let mut text = String::from("version: \"1\"\nname: big\nphases:\n");
    while text.len() < 10 << 20 {
        text.push_str("  # a comment that fills the file\n");
    }
    let found = refused(&text);
    assert_eq!(found.rule, "file-too-big");
    assert!(found.message.contains("8388608"), "{}", found.message);
}

#[test]
fn billions_of_laughs() {
    let mut text = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        text.extend([format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "))]);
    }
    assert_eq!(refused(&text).rule, "too-many-values");
}

#[test]
fn a_scalar_bomb() {
    let mut text = format!("a0: &a0 {}\n", "x".repeat(100_000));
    text.extend([format!("b: [{}]\n", vec!["*a0"; 50_000].join(", "))]);
    assert_eq!(refused(&text).rule, "too-many-values");
}

#[test]
fn a_chain_of_aliases_does_not_nest_deeper_than_the_file_may() {
    let mut text = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        text.extend([format!("a{level}: &a{level} [*a{}]\n", level - 1)]);
    }
    assert_eq!(refused(&text).rule, "too-deep");
}

#[test]
fn nesting() {
    let block = (0..500).map(|level| format!("{}a:", " ".repeat(level))).collect::<Vec<_>>().join("\n");
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), block, "- ".repeat(10_000)] {
        assert_eq!(refused(&text).rule, "too-deep", "{}", &text[..20]);
    }
}

#[test]
fn bytes_that_are_no_text() {
    let found = load::load("goal.yaml", &|_| Ok(b"name: \xff\n".to_vec())).expect_err("it must be refused").remove(0);
    assert_eq!((found.rule, found.message.as_str()), ("not-utf-8", "the file is not UTF-8: byte 6, in line 1, starts no character"));
    for text in ["a: \0\n", "\u{1}", "a: \u{7f}\u{85}\n"] {
        assert!(load_text(text).is_err(), "{text:?}");
    }
}

#[test]
fn nothing_at_all() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "\u{feff}"] {
        assert_eq!(refused(text).rule, "empty-file", "{text:?}");
    }
}

#[test]
fn a_file_that_is_not_there() {
    let found = load::load("nowhere.yaml", &|_| Err("No such file or directory".to_owned())).expect_err("it must be refused").remove(0);
    assert_eq!((found.rule, found.message.as_str()), ("unreadable-file", "failed to read nowhere.yaml: No such file or directory"));
}
