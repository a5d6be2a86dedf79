//! The Docker endpoint's decisions: what passes, what is rewritten, what is refused, by whatever spelling it is asked for.

mod connections;
mod passing;
mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use opensculpt::adapters::docker_gateway::facts::{Facts, Standing, Thing};
use opensculpt::adapters::docker_gateway::json::Json;
use opensculpt::adapters::docker_gateway::policy::{Limits, Policy};
use opensculpt::adapters::docker_gateway::rewrite::{Verdict, judge};
use opensculpt::adapters::docker_gateway::route::Call;
use opensculpt::base::label::{Label, Origin};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn policy(allow: &[&str]) -> Policy {
    Policy {
        label: Label {
            workspace: "w1".to_owned(),
            owner: "crm/server".parse().unwrap(),
            run: "crm.1".to_owned(),
            attempt: 1,
            origin: Origin::Caught,
            effect: None,
        },
        limits: Limits { memory: Some(1 << 28), nano_cpus: Some(500_000_000), pids: Some(64) },
        parent: None,
        workspace: PathBuf::from("/ws"),
        real_sockets: vec![PathBuf::from("/run/docker.sock")],
        allow: allow.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
    }
}

/// A host with two links: one out of the workspace, and the usual one of `/var/run`.
fn resolve(path: &Path) -> Option<PathBuf> {
    let mut real = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                real.pop();
            }
            part => real.push(part),
        }
        if real == Path::new("/ws/link") {
            real = PathBuf::from("/etc");
        } else if real == Path::new("/var/run") {
            real = PathBuf::from("/run");
        } else if real == Path::new("/sys/class/net/docker0") {
            real = PathBuf::from("/sys/devices/virtual/net/docker0");
        } else if real == Path::new("/ws/dangling") {
            return None;
        }
    }
    Some(real)
}

fn call(method: &str, target: &str) -> Call {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Call::read(&method.parse().unwrap(), path, query).unwrap()
}

fn verdict(allow: &[&str], facts: &[(Thing, Standing)], target: &str, body: &str) -> Verdict {
    let body = match Json::parse(body.as_bytes()) {
        Ok(body) => body,
        Err(malformed) => return Verdict::Refused(malformed.into()),
    };
    judge(
        &call("POST", target),
        body,
        &policy(allow),
        &Facts(facts.iter().map(|(thing, standing)| (thing.clone(), (*standing).into())).collect()),
        &resolve,
    )
}

fn create(body: &Value) -> Verdict {
    verdict(&[], &[], "/v1.41/containers/create", &body.to_string())
}

/// The name that would allow it; `never` where nothing would.
fn refused(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refused(refusal) => refusal.capability.as_ref().map_or("never".to_owned(), ToString::to_string),
        other => panic!("not refused: {other:?}"),
    }
}

fn rewritten(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Rewritten { body, .. } => serde_json::from_str(&body).unwrap(),
        other => panic!("not rewritten: {other:?}"),
    }
}

