//! What becomes of a call: passed as it is, passed rewritten, or refused. Pure but for the nonce of a new container: what must be
//! known of the world is asked for first.

use crate::adapters::docker::create::nonce;
use crate::base::label::{self, Label};

use super::capability::{Capability, Refusal};
use super::facts::{Facts, Standing, Thing};
use super::json::{Json, Malformed};
use super::network::{bridge, endpoint, join, networking, origin};
use super::policy::{Policy, Resolve};
use super::query::Query;
use super::route::{Call, Kind};
use super::{host, image, limits, nameless};

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it came.
    Pass,
    /// It goes on with this body.
    Rewritten {
        /// The new body.
        body: String,
        /// Volumes that are not there yet, which the engine would make without labels: to be made first.
        volumes: Vec<String>,
    },
    /// It goes on with this query.
    Requeried(String),
    /// It goes no further, and is answered with this.
    Answered(&'static str),
    /// It goes no further.
    Refused(Refusal),
}

/// Begins every label key of ours.
pub(super) const OURS: &str = "io.opensculpt.";

/// Begins the keys that an image carries. They are others than a container's: a container inherits its image's labels, and one that
/// somebody else makes of our image is not ours.
pub(super) const BUILT: &str = "io.opensculpt.built.";

/// The answer to a prune that finds nothing.
const NOTHING_PRUNED: &str = "{\"CachesDeleted\":[],\"SpaceReclaimed\":0}";

/// The label key that says which workspace built an image.
pub const BUILT_WORKSPACE: &str = "io.opensculpt.built.workspace";

impl Kind {
    /// Whether the body decides, and is to be read before the call is judged.
    pub fn has_judged_body(self) -> bool {
        use Kind::{ContainerCreate, ContainerStart, ContainerUpdate, ExecCreate, NetworkCreate, NetworkJoin, VolumeCreate};
        matches!(self, ContainerCreate | ContainerStart | ContainerUpdate | ExecCreate | NetworkCreate | NetworkJoin | VolumeCreate)
    }
}

/// Whom a call names, and whose they are must be known.
pub fn things(call: &Call, body: &Json) -> Result<Vec<Thing>, Refusal> {
    let subject = || call.subject.clone().unwrap_or_default();
    Ok(match call.kind {
        Kind::ContainerCreate => {
            let mut things = host::things(body)?;
            if let Some(inner) = body.field("HostConfig")? {
                things.extend(host::things(inner)?);
            }
            things.extend(networking(body)?);
            things.extend(nameless::image(body)?);
            things
        }
        Kind::ContainerAct
        | Kind::ContainerStart
        | Kind::ContainerAttach
        | Kind::ContainerUpdate
        | Kind::ContainerRemove
        | Kind::ExecCreate => vec![Thing::Container(subject())],
        Kind::ExecAct => vec![Thing::Exec(subject())],
        Kind::NetworkCreate => origin(body)?.into_iter().collect(),
        Kind::NetworkJoin => {
            let mut things = vec![Thing::Container(body.text_of("Container")?.into_owned()), Thing::Network(subject())];
            things.extend(body.field("EndpointConfig")?.map_or(Ok(Vec::new()), endpoint)?);
            things
        }
        Kind::NetworkRemove => vec![Thing::Network(subject())],
        Kind::VolumeCreate => vec![Thing::Volume(body.text_of("Name")?.into_owned())],
        Kind::VolumeAct | Kind::VolumeRemove => vec![Thing::Volume(subject())],
        Kind::ImageRemove => vec![Thing::Image(subject())],
        Kind::Commit => [source(call)?, image::names(call)?].concat(),
        Kind::ImageMake | Kind::ImageTag => image::names(call)?,
        Kind::Build => {
            let network = container_of(Query::read(call.query.as_deref())?.get("networkmode").unwrap_or_default());
            [network, image::names(call)?].concat()
        }
        _ => Vec::new(),
    })
}

/// The container that an image is made of.
fn source(call: &Call) -> Result<Vec<Thing>, Refusal> {
    Ok(Query::read(call.query.as_deref())?.get("container").map(|name| Thing::Container(name.to_owned())).into_iter().collect())
}

