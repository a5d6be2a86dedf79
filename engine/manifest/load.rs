//! Files → Goal: the one that was named, what it includes, the reusable phases it uses; then schema, types and rules.

use std::sync::Arc;

use super::goal::Goal;
use super::node::{Document, Node, Place, SourceId};
use super::salvage::{Gaps, salvage};
use super::validate::Refused;
use super::{rules, validate, yaml};
use crate::base::diagnostic::{self, Diagnostic, Severity, Source};

mod include;
mod uses;

/// How a file is read: the command line passes the disk, a test passes a map. The text of an error completes "failed to read …:".
pub type ReadFile<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// How many files one goal may be made of, a reusable phase counted each time it is used.
const MAX_FILES: usize = 1000;

/// A manifest that may be planned.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The goal: includes merged, reusable phases in their places.
    pub goal: Goal,
    /// The tree it was read from, for places.
    pub document: Document,
    /// What is probably not meant, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a manifest with everything it names.
///
/// # Errors
/// All that is wrong with it, errors and warnings, in the order of the text.
pub fn load(path: &str, read: &ReadFile<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    let Gathered { document, found, gaps } = gather(path, read)?;
    let value = document.root.to_value();
    let refused = validate::validate(&document, &value);
    if !found.is_empty() || !refused.is_empty() {
        return Err(all_that_is_wrong(&document, found, refused, &gaps));
    }
    let goal: Goal = serde_json::from_value(value).map_err(|error| vec![disagreement(&document, &error)])?;
    let mut found = rules::check(&goal, &document);
    diagnostic::sort(&mut found);
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(found);
    }
    Ok(Loaded { goal, document, warnings: found })
}

/// What was found before, what the schema refuses, and what the rules say of the rest.
fn all_that_is_wrong(document: &Document, mut found: Vec<Diagnostic>, refused: Vec<Refused>, gaps: &Gaps) -> Vec<Diagnostic> {
    let salvaged = salvage(document, &refused);
    let told: Vec<Diagnostic> =
        refused.into_iter().filter(|refused| !refused.is_told(document, &found)).map(|refused| refused.finding).collect();
    found.extend(told);
    let goal = salvaged.as_ref().and_then(|salvaged| serde_json::from_value::<Goal>(salvaged.document.root.to_value()).ok());
    let (mut more, gaps) = match (&salvaged, goal) {
        (Some(salvaged), Some(goal)) => (rules::check(&goal, &salvaged.document), salvaged.gaps(gaps)),
        // Rules need types, and types need the schema: but templates can be checked on the tree alone.
        _ => (rules::templates::syntax(document), gaps.clone()),
    };
    gaps.hold_back(document, &found, &mut more);
    found.extend(more);
    diagnostic::sort(&mut found);
    found
}

/// Reads the file and everything it names into one tree.
///
/// # Errors
/// What cannot be read, is no YAML, or does not fit together.
pub fn assemble(path: &str, read: &ReadFile<'_>) -> Result<Document, Vec<Diagnostic>> {
    let Gathered { document, mut found, .. } = gather(path, read)?;
    if found.is_empty() {
        return Ok(document);
    }
    diagnostic::sort(&mut found);
    Err(found)
}

/// A tree, as far as it could be put together.
struct Gathered {
    document: Document,
    /// What is wrong with it.
    found: Vec<Diagnostic>,
    /// What is not in it for that.
    gaps: Gaps,
}

/// Reads the file and everything it names. An error is only what leaves no tree at all.
fn gather(path: &str, read: &ReadFile<'_>) -> Result<Gathered, Vec<Diagnostic>> {
    let mut files = Files { read, sources: Vec::new(), found: Vec::new(), lost: Vec::new() };
    let mut root = files.open(path).map_err(OpenError::without_a_namer)?;
    let mut found = Vec::new();
    include::merge(&mut files, &mut root, path, &mut found);
    uses::expand(&mut files, &mut root, &mut found);
    let mut gaps = if found.is_empty() { Gaps::default() } else { Gaps::anywhere() };
    if !files.lost.is_empty() {
        root.each_path(&mut Vec::new(), &mut |path, places| {
            if places.iter().any(|place| files.lost.contains(place)) {
                gaps.add(path.to_vec(), false);
            }
        });
    }
    if !found.is_empty() {
        for (section, phase) in ["phases", "finally"].iter().flat_map(|section| names(&root, section).map(move |phase| (*section, phase))) {
            // What it is to become is in no file that could be read.
            if root.get(section).and_then(|phases| phases.get(&phase)?.get("uses")).is_some() {
                gaps.add(vec![section.to_owned(), phase, "uses".to_owned()], false);
            }
        }
    }
    found.append(&mut files.found);
    Ok(Gathered { document: Document { sources: files.sources, root }, found, gaps })
}

