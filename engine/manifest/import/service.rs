//! A service → a phase of the same name: a container that stays, or work that ends.

use serde_json::{Map, Value, json};

use super::build;
use super::finding::Findings;
use super::interpolate::{Template, passed};
use super::item::Item;
use super::keys::SERVICE;
use super::order::Wait;
use super::paths::mapped;
use super::ports::{Asking, ports};
use super::project::Project;
use super::stored::WRITTEN;
use super::words::words;
use super::{health, life, mounts, names, networks};
use crate::base::name::Name;
use crate::manifest::node::Data;

/// A service with what is known of it before its keys are read.
pub(super) struct Service<'s, 'a> {
    /// Its name in the Compose file.
    pub(super) name: &'a str,
    /// Its phase, and the resource in it.
    pub(super) phase: Name,
    /// Its keys.
    pub(super) item: Item<'a>,
    /// Whether it is work that ends.
    pub(super) is_work: bool,
    /// What it waits for, with the phase of each.
    pub(super) waits: Vec<(&'s Wait<'a>, Name)>,
}

/// Why keys of a container have no place in work that ends.
const NOT_FOR_WORK: &str = "work that ends (`image` and `run`) has the workspace, its environment, networks and volumes, and nothing else";

/// Those keys.
const CONTAINER_ONLY: [&str; 8] =
    ["expose", "healthcheck", "network_mode", "ports", "scale", "stop_grace_period", "stop_signal", "working_dir"];

/// Keys that hold nothing but a list, a mapping, or either.
const SHAPES: [(&str, bool, bool); 5] =
    [("deploy", false, true), ("links", true, false), ("networks", true, true), ("profiles", true, false), ("ulimits", false, true)];

