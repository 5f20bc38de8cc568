//! One connection, from its opening to its end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    body::{Paced, Tracked},
    pulse::Pulse,
    taking::{Offered, StreamTasks},
};
use crate::app::ConnectionLimits;

/// How often an HTTP/2 client is asked whether it is there while a request is at work, and how long it may take to answer.
const ASK: Duration = Duration::from_secs(20);
/// What is kept of answers to an HTTP/2 request that its client does not take yet, in bytes.
const SEND_AHEAD: usize = 64 * 1024;
/// The longest time between two looks at what the client does.
const LOOK: Duration = Duration::from_secs(1);

/// What is needed to serve a connection.
pub struct Serving {
    pub peer: SocketAddr,
    pub routes: Router,
    pub limits: ConnectionLimits,
    pub pulse: Pulse,
    pub stop: CancellationToken,
}

impl Serving {
    /// Serves until the client goes, has used up its time, or the server stops and what is in flight is answered.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { peer, routes, limits, pulse, stop } = self;
        let service = {
            let pulse = pulse.clone();
            hyper::service::service_fn(move |request| answer(request, peer, routes.clone(), limits, pulse.clone()))
        };
        let builder = builder(&limits);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut looks = interval((limits.head / 4).clamp(Duration::from_millis(10), LOOK));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut over) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!("a connection ended badly: {error}");
                    }
                    return;
                }
                () = stop.cancelled(), if !told => {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = looks.tick() => if pulse.is_over(Instant::now(), &limits) {
                    // First politely.
                    if over {
                        return;
                    }
                    over = true;
                    connection.as_mut().graceful_shutdown();
                } else {
                    over = false;
                },
            }
        }
    }
}

/// What does not stand here is hyper's own: of an HTTP/2 client that resets its requests at once, say, 20 at a time.
fn builder(limits: &ConnectionLimits) -> Builder<StreamTasks> {
    let head_bytes = usize::try_from(limits.head_bytes).unwrap_or(usize::MAX);
    let mut builder = Builder::new(StreamTasks { patience: limits.take });
    // The time for a head is measured by the pulse: hyper's own would end pauses too.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .max_send_buf_size(SEND_AHEAD)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(ASK);
    builder
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    routes: Router,
    limits: ConnectionLimits,
    pulse: Pulse,
) -> Result<Response, Infallible> {
    let at_work = pulse.begin(request.version());
    let (mut head, body) = request.into_parts();
    head.extensions.insert(ConnectInfo(peer));
    let body = Paced::new(body, limits.body, limits.body_rate);
    head.extensions.insert(body.slow());
    let response = routes.oneshot(Request::from_parts(head, Body::new(body))).await?;
    Ok(response.map(|body| Body::new(Tracked::new(body, at_work, Offered::here()))))
}
