//! What a service waits for → `needs`.
//!
//! | Compose | goal |
//! |---|---|
//! | `service_started`, a list, `links`, `volumes_from`, `service:…` | the other phase has done its part: its container is ready |
//! | `service_healthy` | the same: a health check says when that is |
//! | `service_completed_successfully` | the other phase is work that ends (`image` and `run`), and it has ended well |
//! | `required: false` | `when: finished`: however the other one ended; nothing where it is not there |
//! | `restart: true` | nothing: `sculpt run` replaces what changed together with what depends on it |

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::finding::Findings;
use super::health;
use super::item::Item;

/// When a service may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The other one is there.
    Started,
    /// The other one is healthy.
    Healthy,
    /// The other one has ended well.
    Completed,
}

/// What a service waits for.
#[derive(Clone, Debug)]
pub(super) struct Wait<'a> {
    /// The other service.
    pub(super) service: String,
    /// What it must be.
    pub(super) condition: Condition,
    /// Whether it must be there at all.
    pub(super) required: bool,
    /// The profiles of the other one.
    pub(super) profiles: Vec<String>,
    /// Where that is said.
    pub(super) item: Item<'a>,
}

/// What each service waits for, in the order of the file. A wait for a service that is not there is wrong, and not among them.
pub(super) fn waits<'a>(services: &IndexMap<&'a str, Item<'a>>, findings: &mut Findings<'_>) -> IndexMap<&'a str, Vec<Wait<'a>>> {
    let mut all = IndexMap::new();
    for (name, service) in services {
        let mut waits: Vec<Wait<'a>> = Vec::new();
        for mut wait in depends_on(service, findings).into_iter().chain(implied(service, findings)) {
            let Some(other) = services.get(wait.service.as_str()) else {
                unknown(&wait, services, findings);
                continue;
            };
            wait.profiles = other.get("profiles").iter().flat_map(Item::elements).filter_map(|profile| profile.scalar()).collect();
            if !waits.iter().any(|known| known.service == wait.service) {
                waits.push(wait);
            }
        }
        all.insert(*name, waits);
    }
    cycles(&all, findings);
    all
}

fn unknown(wait: &Wait<'_>, services: &IndexMap<&str, Item<'_>>, findings: &mut Findings<'_>) {
    if !wait.required {
        findings.differs(&wait.item, format!("there is no service `{}`, and none is required", wait.service), "");
        return;
    }
    let near = crate::base::diagnostic::nearest(&wait.service, services.keys().copied());
    let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
    let message = format!("`{}` names `{}`, and there is no such service", wait.item.path, wait.service);
    findings.error(&wait.item, "unknown-service", message, &hint);
}

fn depends_on<'a>(service: &Item<'a>, findings: &mut Findings<'_>) -> Vec<Wait<'a>> {
    let Some(depends_on) = service.get("depends_on") else { return Vec::new() };
    if depends_on.is_list() {
        let named = depends_on.elements().filter_map(|item| Some((item.scalar()?, item)));
        return named
            .map(|(service, item)| Wait { service, condition: Condition::Started, required: true, profiles: Vec::new(), item })
            .collect();
    }
    if depends_on.node.map().is_none() {
        findings.wrong_type(&depends_on, "a list or a mapping");
    }
    let mut waits = Vec::new();
    for (service, item) in depends_on.entries() {
        let condition = item.get("condition");
        let word = condition.as_ref().and_then(Item::scalar);
        let condition = match word.as_deref() {
            None | Some("service_started") => Condition::Started,
            Some("service_healthy") => Condition::Healthy,
            Some("service_completed_successfully") => Condition::Completed,
            Some(_) => {
                let wanted = "`service_started`, `service_healthy` or `service_completed_successfully`";
                findings.wrong_type(condition.as_ref().unwrap_or(&item), wanted);
                continue;
            }
        };
        let required = item.get("required").is_none_or(|required| required.scalar().as_deref() != Some("false"));
        waits.push(Wait { service: service.to_owned(), condition, required, profiles: Vec::new(), item });
    }
    waits
}

