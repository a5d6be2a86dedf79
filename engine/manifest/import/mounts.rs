//! `volumes` of a service → `container.volumes`: named volumes by their resources, paths as the workspace knows them.

use super::finding::Findings;
use super::interpolate::{Template, Unit};
use super::item::Item;
use super::keys::{BIND, MOUNT};
use super::paths::mapped;
use super::project::Project;

const OUTSIDE_HINT: &str = "keep what a goal needs in its workspace; what is mounted here stays yours";

/// The mounts of a service.
pub(super) fn volumes(service: &Item<'_>, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(volumes) = service.get("volumes") else { return Vec::new() };
    if !volumes.is_list() {
        findings.wrong_type(&volumes, "a list");
    }
    let mounts = volumes.elements();
    mounts
        .filter_map(|item| if item.node.map().is_some() { long(&item, project, findings) } else { short(&item, project, findings) })
        .collect()
}

/// `[SOURCE:]TARGET[:OPTIONS]`.
fn short(item: &Item<'_>, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let template = findings.template(item)?;
    let parts = template.split(':');
    let (source, target, options) = match parts.as_slice() {
        [target] => {
            anonymous(item, &target.render(), findings);
            return None;
        }
        [source, target] => (source, target, String::new()),
        [source, target, options] => (source, target, options.render()),
        _ => {
            findings.wrong_type(item, "a mount like `data:/var/lib/data` or `./conf:/etc/conf:ro`");
            return None;
        }
    };
    let mut read_only = "";
    for option in options.split(',') {
        match option {
            "ro" => read_only = ":ro",
            // What is so anyway, what other systems need, and what engines ignore.
            "" | "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            option => findings.not_mapped(item, format!("a mount is a source, a target and `ro`: `{option}` is left out"), ""),
        }
    }
    let source = source_of(item, source, is_path(source), project, findings)?;
    Some(format!("{source}:{}{read_only}", target.render()))
}

fn long(item: &Item<'_>, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let kind = item.get("type").and_then(|kind| findings.fixed(&kind));
    let target = item.get("target").and_then(|target| findings.text(&target));
    let source = match item.get("source") {
        Some(source) => Some(findings.template(&source)?),
        None => None,
    };
    let is_bind = match kind.as_deref() {
        Some("bind") => true,
        Some("volume") => false,
        Some(other) => {
            findings.not_mapped(item, format!("`container` mounts volumes and paths, no `{other}`"), "");
            return None;
        }
        None => {
            findings.error(item, "missing-key", format!("`{}` has no `type`", item.path), "");
            return None;
        }
    };
    findings.sort_out(item, MOUNT);
    if let Some(bind) = item.get("bind") {
        findings.sort_out(&bind, BIND);
    }
    let Some(target) = target else {
        findings.error(item, "missing-key", format!("`{}` has no `target`", item.path), "");
        return None;
    };
    let Some(source) = source else {
        anonymous(item, &target, findings);
        return None;
    };
    let source = source_of(item, &source, is_bind, project, findings)?;
    let read_only = item.get("read_only").is_some_and(|truth| truth.scalar().as_deref() == Some("true"));
    Some(format!("{source}:{target}{}", if read_only { ":ro" } else { "" }))
}

fn anonymous(item: &Item<'_>, target: &str, findings: &mut Findings<'_>) {
    let why = "a volume without a name could be found by nobody: what is written there ends with the container";
    findings.not_mapped(item, why, &format!("name it: `data:{target}`, with `data:` under `volumes:`"));
}

/// Whether the source of a mount is a path and no name; what a variable starts is what its default is, or a path.
fn is_path(source: &Template) -> bool {
    let first = match source.units().first() {
        Some(Unit::Char(char)) => Some(*char),
        _ => source.with_defaults().and_then(|text| text.chars().next()),
    };
    first.is_none_or(|char| matches!(char, '.' | '/' | '~' | '\\'))
}

fn source_of(item: &Item<'_>, source: &Template, is_bind: bool, project: &mut Project<'_>, findings: &mut Findings<'_>) -> Option<String> {
    if is_bind {
        let there = mapped(project.folder, source);
        if let Some(doubt) = there.doubt {
            findings.differs(item, doubt, OUTSIDE_HINT);
        }
        let relative = !there.path.starts_with('/') && !there.path.starts_with("{{");
        return Some(if relative { format!("./{}", there.path) } else { there.path });
    }
    let Some(name) = source.with_defaults() else {
        findings.not_mapped(item, "the name of a volume takes no variable", "write the name into the goal");
        return None;
    };
    if source.plain().is_none() {
        findings.differs(item, format!("the name of a volume takes no variable: it is `{name}`, the default"), "");
    }
    if let Some(resource) = project.volume(&name) {
        Some(resource.to_string())
    } else {
        let message = format!("`{}` names the volume `{name}`, and there is no such volume", item.path);
        findings.error(item, "unknown-volume", message, "declare it under `volumes:`; a path starts with `./`");
        None
    }
}
