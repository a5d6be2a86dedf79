//! What is a stranger's stays his, and what is ours is found and taken away, also what carries no label.

use super::*;

/// What a call is refused with.
pub(super) fn refused(endpoint: &Endpoint, args: &[&str]) -> String {
    let output = endpoint.command("docker", args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("sculpt: refused"), "{args:?}: {error}");
    error
}

/// Removes what a test makes of a stranger's.
pub(super) struct Strangers(pub(super) Vec<Vec<String>>);

impl Strangers {
    pub(super) fn remove(&mut self, args: &[&str]) {
        self.0.insert(0, args.iter().map(|arg| (*arg).to_owned()).collect());
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        for args in &self.0 {
            drop(Command::new("docker").args(args).env("DOCKER_HOST", format!("unix://{ENGINE}")).output());
        }
    }
}

pub(super) const SLEEP: [&str; 3] = ["/bin/busybox", "sleep", "3600"];

#[test]
fn a_committed_container_hands_on_no_label() {
    let Some(endpoint) = Endpoint::start("commit") else { return };
    let mut strangers = Strangers(Vec::new());
    let (inside, outside) = (format!("{}:inside", endpoint.workspace), format!("{}:outside", endpoint.workspace));
    let ours = endpoint.docker(&[&["run", "-d", IMAGE], &SLEEP[..]].concat());
    endpoint.docker(&["commit", "-c", "LABEL app=x", &ours, &inside]);
    strangers.remove(&["rmi", &inside]);
    engine(&["commit", &ours, &outside]);
    strangers.remove(&["rmi", &outside]);
    let labels: Value = serde_json::from_str(&engine(&["inspect", "-f", "{{json .Config.Labels}}", &inside])).unwrap();
    assert_eq!((&labels[WORKSPACE], &labels["app"]), (&json!(""), &json!("x")));

    let theirs = [&inside, &outside].map(|image| {
        let id = engine(&["run", "-d", image, "/bin/busybox", "sleep", "3600"]);
        strangers.remove(&["rm", "-f", &id]);
        id
    });
    for id in &theirs {
        assert!(refused(&endpoint, &["rm", "-f", id]).contains("foreign"));
    }
    let short = endpoint.listed(&["ps", "-a", "--no-trunc"]);
    assert!(short.contains(&ours) && !short.contains(&theirs[0]), "{short:?}");
    // One that has ended would be taken by a prune that goes by labels.
    engine(&["kill", &theirs[1]]);
    assert!(refused(&endpoint, &["container", "prune", "-f"]).contains("somebody else's"));
    assert_eq!(engine(&["inspect", "-f", "{{.State.Status}}", &theirs[1]]), "exited");
    // What was made of ours through here may be removed from here.
    engine(&["rm", "-f", &theirs[0]]);
    endpoint.docker(&["rmi", &inside]);
}

#[test]
fn volumes_without_a_name_go_with_their_container() {
    let Some(endpoint) = Endpoint::start("anonymous") else { return };
    let made = || {
        let id = endpoint.docker(&["create", "-v", "/anonymous", IMAGE, "/bin/busybox", "true"]);
        let volume = engine(&["inspect", "-f", "{{(index .Mounts 0).Name}}", &id]);
        assert_eq!(volume.len(), 64);
        (id, volume)
    };
    let there = |volume: &str| Command::new("docker").args(["volume", "inspect", volume]).output().unwrap().status.success();
    let (id, volume) = made();
    assert!(there(&volume));
    endpoint.docker(&["rm", &id]);
    assert!(!there(&volume));
    let (_, volume) = made();
    endpoint.docker(&["container", "prune", "-f"]);
    assert!(!there(&volume));
    assert_eq!(endpoint.listed(&["ps", "-a"]), [""; 0]);
}