fn container_of(mode: &str) -> Vec<Thing> {
    match mode.strip_prefix("container:") {
        Some(name) => vec![Thing::Container(name.to_owned())],
        None if mode.is_empty() => Vec::new(),
        None => vec![Thing::Network(mode.to_owned())],
    }
}

/// Decides. `body` is an empty object where the call's body is not judged.
pub fn judge(call: &Call, body: Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Verdict {
    decide(call, body, policy, facts, resolve).unwrap_or_else(Verdict::Refused)
}

fn decide(call: &Call, mut body: Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<Verdict, Refusal> {
    let owned =
        |body: &Json| -> Result<(), Refusal> { things(call, body)?.iter().try_for_each(|thing| facts.own(policy, "a change of", thing)) };
    let written = |body: &Json| Verdict::Rewritten { body: body.write(), volumes: Vec::new() };
    match call.kind {
        Kind::Look | Kind::Session | Kind::ImageAdd | Kind::ImageLoad => Ok(Verdict::Pass),
        Kind::ImageMake | Kind::ImageTag => image::moves(call, policy, facts).map(|()| Verdict::Pass),
        Kind::ContainerCreate => container(body, policy, facts, resolve),
        Kind::NetworkCreate => {
            let driver = body.text_of("Driver")?;
            if driver == "host" {
                policy.require("a network that is the host's", Capability::Word("host-network"))?;
            } else if !["", "default", "bridge", "overlay", "null"].contains(&driver.as_ref()) {
                policy.require(format!("the network driver {driver}"), Capability::NetworkDriver(driver.into_owned()))?;
            }
            bridge(&body, policy, resolve)?;
            join(origin(&body)?.as_slice(), policy, facts)?;
            add_labels(&mut body, &policy.label)?;
            Ok(written(&body))
        }
        Kind::VolumeCreate => {
            owned(&body)?;
            host::lead_volume(&mut body, ("Driver", "DriverOpts"), policy, resolve)?;
            add_labels(&mut body, &policy.label)?;
            Ok(written(&body))
        }
        Kind::ContainerUpdate => {
            owned(&body)?;
            host::check(&body, policy, facts, resolve)?;
            limits::update(&mut body, &policy.limits)?;
            Ok(written(&body))
        }
        Kind::ContainerStart => {
            owned(&body)?;
            if Query::read(call.query.as_deref())?.names().any(|name| name.starts_with("checkpoint")) {
                allowed(policy, "a start from a checkpoint, which this release of sculpt does not know", "unknown-endpoint")?;
            }
            host::again(&Thing::Container(call.subject.clone().unwrap_or_default()), policy, facts, resolve)?;
            // An engine of old takes a host configuration here, which would undo what was judged at the creation.
            match &body {
                Json::Object(fields) if fields.is_empty() => Ok(Verdict::Pass),
                _ => Err(Refusal::never("a start with a host configuration; give it when the container is created")),
            }
        }
        Kind::ExecCreate => {
            owned(&body)?;
            if body.bool_of("Privileged")? {
                policy.require("a privileged command in a container", Capability::Word("privileged"))?;
            }
            Ok(written(&body))
        }
        Kind::NetworkJoin => {
            facts.own(policy, "a change of", &Thing::Container(body.text_of("Container")?.into_owned()))?;
            host::network(policy, facts, call.subject.as_deref().unwrap_or_default())?;
            join(&body.field("EndpointConfig")?.map_or(Ok(Vec::new()), endpoint)?, policy, facts)?;
            Ok(written(&body))
        }
        Kind::ContainerRemove => {
            owned(&body)?;
            if facts.standing(&Thing::Container(call.subject.clone().unwrap_or_default())) != Standing::Ours {
                return Ok(Verdict::Pass);
            }
            // With its volumes without a name; where it may have a stranger's, only as it was asked for.
            if policy.allow.contains("foreign") {
                return Ok(Verdict::Pass);
            }
            let mut query = Query::read(call.query.as_deref())?;
            query.set("v", "1".to_owned());
            Ok(Verdict::Requeried(query.write()))
        }
        Kind::Commit => {
            source(call)?.iter().try_for_each(|thing| facts.own(policy, "an image of", thing))?;
            image::moves(call, policy, facts)?;
            image::commit(call, policy)
        }
        Kind::ContainerAct
        | Kind::ContainerAttach
        | Kind::ExecAct
        | Kind::NetworkRemove
        | Kind::VolumeAct
        | Kind::VolumeRemove
        | Kind::ImageRemove => owned(&body).map(|()| Verdict::Pass),
        Kind::ContainerPrune | Kind::NetworkPrune | Kind::VolumePrune => prune(call, policy, OURS),
        Kind::ImagePrune => prune(call, policy, BUILT),
        // The build cache is everybody's: nothing of it is this place's.
        Kind::BuildPrune => Ok(if policy.allow.contains("foreign") { Verdict::Pass } else { Verdict::Answered(NOTHING_PRUNED) }),
        Kind::BuildKit => allowed(policy, "BuildKit's own interface, which cannot be judged", "buildkit"),
        Kind::Build => build(call, policy, facts),
        Kind::Swarm => allowed(policy, "a change of the swarm", "swarm"),
        Kind::Plugins => allowed(policy, "a change of the engine's plugins", "plugins"),
        Kind::Unknown => allowed(policy, &format!("{}, which this release of sculpt does not know", call.path), "unknown-endpoint"),
    }
}

pub(super) fn allowed(policy: &Policy, what: &str, word: &'static str) -> Result<Verdict, Refusal> {
    policy.require(what, Capability::Word(word)).map(|()| Verdict::Pass)
}

/// Ours win over what was written with our keys.
fn add_labels(body: &mut Json, label: &Label) -> Result<(), Malformed> {
    let Json::Object(fields) = body.object("Labels")? else { return Ok(()) };
    fields.retain(|(key, _)| !key.starts_with(OURS));
    let mut ours: Vec<_> = label.write().into_iter().collect();
    ours.sort();
    fields.extend(ours.into_iter().map(|(key, value)| (key, Json::text(&value))));
    Ok(())
}

fn container(mut body: Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<Verdict, Refusal> {
    // The engine takes the fields beside `HostConfig` too; with one that is there, these are at most its fallbacks.
    host::check(&body, policy, facts, resolve)?;
    let inner = body.object("HostConfig")?;
    host::check(inner, policy, facts, resolve)?;
    host::lead(inner, policy, resolve)?;
    limits::create(inner, &policy.limits)?;
    if let Some(parent) = policy.parent.as_ref().filter(|_| inner.text_of("CgroupParent").is_ok_and(|own| own.is_empty())) {
        inner.set("CgroupParent", Json::text(&parent.path))?;
    }
    let volumes: Vec<String> = host::volumes(inner)?;
    nameless::mount(&mut body, facts)?;
    for mount in body.object("HostConfig")?.items_mut("Mounts")? {
        if mount.text_of("Type")? == "volume" {
            let nameless = mount.text_of("Source")?.is_empty();
            let options = mount.object("VolumeOptions")?;
            add_labels(options, &policy.label)?;
            if let (true, Json::Object(labels)) = (nameless, options.object("Labels")?) {
                labels.push((label::NAMELESS.to_owned(), Json::text("")));
            }
        }
    }
    join(&networking(&body)?, policy, facts)?;
    add_labels(&mut body, &policy.label)?;
    if let Json::Object(labels) = body.object("Labels")? {
        labels.push((label::NONCE.to_owned(), Json::text(&nonce())));
    }
    let absent = |name: &String| facts.standing(&Thing::Volume(name.clone())) == Standing::Absent;
    // A volume of a mount is made by the engine with the labels written above, and with its own options.
    let mounted = body.field("HostConfig")?.map_or(Ok(Vec::new()), |inner| inner.items_of("Mounts").map(<[Json]>::to_vec))?;
    let labelled = mounted.iter().map(|mount| mount.text_of("Source")).collect::<Result<Vec<_>, _>>()?;
    let volumes = volumes.into_iter().filter(|name| absent(name) && !labelled.iter().any(|other| other == name)).collect();
    Ok(Verdict::Rewritten { body: body.write(), volumes })
}

/// Only what this place of this workspace made.
fn prune(call: &Call, policy: &Policy, keys: &str) -> Result<Verdict, Refusal> {
    let mut query = Query::read(call.query.as_deref())?;
    let mut filters = Json::parse(query.get("filters").unwrap_or_default().as_bytes()).map_err(Refusal::from)?;
    let mut wanted: Vec<String> = match exact(&filters, "label")? {
        None => Vec::new(),
        Some(Json::Object(fields)) => fields.iter().map(|(key, _)| key.clone()).collect(),
        Some(Json::Array(items)) => items.iter().map(|item| item.as_text("label")).collect::<Result<_, _>>()?,
        Some(Json::Plain(_)) => return Err(Malformed::Kind("label".to_owned(), "a list or an object").into()),
    };
    for (key, value) in [("workspace", policy.label.workspace.clone()), ("owner", policy.label.owner.to_string())] {
        let filter = format!("{keys}{key}={value}");
        if !wanted.contains(&filter) {
            wanted.push(filter);
        }
    }
    // The engine takes filters as lists or as objects, all alike.
    let lists = matches!(&filters, Json::Object(fields) if fields.iter().any(|(_, value)| matches!(value, Json::Array(_))));
    let value = if lists {
        Json::Array(wanted.iter().map(|text| Json::text(text)).collect())
    } else {
        Json::Object(wanted.into_iter().map(|text| (text, Json::Plain("true".to_owned()))).collect())
    };
    if let Json::Object(fields) = &mut filters {
        fields.retain(|(key, _)| key != "label");
        fields.push(("label".to_owned(), value));
    }
    query.set("filters", filters.write());
    Ok(Verdict::Requeried(query.write()))
}

/// The keys of filters are no fields: case counts.
fn exact<'a>(object: &'a Json, name: &str) -> Result<Option<&'a Json>, Malformed> {
    match object {
        Json::Object(fields) => Ok(fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)),
        _ => Err(Malformed::Kind("filters".to_owned(), "an object")),
    }
}

