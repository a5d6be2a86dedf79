//! Rules beside those of a new container: networks, images, what is started again, and what Podman reads otherwise.

use opensculpt::adapters::docker_gateway::facts::Found;
use opensculpt::adapters::docker_gateway::policy::{CgroupParent, CgroupVersion};
use opensculpt::adapters::docker_gateway::query::Query;

use super::*;

fn ours(name: &str) -> (Thing, Standing) {
    (Thing::Container(name.to_owned()), Standing::Ours)
}

fn queried(facts: &[(Thing, Standing)], target: &str) -> String {
    match verdict(&[], facts, target, "") {
        Verdict::Requeried(query) => query,
        other => panic!("{target}: {other:?}"),
    }
}

fn judged(call: &Call, body: &str, facts: &Facts) -> Verdict {
    judge(call, Json::parse(body.as_bytes()).unwrap(), &policy(&[]), facts, &resolve)
}

#[test]
fn networks_are_ours_or_common_by_whatever_way_they_are_joined() {
    let theirs = |name: &str| (Thing::Network(name.to_owned()), Standing::Strange);
    let endpoint = json!({ "NetworkingConfig": { "EndpointsConfig": { "theirs": {} } } });
    // The id outweighs the name.
    let by_id = json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": { "NetworkID": "theirs" } } } });
    let linked = json!({ "NetworkingConfig": { "EndpointsConfig": { "mine": { "Links": ["stranger:db"] } } } });
    let mine = [(Thing::Network("mine".to_owned()), Standing::Ours), theirs("theirs")];
    for body in [endpoint, by_id, linked] {
        assert_eq!(refused(&verdict(&[], &mine, "/containers/create", &body.to_string())), "foreign", "{body}");
    }
    let connect = |target: &str, settings: &str| {
        let body = format!("{{\"Container\":\"c\",\"EndpointConfig\":{settings}}}");
        verdict(&[], &[ours("c"), mine[0].clone(), mine[1].clone()], target, &body)
    };
    assert_eq!(refused(&connect("/networks/theirs/connect", "null")), "foreign");
    assert_eq!(refused(&connect("/networks/mine/connect", "{\"networkid\":\"theirs\"}")), "foreign");
    assert_eq!(refused(&connect("/networks/mine/connect", "{\"Links\":[\"stranger\"]}")), "foreign");
    assert!(matches!(connect("/networks/mine/connect", "{\"Links\":[\"c:db\"],\"IPAMConfig\":null}"), Verdict::Rewritten { .. }));
    for name in ["bridge", "none", "default"] {
        assert!(matches!(create(&json!({ "HostConfig": { "NetworkMode": name } })), Verdict::Rewritten { .. }), "{name}");
    }
    let common = (Thing::Network("0123".to_owned()), Standing::Common);
    let body = json!({ "HostConfig": { "NetworkMode": "0123" } }).to_string();
    assert!(matches!(verdict(&[], std::slice::from_ref(&common), "/containers/create", &body), Verdict::Rewritten { .. }));
    let removal = judge(
        &Call::read(&"DELETE".parse().unwrap(), "/networks/0123", None).unwrap(),
        Json::parse(b"").unwrap(),
        &policy(&[]),
        &Facts(std::iter::once((common.0, common.1.into())).collect()),
        &resolve,
    );
    assert_eq!(refused(&removal), "foreign", "everybody's to use, nobody's to remove");
}

#[test]
fn a_network_stands_on_nothing_of_the_hosts() {
    let make = |body: Value| verdict(&[], &[], "/networks/create", &body.to_string());
    let bridge = |name: &str| make(json!({ "Name": "n", "Options": { "com.docker.network.bridge.name": name } }));
    assert_eq!(refused(&bridge("docker0")), "host-network");
    assert!(matches!(bridge("new0"), Verdict::Rewritten { .. }));
    assert_eq!(refused(&make(json!({ "Name": "n", "ConfigFrom": { "Network": "theirs" } }))), "foreign");
}

