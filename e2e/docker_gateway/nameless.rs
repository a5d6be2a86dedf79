//! Volumes without a name, through the endpoint: whose they are, who mounts them by which way, and when they go.

use super::strangers::{SLEEP, Strangers, refused};
use super::*;

fn is_there(volume: &str) -> bool {
    engine(&["volume", "ls", "-q"]).lines().any(|line| line == volume)
}

/// The volumes of a container, by the engine's own word.
fn volumes_of(container: &str) -> Vec<String> {
    let named = engine(&["inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", container]);
    named.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn only_volume_of(container: &str) -> String {
    let [volume] = &volumes_of(container)[..] else { panic!("{:?}", volumes_of(container)) };
    volume.clone()
}

#[test]
fn a_strangers_volume_without_a_name_is_neither_used_nor_removed() {
    let Some(endpoint) = Endpoint::start("nameless-stranger") else { return };
    let mut strangers = Strangers(Vec::new());
    let theirs = engine(&["create", "-v", "/data", IMAGE, "/bin/busybox", "true"]);
    strangers.remove(&["rm", "-fv", &theirs]);
    let volume = only_volume_of(&theirs);
    let mount = format!("type=volume,source={volume},target=/x");
    for option in [["-v", &format!("{volume}:/x")], ["--mount", &mount], ["--volumes-from", &theirs]] {
        assert!(refused(&endpoint, &[&["create"], &option[..], &[IMAGE, "/bin/busybox", "true"]].concat()).contains("foreign"));
    }
    assert!(refused(&endpoint, &["volume", "rm", &volume]).contains("foreign"));
    endpoint.docker(&["container", "prune", "-f"]);
    endpoint.docker(&["volume", "prune", "-f"]);
    assert!(is_there(&volume));
}

#[test]
fn one_of_ours_goes_with_the_last_container_that_has_it() {
    let Some(endpoint) = Endpoint::start("nameless-ours") else { return };
    let mut strangers = Strangers(Vec::new());
    let create = |options: &[&str]| endpoint.docker(&[&["create"], options, &[IMAGE, "/bin/busybox", "true"]].concat());
    let first = create(&["-v", "/data"]);
    let volume = only_volume_of(&first);
    let by_name = create(&["-v", &format!("{volume}:/x")]);
    endpoint.docker(&["rm", "-v", &first]);
    let from = create(&["--volumes-from", &by_name]);
    assert_eq!(only_volume_of(&from), volume);
    endpoint.docker(&["rm", &by_name]);
    assert!(is_there(&volume), "the last still has it");
    endpoint.docker(&["rm", &from]);
    assert!(!is_there(&volume));

    // The same where all of them go at once, and by our own hand.
    let first = create(&["-v", "/data"]);
    let volume = only_volume_of(&first);
    create(&["-v", &format!("{volume}:/x")]);
    endpoint.docker(&["container", "prune", "-f"]);
    assert!(!is_there(&volume));

    // Where a stranger has taken it too, it is his as long as he has it.
    let first = create(&["-v", "/data"]);
    let volume = only_volume_of(&first);
    let theirs = engine(&["create", "-v", &format!("{volume}:/x"), IMAGE, "/bin/busybox", "true"]);
    strangers.remove(&["rm", "-f", &theirs]);
    endpoint.docker(&["rm", &first]);
    assert!(is_there(&volume));
    drop(strangers);
    engine(&["volume", "rm", &volume]);
}

#[test]
fn one_that_was_asked_for_is_no_containers() {
    let Some(endpoint) = Endpoint::start("nameless-made") else { return };
    // The engine gives it such a name as well; but whoever asked for it holds it.
    let volume = endpoint.docker(&["volume", "create"]);
    assert_eq!(volume.len(), 64);
    let create = || endpoint.docker(&["create", "-v", &format!("{volume}:/x"), IMAGE, "/bin/busybox", "true"]);
    let id = create();
    endpoint.docker(&["rm", "-v", &id]);
    create();
    endpoint.docker(&["container", "prune", "-f"]);
    assert!(is_there(&volume));
    endpoint.docker(&["volume", "rm", &volume]);
}

#[test]
fn what_an_image_declares_is_labelled_and_where_something_else_is_mounted_that_is() {
    let Some(endpoint) = Endpoint::start("nameless-image") else { return };
    let image = format!("{}:store", endpoint.workspace);
    fs::write(
        endpoint.work().join("Dockerfile"),
        format!("FROM {IMAGE}\nRUN [\"/bin/busybox\", \"mkdir\", \"-p\", \"/var/db\"]\nRUN [\"/bin/busybox\", \"touch\", \"/var/db/file\"]\nVOLUME [\"/var//db/\", \"/more\"]\n"),
    )
    .unwrap();
    endpoint.docker(&["build", "-t", &image, "."]);
    let labelled = || endpoint.listed(&["volume", "ls"]);
    let one = endpoint.docker(&[&["run", "-d", &image], &SLEEP[..]].concat());
    let mut own = volumes_of(&one);
    own.sort();
    let mut all = labelled();
    all.sort();
    assert_eq!((own.len(), &own), (2, &all), "each with our labels");
    assert_eq!(endpoint.docker(&["exec", &one, "/bin/busybox", "ls", "/var/db"]), "file", "with what the image has there");
    // What another container has there counts before what the image declares.
    let other = endpoint.docker(&["create", "--volumes-from", &one, &image, "/bin/busybox", "true"]);
    let mut from = volumes_of(&other);
    from.sort();
    assert_eq!(from, own);
    let list = ["/bin/busybox", "ls", "/var/db"];
    // So does what is asked for.
    fs::create_dir(endpoint.work().join("here")).unwrap();
    fs::write(endpoint.work().join("here/mine"), "").unwrap();
    let here = format!("{}:/var/db/", endpoint.work().join("here").display());
    assert_eq!(endpoint.docker(&[&["run", "--rm", "-v", &here, &image], &list[..]].concat()), "mine");
    assert_eq!(endpoint.docker(&[&["run", "--rm", "--tmpfs", "/var/db", &image], &list[..]].concat()), "");
    assert_eq!(endpoint.docker(&[&["run", "--rm", "--mount", "type=tmpfs,target=/var/db", &image], &list[..]].concat()), "");
    assert_eq!(endpoint.docker(&[&["run", "--rm", &image], &list[..]].concat()), "file");
    let mut left = labelled();
    left.sort();
    assert_eq!(left, own, "what ended with `--rm` took its own with it");
    endpoint.docker(&["rm", "-f", &one, &other]);
    assert_eq!(labelled(), [""; 0]);
    endpoint.docker(&["rmi", &image]);
}