/// The phase of a service.
pub(super) fn phase(service: &Service<'_, '_>, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Map<String, Value> {
    let item = &service.item;
    findings.sort_out(item, SERVICE);
    shapes(item, findings);
    let mut phase = Map::new();
    let profiles = profiles(item, findings);
    if !profiles.is_empty() {
        phase.insert("profiles".to_owned(), json!(profiles));
    }
    env_files(item, project.folder, &mut phase, findings);
    let mut needs: Vec<(Name, bool)> = service.waits.iter().filter_map(|(wait, phase)| need(wait, phase, &profiles)).collect();
    if item.get("provider").is_some() {
        // There is nothing to start: the phase keeps its place in the order.
    } else if service.is_work {
        if work(item, project, &mut phase, findings) {
            needs.insert(0, (project.phase.clone(), false));
        }
    } else if container(service, project, &profiles, &mut phase, findings) {
        needs.insert(0, (project.phase.clone(), false));
    }
    life::deploy(item, findings);
    let mut ordered = Map::new();
    if !needs.is_empty() {
        ordered.insert("needs".to_owned(), written(&needs));
    }
    ordered.extend(phase);
    ordered.extend(item.entries().filter(|(key, _)| key.starts_with("x-")).map(|(key, item)| (key.to_owned(), item.node.to_value())));
    ordered
}

/// Says where a list or a mapping is something else.
fn shapes(service: &Item<'_>, findings: &mut Findings<'_>) {
    for (key, list, map) in SHAPES {
        if let Some(item) = service.get(key)
            && !(list && item.is_list() || map && item.node.map().is_some())
        {
            let wanted = if list && map {
                "a list or a mapping"
            } else if list {
                "a list"
            } else {
                "a mapping"
            };
            findings.wrong_type(&item, wanted);
        }
    }
}

/// The phase that a wait needs, and whether however it ended.
fn need(wait: &Wait<'_>, phase: &Name, profiles: &[String]) -> Option<(Name, bool)> {
    // A phase that a profile leaves out cannot be needed: what is not required is not waited for then.
    let other: Vec<String> = wait.profiles.iter().map(|profile| names::name(profile)).collect();
    let left_out = !other.is_empty() && !profiles.iter().any(|profile| other.contains(profile));
    (wait.required || !left_out).then(|| (phase.clone(), !wait.required))
}

fn written(needs: &[(Name, bool)]) -> Value {
    if needs.iter().all(|(_, however)| !however) {
        return json!(needs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    }
    let need = |however: bool| if however { json!({ "when": "finished" }) } else { json!({}) };
    Value::Object(needs.iter().map(|(name, however)| (name.to_string(), need(*however))).collect())
}

/// Work that ends. Whether it uses what the services share.
fn work(item: &Item<'_>, project: &mut Project<'_>, phase: &mut Map<String, Value>, findings: &mut Findings<'_>) -> bool {
    let only = CONTAINER_ONLY.iter().filter_map(|key| item.get(key)).chain(item.at(&["deploy", "replicas"]));
    for entry in only {
        if !entry.asks_for_nothing() {
            findings.not_mapped(&entry, NOT_FOR_WORK, "what it needs of this, take from the workspace or a port of the host");
        }
    }
    if let Some(image) = item.get("image").and_then(|image| findings.text(&image)) {
        phase.insert("image".to_owned(), image.into());
    }
    let argv: Vec<String> =
        ["entrypoint", "command"].iter().filter_map(|key| item.get(key)).flat_map(|command| argv(&command, findings)).collect();
    phase.insert("run".to_owned(), json!(argv));
    let env = environment(item, findings);
    if !env.is_empty() {
        phase.insert("env".to_owned(), Value::Object(env));
    }
    if let Some(user) = item.get("user").and_then(|user| findings.text(&user)) {
        phase.insert("user".to_owned(), user.into());
    }
    let shares = joined(item, project, phase, findings);
    if let Some(limits) = life::limits(item, findings) {
        phase.insert("limits".to_owned(), limits);
    }
    shares
}

/// What a container mounts and joins. Whether that is what the services share.
fn joined(item: &Item<'_>, project: &mut Project<'_>, into: &mut Map<String, Value>, findings: &mut Findings<'_>) -> bool {
    let mut volumes = mounts::volumes(item, project, findings);
    volumes.extend(project.stored.mounts(item, findings));
    let networks = networks::networks(item, project, findings);
    // A path needs nobody; a name is a resource of the shared phase, and so is what the engine writes for it.
    let shares = !networks.is_empty() || volumes.iter().any(|mount| !mount.starts_with(['/', '{', '.']) || mount.starts_with(WRITTEN));
    for (key, list) in [("volumes", volumes), ("networks", networks)] {
        if !list.is_empty() {
            into.insert(key.to_owned(), json!(list));
        }
    }
    shares
}

/// A container that stays. Whether it uses what the services share.
fn container(
    service: &Service<'_, '_>,
    project: &mut Project<'_>,
    profiles: &[String],
    phase: &mut Map<String, Value>,
    findings: &mut Findings<'_>,
) -> bool {
    let item = &service.item;
    let mut container = Map::new();
    build::image(item, project.folder, &mut container, findings);
    if let Some(entrypoint) = item.get("entrypoint") {
        let hint = "build it into an image: `FROM …` and `ENTRYPOINT …`";
        findings.not_mapped(&entrypoint, "`container` has the entrypoint of its image", hint);
    }
    if let Some(command) = item.get("command").filter(|command| !command.asks_for_nothing()) {
        let argv = argv(&command, findings);
        if !argv.is_empty() {
            container.insert("command".to_owned(), json!(argv));
        }
    }
    let env = environment(item, findings);
    if !env.is_empty() {
        container.insert("env".to_owned(), Value::Object(env));
    }
    let shares = joined(item, project, &mut container, findings);
    for key in ["user", "working_dir"] {
        if let Some(text) = item.get(key).and_then(|item| findings.text(&item)) {
            container.insert(key.to_owned(), text.into());
        }
    }
    let mut resource = Map::from_iter([("container".to_owned(), Value::Object(container))]);
    let count = life::replicas(item, findings);
    match count {
        0 => drop(phase.insert("when".to_owned(), false.into())),
        1 => {}
        count => drop(phase.insert("for_each".to_owned(), json!((1..=count).collect::<Vec<_>>()))),
    }
    if count > 1
        && let Some(ports) = item.get("ports")
    {
        findings.not_mapped(
            &ports,
            format!("{count} instances cannot have the same ports of this host"),
            "put a proxy before them, and give it the port",
        );
    } else {
        let ports = ports(item, Asking { service: service.name, profiles, claims: &mut project.claims }, findings);
        if !ports.is_empty() {
            resource.insert("ports".to_owned(), json!(ports));
        }
    }
    if let Some(check) = health::healthcheck(item, findings) {
        resource.insert("healthcheck".to_owned(), check);
    }
    let (restart, restart_limits) = life::restart(item, findings);
    let said = [
        ("restart", restart.map(Value::from)),
        ("restart_limits", restart_limits),
        ("stop", life::stop(item, findings)),
        ("limits", life::limits(item, findings)),
        ("scope", Some(Value::from("goal"))),
    ];
    resource.extend(said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    phase.insert("resources".to_owned(), json!({ service.phase.as_str(): resource }));
    shares
}

/// A command as its words.
fn argv(command: &Item<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    if command.is_list() {
        return command.elements().filter_map(|word| findings.text(&word)).collect();
    }
    let Some(template) = findings.template(command) else { return Vec::new() };
    if let Some(words) = words(&template) {
        words.iter().map(Template::render).collect()
    } else {
        findings.error(command, "open-quote", format!("`{}`: a quote is never closed", command.path), "");
        Vec::new()
    }
}

fn environment(service: &Item<'_>, findings: &mut Findings<'_>) -> Map<String, Value> {
    let Some(environment) = service.get("environment") else { return Map::new() };
    if !environment.is_list() && environment.node.map().is_none() {
        findings.wrong_type(&environment, "a list or a mapping");
    }
    let mut env = Map::new();
    for item in environment.elements() {
        let Some(template) = findings.template(&item) else { continue };
        let (name, value) = template.split_once('=').map_or((template, None), |(name, value)| (name, Some(value)));
        match name.plain().filter(|name| !name.is_empty()) {
            Some(name) => {
                let value = value.map_or_else(|| passed(&name), |value| value.render());
                env.insert(name, value.into());
            }
            None => findings.not_mapped(&item, "the name of a variable takes no variable", ""),
        }
    }
    for (name, item) in environment.entries() {
        let value = if item.node.data == Data::Null { Some(passed(name)) } else { findings.text(&item) };
        if let Some(value) = value {
            env.insert(name.to_owned(), value.into());
        }
    }
    env
}

fn env_files(service: &Item<'_>, folder: &str, phase: &mut Map<String, Value>, findings: &mut Findings<'_>) {
    let Some(files) = service.get("env_file") else { return };
    let mut paths = Vec::new();
    for item in files.one_or_many() {
        if let Some(optional) = item.get("required").filter(|required| required.scalar().as_deref() == Some("false")) {
            let hint = "where it is always there, write it under `env_file:` of the phase";
            findings.not_mapped(&optional, "an `env_file` that is missing is an error, so one that may be is left out", hint);
            continue;
        }
        if let Some(format) = item.get("format") {
            findings.differs(&format, "an `env_file` holds `NAME=value` lines as they are", "");
        }
        let path = if item.node.map().is_some() { item.get("path") } else { Some(item.clone()) };
        if let Some(template) = path.and_then(|path| findings.template(&path)) {
            paths.push(mapped(folder, &template).path);
        }
    }
    if !paths.is_empty() {
        phase.insert("env_file".to_owned(), json!(paths));
    }
}

fn profiles(service: &Item<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(profiles) = service.get("profiles") else { return Vec::new() };
    let mut all = Vec::new();
    for item in profiles.elements() {
        let Some(text) = findings.fixed(&item) else { continue };
        let name = names::name(&text);
        if name != text {
            findings.differs(&item, format!("a profile of a goal has letters, digits, `_` and `-`: it is `{name}`"), "");
        }
        all.push(name);
    }
    all
}