#[test]
fn an_update_moves_nothing_out_of_its_place() {
    let update = |body: &str| verdict(&[], &[ours("c")], "/containers/c/update", body);
    assert_eq!(refused(&update("{\"CgroupParent\":\"/elsewhere\"}")), "cgroup-parent");
    assert_eq!(refused(&update("{\"Devices\":[{\"PathOnHost\":\"/dev/sda\"}]}")), "devices");
}

#[test]
fn what_is_mounted_is_where_the_path_leads() {
    let body = json!({ "HostConfig": {
        "Binds": ["/ws/a/../data:/b:ro", "named:/c"],
        "Mounts": [{ "Type": "bind", "Source": "/ws/a/../m", "Target": "/m" }, { "Type": "volume", "Target": "/v", "VolumeOptions": {
            "DriverConfig": { "Options": { "o": "bind", "Device": "/ws/a/../v" } } } }] } });
    let facts = [(Thing::Volume("named".to_owned()), Standing::Ours)];
    let host = &rewritten(verdict(&[], &facts, "/containers/create", &body.to_string()))["HostConfig"];
    assert_eq!(host["Binds"], json!(["/ws/data:/b:ro", "named:/c"]));
    assert_eq!(host["Mounts"][0]["Source"], "/ws/m");
    assert_eq!(host["Mounts"][1]["VolumeOptions"]["DriverConfig"]["Options"]["Device"], "/ws/v");
    let volume = json!({ "DriverOpts": { "type": "none", "o": "bind", "device": "/ws/a/../v" } }).to_string();
    let volume = rewritten(verdict(&[], &[(Thing::Volume(String::new()), Standing::Absent)], "/volumes/create", &volume));
    assert_eq!(volume["DriverOpts"]["device"], "/ws/v");
    assert_eq!(refused(&create(&json!({ "HostConfig": { "Binds": ["/ws/dangling/x:/y"] } }))), "never");
}

#[test]
fn a_container_is_judged_again_when_it_starts() {
    let start = |paths: &[&str], of_volume: &[&str]| {
        let held = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let container = Found { paths: held(paths), volumes: vec!["v".to_owned()], ..Standing::Ours.into() };
        let volume = Found { paths: held(of_volume), ..Standing::Ours.into() };
        let facts = [(Thing::Container("c".to_owned()), container), (Thing::Volume("v".to_owned()), volume)];
        ["start", "restart"].map(|verb| judged(&call("POST", &format!("/containers/c/{verb}")), "", &Facts(facts.clone().into())))
    };
    // What leads where it is written was judged when it was made, by whoever made it.
    assert_eq!(start(&["/ws/data", "/srv/allowed"], &["/srv/volume"]), [Verdict::Pass, Verdict::Pass]);
    for refusal in start(&["/ws/link"], &[]).iter().chain(&start(&["/ws/data"], &["/ws/link/v"])) {
        assert!(refused(refusal).starts_with("mount:/etc"), "{refusal:?}");
    }
    for target in ["/containers/c/start?checkpoint=x&checkpoint-dir=/root", "/containers/c/checkpoints"] {
        assert_eq!(refused(&verdict(&[], &[ours("c")], target, "")), "unknown-endpoint", "{target}");
    }
    assert_eq!(start(&["/ws/dangling"], &[]).map(|verdict| refused(&verdict)), ["never", "never"]);
}

#[test]
fn what_is_ours_is_removed_with_its_volumes_and_what_is_not_as_it_was_asked() {
    let remove = |words: &[&str], standing: Standing, query: Option<&str>| {
        let call = Call::read(&"DELETE".parse().unwrap(), "/containers/c", query).unwrap();
        let facts = Facts(std::iter::once((Thing::Container("c".to_owned()), standing.into())).collect());
        judge(&call, Json::parse(b"").unwrap(), &policy(words), &facts, &resolve)
    };
    assert_eq!(remove(&[], Standing::Ours, Some("force=1&V=0")), Verdict::Requeried("force=1&v=1".to_owned()));
    assert_eq!(remove(&[], Standing::Ours, None), Verdict::Requeried("v=1".to_owned()));
    assert_eq!(remove(&["foreign"], Standing::Ours, None), Verdict::Pass, "it may have a stranger's volume");
    assert_eq!(remove(&["foreign"], Standing::Strange, Some("force=1")), Verdict::Pass);
}

