//! The listener: takes connections in, as many as there are places for, and gives each its time.
//!
//! `axum::serve` knows neither TLS nor limits of connections and of time, so this is ours, on hyper.

mod body;
mod connection;
mod io;
mod places;
mod pulse;
mod taking;
pub mod tls;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
pub use body::answer_slow;
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    io::Watched,
    places::{Place, Places},
    pulse::Pulse,
    tls::Tls,
};
use crate::app::ConnectionLimits;

/// Pause after an error that will not pass by itself at once, such as too many open files.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Where connections come in, and what they get.
pub struct Entrance {
    /// Bound already.
    pub listener: TcpListener,
    /// The certificate; without one nothing is encrypted.
    pub tls: Option<Tls>,
    /// What answers.
    pub routes: Router,
    /// How long for.
    pub limits: ConnectionLimits,
    /// Told how many connections there are.
    pub open: Gauge,
}

/// Serves until `stop`; then ends when what is in flight is answered.
pub async fn serve(entrance: Entrance, stop: CancellationToken) {
    let Entrance { listener, tls, routes, limits, open } = entrance;
    let places = Places::new(limits.connections, limits.per_address, open);
    let connections = TaskTracker::new();
    let serving = async {
        loop {
            let place = places.one().await;
            let (stream, peer) = accept(&listener).await;
            let Some(place) = place.of(peer.ip()) else { continue };
            let (tls, routes, stop) = (tls.clone(), routes.clone(), stop.clone());
            connections.spawn(take_in(stream, peer, place, tls, routes, limits, stop));
        }
    };
    let renewing = async {
        match &tls {
            Some(tls) => tls.keep_fresh(limits.certificate).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = serving => {}
        () = renewing => {}
    }
    // Nobody new is kept waiting for an answer that will not come.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client was faster.
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {}
            Err(error) => {
                tracing::error!("cannot take a connection in: {error}");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

async fn take_in(
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    tls: Option<Tls>,
    routes: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot send small answers at once: {error}");
    }
    let pulse = Pulse::new();
    let stream = Watched::new(stream, pulse.clone(), limits.take, place);
    let serving = connection::Serving { peer, routes, limits, pulse, stop };
    let Some(tls) = tls else { return serving.serve(stream).await };
    let stop = serving.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        shaken = timeout(limits.handshake, tls.acceptor().accept(stream)) => match shaken {
            Ok(Ok(stream)) => serving.serve(stream).await,
            Ok(Err(error)) => tracing::debug!("no TLS handshake: {error}"),
            Err(_) => tracing::debug!("the client took too long for the TLS handshake"),
        }
    }
}
