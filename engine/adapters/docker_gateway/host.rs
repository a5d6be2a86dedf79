//! What a container asks of its host: the refusals, field by field. Nothing is changed here.
//!
//! The engine also reads these fields beside `HostConfig`, where an old client wrote them; so the same rules are put to both objects.

use super::capability::{Capability, Refusal};
use super::facts::{Facts, Standing, Thing};
use super::json::{Json, Malformed};
use super::policy::{Policy, Resolve};

/// Fields that may be `host`, or `container:NAME`, or a name.
const NAMESPACES: [(&str, &str); 7] = [
    ("NetworkMode", "host-network"),
    ("PidMode", "host-pid"),
    ("IpcMode", "host-ipc"),
    ("UTSMode", "host-uts"),
    ("UsernsMode", "host-userns"),
    ("CgroupnsMode", "host-cgroupns"),
    ("Cgroup", "host-cgroupns"),
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

/// File systems of a local volume that reach no path of the host.
const APART: [&str; 4] = ["tmpfs", "nfs", "nfs4", "cifs"];

/// A source of a mount, as the engine reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Path(String),
    Volume(String),
    Anonymous,
}

fn bind(text: &str) -> Source {
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
    for (field, _) in NAMESPACES {
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
    Ok(things)
}

/// Refuses a network that is the host's own, by name or by id.
pub fn network(policy: &Policy, facts: &Facts, name: &str) -> Result<(), Refusal> {
    if name == "host" || (!NETWORK_WORDS.contains(&name) && facts.standing(&Thing::Network(name.to_owned())) == Standing::Host) {
        return policy.require("the host's network", Capability::Word("host-network"));
    }
    Ok(())
}

/// All rules for one object.
pub fn check(host: &Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    if host.bool_of("Privileged")? {
        policy.require("a privileged container", Capability::Word("privileged"))?;
    }
    for (field, capability) in NAMESPACES {
        let mode = host.text_of(field)?;
        if let Some(name) = mode.strip_prefix("container:") {
            facts.own(policy, &format!("{field} of"), &Thing::Container(name.to_owned()))?;
        } else if mode == "host" {
            policy.require(format!("{field} `host`"), Capability::Word(capability))?;
        } else if field == "NetworkMode" {
            network(policy, facts, &mode)?;
        }
    }
    for text in host.texts_of("VolumesFrom")? {
        facts.own(policy, "the volumes of", &Thing::Container(text.split(':').next().unwrap_or_default().to_owned()))?;
    }
    isolation(host, policy)?;
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

fn driver(name: &str, policy: &Policy) -> Result<(), Refusal> {
    if ["", "local"].contains(&name) {
        return Ok(());
    }
    policy.require(format!("the volume driver {name}"), Capability::VolumeDriver(name.to_owned()))
}

fn mounts(host: &Json, policy: &Policy, facts: &Facts, resolve: &Resolve<'_>) -> Result<(), Refusal> {
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
            _ => policy.mount(&mount.text_of("Source")?, resolve)?,
        }
    }
    for name in volumes(host)? {
        facts.own(policy, "a mount of", &Thing::Volume(name))?;
    }
    Ok(())
}

/// A volume's driver and its options, which can bind any path of the host.
pub fn volume_driver(name: &str, options: &[(String, Json)], policy: &Policy, resolve: &Resolve<'_>) -> Result<(), Refusal> {
    driver(name, policy)?;
    let option = |wanted: &str| -> Result<String, Refusal> {
        let mut texts = options.iter().filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
        let text = texts.next().map_or(Ok(String::new()), |(key, value)| value.as_text(key))?;
        if texts.next().is_some() { Err(Malformed::Twice(wanted.to_owned()).into()) } else { Ok(text) }
    };
    let (kind, flags, device) = (option("type")?, option("o")?, option("device")?);
    let binds = flags.split(',').any(|flag| ["bind", "rbind", "move", "remount"].contains(&flag.trim()));
    if options.is_empty() || (kind.is_empty() && device.is_empty() && !binds) || (APART.contains(&kind.as_str()) && !binds) {
        return Ok(());
    }
    if kind.is_empty() || kind == "none" || kind == "bind" {
        return policy.mount(&device, resolve);
    }
    policy.require(format!("a volume of the type {kind}"), Capability::Word("volume-options"))
}
