//! A start is idempotent, and touches nothing that is not ours.

use opensculpt::adapters::docker::error::{DockerError, Hint};
use opensculpt::adapters::docker::name::name_of;
use opensculpt::adapters::docker::spec::{Limits, PortMapping, Protocol};

use super::fixture::{IMAGE, docker, with_docker};

const FOREVER: &str = "exec sleep 86400";

#[test]
fn a_container_that_runs_as_declared_is_adopted() {
    with_docker("adoption", |world| async move {
        let mut spec = world.spec("it/serve/it", FOREVER);
        let first = world.fleet.ensure(&spec, |_| {}).await.unwrap();
        assert!(!first.adopted);
        // A later run: the same container is wanted.
        spec.label.run = "e2e.2".to_owned();
        let second = world.fleet.ensure(&spec, |_| {}).await.unwrap();
        assert!(second.adopted);
        assert_eq!((&second.id, second.started_at), (&first.id, first.started_at));
        // The engine restarts nothing by itself: 20.10 says so by an empty word, newer ones by "no".
        let privileged = docker(&["inspect", "-f", "{{.HostConfig.Privileged}} {{.HostConfig.RestartPolicy.Name}}", &first.id]);
        assert!(["false", "false no"].contains(&privileged.as_str()), "{privileged}");
    });
}

#[test]
fn a_changed_a_stopped_and_a_rebuilt_one_are_replaced() {
    with_docker("replacement", |world| async move {
        let mut spec = world.spec("it/serve/it", FOREVER);
        let first = world.start(&spec).await;
        spec.env.insert("A".to_owned(), "1".to_owned());
        let second = world.start(&spec).await;
        assert_ne!(first, second);
        docker(&["kill", &second]);
        world.fleet.wait(&second).await.unwrap();
        let third = world.start(&spec).await;
        assert_ne!(second, third);
        let ids: Vec<String> = world.fleet.list().await.unwrap().into_iter().map(|found| found.id).collect();
        assert_eq!(ids, [third]);
    });
}

#[test]
fn a_strangers_name_is_refused_and_the_stranger_untouched() {
    with_docker("a stranger's name", |world| async move {
        let spec = world.spec("it/serve/it", FOREVER);
        let stranger = docker(&["run", "-d", "--name", &spec.name, IMAGE, "/bin/sleep", "86400"]);
        let before = docker(&["inspect", &stranger]);
        let refused = world.fleet.ensure(&spec, |_| {}).await.unwrap_err();
        let stop = world.fleet.stop(&stranger, "SIGKILL", spec.stop.grace).await;
        let remove = world.fleet.remove(&stranger).await;
        let after = docker(&["inspect", &stranger]);
        docker(&["rm", "-f", &stranger]);
        assert_eq!(before, after);
        assert!(matches!(&refused, DockerError::Stranger { image, workspace: None, .. } if image == IMAGE), "{refused:?}");
        assert_eq!(refused.hint(), Some(Hint::FreeName));
        assert!(matches!(stop, Err(DockerError::NotOurs { .. })), "{stop:?}");
        assert!(matches!(remove, Err(DockerError::NotOurs { .. })), "{remove:?}");
    });
}

#[test]
fn another_workspaces_container_is_a_strangers() {
    with_docker("another workspace's name", |world| async move {
        let mut spec = world.spec("it/serve/it", FOREVER);
        let id = world.start(&spec).await;
        let other = world.fleet.engine().fleet("another");
        spec.label.workspace = "another".to_owned();
        let refused = other.ensure(&spec, |_| {}).await.unwrap_err();
        let named = matches!(&refused, DockerError::Stranger { workspace: Some(workspace), .. } if *workspace == world.workspace);
        assert!(named, "{refused:?}");
        assert!(matches!(other.remove(&id).await, Err(DockerError::NotOurs { .. })));
        assert_eq!(other.list().await.unwrap(), []);
        assert!(world.fleet.list().await.unwrap()[0].running);
    });
}

#[test]
fn what_cannot_start_says_why_and_leaves_nothing() {
    with_docker("starts that fail", |world| async move {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = PortMapping {
            host_ip: Some([127, 0, 0, 1].into()),
            host_port: listener.local_addr().unwrap().port(),
            container_port: 80,
            protocol: Protocol::Tcp,
        };
        let plain = world.spec("it/serve/it", FOREVER);
        let mut taken = plain.clone();
        taken.ports = vec![port];
        let error = world.fleet.ensure(&taken, |_| {}).await.unwrap_err();
        assert!(matches!(error, DockerError::PortTaken { .. }), "{error:?}");
        let mut lost = plain.clone();
        lost.image = "sculpt-e2e-no-such-image:1".to_owned();
        let error = world.fleet.ensure(&lost, |_| {}).await.unwrap_err();
        assert!(matches!(error, DockerError::NoImage { .. }), "{error:?}");
        assert_eq!(error.hint(), Some(Hint::ProvideImage));
        let mut lonely = plain.clone();
        lonely.networks = vec![opensculpt::adapters::docker::spec::Join { network: "sculpt-e2e-none".to_owned(), aliases: Vec::new() }];
        let error = world.fleet.ensure(&lonely, |_| {}).await.unwrap_err();
        assert!(matches!(&error, DockerError::NoNetwork { network, .. } if network == "sculpt-e2e-none"), "{error:?}");
        let mut wrong = plain.clone();
        wrong.command = Some(vec!["/no/such/program".to_owned()]);
        let error = world.fleet.ensure(&wrong, |_| {}).await.unwrap_err();
        assert!(matches!(error, DockerError::CannotStart { .. }), "{error:?}");
        assert_eq!(world.fleet.list().await.unwrap(), []);
    });
}

#[test]
fn a_port_of_the_engines_choice_is_told_and_limits_are_set() {
    with_docker("ports and limits", |world| async move {
        let mut spec = world.spec("it/serve[a]/it", FOREVER);
        assert_eq!(spec.name, name_of(&world.workspace, &spec.label.owner));
        spec.ports = vec![PortMapping { host_ip: Some([127, 0, 0, 1].into()), host_port: 0, container_port: 80, protocol: Protocol::Tcp }];
        spec.limits = Limits { memory: Some(32 << 20), nano_cpus: Some(500_000_000), pids: Some(20), open_files: Some(100) };
        let running = world.fleet.ensure(&spec, |_| {}).await.unwrap();
        assert_ne!(running.ports[0].host_port, 0);
        let told = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}";
        let memory = 32 << 20;
        assert_eq!(docker(&["inspect", "-f", told, &running.id]), format!("{memory} {memory} 500000000 20"));
        let command = ["/bin/sh", "-c", "ulimit -n; echo $A; exit 3"].map(str::to_owned);
        let executed = world.fleet.exec(&running.id, &command, &[("A".to_owned(), "b c".to_owned())], |_| {}).await.unwrap();
        assert_eq!((executed.code, String::from_utf8(executed.output).unwrap()), (3, "100\nb c\n".to_owned()));
    });
}
