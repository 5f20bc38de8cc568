//! `/graphql`: a request in, checked, executed, answered.

use async_graphql::{
    Request as GraphqlRequest, Response as GraphqlResponse, ServerError, parser::types::OperationType,
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Edge, access,
    lingering::Rest,
    multipart,
    rejection::{self, Rejection},
};
use tracing::Instrument;

use crate::{
    audit::Caller,
    auth::Viewer,
    graphql::{Files, document, failure, loaders, nesting, validation},
};

/// Headers that a page of another site cannot send with a form: each marks a multipart request as meant.
pub const PREFLIGHT_HEADERS: [&str; 2] = ["apollo-require-preflight", "x-apollo-operation-name"];
/// The media type of GraphQL over HTTP, in which invalid requests are not answered with 200.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
/// The longest request id that is taken over from a caller.
const LONGEST_REQUEST_ID: usize = 100;

/// The body of a request.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
pub struct Operation {
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

impl Operation {
    /// Reads it from JSON.
    pub fn parse(json: Value) -> Result<Self, Rejection> {
        let wrong = "The body is not a GraphQL request: an object with \"query\" and, where needed, \"variables\" and \"operationName\" is expected.";
        // A list would be taken for the fields in their order.
        let json = Some(json).filter(Value::is_object).ok_or_else(|| Rejection::bad_request(wrong))?;
        serde_json::from_value(json).map_err(|_| Rejection::bad_request(wrong))
    }
}

/// What a request is answered with.
struct Answer {
    status: StatusCode,
    /// In the older media type a request that could be read is answered with 200, whatever became of it.
    legacy_status: StatusCode,
    /// JSON, with the fields in the order of the selection.
    body: String,
}

impl Answer {
    fn rejected(rejection: &Rejection, request_id: &str) -> Self {
        let (status, body) = (rejection.status, rejection.body(request_id).to_string());
        Self { status, legacy_status: status, body }
    }

    /// A document that cannot be executed: nothing was.
    fn invalid(mut response: GraphqlResponse, code: &'static str, request_id: &str) -> Self {
        failure::finish(&mut response, request_id, code);
        let body = json!({ "errors": response.errors }).to_string();
        Self { status: StatusCode::BAD_REQUEST, legacy_status: StatusCode::OK, body }
    }

    fn executed(mut response: GraphqlResponse, request_id: &str) -> Self {
        let busy = failure::finish(&mut response, request_id, "BAD_USER_INPUT");
        let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = serde_json::to_string(&response).unwrap_or_else(|_| json!({ "data": null }).to_string());
        Self { status, legacy_status: status, body }
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
            Answer::rejected(&rejection, &request_id)
        }
        Err(error) => {
            tracing::error!(request_id, "a request ended badly: {error}");
            Answer::rejected(&Rejection::internal(), &request_id)
        }
    };
    let status = if modern { answer.status } else { answer.legacy_status };
    let kind = if modern { GRAPHQL_RESPONSE } else { "application/json" };
    let mut response = (status, Body::from(answer.body)).into_response();
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    rejection::name(&mut response, status, &request_id);
    response
}

