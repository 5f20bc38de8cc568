//! Each request's id and trace: read here, and here alone, and borne by the span in which the request is answered.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, field};
use uuid::Uuid;

use super::traced;

/// The header that bears a request's id, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken over from a caller.
const LONGEST_REQUEST_ID: usize = 100;

/// The id under which a request is found in logs and errors: the caller's own, if it is a harmless one, else a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let harmless = |id: &&str| {
            (1..=LONGEST_REQUEST_ID).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
        };
        Self(given.filter(harmless).map_or_else(|| Uuid::now_v7().to_string().into(), Arc::from))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

/// Answers each request in a span with its id and, where its caller sent a valid `traceparent`, the trace's id. Tasks
/// that go on with a request take the span along. The id goes out with every answer.
pub async fn of_each(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    // Without what follows the path, which may hold somebody's data.
    let span = tracing::info_span!(
        "request",
        id = id.as_str(),
        trace_id = field::Empty,
        method = %request.method(),
        path = request.uri().path(),
    );
    let traced = traced::request(&request, &id, &span);
    if let Some(trace) = trace_id(request.headers()).filter(|_| traced.is_disabled()) {
        span.record("trace_id", trace);
    }
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(traced.clone()).instrument(span).await;
    traced::answered(&traced, &response);
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The id of the trace that a request belongs to (W3C Trace Context, 3.2): what is not as the standard wants it is
/// none.
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all("traceparent").iter();
    let text = given.next()?.to_str().ok()?;
    let mut parts = text.split('-');
    let [version, trace, parent, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    // Later versions may say more.
    let more = parts.next().is_some() && version == "00";
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let id = |part: &str, length| hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let valid = hex(version, 2) && version != "ff" && id(trace, 32) && id(parent, 16) && hex(flags, 2) && !more;
    (valid && given.next().is_none()).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().expect("a header"));
        }
        trace_id(&headers).map(str::to_owned)
    }

    #[test]
    fn a_trace_is_taken_over_from_a_valid_header_alone() {
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(read(&[&valid]).as_deref(), Some(TRACE));
        assert_eq!(read(&[&format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes")]).as_deref(), Some(TRACE));
        for invalid in [
            "",
            "00",
            &valid.to_uppercase(),
            &format!("{valid}-"),
            &format!("{valid}-x"),
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("0-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7"),
            &format!("00-{TRACE}-00f067aa0ba902b7-1"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}-00f067aa0ba902bg-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
        ] {
            assert_eq!(read(&[invalid]), None, "{invalid}");
        }
        assert_eq!(read(&[&valid, &valid]), None, "two of them");
        assert_eq!(read(&[]), None);
    }
}
