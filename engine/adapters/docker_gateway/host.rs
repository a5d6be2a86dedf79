//! What a container asks of its host: the refusals, field by field. Nothing is changed here.
//!
//! The engine also reads these fields beside `HostConfig`, where an old client wrote them; so the same rules are put to both objects.

use std::path::{Path, PathBuf};

use super::capability::{Capability, Refusal};
use super::facts::{Facts, Standing, Thing};
use super::json::{Json, Malformed};
use super::policy::{Policy, Resolve};

/// Fields that may be `container:NAME`, or one of these words; whatever else they say, as `host` and Podman's `ns:PATH`, leads to the host.
/// The network's may be a name as well.
const NAMESPACES: [(&str, &str, &[&str]); 7] = [
    ("NetworkMode", "host-network", &[]),
    ("PidMode", "host-pid", &["", "private"]),
    ("IpcMode", "host-ipc", &["", "none", "private", "shareable"]),
    ("UTSMode", "host-uts", &["", "private"]),
    ("UsernsMode", "host-userns", &["", "private", "auto", "nomap"]),
    ("CgroupnsMode", "host-cgroupns", &["", "private"]),
    ("Cgroup", "host-cgroupns", &[""]),
];

/// What the container engine gives every container.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Networks that are words of the engine.
const NETWORK_WORDS: [&str; 5] = ["", "default", "bridge", "none", "nat"];

/// Log drivers that write files of the container engine's own; the others have it call somebody, at an address that is asked for.
const LOG_DRIVERS: [&str; 7] = ["", "default", "json-file", "local", "none", "journald", "k8s-file"];

/// File systems of a local volume that reach no path of the host.
const APART: [&str; 4] = ["tmpfs", "nfs", "nfs4", "cifs"];

/// What may stand behind the target of a bind. Podman takes more, and some of it leads to other paths of the host or changes its files' owners.
const BIND_OPTIONS: [&str; 14] =
    ["ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy", "rshared", "rslave", "rprivate", "shared", "slave", "private"];

/// A source of a mount, as the engine reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Path(String),
    Volume(String),
    Anonymous,
}

pub(super) fn bind(text: &str) -> Source {
    match text.split_once(':') {
        None => Source::Anonymous,
        Some((source, _)) if source.contains('/') || source.starts_with('.') => Source::Path(source.to_owned()),
        Some((source, _)) => Source::Volume(source.to_owned()),
    }
}

/// The volumes that the container names, in `Binds` and in `Mounts`.
pub fn volumes(host: &Json) -> Result<Vec<String>, Malformed> {
    let mut named = Vec::new();
    for text in host.texts_of("Binds")? {
        if let Source::Volume(name) = bind(&text) {
            named.push(name);
        }
    }
    for mount in host.items_of("Mounts")? {
        let name = mount.text_of("Source")?;
        if mount.text_of("Type")? == "volume" && !name.is_empty() {
            named.push(name.into_owned());
        }
    }
    named.sort();
    named.dedup();
    Ok(named)
}

/// Whom the container names: containers whose namespaces or volumes it takes, networks, volumes.
pub fn things(host: &Json) -> Result<Vec<Thing>, Malformed> {
    let mut things: Vec<Thing> = volumes(host)?.into_iter().map(Thing::Volume).collect();
    for (field, ..) in NAMESPACES {
        let mode = host.text_of(field)?;
        if let Some(name) = mode.strip_prefix("container:") {
            things.push(Thing::Container(name.to_owned()));
        } else if field == "NetworkMode" && !NETWORK_WORDS.contains(&mode.as_ref()) {
            things.push(Thing::Network(mode.into_owned()));
        }
    }
    for text in host.texts_of("VolumesFrom")? {
        things.push(Thing::Container(text.split(':').next().unwrap_or_default().to_owned()));
    }
    things.extend(links(host)?);
    Ok(things)
}

/// The containers that are to be found by name: of a host configuration, and of an endpoint in a network.
pub fn links(settings: &Json) -> Result<Vec<Thing>, Malformed> {
    let texts = settings.texts_of("Links")?;
    Ok(texts.iter().map(|text| Thing::Container(text.split(':').next().unwrap_or_default().to_owned())).collect())
}

/// Refuses a network that is the host's own, or a stranger's, by name or by id.
pub fn network(policy: &Policy, facts: &Facts, name: &str) -> Result<(), Refusal> {
    if NETWORK_WORDS.contains(&name) {
        return Ok(());
    }
    // Podman's `ns:PATH`, and the options of its other words, are no names.
    if name == "host" || name.contains([':', '/', ',']) {
        return policy.require(format!("the host's network (`{name}`)"), Capability::Word("host-network"));
    }
    let thing = Thing::Network(name.to_owned());
    match facts.standing(&thing) {
        Standing::Host => policy.require("the host's network", Capability::Word("host-network")),
        Standing::Common => Ok(()),
        _ => facts.own(policy, "a use of", &thing),
    }
}

