//! A request that is not executed.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::observe::Seen;
use crate::graphql::{document::exceeded::Exceeded, quoting::shorten};

/// HTTP status, code, message.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// HTTP status.
    pub status: StatusCode,
    /// For programs.
    pub code: &'static str,
    /// One sentence, for people.
    pub message: String,
    /// What else its extensions tell programs.
    pub details: Map<String, Value>,
}

impl Rejection {
    /// A rejection.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Map::new() }
    }

    /// More than a limit allows, with its name and its numbers.
    pub fn exceeded(code: &'static str, limit: &str, allowed: u64, found: u64, message: impl Into<String>) -> Self {
        let details = [("limit", json!(limit)), ("allowed", json!(allowed)), ("found", json!(found))];
        let details = details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { details, ..Self::new(StatusCode::BAD_REQUEST, code, message) }
    }

    /// A body that is larger than allowed.
    pub fn too_large(limit: u64) -> Self {
        let message = format!("The request is too large: at most {limit} bytes are allowed.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    /// A body that is not what it should be.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// Nobody is signed in.
    pub fn unauthenticated() -> Self {
        let message = "Sign in first: send a valid token as \"authorization: Bearer …\".";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    /// The caller cannot be looked up.
    pub fn database_busy() -> Self {
        let message = "The database is busy or cannot be reached; try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "DATABASE_BUSY", message)
    }

    /// Something that is in nobody's hands but the server's.
    pub fn internal() -> Self {
        let message = "Something went wrong on the server; its log has the details under this request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
    }

    /// The artifact store does not answer.
    pub fn store_away(what: &str) -> Self {
        let message = format!("The artifact store does not {what}; try again in a moment.");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_SERVER_ERROR", message)
    }

    /// The body of the answer: like that of a GraphQL request.
    pub fn body(&self, request_id: &str) -> Value {
        let mut extensions = self.details.clone();
        extensions.insert("code".to_owned(), json!(self.code));
        extensions.insert("requestId".to_owned(), json!(request_id));
        let mut message = self.message.clone();
        shorten(&mut message);
        json!({ "errors": [{ "message": message, "extensions": extensions }] })
    }

    /// The answer where no GraphQL is spoken.
    pub fn response(&self, request_id: &str) -> Response {
        let mut response = (self.status, axum::Json(self.body(request_id))).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        set_headers(&mut response, self.status);
        response.extensions_mut().insert(Seen { codes: vec![self.code.to_owned()], ..Seen::default() });
        response
    }
}

/// Sets the headers that go with a status.
pub fn set_headers(response: &mut Response, status: StatusCode) {
    let headers = response.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => _ = headers.insert(header::ALLOW, HeaderValue::from_static("POST")),
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
}

impl From<Exceeded> for Rejection {
    fn from(exceeded: Exceeded) -> Self {
        let Exceeded { allowed, found, .. } = exceeded;
        Self::exceeded(exceeded.code(), exceeded.name(), allowed, found, exceeded.to_string())
    }
}
