//! The bodies of requests, which must come in time, and of answers, with which a request ends.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{pulse::AtWork, taking::Offered};
use crate::server::{rejection::Rejection, request_span::RequestId};

/// The body of a request. It fails where the client sends too little for too long; time in which nobody asks for it does not
/// count.
pub struct Paced {
    body: Incoming,
    /// In each such time of waiting, `least` bytes must come.
    window: Duration,
    least: u64,
    /// In this window: how long was waited, for how many bytes, and since when.
    waited: Duration,
    came: u64,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    slow: Slow,
}

/// Whether a request's body failed because it came too slowly.
#[derive(Clone, Default)]
pub struct Slow(Arc<AtomicBool>);

impl Paced {
    /// A body of which `rate` bytes a second must come in each `window`.
    pub fn new(body: Incoming, window: Duration, rate: u64) -> Self {
        let least = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate).div_ceil(1000).max(1);
        let (waited, came, since, timer) = (Duration::ZERO, 0, None, None);
        Self { body, window, least, waited, came, since, timer, slow: Slow::default() }
    }

    /// Tells whether it failed.
    pub fn slow(&self) -> Slow {
        self.slow.clone()
    }

    /// Waits until the window is over, and the next one where enough came; ready when too little came.
    fn too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let since = *self.since.get_or_insert_with(Instant::now);
            let until = since + self.window.saturating_sub(self.waited);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if timer.deadline() != until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(context));
            if self.came < self.least {
                return Poll::Ready(());
            }
            (self.waited, self.came, self.since) = (Duration::ZERO, 0, None);
        }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        if this.slow.0.load(Ordering::Relaxed) {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some(since) = this.since.take() {
                this.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                this.came += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.too_slow(context));
        this.slow.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err("the client sends too slowly".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers a request whose body came too slowly: whatever a handler made of that, it was not the client's intention.
pub async fn answer_slow(id: RequestId, request: Request, next: Next) -> Response {
    let slow = request.extensions().get::<Slow>().cloned().unwrap_or_default();
    let response = next.run(request).await;
    if !slow.0.load(Ordering::Relaxed) {
        return response;
    }
    let message = "The request came too slowly; send it again.";
    let mut answer = Rejection::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message).response(id.as_str());
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The most of an answer that is given to an HTTP/2 stream at a time, in bytes: a whole frame of the size that each
/// client takes (RFC 9113, 4.2). Given more, hyper would keep it for a client that takes nothing, and be done with the
/// body.
const PIECE: usize = 16_384;

/// The body of an answer. When it is dropped, the request is answered to its end.
pub struct Tracked {
    body: Body,
    /// What was not given yet of the last frame.
    rest: Bytes,
    /// Of an HTTP/2 stream, what its client takes.
    offered: Option<Offered>,
    _at_work: AtWork,
}

impl Tracked {
    /// The body of the answer to a request.
    pub fn new(body: Body, at_work: AtWork, offered: Option<Offered>) -> Self {
        Self { body, rest: Bytes::new(), offered, _at_work: at_work }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(http_body::Body::poll_frame(Pin::new(&mut self.body), context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let Some(offered) = this.offered.clone() else { return Pin::new(&mut this.body).poll_frame(context) };
        let piece = this.poll_piece(context);
        offered.set(matches!(piece, Poll::Ready(Some(_))));
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}
