//! What goes over the endpoint's connections, in front of an engine that answers what no real one can be made to answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opensculpt::adapters::docker_gateway::audit::{Audit, Described, Outcome};
use opensculpt::adapters::docker_gateway::capability::Refusal;
use opensculpt::adapters::docker_gateway::server::{Gateway, MOST_BODIES, MOST_CLIENTS};

use super::*;

/// What the engine was asked and the audit was told, in their order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn place(&self, text: &str) -> Option<usize> {
        self.0.lock().unwrap().iter().position(|line| line.starts_with(text))
    }
}

impl Audit for Heard {
    type Ticket = ();

    async fn permit(&self, _: &Described) -> Result<(), Refusal> {
        Ok(())
    }

    fn done(&self, (): (), outcome: Outcome) {
        self.add(format!("{outcome:?}"));
    }
}

struct World {
    folder: tempfile::TempDir,
    heard: Heard,
    _runtime: tokio::runtime::Runtime,
}

/// An engine that gives to each request, told by its first words, a status and a body.
fn world(answers: &'static [(&str, &str, &str)]) -> World {
    let (folder, heard) = (tempfile::tempdir().unwrap(), Heard::default());
    let engine = folder.path().join("engine.sock");
    let (listener, told) = (UnixListener::bind(&engine).unwrap(), heard.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || serve(&stream, answers, &told));
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = folder.path().join("gateway.sock");
    let listener = runtime.block_on(async { tokio::net::UnixListener::bind(&socket).unwrap() });
    let audit = heard.clone();
    runtime.spawn(async move { Gateway::serve(&listener, engine, Arc::new(policy(&[])), audit).await });
    World { folder, heard, _runtime: runtime }
}

/// One connection of the engine.
fn serve(stream: &UnixStream, answers: &[(&str, &str, &str)], heard: &Heard) {
    let mut lines = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        while !request.ends_with("\r\n\r\n") {
            let begun = request.len();
            if lines.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
            if let Some(text) = request[begun..].to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        lines.read_exact(&mut vec![0; length]).unwrap();
        let (_, status, body) = answers.iter().find(|(begin, ..)| request.starts_with(begin)).unwrap_or(&("", "404 Not Found", "{}"));
        heard.add(request);
        let kind = if status.starts_with("101") {
            "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned()
        } else if status.starts_with("204") {
            "\r\n".to_owned()
        } else {
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        };
        let mut writer = stream;
        if writer.write_all(format!("HTTP/1.1 {status}\r\n{kind}").as_bytes()).is_err() {
            return;
        }
    }
}

