//! `networks` and `network_mode` of a service → the networks that its container joins.

use super::finding::Findings;
use super::item::Item;
use super::keys::ATTACHMENT;
use super::project::{DEFAULT_NETWORK, Project};

/// The networks of a service, by their resources.
pub(super) fn networks(service: &Item<'_>, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    if service.get("network_mode").is_some() {
        return Vec::new();
    }
    let mut joined = Vec::new();
    let Some(networks) = service.get("networks").filter(|networks| !networks.asks_for_nothing()) else {
        joined.extend(project.network(DEFAULT_NETWORK).map(ToString::to_string));
        return joined;
    };
    let named: Vec<(String, Item<'_>)> = if networks.is_list() {
        networks.elements().filter_map(|item| Some((item.scalar()?, item))).collect()
    } else {
        networks.entries().map(|(name, item)| (name.to_owned(), item)).collect()
    };
    for (name, item) in named {
        findings.sort_out(&item, ATTACHMENT);
        if let Some(resource) = project.network(&name) {
            joined.push(resource.to_string());
        } else {
            let message = format!("`{}` names the network `{name}`, and there is no such network", item.path);
            findings.error(&item, "unknown-network", message, "declare it under `networks:`");
        }
    }
    joined
}
