//! A Compose file → a goal: the file as a whole.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::finding::{Finding, Findings, Kind};
use super::item::Item;
use super::keys::TOP;
use super::names::{Names, name};
use super::project::Project;
use super::service::{Service, phase};
use super::{emit, extends, order};
use crate::base::diagnostic::{self, Diagnostic, Severity};
use crate::base::name::Name;
use crate::manifest::load;
use crate::manifest::node::{Data, Document, Entry, Node, SourceId};
use crate::manifest::yaml;

/// The phase that holds what the services share, where no service has the name.
const SHARED: &str = "shared";

/// A Compose file, and where it stands.
#[derive(Clone, Debug)]
pub struct Compose<'a> {
    /// The path as the user gave it, for messages.
    pub path: &'a str,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its folder, relative to the workspace; empty for the workspace itself.
    pub folder: &'a str,
    /// The name of the goal where the file says none.
    pub project: &'a str,
}

/// A goal made of a Compose file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The manifest: it loads without an error.
    pub manifest: String,
    /// What is not mapped, or not quite, in the order of the file.
    pub findings: Vec<Finding>,
    /// The Compose file.
    pub document: Document,
}

impl Imported {
    /// The findings as warnings, in the order of the file.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all = self.findings.iter().map(|finding| finding.diagnostic(&self.document)).collect();
        diagnostic::sort(&mut all);
        all
    }

    /// Whether the goal says all that the file says.
    pub fn is_complete(&self) -> bool {
        self.findings.iter().all(|finding| finding.kind != Kind::NotMapped)
    }
}

/// Makes a goal of a Compose file.
///
/// # Errors
/// All that makes it no Compose file.
pub fn import(compose: Compose<'_>) -> Result<Imported, Vec<Diagnostic>> {
    let source = Arc::new(yaml::source(compose.path, compose.bytes).map_err(|error| vec![*error])?);
    let root = with_services(yaml::parse(&source, SourceId(0)).map_err(in_words_of_compose)?);
    let document = Document { sources: vec![source], root };
    let mut findings = Findings::new(&document);
    let goal = goal(&document, compose.folder, compose.project, &mut findings);
    let (mut list, mut errors) = (findings.list, findings.errors);
    list.sort_by_key(|finding| finding.place.start);
    if !errors.is_empty() {
        diagnostic::sort(&mut errors);
        return Err(errors);
    }
    let manifest = emit::manifest(&goal, &list, &document).map_err(|error| vec![fault(&document, &error.to_string())])?;
    let read = |_: &str| Ok(manifest.clone().into_bytes());
    if let Err(wrong) = load::load("goal.yaml", &read) {
        let wrong = wrong.into_iter().find(|finding| finding.severity == Severity::Error);
        return Err(vec![fault(&document, &wrong.map(|finding| finding.message).unwrap_or_default())]);
    }
    Ok(Imported { manifest, findings: list, document })
}

/// A file of version 1 is its services: they are put where later versions have them.
fn with_services(root: Node) -> Node {
    let is_service = |item: &Item<'_>| ["image", "build", "extends"].iter().any(|key| item.get(key).is_some());
    let has_entries = root.map().is_some_and(|entries| !entries.is_empty());
    if !has_entries || !Item::root(&root).entries().all(|(name, item)| name != "services" && is_service(&item)) {
        return root;
    }
    let place = root.place;
    let services = Entry { key: place, node: root };
    Node { data: Data::Map(IndexMap::from([("services".to_owned(), services)])), place }
}

/// What is wrong with any manifest, without the hints that are for goals only.
fn in_words_of_compose(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for finding in found.iter_mut().filter(|finding| finding.rule == "empty-file") {
        finding.hints = vec!["a Compose file has `services:`".to_owned()];
    }
    found
}

/// The goal that was made is none.
fn fault(document: &Document, why: &str) -> Diagnostic {
    document
        .error_at(&[], "import-and-manifest", format!("the goal made of this file would not be valid: {why}"))
        .hint("a value may be one that no goal takes; if not, this is a fault of sculpt: please report it with the file")
}

fn goal(document: &Document, folder: &str, project: &str, findings: &mut Findings<'_>) -> Map<String, Value> {
    let flat = extends::flattened(&document.root, findings);
    let root = Item::root(&flat);
    let mut goal = Map::new();
    let Some(services) = services(&root, findings) else { return goal };
    findings.sort_out(&root, TOP);
    let named = root.get("name").and_then(|item| findings.fixed(&item));
    let waits = order::waits(&services, findings);
    let works = order::works(&services, &waits);
    let mut given = Names::default();
    let phases: IndexMap<&str, Name> = services.keys().map(|service| (*service, given.take(service))).collect();
    let mut project_of = Project::new(&root, folder, given.take(SHARED), findings);

    let mut written = Map::new();
    for (service, item) in &services {
        let own = &phases[service];
        if own.as_str() != *service {
            findings.differs(item, format!("a phase has letters, digits, `_` and `-` in its name: it is `{own}`"), "");
        }
        let waits: Vec<(&order::Wait<'_>, Name)> =
            waits.get(service).into_iter().flatten().map(|wait| (wait, phases[wait.service.as_str()].clone())).collect();
        for (wait, _) in &waits {
            if let Some(other) = services.get(wait.service.as_str()) {
                order::judge(wait, other, works.contains(wait.service.as_str()), findings);
            }
        }
        let service = Service { name: service, phase: own.clone(), item: item.clone(), is_work: works.contains(service), waits };
        written.insert(own.to_string(), Value::Object(phase(&service, &mut project_of, findings)));
    }

    goal.insert("version".to_owned(), "1".into());
    goal.insert("name".to_owned(), name(named.as_deref().unwrap_or(project)).into());
    let secrets = project_of.stored.secrets();
    if !secrets.is_empty() {
        goal.insert("secrets".to_owned(), Value::Object(secrets));
    }
    goal.extend(root.entries().filter(|(key, _)| key.starts_with("x-")).map(|(key, item)| (key.to_owned(), item.node.to_value())));
    let resources = project_of.resources();
    let mut all = Map::new();
    if !resources.is_empty() {
        all.insert(project_of.phase.to_string(), json!({ "resources": resources }));
    }
    all.extend(written);
    goal.insert("phases".to_owned(), Value::Object(all));
    goal
}

/// The services, each a mapping.
fn services<'a>(root: &Item<'a>, findings: &mut Findings<'_>) -> Option<IndexMap<&'a str, Item<'a>>> {
    if root.node.map().is_none() {
        findings.error(root, "not-a-compose-file", "a Compose file is a mapping", "its services stand under `services:`");
        return None;
    }
    let Some(services) = root.get("services") else {
        findings.error(root, "not-a-compose-file", "this is no Compose file: it has no `services`", "it needs `services:`");
        return None;
    };
    let mut all = IndexMap::new();
    for (name, item) in services.entries().filter(|(name, _)| !name.starts_with("x-")) {
        if item.node.map().is_some() {
            all.insert(name, item);
        } else {
            findings.wrong_type(&item, "a mapping");
        }
    }
    if services.node.map().is_none() {
        findings.wrong_type(&services, "a mapping");
    } else if all.is_empty() && findings.errors.is_empty() {
        findings.error(&services, "not-a-compose-file", "there are no services", "a goal needs at least one");
    }
    (!all.is_empty()).then_some(all)
}
