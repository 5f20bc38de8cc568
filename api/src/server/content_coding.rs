//! Bodies are taken as they are: one that a client has compressed is refused before anybody reads it as something else.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{lingering::Rest, rejection::Rejection, request_span::RequestId};

/// Refuses a body in a content coding, and says that there is none to choose (RFC 9110, 12.5.3).
pub async fn only_identity(id: RequestId, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || is_identity(request.headers()) {
        return next.run(request).await;
    }
    let (_, rest) = Rest::of(request);
    rest.discard();
    let message = "The body has a content encoding, and none is taken: send it uncompressed, without the header content-encoding.";
    let rejection = Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
    let mut response = rejection.response(id.as_str());
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    response
}

fn is_identity(headers: &HeaderMap) -> bool {
    let is_none = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    values.all(|value| value.to_str().is_ok_and(|codings| codings.split(',').map(str::trim).all(is_none)))
}