#[test]
fn an_image_of_a_container_does_not_say_that_its_containers_are_ours() {
    let query = queried(&[ours("c")], "/commit?container=c&changes=CMD%20a&changes=LABEL%20b%3Dc");
    let changes = query.split('&').find_map(|pair| pair.strip_prefix("changes=")).unwrap();
    for key in ["workspace", "owner", "run", "attempt", "origin", "spec", "nonce"] {
        assert!(changes.contains(&format!("io.opensculpt.{key}%3D%22%22")), "{key}: {changes}");
    }
    assert!(changes.contains("io.opensculpt.built.workspace%3D%22w1%22"), "{changes}");
    assert!(query.ends_with("changes=CMD%20a&changes=LABEL%20b%3Dc"), "{query}");
    let forged = verdict(&[], &[ours("c")], "/commit?container=c&changes=LABEL%20io.opensculpt.workspace%3Dw1", "");
    assert_eq!(refused(&forged), "never");
    for twice in ["/commit?container=c&container=stranger", "/commit?container=c&Container=stranger"] {
        let refusal = std::panic::catch_unwind(|| refused(&verdict(&[], &[ours("c")], twice, "")));
        assert_eq!(refusal.ok().as_deref(), Some("never"), "{twice}");
    }
}

#[test]
fn a_name_is_not_taken_from_a_strangers_image() {
    let image = |name: &str, standing| (Thing::Image(name.to_owned()), standing);
    for (target, name) in [
        ("/build?t=a:1&t=x", "x:latest"),
        ("/build?t=host:5000/x", "host:5000/x:latest"),
        ("/commit?container=c&repo=x&tag=2", "x:2"),
        ("/images/busybox/tag?repo=x", "x:latest"),
        ("/images/create?fromSrc=-&repo=x&tag=3", "x:3"),
    ] {
        let with = |standing| {
            let facts = [ours("c"), image("a:1", Standing::Absent), image(name, standing)];
            verdict(&[], &facts, target, "")
        };
        assert_eq!(refused(&with(Standing::Strange)), "foreign", "{target}");
        for standing in [Standing::Ours, Standing::Absent] {
            assert!(!matches!(with(standing), Verdict::Refused(_)), "{target}");
        }
    }
    assert_eq!(verdict(&[], &[], "/images/create?fromImage=x&tag=1", ""), Verdict::Pass, "to pull is to have what the name means");
}

#[test]
fn a_build_has_the_parameters_that_docker_has() {
    for name in ["nsoptions", "Devices", "addcaps", "SECRETS", "volumes", "ssh"] {
        assert_eq!(refused(&verdict(&[], &[], &format!("/build?{name}=x"), "")), "unknown-endpoint", "{name}");
    }
    for (target, word) in [
        ("/build?NetworkMode=host", "host-network"),
        ("/build?networkmode=ns:%2Fproc%2F1%2Fns%2Fnet", "host-network"),
        ("/build?CgroupParent=%2Fx", "cgroup-parent"),
        ("/build?SecurityOpt=label%3Ddisable", "security-opt"),
        ("/build?isolation=chroot", "security-opt"),
        ("/build?outputs=type%3Dlocal,dest%3D%2Fetc", "unknown-endpoint"),
        ("/build?networkmode=default&networkmode=host", "never"),
        ("/build?networkmode=default&NETWORKMODE=host", "never"),
        ("/build?network%C5%BFmode=host", "never"),
    ] {
        assert_eq!(refused(&verdict(&[], &[], target, "")), word, "{target}");
    }
    let query = queried(&[], "/build?Memory=99999999999&outputs=%5B%7B%22Type%22:%22tar%22%7D%5D&version=2&session=s");
    assert!(query.contains("memory=268435456") && !query.contains("Memory"), "{query}");
}

#[test]
fn buildkit_is_let_through_where_it_is_judged_and_its_cache_is_everybodys() {
    assert_eq!(verdict(&[], &[], "/session", ""), Verdict::Pass);
    assert_eq!(verdict(&["buildkit"], &[], "/grpc", ""), Verdict::Pass);
    assert!(matches!(verdict(&[], &[], "/build/prune", ""), Verdict::Answered(text) if text.contains("SpaceReclaimed")));
    assert_eq!(verdict(&["foreign"], &[], "/build/prune", ""), Verdict::Pass);
}

