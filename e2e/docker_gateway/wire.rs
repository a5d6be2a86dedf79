//! Requests as they come over the wire: whatever way a body or a path is written, what is judged is what goes on.

use super::*;

/// Everything that is answered until the connection ends.
fn answers(endpoint: &Endpoint, request: &str) -> String {
    let mut said = Vec::new();
    endpoint.raw(request).read_to_end(&mut said).unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
}

fn chunked(body: &str) -> String {
    let (first, rest) = body.split_at(body.len() / 2);
    format!("{:x}\r\n{first}\r\n{:x};ext=1\r\n{rest}\r\n0\r\n\r\n", first.len(), rest.len())
}

fn body(host: &Value) -> String {
    json!({ "Image": IMAGE, "Cmd": ["/bin/busybox", "true"], "HostConfig": host }).to_string()
}

#[test]
fn a_body_in_pieces_is_judged_whole() {
    let Some(endpoint) = Endpoint::start("chunked") else { return };
    let send = |host: &Value| {
        let request = post("/containers/create", "Transfer-Encoding: chunked\r\nConnection: close\r\n", &chunked(&body(host)));
        answers(&endpoint, &request)
    };
    let made = send(&json!({ "Memory": 1_i64 << 40 }));
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let refused = send(&json!({ "Privileged": true }));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let [id] = &endpoint.listed(&["ps", "-a"])[..] else { panic!("one container") };
    assert_eq!(engine(&["inspect", "-f", "{{.HostConfig.Memory}}", id]), (64 << 20).to_string());
}

#[test]
fn two_lengths_are_one_body_for_both_sides() {
    let Some(endpoint) = Endpoint::start("lengths") else { return };
    let hidden = post("/containers/create", "Connection: close\r\nContent-Length: 2\r\n", "{}");
    let plain = body(&json!({}));
    for (order, at) in
        [("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 0), ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 1)]
    {
        // Judged bodies, and bodies that are streamed: what comes after the chunks is another request, or nothing.
        let privileged = answers(
            &endpoint,
            &post("/containers/create", &format!("{order}Connection: close\r\n"), &chunked(&body(&json!({ "Privileged": true })))),
        );
        assert!(privileged.starts_with("HTTP/1.1 403") || privileged.starts_with("HTTP/1.1 400"), "{at}: {privileged}");
        let streamed = answers(&endpoint, &post("/images/load?quiet=1", order, &format!("{}{hidden}", chunked(&plain))));
        let second = streamed.matches("HTTP/1.1 ").count();
        assert!(second <= 2, "{at}: {streamed}");
    }
    for headers in ["Content-Length: 5\r\nContent-Length: 6\r\n", "Transfer-Encoding: gzip\r\n", "Content-Length: +5\r\n"] {
        let said = answers(&endpoint, &post("/containers/create", &format!("{headers}Connection: close\r\n"), "{}   "));
        assert!(said.starts_with("HTTP/1.1 4"), "{headers}: {said}");
    }
    assert_eq!(endpoint.listed(&["ps", "-a"]), [""; 0]);
}

#[test]
fn requests_that_come_together_are_judged_one_by_one() {
    let Some(endpoint) = Endpoint::start("pipelined") else { return };
    let with = |body: &str, last: &str| post("/containers/create", &format!("Content-Length: {}\r\n{last}", body.len()), body);
    let (plain, privileged) = (body(&json!({})), body(&json!({ "Privileged": true })));
    let all = format!(
        "GET /v1.41/_ping HTTP/1.1\r\nHost: docker\r\n\r\n{}{}HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n{}",
        with(&privileged, ""),
        with(&plain, ""),
        with(&privileged, "Connection: close\r\n")
    );
    let said = answers(&endpoint, &all);
    let statuses: Vec<&str> = said.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "403", "201", "200", "403"], "{said}");
    assert_eq!(endpoint.listed(&["ps", "-a"]).len(), 1);
}

#[test]
fn who_waits_to_be_told_to_go_on_is_told() {
    let Some(endpoint) = Endpoint::start("expect") else { return };
    let plain = body(&json!({}));
    let head = post("/containers/create", &format!("Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n", plain.len()), "");
    let mut stream = BufReader::new(endpoint.raw(&head));
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.get_mut().write_all(plain.as_bytes()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.trim_start().starts_with("HTTP/1.1 201"), "{rest}");
}

#[test]
fn bytes_that_come_with_an_upgrade_are_input() {
    let Some(endpoint) = Endpoint::start("upgrade") else { return };
    let id = endpoint.docker(&["run", "-d", "-i", IMAGE, "/bin/busybox", "cat"]);
    let head = "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n";
    let stream = endpoint.raw(&post(&format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1"), head, "sent at once\n"));
    stream.set_read_timeout(Some(crate::world::deadline::LIMIT)).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("HTTP/1.1 101"));
    assert!(lines.any(|line| line.ends_with("sent at once")), "what the container hears, it says");
}

#[test]
fn an_upgrade_that_is_refused_opens_nothing() {
    let Some(endpoint) = Endpoint::start("refused-upgrade") else { return };
    // What comes behind would be a request of its own for an engine that had been asked to hijack.
    let hidden = post("/containers/create", "Connection: close\r\nContent-Length: 2\r\n", "{}");
    for path in ["/grpc", "/containers/nobody/attach?stream=1&stdin=1"] {
        let said =
            answers(&endpoint, &format!("{}{hidden}", post(path, "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", "")));
        assert!(said.starts_with("HTTP/1.1 4") && !said.contains("HTTP/1.1 101"), "{path}: {said}");
    }
    assert_eq!(endpoint.listed(&["ps", "-a"]), [""; 0]);
}

#[test]
fn a_path_is_read_in_one_way_or_not_at_all() {
    let Some(endpoint) = Endpoint::start("paths") else { return };
    let get = |method: &str, path: &str| {
        let said =
            answers(&endpoint, &format!("{method} {path} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        said.get(9..12).unwrap_or_default().to_owned()
    };
    for path in ["/v1.41/containers/json", "/containers/json", "/containers/%6ason", "/v1.41/containers%2Fjson"] {
        assert_eq!(get("GET", path), "200", "{path}");
    }
    for path in
        ["//containers/json", "/v1.41//containers/json", "/x/%2e%2e/containers/json", "/containers/%2e/json", "/containers/json/", "/%00"]
    {
        assert_eq!(get("GET", path), "403", "{path}");
    }
    assert_eq!(get("POST", "/v1.41"), "403");
    assert_eq!(get("HEAD", "/v1.41/_ping"), "200");
    let head = answers(&endpoint, "HEAD /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n"), "a head has no body: {head}");
}
