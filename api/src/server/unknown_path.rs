//! What is asked of a path where nothing is.

use axum::{extract::Request, http::StatusCode, response::Response};

use super::{lingering::Rest, rejection::Rejection, request_span::RequestId};

/// Says where the API is.
pub async fn answer(id: RequestId, request: Request) -> Response {
    let (_, rest) = Rest::of(request);
    rest.discard();
    rejection().response(id.as_str())
}

/// Nothing is at the path of a request.
pub fn rejection() -> Rejection {
    let message = "Nothing is at this path: send GraphQL requests to /graphql, or open /console in a browser.";
    Rejection::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}