#[test]
fn what_podman_reads_as_another_mount_is_refused() {
    for host in [
        json!({ "Volumes": { "/:/host": {} } }),
        json!({ "volumes": { "/data": {}, "/ws:/x:O": {} } }),
        json!({ "Mounts": [{ "Type": "bind", "Source": "/ws/a", "Target": "/x,source=/" }] }),
        json!({ "Mounts": [{ "Type": "volume", "Source": "v,type=bind", "Target": "/x" }] }),
        json!({ "Mounts": [{ "Type": "bind", "Source": "/ws/a,b", "Target": "/x" }] }),
        json!({ "Mounts": [{ "Type": "tmpfs", "target": "/x\",source=/" }] }),
        json!({ "Mounts": [{ "Type": "tmpfs", "Target": "/x", "Consistency": "default\nsource=/" }] }),
        json!({ "Mounts": [{ "Type": "bind,source=/", "Target": "/x", "Source": "/ws" }] }),
        json!({ "Mounts": [{ "Type": "bind", "Source": "/ws", "Target": "/x", "BindOptions": { "propagation": "rslave,source=/" } }] }),
        json!({ "Mounts": [{ "Type": "volume", "Target": "/x", "VolumeOptions": { "Subpath": "a,source=/" } }] }),
        json!({ "Mounts": [{ "Type": "glob", "Source": "/ws/*", "Target": "/x" }] }),
    ] {
        for body in [host.clone(), json!({ "HostConfig": host })] {
            let verdict = verdict(&["foreign"], &[], "/containers/create", &body.to_string());
            assert_eq!(refused(&verdict), "never", "{body}");
        }
    }
    let kept = json!({ "Volumes": { "/data": {} }, "HostConfig": { "Mounts": [
        { "Type": "bind", "Source": "/ws/a", "Target": "/x y", "Consistency": "cached", "BindOptions": { "Propagation": "rslave" } },
        { "Type": "volume", "Target": "/y", "VolumeOptions": {
            "Labels": { "app": "a,b" }, "DriverConfig": { "Options": { "type": "nfs", "o": "addr=10.0.0.1,rw" } } } },
    ] } });
    assert!(matches!(create(&kept), Verdict::Rewritten { .. }));
}

#[test]
fn a_bind_has_the_options_that_docker_has() {
    let bind = |text: &str| verdict(&["foreign"], &[], "/containers/create", &json!({ "HostConfig": { "Binds": [text] } }).to_string());
    for option in ["O", "U", "upperdir=/etc,workdir=/ws", "ro,O", "idmap", "idmap=uids=0-0-1", "exec", "dev", "RO", "", "ro:O", "ro, U"] {
        for source in ["/ws/a", "named"] {
            let verdict = bind(&format!("{source}:/x:{option}"));
            assert_eq!(refused(&verdict), "never", "{source} {option}");
            let Verdict::Refused(refusal) = verdict else { continue };
            assert!(refusal.what.starts_with("the option `"), "{refusal}");
        }
    }
    for option in ["ro", "rw,z", "Z,cached", "delegated,rslave", "consistent", "nocopy", "private,rshared,shared,slave,rprivate"] {
        assert!(matches!(bind(&format!("/ws/a:/x:{option}")), Verdict::Rewritten { .. }), "{option}");
    }
}

