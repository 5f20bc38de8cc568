//! The edge to the network: routes, and the background work that runs beside them.

mod access;
mod check;
mod cors;
mod download;
mod graphiql;
mod graphql;
mod lingering;
mod multipart;
mod rate;
mod rejection;
mod request_span;
mod security_headers;
mod socket;
mod streams;
mod uploads;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::{any, get, post},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
};

pub use self::access::is_loopback_origin;
use self::streams::Streams;
use crate::{app::App, auth::Access, deletion::purge, events::trim, graphql::Executor, jobs::worker};

/// What requests need.
#[derive(Clone, Debug)]
pub struct Edge {
    app: App,
    access: Arc<Access>,
    executor: Executor,
    /// Requests at work, also those whose caller is gone.
    requests: TaskTracker,
    /// The server stops: connections that would stay open are closed.
    stop: CancellationToken,
    /// Places for connections that stay open.
    streams: Streams,
}

/// A server that answers requests and works on jobs and purges.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    requests: TaskTracker,
}

/// All routes. What they work on is spawned on `requests`, so that whoever stops them can wait for it.
pub fn routes(app: App, access: Access, requests: TaskTracker, stop: CancellationToken) -> Router {
    let streams = Streams::new(app.limits.streams);
    let edge = Edge { executor: Executor::new(app.clone()), app, access: Arc::new(access), requests, stop, streams };
    // Each caller is looked up and counted; the rest is for everybody.
    let entrances = Router::new()
        .route("/graphql", any(graphql::answer).get(socket::open).layer(compression()))
        .route("/uploads", post(uploads::answer))
        .route("/artifacts/{id}", get(download::answer))
        .route_layer(axum::middleware::from_fn_with_state(edge.clone(), rate::admit));
    let routes = Router::new()
        .merge(entrances)
        .route("/", get(async || Redirect::temporary("/graphiql")))
        .route("/graphiql", get(graphiql::page))
        .route("/graphiql/assets/{name}", get(graphiql::asset))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready));
    let allowed = &edge.app.origins;
    let routes = if allowed.all().is_empty() { routes } else { routes.layer(cors::layer(allowed)) };
    routes
        .layer(axum::middleware::from_fn_with_state(edge.clone(), access::only_from_here))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn(security_headers::on_each))
        .layer(axum::middleware::from_fn(request_span::of_each))
        .with_state(edge)
}

/// Compresses answers of some size, with little work; streams of events are sent as they come.
fn compression() -> CompressionLayer<impl Predicate> {
    let worth_it = SizeAbove::new(1024).and(NotForContentType::SSE);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it)
}

/// Whether requests can be served: the database answers.
async fn ready(State(edge): State<Edge>) -> impl IntoResponse {
    match edge.app.db.reader().ping().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::warn!("not ready: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
        }
    }
}

/// Begins background work again where it panicked: what it leaves in the database can be taken up.
async fn kept_alive<F>(name: &'static str, stop: CancellationToken, work: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(work()).await {
        tracing::error!("the {name} panicked and begins again: {error}");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

impl Server {
    /// Answers requests on a listener that is already bound, and works on jobs and purges beside it.
    pub fn start(app: App, access: Access, listener: TcpListener) -> std::io::Result<Self> {
        let mut server = Self::start_idle(app.clone(), access, listener)?;
        let stop = &server.stop;
        for _ in 0..app.limits.workers {
            let (app, stop) = (app.clone(), stop.clone());
            let work = {
                let stop = stop.clone();
                move || worker::work(app.clone(), stop.clone())
            };
            server.tasks.push(tokio::spawn(kept_alive("worker", stop, work)));
        }
        let purge = {
            let (app, stop) = (app.clone(), stop.clone());
            move || purge::work(app.clone(), stop.clone())
        };
        server.tasks.push(tokio::spawn(kept_alive("purge", stop.clone(), purge)));
        let trim = {
            let stop = stop.clone();
            move || trim::work(app.clone(), stop.clone())
        };
        server.tasks.push(tokio::spawn(kept_alive("trimming of events", stop.clone(), trim)));
        Ok(server)
    }

    /// Answers requests alone: nothing happens in the background.
    pub fn start_idle(app: App, access: Access, listener: TcpListener) -> std::io::Result<Self> {
        let stop = CancellationToken::new();
        let address = listener.local_addr()?;
        let requests = TaskTracker::new();
        let routes = routes(app, access, requests.clone(), stop.clone());
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stop.clone().cancelled_owned();
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
                tracing::error!("the server ended: {error}");
            }
        });
        Ok(Self { address, stop, tasks: vec![serving], requests })
    }

    /// Answers what was asked, finishes what callers that are gone had asked and the batch and the purge at hand, and
    /// ends.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!("a task of the server ended badly: {error}");
            }
        }
        self.requests.close();
        self.requests.wait().await;
    }
}
