//! The Docker endpoint beside the engine's own socket: 30 containers made, started and removed, round by round in turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use opensculpt::adapters::docker_gateway::audit::{Audit, Described, Outcome};
use opensculpt::adapters::docker_gateway::capability::Refusal;
use opensculpt::adapters::docker_gateway::policy::{Limits, Policy};
use opensculpt::adapters::docker_gateway::server::Gateway;
use opensculpt::base::label::{Label, Origin};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};

use super::pair;

const ENGINE: &str = "/var/run/docker.sock";
const IMAGE: &str = "sculpt-gw-busybox";

/// Containers of each round.
const CONTAINERS: usize = 30;

/// Permits everything: the journal is measured elsewhere.
struct Open;

impl Audit for Open {
    type Ticket = ();

    async fn permit(&self, _: &Described) -> Result<(), Refusal> {
        Ok(())
    }

    fn done(&self, (): (), _: Outcome) {}
}

/// Measures it, where there is an engine.
pub fn bench(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if runtime.block_on(UnixStream::connect(ENGINE)).is_err() || !image(folder) {
        println!("gateway: SKIPPED, there is no Docker engine to forward to");
        return;
    }
    let socket = folder.join("gw.sock");
    let policy = Policy {
        label: Label {
            workspace: "sculpt-gw-bench".to_owned(),
            owner: "bench/gateway".parse().expect("a place"),
            run: "bench.1".to_owned(),
            attempt: 1,
            origin: Origin::Caught,
        },
        limits: Limits { memory: Some(64 << 20), nano_cpus: Some(1_000_000_000), pids: Some(64) },
        parent: None,
        workspace: folder.to_owned(),
        real_sockets: vec![PathBuf::from(ENGINE)],
        allow: std::collections::BTreeSet::new(),
    };
    // The endpoint has threads of its own, as it has in the supervisor.
    let listener = runtime.block_on(async { UnixListener::bind(&socket).expect("a socket") });
    runtime.spawn(async move { Gateway::serve(&listener, PathBuf::from(ENGINE), Arc::new(policy), Open).await });
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let plain = || client.block_on(round(Path::new(ENGINE)));
    let through = || client.block_on(round(&socket));
    pair(&format!("create + start + remove of {CONTAINERS} containers"), "through the endpoint", through, "the engine's socket", plain);
}

/// The image with busybox alone.
fn image(folder: &Path) -> bool {
    fs::create_dir_all(folder.join("root/bin")).expect("a folder");
    if fs::copy("/bin/busybox", folder.join("root/bin/busybox")).is_err() {
        return false;
    }
    let import = format!("tar -C root -c . | docker import - {IMAGE}");
    Command::new("sh").args(["-c", &import]).current_dir(folder).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// One client, one connection, as the command line and the libraries keep it. The same limits on both sides, so that the engine does the
/// same work.
async fn round(socket: &Path) -> Duration {
    let stream = UnixStream::connect(socket).await.expect("the socket");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let begun = Instant::now();
    for _ in 0..CONTAINERS {
        let body = json!({ "Image": IMAGE, "Cmd": ["/bin/busybox", "sleep", "3600"], "HostConfig": {
            "Memory": 64 << 20, "MemorySwap": 64 << 20, "NanoCpus": 1_000_000_000, "PidsLimit": 64 } });
        let answer = ask(&mut sender, "POST", "/containers/create", body.to_string(), StatusCode::CREATED).await;
        let id = answer["Id"].as_str().expect("an id").to_owned();
        ask(&mut sender, "POST", &format!("/containers/{id}/start"), String::new(), StatusCode::NO_CONTENT).await;
        ask(&mut sender, "DELETE", &format!("/containers/{id}?force=1&v=1"), String::new(), StatusCode::NO_CONTENT).await;
    }
    begun.elapsed()
}

async fn ask(sender: &mut http1::SendRequest<Full<Bytes>>, method: &str, path: &str, body: String, wanted: StatusCode) -> Value {
    let request = Request::builder().method(method).uri(path).header("Host", "docker").header("Content-Type", "application/json");
    sender.ready().await.expect("a connection");
    let response = sender.send_request(request.body(Full::from(body)).expect("a request")).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(status, wanted, "{method} {path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}
