//! What becomes of each key of a Compose file. What stands in no table is no key of Compose, and is listed as such.
//!
//! | fate | meaning |
//! |---|---|
//! | mapped | the goal says the same; parts of it that it cannot say are listed |
//! | implied | what it asks for is so in any goal: nothing is written, nothing is lost |
//! | lost | the goal does not say it: listed, with the reason, where it asks for anything |

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// What it becomes.
    Mapped(&'static str),
    /// Why nothing is written for it.
    Implied(&'static str),
    /// Why it is not mapped, and what to do instead (empty where there is nothing).
    Lost(&'static str, &'static str),
}

use Fate::{Implied, Lost, Mapped};

/// The keys of one kind of mapping.
pub type Table = &'static [(&'static str, Fate)];

const ISOLATION: &str = "a container of a goal has the engine's default isolation";
const ENGINE_TUNING: &str = "`container` does not tune the kernel for one container";
const NO_DEVICES: &str = "`container` passes no devices";
const NO_HOSTS: &str = "`container` sets neither hosts nor name servers";
const OWN_LABELS: &str = "the labels of a container are those that name its owner";
const OWN_NAMES: &str = "sculpt names what it makes after goal, phase and resource";
const ALIAS: &str = "other containers reach it under its resource's name, which is the service's";
const USE_CPUS: &str = "`limits: { cpus: … }` is what a goal can say";
const LATER_WORK: &str = "make it a phase of its own with `run:` and `needs:`";

/// The keys of the file.
pub const TOP: Table = &[
    ("configs", Mapped("`file` resources, or files that are mounted")),
    ("include", Lost("other files are not read", "flatten it first: `docker compose config > whole.yaml`, and import that")),
    ("models", Lost("models belong to the workspace, not to the goal", "declare them in `.opensculpt/config.yaml`")),
    ("name", Mapped("`name`")),
    ("networks", Mapped("`network` resources")),
    ("secrets", Mapped("`secrets`")),
    ("services", Mapped("`phases`, one for each service")),
    ("version", Implied("Compose itself ignores it")),
    ("volumes", Mapped("`volume` resources that are kept")),
];

