//! What can still be judged of a manifest that the schema refuses: all errors are told at once, and none that is only the echo of another.
//!
//! | the schema says | what is gone on with |
//! |---|---|
//! | a key or a value has a mend (did you mean, quote it) | the mended one |
//! | an unknown key | without it |
//! | a wrong value | without its key, or without the element of the list |
//! | a wrong phase | an empty phase in its place |
//! | a wrong `templates` | no templates |
//! | a key is missing | without what misses it; a goal's `version` and `name` are made up |
//!
//! Of what is left the rules are asked. A finding of theirs that may be an echo is held back:
//!
//! | held back | because |
//! |---|---|
//! | what stands around a gap: at its parents, and at its neighbours in the same mapping | it may miss what was left out |
//! | what names something that is nowhere, or clashes, where a gap may have declared it or its order | it may be declared there |
//! | that something is used nowhere, where there is any gap | it may be used there |
//! | what stands where an error was told already | one is enough |

use std::cmp::Ordering;
use std::sync::Arc;

use super::node::{Aim, Data, Document, Node, Place, SourceId};
use super::validate::{self, Refused, What};
use super::yaml;
use crate::base::diagnostic::{Diagnostic, Source};

/// One mend may uncover the next: a check without its address is a check without a kind. Deeper than this nothing is mended.
const ROUNDS: usize = 4;

/// Rules that look for something by its name, or ask which comes first.
const NAMES: [&str; 9] = [
    "port-clash",
    "path-clash",
    "unknown-variable",
    "unknown-need",
    "unknown-phase",
    "unknown-resource",
    "unknown-dependency",
    "output-before-it-exists",
    "look-around",
];

/// Rules that say that nobody uses something.
const USES: [&str; 3] = ["unused-param", "unused-secret", "unchecked-port"];

/// The keys of a goal under which something gets a name.
const SECTIONS: [&str; 6] = ["params", "secrets", "phases", "finally", "include", "profiles"];

/// The keys of a phase by which others, or its own texts, can name something.
const DECLARING: [&str; 9] = ["run", "needs", "outputs", "resources", "for_each", "matrix", "uses", "with", "profiles"];

/// A manifest with gaps.
#[derive(Debug)]
pub struct Salvaged {
    /// The tree that the schema accepts.
    pub document: Document,
    gaps: Gaps,
}

/// What was left out of a manifest.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    paths: Vec<Vec<String>>,
    /// Whether something may have been declared there.
    declaring: bool,
}

impl Gaps {
    /// Something was wrong before there was a tree: nobody knows what it declared.
    pub fn anywhere() -> Self {
        Self { paths: Vec::new(), declaring: true }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.declaring
    }

    /// Something was left out at this path; `unknown` where nobody knows what its key was to mean.
    pub fn add(&mut self, path: Vec<String>, unknown: bool) {
        self.declaring |= unknown && path.len() == 1 || declares(&path);
        self.paths.push(path);
    }

    /// Takes away what may be an echo: of a gap, or of an error that was told.
    pub fn hold_back(&self, document: &Document, told: &[Diagnostic], found: &mut Vec<Diagnostic>) {
        let around: Vec<(Option<&Arc<Source>>, Place)> = self
            .paths
            .iter()
            .flat_map(|path| around(document, path))
            .map(|place| (document.sources.get(place.source.0 as usize), place))
            .collect();
        found.retain(|finding| {
            let source = finding.source.as_ref();
            let is_around = around.iter().any(|(other, place)| place.range() == finding.span && same(*other, source));
            let is_told = told.iter().any(|told| same(told.source.as_ref(), source) && overlap(&told.span, &finding.span));
            let is_echo = self.declaring && NAMES.contains(&finding.rule) || !self.is_empty() && USES.contains(&finding.rule);
            !is_around && !is_told && !is_echo
        });
    }
}

fn same(one: Option<&Arc<Source>>, other: Option<&Arc<Source>>) -> bool {
    one.zip(other).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
}

fn overlap(one: &std::ops::Range<usize>, other: &std::ops::Range<usize>) -> bool {
    one.start < other.end.max(other.start + 1) && other.start < one.end.max(one.start + 1)
}

/// Whether something that stands at a path, or would, can be named elsewhere.
fn declares(path: &[String]) -> bool {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    match steps.as_slice() {
        [] => true,
        [section] | [section, _] => SECTIONS.contains(section),
        // What a resource is like can be named nowhere; that it is there can.
        ["phases" | "finally", _, "resources", _, _, ..] => false,
        ["phases" | "finally", _, key, ..] => DECLARING.contains(key),
        _ => false,
    }
}

/// The places at which a rule would complain that what is left out at a path is not there.
fn around(document: &Document, path: &[String]) -> Vec<Place> {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    let parent = steps.split_last().map_or(&[][..], |(_, parent)| parent);
    let mut places: Vec<Place> =
        (0..=parent.len()).flat_map(|len| [Aim::Key, Aim::Value].map(|aim| document.place(&parent[..len], aim))).collect();
    if let Some(Data::Map(map)) = document.node(parent).map(|node| &node.data) {
        // Of the goal's own keys each is a world of its own.
        for (key, entry) in map.iter().filter(|_| !parent.is_empty()) {
            places.push(entry.key);
            let below: Vec<&str> = parent.iter().copied().chain([key.as_str()]).collect();
            places.push(document.place(&below, Aim::Value));
        }
    }
    places
}

