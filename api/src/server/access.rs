//! Who may reach the server at all, and who calls.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Edge,
    rate::{Admitted, Holder},
    rejection::Rejection,
    shares::Share,
};
use crate::auth::{Access, Viewer};

/// In local mode nobody logs in, so only pages and programs of this machine may ask: by a loopback name (another one
/// may be a foreign name that was rebound to this machine), from a browser by a loopback `Origin`, and with no proxy in
/// between that speaks for somebody elsewhere.
pub async fn only_from_here(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    if matches!(*edge.access, Access::Local) && !is_from_here(&request) {
        let message =
            "In local mode the server answers only to this machine: use http://127.0.0.1 or http://localhost.\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    next.run(request).await
}

/// Whether an origin is a site of this machine.
pub fn is_loopback_origin(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some_and(is_loopback)
}

fn is_from_here(request: &Request) -> bool {
    let headers = request.headers();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // The server is asked by the name in the address of the request (its absolute form, or HTTP/2) or by that in
    // `Host`; where there are several, programs differ on which one counts.
    let target = request.uri().authority().map(|authority| Some(authority.as_str()));
    let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().ok());
    let mut names = target.into_iter().chain(hosts).peekable();
    names.peek().is_some()
        && names.all(|name| name.is_some_and(is_loopback))
        && peer.is_none_or(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && headers.get_all(header::ORIGIN).iter().all(is_loopback_origin)
        && !headers.contains_key(header::FORWARDED)
        && FORWARDED_BY.iter().flat_map(|name| headers.get_all(*name)).all(|list| {
            // A development server on this machine may stand in between.
            list.to_str().is_ok_and(|list| list.split(',').all(|host| is_loopback(host.trim())))
        })
}

/// Where a proxy says whose request it passes on, and what that was for.
const FORWARDED_BY: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Whether a host, with or without a port, is this machine by its own address.
pub fn is_loopback(host: &str) -> bool {
    let address = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    // An address of IPv6 without a port and brackets, as proxies write it.
    if address(host) {
        return true;
    }
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, "")) => (name, None),
            Some((name, port)) if port.starts_with(':') => (name, Some(&port[1..])),
            _ => return false,
        },
        None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let is_port = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    is_port && (name.eq_ignore_ascii_case("localhost") || address(name))
}

/// Who calls by HTTP, as [`rate::admit`] found; `None` without a valid login.
pub fn caller(request: &Request) -> Result<Option<Viewer>, Rejection> {
    match request.extensions().get::<Admitted>() {
        Some(admitted) => admitted.caller.clone(),
        // An entrance without a door: nobody comes in.
        None => Err(Rejection::internal()),
    }
}

/// Whether the address of a request was charged with it.
pub fn is_address_charged(request: &Request) -> bool {
    request.extensions().get::<Admitted>().is_some_and(|admitted| admitted.is_address_charged)
}

/// What a request counts for among those of its caller that are at work.
pub fn at_work(request: &Request) -> Option<Arc<Share<Holder>>> {
    request.extensions().get::<Admitted>()?.at_work.clone()
}

/// Whether whoever has called may still call, without counting it as a request.
pub async fn may_stay(edge: &Edge, authorization: Option<&HeaderValue>) -> Result<bool, sea_orm::DbErr> {
    let Access::Token { login, .. } = &*edge.access else { return Ok(true) };
    let Some(token) = authorization.and_then(bearer) else { return Ok(false) };
    match login.known(token, || true).await {
        Some(known) => Ok(login.viewer(edge.app.db.reader(), &known).await?.is_some()),
        None => Ok(false),
    }
}

/// The media type of a request's body, in lower case and without its parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The token in a value of `Authorization`.
pub fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machines_own_addresses_are_loopback() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:1",
            "127.8.9.1",
            "[::1]",
            "[::1]:8080",
            "::1",
            "[::ffff:127.0.0.1]:1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:8080",
            "[::1]x",
            "0.0.0.0",
            "::",
            "[::]:1",
            "localhost:80@example.com",
            "127.0.0.1:x",
            "[::1]:x",
            "localhost.",
            "::ffff:10.0.0.1",
            "127.0.0.1 ",
            "unknown",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
