//! `/graphql`: a request in, checked, executed, answered.

use std::time::Instant;

use async_graphql::{Response as GraphqlResponse, parser::types::OperationType};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    Edge, access,
    check::{Checked, Operation, Unfit, check},
    lingering::Rest,
    multipart,
    observe::{self, Seen},
    rejection::{self, Rejection},
};
use crate::{
    audit::Caller,
    auth::Viewer,
    graphql::{Files, failure, loaders},
};

/// Headers that a page of another site cannot send with a form: each marks a multipart request as meant.
pub const PREFLIGHT_HEADERS: [&str; 2] = ["apollo-require-preflight", "x-apollo-operation-name"];
/// The media type of GraphQL over HTTP, in which invalid requests are not answered with 200.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
/// The longest request id that is taken over from a caller.
const LONGEST_REQUEST_ID: usize = 100;

/// An operation, or an event of a subscription, that was executed.
pub struct Executed {
    status: StatusCode,
    /// JSON, with the fields in the order of the selection.
    pub body: String,
    /// What is told of it.
    pub seen: Seen,
}

impl Executed {
    /// Gives its errors their codes.
    pub fn new(mut response: GraphqlResponse, request_id: &str) -> Self {
        let busy = failure::finish(&mut response, request_id, "BAD_USER_INPUT");
        let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = serde_json::to_string(&response).unwrap_or_else(|_| json!({ "data": null }).to_string());
        let codes = if response.errors.is_empty() { Vec::new() } else { observe::codes(&json!(response.errors)) };
        Self { status, body, seen: Seen { codes, graphql: true, ..Seen::default() } }
    }
}

/// What an HTTP request is answered with.
struct Answer {
    status: StatusCode,
    legacy_status: StatusCode,
    body: String,
    seen: Seen,
}

impl From<Unfit> for Answer {
    fn from(unfit: Unfit) -> Self {
        let body = json!({ "errors": unfit.errors }).to_string();
        Self { status: unfit.status, legacy_status: unfit.legacy_status, body, seen: unfit.seen() }
    }
}

impl From<Result<Executed, Unfit>> for Answer {
    fn from(outcome: Result<Executed, Unfit>) -> Self {
        match outcome {
            Ok(Executed { status, body, seen }) => Self { status, legacy_status: status, body, seen },
            Err(unfit) => unfit.into(),
        }
    }
}

/// Answers one HTTP request.
pub async fn answer(State(edge): State<Edge>, request: Request) -> Response {
    let request_id = request_id(request.headers());
    let modern = accepts_graphql_response(request.headers());
    let (request, rest) = Rest::of(request);
    // In a task of its own, so that a caller who hangs up leaves no file and no transaction half done.
    let (id, requests) = (request_id.clone(), edge.requests.clone());
    let span = tracing::info_span!("request", id);
    let answer = match requests.spawn(async move { respond(&edge, request, &id).await }.instrument(span)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(rejection)) => {
            rest.discard();
            Unfit::rejected(&rejection, &request_id).into()
        }
        Err(error) => {
            tracing::error!(request_id, "a request ended badly: {error}");
            Unfit::rejected(&Rejection::internal(), &request_id).into()
        }
    };
    let status = if modern { answer.status } else { answer.legacy_status };
    let kind = if modern { GRAPHQL_RESPONSE } else { "application/json" };
    let mut response = (status, Body::from(answer.body)).into_response();
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    rejection::set_headers(&mut response, status, &request_id);
    response.extensions_mut().insert(answer.seen);
    response
}

