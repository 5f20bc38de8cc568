//! The web console.

use axum::{extract::Path, http::HeaderMap, response::Response};
use rust_embed::RustEmbed;

use super::{bundle, request_span::RequestId};

/// The built page; its source is in `console/`.
#[derive(RustEmbed)]
#[folder = "assets/console"]
struct Assets;

/// Scripts and styles are files of the page alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// The page itself, which finds by its address what to show.
pub async fn page(headers: HeaderMap) -> Response {
    bundle::page::<Assets>(&headers, POLICY)
}

/// What the page loads.
pub async fn asset(id: RequestId, headers: HeaderMap, Path(name): Path<String>) -> Response {
    bundle::asset::<Assets>(&id, &headers, &name, POLICY)
}
