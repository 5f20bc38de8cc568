//! How many WebSocket connections and event streams may be open on this server at a time.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rejection::Rejection;

/// Places for connections that stay open.
#[derive(Clone, Debug)]
pub struct Streams {
    free: Arc<Semaphore>,
    most: usize,
}

impl Streams {
    /// So many places.
    pub fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most }
    }

    /// Takes a place until the answer is dropped. Rejected where all are taken.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, Rejection> {
        self.free.clone().try_acquire_owned().map_err(|_| {
            tracing::warn!("all {} places for WebSockets and event streams are taken", self.most);
            let message = "The server has as many open WebSockets and event streams as it allows; try again later.";
            Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_STREAMS", message)
        })
    }
}
