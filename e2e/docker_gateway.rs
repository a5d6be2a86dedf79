//! The Docker endpoint in front of a real engine, with the clients that people use.

mod clients;
mod nameless;
mod strangers;
mod wire;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use opensculpt::adapters::docker_gateway::audit::{Audit, Described, Outcome};
use opensculpt::adapters::docker_gateway::capability::Refusal;
use opensculpt::adapters::docker_gateway::policy::{Limits, Policy};
use opensculpt::adapters::docker_gateway::route::Kind;
use opensculpt::adapters::docker_gateway::server::Gateway;
use opensculpt::base::label::{Label, Origin, WORKSPACE};
use serde_json::{Value, json};

use crate::docker::left::there_is_compose;
use crate::part::require;
use crate::world::deadline::until;

const ENGINE: &str = "/var/run/docker.sock";
const IMAGE: &str = "sculpt-gw-busybox";

/// A call, and what was said came of it.
type Entry = (Described, Option<Outcome>);

/// What the endpoint asked for, and what it said came of it.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<Entry>>>);

impl Audit for Book {
    type Ticket = usize;

    async fn permit(&self, call: &Described) -> Result<usize, Refusal> {
        let mut book = self.0.lock().unwrap();
        book.push((call.clone(), None));
        Ok(book.len() - 1)
    }

    fn done(&self, ticket: usize, outcome: Outcome) {
        let before = self.0.lock().unwrap()[ticket].1.replace(outcome);
        assert_eq!(before, None, "an outcome told twice");
    }
}

impl Book {
    fn outcomes(&self, kind: Kind) -> Vec<Outcome> {
        self.0.lock().unwrap().iter().filter(|(call, _)| call.kind == kind).filter_map(|(_, outcome)| outcome.clone()).collect()
    }
}

/// An endpoint with a workspace of its own; what was made through it is removed with it.
struct Endpoint {
    folder: tempfile::TempDir,
    socket: PathBuf,
    workspace: String,
    book: Book,
    _runtime: tokio::runtime::Runtime,
}

impl Endpoint {
    fn start(test: &str) -> Option<Self> {
        Self::in_front_of(test, Path::new(ENGINE))
    }

    fn in_front_of(test: &str, engine: &Path) -> Option<Self> {
        if !require(
            test,
            "a Docker engine",
            UnixStream::connect(ENGINE).is_ok() && Command::new("docker").arg("--version").output().is_ok(),
        ) {
            return None;
        }
        image();
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gw.sock");
        let workspace = format!("sculpt-gw-{}-{test}", std::process::id());
        let policy = Policy {
            label: Label {
                workspace: workspace.clone(),
                owner: "crm/server".parse().unwrap(),
                run: "crm.1".to_owned(),
                attempt: 1,
                origin: Origin::Caught,
                effect: None,
            },
            limits: Limits { memory: Some(64 << 20), nano_cpus: Some(500_000_000), pids: Some(32) },
            parent: None,
            workspace: folder.path().join("work"),
            real_sockets: vec![PathBuf::from(ENGINE)],
            allow: BTreeSet::new(),
        };
        fs::create_dir(&policy.workspace).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let book = Book::default();
        let listener = runtime.block_on(async { tokio::net::UnixListener::bind(&socket).unwrap() });
        let (engine, audit) = (engine.to_owned(), book.clone());
        runtime.spawn(async move { Gateway::serve(&listener, engine, Arc::new(policy), audit).await });
        Some(Self { folder, socket, workspace, book, _runtime: runtime })
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.work()).env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command.env("DOCKER_BUILDKIT", "0").env_remove("DOCKER_CONTEXT").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn docker(&self, args: &[&str]) -> String {
        // The engine carries out one prune at a time, whoever asks for it.
        let prunes = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("a prune operation is already running");
        let output =
            until("another test's prune to end", || Some(self.command("docker", args).output().unwrap()).filter(|output| !prunes(output)));
        said(args, &output)
    }

    fn spawn(&self, args: &[&str]) -> Child {
        self.command("docker", args).stdin(Stdio::piped()).spawn().unwrap()
    }

    /// What the engine itself knows to carry our label.
    fn listed(&self, kind: &[&str]) -> Vec<String> {
        let filter = format!("label={WORKSPACE}={}", self.workspace);
        let args: Vec<&str> = kind.iter().copied().chain(["-q", "--filter", &filter]).collect();
        engine(&args).lines().map(str::to_owned).collect()
    }

    fn raw(&self, request: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        for (list, remove) in [
            (vec!["ps", "-a"], vec!["rm", "-fv"]),
            (vec!["network", "ls"], vec!["network", "rm"]),
            (vec!["volume", "ls"], vec!["volume", "rm", "-f"]),
        ] {
            for id in self.listed(&list) {
                let args: Vec<&str> = remove.iter().copied().chain([id.as_str()]).collect();
                drop(Command::new("docker").args(args).output());
            }
        }
    }
}

