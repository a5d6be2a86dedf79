//! What the services share: networks, volumes, secrets, configs, ports of this host. Only what a service uses is written.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::finding::Findings;
use super::item::Item;
use super::keys::{NETWORK, Table, VOLUME};
use super::names::Names;
use super::ports::Claim;
use super::stored::Stored;
use crate::base::name::Name;

/// The network that services join where they name none.
pub(super) const DEFAULT_NETWORK: &str = "default";

/// A network or a volume.
#[derive(Debug)]
pub(super) struct Shared {
    /// Its resource.
    name: Name,
    resource: Value,
    used: bool,
}

/// What the services share.
#[derive(Debug)]
pub(super) struct Project<'a> {
    /// The folder of the file in the workspace; empty for its root.
    pub(super) folder: &'a str,
    /// The phase that holds what is shared.
    pub(super) phase: Name,
    /// Secrets and configs.
    pub(super) stored: Stored,
    /// The ports of this host that are taken.
    pub(super) claims: Vec<Claim>,
    networks: IndexMap<String, Shared>,
    volumes: IndexMap<String, Shared>,
}

impl<'a> Project<'a> {
    /// What a file declares beside its services.
    pub(super) fn new(root: &Item<'_>, folder: &'a str, phase: Name, findings: &mut Findings<'_>) -> Self {
        let mut names = Names::default();
        let mut networks = declared(root, "networks", NETWORK, &mut names, findings);
        if !networks.contains_key(DEFAULT_NETWORK) {
            let shared = Shared { name: names.take(DEFAULT_NETWORK), resource: json!({ "network": {}, "scope": "goal" }), used: false };
            networks.insert(DEFAULT_NETWORK.to_owned(), shared);
        }
        let volumes = declared(root, "volumes", VOLUME, &mut names, findings);
        let stored = Stored::declared(root, folder, &mut names, findings);
        Self { folder, phase, stored, claims: Vec::new(), networks, volumes }
    }

    /// The resource of a network that a service joins; none where there is no such network.
    pub(super) fn network(&mut self, name: &str) -> Option<&Name> {
        used(&mut self.networks, name)
    }

    /// The resource of a volume that a service mounts; none where there is no such volume.
    pub(super) fn volume(&mut self, name: &str) -> Option<&Name> {
        used(&mut self.volumes, name)
    }

    /// The resources that services use.
    pub(super) fn resources(&self) -> Map<String, Value> {
        let shared = self.networks.values().chain(self.volumes.values()).filter(|shared| shared.used);
        let mut resources: Map<String, Value> = shared.map(|shared| (shared.name.as_str().to_owned(), shared.resource.clone())).collect();
        resources.extend(self.stored.resources());
        resources
    }
}

fn used<'s>(all: &'s mut IndexMap<String, Shared>, name: &str) -> Option<&'s Name> {
    let shared = all.get_mut(name)?;
    shared.used = true;
    Some(&shared.name)
}

fn declared(root: &Item<'_>, section: &str, table: Table, names: &mut Names, findings: &mut Findings<'_>) -> IndexMap<String, Shared> {
    let Some(all) = root.get(section) else { return IndexMap::new() };
    if all.node.map().is_none() {
        findings.wrong_type(&all, "a mapping");
    }
    let mut found = IndexMap::new();
    for (name, item) in all.entries().filter(|(name, _)| !name.starts_with("x-")) {
        findings.sort_out(&item, table);
        let mut object = Map::new();
        if let Some(driver) = item.get("driver").and_then(|driver| findings.text(&driver)) {
            object.insert("driver".to_owned(), driver.into());
        }
        let resource = if section == "volumes" {
            json!({ "volume": object, "scope": "goal", "keep": true })
        } else {
            json!({ "network": object, "scope": "goal" })
        };
        found.insert(name.to_owned(), Shared { name: names.take(name), resource, used: false });
    }
    found
}
