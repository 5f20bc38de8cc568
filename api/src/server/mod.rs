//! The edge to the network: routes, and the background work that runs beside them.

mod access;
mod backfill_files;
mod bundle;
mod check;
mod console;
mod content_coding;
mod cors;
mod download;
mod finishing;
mod graphiql;
mod graphql;
mod known;
mod lingering;
mod listen;
mod multipart;
mod observe;
mod own_pages;
mod panics;
mod probes;
mod rate;
mod rejection;
mod request_span;
mod security_headers;
mod shares;
mod socket;
mod streams;
mod traced;
mod unknown_path;
mod uploads;

use std::{net::SocketAddr, ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::header,
    response::Redirect,
    routing::{any, get, post},
};
pub use listen::tls::{Tls, TlsError};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
};

pub use self::access::is_loopback_origin;
use self::{listen::Entrance, probes::Probes, rate::Holder, shares::Shares, streams::Streams};
use crate::{
    app::{App, ConnectionLimits},
    auth::{Access, rate::shared},
    deletion::purge,
    events::trim,
    graphql::Executor,
    jobs::worker,
    metrics,
    notifications::outbox,
    retention::{
        run,
        schedule::{self, Clock},
    },
};

/// Connections at a time to the metrics.
const METRICS_CONNECTIONS: usize = 16;

/// What requests need. Cheap to clone: each layer of each request has its own.
#[derive(Clone, Debug)]
pub struct Edge(Arc<Parts>);

impl Deref for Edge {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of [`Edge`].
#[derive(Debug)]
pub struct Parts {
    app: App,
    access: Arc<Access>,
    executor: Executor,
    /// Documents that were found valid.
    known: known::Known,
    /// Requests at work, also those whose caller is gone.
    requests: TaskTracker,
    /// The server stops: connections that would stay open are closed.
    stop: CancellationToken,
    /// Places for connections that stay open.
    streams: Streams,
    /// Requests at work of each caller.
    at_work: Shares<Holder>,
    /// The server stops soon: nobody should be sent here any more.
    leaving: CancellationToken,
    /// What is known of the parts that requests need.
    probes: Probes,
}

/// Where a server is reached.
#[derive(Debug)]
pub struct Doors {
    /// For requests.
    pub listener: TcpListener,
    /// The certificate; without one nothing is encrypted.
    pub tls: Option<Tls>,
    /// For `/metrics` alone, never encrypted.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Doors {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None, metrics: None }
    }
}

/// A server that answers requests and works on jobs and purges.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it shows its metrics.
    pub metrics: Option<SocketAddr>,
    stop: CancellationToken,
    leaving: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    requests: TaskTracker,
}

/// All routes. What they work on is spawned on `requests`, so that whoever stops them can wait for it.
pub fn routes(
    app: App,
    access: Arc<Access>,
    requests: TaskTracker,
    stop: CancellationToken,
    leaving: CancellationToken,
) -> Router {
    let (executor, probes) = (Executor::new(app.clone()), Probes::default());
    // Where nobody signs in there is one user, whose server it is.
    let alone = matches!(*access, Access::Local);
    let each = |most| if alone { usize::MAX } else { most };
    let streams = Streams::new(app.limits.streams, each(app.limits.streams_per_user));
    let at_work = Shares::new(each(app.limits.at_work));
    let known = known::Known::default();
    let parts = Parts { app, access, executor, known, requests, stop, streams, at_work, leaving, probes };
    let edge = Edge(Arc::new(parts));
    // Each caller is looked up and counted; the rest is for everybody.
    let entrances = Router::new()
        .route("/graphql", any(graphql::answer).get(socket::open).layer(compression()))
        .route("/uploads", post(uploads::answer))
        .route("/artifacts/{id}", get(download::answer))
        .route("/backfill/{run}/{list}", get(backfill_files::answer))
        .route_layer(axum::middleware::from_fn(content_coding::only_identity))
        .route_layer(axum::middleware::from_fn_with_state(edge.clone(), rate::admit));
    let routes = Router::new()
        .merge(entrances)
        .route("/", get(async || Redirect::temporary("/console")))
        .route("/console", get(console::page))
        .route("/console/{*place}", get(console::page))
        .route("/console/assets/{*name}", get(console::asset))
        .route("/console/assets/", get(unknown_path::answer))
        .route("/graphiql", get(graphiql::page))
        .route("/graphiql/assets/{name}", get(graphiql::asset))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(probes::ready))
        .fallback(unknown_path::answer);
    // What goes wrong inside is answered there, so that pages of the list may read that as well.
    let routes =
        routes.layer(axum::middleware::from_fn(listen::answer_slow)).layer(axum::middleware::from_fn(panics::answered));
    let allowed = &edge.app.origins;
    let routes = if allowed.all().is_empty() { routes } else { routes.layer(cors::layer(allowed)) };
    routes
        .layer(axum::middleware::from_fn_with_state(edge.clone(), access::only_from_here))
        .layer(axum::middleware::from_fn_with_state(edge.clone(), own_pages::tell_of_others))
        .layer(axum::middleware::from_fn(security_headers::on_each))
        .layer(axum::middleware::from_fn_with_state(edge.clone(), observe::observe))
        .layer(axum::middleware::from_fn(request_span::of_each))
        .with_state(edge)
}