/// What other keys make a service wait for.
fn implied<'a>(service: &Item<'a>, findings: &mut Findings<'_>) -> Vec<Wait<'a>> {
    let mut waits = Vec::new();
    let mut wait = |name: &str, item: Item<'a>| {
        waits.push(Wait { service: name.to_owned(), condition: Condition::Started, required: true, profiles: Vec::new(), item });
    };
    for item in service.get("links").iter().flat_map(Item::elements) {
        let Some(text) = item.scalar() else { continue };
        let (name, alias) = text.split_once(':').map_or((text.as_str(), None), |(name, alias)| (name, Some(alias)));
        if let Some(alias) = alias.filter(|alias| *alias != name) {
            let why = format!("a container has one name on its networks: `{name}`, not `{alias}`");
            findings.not_mapped(&item, why, &format!("let the program connect to `{name}`"));
        }
        wait(name, item.clone());
    }
    for item in service.get("volumes_from").iter().flat_map(Item::elements) {
        let Some(text) = item.scalar() else { continue };
        if !text.starts_with("container:") {
            wait(text.split(':').next().unwrap_or(&text), item.clone());
        }
    }
    for item in ["network_mode", "ipc", "pid"].into_iter().filter_map(|key| service.get(key)) {
        if let Some(name) = item.scalar().as_deref().and_then(|text| text.strip_prefix("service:")) {
            wait(name, item.clone());
        }
    }
    waits
}

/// Services that wait for each other: each cycle that a depth-first walk closes.
fn cycles(all: &IndexMap<&str, Vec<Wait<'_>>>, findings: &mut Findings<'_>) {
    let mut done: HashSet<&str> = HashSet::new();
    for start in all.keys() {
        if done.contains(start) {
            continue;
        }
        // An explicit stack: a chain of services is as deep as it is long.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_path: HashMap<&str, usize> = HashMap::from([(*start, 0)]);
        while let Some((name, index)) = path.last_mut() {
            let Some(wait) = all.get(*name).and_then(|waits| waits.get(*index)) else {
                on_path.remove(name);
                done.insert(name);
                path.pop();
                continue;
            };
            *index += 1;
            let next = wait.service.as_str();
            if let Some(from) = on_path.get(next) {
                let names: Vec<&str> = path[*from..].iter().map(|(name, _)| *name).chain([next]).collect();
                let message = format!("these services wait for each other: {}", names.join(" → "));
                findings.error(&wait.item, "cyclic-depends-on", message, "an arrow reads \"waits for\": take one of them out");
            } else if !done.contains(next) {
                on_path.insert(next, path.len());
                path.push((next, 0));
            }
        }
    }
}

/// The services that are work which ends: waited for only until they have ended, never started again, with a command that is known.
pub(super) fn works<'a>(services: &IndexMap<&'a str, Item<'a>>, waits: &IndexMap<&'a str, Vec<Wait<'a>>>) -> HashSet<&'a str> {
    let ends = |name: &str| {
        let mut asked = waits.values().flatten().filter(|wait| wait.service == name).map(|wait| wait.condition).peekable();
        asked.peek().is_some() && asked.all(|condition| condition == Condition::Completed)
    };
    services.iter().filter(|(name, service)| ends(name) && is_work(service)).map(|(name, _)| *name).collect()
}

fn is_work(service: &Item<'_>) -> bool {
    let says =
        |item: Option<Item<'_>>, words: &[&str]| item.and_then(|item| item.scalar()).is_some_and(|text| words.contains(&text.as_str()));
    let policy = service.at(&["deploy", "restart_policy"]);
    let once = match &policy {
        Some(policy) => says(policy.get("condition"), &["none"]),
        None => service.get("restart").is_none() || says(service.get("restart"), &["no", "false"]),
    };
    let command = ["command", "entrypoint"].iter().any(|key| service.get(key).is_some_and(|command| !command.asks_for_nothing()));
    once && command && service.get("image").is_some() && service.get("build").is_none()
}

/// Says what a wait means less, or more, than in Compose.
pub(super) fn judge(wait: &Wait<'_>, other: &Item<'_>, other_is_work: bool, findings: &mut Findings<'_>) {
    let name = &wait.service;
    match wait.condition {
        Condition::Healthy if !health::has_check(other) => {
            let why = format!("`{name}` has no health check here: it is ready as soon as its container runs");
            findings.differs(&wait.item, why, "write a `healthcheck:` for it; what the image has is not known to the goal");
        }
        Condition::Completed if !other_is_work => {
            let why = format!(
                "`{name}` becomes a container that stays: work that ends has `image`, a `command`, no `build` and no restart policy"
            );
            findings.not_mapped(&wait.item, why, "make its phase `image:` and `run:` in the goal");
        }
        _ => {}
    }
}
