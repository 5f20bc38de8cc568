//! A request that is refused before it was read to its end. A server that closes the connection under a client that
//! still sends makes the client see a broken connection instead of the answer, so the rest is read and thrown away.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
    http::header,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// How long a refused request is read on.
const LONGEST: Duration = Duration::from_secs(10);

/// What is left of a request's body, whoever reads it.
#[derive(Clone)]
pub struct Rest {
    body: Arc<Mutex<BodyDataStream>>,
    /// The client waits to be told to send its body, and was not told.
    waits: Arc<AtomicBool>,
}

impl Rest {
    /// Shares the body of a request.
    pub fn of(request: Request) -> (Request, Self) {
        let waits = request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        let rest =
            Self { body: Arc::new(Mutex::new(body.into_data_stream())), waits: Arc::new(AtomicBool::new(waits)) };
        (Request::from_parts(head, Body::from_stream(rest.clone())), rest)
    }

    /// Reads on in the background, while the client gets its answer.
    pub fn discard(mut self) {
        if !self.waits.load(Ordering::Relaxed) {
            let read_on = async move { while let Some(Ok(_)) = self.next().await {} };
            tokio::spawn(tokio::time::timeout(LONGEST, read_on));
        }
    }
}

impl Stream for Rest {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.waits.store(false, Ordering::Relaxed);
        self.body.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
