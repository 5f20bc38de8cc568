//! Who may open a stream of events or a WebSocket: no page of another site, whatever it knows. Of such pages the log
//! tells, as their browsers tell nobody but their developers why they get no answer.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};

use super::{Edge, access::is_loopback_origin, rejection::Rejection};
use crate::{auth::Access, graphql::quoting::shorten, origins::Origins};

/// Logs each request of a page of a site that is not allowed: the server, or its browser, keeps the answer from it.
pub async fn tell_of_others(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).filter(|_| !is_own_page(headers, request.uri(), &edge.app.origins));
    let Some(origin) = origin.cloned() else { return next.run(request).await };
    // Where a proxy passes on another name than its own, the browser knows better.
    let is_own_to_browser = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN || !is_own_to_browser {
        let what_to_do = what_to_do(&origin, matches!(*edge.access, Access::Local));
        let mut origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
        shorten(&mut origin);
        tracing::info!(origin, path, "a page of another site is kept from the answer: {what_to_do}");
    }
    response
}

/// How whoever runs the server can let a page ask.
fn what_to_do(origin: &HeaderValue, is_local: bool) -> &'static str {
    let can_be_listed =
        origin.to_str().is_ok_and(|origin| origin.parse::<Origins>().is_ok_and(|it| !it.all().is_empty()));
    if !can_be_listed {
        "it names no site that could be allowed"
    } else if is_local && !is_loopback_origin(origin) {
        "without login only this machine's pages may ask; else start with --auth jwt and add the origin to --cors-origin"
    } else {
        "to let it ask, add the origin to --cors-origin"
    }
}

/// Rejects pages of sites that are not allowed.
pub fn only_these(edge: &Edge, headers: &HeaderMap, uri: &Uri) -> Result<(), Rejection> {
    if is_own_page(headers, uri, &edge.app.origins) {
        return Ok(());
    }
    let message = "A page of another site may not connect; whoever runs the server can allow its origin.";
    Err(Rejection::new(StatusCode::FORBIDDEN, "CSRF_BLOCKED", message))
}

/// Whether whoever asks is a page of this very server, of a site that is allowed, or no page at all. Browsers let any
/// page open a WebSocket or a stream of events to any server, and name the page's site in `Origin`, which no page can
/// change, or say at least (Fetch Metadata) that it is another one.
fn is_own_page(headers: &HeaderMap, uri: &Uri, allowed: &Origins) -> bool {
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
    fn the_log_advises_what_can_be_done() {
        for (origin, is_local, advice) in [
            ("https://pages.example", false, "to let it ask, add"),
            ("http://localhost:5173", true, "to let it ask, add"),
            ("https://pages.example", true, "--auth jwt"),
            ("null", false, "no site"),
            ("", true, "no site"),
            ("chrome-extension://abc", false, "no site"),
        ] {
            let told = what_to_do(&HeaderValue::from_static(origin), is_local);
            assert!(told.contains(advice), "{origin}: {told}");
        }
    }

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
