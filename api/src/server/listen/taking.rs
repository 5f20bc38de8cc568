//! Whether the client of an HTTP/2 stream still takes its answer. The connection may go on for others, so that it tells
//! nothing of that, and a body that nobody asks for more cannot look at the clock.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::rt::Executor;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_millis(10);

tokio::task_local! {
    /// Of the stream whose task this is.
    static OFFERED: Offered;
}

/// Since when a piece of an answer has waited to be sent. None waits when the next one is asked for.
#[derive(Clone, Default)]
pub struct Offered(Arc<Mutex<Option<Instant>>>);

impl Offered {
    /// Of the stream that is served here; `None` where its connection is no HTTP/2.
    pub fn here() -> Option<Self> {
        OFFERED.try_with(Clone::clone).ok()
    }

    /// A piece waits from now on, or none does.
    pub fn set(&self, waits: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waits.then(Instant::now);
    }

    /// Ready when a piece has waited for so long.
    async fn left_lying(&self, patience: Duration) {
        let every = (patience / 4).max(LOOK);
        let mut looks = interval_at(Instant::now() + every, every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if since.is_some_and(|since| since.elapsed() >= patience) {
                return;
            }
        }
    }
}

/// Runs the streams of HTTP/2 connections, each for as long as its client takes what is sent.
#[derive(Clone, Copy)]
pub struct StreamTasks {
    /// How long a client may take nothing.
    pub patience: Duration,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let (offered, patience) = (Offered::default(), self.patience);
        tokio::spawn(async move {
            tokio::select! {
                _ = OFFERED.scope(offered.clone(), stream) => {}
                // What is dropped here resets the stream.
                () = offered.left_lying(patience) => tracing::debug!("a client takes nothing of a stream"),
            }
        });
    }
}
