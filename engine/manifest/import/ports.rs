//! `ports` → `ports`: short and long, ranges written out, each port of this host once.

use super::finding::Findings;
use super::interpolate::Template;
use super::item::Item;
use super::keys::PORT;
use crate::manifest::port::Listen;

const CHOSEN: &str = "the port on this host is not said: the engine would choose one, and nobody could know it";
const SAY_ONE: &str = "say one: `8080:80`";

/// A port of this host that a service has.
#[derive(Debug)]
pub(super) struct Claim {
    service: String,
    profiles: Vec<String>,
    listen: Listen,
}

/// Who asks for ports.
pub(super) struct Asking<'c> {
    /// The service.
    pub(super) service: &'c str,
    /// The profiles that it takes part in.
    pub(super) profiles: &'c [String],
    /// The ports that other services have.
    pub(super) claims: &'c mut Vec<Claim>,
}

/// The ports of a service.
pub(super) fn ports(service: &Item<'_>, mut asking: Asking<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(ports) = service.get("ports") else { return Vec::new() };
    if !ports.is_list() {
        findings.wrong_type(&ports, "a list");
    }
    let mut all = Vec::new();
    for item in ports.elements() {
        let found = if item.node.map().is_some() { long(&item, findings) } else { short(&item, findings) };
        for port in found {
            if !all.contains(&port) && free(&item, &port, &mut asking, findings) {
                all.push(port);
            }
        }
    }
    all
}

/// Whether nobody else has the port; it is taken then.
fn free(item: &Item<'_>, port: &str, asking: &mut Asking<'_>, findings: &mut Findings<'_>) -> bool {
    // What a variable gives is known when the goal runs, which refuses a clash then.
    let Ok(listen) = port.parse::<Listen>() else { return true };
    let apart = |claim: &Claim| {
        !claim.profiles.is_empty() && !asking.profiles.is_empty() && !claim.profiles.iter().any(|profile| asking.profiles.contains(profile))
    };
    let taken = asking.claims.iter().find(|claim| claim.service != asking.service && claim.listen.clashes(&listen) && !apart(claim));
    if let Some(claim) = taken {
        let why = format!("port {} of this host belongs to `{}`, and nothing keeps the two apart", listen.port, claim.service);
        findings.not_mapped(item, why, "give one of them another port");
        return false;
    }
    asking.claims.push(Claim { service: asking.service.to_owned(), profiles: asking.profiles.to_vec(), listen });
    true
}

/// `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]`.
fn short(item: &Item<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(template) = findings.template(item) else { return Vec::new() };
    let (rest, protocol) = template.split_once('/').map_or_else(|| (template.clone(), None), |(rest, protocol)| (rest, Some(protocol)));
    let protocol = protocol.map_or_else(String::new, |protocol| protocol.render());
    let mut parts = rest.split(':');
    let inner = parts.pop().unwrap_or_default();
    let outer = parts.pop().filter(|outer| !outer.units().is_empty());
    let address: Vec<String> = parts.iter().map(Template::render).collect();
    let Some(outer) = outer else {
        let variable = template.plain().is_none();
        let why = if variable && parts.is_empty() { "only the variable knows whether it names a port on this host" } else { CHOSEN };
        findings.not_mapped(item, why, SAY_ONE);
        return Vec::new();
    };
    published(item, &address.join(":"), &outer, &inner, &protocol, findings)
}

fn long(item: &Item<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    findings.sort_out(item, PORT);
    if let Some(mode) = item.get("mode").filter(|mode| !matches!(mode.scalar().as_deref(), Some("host" | "ingress"))) {
        findings.wrong_type(&mode, "`host` or `ingress`");
    }
    let Some(target) = item.get("target").and_then(|target| findings.template(&target)) else {
        findings.error(item, "missing-key", format!("`{}` has no `target`", item.path), "");
        return Vec::new();
    };
    let Some(published_port) = item.get("published") else {
        findings.not_mapped(item, CHOSEN, SAY_ONE);
        return Vec::new();
    };
    let Some(outer) = findings.template(&published_port) else { return Vec::new() };
    let mut said = |key: &str| item.get(key).and_then(|item| findings.text(&item)).unwrap_or_default();
    let (address, protocol) = (said("host_ip"), said("protocol"));
    let address = if address.contains(':') && !address.starts_with('[') { format!("[{address}]") } else { address };
    published(item, &address, &outer, &target, &protocol, findings)
}

/// Every pair of ports that two ranges make.
fn published(
    item: &Item<'_>,
    address: &str,
    outer: &Template,
    inner: &Template,
    protocol: &str,
    findings: &mut Findings<'_>,
) -> Vec<String> {
    if !matches!(protocol, "" | "tcp" | "udp") {
        findings.not_mapped(item, format!("a port is one of TCP or UDP, not `{protocol}`"), "");
        return Vec::new();
    }
    let before = if address.is_empty() { String::new() } else { format!("{address}:") };
    let after = if protocol == "udp" { "/udp" } else { "" };
    let (Some(out), Some(within)) = (outer.plain(), inner.plain()) else {
        return vec![format!("{before}{}:{}{after}", outer.render(), inner.render())];
    };
    let (Some(out), Some(within)) = (range(&out), range(&within)) else {
        findings.wrong_type(item, "a port like `8080:80`, `127.0.0.1:8080:80` or `3000-3002:3000-3002/udp`");
        return Vec::new();
    };
    if out.len() != within.len() {
        let why = "of a range of ports on this host the engine would choose one, and nobody could know it";
        findings.not_mapped(item, why, SAY_ONE);
        return Vec::new();
    }
    out.zip(within).map(|(out, within)| format!("{before}{out}:{within}{after}")).collect()
}

/// `8080`, `8080-8090`.
fn range(text: &str) -> Option<std::ops::Range<u32>> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).map(u32::from);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..last + 1)
}