fn build(call: &Call, policy: &Policy, facts: &Facts) -> Result<Verdict, Refusal> {
    let mut query = Query::read(call.query.as_deref())?;
    image::parameters(&query, policy)?;
    image::moves(call, policy, facts)?;
    let mode = query.get("networkmode").unwrap_or_default();
    for thing in container_of(mode) {
        if let Thing::Container(_) = thing {
            facts.own(policy, "the network of", &thing)?;
        }
    }
    host::network(policy, facts, mode)?;
    if query.get("cgroupparent").is_some() {
        policy.require("a cgroup parent of its own", Capability::Word("cgroup-parent"))?;
    } else if let Some(parent) = &policy.parent {
        query.set("cgroupparent", parent.path.clone());
    }
    if query.all("securityopt").any(|option| !option.is_empty() && option != "[]" && option != "null") {
        policy.require("a security option that leaves the default profile", Capability::Word("security-opt"))?;
    }
    let mut labels = Json::parse(query.get("labels").unwrap_or_default().as_bytes()).map_err(Refusal::from)?;
    if labels == Json::Plain("null".to_owned()) {
        labels = Json::Object(Vec::new());
    }
    let Json::Object(fields) = &mut labels else { return Err(Malformed::Kind("labels".to_owned(), "an object").into()) };
    fields.retain(|(key, _)| !key.starts_with(OURS));
    let mut ours: Vec<_> = policy.label.write().into_iter().filter(|(key, _)| key != label::ORIGIN).collect();
    ours.sort();
    fields.extend(ours.into_iter().map(|(key, value)| (key.replacen(OURS, BUILT, 1), Json::text(&value))));
    query.set("labels", labels.write());
    let asked = query.clone();
    for (name, value) in limits::build(|name| asked.get(name).map(str::to_owned), &policy.limits) {
        query.set(name, value);
    }
    // The containers of its steps carry no labels, so none may stay, not even of a build that fails.
    query.set("rm", "1".to_owned());
    query.set("forcerm", "1".to_owned());
    Ok(Verdict::Requeried(query.write()))
}
