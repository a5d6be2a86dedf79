//! Networks and volumes, and that a list misses nothing.

use opensculpt::adapters::docker::error::DockerError;
use opensculpt::adapters::docker::list::Kind;
use opensculpt::adapters::docker::spec::{Join, Mount, MountSource};

use super::fixture::{IMAGE, docker, with_docker};

#[test]
fn volumes_are_kept_networks_are_joined_and_all_of_it_is_listed() {
    with_docker("networks and volumes", |world| async move {
        let name = format!("sculpt-e2e-{}", world.workspace);
        let label = world.label("it/base/it");
        let network = world.fleet.ensure_network(&name, &label, None).await.unwrap();
        let volume = world.fleet.ensure_volume(&name, &label, None).await.unwrap();
        assert!(network.created && network.owned && volume.created && volume.owned);
        let again = world.fleet.ensure_network(&name, &label, None).await.unwrap();
        assert_eq!((again.id, again.created, again.owned), (network.id.clone(), false, true));
        let second = world.fleet.ensure_network(&format!("{name}-2"), &label, None).await.unwrap();

        let mut spec = world.spec("it/serve/it", "echo $((1 + $(cat /data/count || echo 0))) > /data/count; exec sleep 86400");
        spec.mounts = vec![Mount { source: MountSource::Volume(name.clone()), target: "/data".to_owned(), read_only: false }];
        let join = |network: &str| Join { network: network.to_owned(), aliases: vec!["db".to_owned()] };
        spec.networks = vec![join(&name), join(&format!("{name}-2"))];
        let count = ["/bin/sh", "-c", "until [ -s /data/count ]; do sleep 0.01; done; cat /data/count"].map(str::to_owned);
        let first = world.start(&spec).await;
        assert_eq!(world.fleet.exec(&first, &count, &[], |_| {}).await.unwrap().output, b"1\n");
        let joined = docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.NetworkID}} {{end}}", &first]);
        assert!(joined.contains(&network.id) && joined.contains(&second.id), "{joined}");
        assert!(matches!(world.fleet.remove_network(&network.id).await, Err(DockerError::InUse { .. })));
        assert!(matches!(world.fleet.remove_volume(&name).await, Err(DockerError::InUse { .. })));

        world.fleet.remove(&first).await.unwrap();
        let second_life = world.start(&spec).await;
        let two = ["/bin/sh", "-c", "until grep -q 2 /data/count; do sleep 0.01; done"].map(str::to_owned);
        assert_eq!(world.fleet.exec(&second_life, &two, &[], |_| {}).await.unwrap().code, 0, "the volume was kept");

        let listed = world.fleet.list().await.unwrap();
        let found: Vec<_> = listed.iter().map(|found| (found.kind, found.name.clone(), found.running)).collect();
        let wanted = [
            (Kind::Container, spec.name.clone(), true),
            (Kind::Network, name.clone(), false),
            (Kind::Network, format!("{name}-2"), false),
            (Kind::Volume, name.clone(), false),
        ];
        assert_eq!(found, wanted);
        assert_eq!(listed[0].label.as_ref(), Some(&spec.label));
        assert!(listed[0].started_at.is_some());
    });
}

#[test]
fn a_strangers_network_and_volume_are_used_and_never_removed() {
    with_docker("a stranger's network and volume", |world| async move {
        let name = format!("sculpt-e2e-{}", world.workspace);
        let id = docker(&["network", "create", &name]);
        docker(&["volume", "create", &name]);
        let label = world.label("it/base/it");
        let network = world.fleet.ensure_network(&name, &label, None).await.unwrap();
        let volume = world.fleet.ensure_volume(&name, &label, None).await.unwrap();
        let refused = (world.fleet.remove_network(&id).await, world.fleet.remove_volume(&name).await);
        docker(&["network", "rm", &id]);
        docker(&["volume", "rm", &name]);
        assert_eq!((network.id, network.created, network.owned), (id, false, false));
        assert!(!volume.created && !volume.owned);
        assert!(matches!(refused, (Err(DockerError::NotOurs { .. }), Err(DockerError::NotOurs { .. }))), "{refused:?}");
    });
}

#[test]
fn what_cannot_be_listed_is_not_nothing() {
    with_docker("a list of an engine that is gone", |world| async move {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("there.sock");
        let Some(socket) = world.fleet.engine().socket() else { return };
        std::os::unix::fs::symlink(socket, &there).unwrap();
        let env = indexmap::IndexMap::from([("DOCKER_HOST".to_owned(), format!("unix://{}", there.display()))]);
        let fleet = opensculpt::adapters::docker::connection::Engine::find(&env).await.unwrap().fleet(&world.workspace);
        assert_eq!(fleet.list().await.unwrap(), []);
        std::fs::remove_file(&there).unwrap();
        let lost = fleet.list().await;
        assert!(matches!(lost, Err(DockerError::Lost { .. })), "{lost:?}");
    });
}

#[test]
fn a_volume_without_a_name_goes_with_the_last_container_that_has_it_and_any_other_stays() {
    with_docker("a volume without a name", |world| async move {
        let there = |name: &str| docker(&["volume", "ls", "-q"]).lines().any(|line| line == name);
        let name = |what: &str| format!("{}-{what}", world.workspace);
        let ours = format!("io.opensculpt.workspace={}", world.workspace);
        docker(&["volume", "create", "--label", &ours, "--label", "io.opensculpt.nameless=", &name("nameless")]);
        docker(&["volume", "create", "--label", &ours, &name("named")]);
        docker(&["volume", "create", "--label", "io.opensculpt.nameless=", &name("theirs")]);
        let mut spec = world.spec("shop/db", "sleep 86400");
        for what in ["nameless", "named", "theirs"] {
            spec.mounts.push(Mount { source: MountSource::Volume(name(what)), target: format!("/{what}"), read_only: false });
        }
        let id = world.start(&spec).await;
        // The engine would let it go while this one has it.
        let other = docker(&["create", "--volumes-from", &id, IMAGE, "true"]);
        world.fleet.remove(&id).await.unwrap();
        let while_had = there(&name("nameless"));
        docker(&["rm", &other]);
        let id = world.start(&spec).await;
        world.fleet.remove(&id).await.unwrap();
        let left = ["nameless", "named", "theirs"].map(|what| there(&name(what)));
        docker(&["volume", "rm", &name("theirs")]);
        assert!(while_had, "another container has it");
        assert_eq!(left, [false, true, true]);
    });
}
