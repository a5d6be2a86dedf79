//! `secrets` and `configs` → secrets of the goal, files that the engine writes, and the mounts that bring them into containers.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::finding::Findings;
use super::interpolate::{Template, passed};
use super::item::Item;
use super::keys::{GRANT, STORED};
use super::names::Names;
use super::paths::mapped;
use crate::base::name::Name;

/// The folder of the workspace for what a Compose file holds as text.
pub(super) const WRITTEN: &str = "./.compose/";

/// Where a secret or a config comes from.
#[derive(Debug)]
enum Origin {
    /// A secret of the goal.
    Secret(Name, Value),
    /// A file that is there.
    Path(String),
    /// A file that the engine writes.
    Written(Name, String, String),
    /// Nowhere that a goal can name: it was listed.
    Lost,
}

/// All of them, by section and name, and whether a service uses them.
#[derive(Debug, Default)]
pub(super) struct Stored {
    all: IndexMap<(&'static str, String), (Origin, bool)>,
}

impl Stored {
    /// What a file declares.
    pub(super) fn declared(root: &Item<'_>, folder: &str, names: &mut Names, findings: &mut Findings<'_>) -> Self {
        let mut all = IndexMap::new();
        let mut secrets = Names::default();
        for section in ["secrets", "configs"] {
            let Some(declared) = root.get(section) else { continue };
            if declared.node.map().is_none() {
                findings.wrong_type(&declared, "a mapping");
            }
            for (name, item) in declared.entries().filter(|(name, _)| !name.starts_with("x-")) {
                findings.sort_out(&item, STORED);
                let origin = if section == "secrets" {
                    secret(&item, folder, findings).map_or(Origin::Lost, |value| Origin::Secret(secrets.take(name), value))
                } else {
                    config(name, &item, folder, names, findings)
                };
                all.insert((section, name.to_owned()), (origin, false));
            }
        }
        Self { all }
    }

    /// The mounts of a service for its secrets and configs.
    pub(super) fn mounts(&mut self, service: &Item<'_>, findings: &mut Findings<'_>) -> Vec<String> {
        let mut mounts = Vec::new();
        for section in ["secrets", "configs"] {
            let Some(granted) = service.get(section) else { continue };
            if !granted.is_list() {
                findings.wrong_type(&granted, "a list");
            }
            for item in granted.elements() {
                mounts.extend(self.mount(section, &item, findings));
            }
        }
        mounts
    }

    fn mount(&mut self, section: &'static str, item: &Item<'_>, findings: &mut Findings<'_>) -> Option<String> {
        findings.sort_out(item, GRANT);
        let named = if item.node.map().is_some() { item.get("source") } else { Some(item.clone()) };
        let Some(name) = named.and_then(|named| findings.fixed(&named)) else {
            findings.error(item, "missing-key", format!("`{}` has no `source`", item.path), "");
            return None;
        };
        let target = item.get("target").and_then(|target| findings.text(&target)).unwrap_or_else(|| name.clone());
        let root = if section == "secrets" { "/run/secrets/" } else { "/" };
        let target = if target.starts_with('/') { target } else { format!("{root}{target}") };
        let Some((origin, used)) = self.all.get_mut(&(section, name.clone())) else {
            let message = format!("`{}` names `{name}`, and there is no such entry under `{section}:`", item.path);
            findings.error(item, "unknown-source", message, &format!("declare it under `{section}:`"));
            return None;
        };
        *used = true;
        match origin {
            Origin::Secret(name, _) => Some(format!("{{{{ secrets['{name}'].file }}}}:{target}:ro")),
            Origin::Path(path) | Origin::Written(_, path, _) => Some(format!("{path}:{target}:ro")),
            Origin::Lost => {
                findings.not_mapped(item, "nothing says where it comes from that a goal can name", "");
                None
            }
        }
    }

    /// The secrets that services use.
    pub(super) fn secrets(&self) -> Map<String, Value> {
        let used = self.all.values().filter(|(_, used)| *used);
        used.filter_map(|(origin, _)| match origin {
            Origin::Secret(name, value) => Some((name.to_string(), value.clone())),
            _ => None,
        })
        .collect()
    }

    /// The files that services use and the engine writes.
    pub(super) fn resources(&self) -> Map<String, Value> {
        let used = self.all.values().filter(|(_, used)| *used);
        used.filter_map(|(origin, _)| match origin {
            Origin::Written(name, path, content) => {
                let path = path.strip_prefix("./").unwrap_or(path);
                Some((name.to_string(), json!({ "file": { "path": path, "content": content }, "scope": "goal", "keep": false })))
            }
            _ => None,
        })
        .collect()
    }
}

fn secret(item: &Item<'_>, folder: &str, findings: &mut Findings<'_>) -> Option<Value> {
    if let Some(file) = item.get("file") {
        let path = findings.fixed(&file)?;
        return Some(json!({ "file": mapped(folder, &Template::literal(&path)).path }));
    }
    if let Some(variable) = item.get("environment") {
        return Some(json!({ "env": findings.fixed(&variable)? }));
    }
    if item.get("external").is_none() {
        findings.not_mapped(item, "nothing says where it comes from", "a secret comes from `env`, `file` or `command`, or is generated");
    }
    None
}

fn config(name: &str, item: &Item<'_>, folder: &str, names: &mut Names, findings: &mut Findings<'_>) -> Origin {
    if let Some(file) = item.get("file") {
        let Some(path) = findings.template(&file) else { return Origin::Lost };
        let there = mapped(folder, &path);
        if let Some(doubt) = there.doubt {
            findings.differs(&file, doubt, "");
        }
        let relative = !there.path.starts_with('/') && !there.path.starts_with("{{");
        return Origin::Path(if relative { format!("./{}", there.path) } else { there.path });
    }
    let content = match (item.get("content"), item.get("environment")) {
        (Some(content), _) => findings.text(&content),
        (None, Some(variable)) => findings.fixed(&variable).map(|name| passed(&name)),
        (None, None) => {
            if item.get("external").is_none() {
                findings.not_mapped(item, "nothing says where it comes from", "give it `file` or `content`");
            }
            None
        }
    };
    match content {
        Some(content) => {
            let resource = names.take(name);
            let path = format!("{WRITTEN}{resource}");
            Origin::Written(resource, path, content)
        }
        None => Origin::Lost,
    }
}
