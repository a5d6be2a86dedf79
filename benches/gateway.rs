//! The Docker endpoint of a real attempt beside the engine's own socket: 30 containers made, started and removed, round by round in turns.
//! Every call of an attempt waits for its permit, and is in the journal before and after.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream as Line};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::{SCULPT, pair};

const ENGINE: &str = "/var/run/docker.sock";
const IMAGE: &str = "sculpt-gw-busybox";

/// Containers of each round.
const CONTAINERS: usize = 30;

/// Where the client in the attempt is told to do a round: set for the command of the phase alone.
const TOLD: &str = "SCULPT_BENCH_TOLD";

/// Measures it, where there is an engine.
pub fn bench(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if runtime.block_on(UnixStream::connect(ENGINE)).is_err() || !image(folder) {
        println!("gateway: SKIPPED, there is no Docker engine to forward to");
        return;
    }
    let told = folder.join("told.sock");
    let listener = UnixListener::bind(&told).expect("a socket");
    let own = std::env::current_exe().expect("this program");
    // The same limits as the rounds ask for, so that the engine does the same work on both sides.
    let goal = format!(
        "version: \"1\"\nname: bench\nphases:\n  work:\n    run: [\"{}\"]\n    env: {{ {TOLD}: \"{}\" }}\n    limits: {{ memory: 64Mi, cpus: 1, pids: 64 }}\n    timeout: 1h\n",
        own.display(),
        told.display()
    );
    fs::write(folder.join("goal.yaml"), goal).expect("a goal");
    let mut run = Command::new(SCULPT);
    let mut run = run.args(["run", "goal.yaml"]).current_dir(folder).stdout(Stdio::null()).spawn().expect("it starts");
    let (mut line, _) = listener.accept().expect("the client in the attempt");
    let mut answers = BufReader::new(line.try_clone().expect("a line")).lines();
    let through = || {
        line.write_all(b"go\n").expect("a line");
        let took = answers.next().expect("an answer").expect("an answer");
        Duration::from_nanos(took.parse().expect("nanoseconds"))
    };
    let plain = || runtime.block_on(round(Path::new(ENGINE)));
    pair(&format!("create + start + remove of {CONTAINERS} containers"), "in an attempt", through, "the engine's socket", plain);
    line.shutdown(std::net::Shutdown::Both).expect("a line");
    assert!(run.wait().expect("the run").success(), "the run of the benchmark fails");
}

/// The command of the phase: rounds through the endpoint that its environment leads to, one for each line. Says whether this is it.
pub fn is_client() -> bool {
    let Some(told) = std::env::var_os(TOLD) else { return false };
    let host = std::env::var("DOCKER_HOST").expect("an endpoint");
    let socket = PathBuf::from(host.strip_prefix("unix://").expect("a socket"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut line = Line::connect(told).expect("whoever tells");
    for _ in BufReader::new(line.try_clone().expect("a line")).lines().map_while(Result::ok) {
        let took = runtime.block_on(round(&socket));
        writeln!(line, "{}", took.as_nanos()).expect("a line");
    }
    true
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
