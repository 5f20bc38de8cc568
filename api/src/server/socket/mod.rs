//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).
//!
//! The library's own handler knows none of its close codes but 4429, has no limit of operations, and executes what was
//! not checked here, so this is ours.

mod connection;
mod message;
mod operation;

use axum::{
    extract::{
        Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{Edge, graphql};
use crate::metrics::Counted;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// Opens a WebSocket where one is asked for; answers any other request as the rest.
pub async fn open(
    State(edge): State<Edge>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let Ok(upgrade) = upgrade else { return graphql::answer(State(edge), request).await };
    let headers = request.headers();
    if !is_own_page(headers, request.uri()) {
        return (StatusCode::FORBIDDEN, "A page of another site may not connect.\n").into_response();
    }
    // What a client may send at once is as much as over HTTP.
    let limit = edge.app.limits.body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit);
    if upgrade.selected_protocol().is_none() {
        let message = "The WebSocket protocol graphql-transport-ws is spoken here; name it in the request.\n";
        return (StatusCode::BAD_REQUEST, message).into_response();
    }
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    // Counted from here on, so that a server that stops waits for it.
    let counted = edge.requests.token();
    upgrade.on_upgrade(async move |socket| {
        let _open = Counted::one(&edge.app.metrics.sockets);
        connection::serve(edge.clone(), authorization, socket).await;
        drop(counted);
    })
}

/// Whether whoever asks is a page of this very server or no page at all. Browsers let any page open a WebSocket to any
/// server and name the page's site in `Origin`, which no page can change.
fn is_own_page(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
    let site = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.zip(site).is_some_and(|(host, (scheme, site))| {
        let default = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        let bare = |name: &str| name.strip_suffix(default).unwrap_or(name).to_ascii_lowercase();
        bare(host) == bare(site)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_the_same_host_and_port_may_connect() {
        for (host, origin, own) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080"), true),
            ("jobs.example.com", Some("https://jobs.example.com"), true),
            ("Jobs.example.com:443", Some("https://jobs.example.com"), true),
            ("[::1]:8080", Some("http://[::1]:8080"), true),
            ("jobs.example.com", None, true),
            ("127.0.0.1:8080", Some("http://127.0.0.1:8081"), false),
            ("127.0.0.1:8080", Some("http://localhost:8080"), false),
            ("jobs.example.com", Some("https://example.com"), false),
            ("jobs.example.com", Some("https://jobs.example.com.evil.com"), false),
            ("jobs.example.com", Some("https://jobs.example.com:8443"), false),
            ("jobs.example.com", Some("null"), false),
            ("jobs.example.com", Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a host"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("an origin"));
            }
            assert_eq!(is_own_page(&headers, &Uri::from_static("/graphql")), own, "{host} {origin:?}");
        }
    }
}
