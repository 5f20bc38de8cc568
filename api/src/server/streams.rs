//! How many WebSocket connections, event streams and subscriptions there may be on this server at a time.

use std::sync::Arc;

use axum::http::StatusCode;
use sea_orm::prelude::Uuid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    rejection::Rejection,
    shares::{Share, Shares},
};

/// Places for connections that stay open.
#[derive(Clone, Debug)]
pub struct Streams {
    free: Arc<Semaphore>,
    most: usize,
    /// Of each user: connections that are open, and subscriptions that run on them.
    open: Shares<Uuid>,
    running: Shares<Uuid>,
}

impl Streams {
    /// So many places, and so many for each user.
    pub fn new(most: usize, per_user: usize) -> Self {
        let free = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { free, most, open: Shares::new(per_user), running: Shares::new(per_user) }
    }

    /// Takes a place until what is given is dropped. Rejected where all are taken.
    pub fn take(&self) -> Result<OwnedSemaphorePermit, Rejection> {
        self.free.clone().try_acquire_owned().map_err(|_| {
            tracing::warn!("all {} places for WebSockets and event streams are taken", self.most);
            rejection("The server has as many open WebSockets and event streams as it allows; try again later.")
        })
    }

    /// Counts a connection as this user's. Rejected where the user has enough.
    pub fn open(&self, user: Uuid) -> Result<Share<Uuid>, Rejection> {
        self.open.take(user).ok_or_else(|| self.enough("open WebSockets and event streams"))
    }

    /// Counts a subscription of a user. Rejected where the user has enough.
    pub fn run(&self, user: Uuid) -> Result<Share<Uuid>, Rejection> {
        self.running.take(user).ok_or_else(|| self.enough("running subscriptions"))
    }

    fn enough(&self, what: &str) -> Rejection {
        let most = self.open.most();
        rejection(format!("You have as many {what} as one user may have, {most}; end one first."))
    }
}

fn rejection(message: impl Into<String>) -> Rejection {
    Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_STREAMS", message)
}