/// Compresses answers of some size, with little work; streams of events are sent as they come.
fn compression() -> CompressionLayer<impl Predicate> {
    let worth_it = SizeAbove::new(1024).and(NotForContentType::SSE);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it)
}

/// What a listener for the metrics answers.
fn metrics_routes(app: App, access: Arc<Access>) -> Router {
    let page = async |State((app, access)): State<(App, Arc<Access>)>| {
        let keys_age = match &*access {
            Access::Local => None,
            Access::Token { login, .. } => login.keys_age(),
        };
        ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], app.metrics.page(&app, keys_age).await)
    };
    Router::new().route("/metrics", get(page)).with_state((app, access))
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
    pub fn start(app: App, access: Access, doors: impl Into<Doors>) -> std::io::Result<Self> {
        let mut server = Self::start_idle(app.clone(), access, doors)?;
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
        let retention = {
            let (app, stop) = (app.clone(), stop.clone());
            move || run::work(app.clone(), stop.clone())
        };
        server.tasks.push(tokio::spawn(kept_alive("retention", stop.clone(), retention)));
        if let Some(schedule) = app.retention.schedule.clone() {
            let (app, stop) = (app.clone(), stop.clone());
            let begin = {
                let stop = stop.clone();
                move || schedule::work(app.clone(), schedule.clone(), Clock::Machine, stop.clone())
            };
            server.tasks.push(tokio::spawn(kept_alive("schedule of retention", stop, begin)));
        }
        let tell = {
            let (app, stop) = (app.clone(), stop.clone());
            move || outbox::work(app.clone(), stop.clone())
        };
        server.tasks.push(tokio::spawn(kept_alive("delivery of notifications", stop.clone(), tell)));
        let trim = {
            let stop = stop.clone();
            move || trim::work(app.clone(), stop.clone())
        };
        server.tasks.push(tokio::spawn(kept_alive("trimming of events", stop.clone(), trim)));
        Ok(server)
    }

    /// Answers requests alone: nothing happens in the background.
    pub fn start_idle(app: App, access: Access, doors: impl Into<Doors>) -> std::io::Result<Self> {
        let Doors { listener, tls, metrics } = doors.into();
        let (stop, leaving, requests) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let (address, access) = (listener.local_addr()?, Arc::new(access));
        let routes = routes(app.clone(), access.clone(), requests.clone(), stop.clone(), leaving.clone());
        let (limits, open) = (app.limits.connections, app.metrics.connections.clone());
        let entrance = Entrance { listener, tls, routes, limits, open };
        let mut tasks = vec![tokio::spawn(listen::serve(entrance, stop.clone()))];
        if let Access::Token { limiter: Some(limiter), .. } = &*access {
            let (db, limiter, stop) = (app.db.clone(), limiter.clone(), stop.clone());
            let share = {
                let stop = stop.clone();
                move || shared::work(db.clone(), limiter.clone(), stop.clone())
            };
            tasks.push(tokio::spawn(kept_alive("sharing of request counts", stop, share)));
        }
        let metrics_address = metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        if let Some(listener) = metrics {
            let limits = ConnectionLimits { connections: METRICS_CONNECTIONS, per_address: 0, ..limits };
            let entrance =
                Entrance { listener, tls: None, routes: metrics_routes(app, access), limits, open: Gauge::default() };
            tasks.push(tokio::spawn(listen::serve(entrance, stop.clone())));
        }
        Ok(Self { address, metrics: metrics_address, stop, leaving, tasks, requests })
    }

    /// Tells whoever sends requests here to send no more; they are answered all the same.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Answers what was asked, finishes what callers that are gone had asked and the batch and the purge at hand, and
    /// ends.
    pub async fn stop(self) {
        self.leaving.cancel();
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
