//! Pages of other sites that may ask (Fetch standard, "CORS protocol"): those of the list, and no other.

use std::time::Duration;

use axum::http::{HeaderName, Method, header};
use tower_http::cors::CorsLayer;

use super::{graphql::PREFLIGHT_HEADERS, request_span::REQUEST_ID};
use crate::origins::Origins;

/// For how long a browser need not ask again.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Answers browsers that ask first, and marks answers that pages of the list may read. Nothing is allowed to go with
/// a request by itself, as cookies do: who calls is said by a header that the page sets.
pub fn layer(origins: &Origins) -> CorsLayer {
    let name = HeaderName::from_static;
    let ours = PREFLIGHT_HEADERS.map(name);
    let known = [
        header::ACCEPT,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
        REQUEST_ID,
        name("traceparent"),
        name("tracestate"),
    ];
    let shown = [
        header::ACCEPT_RANGES,
        header::CONTENT_DISPOSITION,
        header::CONTENT_RANGE,
        header::ETAG,
        header::RETRY_AFTER,
        REQUEST_ID,
        name("ratelimit"),
        name("ratelimit-policy"),
    ];
    CorsLayer::new()
        .allow_origin(origins.all().to_vec())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(known.into_iter().chain(ours).collect::<Vec<_>>())
        .expose_headers(shown)
        .max_age(MAX_AGE)
}
