//! The checks that look, against real sockets and files.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use opensculpt::adapters::probes::surroundings::Surroundings;
use opensculpt::adapters::probes::{file, http, log, tcp};
use opensculpt::base::time::Span;
use opensculpt::kernel::answer::{Answer, Said};
use opensculpt::kernel::fault::Fault;
use opensculpt::manifest::check::{FileCheck, Http, Log, Tcp};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longer than any answer here takes, on any machine; a test that meets it fails.
const LONG: Span = Span::seconds(60);
/// For those who never answer: the steps before must fit in, which on a busy machine may take a longer one.
const SHORT: [Span; 3] = [Span(100), Span::seconds(2), Span::seconds(20)];

/// What a server does after it has read a request.
enum Then {
    /// Closes.
    Close,
    /// Keeps the connection open and says nothing more.
    Stay,
}

/// Reads one request (head and `Content-Length` bytes of body), sends an answer, and gives the request.
async fn serve(mut wire: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>, then: Then) -> String {
    let mut request = Vec::new();
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let head = text.find("\r\n\r\n")? + 4;
        let length = text.split("content-length: ").nth(1).map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        (request.len() >= head + length).then_some(())
    };
    while whole(&request).is_none() {
        if wire.read_buf(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
    }
    // A check that has seen enough closes; that is its right.
    if wire.write_all(&answer).await.is_ok() && matches!(then, Then::Stay) {
        let _ = wire.read_to_end(&mut Vec::new()).await;
    }
    let _ = wire.shutdown().await;
    String::from_utf8(request).unwrap()
}

async fn server_that(answer: impl Into<Vec<u8>>, then: Then) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.into();
    (address, tokio::spawn(async move { serve(listener.accept().await.unwrap().0, answer, then).await }))
}

/// A check of a server that gives one answer and closes.
async fn http_of(answer: impl Into<Vec<u8>>, check: Value) -> Answer {
    let (address, server) = server_that(answer, Then::Close).await;
    let found = ask(address, check, LONG).await;
    server.await.unwrap();
    found
}

async fn ask(address: SocketAddr, mut check: Value, timeout: Span) -> Answer {
    check["url"] = format!("http://{address}/x").into();
    look(check, &Surroundings::default(), timeout).await
}

