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

use tracing::{Instrument, Span};

use self::message::Close;
use super::{Edge, access, graphql, rate, request_span::RequestId};
use crate::{metrics::Counted, origins::Origins};

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// An older one, which is not: its clients are let in alone to be told so, as browsers show their pages nothing of a
/// connection that is not opened.
const OLDER: &str = "graphql-ws";

/// Opens a WebSocket where one is asked for; answers any other request as the rest.
pub async fn open(
    State(edge): State<Edge>,
    id: RequestId,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let Ok(upgrade) = upgrade else { return graphql::answer(State(edge), id, request).await };
    let headers = request.headers();
    if let Err(rejection) = access::caller(&request) {
        return rejection.response(id.as_str());
    }
    if !is_own_page(headers, request.uri(), &edge.app.origins) {
        return (StatusCode::FORBIDDEN, "A page of another site may not connect.\n").into_response();
    }
    let place = match edge.streams.take() {
        Ok(place) => place,
        Err(rejection) => return rejection.response(id.as_str()),
    };
    // What a client may send at once is as much as over HTTP.
    let limit = edge.app.limits.body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL, OLDER]).max_message_size(limit).max_frame_size(limit);
    let spoken = upgrade.selected_protocol().is_some_and(|protocol| protocol == PROTOCOL);
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    let origin = rate::origin(&edge, &request);
    let is_address_charged = access::is_address_charged(&request);
    // Counted from here on, so that a server that stops waits for it.
    let counted = edge.requests.token();
    let span = Span::current();
    upgrade.on_upgrade(async move |socket| {
        let _open = Counted::one(&edge.app.metrics.sockets);
        let serving = async {
            if spoken {
                connection::serve(edge.clone(), authorization, origin, is_address_charged, socket).await;
            } else {
                connection::close(socket, Close::unknown_protocol()).await;
            }
        };
        serving.instrument(span).await;
        drop((counted, place));
    })
}

/// Whether whoever asks is a page of this very server, of a site that is allowed, or no page at all. Browsers let any
/// page open a WebSocket or a stream of events to any server, and name the page's site in `Origin`, which no page can
/// change, or say at least (Fetch Metadata) that it is another one.
pub fn is_own_page(headers: &HeaderMap, uri: &Uri, allowed: &Origins) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return !headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
    };
    if allowed.contains(origin) {
        return true;
    }
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
            ("jobs.example.com", Some("https://pages.example.com"), true),
            ("jobs.example.com", Some("http://pages.example.com"), false),
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
            let allowed = "https://pages.example.com".parse().expect("an origin");
            assert_eq!(is_own_page(&headers, &Uri::from_static("/graphql"), &allowed), own, "{host} {origin:?}");
        }
        for (site, own) in [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false)] {
            let headers = HeaderMap::from_iter([
                (header::HOST, "jobs.example.com".parse().expect("a host")),
                (header::HeaderName::from_static("sec-fetch-site"), site.parse().expect("a site")),
            ]);
            assert_eq!(is_own_page(&headers, &Uri::from_static("/graphql"), &Origins::default()), own, "{site}");
        }
    }
}