fn said(args: &[&str], output: &Output) -> String {
    assert!(output.status.success(), "{args:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn engine(args: &[&str]) -> String {
    said(args, &Command::new("docker").args(args).env("DOCKER_HOST", format!("unix://{ENGINE}")).output().unwrap())
}

/// An image with busybox alone, made once.
fn image() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::copy("/bin/busybox", folder.path().join("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", folder.path().join("bin/sh")).unwrap();
        let mut tar = Command::new("tar").args(["-C", folder.path().to_str().unwrap(), "-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
        let import = Command::new("docker").args(["import", "-", IMAGE]).stdin(tar.stdout.take().unwrap()).output().unwrap();
        said(&["import"], &import);
        assert!(tar.wait().unwrap().success());
    });
}

#[test]
fn what_is_started_through_it_carries_labels_and_limits() {
    let Some(endpoint) = Endpoint::start("labels") else { return };
    assert_eq!(endpoint.docker(&["run", "--rm", IMAGE, "/bin/busybox", "echo", "hello"]), "hello");
    let id = endpoint.docker(&["run", "-d", "-m", "1g", "-v", "data:/data", IMAGE, "/bin/busybox", "sleep", "3600"]);
    let seen: Value = serde_json::from_str(&engine(&["inspect", &id])).unwrap();
    assert_eq!(seen[0]["Config"]["Labels"][WORKSPACE], json!(endpoint.workspace));
    let host = &seen[0]["HostConfig"];
    assert_eq!((&host["Memory"], &host["NanoCpus"], &host["PidsLimit"]), (&json!(64 << 20), &json!(500_000_000), &json!(32)));
    assert_eq!(endpoint.listed(&["volume", "ls"]), ["data"]);
    assert_eq!(endpoint.docker(&["exec", &id, "/bin/busybox", "echo", "inside"]), "inside");
    let made = endpoint.book.outcomes(Kind::ContainerCreate);
    assert!(made.iter().any(|outcome| matches!(outcome, Outcome::Created { id: made, .. } if *made == id)), "{made:?}");
    endpoint.docker(&["rm", "-f", &id]);
    assert!(endpoint.listed(&["ps", "-a"]).is_empty());
}

#[test]
fn input_goes_in_and_its_end_leaves_the_output_open() {
    let Some(endpoint) = Endpoint::start("stdin") else { return };
    let mut run = endpoint.spawn(&["run", "--rm", "-i", IMAGE, "/bin/sh", "-c", "/bin/busybox cat; echo after-the-end"]);
    // More than any buffer on the way holds.
    let text = "0123456789abcde\n".repeat(1 << 16);
    let mut stdin = run.stdin.take().unwrap();
    let sent = text.clone();
    let writer = std::thread::spawn(move || stdin.write_all(sent.as_bytes()).unwrap());
    let output = run.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{text}after-the-end\n"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_image_is_built() {
    let Some(endpoint) = Endpoint::start("build") else { return };
    fs::copy("/bin/busybox", endpoint.work().join("busybox")).unwrap();
    fs::write(endpoint.work().join("Dockerfile"), "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"true\"]\n").unwrap();
    endpoint.docker(&["build", "-t", "sculpt-gw-built", "."]);
    let seen: Value = serde_json::from_str(&engine(&["inspect", "sculpt-gw-built"])).unwrap();
    assert_eq!(seen[0]["Config"]["Labels"]["io.opensculpt.built.workspace"], json!(endpoint.workspace));
    // A stranger's container of our image is not ours.
    let stranger = engine(&["create", "sculpt-gw-built", "/bin/busybox", "true"]);
    let listed = endpoint.listed(&["ps", "-a"]);
    engine(&["rm", "-f", &stranger]);
    assert!(listed.is_empty());
    endpoint.docker(&["rmi", "sculpt-gw-built"]);
}

#[test]
fn a_compose_project_goes_up_and_down() {
    let Some(endpoint) = Endpoint::start("compose") else { return };
    if !there_is_compose("compose") {
        return;
    }
    let project = format!(
        "version: '3'\nservices:\n  one: {{ image: {IMAGE}, command: /bin/busybox sleep 3600, volumes: ['kept:/kept', './:/here'] }}\n  two: {{ image: {IMAGE}, command: /bin/busybox sleep 3600 }}\nvolumes: {{ kept: {{}} }}\n"
    );
    fs::write(endpoint.work().join("docker-compose.yml"), project).unwrap();
    let compose = |args: &[&str]| said(args, &endpoint.command("docker-compose", &[&["-p", "sculpt-gw"], args].concat()).output().unwrap());
    compose(&["up", "-d"]);
    let seen = [vec!["ps"], vec!["network", "ls"], vec!["volume", "ls"]].map(|kind| endpoint.listed(&kind).len());
    assert_eq!(seen, [2, 1, 1]);
    compose(&["down", "-v", "-t", "0"]);
    let seen = [vec!["ps", "-a"], vec!["network", "ls"], vec!["volume", "ls"]].map(|kind| endpoint.listed(&kind).len());
    assert_eq!(seen, [0, 0, 0]);
}

#[test]
fn what_reaches_out_is_refused_and_strangers_are_left_alone() {
    let Some(endpoint) = Endpoint::start("refusals") else { return };
    for (args, name) in [
        (["--privileged", "--init"], "privileged"),
        (["-v", "/:/host"], "docker-socket"),
        (["-v", "/etc:/x"], "mount:/etc"),
        (["--network", "host"], "host-network"),
        (["--security-opt", "systempaths=unconfined"], "security-opt"),
    ] {
        let all = [&["run", "--rm"], args.as_slice(), &[IMAGE, "/bin/busybox", "true"]].concat();
        let output = endpoint.command("docker", &all).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("sculpt: refused") && error.contains(name), "{args:?}: {error}");
    }
    let stranger = engine(&["run", "-d", IMAGE, "/bin/busybox", "sleep", "3600"]);
    let output = endpoint.command("docker", &["rm", "-f", &stranger]).output().unwrap();
    let running = engine(&["inspect", "-f", "{{.State.Running}}", &stranger]);
    engine(&["rm", "-f", &stranger]);
    assert!(!output.status.success() && running == "true");
}