fn names(root: &Node, section: &str) -> impl Iterator<Item = String> {
    let map = root.get(section).and_then(Node::map);
    map.map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default().into_iter()
}

/// The schema accepts what the types do not: a fault of ours, never silent.
fn disagreement(document: &Document, error: &serde_json::Error) -> Diagnostic {
    document
        .error_at(&[], "schema-and-types", format!("the schema accepts this manifest, the engine does not: {error}"))
        .hint("this is a fault of sculpt: please report it with the manifest")
}

/// The files read so far.
struct Files<'a> {
    read: &'a ReadFile<'a>,
    sources: Vec<Arc<Source>>,
    /// What is wrong with their texts, and leaves a tree all the same.
    found: Vec<Diagnostic>,
    lost: Vec<Place>,
}

/// Why a file is not there.
enum OpenError {
    /// It cannot be read: a matter for whoever names it.
    Unreadable(String, String),
    /// It can be read, and is wrong.
    Wrong(Vec<Diagnostic>),
}

impl OpenError {
    fn without_a_namer(self) -> Vec<Diagnostic> {
        match self {
            Self::Wrong(found) => found,
            Self::Unreadable(path, why) => vec![Diagnostic {
                severity: Severity::Error,
                rule: "unreadable-file",
                message: format!("failed to read {path}: {why}"),
                source: None,
                span: 0..0,
                label: None,
                hints: Vec::new(),
                replacement: None,
            }],
        }
    }
}

impl Files<'_> {
    fn open(&mut self, path: &str) -> Result<Node, OpenError> {
        if self.sources.len() >= MAX_FILES {
            return Err(OpenError::Unreadable(path.to_owned(), format!("a goal has at most {MAX_FILES} files")));
        }
        let bytes = (self.read)(path).map_err(|why| OpenError::Unreadable(path.to_owned(), why))?;
        let source = Arc::new(yaml::source(path, bytes).map_err(|error| OpenError::Wrong(vec![*error]))?);
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(Arc::clone(&source));
        let yaml::Read { node, found, lost } = yaml::read(&source, id);
        let Some(node) = node else { return Err(OpenError::Wrong(found)) };
        self.found.extend(found);
        self.lost.extend(lost);
        Ok(node)
    }

    /// Opens a file that another one names: a file that is missing is wrong where it is named.
    fn open_named(&mut self, path: &str, named: &Node, found: &mut Vec<Diagnostic>) -> Option<Node> {
        match self.open(path) {
            Ok(node) => Some(node),
            Err(OpenError::Wrong(errors)) => {
                found.extend(errors);
                None
            }
            Err(OpenError::Unreadable(path, why)) => {
                found.push(self.error(named, "unreadable-file", format!("failed to read {path}: {why}")));
                None
            }
        }
    }

    /// The path of the text a node stands in.
    fn path_of(&self, node: &Node) -> &str {
        self.sources.get(node.place.source.0 as usize).map_or("", |source| source.path.as_str())
    }

    fn error(&self, node: &Node, rule: &'static str, message: impl Into<String>) -> Diagnostic {
        self.error_at(node.place, rule, message)
    }

    fn error_at(&self, place: Place, rule: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            rule,
            message: message.into(),
            source: self.sources.get(place.source.0 as usize).cloned(),
            span: place.range(),
            label: None,
            hints: Vec::new(),
            replacement: None,
        }
    }

    fn name_place(&self, place: Place) -> String {
        match self.sources.get(place.source.0 as usize) {
            Some(source) => format!("{}:{}", source.path, source.position(place.range().start).0),
            None => "elsewhere".to_owned(),
        }
    }
}

/// A path as the file that names it means it.
fn beside(namer: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = match namer.rsplit_once('/') {
        Some((folder, _)) => folder.split('/').collect(),
        None => Vec::new(),
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, ".." | "")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_beside_the_file_that_names_them() {
        for (namer, path, expected) in [
            ("goals/crm.yaml", "./phases/a.yaml", "goals/phases/a.yaml"),
            ("crm.yaml", "a.yaml", "a.yaml"),
            ("goals/crm.yaml", "../shared/a.yaml", "shared/a.yaml"),
            ("crm.yaml", "../a.yaml", "../a.yaml"),
            ("/w/goals/crm.yaml", "../a.yaml", "/w/a.yaml"),
            ("goals/crm.yaml", "/etc/a.yaml", "/etc/a.yaml"),
        ] {
            assert_eq!(beside(namer, path), expected, "{namer} {path}");
        }
    }
}
