//! `wrong-port`, `port-clash`, `unchecked-port`: ports that are none, that two resources want at once, that nobody looks at.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{Facts, Located};
use crate::base::diagnostic::{Diagnostic, Severity};
use crate::manifest::check::{CheckKind, Http, Tcp};
use crate::manifest::node::Aim;
use crate::manifest::port::Listen;
use crate::manifest::resource::{Port, PortClaim, Resource, Scope};
use crate::manifest::template::{self, Context};

/// One declared port.
struct Claim<'a> {
    phase: Located<'a>,
    resource: &'a str,
    scope: Scope,
    /// A `port:` of its own keeps a port free; a process of the same phase then takes it.
    reserved: bool,
    listen: Listen,
    path: Vec<String>,
}

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let context = defaults(facts);
    let mut claims: HashMap<u16, Vec<Claim<'_>>> = HashMap::new();
    for phase in facts.phases.values() {
        for (name, resource) in &phase.phase.resources {
            for (keys, claim) in ports(resource) {
                let path: Vec<String> = phase.path(&["resources", name.as_str()]).into_iter().map(str::to_owned).chain(keys).collect();
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                let Some(listen) = listen(claim.port(), &context) else { continue };
                match listen {
                    Ok(listen) => {
                        if resource.port.is_none() {
                            unchecked(facts, phase, &listen, &steps, &context, found);
                        }
                        // Instances of a loop have ports that only their values tell apart.
                        if !phase.is_loop() {
                            let reserved = resource.port.is_some();
                            let claim = Claim { phase: *phase, resource: name.as_str(), scope: resource.scope, reserved, listen, path };
                            claims.entry(claim.listen.port).or_default().push(claim);
                        }
                    }
                    Err(error) => found.push(
                        facts
                            .document
                            .error_at(&steps, "wrong-port", format!("`{}` is not a port", error.0))
                            .hint("write it like `8080`, `127.0.0.1:8080` or `53/udp`"),
                    ),
                }
            }
        }
    }
    for claims in claims.values() {
        for (index, later) in claims.iter().enumerate() {
            if let Some(earlier) = claims[..index].iter().find(|earlier| clash(facts, earlier, later)) {
                found.push(report(facts, earlier, later));
            }
        }
    }
}

/// The ports that a resource wants, each with its path below the resource.
pub(super) fn ports(resource: &Resource) -> Vec<(Vec<String>, &PortClaim)> {
    let own = resource.port.iter().map(|claim| (vec!["port".to_owned()], claim));
    let list = resource.ports.iter().enumerate().map(|(index, claim)| (vec!["ports".to_owned(), index.to_string()], claim));
    let mut ports: Vec<(Vec<String>, &PortClaim)> = own.chain(list).collect();
    for (path, _) in ports.iter_mut().filter(|(_, claim)| matches!(claim, PortClaim::Full(_))) {
        path.push("port".to_owned());
    }
    ports
}

fn clash(facts: &Facts<'_>, a: &Claim<'_>, b: &Claim<'_>) -> bool {
    if !a.listen.clashes(&b.listen) {
        return false;
    }
    if a.phase.name == b.phase.name {
        return a.resource != b.resource && a.reserved == b.reserved;
    }
    let (one, other) = (&a.phase.phase.profiles, &b.phase.phase.profiles);
    if !one.is_empty() && !other.is_empty() && !one.iter().any(|profile| other.contains(profile)) {
        return false;
    }
    // What lives with its phase is gone when a later phase starts.
    let gone = |first: &Claim<'_>, second: &Claim<'_>| first.scope == Scope::Phase && facts.is_before(first.phase.name, &second.phase);
    !gone(a, b) && !gone(b, a)
}

