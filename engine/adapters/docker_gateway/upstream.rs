//! The connection to the container engine that serves one client: requests go over it one after the other.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::base::label::{self, Label};

use super::added::{Added, Stock};
use super::facts::{Found, Standing, Thing};
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
    /// A list that cannot be had.
    #[error("failed to list {0}: the container engine answers {1}")]
    List(&'static str, StatusCode),
    /// A volume of a removed container that stays.
    #[error("failed to remove the volume {0}: the container engine answers {1}")]
    Remove(String, StatusCode),
    /// It speaks something else than HTTP from now on, which was not asked for.
    #[error("the container engine changed the protocol unasked")]
    Switched,
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
    /// What images carry, by their ids: an image that changes is another one.
    carried: HashMap<String, HashMap<String, String>>,
    /// The images that came through this endpoint.
    pub(super) added: Arc<Added>,
}

impl Upstream {
    pub(super) fn new(path: PathBuf, added: Arc<Added>) -> Self {
        Self { path, open: None, carried: HashMap::new(), added }
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

    /// Looks up whose a thing is, and what it holds.
    pub(super) async fn find(&mut self, thing: &Thing, workspace: &str) -> Result<Found, UpstreamError> {
        let (path, id) = match thing {
            Thing::Container(name) | Thing::Network(name) | Thing::Volume(name) | Thing::Image(name) | Thing::Exec(name)
                if name.is_empty() =>
            {
                return Ok(Standing::Absent.into());
            }
            Thing::Container(name) => (format!("/containers/{}/json", encode(name, b"")), "/Id"),
            Thing::Exec(id) => (format!("/exec/{}/json", encode(id, b"")), "/ID"),
            Thing::Network(name) => (format!("/networks/{}", encode(name, b"")), "/Id"),
            Thing::Volume(name) => (format!("/volumes/{}", encode(name, b"")), "/Name"),
            Thing::Image(name) => (format!("/images/{}/json", encode(name, b"/:@")), "/Id"),
        };
        let (status, answer) = self.ask("GET", &path, String::new()).await?;
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(Standing::Absent.into()),
            // What is no name of an image is said by the call itself.
            StatusCode::BAD_REQUEST if matches!(thing, Thing::Image(_)) => return Ok(Standing::Absent.into()),
            other => return Err(UpstreamError::Look(thing.clone(), other.to_string())),
        }
        let text = |place: &str| answer.pointer(place).and_then(Value::as_str).map(str::to_owned);
        let owned = |place: &str, key: &str| labels(&answer, place).get(key).is_some_and(|value| value == workspace);
        let ours = match thing {
            Thing::Container(_) => owned(LABELS, label::WORKSPACE) && !self.inherits(&answer).await?,
            Thing::Exec(_) => {
                let container = text("/ContainerID").filter(|id| !id.is_empty());
                let container = container.ok_or_else(|| UpstreamError::Look(thing.clone(), "it names no container".to_owned()))?;
                return Box::pin(self.find(&Thing::Container(container), workspace)).await;
            }
            Thing::Network(_) | Thing::Volume(_) => owned("/Labels", label::WORKSPACE),
            Thing::Image(name) => owned(LABELS, BUILT_WORKSPACE) || self.added.has(name, &answer),
        };
        let standing = match (thing, text("/Driver").as_deref(), text("/Name").as_deref()) {
            (Thing::Network(_), Some("host"), _) => Standing::Host,
            (Thing::Network(_), Some("bridge"), Some("bridge")) | (Thing::Network(_), Some("null"), Some("none")) => Standing::Common,
            _ if ours => Standing::Ours,
            _ => Standing::Strange,
        };
        let mounts = answer.get("Mounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mounted = |kind: &str, key: &str| {
            let of = mounts.iter().filter(|mount| mount.get("Type").and_then(Value::as_str) == Some(kind));
            of.filter_map(|mount| mount.get(key)?.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let mut paths = mounted("bind", "Source");
        // What a local volume binds; a device of another kind is no path, as that of NFS.
        paths.extend(text("/Options/device").filter(|device| matches!(thing, Thing::Volume(_)) && device.starts_with('/')));
        let mut targets: Vec<String> = mounts.iter().filter_map(|mount| mount.get("Destination")?.as_str().map(str::to_owned)).collect();
        let declared = answer.pointer("/Config/Volumes").and_then(Value::as_object).filter(|_| matches!(thing, Thing::Image(_)));
        targets.extend(declared.into_iter().flat_map(|declared| declared.keys().cloned()));
        let nameless = matches!(thing, Thing::Volume(_)) && labels(&answer, "/Labels").contains_key(label::NAMELESS);
        Ok(Found { standing, id: text(id), paths, volumes: mounted("volume", "Name"), targets, nameless })
    }

    /// What images there are.
    pub(super) async fn stock(&mut self) -> Result<Stock, UpstreamError> {
        match self.ask("GET", "/images/json?all=1", String::new()).await? {
            (StatusCode::OK, listed) => Ok(Stock::read(&listed)),
            (other, _) => Err(UpstreamError::List("images", other)),
        }
    }

    /// The containers of this place that do not run, and that a prune would take.
    pub(super) async fn idle(&mut self, label: &Label) -> Result<Vec<Found>, UpstreamError> {
        let of = [format!("{}={}", label::WORKSPACE, label.workspace), format!("{}={}", label::OWNER, label.owner)];
        let filters = json!({ "label": of }).to_string();
        let (status, listed) = self.ask("GET", &format!("/containers/json?all=1&filters={}", encode(&filters, b"")), String::new()).await?;
        if status != StatusCode::OK {
            return Err(UpstreamError::List("containers", status));
        }
        let runs = |one: &&Value| one.get("State").and_then(Value::as_str).is_some_and(|state| RUNS.contains(&state));
        let ids = listed.as_array().into_iter().flatten().filter(|one| !runs(one)).filter_map(|one| one.get("Id")?.as_str());
        let mut found = Vec::new();
        for id in ids {
            found.push(self.find(&Thing::Container(id.to_owned()), &label.workspace).await?);
        }
        Ok(found)
    }

    /// Whether any container has a volume. The engine itself does not say so of one that was taken over by `--volumes-from` from a container
    /// that had named it: it would remove that under the feet of who has it.
    pub(super) async fn is_had(&mut self, volume: &str) -> Result<bool, UpstreamError> {
        let filters = encode(&json!({ "volume": [volume] }).to_string(), b"");
        match self.ask("GET", &format!("/containers/json?all=1&filters={filters}"), String::new()).await? {
            (StatusCode::OK, listed) => Ok(listed.as_array().is_none_or(|listed| !listed.is_empty())),
            (other, _) => Err(UpstreamError::List("containers", other)),
        }
    }

    /// Whether a container has our labels from its image: then it is not ours, whoever made the image of one that is.
    async fn inherits(&mut self, container: &Value) -> Result<bool, UpstreamError> {
        let Some(id) = container.get("Image").and_then(Value::as_str) else { return Ok(false) };
        let own = labels(container, LABELS);
        if !self.carried.contains_key(id) {
            let (status, image) = self.ask("GET", &format!("/images/{}/json", encode(id, b":")), String::new()).await?;
            match status {
                StatusCode::OK => self.carried.insert(id.to_owned(), labels(&image, LABELS)),
                // Of an image that is gone nothing can be said: then the labels are its own.
                StatusCode::NOT_FOUND => return Ok(false),
                other => return Err(UpstreamError::Look(Thing::Image(id.to_owned()), other.to_string())),
            };
        }
        Ok(self.carried.get(id).is_some_and(|carried| label::inherited(&own, carried)))
    }
}

/// The states of a container that no prune takes.
const RUNS: [&str; 3] = ["running", "paused", "restarting"];

/// Where the labels of a container and of an image are.
const LABELS: &str = "/Config/Labels";

fn labels(answer: &Value, place: &str) -> HashMap<String, String> {
    answer.pointer(place).and_then(|labels| serde_json::from_value(labels.clone()).ok()).unwrap_or_default()
}
