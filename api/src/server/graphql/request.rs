//! What an HTTP request asks for, on whichever way it says it.

use axum::{
    body::to_bytes,
    extract::{Query, Request},
    http::{HeaderMap, Method, StatusCode},
};
use serde_json::{Map, Value};

use crate::server::{Edge, access, check::Operation, rejection::Rejection};

/// Headers that a page of another site cannot send with a form: each marks a multipart request as meant.
pub const PREFLIGHT_HEADERS: [&str; 2] = ["apollo-require-preflight", "x-apollo-operation-name"];

/// The ways to ask. All other kinds of body a page of another site could send with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the address. Any page can do that, as with a picture, so nothing is changed by it; and no page of another
    /// site can read the answer.
    Address,
    /// As JSON, which browsers send for pages of allowed sites alone.
    Json,
    /// With files.
    Multipart,
}

impl Way {
    /// The way of a request.
    pub fn of(request: &Request) -> Result<Self, Rejection> {
        if request.method() != Method::POST {
            return Ok(Self::Address);
        }
        let headers = request.headers();
        match access::media_type(headers).as_str() {
            "application/json" => Ok(Self::Json),
            "multipart/form-data" if is_meant(headers) => Ok(Self::Multipart),
            "multipart/form-data" => Err(csrf(
                "A multipart request needs the header apollo-require-preflight, so that no other site can send it.",
            )),
            _ => Err(csrf(
                "Send the request as application/json, or as multipart/form-data with the header apollo-require-preflight.",
            )),
        }
    }
}

/// Whether a page of another site could not have sent it without being asked.
pub fn is_meant(headers: &HeaderMap) -> bool {
    PREFLIGHT_HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// What a page of another site may have sent.
fn csrf(message: &str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, "CSRF_BLOCKED", message)
}

/// Reads a body of JSON.
pub async fn read_json(edge: &Edge, request: Request) -> Result<Operation, Rejection> {
    let limit = edge.app.limits.body_bytes;
    let body = to_bytes(request.into_body(), limit).await.map_err(|_| Rejection::too_large(limit as u64))?;
    Operation::parse(serde_json::from_slice(&body).map_err(|_| Rejection::bad_request("The body is not JSON."))?)
}

/// Reads the parameters of an address (GraphQL over HTTP, "GET"). Those of other names are nobody's business here.
pub fn read_address(request: &Request) -> Result<Operation, Rejection> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
        .map_err(|_| Rejection::bad_request("The parameters of the address cannot be read."))?;
    let mut operation = Map::new();
    for (name, text) in pairs {
        // Many write a parameter without a value.
        if text.is_empty() && name != "query" {
            continue;
        }
        let value = match name.as_str() {
            "query" | "operationName" => Value::String(text),
            "variables" | "extensions" => object(&name, &text)?,
            _ => continue,
        };
        if operation.insert(name.clone(), value).is_some() {
            return Err(Rejection::bad_request(format!("The parameter \"{name}\" is given twice.")));
        }
    }
    Operation::parse(Value::Object(operation))
}

/// What a parameter holds that is an object or null.
fn object(name: &str, text: &str) -> Result<Value, Rejection> {
    let value: Option<Value> = serde_json::from_str(text).ok();
    value
        .filter(|value| value.is_object() || value.is_null())
        .ok_or_else(|| Rejection::bad_request(format!("The parameter \"{name}\" is not an object in JSON.")))
}
