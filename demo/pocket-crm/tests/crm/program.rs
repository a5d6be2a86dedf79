//! The program itself: what it has confirmed survives SIGKILL, SIGTERM ends it cleanly, and it opens to nobody by default.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
};

use serde_json::json;

use crate::client::{Client, PASSWORD};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pocket-crm");

/// A running server, ended with the test whatever its result.
struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--port", "0", "--data"])
            .arg(data)
            .env("CRM_PASSWORD", PASSWORD)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("pocket-crm listens on http://").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Self { child, log, address }
    }

    fn signal(&mut self, name: &str) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("/bin/sh").args(["-c", "kill -\"$0\" \"$1\"", name, &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is the usual case, and fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pocket_crm(arguments: &[&str], password: Option<&str>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_remove("CRM_PASSWORD");
    if let Some(password) = password {
        command.env("CRM_PASSWORD", password);
    }
    command.output().unwrap()
}

fn initialised() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    assert!(pocket_crm(&["init", "--data", data.path().to_str().unwrap()], None).status.success());
    data
}

#[test]
fn what_it_confirmed_survives_sigkill_in_the_midst_of_writing() {
    let data = initialised();
    let mut confirmed = BTreeSet::new();
    for round in 0..3 {
        let mut server = Server::start(data.path());
        let admin = Client::admin(server.address);
        let (confirm, confirmations) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for lead in 0.. {
                    let email = format!("{round}.{lead}@example.org");
                    match admin.try_send("POST", "/api/v1/Lead", &json!({"name": "Survivor", "email": email}).to_string()) {
                        Ok(answer) if answer.status == 201 => confirm.send(email).unwrap(),
                        Ok(answer) => panic!("{}", answer.status),
                        Err(_) => break,
                    }
                }
            });
            confirmed.extend(confirmations.iter().take(5));
            let (status, _) = server.signal("KILL");
            assert_eq!(status.signal(), Some(9));
            confirmed.extend(confirmations.iter());
        });
    }
    let server = Server::start(data.path());
    let page = Client::anonymous(server.address).get("/api/v1/Lead?limit=1000").json;
    let kept: BTreeSet<_> = page["list"].as_array().unwrap().iter().map(|lead| lead["email"].as_str().unwrap().to_owned()).collect();
    assert!(confirmed.len() >= 15 && confirmed.is_subset(&kept), "lost {:?}", confirmed.difference(&kept));
    assert!(kept.len() <= confirmed.len() + 3, "a kill may leave one write that was not confirmed, not more");
}

#[test]
fn sigterm_ends_it_cleanly_and_the_log_has_a_line_a_request() {
    let data = initialised();
    let mut server = Server::start(data.path());
    let stranger = Client::anonymous(server.address);
    stranger.get("/health");
    stranger.send("POST", "/api/v1/Lead", "{}");
    let (status, log) = server.signal("TERM");
    assert!(status.success(), "{status}");
    let lines: Vec<_> = log.lines().map(|line| line.rsplitn(3, ' ').last().unwrap()).collect();
    assert_eq!(lines, ["GET /health 200", "POST /api/v1/Lead 401", "stopping"]);
    assert!(!log.contains(PASSWORD));
}

#[test]
fn it_refuses_to_serve_without_a_password_or_a_store() {
    let data = initialised();
    let path = data.path().to_str().unwrap();
    let missing = data.path().join("elsewhere");
    for (arguments, password, words) in [
        (["serve", "--port", "0", "--data", path], None, "failed to read the administrator's password from CRM_PASSWORD"),
        (["serve", "--port", "0", "--data", path], Some(""), "it is empty"),
        (["serve", "--port", "0", "--data", missing.to_str().unwrap()], Some(PASSWORD), "create it with `pocket-crm init --data"),
    ] {
        let output = pocket_crm(&arguments, password);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_taken_port_is_named() {
    let data = initialised();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = pocket_crm(&["serve", "--port", &port, "--data", data.path().to_str().unwrap()], Some(PASSWORD));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(&format!("failed to listen on 127.0.0.1:{port}")), "{error}");
}

#[test]
fn it_seeds_a_running_server_from_the_command_line() {
    let data = initialised();
    let server = Server::start(data.path());
    let csv = data.path().join("leads.csv");
    std::fs::write(&csv, "name,email\nAda,ada@example.org\n").unwrap();
    let url = format!("http://{}", server.address);
    let arguments = ["seed", "--url", &url, "--csv", csv.to_str().unwrap()];
    for said in ["1 created, 0 already there\n", "0 created, 1 already there\n"] {
        assert_eq!(String::from_utf8(pocket_crm(&arguments, Some(PASSWORD)).stdout).unwrap(), said);
    }
}