/// The keys of a service.
pub const SERVICE: Table = &[
    ("annotations", Lost(OWN_LABELS, "")),
    ("attach", Implied("the output of every container is kept: `sculpt logs`")),
    ("blkio_config", Lost(ENGINE_TUNING, "")),
    ("build", Mapped("`container.build`")),
    ("cap_add", Lost(ISOLATION, "")),
    ("cap_drop", Lost(ISOLATION, "")),
    ("cgroup", Lost(ISOLATION, "")),
    ("cgroup_parent", Lost("a container stands in the control group of its owner", "")),
    ("command", Mapped("`container.command`, or the `run` of work that ends")),
    ("configs", Mapped("files that are mounted")),
    ("container_name", Lost(OWN_NAMES, ALIAS)),
    ("cpu_count", Lost("it is for Windows", USE_CPUS)),
    ("cpu_percent", Lost("it is for Windows", USE_CPUS)),
    ("cpu_period", Lost("a goal limits processors as a number", USE_CPUS)),
    ("cpu_quota", Lost("a goal limits processors as a number", USE_CPUS)),
    ("cpu_rt_period", Lost(ENGINE_TUNING, "")),
    ("cpu_rt_runtime", Lost(ENGINE_TUNING, "")),
    ("cpu_shares", Lost("a goal has limits, not weights", USE_CPUS)),
    ("cpus", Mapped("`limits.cpus`")),
    ("cpuset", Lost(ENGINE_TUNING, USE_CPUS)),
    ("credential_spec", Lost("it is for Windows", "")),
    ("depends_on", Mapped("`needs`")),
    ("deploy", Mapped("`limits`, `restart`, `restart_limits`, `for_each`")),
    ("develop", Lost("a goal does not watch sources", "`sculpt run` again replaces what changed")),
    ("device_cgroup_rules", Lost(NO_DEVICES, "")),
    ("devices", Lost(NO_DEVICES, "")),
    ("dns", Lost(NO_HOSTS, "")),
    ("dns_opt", Lost(NO_HOSTS, "")),
    ("dns_search", Lost(NO_HOSTS, "")),
    ("domainname", Lost(OWN_NAMES, "")),
    ("entrypoint", Mapped("the start of the `run` of work that ends; listed for a container, which has no such key")),
    ("env_file", Mapped("`env_file` of the phase")),
    ("environment", Mapped("`container.env`")),
    ("expose", Implied("containers on one network reach all of each other's ports")),
    ("extends", Mapped("the keys of the other service; listed where it is in another file")),
    ("external_links", Lost("a goal reaches only what is its own", "")),
    ("extra_hosts", Lost(NO_HOSTS, "")),
    ("gpus", Lost(NO_DEVICES, "")),
    ("group_add", Lost("`container` has one user and its group", "`user: name:group`")),
    ("healthcheck", Mapped("`healthcheck`")),
    ("hostname", Lost(OWN_NAMES, ALIAS)),
    ("image", Mapped("`container.image`, or the `image` of work that ends")),
    ("init", Lost("`container` has no init of its own", "let the image start one, such as tini")),
    ("ipc", Lost(ISOLATION, "")),
    ("isolation", Lost("it is for Windows", "")),
    ("label_file", Lost(OWN_LABELS, "")),
    ("labels", Lost(OWN_LABELS, "what routes by labels (Traefik, …) needs a file of its own")),
    ("links", Mapped("`needs`; an alias is listed")),
    ("logging", Lost("output goes to files of the workspace", "`sculpt logs` shows them")),
    ("mac_address", Lost("`container` has no addresses of its own", "")),
    ("mem_limit", Mapped("`limits.memory`")),
    ("mem_reservation", Lost("a goal has limits, and admits by them", "`limits: { memory: … }`")),
    ("mem_swappiness", Lost(ENGINE_TUNING, "")),
    ("memswap_limit", Lost("a goal limits memory, not swap", "`limits: { memory: … }`")),
    ("models", Lost("models belong to the workspace, not to the goal", "declare them in `.opensculpt/config.yaml`")),
    ("network_mode", Lost(ISOLATION, "containers of a goal meet on its networks")),
    ("networks", Mapped("`container.networks`")),
    ("oom_kill_disable", Lost("a limit that kills nobody is none", "")),
    ("oom_score_adj", Lost(ENGINE_TUNING, "")),
    ("pid", Lost(ISOLATION, "")),
    ("pids_limit", Mapped("`limits.pids`")),
    ("platform", Lost("the engine takes the image of its own platform", "")),
    ("ports", Mapped("`ports`")),
    ("post_start", Lost("a container has no hooks", LATER_WORK)),
    ("pre_stop", Lost("a container has no hooks", "`stop: { signal: …, grace: … }` is what a goal can say")),
    ("privileged", Lost(ISOLATION, "")),
    ("profiles", Mapped("`profiles`")),
    ("provider", Lost("what another program manages is no container", "a `custom` resource has commands that create, find and destroy it")),
    ("pull_policy", Lost("an image that is missing is pulled, one that is there is used", "pin the image by its digest")),
    ("pull_refresh_after", Lost("an image that is missing is pulled, one that is there is used", "pin the image by its digest")),
    ("read_only", Lost("the file system of a container is writable", "")),
    ("restart", Mapped("`restart`, `restart_limits.attempts`")),
    ("runtime", Lost(ISOLATION, "")),
    ("scale", Mapped("`for_each`")),
    ("secrets", Mapped("`secrets`, mounted as files")),
    ("security_opt", Lost(ISOLATION, "")),
    ("shm_size", Lost("`container` has the engine's `/dev/shm` of 64 MiB", "")),
    ("stdin_open", Lost("nobody types into a container of a goal", "")),
    ("stop_grace_period", Mapped("`stop.grace`")),
    ("stop_signal", Mapped("`stop.signal`")),
    ("storage_opt", Lost(ENGINE_TUNING, "")),
    ("sysctls", Lost(ENGINE_TUNING, "")),
    ("tmpfs", Lost("`container` mounts volumes and paths, nothing in memory", "")),
    ("tty", Lost("nobody types into a container of a goal", "")),
    ("ulimits", Mapped("`limits.files` for `nofile`; others are listed")),
    ("use_api_socket", Lost("the engine's own socket is given to nobody", "")),
    ("user", Mapped("`container.user`")),
    ("userns_mode", Lost(ISOLATION, "")),
    ("uts", Lost(ISOLATION, "")),
    ("volumes", Mapped("`container.volumes`")),
    ("volumes_from", Lost("a container names its volumes itself", "write the volumes of the other service here too")),
    ("working_dir", Mapped("`container.working_dir`")),
];