#[test]
fn logs_and_events_are_followed_and_a_killed_client_is_let_go() {
    let Some(endpoint) = Endpoint::start("streams") else { return };
    let filter = format!("label={WORKSPACE}={}", endpoint.workspace);
    let mut events = endpoint.spawn(&["events", "--since", "1", "--filter", &filter, "--format", "{{.Action}}"]);
    let id = endpoint.docker(&["run", "-d", IMAGE, "/bin/sh", "-c", "echo first; exec /bin/busybox sleep 3600"]);
    let first = |child: &mut Child| {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line
    };
    assert_eq!(first(&mut events), "create\n");
    let mut logs = endpoint.spawn(&["logs", "-f", &id]);
    assert_eq!(first(&mut logs), "first\n");
    // Attached to a container that says nothing: only the closed socket tells that nobody is there any more.
    let mut attached = endpoint.spawn(&["attach", "--sig-proxy=false", &id]);
    until("an attachment", || (!endpoint.book.outcomes(Kind::ContainerAttach).is_empty()).then_some(()));
    let own = endpoint.socket.clone();
    assert!(accepted(&own) >= 3);
    for child in [&mut events, &mut logs, &mut attached] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    until("every connection of a killed client to end", || (accepted(&own) == 0).then_some(()));
    endpoint.docker(&["rm", "-f", &id]);
}

/// Connected sockets with this address, the listening one aside.
fn accepted(path: &Path) -> usize {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    table.lines().filter(|line| line.ends_with(path.to_str().unwrap()) && line.contains(" 0001 03 ")).count()
}

#[test]
fn a_slow_reader_and_64_clients_do_not_wait_for_each_other() {
    let Some(endpoint) = Endpoint::start("clients") else { return };
    let id = endpoint.docker(&["run", "-d", IMAGE, "/bin/busybox", "yes", "a line that nobody reads"]);
    // Asks for an endless log and reads none of it.
    let slow = endpoint.raw(&format!("GET /containers/{id}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: docker\r\n\r\n"));
    std::thread::scope(|scope| {
        for at in 0..64 {
            let endpoint = &endpoint;
            scope.spawn(move || {
                let body = json!({ "Image": IMAGE, "Cmd": ["/bin/busybox", "true"], "X-Client": at }).to_string();
                let request = format!(
                    "POST /containers/create?name={}-{at} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    endpoint.workspace,
                    body.len()
                );
                let mut answer = String::new();
                endpoint.raw(&request).read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
            });
        }
    });
    assert_eq!(endpoint.listed(&["ps", "-a"]).len(), 65);
    drop(slow);
    let own = endpoint.socket.clone();
    until("the slow reader's connection to end", || (accepted(&own) == 0).then_some(()));
}

#[test]
fn an_engine_that_is_away_is_named() {
    let Some(endpoint) = Endpoint::in_front_of("away", Path::new("/nowhere/docker.sock")) else { return };
    let mut answer = String::new();
    endpoint.raw("GET http://docker/_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("/nowhere/docker.sock"), "{answer}");
}