impl Refused {
    /// Whether an error was told of this very value: an alias without its anchor is nothing, and nothing else is to be said of it.
    pub fn is_told(&self, document: &Document, told: &[Diagnostic]) -> bool {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let Some(place) = document.node(&path).map(|node| node.place) else { return false };
        let source = document.sources.get(place.source.0 as usize);
        told.iter().any(|told| same(told.source.as_ref(), source) && place.start != place.end && overlap(&told.span, &place.range()))
    }
}

/// Mends a manifest that the schema refuses, or leaves out what cannot be mended; none where nothing would be left.
pub fn salvage(document: &Document, refused: &[Refused]) -> Option<Salvaged> {
    let mut salvaged = Salvaged { document: document.clone(), gaps: Gaps::default() };
    let mut again;
    let mut refused = refused;
    for _ in 0..ROUNDS {
        // From the end, so that places in lists stay what they are; what is below, before what it is in.
        let mut order: Vec<&Refused> = refused.iter().collect();
        order.sort_by(|one, other| compare(&other.path, &one.path));
        order.dedup_by(|one, other| one.path == other.path);
        for one in order {
            mend(&mut salvaged, one)?;
        }
        again = validate::validate(&salvaged.document, &salvaged.document.root.to_value());
        if again.is_empty() {
            return Some(salvaged);
        }
        refused = &again;
    }
    None
}

impl Salvaged {
    /// What was left out, and what had been before.
    pub fn gaps(&self, before: &Gaps) -> Gaps {
        let mut gaps = self.gaps.clone();
        gaps.paths.extend(before.paths.iter().cloned());
        gaps.declaring |= before.declaring;
        gaps
    }
}

/// Paths in the order of the tree, an element's number as a number.
fn compare(one: &[String], other: &[String]) -> Ordering {
    for (one, other) in one.iter().zip(other) {
        let order = match (one.parse::<usize>(), other.parse::<usize>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            _ => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

fn mend(salvaged: &mut Salvaged, refused: &Refused) -> Option<()> {
    let (key, parent) = refused.path.split_last()?;
    let root = &mut salvaged.document.root;
    match (refused.what, refused.finding.replacement.as_deref()) {
        (What::Key, Some(meant)) => {
            rename(node_at(root, parent)?, key, meant);
            Some(())
        }
        (What::Value, Some(meant)) => {
            let node = node_at(root, &refused.path)?;
            node.data = placed(read(meant)?, node.place).data;
            // A name that is quoted is a name, and perhaps not the one that was meant.
            salvaged.gaps.declaring |= declares(&refused.path);
            Some(())
        }
        (What::Missing, _) if parent.is_empty() && matches!(key.as_str(), "version" | "name") => {
            let text = if key == "version" { "1" } else { "unnamed" };
            let place = root.place;
            let entry = super::node::Entry { key: place, node: Node { data: Data::Text(text.to_owned()), place } };
            root.map_mut()?.insert(key.clone(), entry);
            Some(())
        }
        (What::Missing, _) => leave_out(salvaged, parent, false),
        (What::Key, None) => leave_out(salvaged, &refused.path, true),
        (What::Value, None) => leave_out(salvaged, &refused.path, false),
    }
}

/// Takes something out of the tree; a phase leaves an empty one.
fn leave_out(salvaged: &mut Salvaged, path: &[String], unknown: bool) -> Option<()> {
    let (key, parent) = path.split_last()?;
    let of_phases = matches!(parent, [section] if section == "phases" || section == "finally");
    let node = node_at(&mut salvaged.document.root, parent)?;
    match &mut node.data {
        Data::Map(map) if of_phases && !unknown => map.get_mut(key)?.node.data = Data::Map(indexmap::IndexMap::new()),
        // With no word on it, texts that are none of ours would be taken for templates.
        Data::Map(map) if key == "templates" => map.get_mut(key)?.node.data = Data::Bool(false),
        Data::Map(map) => drop(map.shift_remove(key)),
        Data::List(items) => {
            let at = key.parse().ok().filter(|at| *at < items.len())?;
            drop(items.remove(at));
        }
        _ => return None,
    }
    salvaged.gaps.add(path.to_vec(), unknown);
    Some(())
}

fn node_at<'n>(root: &'n mut Node, path: &[String]) -> Option<&'n mut Node> {
    path.iter().try_fold(root, |node, step| match &mut node.data {
        Data::Map(map) => map.get_mut(step).map(|entry| &mut entry.node),
        Data::List(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Gives an entry another name, in its place. One that has it already stays.
fn rename(node: &mut Node, key: &str, meant: &str) {
    let Some(map) = node.map_mut() else { return };
    let taken = map.contains_key(meant);
    let Some((at, _, entry)) = map.shift_remove_full(key) else { return };
    if !taken {
        map.shift_insert(at, meant.to_owned(), entry);
    }
}

/// A mend is YAML.
fn read(text: &str) -> Option<Node> {
    yaml::parse(&Arc::new(Source { path: String::new(), text: text.to_owned() }), SourceId(0)).ok()
}

/// A tree that stands at one place, all of it.
fn placed(mut node: Node, place: Place) -> Node {
    node.place = place;
    match node.data {
        Data::List(items) => node.data = Data::List(items.into_iter().map(|item| placed(item, place)).collect()),
        Data::Map(map) => {
            let entries = map.into_iter().map(|(key, entry)| (key, super::node::Entry { key: place, node: placed(entry.node, place) }));
            node.data = Data::Map(entries.collect());
        }
        _ => {}
    }
    node
}
