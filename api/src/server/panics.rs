//! A panic is a mistake of the program: it is logged, and whoever asked is told that their request came to nothing.

use std::{future::Future, panic::AssertUnwindSafe};

use axum::{extract::Request, middleware::Next, response::Response};
use futures_util::FutureExt;

use super::{rejection::Rejection, request_span::RequestId};
use crate::error::Error;

/// Works to the end, or to a panic. Nothing of what was worked on is used after one.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Rejection> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        tracing::error!("a request ended badly: {}", Error::of_panic(&*panic));
        Rejection::internal()
    })
}

/// Answers a request whose handler panicked.
pub async fn answered(id: RequestId, request: Request, next: Next) -> Response {
    caught(next.run(request)).await.unwrap_or_else(|rejection| rejection.response(id.as_str()))
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::{Body, to_bytes},
        http::StatusCode,
        routing::get,
    };
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::server::cors;

    async fn broken() -> StatusCode {
        panic!("a secret")
    }

    #[tokio::test]
    async fn a_page_of_the_list_may_read_that_the_program_panicked() {
        let origins = "https://pages.example".parse().expect("an origin");
        let routes = Router::new().route("/", get(broken)).layer(axum::middleware::from_fn(answered));
        let routes: Router = routes.layer(cors::layer(&origins));
        let request = Request::get("/").header("origin", "https://pages.example").header("x-request-id", "mine");
        let response = routes.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://pages.example");
        let body = to_bytes(response.into_body(), 10_000).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let extensions = json!({ "code": "INTERNAL_SERVER_ERROR", "requestId": "mine" });
        assert_eq!(body["errors"][0]["extensions"], extensions);
        assert!(!body.to_string().contains("secret"));
    }
}
