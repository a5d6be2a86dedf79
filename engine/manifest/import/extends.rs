//! `extends`: the keys of another service of the file become those of this one.
//!
//! | both say | becomes |
//! |---|---|
//! | a mapping | both, entry by entry; a list of `NAME=value` counts as a mapping where the other is one |
//! | a list | the other's, then this one's, each once |
//! | anything else, `command`, `entrypoint`, `test` | this one's |

use indexmap::IndexMap;

use super::finding::Findings;
use super::item::Item;
use crate::manifest::node::{Data, Entry, Node};

/// The file with every `extends` carried out.
pub(super) fn flattened(root: &Node, findings: &mut Findings<'_>) -> Node {
    let mut flat = root.clone();
    let Some(services) = Item::root(root).get("services") else { return flat };
    for (name, service) in services.entries() {
        let node = resolve(&services, &service, &mut vec![name], findings);
        if let Some(map) = flat.map_mut().and_then(|map| map.get_mut("services")?.node.map_mut())
            && let Some(entry) = map.get_mut(name)
        {
            entry.node = node;
        }
    }
    flat
}

fn resolve<'a>(services: &Item<'a>, service: &Item<'a>, seen: &mut Vec<&'a str>, findings: &mut Findings<'_>) -> Node {
    let mut own = service.node.clone();
    let Some(extends) = service.get("extends") else { return own };
    if let Some(file) = extends.get("file") {
        let hint = "flatten it first: `docker compose config > whole.yaml`, and import that";
        findings.not_mapped(&file, "other files are not read: what this service takes from there is missing", hint);
        // The key stays: it says that keys may be missing.
        return own;
    }
    if let Some(map) = own.map_mut() {
        map.shift_remove("extends");
    }
    let named = extends.get("service").unwrap_or_else(|| extends.clone());
    let Some(name) = named.node.text() else {
        findings.wrong_type(&named, "the name of a service");
        return own;
    };
    let Some((name, base)) = services.entries().find(|(other, _)| *other == name) else {
        findings.error(&named, "unknown-service", format!("`{}` names `{name}`, and there is no such service", named.path), "");
        return own;
    };
    if seen.contains(&name) {
        let message = format!("services extend each other: {} → {name}", seen.join(" → "));
        findings.error(&named, "cyclic-extends", message, "take one `extends` out");
        return own;
    }
    seen.push(name);
    let base = resolve(services, &base, seen, findings);
    seen.pop();
    merged("", base, own)
}

/// What two services say together; `own` wins.
fn merged(key: &str, base: Node, own: Node) -> Node {
    if matches!(key, "command" | "entrypoint" | "test") {
        return own;
    }
    let place = own.place;
    match (base.data, own.data) {
        (Data::Map(base), Data::Map(own)) => Node { data: Data::Map(entries(base, own)), place },
        (Data::Map(base), Data::List(own)) => Node { data: Data::Map(entries(base, pairs(own))), place },
        (Data::List(base), Data::Map(own)) => Node { data: Data::Map(entries(pairs(base), own)), place },
        (Data::List(mut base), Data::List(own)) => {
            for node in own {
                if !base.iter().any(|known| known.to_value() == node.to_value()) {
                    base.push(node);
                }
            }
            Node { data: Data::List(base), place }
        }
        (_, own) => Node { data: own, place },
    }
}

fn entries(mut base: IndexMap<String, Entry>, own: IndexMap<String, Entry>) -> IndexMap<String, Entry> {
    for (key, entry) in own {
        let node = match base.get(&key) {
            Some(known) => merged(&key, known.node.clone(), entry.node),
            None => entry.node,
        };
        base.insert(key, Entry { key: entry.key, node });
    }
    base
}

/// A list of `NAME=value` as a mapping.
fn pairs(items: Vec<Node>) -> IndexMap<String, Entry> {
    let pair = |node: Node| {
        let text = node.text()?;
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        let data = value.map_or(Data::Null, |value| Data::Text(value.to_owned()));
        Some((key.to_owned(), Entry { key: node.place, node: Node { data, place: node.place } }))
    };
    items.into_iter().filter_map(pair).collect()
}
