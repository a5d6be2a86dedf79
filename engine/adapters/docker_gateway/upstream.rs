//! The connection to the container engine that serves one client: requests go over it one after the other.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::base::label;

use super::facts::{Standing, Thing};
use super::rewrite::BUILT_WORKSPACE;
use super::route::encode;

/// The most of a body that is held in memory, in bytes.
pub(super) const HELD: usize = 16 << 20;

/// What goes to the engine.
pub(super) type Outgoing = Either<Incoming, Full<Bytes>>;

/// The engine does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// Nobody is there.
    #[error("failed to reach the container engine at {0}: {1}")]
    Away(PathBuf, io::Error),
    /// It broke off.
    #[error("failed to talk to the container engine: {0}")]
    Broken(#[from] hyper::Error),
    /// A body that cannot be held.
    #[error("failed to read the container engine's answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// An answer that is not the engine's.
    #[error("failed to learn whose {0} is: {1}")]
    Look(Thing, String),
}

/// Ends its task when dropped: what carries bytes for a client lives no longer than the client.
#[derive(Debug)]
struct Carrier(JoinHandle<()>);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection, made when it is needed and made anew when the engine closed it.
#[derive(Debug)]
pub(super) struct Upstream {
    path: PathBuf,
    open: Option<(SendRequest<Outgoing>, Carrier)>,
}

impl Upstream {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    async fn connect(&self) -> Result<(SendRequest<Outgoing>, Carrier), UpstreamError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| UpstreamError::Away(self.path.clone(), error))?;
        let (sender, connection) = http1::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await?;
        // How it ends is seen by whoever waits for an answer over it.
        let carrier = tokio::spawn(async move { drop(connection.with_upgrades().await) });
        Ok((sender, Carrier(carrier)))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Outgoing>) -> Result<Response<Incoming>, UpstreamError> {
        let usable = match &mut self.open {
            Some((sender, _)) => sender.ready().await.is_ok(),
            None => false,
        };
        let (mut sender, carrier) = match self.open.take() {
            Some(open) if usable => open,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        // Where this future is dropped while it waits, the connection goes with it: nothing of the request goes on.
        let response = sender.send_request(request).await?;
        self.open = Some((sender, carrier));
        Ok(response)
    }

    /// A small request of our own, and its whole answer.
    pub(super) async fn ask(&mut self, method: &str, path: &str, body: String) -> Result<(StatusCode, Value), UpstreamError> {
        let request = Request::builder().method(method).uri(path).header("Host", "docker").header("Content-Type", "application/json");
        let request = request.body(Either::Right(Full::from(body))).map_err(|error| UpstreamError::Body(error.into()))?;
        let response = self.send(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), HELD).collect().await.map_err(UpstreamError::Body)?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Looks up whose a thing is.
    pub(super) async fn standing(&mut self, thing: &Thing, workspace: &str) -> Result<Standing, UpstreamError> {
        let (path, labels, key) = match thing {
            Thing::Container(name) | Thing::Network(name) | Thing::Volume(name) | Thing::Image(name) | Thing::Exec(name)
                if name.is_empty() =>
            {
                return Ok(Standing::Absent);
            }
            Thing::Container(name) => (format!("/containers/{}/json", encode(name, b"")), "/Config/Labels", label::WORKSPACE),
            Thing::Exec(id) => (format!("/exec/{}/json", encode(id, b"")), "", ""),
            Thing::Network(name) => (format!("/networks/{}", encode(name, b"")), "/Labels", label::WORKSPACE),
            Thing::Volume(name) => (format!("/volumes/{}", encode(name, b"")), "/Labels", label::WORKSPACE),
            Thing::Image(name) => (format!("/images/{}/json", encode(name, b"/:@")), "/Config/Labels", BUILT_WORKSPACE),
        };
        let (status, answer) = self.ask("GET", &path, String::new()).await?;
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Standing::Absent),
            other => return Err(UpstreamError::Look(thing.clone(), other.to_string())),
        }
        if let Thing::Exec(_) = thing {
            let container = answer.get("ContainerID").and_then(Value::as_str).filter(|id| !id.is_empty());
            let container = container.ok_or_else(|| UpstreamError::Look(thing.clone(), "it names no container".to_owned()))?;
            return Box::pin(self.standing(&Thing::Container(container.to_owned()), workspace)).await;
        }
        if matches!(thing, Thing::Network(_)) && answer.get("Driver").and_then(Value::as_str) == Some("host") {
            return Ok(Standing::Host);
        }
        let labels: HashMap<String, String> =
            answer.pointer(labels).and_then(|labels| serde_json::from_value(labels.clone()).ok()).unwrap_or_default();
        Ok(if labels.get(key).is_some_and(|value| value == workspace) { Standing::Ours } else { Standing::Strange })
    }
}
