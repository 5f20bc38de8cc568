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
