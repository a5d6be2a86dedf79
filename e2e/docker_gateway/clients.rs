//! Clients beside the command line of today: the own way of `BuildKit` to build, and a library.

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, LogsOptions, RemoveContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;

use super::*;
use crate::docker::left::there_is_buildkit;

#[test]
fn buildkit_builds_without_a_word() {
    if !there_is_buildkit("BuildKit") {
        return;
    }
    let Some(endpoint) = Endpoint::start("buildkit") else { return };
    fs::copy("/bin/busybox", endpoint.work().join("busybox")).unwrap();
    let steps = format!("FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"echo\", \"{}\"]\n", endpoint.workspace);
    fs::write(endpoint.work().join("Dockerfile"), steps).unwrap();
    let name = format!("{}:built", endpoint.workspace);
    let build = |more: &[&str]| {
        let args = [&["build", "-t", &name], more, &["."]].concat();
        endpoint.command("/usr/bin/docker", &args).env("DOCKER_BUILDKIT", "1").output().unwrap()
    };
    said(&["build"], &build(&[]));
    assert!(!endpoint.book.outcomes(Kind::Session).is_empty());
    let seen: Value = serde_json::from_str(&engine(&["inspect", &name])).unwrap();
    assert_eq!(seen[0]["Config"]["Labels"]["io.opensculpt.built.workspace"], json!(endpoint.workspace));
    let host = build(&["--network", "host"]);
    assert!(!host.status.success() && String::from_utf8_lossy(&host.stderr).contains("host-network"), "{host:?}");
    endpoint.docker(&["rmi", &name]);
}

#[test]
fn a_library_makes_a_container_hears_it_and_removes_it() {
    let Some(endpoint) = Endpoint::start("bollard") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _within = runtime.enter();
    let docker = bollard::Docker::connect_with_unix(endpoint.socket.to_str().unwrap(), 60, bollard::API_DEFAULT_VERSION).unwrap();
    let output = |said: LogOutput| String::from_utf8_lossy(&said.into_bytes()).into_owned();
    runtime
        .block_on(tokio::time::timeout(crate::world::deadline::LIMIT, async {
            let docker = docker.negotiate_version().await.unwrap();
            let name = format!("{}-lib", endpoint.workspace);
            let body = ContainerCreateBody {
                image: Some(IMAGE.to_owned()),
                cmd: Some(["/bin/sh", "-c", "read line; echo heard $line; exit 3"].map(str::to_owned).to_vec()),
                open_stdin: Some(true),
                stdin_once: Some(true),
                attach_stdin: Some(true),
                host_config: Some(HostConfig { memory: Some(1 << 40), ..HostConfig::default() }),
                ..ContainerCreateBody::default()
            };
            let options = CreateContainerOptions { name: Some(name.clone()), ..CreateContainerOptions::default() };
            let made = docker.create_container(Some(options), body).await.unwrap();
            let attach = AttachContainerOptions { stdin: true, stdout: true, stream: true, ..AttachContainerOptions::default() };
            let mut attached = docker.attach_container(&name, Some(attach)).await.unwrap();
            docker.start_container(&name, None).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut attached.input, b"a line\n").await.unwrap();
            assert_eq!(output(attached.output.next().await.unwrap().unwrap()), "heard a line\n");
            let ended = docker.wait_container(&name, None::<WaitContainerOptions>).next().await.unwrap();
            assert!(matches!(ended, Err(bollard::errors::Error::DockerContainerWaitError { code: 3, .. })), "{ended:?}");
            let logs = LogsOptions { stdout: true, ..LogsOptions::default() };
            assert_eq!(output(docker.logs(&name, Some(logs)).next().await.unwrap().unwrap()), "heard a line\n");
            let seen = docker.inspect_container(&made.id, None).await.unwrap();
            assert_eq!(seen.host_config.unwrap().memory, Some(64 << 20));
            assert_eq!(endpoint.listed(&["ps", "-a", "--no-trunc"]), std::slice::from_ref(&made.id));
            docker.remove_container(&made.id, None::<RemoveContainerOptions>).await.unwrap();
            assert_eq!(endpoint.listed(&["ps", "-a"]), [""; 0]);
        }))
        .expect("the test waits in vain");
}
