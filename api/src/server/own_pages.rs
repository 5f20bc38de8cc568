//! Who may open a stream of events or a WebSocket: no page of another site, whatever it knows.

use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::{Edge, rejection::Rejection};
use crate::origins::Origins;

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