async fn respond(edge: &Edge, request: Request, request_id: &str) -> Result<Answer, Rejection> {
    let body = body_kind(&request)?;
    let viewer = access::caller(edge, request.headers()).await?;
    match body {
        BodyKind::Json => {
            let operation = read_json(edge, request).await?;
            Ok(execute(edge, viewer, operation, Files::default(), request_id).await.into())
        }
        // Only who may create jobs may send files.
        BodyKind::Multipart if viewer.is_none() => Err(Rejection::unauthenticated()),
        BodyKind::Multipart => {
            let received = multipart::receive(&edge.app, request).await?;
            let files = Files(received.files.clone().into());
            let answer = execute(edge, viewer, received.operation, files, request_id).await;
            multipart::drop_unused(&edge.app, &received.files).await;
            Ok(answer.into())
        }
    }
}

/// The two kinds of body that are answered. All others a page of another site could send with a form.
enum BodyKind {
    Json,
    Multipart,
}

fn body_kind(request: &Request) -> Result<BodyKind, Rejection> {
    if request.method() != Method::POST {
        let message = "Send GraphQL requests by POST, as JSON.";
        return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message));
    }
    let headers = request.headers();
    match access::media_type(headers).as_str() {
        "application/json" => Ok(BodyKind::Json),
        "multipart/form-data" if PREFLIGHT_HEADERS.iter().any(|name| headers.contains_key(*name)) => {
            Ok(BodyKind::Multipart)
        }
        "multipart/form-data" => {
            let message =
                "A multipart request needs the header apollo-require-preflight, so that no other site can send it.";
            Err(Rejection::new(StatusCode::BAD_REQUEST, "CSRF_BLOCKED", message))
        }
        _ => {
            let message = "Send the request as application/json, or as multipart/form-data with the header apollo-require-preflight.";
            Err(Rejection::new(StatusCode::BAD_REQUEST, "CSRF_BLOCKED", message))
        }
    }
}

async fn read_json(edge: &Edge, request: Request) -> Result<Operation, Rejection> {
    let limit = edge.app.limits.body_bytes;
    let body = to_bytes(request.into_body(), limit).await.map_err(|_| Rejection::too_large(limit as u64))?;
    let json = serde_json::from_slice(&body).map_err(|_| Rejection::bad_request("The body is not JSON."))?;
    Operation::parse(json)
}

/// Checks and executes an operation that reads or changes.
pub async fn execute(
    edge: &Edge,
    viewer: Option<Viewer>,
    operation: Operation,
    files: Files,
    request_id: &str,
) -> Result<Executed, Unfit> {
    let checked = check(edge, viewer.is_some(), operation, request_id).await?;
    if checked.operation == OperationType::Subscription {
        let message = "Subscriptions are answered over WebSocket, at this address.";
        let rejection = Rejection::new(StatusCode::BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED", message);
        return Err(Unfit::rejected(&rejection, request_id));
    }
    Ok(run(edge, viewer, checked, files, request_id).await)
}

/// Executes what was checked and is no subscription.
pub async fn run(edge: &Edge, viewer: Option<Viewer>, checked: Checked, files: Files, request_id: &str) -> Executed {
    let began = Instant::now();
    let (kind, name) = (checked.operation, checked.request.operation_name.clone());
    let user = viewer.as_ref().map(|viewer| viewer.user_id);
    let request = checked.request.data(files);
    let response = match viewer {
        None => edge.executor.execute(request).await,
        Some(viewer) => {
            let (loaders, mut batches) = loaders::loaders(edge.app.clone(), viewer.clone());
            let request = request.data(loaders).data(Caller { viewer, request_id: request_id.to_owned() });
            loaders::execute_with(edge.executor.execute(request), &mut batches).await
        }
    };
    let mut executed = Executed::new(response, request_id);
    let codes = std::mem::take(&mut executed.seen.codes);
    executed.seen = Seen { kind: Some(kind), name, user, codes, took: Some(began.elapsed()), graphql: true };
    executed
}

/// The caller's own request id, if it is a harmless one, else a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let harmless = |id: &&str| {
        (1..=LONGEST_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    given.filter(harmless).map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// Whether the caller names the newer media type; who names neither gets the older one.
fn accepts_graphql_response(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|text| text.contains(GRAPHQL_RESPONSE)))
}
