//! What the server counts and measures, for Prometheus.
//!
//! Each server has a registry of its own; nothing is global. Labels take their values from this code, from its routes or from its
//! settings, so that no caller can make new ones.

mod process;
mod sampled;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use self::sampled::Sampled;
use crate::app::App;

/// The media type of [`Metrics::page`] (`OpenMetrics` 1.0), which Prometheus reads since 2.23.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a query of one row to an upload of 100 MB, in seconds.
const DURATIONS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// Predictions that go with a job: a file has up to a million rows.
const SIZES: [f64; 8] = [0.0, 1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];

/// A histogram for each combination of labels.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;
/// Labels with names and values of this code.
pub type Labels<const N: usize> = [(&'static str, &'static str); N];

/// An answered HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// `GET`, `POST` and so on; `other` of none that HTTP names.
    pub method: &'static str,
    /// The route as it is declared; empty where there is none.
    pub route: String,
    /// HTTP status.
    pub status: u16,
}

/// A code of an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    /// As callers see it.
    pub code: String,
}

/// All of them. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

/// What is counted where it happens. All else is looked up when somebody asks.
pub struct Parts {
    registry: Registry,
    sampled: Sampled,
    keys_age: Family<Labels<0>, Gauge<f64, AtomicU64>>,
    /// HTTP requests.
    pub requests: Family<Request, Counter>,
    /// Seconds until the answer to a request begins, by route.
    pub request_seconds: Histograms<[(&'static str, String); 1]>,
    /// GraphQL operations by `type`, `transport` and `outcome`.
    pub operations: Family<Labels<3>, Counter>,
    /// Seconds that operations took, but subscriptions, by `type`.
    pub operation_seconds: Histograms<Labels<1>>,
    /// Top-level errors by code.
    pub errors: Family<Code, Counter>,
    /// Refused mutations by `action` and `code`.
    pub refusals: Family<Labels<2>, Counter>,
    /// Seconds that deletions of a job took, by `outcome`.
    pub delete_seconds: Histograms<Labels<1>>,
    /// Seconds that cancellations took, by `outcome`.
    pub cancel_seconds: Histograms<Labels<1>>,
    /// Runs of the retention policy that this server ended, by `outcome`.
    pub retention_runs: Family<Labels<1>, Counter>,
    /// Jobs that retention dealt with, by `action`.
    pub retention_jobs: Family<Labels<1>, Counter>,
    /// Bytes of the files that retention took from jobs.
    pub retention_bytes: Counter,
    /// Attempts to deliver a notification, by `channel` and `outcome`.
    pub notifications: Family<Labels<2>, Counter>,
    /// Predictions deleted with a job.
    pub deleted_predictions: Histogram,
    /// Open connections.
    pub connections: Gauge,
    /// Open WebSocket connections.
    pub sockets: Gauge,
    /// Running subscriptions.
    pub subscriptions: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl std::ops::Deref for Metrics {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("joblink");
        let build = Family::<Labels<1>, Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        add(&mut registry, "build_info", "The running version, always 1", build);
        let durations = || Histogram::new(DURATIONS);
        let r = &mut registry;
        let parts = Parts {
            requests: add(r, "http_requests", "Answered HTTP requests", Family::default()),
            request_seconds: add(
                r,
                "http_request_duration_seconds",
                "Time until the answer to an HTTP request began",
                Family::new_with_constructor(durations as fn() -> Histogram),
            ),
            operations: add(
                r,
                "graphql_operations",
                "GraphQL operations: ok, error, or refused before execution",
                Family::default(),
            ),
            operation_seconds: add(
                r,
                "graphql_operation_duration_seconds",
                "Time that GraphQL queries and mutations took",
                Family::new_with_constructor(durations as fn() -> Histogram),
            ),
            errors: add(r, "errors", "Top-level errors by code", Family::default()),
            refusals: add(r, "refusals", "Mutations refused by a rule, by action and code", Family::default()),
            delete_seconds: add(
                r,
                "delete_job_duration_seconds",
                "Time that deletions of a job took, by outcome: deleted, refused, failed",
                Family::new_with_constructor(durations as fn() -> Histogram),
            ),
            cancel_seconds: add(
                r,
                "cancel_job_duration_seconds",
                "Time that cancellations of a job took, by outcome: done, refused, failed",
                Family::new_with_constructor(durations as fn() -> Histogram),
            ),
            retention_runs: add(
                r,
                "retention_runs",
                "Runs of the retention policy that came to their end: done, or failed for some job",
                Family::default(),
            ),
            retention_jobs: add(
                r,
                "retention_jobs",
                "Jobs that retention cleaned, deleted, or failed to",
                Family::default(),
            ),
            retention_bytes: add(
                r,
                "retention_freed_bytes",
                "Bytes of the files that retention took from jobs",
                Counter::default(),
            ),
            notifications: add(
                r,
                "notifications",
                "Attempts to deliver a notification: delivered, or failed and tried again",
                Family::default(),
            ),
            deleted_predictions: add(r, "deleted_predictions", "Predictions deleted with a job", Histogram::new(SIZES)),
            connections: add(r, "connections", "Open connections", Gauge::default()),
            sockets: add(r, "websocket_connections", "Open WebSocket connections", Gauge::default()),
            subscriptions: add(r, "subscriptions", "Running subscriptions", Gauge::default()),
            keys_age: add(
                r,
                "jwks_age_seconds",
                "How long ago the published keys of tokens were read; more than some minutes: they cannot be read",
                Family::default(),
            ),
            sampled: Sampled::add_to(r),
            registry,
        };
        Self(Arc::new(parts))
    }
}

/// Adds a metric to those that are shown.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// Everything, as Prometheus reads it. What the database knows is as of some seconds ago. `keys_age`: how long ago the
    /// published keys of tokens were read, where there are some.
    pub async fn page(&self, app: &App, keys_age: Option<Duration>) -> String {
        if let Some(age) = keys_age {
            self.keys_age.get_or_create(&[]).set(age.as_secs_f64());
        }
        self.sampled.refresh(app).await;
        let mut page = String::new();
        if let Err(error) = text::encode(&mut page, &self.registry) {
            tracing::error!("cannot write the metrics: {error}");
        }
        page
    }

    /// Counts top-level errors.
    pub fn count_errors(&self, codes: &[String]) {
        for code in codes {
            self.errors.get_or_create(&Code { code: code.clone() }).inc();
        }
    }

    /// Counts an operation. `took` is `None` of one that goes on, or was not executed.
    pub fn count_operation(
        &self,
        kind: &'static str,
        transport: &'static str,
        outcome: &'static str,
        took: Option<Duration>,
    ) {
        let labels = [("type", kind), ("transport", transport), ("outcome", outcome)];
        self.operations.get_or_create(&labels).inc();
        if let Some(took) = took {
            self.operation_seconds.get_or_create(&[("type", kind)]).observe(took.as_secs_f64());
        }
    }
}

/// Counts one for as long as it is kept.
pub struct Counted(Gauge);

impl Counted {
    /// One more.
    pub fn one(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