fn report(facts: &Facts<'_>, earlier: &Claim<'_>, later: &Claim<'_>) -> Diagnostic {
    let path: Vec<&str> = later.path.iter().map(String::as_str).collect();
    // A condition may keep the two apart; only a person knows.
    let perhaps = earlier.phase.phase.when.is_some() || later.phase.phase.when.is_some();
    let severity = if perhaps { Severity::Warning } else { Severity::Error };
    let (port, protocol) = (later.listen.port, if later.listen.udp { "/udp" } else { "" });
    let message = format!("port {port}{protocol} is already taken by `{}/{}`", earlier.phase.name, earlier.resource);
    let other: Vec<&str> = earlier.path.iter().map(String::as_str).collect();
    let place = facts.document.name_place(facts.document.place(&other, Aim::Value));
    facts.document.diagnostic(severity, "port-clash", facts.document.place(&path, Aim::Value), message).label(format!("also at {place}"))
}

/// A phase with ports is at most unverified unless one of its checks connects to them.
fn unchecked(facts: &Facts<'_>, phase: &Located<'_>, listen: &Listen, path: &[&str], context: &Context, found: &mut Vec<Diagnostic>) {
    // Without checks the phase is not meant to be verified, and `no-checks` speaks where it is.
    let Some(verify) = phase.phase.verify.as_ref().filter(|verify| !verify.checks.is_empty()) else { return };
    if listen.udp {
        return;
    }
    let outputs: IndexMap<&str, Value> = phase
        .phase
        .outputs
        .iter()
        .map(|(name, text)| (name.as_str(), template::render(text, context).map_or(Value::Null, Value::from)))
        .filter(|(_, value)| !value.is_null())
        .collect();
    let context = context.clone().with("outputs", &outputs);
    let connects = verify.checks.iter().any(|check| connects(&check.kind, listen.port, &context));
    if !connects {
        found.push(
            facts
                .document
                .warning_at(
                    path,
                    "unchecked-port",
                    format!("no check of `{}` connects to port {}: it will be unverified at most", phase.name, listen.port),
                )
                .hint("add an `http` or a `tcp` check: what cannot be reached is not deployed"),
        );
    }
}

/// Whether a check connects to a port. What cannot be told now counts as yes: a warning must not be wrong.
fn connects(kind: &CheckKind, port: u16, context: &Context) -> bool {
    if kind.tcp.is_some() && target(kind).is_none() {
        return false;
    }
    // A browser connects too; an exec check may.
    let Some(target) = target(kind) else { return kind.browser.is_some() || kind.exec.is_some() };
    template::render(target, context).map_or(true, |target| target_port(&target) == port)
}

/// Where a check connects to, as it is written; none where it does not, or where that cannot be told.
pub(super) fn target(kind: &CheckKind) -> Option<&String> {
    match (&kind.http, &kind.tcp) {
        (Some(Http::Url(url)), _) => Some(url),
        (Some(Http::Request(request)), _) => Some(&request.url),
        (None, Some(Tcp::Address(address))) => Some(address),
        (None, Some(Tcp::Talk(talk))) => talk.address.as_ref(),
        (None, None) => None,
    }
}

/// The port of a URL or an address.
pub(super) fn target_port(target: &str) -> u16 {
    let (scheme, rest) = target.split_once("://").unwrap_or(("", target));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let explicit = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    explicit.unwrap_or(if scheme == "https" { 443 } else { 80 })
}

/// Parameters as they are where nothing is set.
pub(super) fn defaults(facts: &Facts<'_>) -> Context {
    let params: IndexMap<&str, &Value> =
        facts.goal.params.iter().filter_map(|(name, param)| param.default.as_ref().map(|value| (name.as_str(), value))).collect();
    Context::new().with("params", &json!(params))
}

/// Where a port listens with the defaults; none where only the run will know.
pub(super) fn listen(port: &Port, context: &Context) -> Option<Result<Listen, crate::manifest::port::PortError>> {
    match port {
        Port::Text(text) if template::has_template(text) => {
            let text = template::render(text, context).ok()?;
            Some(Port::Text(text).listen())
        }
        port => Some(port.listen()),
    }
}
