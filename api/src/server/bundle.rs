//! Pages that are built into the program, compressed as they stand there: no request leaves the machine.

use std::io::Read;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::{request_span::RequestId, unknown_path};

/// The page `index.html` of a bundle, under a policy of what it may load.
pub fn page<Assets: RustEmbed>(headers: &HeaderMap, policy: &'static str) -> Response {
    let Some(file) = Assets::get("index.html") else { return StatusCode::NOT_FOUND.into_response() };
    file_response(headers, &file, "text/html; charset=utf-8", false, policy)
}

/// A script, style sheet or picture of a bundle.
pub fn asset<Assets: RustEmbed>(id: &RequestId, headers: &HeaderMap, name: &str, policy: &'static str) -> Response {
    let nothing = || unknown_path::rejection().response(id.as_str());
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        _ => return nothing(),
    };
    match Assets::get(&format!("{name}.gz")) {
        Some(file) => file_response(headers, &file, kind, true, policy),
        None => nothing(),
    }
}

/// Whether an entry of `accept-encoding` takes gzip: a weight of 0 refuses it.
fn is_gzip(entry: &str) -> bool {
    let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
    let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim_end_matches(['0', '.']).is_empty());
    name.trim().eq_ignore_ascii_case("gzip") && !refused
}

fn file_response(
    headers: &HeaderMap,
    file: &EmbeddedFile,
    kind: &'static str,
    compressed: bool,
    policy: &'static str,
) -> Response {
    let mut response = bare_response(headers, file, kind, compressed);
    // Of scripts too: workers live by their own.
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn bare_response(headers: &HeaderMap, file: &EmbeddedFile, kind: &'static str, compressed: bool) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let fresh = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    let seen = headers.get(header::IF_NONE_MATCH).and_then(|seen| seen.to_str().ok());
    if seen.is_some_and(|seen| seen.split(',').any(|seen| seen.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, fresh).into_response();
    }
    let kind = [(header::CONTENT_TYPE, kind), (header::VARY, "accept-encoding")];
    let takes_gzip = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok())
        .is_some_and(|accepted| accepted.split(',').any(is_gzip));
    if !compressed {
        (fresh, kind, file.data.clone()).into_response()
    } else if takes_gzip {
        (fresh, kind, [(header::CONTENT_ENCODING, "gzip")], file.data.clone()).into_response()
    } else {
        let mut plain = Vec::new();
        match flate2::read::GzDecoder::new(&*file.data).read_to_end(&mut plain) {
            Ok(_) => (fresh, kind, plain).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
