//! Who may reach the server at all, and what browsers are told about its pages.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Edge, rejection::Rejection};
use crate::auth::{self, Access, Viewer};

/// In local mode nobody logs in, so only pages and programs of this machine may ask: by a loopback `Host` (another
/// one may be a foreign name that was rebound to this machine) and, from a browser, a loopback `Origin`.
pub async fn only_from_here(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    if matches!(*edge.access, Access::Local) {
        let headers = request.headers();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| request.uri().host());
        let origin = headers.get(header::ORIGIN);
        if !host.is_some_and(is_loopback) || !origin.is_none_or(is_loopback_origin) {
            let message =
                "In local mode the server answers only to this machine: use http://127.0.0.1 or http://localhost.\n";
            return (StatusCode::FORBIDDEN, message).into_response();
        }
    }
    next.run(request).await
}

/// Whether an origin is a site of this machine.
pub fn is_loopback_origin(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some_and(is_loopback)
}

/// Whether a host, with or without a port, is this machine by its own address.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
            _ => return false,
        },
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Who calls; `None` without a valid login.
pub async fn viewer(edge: &Edge, authorization: Option<&HeaderValue>) -> Result<Option<Viewer>, sea_orm::DbErr> {
    match &*edge.access {
        Access::Local => Ok(Some(Viewer::local())),
        Access::Token(secret) => match authorization.and_then(bearer) {
            Some(token) => auth::token::verify(edge.app.db.reader(), secret, token).await,
            None => Ok(None),
        },
    }
}

/// Who calls by HTTP, likewise.
pub async fn caller(edge: &Edge, headers: &HeaderMap) -> Result<Option<Viewer>, Rejection> {
    viewer(edge, headers.get(header::AUTHORIZATION)).await.map_err(|error| {
        tracing::error!("cannot look up the caller: {error}");
        Rejection::database_busy()
    })
}

/// The media type of a request's body, in lower case and without its parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machines_own_addresses_are_loopback() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1:8080", "[::1]x", "0.0.0.0"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
