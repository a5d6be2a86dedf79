//! The `http` check: one request over one connection, and what must come back.
//!
//! The answer's body is read only where the check asks about it, up to 8 MiB. Redirects are answers like any other.

use std::io;
use std::pin::pin;

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::connect::{self, Connection};
use super::deadline::Deadline;
use super::json::Expected;
use super::message::{self, Target};
use super::reason::{Miss, Reason, Short, answer};
use super::surroundings::Surroundings;
use super::text::{LIMIT, Wanted};
use super::tls;
use crate::base::time::Span;
use crate::kernel::answer::Answer;
use crate::manifest::check::{Http, HttpRequest, Status};

/// Asks once; the timeout covers everything from the host's name to the last byte.
pub async fn look(check: &Http, surroundings: &Surroundings, timeout: Span) -> Answer {
    answer(match check {
        Http::Url(url) => ask(&HttpRequest { url: url.clone(), ..HttpRequest::default() }, surroundings, timeout).await,
        Http::Request(request) => ask(request, surroundings, timeout).await,
    })
}

async fn ask(request: &HttpRequest, surroundings: &Surroundings, timeout: Span) -> Result<String, Miss> {
    let target = Target::parse(&request.url)?;
    let message = message::build(request, &target)?;
    let expectations = Expectations::new(request)?;
    let mut deadline = Deadline::new(timeout);
    let mut connection = match &request.unix {
        Some(path) => connect::unix(&surroundings.path(path), &mut deadline).await?,
        None => connect::tcp(&target.host, target.port, &mut deadline).await?,
    };
    if target.tls {
        connection = tls::handshake(connection, &target.host, surroundings.authorities.as_deref(), &mut deadline).await?;
    }
    let Connection { wire, peer } = connection;
    let (mut sender, driver) = http1::handshake(TokioIo::new(wire)).await.map_err(|error| broken(&error, &peer, Part::Head))?;
    let exchange = async {
        let missed = format!("no answer from {peer}");
        let response = deadline.bound(&missed, sender.send_request(message)).await?.map_err(|error| broken(&error, &peer, Part::Head))?;
        expectations.head(&response)?;
        let status = response.status().as_u16();
        if expectations.asks_for_the_body() {
            let missed = format!("no end of the answer of {peer}");
            let body = deadline.bound(&missed, read(response.into_body(), &peer)).await??;
            expectations.body(&body)?;
        }
        Ok(format!("status {status} from {peer}"))
    };
    // The connection is driven here and not in a task of its own, so that dropping the look drops it.
    let (mut exchange, driver) = (pin!(exchange), pin!(driver));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // However it ended: what came before the end, and the error, are given to the exchange.
        _ = driver => exchange.await,
    }
}

/// As much of a body as is looked through.
#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    whole: bool,
}

async fn read(mut incoming: Incoming, peer: &str) -> Result<Body, Miss> {
    let mut bytes = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broken(&error, peer, Part::Body))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = LIMIT - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok(Body { bytes, whole: false });
        }
    }
    Ok(Body { bytes, whole: true })
}

/// What was being read when a connection broke.
#[derive(Clone, Copy)]
enum Part {
    Head,
    Body,
}

fn broken(error: &hyper::Error, peer: &str, part: Part) -> Miss {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    // A chunk that is not one comes as an I/O error of this kind.
    let garbled = source.is_some_and(|source| matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    if error.is_parse() || garbled {
        return Miss::new(
            Reason::NotHttp,
            format!("{peer} does not speak HTTP: {}", source.map_or(error.to_string(), ToString::to_string)),
        );
    }
    let closed = match part {
        Part::Head => format!("{peer} closed the connection without an answer"),
        Part::Body => format!("{peer} closed the connection inside its answer"),
    };
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return Miss::new(Reason::Closed, closed);
    }
    match source.map(|source| connect::failed(source, peer)) {
        Some(Miss { reason: Reason::Closed, .. }) => Miss::new(Reason::Closed, closed),
        Some(miss) => miss,
        None => Miss::new(Reason::Io, format!("no answer from {peer}: {error}")),
    }
}

/// What must come back, with its patterns and paths read.
#[derive(Debug)]
struct Expectations<'a> {
    request: &'a HttpRequest,
    wanted: Wanted<'a>,
    json: Option<Expected<'a>>,
}

impl<'a> Expectations<'a> {
    fn new(request: &'a HttpRequest) -> Result<Self, Miss> {
        let wanted = Wanted::new(request.contains.as_deref(), request.matches.as_deref())?;
        Ok(Self { request, wanted, json: request.json.as_ref().map(Expected::new).transpose()? })
    }

    fn asks_for_the_body(&self) -> bool {
        !self.wanted.is_empty() || self.json.is_some()
    }

    fn head(&self, response: &Response<Incoming>) -> Result<(), Miss> {
        let status = response.status().as_u16();
        let good = match &self.request.status {
            None => (200..300).contains(&status),
            Some(Status::One(one)) => status == *one,
            Some(Status::Any(any)) => any.contains(&status),
        };
        if !good {
            let wanted = match &self.request.status {
                None => "2xx".to_owned(),
                Some(Status::One(one)) => one.to_string(),
                Some(Status::Any(any)) => any.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
            };
            let to = response.headers().get("location").map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = to.map(|to| format!(" (a redirect to {})", Short(&to))).unwrap_or_default();
            return Err(Miss::new(Reason::Head, format!("status {status}{to}, wanted {wanted}")));
        }
        for (name, wanted) in &self.request.response_headers {
            let mut values = response.headers().get_all(name.as_str()).iter();
            if !values.any(|value| value.as_bytes() == wanted.as_bytes()) {
                let found = response.headers().get(name.as_str()).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                let found = found.map_or_else(|| "missing".to_owned(), |found| Short(&found).to_string());
                return Err(Miss::new(Reason::Head, format!("header {name} is {found}, wanted {}", Short(wanted))));
            }
        }
        Ok(())
    }

    fn body(&self, Body { bytes, whole }: &Body) -> Result<(), Miss> {
        let beyond = |lacks: &str| {
            Miss::new(Reason::TooLarge, format!("the body is longer than the {} MiB that are looked through{lacks}", LIMIT >> 20))
        };
        let text = String::from_utf8_lossy(bytes);
        if let Some(lacks) = self.wanted.lacks(&text) {
            return Err(if *whole { Miss::new(Reason::Content, format!("the body {lacks}")) } else { beyond(&format!(", which {lacks}")) });
        }
        match &self.json {
            Some(_) if !whole => Err(beyond(", and so not read as JSON")),
            Some(expected) => expected.check(bytes),
            None => Ok(()),
        }
    }
}