/// Every refusal of a host configuration, and the name that allows it.
fn forbidden() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "Privileged": true }), "privileged"),
        (json!({ "NetworkMode": "host" }), "host-network"),
        (json!({ "PidMode": "host" }), "host-pid"),
        (json!({ "IpcMode": "host" }), "host-ipc"),
        (json!({ "UTSMode": "host" }), "host-uts"),
        (json!({ "UsernsMode": "host" }), "host-userns"),
        (json!({ "CgroupnsMode": "host" }), "host-cgroupns"),
        (json!({ "PidMode": "container:stranger" }), "foreign"),
        (json!({ "VolumesFrom": ["stranger:ro"] }), "foreign"),
        (json!({ "Binds": ["strangers-volume:/data"] }), "foreign"),
        (json!({ "Binds": ["/etc:/etc:ro"] }), "mount:/etc"),
        (json!({ "Binds": ["/ws/../etc:/etc"] }), "mount:/etc"),
        (json!({ "Binds": ["/ws/link/ssh:/x"] }), "mount:/etc/ssh"),
        (json!({ "Binds": ["/ws2:/x"] }), "mount:/ws2"),
        (json!({ "Binds": ["/var/run/docker.sock:/var/run/docker.sock"] }), "docker-socket"),
        (json!({ "Mounts": [{ "Type": "bind", "source": "/root", "Target": "/x" }] }), "mount:/root"),
        (
            json!({ "Mounts": [{ "Type": "volume", "Target": "/x", "VolumeOptions": { "DriverConfig": {
                "Options": { "type": "none", "o": "bind", "device": "/root" } } } }] }),
            "mount:/root",
        ),
        (json!({ "Devices": [{ "PathOnHost": "/dev/sda" }] }), "devices"),
        (json!({ "DeviceRequests": [{ "Count": -1 }] }), "devices"),
        (json!({ "DeviceCgroupRules": ["a *:* rwm"] }), "devices"),
        (json!({ "CapAdd": ["cap_sys_admin"] }), "cap-add:SYS_ADMIN"),
        (json!({ "CapAdd": ["ALL"] }), "cap-add:ALL"),
        (json!({ "SecurityOpt": ["seccomp=unconfined"] }), "security-opt"),
        (json!({ "SecurityOpt": ["label:disable"] }), "security-opt"),
        (json!({ "MaskedPaths": [] }), "security-opt"),
        (json!({ "CgroupParent": "/elsewhere" }), "cgroup-parent"),
        (json!({ "Runtime": "other" }), "runtime:other"),
        (json!({ "OomScoreAdj": -1000 }), "oom"),
        (json!({ "VolumeDriver": "plugin" }), "volume-driver:plugin"),
        (json!({ "PidMode": "ns:/proc/1/ns/pid" }), "host-pid"),
        (json!({ "IpcMode": "ns:/proc/1/ns/ipc" }), "host-ipc"),
        (json!({ "UTSMode": "ns:/proc/1/ns/uts" }), "host-uts"),
        (json!({ "UsernsMode": "keep-id" }), "host-userns"),
        (json!({ "CgroupnsMode": "ns:/proc/1/ns/cgroup" }), "host-cgroupns"),
        (json!({ "Cgroup": "anything" }), "host-cgroupns"),
        (json!({ "NetworkMode": "ns:/proc/1/ns/net" }), "host-network"),
        (json!({ "NetworkMode": "slirp4netns:allow_host_loopback=true" }), "host-network"),
        (json!({ "NetworkMode": "strangers" }), "foreign"),
        (json!({ "Links": ["stranger:db"] }), "foreign"),
        (json!({ "LogConfig": { "Type": "gelf", "Config": { "gelf-address": "udp://10.0.0.1:1" } } }), "log-driver:gelf"),
        (json!({ "LogConfig": { "type": "k8s-file", "Config": { "Path": "/root/log" } } }), "mount:/root/log"),
    ]
}

#[test]
fn each_reach_into_the_host_is_refused_and_allowed_by_its_name() {
    for (host, name) in forbidden() {
        let body = json!({ "Image": "x", "HostConfig": host });
        assert_eq!(refused(&create(&body)), name, "{host}");
        let allowed = verdict(&[name], &[], "/containers/create", &body.to_string());
        assert!(matches!(allowed, Verdict::Rewritten { .. }), "{host} with {name}: {allowed:?}");
    }
}

#[test]
fn no_spelling_slips_through() {
    for (host, name) in forbidden() {
        let lower: Map<String, Value> = host.as_object().unwrap().iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
        assert_eq!(refused(&create(&json!({ "hostconfig": lower }))), name, "{host}");
        // Where old clients wrote it, and the engine still reads it.
        assert_eq!(refused(&create(&host)), name, "{host}");
    }
    for body in [
        r#"{"HostConfig":{"Privileged":true},"HostConfig":{}}"#,
        r#"{"HostConfig":{"Privileged":true},"hostconfig":{}}"#,
        r#"{"HostConfig":{"Privileged":false,"privileged":true}}"#,
        r#"{"HostConfig":{"Privileged":"true"}}"#,
        r#"{"HostConfig":[]}"#,
        r#"{"HostConfig":{"Memory":1e3}}"#,
        r#"{} {"HostConfig":{"Privileged":true}}"#,
        r#"{"HostConfig":{"Binds":["./etc:/x"]}}"#,
        r#"{"HostConfig":{"Binds":["/ws/dangling:/x"]}}"#,
    ] {
        assert_eq!(refused(&verdict(&[], &[], "/containers/create", body)), "never", "{body}");
    }
    let networking = json!({ "NetworkingConfig": { "EndpointsConfig": { "host": {} } } });
    assert_eq!(refused(&create(&networking)), "host-network");
    let by_id = json!({ "HostConfig": { "NetworkMode": "0123abcd" } });
    let host = (Thing::Network("0123abcd".to_owned()), Standing::Host);
    assert_eq!(refused(&verdict(&[], &[host], "/containers/create", &by_id.to_string())), "host-network");
}