#[test]
fn a_strangers_network_is_not_joined_by_any_way() {
    let Some(endpoint) = Endpoint::start("networks") else { return };
    let mut strangers = Strangers(Vec::new());
    let (network, name) = (format!("{}-theirs", endpoint.workspace), format!("{}-db", endpoint.workspace));
    let network_id = engine(&["network", "create", &network]);
    strangers.remove(&["network", "rm", &network]);
    engine(&[&["run", "-d", "--name", &name, IMAGE], &SLEEP[..]].concat());
    strangers.remove(&["rm", "-f", &name]);
    for option in [["--network", &network], ["--network", &network_id], ["--link", &name]] {
        assert!(refused(&endpoint, &[&["run", "--rm"], &option[..], &[IMAGE, "/bin/busybox", "true"]].concat()).contains("foreign"));
    }
    let ours = endpoint.docker(&[&["run", "-d", IMAGE], &SLEEP[..]].concat());
    assert!(refused(&endpoint, &["network", "connect", &network, &ours]).contains("foreign"));
    let own = format!("{}-own", endpoint.workspace);
    endpoint.docker(&["network", "create", &own]);
    endpoint.docker(&["network", "connect", &own, &ours]);
    endpoint.docker(&["run", "--rm", "--network", &own, IMAGE, "/bin/busybox", "true"]);
    endpoint.docker(&["run", "--rm", "--network", "none", IMAGE, "/bin/busybox", "true"]);
    endpoint.docker(&["network", "disconnect", &own, &ours]);
    let bridge = refused(&endpoint, &["network", "create", "-o", "com.docker.network.bridge.name=docker0", &format!("{own}-2")]);
    assert!(bridge.contains("host-network"), "{bridge}");
    let logs = refused(
        &endpoint,
        &["run", "--rm", "--log-driver", "syslog", "--log-opt", "syslog-address=unix:///run/x", IMAGE, "/bin/busybox", "true"],
    );
    assert!(logs.contains("log-driver:syslog"), "{logs}");
}

#[test]
fn a_link_that_is_turned_after_the_creation_leads_nowhere() {
    let Some(endpoint) = Endpoint::start("links") else { return };
    let turn = |name: &str| {
        let path = endpoint.work().join(name);
        fs::remove_dir_all(&path).unwrap();
        std::os::unix::fs::symlink("/", path).unwrap();
    };
    for name in ["x", "y", "z"] {
        fs::create_dir(endpoint.work().join(name)).unwrap();
    }
    fs::write(endpoint.work().join("z/file"), "").unwrap();
    std::os::unix::fs::symlink("z", endpoint.work().join("link")).unwrap();
    let at = |name: &str| endpoint.work().join(name).display().to_string();
    let list = [IMAGE, "/bin/busybox", "ls", "/x"];
    let volume = format!("{}-bound", endpoint.workspace);
    endpoint.docker(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &format!("device={}", at("y")), &volume]);
    let of_path = endpoint.docker(&[&["create", "-v", &format!("{}:/x", at("x"))], &list[..]].concat());
    let of_volume = endpoint.docker(&[&["create", "-v", &format!("{volume}:/x")], &list[..]].concat());
    // Sent on is where the link led when it was judged.
    let of_link = endpoint.docker(&[&["create", "-v", &format!("{}:/x", at("link"))], &list[..]].concat());
    assert_eq!(
        engine(&["inspect", "-f", "{{(index .Mounts 0).Source}}", &of_link]),
        fs::canonicalize(at("z")).unwrap().display().to_string()
    );
    fs::remove_file(at("link")).unwrap();
    std::os::unix::fs::symlink("/", at("link")).unwrap();
    assert_eq!(endpoint.docker(&["start", "-a", &of_link]), "file");
    turn("x");
    turn("y");
    for id in [&of_path, &of_volume] {
        for verb in ["start", "restart"] {
            assert!(refused(&endpoint, &[verb, id]).contains("docker-socket"), "{verb}");
        }
    }
}

