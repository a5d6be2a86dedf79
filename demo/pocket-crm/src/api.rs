//! The routes and the shape of every answer. Whatever is refused says why, as `{"error": "…"}`.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRequestParts, Path, Query, Request, State,
        rejection::{BytesRejection, PathRejection, QueryRejection},
    },
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    auth::Credential,
    lead::{Change, Draft, Lead, Status},
    store::{Filter, Store, StoreError},
};

/// Largest request body, in bytes: a lead is text.
const MAX_BODY: usize = 64 * 1024;
/// Leads on a page when the caller does not say, and at most.
const DEFAULT_LIMIT: usize = 200;
const MAX_LIMIT: usize = 1000;

/// What the routes share.
#[derive(Debug)]
pub struct App {
    /// The leads.
    pub store: Store,
    /// Who may write.
    pub admin: Credential,
    /// How long an open lead may go without an update before it is stale.
    pub stale_after: Duration,
}

/// The API over this store.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/api/v1/Lead", get(list).post(create))
        .route("/api/v1/Lead/{id}", get(read).patch(update).delete(remove))
        .fallback(|uri: Uri| async move { ApiError::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path())) })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(log))
        .with_state(app)
}

/// The store is read, so that a server that has lost its disk does not call itself healthy.
async fn health(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let leads = with_store(app, |app| app.store.count()).await?;
    Ok(Json(json!({ "status": "ok", "leads": leads })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    status: Option<Status>,
    stale: Option<Flag>,
    offset: Option<usize>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Flag {
    #[serde(rename = "1", alias = "true")]
    Yes,
    #[serde(rename = "0", alias = "false")]
    No,
}

async fn list(State(app): State<Arc<App>>, query: Result<Query<ListQuery>, QueryRejection>) -> Result<Json<Value>, ApiError> {
    let Query(query) = query.map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))?;
    let page = with_store(app, move |app| {
        let patience = SignedDuration::try_from(app.stale_after).unwrap_or(SignedDuration::MAX);
        app.store.list(Filter {
            status: query.status,
            untouched_since: (query.stale == Some(Flag::Yes)).then(|| Timestamp::now().checked_sub(patience).unwrap_or(Timestamp::MIN)),
            offset: query.offset.unwrap_or(0),
            limit: query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
        })
    })
    .await?;
    Ok(Json(json!({ "total": page.total, "list": page.list })))
}

async fn create(State(app): State<Arc<App>>, _: Admin, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let draft: Draft = parsed(body)?;
    let lead = with_store(app, move |app| app.store.insert(draft, Timestamp::now())).await?;
    let location = format!("/api/v1/Lead/{}", lead.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(lead)).into_response())
}

async fn read(State(app): State<Arc<App>>, id: Result<Path<u64>, PathRejection>) -> Result<Json<Lead>, ApiError> {
    let id = known(&id)?;
    Ok(Json(with_store(app, move |app| app.store.get(id)).await?))
}

async fn update(
    State(app): State<Arc<App>>,
    _: Admin,
    id: Result<Path<u64>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Lead>, ApiError> {
    let id = known(&id)?;
    let change: Change = parsed(body)?;
    Ok(Json(with_store(app, move |app| app.store.update(id, change, Timestamp::now())).await?))
}

async fn remove(State(app): State<Arc<App>>, _: Admin, id: Result<Path<u64>, PathRejection>) -> Result<StatusCode, ApiError> {
    let id = known(&id)?;
    with_store(app, move |app| app.store.remove(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Proof that the request carries the administrator's credential. It stands before the body among a route's arguments:
/// who may not write is refused before the body is read.
struct Admin;

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given.is_some_and(|value| app.admin.accepts(value)) {
            return Ok(Self);
        }
        Err(ApiError::new(StatusCode::UNAUTHORIZED, "this needs the administrator's credential (HTTP Basic, user admin)"))
    }
}

/// An id that is no number belongs to no lead: 404, not 400.
fn known(id: &Result<Path<u64>, PathRejection>) -> Result<u64, ApiError> {
    match id {
        Ok(Path(id)) => Ok(*id),
        Err(_) => Err(ApiError::new(StatusCode::NOT_FOUND, "there is no such lead: ids are numbers")),
    }
}

fn parsed<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let body = body.map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, format!("the body is not a lead: {error}")))
}

/// A commit waits for the disk, so it waits on a thread of its own and holds up no other request.
async fn with_store<T, F>(app: Arc<App>, ask: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce(&App) -> Result<T, StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(move || ask(&app)).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the request was not finished: {error}"))),
    }
}

/// A refusal: its status, the sentence a caller reads, and the field it is about.
#[derive(Debug)]
struct ApiError {
    status: StatusCode,
    message: String,
    field: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (status, field) = match &error {
            StoreError::NoLead(_) => (StatusCode::NOT_FOUND, None),
            StoreError::EmailTaken { .. } => (StatusCode::CONFLICT, Some("email")),
            StoreError::Invalid(invalid) => (StatusCode::BAD_REQUEST, Some(invalid.field)),
            StoreError::Missing(_)
            | StoreError::Busy(_)
            | StoreError::Directory(..)
            | StoreError::Disk(_)
            | StoreError::Damaged(..)
            | StoreError::Unwritable(..) => {
                note(&format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()));
                (StatusCode::INTERNAL_SERVER_ERROR, None)
            }
        };
        Self { status, message: error.to_string(), field }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.message });
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"pocket-crm\""));
        }
        response
    }
}

async fn log(request: Request, next: Next) -> Response {
    let (method, uri, begun) = (request.method().clone(), request.uri().clone(), Instant::now());
    let response = next.run(request).await;
    note(&format!("{method} {uri} {} {} ms", response.status().as_u16(), begun.elapsed().as_millis()));
    response
}

/// One line to stderr. A log that cannot be written (a full disk, a closed pipe) must not take the server with it.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