async fn look(check: Value, surroundings: &Surroundings, timeout: Span) -> Answer {
    let check: Http = serde_json::from_value(check).unwrap();
    http::look(&check, surroundings, timeout).await
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn is(answer: &Answer, said: Said, fault: impl Into<Option<Fault>>, evidence: &str) {
    let wanted = (said, fault.into());
    assert_eq!((answer.said, answer.fault), wanted, "{answer:?}");
    assert!(answer.evidence.contains(evidence), "{answer:?} does not say {evidence}");
}

/// A look that runs out of its time, and where that happened.
async fn times_out(look: impl AsyncFn(Span) -> Answer, missed: &str) {
    for span in SHORT {
        let answer = look(span).await;
        is(&answer, Said::Unknown, Fault::TimedOut, &format!(" within {span}"));
        if answer.evidence.contains(missed) {
            return;
        }
    }
    panic!("never {missed}");
}

/// An address where nothing listens: held by a socket that does not listen, so that nobody else can.
fn nobody() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn a_request_is_sent_as_written() {
    let (address, server) = server_that(ok("{}"), Then::Close).await;
    let check = json!({"method": "POST", "headers": {"X-Key": "k", "User-Agent": "me"}, "body": {"a": [1]}, "json": {"path": "$"}});
    is(&ask(address, check, LONG).await, Said::Pass, None, "status 200");
    let request = server.await.unwrap().to_lowercase();
    assert!(request.starts_with("post /x http/1.1\r\n"), "{request}");
    for line in [&format!("host: {address}"), "x-key: k", "user-agent: me", "content-type: application/json", "content-length: 9"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{request} has no {line}");
    }
    assert!(request.ends_with("\r\n\r\n{\"a\":[1]}"), "{request}");

    let (address, server) = server_that(ok(""), Then::Close).await;
    let check = Http::Url(format!("http://{address}"));
    is(&http::look(&check, &Surroundings::default(), LONG).await, Said::Pass, None, "");
    assert!(server.await.unwrap().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn statuses_and_headers() {
    let status = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    is(&http_of(status("204 No Content"), json!({})).await, Said::Pass, None, "status 204");
    is(&http_of(status("500 Oh"), json!({})).await, Said::Fail, Fault::WrongAnswer, "status 500, wanted 2xx");
    is(&http_of(status("200 OK"), json!({"status": 201})).await, Said::Fail, Fault::WrongAnswer, "status 200, wanted 201");
    is(&http_of(status("401 No"), json!({"status": [401, 403]})).await, Said::Pass, None, "status 401");
    is(&http_of(status("200 OK"), json!({"status": [401, 403]})).await, Said::Fail, Fault::WrongAnswer, "wanted 401 or 403");
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    is(&http_of(redirect, json!({})).await, Said::Fail, Fault::WrongAnswer, "status 302 (a redirect to `/login`), wanted 2xx");
    is(&http_of(redirect, json!({"status": 302, "response_headers": {"location": "/login"}})).await, Said::Pass, None, "");
    let wrong = json!({"status": 302, "response_headers": {"Location": "/"}});
    is(&http_of(redirect, wrong).await, Said::Fail, Fault::WrongAnswer, "header Location is `/login`, wanted `/`");
    let missing = json!({"status": 302, "response_headers": {"X-A": "1"}});
    is(&http_of(redirect, missing).await, Said::Fail, Fault::WrongAnswer, "header X-A is missing");
    let early = [&b"HTTP/1.1 100 Continue\r\n\r\n"[..], &ok("")].concat();
    is(&http_of(early, json!({})).await, Said::Pass, None, "status 200");
}

#[tokio::test]
async fn bodies() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"to\r\n8\r\ntal\": 3}\r\n0\r\n\r\n";
    let three = json!({"json": {"path": "$.total", "equals": 3}, "contains": "total", "matches": "3\\}$"});
    is(&http_of(chunked, three.clone()).await, Said::Pass, None, "");
    is(
        &http_of(ok("{\"total\": 2}"), json!({"json": {"path": "$.total", "equals": 3}})).await,
        Said::Fail,
        Fault::WrongAnswer,
        "$.total is `2`, wanted `3`",
    );
    is(&http_of(ok("hello"), json!({"contains": "world"})).await, Said::Fail, Fault::WrongAnswer, "does not contain `world`");
    is(&http_of(ok("hello"), json!({"matches": "^w"})).await, Said::Fail, Fault::WrongAnswer, "does not match `^w`");
    is(&http_of(ok("hello"), json!({"json": {"path": "$"}})).await, Said::Fail, Fault::WrongAnswer, "the body is not JSON");
    is(&http_of(ok("\u{e4}\u{0}\u{ff}"), json!({"contains": "\u{e4}"})).await, Said::Pass, None, "");
    // Without a length the body ends with the connection.
    is(&http_of("HTTP/1.1 200 OK\r\n\r\nhello", json!({"contains": "hello"})).await, Said::Pass, None, "");
}

#[tokio::test]
async fn bodies_that_are_cut_short_or_garbled_fail() {
    let asks = json!({"contains": "hello"});
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
    is(&http_of(short, asks.clone()).await, Said::Fail, Fault::WrongAnswer, "inside its answer");
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello";
    is(&http_of(chunk, asks.clone()).await, Said::Fail, Fault::WrongAnswer, "inside its answer");
    let garbled = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n";
    is(&http_of(garbled, asks).await, Said::Fail, Fault::WrongAnswer, "does not speak HTTP");
    for head in ["", "HT", "HTTP/1.1 200 OK\r\nContent-"] {
        is(&http_of(head, json!({})).await, Said::Fail, Fault::WrongAnswer, "closed the connection without an answer");
    }
    for garbage in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 9 X\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n"] {
        is(&http_of(garbage, json!({})).await, Said::Fail, Fault::WrongAnswer, "does not speak HTTP");
    }
}

#[tokio::test]
async fn a_huge_body_is_looked_through_to_a_bound_and_that_is_said() {
    let huge = |begin: &str| ok(&format!("{begin}{}", " ".repeat(9 << 20)));
    is(&http_of(huge("found"), json!({"contains": "found"})).await, Said::Pass, None, "");
    let beyond = "longer than the 8 MiB that are looked through";
    is(&http_of(huge(""), json!({"contains": "found"})).await, Said::Unknown, Fault::CheckerBroken, beyond);
    is(&http_of(huge("{}"), json!({"json": {"path": "$"}})).await, Said::Unknown, Fault::CheckerBroken, beyond);
    // What is not asked about is not read.
    is(&http_of(huge(""), json!({})).await, Said::Pass, None, "");
}

#[tokio::test]
async fn those_who_never_answer_are_unknown() {
    for (answer, check, evidence) in [
        ("", json!({}), "no answer from 127.0.0.1:"),
        ("HTTP/1.1 200 OK\r\nX: ", json!({}), "no answer from 127.0.0.1:"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", json!({"contains": "x"}), "no end of the answer of 127.0.0.1:"),
    ] {
        let look = async |span| {
            let (address, server) = server_that(answer, Then::Stay).await;
            let found = ask(address, check.clone(), span).await;
            server.await.unwrap();
            found
        };
        times_out(look, evidence).await;
    }
    // The head was all that was asked for: an endless stream is no obstacle.
    let (address, _server) = server_that("HTTP/1.1 200 OK\r\n\r\ndata: 1\n", Then::Stay).await;
    is(&ask(address, json!({}), LONG).await, Said::Pass, None, "status 200");
    // A listener that nobody serves: the kernel accepts, the server does not.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    times_out(async |span| ask(address, json!({}), span).await, "no answer from").await;
}

#[tokio::test]
async fn dropping_a_look_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asking = tokio::spawn(async move { ask(address, json!({}), LONG).await });
    let (mut wire, _) = listener.accept().await.unwrap();
    let mut first = [0; 1];
    wire.read_exact(&mut first).await.unwrap();
    asking.abort();
    wire.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn nobody_there_and_no_such_host() {
    let (_held, address) = nobody();
    is(&ask(address, json!({}), LONG).await, Said::Fail, Fault::ConnectionRefused, &format!("connection refused by {address}"));
    // `localhost` may have two addresses, of which one may not be there.
    let port = address.port();
    let local = look(json!({"url": format!("http://localhost:{port}/")}), &Surroundings::default(), LONG).await;
    is(&local, Said::Fail, Fault::ConnectionRefused, "connection refused by");
    // Too long a label to be asked for: no resolver needed.
    let host = "x".repeat(70);
    let unknown = look(json!({"url": format!("http://{host}.invalid/")}), &Surroundings::default(), LONG).await;
    is(&unknown, Said::Unknown, Fault::Dns, "no address for xxx");
}

#[tokio::test]
async fn a_check_that_makes_no_sense_is_unknown_and_asks_nobody() {
    let (_held, address) = nobody();
    for check in [
        json!({"matches": "("}),
        json!({"json": {"path": "total"}}),
        json!({"json": {"path": "$", "matches": "["}}),
        json!({"method": "GE T"}),
        json!({"headers": {"a b": "c"}}),
    ] {
        is(&ask(address, check, LONG).await, Said::Unknown, Fault::CheckerBroken, "");
    }
    let pattern = ask(address, json!({"matches": "a(b"}), LONG).await;
    assert_eq!(pattern.evidence, "`a(b` is not a pattern: error: unclosed group");
    is(&look(json!({"url": "crm"}), &Surroundings::default(), LONG).await, Said::Unknown, Fault::CheckerBroken, "begins with http://");
}

#[tokio::test]
async fn a_unix_socket_is_found_from_the_workspace() {
    let dir = tempdir().unwrap();
    let surroundings = Surroundings { root: dir.path().to_owned(), authorities: None };
    let listener = UnixListener::bind(dir.path().join("s")).unwrap();
    let server = tokio::spawn(async move { serve(listener.accept().await.unwrap().0, ok("hi"), Then::Close).await });
    let check = json!({"url": "http://docker/info", "unix": "s", "contains": "hi"});
    is(&look(check.clone(), &surroundings, LONG).await, Said::Pass, None, "");
    assert!(server.await.unwrap().contains("\r\nhost: docker\r\n"));
    is(&look(check.clone(), &surroundings, LONG).await, Said::Fail, Fault::ConnectionRefused, "connection refused by");
    std::fs::remove_file(dir.path().join("s")).unwrap();
    is(&look(check, &surroundings, LONG).await, Said::Fail, Fault::ConnectionRefused, "there is no socket");
}

fn pem(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

async fn tls_server(host: &str) -> (SocketAddr, JoinHandle<Option<String>>) {
    let chain = vec![CertificateDer::from_pem_file(pem("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(pem("server.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let wire = acceptor.accept(listener.accept().await.unwrap().0).await.ok()?;
        Some(serve(wire, ok("hi"), Then::Close).await)
    });
    (address, server)
}

#[tokio::test]
async fn tls_is_checked_and_its_failures_are_the_checkers() {
    let trusting = Surroundings { authorities: Some(pem("authority.pem")), ..Surroundings::default() };
    let (address, server) = tls_server("127.0.0.1").await;
    let check = |host: &str| json!({"url": format!("https://{host}:{}/", address.port()), "contains": "hi"});
    is(&look(check("127.0.0.1"), &trusting, LONG).await, Said::Pass, None, "status 200");
    assert!(server.await.unwrap().is_some());

    // An authority that is not among the built-in ones.
    let (address, _server) = tls_server("127.0.0.1").await;
    let foreign = look(json!({"url": format!("https://{address}/")}), &Surroundings::default(), LONG).await;
    is(&foreign, Said::Unknown, Fault::Tls, "UnknownIssuer");
    // An address that the certificate does not have.
    let (address, _server) = tls_server("127.0.0.2").await;
    let other = look(json!({"url": format!("https://{address}/")}), &trusting, LONG).await;
    is(&other, Said::Unknown, Fault::Tls, "not valid for name");
    let (plain, _server) = greeter("220 mail ready\r\n", Then::Stay).await;
    is(&look(json!({"url": format!("https://{plain}/")}), &trusting, LONG).await, Said::Unknown, Fault::Tls, "no TLS with");
    let (closing, _server) = greeter("", Then::Close).await;
    is(&look(json!({"url": format!("https://{closing}/")}), &trusting, LONG).await, Said::Fail, Fault::WrongAnswer, "without an answer");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let none = Surroundings { authorities: Some(pem("nothing.pem")), ..Surroundings::default() };
    let url = format!("https://{}/", listener.local_addr().unwrap());
    is(&look(json!({"url": url}), &none, LONG).await, Said::Unknown, Fault::Tls, "no certificates in");
}

async fn tcp_of(check: Value, timeout: Span) -> Answer {
    let check: Tcp = serde_json::from_value(check).unwrap();
    tcp::look(&check, &Surroundings::default(), timeout).await
}

/// A server that says something at once, then reads to the end.
async fn greeter(greeting: &'static str, then: Then) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut wire, _) = listener.accept().await.unwrap();
        for piece in greeting.as_bytes().chunks(3) {
            wire.write_all(piece).await.unwrap();
        }
        if matches!(then, Then::Close) {
            wire.shutdown().await.unwrap();
        }
        let _ = wire.read_to_end(&mut Vec::new()).await;
    });
    (address, server)
}

#[tokio::test]
async fn tcp_connects_and_talks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    is(&tcp_of(json!(address.to_string()), LONG).await, Said::Pass, None, "accepts connections");
    times_out(async |span| tcp_of(json!({"address": address.to_string(), "expect": "x"}), span).await, "no `x` from").await;
    drop(listener);

    let (address, _server) = greeter("220 mail ready\r\n", Then::Stay).await;
    is(&tcp_of(json!({"address": address.to_string(), "send": "EHLO\r\n", "expect": "mail ready"}), LONG).await, Said::Pass, None, "said");
    let (address, _server) = greeter("421 busy\r\n", Then::Close).await;
    let busy = tcp_of(json!({"address": address.to_string(), "expect": "220"}), LONG).await;
    is(&busy, Said::Fail, Fault::WrongAnswer, "said `421 busy  `, wanted `220`");
    let (address, _server) = greeter("", Then::Close).await;
    is(&tcp_of(json!({"address": address.to_string(), "expect": "220"}), LONG).await, Said::Fail, Fault::WrongAnswer, "without an answer");

    let (_held, address) = nobody();
    is(&tcp_of(json!(address.to_string()), LONG).await, Said::Fail, Fault::ConnectionRefused, "connection refused by");
    for address in ["crm", ":80", "crm:http", "crm:99999"] {
        is(&tcp_of(json!(address), LONG).await, Said::Unknown, Fault::CheckerBroken, "is not an address like host:port");
    }
    is(&tcp_of(json!({"send": "x"}), LONG).await, Said::Unknown, Fault::CheckerBroken, "either an address or a Unix socket");
    is(&tcp_of(json!({"unix": "/nonexistent/s"}), LONG).await, Said::Fail, Fault::ConnectionRefused, "there is no socket");
}

async fn file_of(root: &Path, check: Value) -> Answer {
    let check: FileCheck = serde_json::from_value(check).unwrap();
    file::look(&check, &Surroundings { root: root.to_owned(), authorities: None }, LONG).await
}

#[tokio::test]
async fn files() {
    let dir = tempdir().unwrap();
    let root = dir.path();
    std::fs::write(root.join("a"), "hello\nworld\n").unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for check in [
        json!("a"),
        json!("."),
        json!("pipe"),
        json!(root.join("a").to_str().unwrap()),
        json!({"path": "a", "min_size": 12, "contains": "lo\nwo", "matches": "(?m)^world$"}),
        json!({"path": "a", "sha256": "4A1E67F2FE1D1CC7B31D0CA2EC441DA4778203A036A77DA10344C85E24FF0F92"}),
        json!({"path": "b", "exists": false}),
        json!({"path": "a/b", "exists": false}),
    ] {
        is(&file_of(root, check).await, Said::Pass, None, " is ");
    }
    for (check, fault, evidence) in [
        (json!("b"), Fault::MissingFile, "/b is not there"),
        (json!("a/b"), Fault::MissingFile, "/a/b is not there"),
        (json!({"path": "a", "exists": false}), Fault::CheckFailed, "/a is there, and should not be"),
        (json!({"path": "a", "min_size": "1Ki"}), Fault::CheckFailed, "/a has 12 bytes, wanted at least 1Ki"),
        (json!({"path": "a", "contains": "x"}), Fault::CheckFailed, "/a does not contain `x`"),
        (json!({"path": "a", "matches": "^world"}), Fault::CheckFailed, "/a does not match `^world`"),
        (json!({"path": "a", "sha256": "00"}), Fault::CheckFailed, "/a has the SHA-256 "),
        (json!({"path": ".", "contains": "x"}), Fault::CheckFailed, "is not a file"),
        (json!({"path": "pipe", "contains": "x"}), Fault::CheckFailed, "/pipe is not a file"),
    ] {
        is(&file_of(root, check).await, Said::Fail, fault, evidence);
    }
    is(&file_of(root, json!({"path": "a", "matches": "("})).await, Said::Unknown, Fault::CheckerBroken, "is not a pattern");
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    is(&file_of(root, json!("loop")).await, Said::Unknown, Fault::System, "cannot be looked at");
    // One sparse file of more than is looked through.
    let big = std::fs::File::create(root.join("big")).unwrap();
    big.set_len(9 << 20).unwrap();
    (&big).write_all(b"begin").unwrap();
    is(&file_of(root, json!({"path": "big", "contains": "begin"})).await, Said::Pass, None, "");
    is(&file_of(root, json!({"path": "big", "contains": "end"})).await, Said::Unknown, Fault::CheckerBroken, "longer than the 8 MiB");
}

/// Root may look at everything: this thread, and those it starts, become nobody.
fn as_nobody<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let nobody = rustix::process::Uid::from_raw(65534);
    let run = || {
        if rustix::process::geteuid().is_root() {
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

#[test]
fn a_file_that_may_not_be_looked_at_is_unknown() {
    let dir = tempdir().unwrap();
    let mode = |path: &str, mode| std::fs::set_permissions(dir.path().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    mode("", 0o755);
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::fs::write(dir.path().join("d/a"), "x").unwrap();
    std::fs::write(dir.path().join("b"), "x").unwrap();
    mode("d", 0);
    mode("b", 0);
    for check in [json!("d/a"), json!({"path": "d/a", "exists": false}), json!({"path": "b", "contains": "x"})] {
        is(&as_nobody(file_of(dir.path(), check)), Said::Unknown, Fault::Permission, "may not be looked at");
    }
    is(&as_nobody(file_of(dir.path(), json!("b"))), Said::Pass, None, "");
    mode("d", 0o700);
}

#[tokio::test]
async fn logs() {
    let dir = tempdir().unwrap();
    let (old, new, none) = (dir.path().join("1"), dir.path().join("2"), dir.path().join("3"));
    std::fs::write(&old, "starting\r\nready to accept\n").unwrap();
    std::fs::write(&new, b"\xff\xfe garbage\npassword=hush\nlast line without end").unwrap();
    let files = [none.clone(), old, new];
    let ask = async |check: Value, files: &[_]| {
        let check: Log = serde_json::from_value(check).unwrap();
        log::look(&check, files, LONG).await
    };
    for check in [
        json!({"contains": "to accept"}),
        json!({"matches": "^starting$"}),
        json!({"matches": "^last .* end$"}),
        json!({"contains": "starting", "matches": "^ready"}),
        json!({"contains": "garbage"}),
    ] {
        is(&ask(check, &files).await, Said::Pass, None, "the log holds it");
    }
    let missed = ask(json!({"contains": "starting", "matches": "^never$"}), &files).await;
    is(&missed, Said::Fail, Fault::CheckFailed, "the log does not match `^never$`");
    is(&ask(json!({"contains": "x"}), &[none]).await, Said::Fail, Fault::CheckFailed, "the log does not contain `x`");
    is(&ask(json!({"matches": ".*"}), &[]).await, Said::Fail, Fault::CheckFailed, "the log does not match");
    is(&ask(json!({"matches": "("}), &files).await, Said::Unknown, Fault::CheckerBroken, "is not a pattern");
    is(&ask(json!({}), &files).await, Said::Unknown, Fault::CheckerBroken, "needs `contains` or `matches`");
    is(&ask(json!({"contains": "x"}), &[dir.path().to_owned()]).await, Said::Unknown, Fault::System, "cannot be looked at");
}