#[test]
fn a_prune_of_everything_takes_what_is_this_places() {
    let Some(endpoint) = Endpoint::start("system-prune") else { return };
    let mut strangers = Strangers(Vec::new());
    let theirs = engine(&["create", IMAGE, "/bin/busybox", "true"]);
    strangers.remove(&["rm", "-f", &theirs]);
    let network = format!("{}-theirs", endpoint.workspace);
    engine(&["network", "create", &network]);
    strangers.remove(&["network", "rm", &network]);
    endpoint.docker(&["create", IMAGE, "/bin/busybox", "true"]);
    endpoint.docker(&["network", "create", &format!("{}-own", endpoint.workspace)]);
    endpoint.docker(&["system", "prune", "-f"]);
    let left = [vec!["ps", "-a"], vec!["network", "ls"]].map(|kind| endpoint.listed(&kind).len());
    assert_eq!(left, [0, 0]);
    endpoint.docker(&["volume", "create", &format!("{}-own", endpoint.workspace)]);
    endpoint.docker(&["system", "prune", "-a", "-f", "--volumes"]);
    assert_eq!(endpoint.listed(&["volume", "ls"]), [""; 0]);
    endpoint.docker(&["builder", "prune", "-f"]);
    engine(&["inspect", &theirs]);
    engine(&["network", "inspect", &network]);
    engine(&["image", "inspect", IMAGE]);
}

#[test]
fn names_of_strangers_images_stay_and_what_was_brought_may_be_taken_away() {
    let Some(endpoint) = Endpoint::start("images") else { return };
    let mut strangers = Strangers(Vec::new());
    let name = |tag: &str| format!("{}:{tag}", endpoint.workspace);
    let import = |run: &dyn Fn(&str) -> Command, tag: &str| {
        let mut tar =
            Command::new("tar").args(["-C", endpoint.work().to_str().unwrap(), "-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let output = run(&name(tag)).stdin(tar.stdout.take().unwrap()).output().unwrap();
        tar.wait().unwrap();
        output
    };
    fs::write(endpoint.work().join("file"), &endpoint.workspace).unwrap();
    let plain = |name: &str| {
        let mut command = Command::new("docker");
        command.args(["import", "-", name]).env("DOCKER_HOST", format!("unix://{ENGINE}"));
        command
    };
    let through = |name: &str| endpoint.command("docker", &["import", "-", name]);
    said(&["import"], &import(&plain, "theirs"));
    strangers.remove(&["rmi", &name("theirs")]);
    let before = engine(&["inspect", "-f", "{{.Id}}", &name("theirs")]);
    fs::write(endpoint.work().join("Dockerfile"), "FROM scratch\nCOPY file /file\n").unwrap();
    assert!(refused(&endpoint, &["tag", IMAGE, &name("theirs")]).contains("foreign"));
    assert!(refused(&endpoint, &["build", "-t", &name("theirs"), "."]).contains("foreign"));
    assert!(!import(&through, "theirs").status.success());
    assert!(refused(&endpoint, &["rmi", &name("theirs")]).contains("foreign"));
    assert_eq!(engine(&["inspect", "-f", "{{.Id}}", &name("theirs")]), before);

    said(&["import"], &import(&through, "imported"));
    strangers.remove(&["rmi", &name("imported")]);
    endpoint.docker(&["rmi", &name("imported")]);
    fs::write(endpoint.work().join("file"), "another").unwrap();
    said(&["import"], &import(&plain, "saved"));
    strangers.remove(&["rmi", &name("saved")]);
    let archive = endpoint.folder.path().join("saved.tar").display().to_string();
    engine(&["save", "-o", &archive, &name("saved")]);
    assert!(refused(&endpoint, &["rmi", &name("saved")]).contains("foreign"));
    engine(&["rmi", &name("saved")]);
    endpoint.docker(&["load", "-i", &archive]);
    endpoint.docker(&["rmi", &name("saved")]);
    // What somebody else brings again by the same name is his.
    engine(&["load", "-i", &archive]);
    assert!(refused(&endpoint, &["rmi", &name("saved")]).contains("foreign"));
}