/// All rules for one object.
pub fn check(host: &Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    if host.bool_of("Privileged")? {
        policy.require("a privileged container", Capability::Word("privileged"))?;
    }
    for (field, capability, words) in NAMESPACES {
        let mode = host.text_of(field)?;
        if let Some(name) = mode.strip_prefix("container:") {
            facts.own(policy, &format!("{field} of"), &Thing::Container(name.to_owned()))?;
        } else if field == "NetworkMode" {
            network(policy, facts, &mode)?;
        } else if !words.contains(&mode.as_ref()) {
            policy.require(format!("{field} `{mode}`"), Capability::Word(capability))?;
        }
    }
    for thing in links(host)? {
        facts.own(policy, "a link to", &thing)?;
    }
    for text in host.texts_of("VolumesFrom")? {
        facts.own(policy, "the volumes of", &Thing::Container(text.split(':').next().unwrap_or_default().to_owned()))?;
    }
    isolation(host, policy)?;
    logs(host, policy, resolve)?;
    mounts(host, policy, facts, resolve)
}

fn isolation(host: &Json, policy: &Policy) -> Result<(), Refusal> {
    for field in ["Devices", "DeviceRequests", "DeviceCgroupRules"] {
        if !host.items_of(field)?.is_empty() {
            policy.require(format!("devices of the host (`{field}`)"), Capability::Word("devices"))?;
        }
    }
    for name in host.texts_of("CapAdd")? {
        let upper = name.to_ascii_uppercase();
        let bare = upper.strip_prefix("CAP_").unwrap_or(&upper).to_owned();
        if !DEFAULT_CAPABILITIES.contains(&bare.as_str()) {
            policy.require(format!("the kernel capability {bare}"), Capability::CapAdd(bare))?;
        }
    }
    for option in host.texts_of("SecurityOpt")? {
        let kept = option.starts_with("no-new-privileges")
            || ["seccomp=builtin", "seccomp:builtin", "apparmor=docker-default", "apparmor:docker-default"].contains(&option.as_str());
        if !kept {
            policy.require("a security option that leaves the default profile", Capability::Word("security-opt"))?;
        }
    }
    // How the client writes `systempaths=unconfined`: lists of its own, which may be empty.
    for field in ["MaskedPaths", "ReadonlyPaths"] {
        if host.field(field)?.is_some() {
            policy.require(format!("system paths unmasked (`{field}`)"), Capability::Word("security-opt"))?;
        }
    }
    if !host.text_of("CgroupParent")?.is_empty() {
        policy.require("a cgroup parent of its own", Capability::Word("cgroup-parent"))?;
    }
    let runtime = host.text_of("Runtime")?;
    if !["", "runc", "io.containerd.runc.v2"].contains(&runtime.as_ref()) {
        policy.require(format!("the runtime {runtime}"), Capability::Runtime(runtime.into_owned()))?;
    }
    if host.bool_of("OomKillDisable")? || host.number_of("OomScoreAdj")?.unwrap_or(0) < 0 {
        policy.require("a container that the kernel spares when memory is out", Capability::Word("oom"))?;
    }
    driver(&host.text_of("VolumeDriver")?, policy)
}

fn logs(host: &Json, policy: &Policy, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    let Some(config) = host.field("LogConfig")? else { return Ok(()) };
    let name = config.text_of("Type")?;
    if !LOG_DRIVERS.contains(&name.as_ref()) {
        policy.require(format!("the log driver {name}"), Capability::LogDriver(name.into_owned()))?;
    }
    // Podman writes where it is told to.
    for (key, value) in config.entries_of("Config")? {
        if key.eq_ignore_ascii_case("path") {
            policy.mount(&value.as_text(key)?, resolve)?;
        }
    }
    Ok(())
}

fn driver(name: &str, policy: &Policy) -> Result<(), Refusal> {
    if ["", "local"].contains(&name) {
        return Ok(());
    }
    policy.require(format!("the volume driver {name}"), Capability::VolumeDriver(name.to_owned()))
}

/// Refuses what Podman reads otherwise than Docker: there a volume without a name may be a bind, what stands behind a bind's target may lead
/// elsewhere, and a mount's texts are joined with commas into one that is read again.
fn spelled(host: &Json) -> Result<(), Refusal> {
    if let Some((key, _)) = host.entries_of("Volumes")?.iter().find(|(key, _)| key.contains(':')) {
        return Err(Refusal::never(format!("the volume `{key}`, which holds a colon")));
    }
    for text in host.texts_of("Binds")? {
        let mut options = text.splitn(3, ':').nth(2).into_iter().flat_map(|options| options.split(','));
        if let Some(option) = options.find(|option| !BIND_OPTIONS.contains(option)) {
            return Err(Refusal::never(format!("the option `{option}` of the mount `{text}`")));
        }
    }
    for mount in host.items_of("Mounts")? {
        let Json::Object(fields) = mount else { return Err(Malformed::Kind("Mounts".to_owned(), "a list of objects").into()) };
        let mut texts: Vec<String> = fields.iter().filter_map(|(key, value)| value.as_text(key).ok()).collect();
        for group in ["BindOptions", "VolumeOptions", "ImageOptions"] {
            if let Some(options) = mount.field(group)? {
                texts.extend([options.text_of("Propagation")?.into_owned(), options.text_of("Subpath")?.into_owned()]);
            }
        }
        if let Some(text) = texts.iter().find(|text| text.contains([',', '"', '\n', '\r'])) {
            return Err(Refusal::never(format!("a mount with the text {text:?}, which holds a comma, a quotation mark or a line break")));
        }
    }
    Ok(())
}

