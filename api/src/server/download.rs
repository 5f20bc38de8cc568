//! `GET /artifacts/{id}`: a file of a job, whole or a range of its bytes (RFC 9110, 14).

use std::ops::Range;

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use entity::artifact;
use http_range_header::{StartPosition, SyntacticallyCorrectRange};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::prelude::Uuid;

use super::{
    Edge, access,
    rejection::{self, Rejection},
    request_span::RequestId,
};
use crate::{
    auth::Viewer,
    files::{download, file_name},
};

/// What RFC 8187 lets stand in a name beside letters and digits.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// What every client understands in a name.
const NAME_ASCII: fn(char) -> bool = |char| char.is_ascii_alphanumeric() || " .-_()".contains(char);

/// Answers one download.
pub async fn answer(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    request_id: RequestId,
    request: Request,
) -> Response {
    let request_id = request_id.as_str();
    match find(&edge, &id, access::caller(&request)).await {
        Err(rejection) => rejection.response(request_id),
        Ok(file) => {
            let mut response = respond(&edge, &file, request.method(), request.headers())
                .await
                .unwrap_or_else(|rejection| rejection.response(request_id));
            let status = response.status();
            rejection::set_headers(&mut response, status);
            response
        }
    }
}

/// The file, if the caller sees its job; all others are told the same.
async fn find(edge: &Edge, id: &str, caller: Result<Option<Viewer>, Rejection>) -> Result<artifact::Model, Rejection> {
    let viewer = caller?.ok_or_else(Rejection::unauthenticated)?;
    let missing = || Rejection::new(StatusCode::NOT_FOUND, "NOT_FOUND", "No such file.");
    let id = Uuid::try_parse(id).map_err(|_| missing())?;
    download::find(edge.app.db.reader(), &viewer, id)
        .await
        .map_err(|error| {
            tracing::error!("cannot look up a file: {error}");
            Rejection::database_busy()
        })?
        .ok_or_else(missing)
}

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Some(Range<u64>),
    /// The range lies beyond the end.
    None,
    /// The caller has it already.
    Unchanged,
}

async fn respond(
    edge: &Edge,
    file: &artifact::Model,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    let size = file.size.unsigned_abs();
    let part = part(method, headers, &tag(file), size);
    let (status, range) = match part {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::None => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
        Part::Unchanged => (StatusCode::NOT_MODIFIED, 0..0),
    };
    let body = if range.is_empty() || method == Method::HEAD {
        Body::empty()
    } else {
        let chunks = edge.app.store.read_range(download::key(file), range.clone()).await.map_err(|error| {
            tracing::error!(job = %file.job_id, "cannot send a file: {error}");
            if error.is_missing() {
                Rejection::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The file is gone from the artifact store.")
            } else {
                Rejection::store_away("give the file")
            }
        })?;
        Body::from_stream(chunks)
    };
    let mut response = (status, body).into_response();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::ETAG, tag(file));
    set(header::CACHE_CONTROL, "private, no-cache".to_owned());
    match status {
        StatusCode::NOT_MODIFIED => return Ok(response),
        StatusCode::RANGE_NOT_SATISFIABLE => set(header::CONTENT_RANGE, format!("bytes */{size}")),
        StatusCode::PARTIAL_CONTENT => {
            set(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
        }
        _ => {}
    }
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::CONTENT_LENGTH, (range.end - range.start).to_string());
    set(header::CONTENT_TYPE, content_type(file).to_owned());
    // A file from outside is never shown in the server's own name.
    let name = file_name(&file.name);
    let plain: String = name.chars().map(|it| if NAME_ASCII(it) { it } else { '_' }).collect();
    let name = utf8_percent_encode(&name, NAME);
    set(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{name}"));
    set(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned());
    Ok(response)
}

/// Tells one content from another. A file under one id never changes.
fn tag(file: &artifact::Model) -> String {
    format!("\"{}\"", file.sha256.clone().unwrap_or_else(|| file.id.to_string()))
}

fn part(method: &Method, headers: &HeaderMap, tag: &str, size: u64) -> Part {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|it| is_tag(it.trim(), tag))) {
        return Part::Unchanged;
    }
    let Some(range) = text(header::RANGE).filter(|_| method == Method::GET) else { return Part::Whole };
    // Of another content the range means nothing.
    if text(header::IF_RANGE).is_some_and(|wanted| wanted != tag) {
        return Part::Whole;
    }
    // What is no range is ignored (RFC 9110, 14.2); of several ranges the whole may be sent.
    let Ok(parsed) = http_range_header::parse_range_header(range) else { return Part::Whole };
    match parsed.validate(size) {
        Ok(ranges) => match &ranges[..] {
            [range] => Part::Some(*range.start()..*range.end() + 1),
            _ => Part::Whole,
        },
        // The crate refuses a suffix that is longer than the file; the standard takes the whole (RFC 9110, 14.1.2).
        Err(_)
            if matches!(parsed.ranges[..], [SyntacticallyCorrectRange { start: StartPosition::FromLast(1..), .. }]) =>
        {
            Part::Some(0..size)
        }
        Err(_) => Part::None,
    }
}

/// Compared weakly (RFC 9110, 13.1.2): what compresses on the way marks tags as weak.
fn is_tag(given: &str, tag: &str) -> bool {
    given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
}

fn content_type(file: &artifact::Model) -> &'static str {
    let ending = file.name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => "text/csv; charset=utf-8",
        Some("log") => "text/plain; charset=utf-8",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_as_the_standard_reads_them() {
        let part = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
            part(&Method::GET, &headers, "\"t\"", 100)
        };
        assert_eq!(part("bytes=0-0"), Part::Some(0..1));
        assert_eq!(part("bytes=10-"), Part::Some(10..100));
        assert_eq!(part("bytes=-10"), Part::Some(90..100));
        assert_eq!(part("bytes=90-1000"), Part::Some(90..100));
        for beyond in ["bytes=100-", "bytes=100-200"] {
            assert_eq!(part(beyond), Part::None, "{beyond}");
        }
        for whole in ["bytes=0-1,50-60", "lines=1-2", "bytes=a-b", "nonsense"] {
            assert_eq!(part(whole), Part::Whole, "{whole}");
        }
        assert_eq!(part("bytes=-1000"), Part::Some(0..100));
    }
}
