//! The plainest HTTP client: one request a connection, so that what is tested is what any client sees.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use pocket_crm::auth::Credential;
use serde_json::Value;

pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) json: Value,
}

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) authorization: Option<String>,
}

impl Client {
    pub(crate) fn admin(address: SocketAddr) -> Self {
        Self { address, authorization: Some(Credential::new(PASSWORD).unwrap().header()) }
    }

    pub(crate) fn anonymous(address: SocketAddr) -> Self {
        Self { address, authorization: None }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "")
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_send(method, path, body).unwrap()
    }

    /// An error if the server ends before its whole answer is here.
    pub(crate) fn try_send(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let authorization = self.authorization.as_ref().map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: crm\r\n{authorization}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let json = if body.is_empty() { Value::Null } else { serde_json::from_str(body)? };
        Ok(Answer { status, head: head.to_lowercase(), json })
    }
}