#[test]
fn each_container_carries_what_no_image_can_know() {
    let nonces = |body: &Value| -> Vec<String> {
        let labels = body["Labels"].as_object().unwrap().iter();
        labels.filter(|(key, _)| *key == "io.opensculpt.nonce").map(|(_, value)| value.as_str().unwrap().to_owned()).collect()
    };
    let asked = json!({ "Image": "x", "Labels": { "io.opensculpt.nonce": "known", "IO.OPENSCULPT.NONCE": "other" } });
    let [one, other] = [(); 2].map(|()| rewritten(create(&asked)));
    let (first, second) = (nonces(&one), nonces(&other));
    assert_eq!((first.len(), second.len(), first[0].len()), (1, 1, 32), "{one}");
    assert!(first != second && first[0] != "known", "{one}");
    assert_eq!(one["Labels"]["IO.OPENSCULPT.NONCE"], "other");
    assert_eq!(nonces(&rewritten(verdict(&[], &[], "/networks/create", r#"{"Name":"n"}"#))), [""; 0]);
}

#[test]
fn a_look_that_runs_a_command_in_a_container_is_an_act() {
    for target in ["/libpod/containers/c/healthcheck", "/v4.0.0/libpod/containers/c/healthcheck", "/v5/libpod/containers/c/health%63heck"] {
        let act = call("GET", target);
        assert_eq!(refused(&judged(&act, "", &Facts::default())), "foreign", "{target}");
        let known = Facts(std::iter::once((ours("c").0, Standing::Ours.into())).collect());
        assert_eq!(judged(&act, "", &known), Verdict::Pass, "{target}");
    }
    assert_eq!(judged(&call("GET", "/libpod/containers/c/json"), "", &Facts::default()), Verdict::Pass);
}

/// The mounts that are sent on, without their labels; each of a volume has those.
fn mounts(body: &Value, facts: &Facts) -> Value {
    let body = rewritten(judged(&call("POST", "/containers/create"), &body.to_string(), facts));
    let mut mounts = body["HostConfig"].get("Mounts").cloned().unwrap_or_else(|| json!([]));
    for mount in mounts.as_array_mut().unwrap().iter_mut().filter(|mount| mount["Type"] == "volume") {
        let mut options = mount.as_object_mut().unwrap().remove("VolumeOptions").unwrap();
        let labels = options.as_object_mut().unwrap().remove("Labels").unwrap();
        assert_eq!(labels["io.opensculpt.workspace"], "w1");
        assert_eq!(labels.get("io.opensculpt.nameless").is_some(), mount.get("Source").is_none(), "{mount}");
        if options != json!({}) {
            mount["VolumeOptions"] = options;
        }
    }
    mounts
}

#[test]
fn each_volume_without_a_name_is_asked_for_as_a_mount_that_is_labelled() {
    let volume = |target: &str| json!({ "Type": "volume", "Target": target });
    let targets = |targets: &[&str]| targets.iter().map(|target| (*target).to_owned()).collect();
    let found = |thing, wanted: &[&str], standing: Standing| (thing, Found { targets: targets(wanted), ..standing.into() });
    let facts = Facts(
        [
            found(Thing::Image("store".to_owned()), &["/var//db/", "/more", "relative", "/x,source=/"], Standing::Strange),
            found(Thing::Container("other".to_owned()), &["/more"], Standing::Ours),
            found(Thing::Volume("mine".to_owned()), &[], Standing::Ours),
        ]
        .into(),
    );
    for (body, expected) in [
        (json!({ "Image": "plain" }), json!([])),
        (json!({ "Image": "store" }), json!([volume("/more"), volume("/var/db")])),
        (json!({ "Image": "store", "Volumes": { "/more/": {}, "/own": {} } }), json!([volume("/more"), volume("/own"), volume("/var/db")])),
        (json!({ "image": "store", "HostConfig": { "VolumesFrom": ["other:ro"] } }), json!([volume("/var/db")])),
        (json!({ "Image": "store", "hostconfig": { "Binds": ["mine:/var/db/:rw"], "Tmpfs": { "/more": "" } } }), json!([])),
        (
            json!({ "Image": "store", "HostConfig": { "Mounts": [{ "Type": "tmpfs", "Target": "/more/" }] } }),
            json!([{ "Type": "tmpfs", "Target": "/more/" }, volume("/var/db")]),
        ),
        (
            json!({ "Volumes": { "/own": {} }, "HostConfig": { "VolumeDriver": "local" } }),
            json!([{ "Type": "volume", "Target": "/own", "VolumeOptions": { "DriverConfig": { "Name": "local" } } }]),
        ),
        (
            json!({ "HostConfig": { "Mounts": [{ "Type": "volume", "Source": "mine", "Target": "/own" }] } }),
            json!([{ "Type": "volume", "Source": "mine", "Target": "/own" }]),
        ),
    ] {
        // As objects come from a body or from here, their HostConfig is under the name that was written.
        let mut same = body.clone();
        if let Some(host) = same.as_object_mut().unwrap().remove("hostconfig") {
            same["HostConfig"] = host;
        }
        assert_eq!(mounts(&same, &facts), expected, "{body}");
    }
    let bound = json!({ "HostConfig": { "Binds": ["/own", "mine:/x", "/ws/a:/y"] } });
    let host = &rewritten(judged(&call("POST", "/containers/create"), &bound.to_string(), &facts))["HostConfig"];
    assert_eq!(host["Binds"], json!(["mine:/x", "/ws/a:/y"]));
    assert_eq!(mounts(&bound, &facts), json!([volume("/own")]));
}

#[test]
fn nobody_says_of_a_volume_that_it_has_no_name() {
    let label = json!({ "io.opensculpt.nameless": "", "app": "x" });
    let made = rewritten(verdict(
        &[],
        &[(Thing::Volume("v".to_owned()), Standing::Absent)],
        "/volumes/create",
        &json!({ "Name": "v", "Labels": label }).to_string(),
    ));
    assert!(made["Labels"].get("io.opensculpt.nameless").is_none() && made["Labels"]["app"] == "x", "{made}");
}

/// A policy of a goal whose containers have a group.
fn grouped(allow: &[&str]) -> Policy {
    let parent = CgroupParent { version: CgroupVersion::V1, path: "/sculpt-w1/crm/containers".to_owned() };
    Policy { parent: Some(parent), ..policy(allow) }
}

proptest! {
    /// Whichever builder it is for, and whatever else it asks for: an engine that does not heed it there may do so one day.
    #[test]
    fn each_build_is_put_below_the_goals_group_and_within_its_limits(
        version in prop::option::of("[0-3]"),
        asked in prop::collection::btree_map(
            prop::sample::select(vec!["memory", "memswap", "cpuquota", "Memory", "CPUQUOTA"]), -1_i64..1 << 40, 0..3),
        others in prop::sample::subsequence(vec!["session=s", "nocache=1", "q=1", "buildid=b", "remote=client-session"], 0..5),
    ) {
        let names: std::collections::BTreeSet<String> = asked.keys().map(|name| name.to_lowercase()).collect();
        prop_assume!(names.len() == asked.len());
        let mut parts: Vec<String> = others.iter().map(|part| (*part).to_owned()).collect();
        parts.extend(version.iter().map(|version| format!("version={version}")));
        parts.extend(asked.iter().map(|(name, value)| format!("{name}={value}")));
        let target = format!("/v1.41/build?{}", parts.join("&"));
        let judge = |policy: &Policy| judge(&call("POST", &target), Json::parse(b"").unwrap(), policy, &Facts::default(), &resolve);
        let Verdict::Requeried(query) = judge(&grouped(&[])) else { panic!("{target}") };
        let query = Query::read(Some(&query)).unwrap();
        prop_assert_eq!(query.get("cgroupparent"), Some("/sculpt-w1/crm/containers"));
        prop_assert_eq!(query.get("version"), version.as_deref());
        let number = |name: &str| query.get(name).unwrap().parse::<i64>().unwrap();
        prop_assert!((1..=1 << 28).contains(&number("memory")) && number("memswap") == number("memory"));
        prop_assert!((1_000..=50_000).contains(&number("cpuquota")));
        let Verdict::Requeried(query) = judge(&policy(&[])) else { panic!("{target}") };
        prop_assert!(!query.contains("cgroupparent"), "an engine that takes none is told none: {}", query);
    }
}

#[test]
fn a_build_has_a_group_of_its_own_where_that_is_allowed() {
    for version in ["1", "2"] {
        let target = format!("/build?version={version}&CgroupParent=%2Fown");
        let judge = |policy: &Policy| judge(&call("POST", &target), Json::parse(b"").unwrap(), policy, &Facts::default(), &resolve);
        assert_eq!(refused(&judge(&grouped(&[]))), "cgroup-parent");
        let Verdict::Requeried(query) = judge(&grouped(&["cgroup-parent"])) else { panic!("{target}") };
        assert_eq!(Query::read(Some(&query)).unwrap().all("cgroupparent").collect::<Vec<_>>(), ["/own"]);
    }
}
