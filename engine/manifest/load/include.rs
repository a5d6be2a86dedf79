//! `include:`: the phases, params, secrets, env and daemons of other files become part of the goal.

use super::{Files, beside};
use crate::base::diagnostic::Diagnostic;
use crate::manifest::node::{Data, Entry, Node};

/// The mappings that are merged, entry by entry. Two files that declare the same entry clash.
const MERGED: [&str; 6] = ["params", "secrets", "env", "phases", "finally", "daemons"];
/// What an included file may say without it meaning anything here.
const IGNORED: [&str; 3] = ["version", "name", "description"];

/// Files that include files that include files… end here: a link to a folder above would never end.
const MAX_CHAIN: usize = 16;

/// Merges all included files, and what they include, into the root.
pub(super) fn merge(files: &mut Files<'_>, root: &mut Node, path: &str, found: &mut Vec<Diagnostic>) {
    let mut seen = vec![path.to_owned()];
    follow(files, root, path, &mut seen, &mut vec![path.to_owned()], found);
    // What is merged is no longer to be included; what is no list of texts is left for the schema to refuse.
    if let Some(map) = root.map_mut()
        && map
            .get("include")
            .is_some_and(|entry| matches!(&entry.node.data, Data::List(items) if items.iter().all(|item| item.text().is_some())))
    {
        map.shift_remove("include");
    }
}

fn follow(
    files: &mut Files<'_>,
    root: &mut Node,
    path: &str,
    seen: &mut Vec<String>,
    chain: &mut Vec<String>,
    found: &mut Vec<Diagnostic>,
) {
    // What is not a list of texts is left for the schema to refuse.
    let Some(Data::List(items)) = root.get("include").map(|node| node.data.clone()) else { return };
    for item in items {
        let Some(text) = item.text() else { continue };
        let target = beside(path, text);
        if chain.contains(&target) || chain.len() >= MAX_CHAIN {
            chain.push(target);
            found.push(files.error(&item, "cyclic-include", format!("this file includes itself: {}", chain.join(" → "))));
            chain.pop();
            continue;
        }
        // Two files may include the same third one.
        if seen.contains(&target) {
            continue;
        }
        seen.push(target.clone());
        let Some(mut part) = files.open_named(&target, &item, found) else { continue };
        chain.push(target.clone());
        follow(files, &mut part, &target, seen, chain, found);
        chain.pop();
        absorb(files, root, part, found);
    }
}

fn absorb(files: &Files<'_>, root: &mut Node, part: Node, found: &mut Vec<Diagnostic>) {
    let place = part.place;
    let (Data::Map(part), Some(root)) = (part.data, root.map_mut()) else {
        found.push(files.error_at(place, "wrong-type", "an included file is a mapping with `phases:`, `params:` and the like"));
        return;
    };
    for (key, entry) in part {
        if key == "include" || key.starts_with("x-") || IGNORED.contains(&key.as_str()) {
            continue;
        }
        if !MERGED.contains(&key.as_str()) {
            found.push(
                files.error_at(entry.key, "include-key", format!("`{key}` has no meaning in an included file")).hint(format!(
                    "an included file has {}; the goal itself says the rest",
                    MERGED.map(|key| format!("`{key}`")).join(", ")
                )),
            );
            continue;
        }
        merge_mapping(files, root, key, entry, found);
    }
}

fn merge_mapping(files: &Files<'_>, root: &mut indexmap::IndexMap<String, Entry>, key: String, entry: Entry, found: &mut Vec<Diagnostic>) {
    let Some(own) = root.get_mut(&key) else {
        root.insert(key, entry);
        return;
    };
    // What is no mapping is left for the schema to refuse.
    let (Some(own), Data::Map(theirs)) = (own.node.map_mut(), entry.node.data) else { return };
    for (name, their) in theirs {
        match own.get(&name) {
            Some(ours) => found.push(
                files
                    .error_at(their.key, "include-clash", format!("`{key}.{name}` is already declared at {}", files.name_place(ours.key)))
                    .hint("rename one of them, or move it into a file that both include"),
            ),
            None => {
                own.insert(name, their);
            }
        }
    }
}
