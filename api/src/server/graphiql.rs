//! GraphiQL.

use axum::{extract::Path, http::HeaderMap, response::Response};
use rust_embed::RustEmbed;

use super::{bundle, request_span::RequestId};

/// The built page; its source is in `graphiql/`.
#[derive(RustEmbed)]
#[folder = "assets/graphiql"]
struct Assets;

/// GraphiQL sets styles from scripts and carries its fonts in the style sheet.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self'; \
                      font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; form-action 'none'";

/// The page itself.
pub async fn page(headers: HeaderMap) -> Response {
    bundle::page::<Assets>(&headers, POLICY)
}

/// What the page loads.
pub async fn asset(id: RequestId, headers: HeaderMap, Path(name): Path<String>) -> Response {
    bundle::asset::<Assets>(&id, &headers, &name, POLICY)
}
