//! One request: read, looked up, judged, permitted, forwarded, answered. Bodies that are not judged are streamed, never held.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell, Semaphore};

use crate::adapters::docker::cgroups::Cgroups;

use super::added::{Added, Loading, Stock};
use super::audit::{Audit, Described, Outcome, Pending};
use super::capability::Refusal;
use super::facts::{Facts, Found, Standing, Thing};
use super::image::named;
use super::json::Json;
use super::policy::Policy;
use super::query::Query;
use super::resolve::resolve;
use super::rewrite::{self, Verdict};
use super::route::{Call, Kind};
use super::upstream::{HELD, Outgoing, Upstream, UpstreamError};

/// Why a request is answered by us.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Refused(Refusal),
    #[error("sculpt: {0}")]
    Upstream(#[from] UpstreamError),
    #[error("sculpt: failed to read the request: {0}")]
    Request(Box<dyn std::error::Error + Send + Sync>),
    #[error("sculpt: failed to judge the request: {0}")]
    Judge(#[from] tokio::task::JoinError),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Trouble {
    fn status(&self) -> StatusCode {
        match self {
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Upstream(UpstreamError::Away(..)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Judge(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Up to here a body is not counted among those that are held, in bytes.
const SMALL: usize = 64 << 10;

/// How long is listened to the rest of a body that is refused.
const SIP: Duration = Duration::from_secs(5);

/// What goes to the client.
pub(super) type Answer = UnsyncBoxBody<Bytes, hyper::Error>;

/// Both ends of a hijacked connection.
pub(super) type Tunnel = (OnUpgrade, OnUpgrade);

/// What one client's requests share.
pub(super) struct Exchange<A> {
    pub(super) policy: Arc<Policy>,
    pub(super) audit: Arc<A>,
    /// The engine's socket.
    pub(super) engine: PathBuf,
    pub(super) upstream: Mutex<Upstream>,
    /// What the engine does with control groups, once it has said so.
    pub(super) cgroups: Arc<OnceCell<Cgroups>>,
    /// Filled when the client and the engine agreed to speak something else than HTTP from now on.
    pub(super) tunnel: Mutex<Option<Tunnel>>,
    /// A place for each body that may be held at once, of all clients together.
    pub(super) bodies: Arc<Semaphore>,
}

impl<A: Audit> Exchange<A> {
    /// Answers a request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        match self.forward(request).await {
            Ok(response) => response,
            Err(trouble) => answered(trouble.status(), json!({ "message": trouble.to_string() }).to_string()),
        }
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Answer>, Trouble> {
        let mut call = Call::read(request.method(), request.uri().path(), request.uri().query())?;
        let line = format!("{} {}", request.method(), call.path);
        let mut upstream = self.upstream.lock().await;
        if call.kind == Kind::Look {
            return self.pass(&mut upstream, &call, request.map(Either::Left)).await;
        }
        // A form's fields count before the query's, and would be read after the query was judged.
        let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase()).unwrap_or_default();
        let has = |word: &[u8]| kind.windows(word.len()).any(|window| window == word);
        if has(b"form-urlencoded") || has(b"form-data") || request.headers().get_all(CONTENT_TYPE).iter().count() > 1 {
            return Err(Refusal::never("a form; send JSON, or nothing").into());
        }
        let mut place = None;
        let held = if call.kind.has_judged_body() {
            let taken = self.bodies.acquire().await;
            let held = Limited::new(request.body_mut(), HELD).collect().await.map_err(Trouble::Request)?.to_bytes();
            // A small one gives its place back at once: what it asks for may take long.
            place = taken.ok().filter(|_| held.len() > SMALL);
            Some(held)
        } else {
            None
        };
        let body = Json::parse(held.as_deref().unwrap_or_default()).map_err(Refusal::from)?;
        let name = if call.kind == Kind::ContainerCreate {
            Query::read(call.query.as_deref())?.get("name").map(str::to_owned)
        } else {
            body.field("Name").ok().flatten().and_then(|name| name.as_text("Name").ok())
        };
        let facts = self.look_up(&mut upstream, &call, rewrite::things(&call, &body)?).await?;
        let id = subject(&call).and_then(|thing| facts.0.get(&thing)?.id.clone());
        let leaves = subject(&call).filter(|_| call.kind == Kind::ContainerRemove).and_then(|thing| facts.0.get(&thing).cloned());
        let mut outgoing = request.map(|body| held.map_or_else(|| Either::Left(body), |held| Either::Right(Full::from(held))));
        match self.judge(&call, body, facts).await? {
            Verdict::Pass => {}
            Verdict::Refused(refusal) => {
                // A client that is cut off in the middle of what it sends may never read why.
                let mut rest = outgoing.into_body();
                drop(tokio::time::timeout(SIP, async { while let Some(Ok(_)) = rest.frame().await {} }).await);
                return Err(refusal.into());
            }
            Verdict::Answered(text) => return Ok(answered(StatusCode::OK, text.to_owned())),
            Verdict::Requeried(query) => call.query = Some(query),
            Verdict::Rewritten { body, volumes } => {
                for volume in volumes {
                    self.make_volume(&mut upstream, volume).await?;
                }
                outgoing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                outgoing = outgoing.map(|_| Either::Right(Full::from(body)));
            }
        }
        let described = Described { kind: call.kind, request: line, subject: call.subject.clone(), id, name: name.clone() };
        let before = match call.kind {
            Kind::ImageMake | Kind::ImageLoad => Some(Arc::new(upstream.stock().await?)),
            _ => None,
        };
        let leaving = match call.kind {
            Kind::ContainerPrune => self.idle(&mut upstream).await?,
            _ => leaves.into_iter().filter(|found| found.standing == Standing::Ours).collect(),
        };
        let nameless = self.nameless(&mut upstream, call.kind, &leaving).await?;
        let pending = Pending::ask(&*self.audit, &described).await?;
        let mut response = self.pass(&mut upstream, &call, outgoing).await?;
        drop(place);
        let status = response.status();
        if let Some(before) = before.filter(|_| status.is_success()) {
            response = came(&call, response, before, &upstream.added)?;
        }
        let creates =
            matches!(call.kind, Kind::ContainerCreate | Kind::NetworkCreate | Kind::VolumeCreate | Kind::ExecCreate | Kind::Commit);
        let removes = matches!(call.kind, Kind::ContainerPrune | Kind::ImageRemove | Kind::ImagePrune);
        if !((creates || removes || call.kind == Kind::ContainerRemove) && status.is_success()) {
            pending.done(Outcome::Answered(status.as_u16()));
            return Ok(response);
        }
        let (parts, stream) = response.into_parts();
        let answer = Limited::new(stream, HELD).collect().await.map_err(UpstreamError::Body)?.to_bytes();
        // They are part of what is removed: the outcome holds for them too.
        for name in &nameless {
            if upstream.is_had(name).await? {
                continue;
            }
            let (status, _) = upstream.ask("DELETE", &format!("/volumes/{name}"), String::new()).await?;
            // Gone with its container, or taken by another in this moment.
            if !(status.is_success() || [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status)) {
                return Err(UpstreamError::Remove(name.clone(), status).into());
            }
        }
        pending.done(if creates { created(&answer, name, status) } else { Outcome::Answered(status.as_u16()) });
        if removes {
            let now = upstream.stock().await?;
            upstream.added.keep(&now);
        }
        Ok(Response::from_parts(parts, whole(answer)))
    }

    /// What a prune of containers would take: all of it must be ours by more than what an image hands on.
    async fn idle(&self, upstream: &mut Upstream) -> Result<Vec<Found>, Trouble> {
        let idle = upstream.idle(&self.policy.label).await?;
        match idle.iter().find(|found| found.standing == Standing::Strange) {
            Some(found) => {
                let id = found.id.clone().unwrap_or_default();
                Err(Refusal::never(format!("a prune: {} has our labels from its image, and is somebody else's", Thing::Container(id)))
                    .into())
            }
            None => Ok(idle),
        }
    }

    /// The volumes without a name of what is about to be removed. Of those that were handed on to a container the engine itself takes none, and
    /// a prune takes none at all: not even of an engine that writes no labels on them, as Podman. Those may be a stranger's where a command
    /// may use what is his: then they stay.
    async fn nameless(&self, upstream: &mut Upstream, kind: Kind, leaving: &[Found]) -> Result<BTreeSet<String>, Trouble> {
        let mut nameless = BTreeSet::new();
        for name in leaving.iter().flat_map(|found| &found.volumes) {
            let found = upstream.find(&Thing::Volume(name.clone()), &self.policy.label.workspace).await?;
            let strange = found.standing == Standing::Strange && !self.policy.allow.contains("foreign");
            let unlabelled = kind == Kind::ContainerPrune && strange && is_anonymous(name);
            if found.is_ours_without_a_name() || unlabelled {
                nameless.insert(name.clone());
            }
        }
        Ok(nameless)
    }

    async fn look_up(&self, upstream: &mut Upstream, call: &Call, things: Vec<Thing>) -> Result<Facts, UpstreamError> {
        let mut facts = Facts::default();
        let mut wanted: Vec<Thing> = things;
        while let Some(thing) = wanted.pop() {
            if facts.0.contains_key(&thing) {
                continue;
            }
            let found = upstream.find(&thing, &self.policy.label.workspace).await?;
            // With a container that starts, its volumes are mounted.
            if call.kind == Kind::ContainerStart {
                wanted.extend(found.volumes.iter().cloned().map(Thing::Volume));
            }
            facts.0.insert(thing, found);
        }
        Ok(facts)
    }

    /// The policy, with the group of the goal's containers where the engine takes it.
    async fn policy_for(&self, call: &Call) -> Arc<Policy> {
        if self.policy.parent.is_none() || !matches!(call.kind, Kind::ContainerCreate | Kind::Build) {
            return Arc::clone(&self.policy);
        }
        // An engine that gives no answer now is asked again by the next call.
        let cgroups = self.cgroups.get_or_try_init(|| async { Cgroups::ask(&self.engine).await.ok_or(()) }).await;
        let parent = self.policy.parent.clone().filter(|parent| cgroups.is_ok_and(|cgroups| cgroups.takes_parent(parent.version)));
        Arc::new(Policy { parent, ..(*self.policy).clone() })
    }

    /// Paths are looked at, which may wait for a disk: not among those who carry other clients' bytes.
    async fn judge(&self, call: &Call, body: Json, facts: Facts) -> Result<Verdict, Trouble> {
        let (call, policy) = (call.clone(), self.policy_for(call).await);
        Ok(tokio::task::spawn_blocking(move || rewrite::judge(&call, body, &policy, &facts, &resolve)).await?)
    }

    /// A volume that the engine would make by itself, and without labels.
    async fn make_volume(&self, upstream: &mut Upstream, name: String) -> Result<(), Trouble> {
        let request = "POST /volumes/create".to_owned();
        let described = Described { kind: Kind::VolumeCreate, request, subject: None, id: None, name: Some(name.clone()) };
        let pending = Pending::ask(&*self.audit, &described).await?;
        let body = json!({ "Name": name, "Labels": self.policy.label.write() }).to_string();
        let (status, answer) = upstream.ask("POST", "/volumes/create", body).await?;
        if !status.is_success() {
            pending.done(Outcome::Answered(status.as_u16()));
            let message = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(UpstreamError::Look(Thing::Volume(name), message).into());
        }
        pending.done(Outcome::Created { id: name.clone(), name: Some(name) });
        Ok(())
    }

    async fn pass(&self, upstream: &mut Upstream, call: &Call, mut request: Request<Outgoing>) -> Result<Response<Answer>, Trouble> {
        let client = hyper::upgrade::on(&mut request);
        *request.uri_mut() = call.target().parse().map_err(|error: hyper::http::uri::InvalidUri| Trouble::Request(error.into()))?;
        if matches!(request.body(), Either::Right(_)) {
            request.headers_mut().remove(TRANSFER_ENCODING);
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        // Answered by our own server, as soon as the body is read.
        request.headers_mut().remove(EXPECT);
        let upgrades = matches!(call.kind, Kind::ContainerAttach | Kind::ExecAct | Kind::Session | Kind::BuildKit);
        if !upgrades {
            stay(request.headers_mut());
        }
        let mut response = upstream.send(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !upgrades {
                return Err(UpstreamError::Switched.into());
            }
            *self.tunnel.lock().await = Some((client, hyper::upgrade::on(&mut response)));
            return Ok(response.map(|_| whole(Bytes::new())));
        }
        Ok(response.map(BodyExt::boxed_unsync))
    }
}

/// Takes the offer to speak something else than HTTP out of a request: what comes after it would be judged by nobody.
fn stay(headers: &mut HeaderMap) {
    headers.remove(UPGRADE);
    let offers = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().windows(7).any(|word| word == b"upgrade");
    if headers.get_all(CONNECTION).iter().any(offers) {
        let closes =
            headers.get_all(CONNECTION).iter().any(|value| value.as_bytes().to_ascii_lowercase().windows(5).any(|word| word == b"close"));
        headers.remove(CONNECTION);
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// An answer of ours.
fn answered(status: StatusCode, text: String) -> Response<Answer> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a call removes.
fn subject(call: &Call) -> Option<Thing> {
    let name = call.subject.clone()?;
    match call.kind {
        Kind::ContainerRemove => Some(Thing::Container(name)),
        Kind::NetworkRemove => Some(Thing::Network(name)),
        Kind::VolumeRemove => Some(Thing::Volume(name)),
        _ => None,
    }
}

/// An image came by the name that the call says, or by those that its answer says.
fn came(call: &Call, response: Response<Answer>, before: Arc<Stock>, added: &Arc<Added>) -> Result<Response<Answer>, Refusal> {
    let query = Query::read(call.query.as_deref())?;
    if call.kind == Kind::ImageMake {
        if let Some(name) = query.get("fromImage").or_else(|| query.get("repo")) {
            added.add(&named(name, query.get("tag")), &before);
        }
        return Ok(response);
    }
    let mut loading = Loading { added: Arc::clone(added), before, line: Vec::new() };
    Ok(response.map(|body| {
        let heard = body.map_frame(move |frame| {
            frame.data_ref().into_iter().for_each(|bytes| loading.hear(bytes));
            frame
        });
        heard.boxed_unsync()
    }))
}

/// Whether the container engine gave a volume its name.
fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A body that is here.
fn whole(bytes: impl Into<Bytes>) -> Answer {
    Full::from(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// What the answer to a creation says.
fn created(body: &[u8], name: Option<String>, status: StatusCode) -> Outcome {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = text("Id").or_else(|| text("Name"));
    id.map_or(Outcome::Answered(status.as_u16()), |id| Outcome::Created { id, name: text("Name").or(name) })
}