const BUILD_IS_A_CONTEXT: &str = "`container.build` is the context alone: its `Dockerfile` is built as it stands";
const BUILD_IN_A_PHASE: &str = "build in a phase of its own: `run: docker build …`, and name the image here";

/// The keys of `build`.
pub const BUILD: Table = &[
    ("additional_contexts", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("args", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("cache_from", Lost(BUILD_IS_A_CONTEXT, "")),
    ("cache_to", Lost(BUILD_IS_A_CONTEXT, "")),
    ("context", Mapped("`container.build`")),
    ("dockerfile", Mapped("nothing where it is `Dockerfile`; listed otherwise")),
    ("dockerfile_inline", Lost(BUILD_IS_A_CONTEXT, "write it to a file named `Dockerfile`")),
    ("entitlements", Lost(BUILD_IS_A_CONTEXT, "")),
    ("extra_hosts", Lost(BUILD_IS_A_CONTEXT, "")),
    ("isolation", Lost(BUILD_IS_A_CONTEXT, "")),
    ("labels", Lost(OWN_LABELS, "")),
    ("network", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("no_cache", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("platforms", Lost(BUILD_IS_A_CONTEXT, "")),
    ("privileged", Lost(BUILD_IS_A_CONTEXT, "")),
    ("pull", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("secrets", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("shm_size", Lost(BUILD_IS_A_CONTEXT, "")),
    ("ssh", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("tags", Lost(OWN_NAMES, "")),
    ("target", Lost(BUILD_IS_A_CONTEXT, BUILD_IN_A_PHASE)),
    ("ulimits", Lost(BUILD_IS_A_CONTEXT, "")),
];

const ONE_HOST: &str = "a goal is carried out on one host";

/// The keys of `deploy`.
pub const DEPLOY: Table = &[
    ("endpoint_mode", Lost(ONE_HOST, "")),
    ("labels", Lost(OWN_LABELS, "")),
    ("mode", Mapped("nothing where it is `replicated`; listed otherwise")),
    ("placement", Lost(ONE_HOST, "")),
    ("replicas", Mapped("`for_each`")),
    ("resources", Mapped("`limits`; reservations are listed")),
    ("restart_policy", Mapped("`restart`, `restart_limits`")),
    ("rollback_config", Lost("a replacement that fails its verification gives way to what served before", "")),
    ("update_config", Lost("`sculpt run` replaces what changed, with what depends on it", "")),
];

/// The keys of `deploy.resources`.
pub const RESOURCES: Table =
    &[("limits", Mapped("`limits`")), ("reservations", Lost("a goal has limits, and admits by them", "`limits: { memory: … }`"))];

/// The keys of `deploy.resources.limits`.
pub const LIMITS: Table = &[
    ("cpus", Mapped("`limits.cpus`")),
    ("devices", Lost(NO_DEVICES, "")),
    ("memory", Mapped("`limits.memory`")),
    ("pids", Mapped("`limits.pids`")),
];

/// The keys of `deploy.restart_policy`.
pub const RESTART_POLICY: Table = &[
    ("condition", Mapped("`restart`")),
    ("delay", Lost("the first restart is at once, further ones back off from 1 s", "")),
    ("max_attempts", Mapped("`restart_limits.attempts`")),
    ("window", Mapped("`restart_limits.reset_after`")),
];

/// The keys of `healthcheck`.
pub const HEALTHCHECK: Table = &[
    ("disable", Mapped("`healthcheck.disable`")),
    ("interval", Mapped("`healthcheck.interval`")),
    ("retries", Mapped("`healthcheck.retries`")),
    ("start_interval", Mapped("`healthcheck.start_interval`")),
    ("start_period", Mapped("`healthcheck.start_period`")),
    ("test", Mapped("`healthcheck.test`")),
    ("timeout", Mapped("`healthcheck.timeout`")),
];

/// The keys of a port in its long form.
pub const PORT: Table = &[
    ("app_protocol", Lost("a port says how it is reached, not what is spoken", "")),
    ("host_ip", Mapped("the address of the port")),
    ("mode", Mapped("nothing where it is `host` or `ingress`: there is one host")),
    ("name", Implied("it is a remark")),
    ("protocol", Mapped("`/udp`")),
    ("published", Mapped("the port on this host")),
    ("target", Mapped("the port inside")),
];

const MOUNT_OPTION: &str = "a mount is a source, a target and `ro`";

/// The keys of a volume of a service in its long form.
pub const MOUNT: Table = &[
    ("bind", Mapped("nothing where it is `create_host_path`; listed otherwise")),
    ("consistency", Implied("engines ignore it")),
    ("image", Lost(MOUNT_OPTION, "")),
    ("read_only", Mapped("`:ro`")),
    ("source", Mapped("the source")),
    ("target", Mapped("the target")),
    ("tmpfs", Lost(MOUNT_OPTION, "")),
    ("type", Mapped("`volume` and `bind`; others are listed")),
    ("volume", Lost(MOUNT_OPTION, "")),
];

/// The keys of `bind` in a volume of a service.
pub const BIND: Table = &[
    ("create_host_path", Implied("the engine makes a folder that is missing")),
    ("propagation", Lost(MOUNT_OPTION, "")),
    ("recursive", Lost(MOUNT_OPTION, "")),
    ("selinux", Lost(MOUNT_OPTION, "")),
];

/// The keys of a network of a service.
pub const ATTACHMENT: Table = &[
    ("aliases", Lost("a container has one name on its networks", ALIAS)),
    ("driver_opts", Lost("a container joins a network, no more is said", "")),
    ("gw_priority", Lost("a container joins a network, no more is said", "")),
    ("interface_name", Lost("a container joins a network, no more is said", "")),
    ("ipv4_address", Lost("a container has no addresses of its own", ALIAS)),
    ("ipv6_address", Lost("a container has no addresses of its own", ALIAS)),
    ("link_local_ips", Lost("a container has no addresses of its own", "")),
    ("mac_address", Lost("a container has no addresses of its own", "")),
    ("priority", Lost("a container joins a network, no more is said", "")),
];

const ONLY_A_DRIVER: &str = "a `network` or `volume` resource has a driver and no options";
const NOT_OURS: &str = "a goal owns what it uses: what was there before is not named in it";

/// The keys of a network.
pub const NETWORK: Table = &[
    ("attachable", Lost(ONE_HOST, "")),
    ("driver", Mapped("`network.driver`")),
    ("driver_opts", Lost(ONLY_A_DRIVER, "")),
    ("enable_ipv4", Lost(ONLY_A_DRIVER, "")),
    ("enable_ipv6", Lost(ONLY_A_DRIVER, "")),
    ("external", Lost(NOT_OURS, "the services meet on a network of the goal instead")),
    ("internal", Lost(ONLY_A_DRIVER, "")),
    ("ipam", Lost(ONLY_A_DRIVER, "")),
    ("labels", Lost(OWN_LABELS, "")),
    ("name", Lost(OWN_NAMES, "")),
];

/// The keys of a volume.
pub const VOLUME: Table = &[
    ("driver", Mapped("`volume.driver`")),
    ("driver_opts", Lost(ONLY_A_DRIVER, "")),
    ("external", Lost(NOT_OURS, "copy its data into the volume of the goal, or mount a folder of the workspace")),
    ("labels", Lost(OWN_LABELS, "")),
    ("name", Lost(OWN_NAMES, "")),
];

/// The keys of a secret and of a config.
pub const STORED: Table = &[
    ("content", Mapped("the content of a `file` resource")),
    ("driver", Lost("it is for Swarm", "")),
    ("driver_opts", Lost("it is for Swarm", "")),
    ("environment", Mapped("`env` of the secret, or the content of a `file` resource")),
    ("external", Lost(NOT_OURS, "a secret comes from `env`, `file` or `command` (sops, pass, vault)")),
    ("file", Mapped("`file` of the secret, or the file that is mounted")),
    ("labels", Lost(OWN_LABELS, "")),
    ("name", Lost(OWN_NAMES, "")),
    ("template_driver", Lost("it is for Swarm", "")),
];

/// The keys of a secret or config of a service in its long form.
pub const GRANT: Table = &[
    ("gid", Lost("the file belongs to whoever runs sculpt", "")),
    ("mode", Lost("the file of a secret has mode 0600", "")),
    ("source", Mapped("the secret or config")),
    ("target", Mapped("where it is mounted")),
    ("uid", Lost("the file belongs to whoever runs sculpt", "")),
];

/// What becomes of a key; none where the table does not have it.
pub fn fate(table: Table, key: &str) -> Option<Fate> {
    table.iter().find(|(name, _)| *name == key).map(|(_, fate)| *fate)
}