#[test]
fn a_mount_of_a_folder_above_the_socket_needs_both_names() {
    let body = json!({ "HostConfig": { "Binds": ["/run:/x"] } }).to_string();
    assert_eq!(refused(&verdict(&["mount:/run"], &[], "/containers/create", &body)), "docker-socket");
    assert_eq!(refused(&verdict(&["docker-socket"], &[], "/containers/create", &body)), "mount:/run");
    assert!(matches!(verdict(&["docker-socket", "mount:/run"], &[], "/containers/create", &body), Verdict::Rewritten { .. }));
}

#[test]
fn labels_and_limits_are_ours() {
    let forged = json!({ "labels": { "app": "x", "io.opensculpt.workspace": "w2", "io.opensculpt.spec": "s" }, "Memory": 1_i64 << 40 });
    let body = rewritten(create(&forged));
    let mut labels = body["labels"].as_object().unwrap().clone();
    assert_eq!(labels.remove("app"), Some(json!("x")));
    let labels = labels.into_iter().map(|(key, value)| (key, value.as_str().unwrap().to_owned())).collect();
    assert_eq!(Label::read(&labels), Some(policy(&[]).label));
    assert!(!labels.contains_key("io.opensculpt.spec"));
    let host = &body["HostConfig"];
    assert_eq!((&host["Memory"], &host["MemorySwap"]), (&json!(1 << 28), &json!(1 << 28)));
    assert_eq!((&host["NanoCpus"], &host["PidsLimit"]), (&json!(500_000_000), &json!(64)));

    let less = json!({ "HostConfig": { "Memory": 1 << 24, "MemorySwap": -1, "PidsLimit": 8, "CpuQuota": 200_000, "CpuPeriod": 50_000 } });
    let host = &rewritten(create(&less))["HostConfig"];
    assert_eq!((&host["Memory"], &host["MemorySwap"], &host["PidsLimit"]), (&json!(1 << 24), &json!(1 << 24), &json!(8)));
    assert_eq!((&host["CpuQuota"], host.get("NanoCpus")), (&json!(25_000), None));
}

#[test]
fn a_volume_that_is_not_there_is_made_first_and_one_of_a_mount_is_labelled() {
    let body =
        json!({ "HostConfig": { "Binds": ["new:/a", "/ws/data:/b", "/anonymous"], "Mounts": [{ "Type": "volume", "Source": "other" }] } });
    let facts = ["new", "other"].map(|name| (Thing::Volume(name.to_owned()), Standing::Absent));
    let Verdict::Rewritten { body, volumes } = verdict(&[], &facts, "/containers/create", &body.to_string()) else { panic!("refused") };
    assert_eq!(volumes, ["new"]);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["HostConfig"]["Mounts"][0]["VolumeOptions"]["Labels"]["io.opensculpt.workspace"], "w1");
}

#[test]
fn a_limit_cannot_be_raised_later() {
    let body = rewritten(verdict(
        &[],
        &[(Thing::Container("a".to_owned()), Standing::Ours)],
        "/containers/a/update",
        r#"{"Memory":99999999999,"PidsLimit":-1,"CpuQuota":-1}"#,
    ));
    assert_eq!(body, json!({ "Memory": 1 << 28, "MemorySwap": 1 << 28, "PidsLimit": 64, "CpuQuota": 50_000 }));
}