fn mounts(host: &Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    spelled(host)?;
    for text in host.texts_of("Binds")? {
        if let Source::Path(path) = bind(&text) {
            policy.mount(&path, resolve)?;
        }
    }
    for mount in host.items_of("Mounts")? {
        let kind = mount.text_of("Type")?;
        match kind.as_ref() {
            "volume" => {
                if let Some(options) = mount.field("VolumeOptions")?
                    && let Some(config) = options.field("DriverConfig")?
                {
                    volume_driver(&config.text_of("Name")?, config.entries_of("Options")?, policy, resolve)?;
                }
            }
            "tmpfs" | "image" => {}
            "bind" => drop(policy.mount(&mount.text_of("Source")?, resolve)?),
            // Podman's `glob` binds whatever links of the workspace lead to.
            other => return Err(Refusal::never(format!("a mount of the type `{other}`"))),
        }
    }
    for name in volumes(host)? {
        facts.own(policy, "a mount of", &Thing::Volume(name))?;
    }
    Ok(())
}

/// A volume's driver and its options, which can bind any path of the host. Gives the path where they do.
pub fn volume_driver(name: &str, options: &[(String, Json)], policy: &Policy, resolve: &Resolve<'_>) -> Result<Option<PathBuf>, Refusal> {
    driver(name, policy)?;
    let option = |wanted: &str| -> Result<String, Refusal> {
        let mut texts = options.iter().filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
        let text = texts.next().map_or(Ok(String::new()), |(key, value)| value.as_text(key))?;
        if texts.next().is_some() { Err(Malformed::Twice(wanted.to_owned()).into()) } else { Ok(text) }
    };
    let (kind, flags, device) = (option("type")?, option("o")?, option("device")?);
    let binds = flags.split(',').any(|flag| ["bind", "rbind", "move", "remount"].contains(&flag.trim()));
    if options.is_empty() || (kind.is_empty() && device.is_empty() && !binds) || (APART.contains(&kind.as_str()) && !binds) {
        return Ok(None);
    }
    if kind.is_empty() || kind == "none" || kind == "bind" {
        return policy.mount(&device, resolve).map(Some);
    }
    policy.require(format!("a volume of the type {kind}"), Capability::Word("volume-options")).map(|()| None)
}

/// Writes where the paths of a host configuration lead, in their place: a link that is turned later turns nothing of it.
pub fn lead(host: &mut Json, policy: &Policy, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    for item in host.items_mut("Binds")? {
        let text = item.as_text("Binds")?;
        if let (Source::Path(path), Some((_, rest))) = (bind(&text), text.split_once(':')) {
            let real = written(&policy.mount(&path, resolve)?)?;
            if real.contains(':') {
                return Err(Refusal::never(format!("a mount of {real}, which holds a colon; name it in `Mounts`")));
            }
            *item = Json::text(&format!("{real}:{rest}"));
        }
    }
    for mount in host.items_mut("Mounts")? {
        match mount.text_of("Type")?.as_ref() {
            "volume" => {
                let has = mount.field("VolumeOptions")?.map_or(Ok(None), |options| options.field("DriverConfig"))?.is_some();
                if has {
                    lead_volume(mount.object("VolumeOptions")?.object("DriverConfig")?, ("Name", "Options"), policy, resolve)?;
                }
            }
            "tmpfs" | "image" => {}
            _ => {
                let real = written(&policy.mount(&mount.text_of("Source")?, resolve)?)?;
                mount.set("Source", Json::text(&real))?;
            }
        }
    }
    Ok(())
}

/// The same for a volume, whose driver and options stand in these fields.
pub fn lead_volume(volume: &mut Json, (name, options): (&str, &str), policy: &Policy, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    let bound = volume_driver(&volume.text_of(name)?, volume.entries_of(options)?, policy, resolve)?;
    if let Some(real) = bound
        && let Json::Object(fields) = volume.object(options)?
    {
        let real = Json::text(&written(&real)?);
        fields.iter_mut().filter(|(key, _)| key.eq_ignore_ascii_case("device")).for_each(|(_, device)| *device = real.clone());
    }
    Ok(())
}

fn written(path: &Path) -> Result<String, Refusal> {
    path.to_str().map(str::to_owned).ok_or_else(|| Refusal::never(format!("a mount of {}, which is no text", path.display())))
}

/// Judges anew what a container mounts when it is started: a path that leads where it is written was judged when it was made, and one that
/// leads elsewhere by now was not.
pub fn again(container: &Thing, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    for path in facts.paths(container) {
        if resolve(Path::new(path)).is_none_or(|real| real != Path::new(path)) {
            policy.mount(path, resolve)?;
        }
    }
    Ok(())
}
