//! The house keeps its shape: imports go down only, rooms stay small, no test file is forgotten.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proc_macro2::{TokenStream, TokenTree};

/// The floors, from the ground up.
const FLOORS: [&str; 10] = ["base", "manifest", "plan", "kernel", "journal", "views", "ports", "adapters", "driver", "interface"];

/// The most lines of a room. The longest today hold one table or one machine each.
const ROOM: usize = 400;

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned()
}

/// The module path of a file of the library: `kernel::phase`.
fn module(path: &Path) -> Vec<String> {
    let relative = relative(path);
    let inner = relative.strip_prefix("engine/").unwrap().strip_suffix(".rs").unwrap();
    inner.split('/').filter(|part| *part != "mod").map(str::to_owned).collect()
}

/// The top-level modules that a file names through `crate::…` or `super::…`, by its tokens: comments and texts do not count.
fn named_floors(tokens: TokenStream, module: &[String], depth: usize, found: &mut Vec<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let ident = |at: usize| match trees.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    };
    let is_path = |at: usize| {
        let colon = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        colon(trees.get(at)) && colon(trees.get(at + 1))
    };
    let mut at = 0;
    while at < trees.len() {
        match ident(at).as_deref() {
            Some("crate") if is_path(at + 1) => {
                match &trees.get(at + 3) {
                    Some(TokenTree::Ident(floor)) => found.push(floor.to_string()),
                    Some(TokenTree::Group(group)) => found.extend(group.stream().into_iter().filter_map(|tree| match tree {
                        TokenTree::Ident(floor) => Some(floor.to_string()),
                        _ => None,
                    })),
                    _ => {}
                }
                at += 3;
            }
            Some("super") if is_path(at + 1) => {
                // `super` in a nested module is one step nearer to the file's own module.
                let mut ups = 1;
                while ident(at + 3).as_deref() == Some("super") && is_path(at + 4) {
                    ups += 1;
                    at += 3;
                }
                let above = (module.len() + depth).saturating_sub(ups);
                if above == 0
                    && let Some(floor) = ident(at + 3)
                {
                    found.push(floor);
                }
                at += 3;
            }
            Some("mod") if matches!(trees.get(at + 2), Some(TokenTree::Group(_))) => {
                if let Some(TokenTree::Group(group)) = trees.get(at + 2) {
                    named_floors(group.stream(), module, depth + 1, found);
                }
                at += 3;
            }
            _ => {
                if let TokenTree::Group(group) = &trees[at] {
                    named_floors(group.stream(), module, depth, found);
                }
                at += 1;
            }
        }
    }
}

#[test]
fn imports_go_down_only() {
    let mut upward = Vec::new();
    for path in sources("engine") {
        let module = module(&path);
        let Some(own) = FLOORS.iter().position(|floor| module.first().is_some_and(|first| first == floor)) else { continue };
        let mut named = Vec::new();
        let text = fs::read_to_string(&path).unwrap();
        named_floors(TokenStream::from_str(&text).unwrap(), &module, 0, &mut named);
        for floor in named {
            if FLOORS.iter().position(|other| *other == floor).is_some_and(|other| other > own) {
                upward.push(format!("{} imports {floor}", relative(&path)));
            }
        }
    }
    assert!(upward.is_empty(), "a floor imports only floors below it:\n{}", upward.join("\n"));
}

#[test]
fn the_walk_sees_what_text_would_miss() {
    let module = ["kernel".to_owned(), "phase".to_owned()];
    let seen = |text: &str| {
        let mut found = Vec::new();
        named_floors(TokenStream::from_str(text).unwrap(), &module, 0, &mut found);
        found
    };
    assert_eq!(seen("use crate::driver::engine::Engine;"), ["driver"]);
    assert_eq!(seen("use super::super::driver;"), ["driver"]);
    assert_eq!(seen("mod tests { use super::super::super::driver; fn f() { crate::adapters::x(); } }"), ["driver", "adapters"]);
    assert_eq!(seen("use crate::{base::name::Name, views};"), ["base", "name", "Name", "views"]);
    assert!(seen("// crate::driver\nuse super::outcome; const T: &str = \"crate::driver\";").is_empty());
}

#[test]
fn every_folder_of_the_library_is_a_floor() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("engine")).unwrap();
    for entry in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        assert!(FLOORS.contains(&name.as_str()), "engine/{name} is not a floor");
    }
}

#[test]
fn rooms_are_small() {
    let large: Vec<String> = sources("engine")
        .iter()
        .map(|path| (relative(path), fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > ROOM)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(large.is_empty(), "find the idea in it that wants a name:\n{}", large.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for path in sources("tests") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path == root.join("all.rs") || name == "mod" {
            continue;
        }
        let folder = path.parent().unwrap();
        let parents = [folder.join("mod.rs"), root.join("all.rs"), folder.with_extension("rs")];
        let declared =
            parents.iter().filter_map(|parent| fs::read_to_string(parent).ok()).any(|text| text.contains(&format!("mod {name};")));
        assert!(declared, "{} is part of no test binary", relative(&path));
    }
}
