//! What a call asks of images: how they are built, what those carry that are made of a container, and the names that move.
//!
//! | an image's name | moves |
//! |---|---|
//! | nobody has it, or it is of an image that this workspace built | freely |
//! | it is of another image | with `foreign`, where a build, a commit, an import or a tag would move it |
//! | it is pulled again, or loaded | freely: what it means is said by whoever wrote the image |

use std::fmt::Write as _;

use crate::base::label;

use super::capability::{Capability, Refusal};
use super::facts::{Facts, Thing};
use super::json::Json;
use super::policy::Policy;
use super::query::Query;
use super::rewrite::{BUILT, OURS, Verdict};
use super::route::{Call, Kind};

/// The names that a call gives to an image.
pub(super) fn names(call: &Call) -> Result<Vec<Thing>, Refusal> {
    let query = Query::read(call.query.as_deref())?;
    let pair = |repo: &str| query.get(repo).map(|name| named(name, query.get("tag"))).into_iter().collect();
    let names: Vec<String> = match call.kind {
        Kind::Build => query.all("t").filter(|name| !name.is_empty()).map(|name| named(name, None)).collect(),
        Kind::Commit | Kind::ImageTag => pair("repo"),
        // An import; what is pulled has the name of where it comes from.
        Kind::ImageMake if query.get("fromImage").is_none() => pair("repo"),
        _ => Vec::new(),
    };
    Ok(names.into_iter().map(Thing::Image).collect())
}

/// An image's name with its tag, or its digest.
pub(super) fn named(name: &str, tag: Option<&str>) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match tag {
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
        None if last.contains([':', '@']) => name.to_owned(),
        None => format!("{name}:latest"),
    }
}

/// Refuses to take a name away from an image that is somebody else's.
pub(super) fn moves(call: &Call, policy: &Policy, facts: &Facts) -> Result<(), Refusal> {
    names(call)?.iter().try_for_each(|thing| facts.own(policy, "taking the name from", thing))
}

/// The image of a container of ours is not to carry what says that the container is ours: everybody's containers of it would say so too.
pub(super) fn commit(call: &Call, policy: &Policy) -> Result<Verdict, Refusal> {
    let mut query = Query::read(call.query.as_deref())?;
    if query.all("changes").any(|change| change.contains(OURS)) {
        return Err(Refusal::never("a label of sculpt's own on an image"));
    }
    let mut ours: Vec<(String, String)> = policy.label.write().into_iter().collect();
    ours.extend([label::SPEC, label::NONCE].map(|key| (key.to_owned(), String::new())));
    ours.sort();
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    let mut change = "LABEL".to_owned();
    for (key, value) in ours {
        write!(change, " {key}=\"\"").unwrap_or_default();
        if [label::WORKSPACE, label::OWNER].contains(&key.as_str()) {
            write!(change, " {}=\"{}\"", key.replacen(OURS, BUILT, 1), quoted(&value)).unwrap_or_default();
        }
    }
    // Before all others: what follows can neither swallow it, nor have it read otherwise.
    query.add_first("changes", change);
    Ok(Verdict::Requeried(query.write()))
}

/// What the parameters of a build may be: those of Docker. Podman has others, which reach into the host.
const BUILD: [&str; 32] = [
    "dockerfile",
    "t",
    "extrahosts",
    "remote",
    "q",
    "nocache",
    "cachefrom",
    "pull",
    "rm",
    "forcerm",
    "memory",
    "memswap",
    "cpushares",
    "cpusetcpus",
    "cpusetmems",
    "cpuperiod",
    "cpuquota",
    "buildargs",
    "shmsize",
    "squash",
    "labels",
    "networkmode",
    "platform",
    "target",
    "outputs",
    "version",
    "session",
    "buildid",
    "securityopt",
    "cgroupparent",
    "ulimits",
    "isolation",
];

/// The parameters that this release knows, as Docker means them.
pub(super) fn parameters(query: &Query, policy: &Policy) -> Result<(), Refusal> {
    if let Some(name) = query.names().find(|name| !BUILD.contains(&name.as_str())) {
        super::rewrite::allowed(
            policy,
            &format!("the parameter `{name}` of a build, which this release of sculpt does not know"),
            "unknown-endpoint",
        )?;
    }
    // Docker gives outputs to the client, as a list of objects; Podman writes them where their text says.
    let outputs = Json::parse(query.get("outputs").unwrap_or("[]").as_bytes());
    let listed = match &outputs {
        Ok(Json::Array(items)) => items.iter().all(|item| matches!(item, Json::Object(_))),
        Ok(plain) => *plain == Json::Plain("null".to_owned()),
        Err(_) => false,
    };
    if !listed {
        super::rewrite::allowed(policy, "outputs of a build, as this release of sculpt does not know them", "unknown-endpoint")?;
    }
    if !["", "default"].contains(&query.get("isolation").unwrap_or_default()) {
        policy.require("another isolation of a build's steps", Capability::Word("security-opt"))?;
    }
    Ok(())
}