async fn respond(edge: &Edge, request: Request, request_id: &str) -> Result<Answer, Rejection> {
    let body = body_kind(&request)?;
    let viewer = match access::viewer(edge, request.headers().get(header::AUTHORIZATION)).await {
        Ok(viewer) => viewer,
        Err(error) => {
            tracing::error!(request_id, "cannot look up the caller: {error}");
            return Err(Rejection::database_busy());
        }
    };
    match body {
        BodyKind::Json => {
            let operation = read_json(edge, request).await?;
            execute(edge, viewer, operation, Files::default(), request_id).await
        }
        // Only who may create jobs may send files.
        BodyKind::Multipart if viewer.is_none() => Err(Rejection::unauthenticated()),
        BodyKind::Multipart => {
            let received = multipart::receive(&edge.app, request).await?;
            let files = Files(received.files.clone().into());
            let answer = execute(edge, viewer, received.operation, files, request_id).await;
            multipart::drop_unused(&edge.app, &received.files).await;
            answer
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
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
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

/// Checks and executes an operation.
async fn execute(
    edge: &Edge,
    viewer: Option<Viewer>,
    operation: Operation,
    files: Files,
    request_id: &str,
) -> Result<Answer, Rejection> {
    let Some(query) = operation.query else {
        return Err(Rejection::bad_request("The request has no \"query\"."));
    };
    let limit = edge.app.limits.document_bytes;
    if query.len() > limit {
        let message = format!("The document is too large: at most {limit} bytes are allowed.");
        return Err(Rejection::new(StatusCode::BAD_REQUEST, "DOCUMENT_TOO_LARGE", message));
    }
    if nesting::is_too_nested(&query) {
        let message = document::Unprepared::TooDeep.to_string();
        return Err(Rejection::new(StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX", message));
    }
    let document = match async_graphql::parser::parse_query(&query) {
        Ok(document) => document,
        Err(error) => return Ok(unparsable(&error, request_id)),
    };
    let variables = async_graphql::Variables::from_json(Value::Object(operation.variables.unwrap_or_default()));
    let name = operation.operation_name.as_deref();
    let prepared = match document::prepare(&document, name, &variables, edge.executor.types()) {
        Ok(prepared) => prepared,
        Err(invalid @ (document::Unprepared::UnknownOperation | document::Unprepared::Circular)) => {
            let error = ServerError::new(invalid.to_string(), None);
            let response = GraphqlResponse::from_errors(vec![error]);
            return Ok(Answer::invalid(response, "GRAPHQL_VALIDATION_FAILED", request_id));
        }
        Err(limit) => return Err(Rejection::new(StatusCode::BAD_REQUEST, "QUERY_TOO_COMPLEX", limit.to_string())),
    };
    if viewer.is_none() && !prepared.roots.iter().all(|root| root.starts_with("__")) {
        return Err(Rejection::unauthenticated());
    }
    let mut request = GraphqlRequest::new(query).variables(variables);
    request.operation_name = operation.operation_name;
    // Without the variables' values, which are judged when the document is valid.
    let mut to_check = GraphqlRequest::new(request.query.clone());
    to_check.operation_name.clone_from(&request.operation_name);
    to_check.set_parsed_query(document.clone());
    let mut checked = edge.executor.check(to_check).await;
    checked.errors.retain(|error| !validation::is_judged_here(error));
    if !checked.errors.is_empty() {
        return Ok(Answer::invalid(checked, "GRAPHQL_VALIDATION_FAILED", request_id));
    }
    let rules = edge.executor.rules();
    let broken = rules.broken_by_document(&document, &request.query);
    if !broken.is_empty() {
        return Ok(Answer::invalid(GraphqlResponse::from_errors(broken), "GRAPHQL_VALIDATION_FAILED", request_id));
    }
    let broken = rules.broken_by_variables(&document, request.operation_name.as_deref(), &request.variables);
    if !broken.is_empty() {
        return Ok(Answer::invalid(GraphqlResponse::from_errors(broken), "BAD_USER_INPUT", request_id));
    }
    if prepared.operation == OperationType::Subscription {
        let message = "Subscriptions are not answered on this transport.";
        return Err(Rejection::new(StatusCode::BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED", message));
    }
    request.set_parsed_query(prepared.document);
    let request = request.data(files);
    let response = match viewer {
        None => edge.executor.execute(request).await,
        Some(viewer) => {
            let (loaders, batches) = loaders::loaders(edge.app.clone(), viewer.clone());
            let request = request.data(loaders).data(Caller { viewer, request_id: request_id.to_owned() });
            loaders::execute_with(edge.executor.execute(request), batches).await
        }
    };
    Ok(Answer::executed(response, request_id))
}

/// A document that cannot be read: where its mistake is, without the grammar of the parser.
fn unparsable(error: &async_graphql::parser::Error, request_id: &str) -> Answer {
    use async_graphql::parser::Error;
    let at = error.positions().next();
    let place = at.map_or_else(String::new, |at| format!(" at line {}, column {}", at.line, at.column));
    let (code, message) = match error {
        Error::OperationDuplicated { operation, .. } => {
            ("GRAPHQL_VALIDATION_FAILED", format!("There can be only one operation named \"{operation}\"."))
        }
        Error::FragmentDuplicated { fragment, .. } => {
            ("GRAPHQL_VALIDATION_FAILED", format!("There can be only one fragment named \"{fragment}\"."))
        }
        Error::MultipleOperations { .. } => {
            ("GRAPHQL_VALIDATION_FAILED", "An operation without a name must be the only one.".to_owned())
        }
        Error::MissingOperation => ("GRAPHQL_VALIDATION_FAILED", "The document has no operation.".to_owned()),
        _ => ("GRAPHQL_PARSE_FAILED", format!("The document has a syntax error{place}.")),
    };
    let error = ServerError::new(message, at);
    Answer::invalid(GraphqlResponse::from_errors(vec![error]), code, request_id)
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