impl World {
    fn client(&self, request: &str) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(self.folder.path().join("gateway.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// The first line of the answer.
    fn status(&self, request: &str) -> String {
        line(&mut self.client(request))
    }
}

fn line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";

/// Whether a client is not answered, for a while.
fn waits(client: &mut BufReader<UnixStream>) -> bool {
    client.get_ref().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let waits = client.fill_buf().is_err();
    client.get_ref().set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    waits
}

const VOLUME: &str = "DELETE /volumes/00000000000000000000000000000000ffffffffffffffffffffffffffffffff";
const LOOK: &str = "GET /volumes/00000000000000000000000000000000ffffffffffffffffffffffffffffffff";
const OURS: &str = r#"{"Labels":{"io.opensculpt.workspace":"w1"}}"#;
const NAMELESS: &str = r#"{"Labels":{"io.opensculpt.workspace":"w1","io.opensculpt.nameless":""}}"#;
const IDLE: &str = r#"{"Id":"c","Config":{"Labels":{"io.opensculpt.workspace":"w1"}},
    "Mounts":[{"Type":"volume","Name":"00000000000000000000000000000000ffffffffffffffffffffffffffffffff"}]}"#;

macro_rules! pruned {
    ($status:literal, $had:literal, $labels:expr) => {
        &[
            ("GET /containers/json?all=1&filters=%7B%22volume", "200 OK", $had),
            ("GET /containers/json", "200 OK", r#"[{"Id":"c","State":"exited"}]"#),
            ("GET /containers/c/json", "200 OK", IDLE),
            (LOOK, "200 OK", $labels),
            ("POST /containers/prune", "200 OK", r#"{"ContainersDeleted":["c"]}"#),
            (VOLUME, $status, "{}"),
            ("GET /images/json", "200 OK", "[]"),
        ]
    };
}

#[test]
fn a_prune_is_done_when_its_volumes_are_gone_too() {
    let prune = "POST /containers/prune HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n";
    for world in [
        world(pruned!("204 No Content", "[]", NAMELESS)),
        world(pruned!("404 Not Found", "[]", NAMELESS)),
        world(pruned!("409 Conflict", "[]", NAMELESS)),
        // Of an engine that writes no label on it.
        world(pruned!("204 No Content", "[]", "{}")),
    ] {
        assert_eq!(world.status(prune), "HTTP/1.1 200 OK");
        let (removed, done) = (world.heard.place(VOLUME).unwrap(), world.heard.place("Answered(200)").unwrap());
        assert!(removed < done, "{:?}", world.heard.0);
    }
    // Another container has it; somebody asked for it.
    for stays in [world(pruned!("204 No Content", "[{}]", NAMELESS)), world(pruned!("204 No Content", "[]", OURS))] {
        assert_eq!(stays.status(prune), "HTTP/1.1 200 OK");
        assert_eq!(stays.heard.place(VOLUME), None, "{:?}", stays.heard.0);
    }
    let world = world(pruned!("500 Internal Server Error", "[]", NAMELESS));
    assert_eq!(world.status(prune), "HTTP/1.1 502 Bad Gateway");
    assert!(world.heard.place("Unknown").is_some() && world.heard.place("Answered").is_none(), "{:?}", world.heard.0);
}

#[test]
fn only_what_is_judged_as_such_speaks_something_else_than_http() {
    let world = world(&[
        ("GET /_ping", "200 OK", "OK"),
        ("GET /events", "101 UPGRADED", ""),
        ("GET /containers/c/json", "200 OK", IDLE),
        ("POST /containers/c/attach", "101 UPGRADED", ""),
    ]);
    let ask = |first: &str| {
        world
            .status(&format!("{first} HTTP/1.1\r\nHost: docker\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"))
    };
    let head = |first: &str| {
        let place = world.heard.place(first).unwrap();
        world.heard.0.lock().unwrap()[place].to_lowercase()
    };
    assert_eq!(ask("GET /_ping"), "HTTP/1.1 200 OK");
    let ping = head("GET /_ping");
    assert!(!ping.contains("upgrade") && ping.contains("connection: close"), "{ping}");
    assert_eq!(ask("GET /events"), "HTTP/1.1 502 Bad Gateway");
    assert!(ask("POST /containers/c/attach").starts_with("HTTP/1.1 101"));
    assert!(head("POST /containers/c/attach").contains("upgrade: h2c"));
}

#[test]
fn a_client_beyond_the_most_waits_for_its_turn() {
    let world = world(&[("GET /_ping", "200 OK", "OK")]);
    let mut silent: Vec<_> = (0..MOST_CLIENTS).map(|_| world.client("")).collect();
    let mut last = world.client(PING);
    assert!(waits(&mut last), "answered beside {MOST_CLIENTS} others");
    silent.pop();
    assert_eq!(line(&mut last), "HTTP/1.1 200 OK");
}

#[test]
fn a_body_beyond_the_most_is_not_read_before_another_is() {
    let world = world(&[("POST /containers/create", "201 Created", r#"{"Id":"c"}"#)]);
    let begin = "POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
    let mut slow: Vec<_> = (0..MOST_BODIES).map(|_| world.client(&format!("{begin}Expect: 100-continue\r\n\r\n"))).collect();
    for client in &mut slow {
        assert_eq!(line(client), "HTTP/1.1 100 Continue", "its body is waited for");
    }
    let mut last = world.client(&format!("{begin}\r\n{{}}"));
    assert!(waits(&mut last), "read beside {MOST_BODIES} others");
    slow[0].get_mut().write_all(b"{}").unwrap();
    assert_eq!(line(&mut last), "HTTP/1.1 201 Created");
}

#[test]
fn whoever_sends_much_that_is_refused_reads_why() {
    let world = world(&[]);
    let much = vec![b'x'; 8 << 20];
    let request = format!(
        "POST /build?networkmode=host HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: {}\r\n\r\n",
        much.len()
    );
    let mut client = world.client(&request);
    client.get_mut().write_all(&much).unwrap();
    assert_eq!(line(&mut client), "HTTP/1.1 403 Forbidden");
    assert_eq!(world.heard.place("POST /build"), None, "{:?}", world.heard.0);
    // One that stops in the middle is not listened to for ever.
    let mut silent = world.client(&request);
    silent.get_mut().write_all(&much[..1000]).unwrap();
    assert_eq!(line(&mut silent), "HTTP/1.1 403 Forbidden");
}
