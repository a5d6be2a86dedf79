//! Looking at containers, whichever engine has them.
//!
//! Podman's answers have states that Docker's interface does not, and no client that knows Docker's can read them. They are read as what
//! they mean there:
//!
//! | Podman says | it is |
//! |---|---|
//! | `configured`, `initialized` | `created` |
//! | `stopped`: its process has ended, and what held it is not cleaned up yet | `exited` |

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::error::DockerError;

/// The most of an answer that is read, in bytes: a list of some ten thousand containers.
const LARGEST: usize = 64 << 20;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the container engine answers.
#[derive(Clone, Debug)]
pub(super) enum Door {
    /// A socket of this host.
    Unix(Arc<Path>),
    /// A host and a port.
    Tcp(Arc<str>),
}

impl Door {
    /// A container, by its id or name; none where there is none.
    pub(super) async fn container(&self, id: &str) -> Result<Option<ContainerInspectResponse>, DockerError> {
        const DOING: &str = "inspect a container";
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let (status, body) = self.get(DOING, &format!("/containers/{id}/json")).await?;
        match accepted(DOING, status, &body) {
            Ok(body) => read_container(body).map(Some).map_err(unreadable(DOING)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ids of the containers that pass these filters, running or not.
    pub(super) async fn container_ids(&self, filters: &HashMap<String, Vec<String>>) -> Result<Vec<String>, DockerError> {
        const DOING: &str = "list containers";
        let filters = serde_json::to_string(filters).map_err(unreadable(DOING))?;
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("all", "true").append_pair("filters", &filters).finish();
        let (status, body) = self.get(DOING, &format!("/containers/json?{query}")).await?;
        let listed: Vec<Value> = serde_json::from_slice(accepted(DOING, status, &body)?).map_err(unreadable(DOING))?;
        let id = |container: Value| container.get("Id").and_then(Value::as_str).map(str::to_owned);
        listed.into_iter().map(id).collect::<Option<_>>().ok_or(DockerError::Answer { doing: DOING, lacking: "an id" })
    }

    /// What the engine says of itself.
    pub(super) async fn info(&self) -> Result<Value, DockerError> {
        const DOING: &str = "ask the container engine about itself";
        let (status, body) = self.get(DOING, "/info").await?;
        serde_json::from_slice(accepted(DOING, status, &body)?).map_err(unreadable(DOING))
    }

    /// Asks without a version in the path, as the client does: each engine then answers in its own, and none refuses one that is too old.
    async fn get(&self, doing: &'static str, path: &str) -> Result<(StatusCode, Bytes), DockerError> {
        let asked = async {
            match self {
                Self::Unix(socket) => over(UnixStream::connect(socket).await?, path).await,
                Self::Tcp(address) => over(TcpStream::connect(&**address).await?, path).await,
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answered) => answered.map_err(|error| DockerError::Lost { doing, why: error.to_string() }),
            Err(_) => Err(DockerError::Lost { doing, why: format!("nothing within {} seconds", PATIENCE.as_secs()) }),
        }
    }
}

/// What keeps an answer from coming.
type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, path: &str) -> Result<(StatusCode, Bytes), Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header("Host", "docker").body(Empty::<Bytes>::new())?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        Ok((status, Limited::new(response.into_body(), LARGEST).collect().await?.to_bytes()))
    };
    tokio::pin!(answered);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        // Where it ends first, the answer has come whole, or says itself what is missing.
        _ = connection => answered.await,
    }
}

fn accepted<'b>(doing: &'static str, status: StatusCode, body: &'b [u8]) -> Result<&'b [u8], DockerError> {
    if status == StatusCode::OK {
        return Ok(body);
    }
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let said = said.as_ref().and_then(|said| said.get("message")).and_then(Value::as_str);
    let said = said.map_or_else(|| String::from_utf8_lossy(body).trim().to_owned(), str::to_owned);
    Err(DockerError::Refused { doing, status: status.as_u16(), said })
}

/// Whether there is no such container. Podman answers 500 where one goes while it is looked at, and says by words that it is gone.
fn is_missing(error: &DockerError) -> bool {
    match error {
        DockerError::Refused { status: 404, .. } => true,
        DockerError::Refused { status: 500, said, .. } => said.ends_with("no such container"),
        _ => false,
    }
}

fn unreadable(doing: &'static str) -> impl Fn(serde_json::Error) -> DockerError {
    move |error| DockerError::Unreadable { doing, why: error.to_string() }
}

fn read_container(body: &[u8]) -> Result<ContainerInspectResponse, serde_json::Error> {
    let mut said: Value = serde_json::from_slice(body)?;
    if let Some(status) = said.pointer_mut("/State/Status") {
        let meant = match status.as_str() {
            Some("configured" | "initialized") => Some("created"),
            Some("stopped") => Some("exited"),
            _ => None,
        };
        if let Some(meant) = meant {
            *status = meant.into();
        }
    }
    serde_json::from_value(said)
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerStateStatusEnum;

    use super::*;

    #[test]
    fn the_states_of_podman_are_read_as_dockers() {
        let cases = [
            ("configured", ContainerStateStatusEnum::CREATED),
            ("initialized", ContainerStateStatusEnum::CREATED),
            ("stopped", ContainerStateStatusEnum::EXITED),
            ("running", ContainerStateStatusEnum::RUNNING),
        ];
        for (word, expected) in cases {
            let found = read_container(format!("{{ \"State\": {{ \"Status\": \"{word}\" }} }}").as_bytes()).unwrap();
            assert_eq!(found.state.unwrap().status, Some(expected), "{word}");
        }
        let error = read_container(b"{ \"State\": { \"Status\": \"asleep\" } }").unwrap_err();
        assert!(error.to_string().contains("asleep"), "{error}");
    }

    #[test]
    fn one_that_goes_while_it_is_looked_at_is_gone_and_any_other_failure_is_not() {
        let missing = |status, body: &[u8]| is_missing(&accepted("look", status, body).unwrap_err());
        let gone = b"{\"message\":\"container 6c36 does not exist in database: no such container\"}";
        assert!(missing(StatusCode::INTERNAL_SERVER_ERROR, gone) && missing(StatusCode::NOT_FOUND, b"{}"));
        assert!(!missing(StatusCode::INTERNAL_SERVER_ERROR, b"{\"message\":\"the database is locked\"}"));
    }

    #[test]
    fn a_refusal_says_what_the_engine_says() {
        let said = |body: &[u8]| accepted("look", StatusCode::CONFLICT, body).unwrap_err().to_string();
        assert_eq!(said(b"{\"message\":\"no\"}"), "failed to look: the container engine answers 409: no");
        assert_eq!(said(b" bad gateway\n"), "failed to look: the container engine answers 409: bad gateway");
    }
}
