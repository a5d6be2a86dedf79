//! Help and completions.

use clap::CommandFactory as _;
use opensculpt::interface::cli::sculpt::Sculpt;

use super::{sculpt, workspace};

#[test]
fn the_first_page_is_short_and_names_every_verb() {
    let dir = workspace(&[]);
    let help = sculpt(dir.path(), &["--help"]);
    insta::assert_snapshot!(help.shown(dir.path()));
    assert!(help.out.lines().count() <= 45, "it fits on a screen");
    for verb in Sculpt::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let line = format!("\n  {} ", verb.get_name());
        assert!(help.out.contains(&line), "{} is not on the first page", verb.get_name());
    }
}

#[test]
fn every_verb_has_a_page_and_a_shell_knows_it() {
    let dir = workspace(&[]);
    let script = sculpt(dir.path(), &["completions", "bash"]);
    assert_eq!(script.code, 0);
    for verb in Sculpt::command().get_subcommands() {
        let page = sculpt(dir.path(), &[verb.get_name(), "--help"]);
        assert_eq!((page.code, page.out.contains("Usage:")), (0, true), "{}", verb.get_name());
        assert!(script.out.contains(verb.get_name()), "{}", verb.get_name());
    }
}

#[test]
fn the_parser_is_well_formed() {
    Sculpt::command().debug_assert();
}
