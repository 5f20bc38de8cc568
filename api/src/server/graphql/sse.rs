//! GraphQL over server-sent events, one connection for each operation
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>, "Distinct connections mode").

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sea_orm::prelude::Uuid;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tracing::Instrument;

use super::run;
use crate::{
    auth::Viewer,
    server::{Edge, access, check::Checked, panics, rejection::Rejection, shares::Share},
};

/// Events that wait for a slow client; then the subscription waits.
const WAITING: usize = 16;
/// How long a client may take to take an event.
const SLOWEST: Duration = Duration::from_secs(30);
/// What is no event: shows both sides that the other one is there.
const COMMENT: &[u8] = b":\n\n";
/// The last event. Browsers pass over an event without data.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// An event with a result, which is JSON without a line break in it.
fn next(result: &str) -> String {
    format!("event: next\ndata: {result}\n\n")
}

/// The one result of an operation, as a stream that ends with it.
pub fn whole(result: &str) -> String {
    next(result) + COMPLETE
}

/// Begins to execute a subscription that was checked, and gives what is to be sent of it.
pub fn open(
    edge: &Edge,
    headers: &HeaderMap,
    viewer: Viewer,
    checked: Checked,
    request_id: &str,
) -> Result<Body, Rejection> {
    let place = (edge.streams.open(viewer.user_id)?, edge.streams.run(viewer.user_id)?, edge.streams.take()?);
    let (say, mut said) = mpsc::channel(WAITING);
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    let stream = Stream { edge: edge.clone(), authorization, request_id: request_id.to_owned(), say, _place: place };
    edge.requests.spawn(stream.serve(viewer, checked).in_current_span());
    Ok(Body::from_stream(stream::poll_fn(move |context| said.poll_recv(context)).map(Ok::<Bytes, Infallible>)))
}

struct Stream {
    edge: Edge,
    authorization: Option<HeaderValue>,
    request_id: String,
    say: mpsc::Sender<Bytes>,
    _place: (Share<Uuid>, Share<Uuid>, OwnedSemaphorePermit),
}

/// The client is gone, or takes nothing.
struct Gone;

impl Stream {
    /// Serves a client until one of both has enough. A stream that ends without its last event is begun again by
    /// clients, elsewhere perhaps.
    async fn serve(self, viewer: Viewer, checked: Checked) {
        let limits = self.edge.app.limits.socket;
        let ticks = |every, first| {
            let mut ticks = interval_at(first, every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let now = Instant::now();
        let (mut pings, mut rechecks) = (ticks(limits.ping, now), ticks(limits.recheck, now + limits.recheck));
        let results = run::watch(&self.edge, viewer, checked, &self.request_id);
        let mut watching = pin!(panics::caught(self.pass_on(results)));
        let last = loop {
            tokio::select! {
                () = self.edge.stop.cancelled() => return,
                () = self.say.closed() => return,
                ended = &mut watching => match ended {
                    Ok(Ok(())) => break COMPLETE.to_owned(),
                    Ok(Err(Gone)) => return,
                    Err(rejection) => break self.refusal(&rejection),
                },
                // Where events wait, they do as well.
                _ = pings.tick() => { _ = self.say.try_send(Bytes::from_static(COMMENT)); }
                _ = rechecks.tick() => if !self.may_stay().await {
                    break self.refusal(&Rejection::unauthenticated());
                },
            }
        };
        if self.send(last).await.is_err() {
            tracing::debug!("the client was gone before the end");
        }
    }

    /// Sends each result.
    async fn pass_on(&self, results: impl futures_util::Stream<Item = run::Executed>) -> Result<(), Gone> {
        let mut results = pin!(results);
        while let Some(executed) = results.next().await {
            self.send(next(&executed.body)).await?;
        }
        Ok(())
    }

    /// The last result and the end.
    fn refusal(&self, rejection: &Rejection) -> String {
        self.edge.app.metrics.count_errors(&[rejection.code.to_owned()]);
        whole(&rejection.body(&self.request_id).to_string())
    }

    async fn send(&self, text: String) -> Result<(), Gone> {
        match timeout(SLOWEST, self.say.send(text.into())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Whether the client may still be here. Who it is does not change meanwhile.
    async fn may_stay(&self) -> bool {
        access::may_stay(&self.edge, self.authorization.as_ref()).await.unwrap_or_else(|error| {
            tracing::warn!("cannot look at a caller's token again: {error}");
            true
        })
    }
}