#[test]
fn strangers_are_left_alone() {
    for target in
        ["/containers/a/kill", "/containers/a/exec", "/containers/a/attach", "/containers/a/some-newer-verb", "/commit?container=a"]
    {
        let standing = |standing| verdict(&[], &[(Thing::Container("a".to_owned()), standing)], target, "{}");
        assert_eq!(refused(&standing(Standing::Strange)), "foreign", "{target}");
        assert!(!matches!(standing(Standing::Ours), Verdict::Refused(_)), "{target}");
        assert!(!matches!(standing(Standing::Absent), Verdict::Refused(_)), "{target}");
        assert_eq!(refused(&verdict(&[], &[], target, "{}")), "foreign", "{target}, not looked up");
    }
    for (target, name) in [
        ("/swarm/init", "swarm"),
        ("/plugins/pull", "plugins"),
        ("/libpod/containers/create", "unknown-endpoint"),
        ("/grpc", "buildkit"),
        ("/build?networkmode=host", "host-network"),
        ("/build?cgroupparent=%2Fx", "cgroup-parent"),
    ] {
        assert_eq!(refused(&verdict(&[], &[], target, "")), name, "{target}");
    }
    assert_eq!(
        refused(&verdict(&[], &[(Thing::Container("a".to_owned()), Standing::Ours)], "/containers/a/exec", r#"{"privileged":true}"#)),
        "privileged"
    );
}

#[test]
fn a_volume_that_binds_the_host_is_refused() {
    let make = |options: Value| {
        verdict(&[], &[(Thing::Volume(String::new()), Standing::Absent)], "/volumes/create", &json!({ "DriverOpts": options }).to_string())
    };
    assert_eq!(refused(&make(json!({ "type": "none", "o": "rw,bind", "device": "/root" }))), "mount:/root");
    assert_eq!(refused(&make(json!({ "type": "tmpfs", "o": "rbind", "device": "/root" }))), "volume-options");
    assert_eq!(refused(&make(json!({ "type": "overlay", "o": "lowerdir=/", "device": "overlay" }))), "volume-options");
    assert_eq!(refused(&make(json!({ "o": "bind", "device": "../../root" }))), "never");
    assert!(matches!(make(json!({ "type": "tmpfs", "device": "tmpfs" })), Verdict::Rewritten { .. }));
    assert!(matches!(make(json!({ "type": "none", "o": "bind", "device": "/ws/data" })), Verdict::Rewritten { .. }));
}

#[test]
fn a_prune_and_a_build_touch_what_is_ours() {
    let absent = [(Thing::Image("x:latest".to_owned()), Standing::Absent)];
    let queried = |target: &str| match verdict(&[], &absent, target, "") {
        Verdict::Requeried(query) => query,
        other => panic!("{other:?}"),
    };
    for filters in ["", "?filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D", "?filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D"] {
        let query = queried(&format!("/containers/prune{filters}"));
        assert!(query.contains("io.opensculpt.workspace%3Dw1") && query.contains("io.opensculpt.owner%3Dcrm%2Fserver"), "{query}");
        assert_eq!(query.contains("a%3Db"), !filters.is_empty());
    }
    let query = queried("/build?t=x&memory=0&labels=%7B%22io.opensculpt.workspace%22%3A%22w2%22%7D&rm=0");
    assert!(
        query.contains("t=x&")
            && query.contains("memory=268435456")
            && query.contains("cpuquota=50000")
            && query.ends_with("rm=1&forcerm=1"),
        "{query}"
    );
    // A container inherits its image's labels: an image must not carry those of a container.
    assert!(query.contains("io.opensculpt.built.workspace") && !query.contains("io.opensculpt.workspace"), "{query}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn unknown_fields_pass_unchanged(outer in any_json(), inner in any_json(), key in "X-[a-zA-Z0-9 \"\\\\]{0,12}") {
        let body = json!({ key.clone(): outer.clone(), "Image": "x", "HostConfig": { key.clone(): inner.clone() } });
        let out = rewritten(create(&body));
        prop_assert_eq!(&out[&key], &outer);
        prop_assert_eq!(&out["HostConfig"][&key], &inner);
        prop_assert_eq!(out.as_object().unwrap().len(), 4);
    }

    #[test]
    fn a_refusal_does_not_depend_on_order_or_company(which in 0..41_usize, fields in prop::collection::vec(("X-[a-z]{1,6}", any_json()), 0..6), at in 0..7_usize) {
        let (host, name) = forbidden().swap_remove(which);
        let mut entries: Vec<(String, Value)> = fields.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
        let at = at.min(entries.len());
        entries.splice(at..at, host.as_object().unwrap().clone());
        let body = json!({ "HostConfig": entries.into_iter().collect::<Map<String, Value>>(), "Image": "x" });
        prop_assert_eq!(refused(&create(&body)), name);
    }

    #[test]
    fn no_body_is_a_panic(body in ".{0,60}", target in "/[a-z%./]{0,20}") {
        drop(verdict(&[], &[], "/containers/create", &body));
        drop(Call::read(&"POST".parse().unwrap(), &target, Some(&body)));
    }
}

#[test]
fn every_word_that_is_asked_for_is_one_that_a_manifest_may_have() {
    use opensculpt::manifest::rules::capabilities::{DOCKER_PREFIXES, DOCKER_WORDS};
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/adapters/docker_gateway");
    let table = std::fs::read_to_string(folder.join("capability.rs")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | `")?.split_once(" | ").map(|(words, _)| words));
    let mut words: Vec<&str> = rows.flat_map(|row| row.split(", ")).map(|word| word.trim_matches('`')).collect();
    assert!(words.len() > 20, "{words:?}");
    words.retain(|word| !DOCKER_WORDS.contains(word) && !DOCKER_PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    assert_eq!(words, [""; 0], "in the table, and refused in a manifest");
    for word in DOCKER_WORDS {
        assert!(table.contains(&format!("`{word}`")), "{word} is not in the table");
    }
    // And whatever asks for a word asks for one of the table.
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for part in text.split("Capability::Word(\"").skip(1) {
            let word = part.split('"').next().unwrap();
            assert!(DOCKER_WORDS.contains(&word), "{word}");
        }
    }
}
