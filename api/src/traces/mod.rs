//! Traces, for a collector of OpenTelemetry that the environment names; where it names none, nothing of this is built.
//!
//! What is traced are spans under [`TARGET`], which the log does not show, and the database's statements within them.

mod export;
mod send;

use std::{env, time::Duration};

use opentelemetry::{KeyValue, Value, trace::TracerProvider};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, Protocol, SpanExporter, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Metadata, Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, layer::Context, registry::LookupSpan};

use self::{export::Patient, send::Sender};

/// Under this target are the spans that make traces.
pub const TARGET: &str = "traces";
/// Under this target are the spans of statements, as the library calls them that sends most.
pub const STATEMENTS: &str = "sea_orm";
/// How long the last spans may take when the program ends.
const LAST: Duration = Duration::from_secs(2);
/// The samplers that the environment may name (`OTEL_TRACES_SAMPLER`).
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Sends traces.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

/// Traces cannot be sent as the environment wants it.
#[derive(Debug, thiserror::Error)]
pub enum NoTraces {
    /// The endpoint, or another setting of the exporter.
    #[error("{0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The client that would send them.
    #[error("{0}")]
    Client(#[from] reqwest::Error),
    /// One that is not spoken.
    #[error("{name} is {value:?}, and they are sent by http/protobuf alone")]
    Protocol {
        /// Which variable says so.
        name: &'static str,
        /// What it says.
        value: String,
    },
    /// Something that is none.
    #[error("OTEL_TRACES_SAMPLER is {0:?}, which is none of {list}", list = SAMPLERS.join(", "))]
    Sampler(String),
}

impl Traces {
    /// What the environment asks for, by the names that OpenTelemetry gives its settings; nothing without an endpoint.
    pub fn of_environment() -> Result<Option<Self>, NoTraces> {
        let endpoints = [OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT];
        let is_off = |name, off| said(name).is_some_and(|value| value.eq_ignore_ascii_case(off));
        let Some(endpoint) = endpoints.into_iter().find_map(said) else { return Ok(None) };
        if is_off("OTEL_SDK_DISABLED", "true") || is_off("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        check()?;
        let sender = Sender::new(timeout())?;
        let failure = sender.failure();
        let exporter =
            SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_http_client(sender).build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Patient::new(exporter, shown(&endpoint), failure))
            .with_resource(resource())
            .build();
        Ok(Some(Self { provider }))
    }

    /// What makes traces of spans.
    pub fn layer<S>(&self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let filter = dynamic_filter_fn(is_traced::<S>)
            .with_callsite_filter(may_be_traced)
            .with_max_level_hint(LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("joblink"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(filter)
    }

    /// Sends what is left, in two seconds at most.
    pub async fn end(self) {
        let (tell, told) = tokio::sync::oneshot::channel();
        // A thread of its own: it waits without leaving its place to others.
        std::thread::spawn(move || {
            _ = tell.send(self.provider.shutdown_with_timeout(LAST));
        });
        if !matches!(tokio::time::timeout(LAST, told).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last traces were not sent: the collector did not take them within {LAST:?}");
        }
    }
}

/// What a variable of the environment says; one that is empty says nothing (OpenTelemetry, environment variables).
fn said(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Refuses what would not be done as it is asked for.
fn check() -> Result<(), NoTraces> {
    let protocols = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    if let Some((name, value)) = protocols.into_iter().find_map(|name| Some((name, said(name)?)))
        && value != "http/protobuf"
    {
        return Err(NoTraces::Protocol { name, value });
    }
    match said("OTEL_TRACES_SAMPLER") {
        Some(sampler) if !SAMPLERS.contains(&&*sampler) => Err(NoTraces::Sampler(sampler)),
        _ => Ok(()),
    }
}

/// How long a collector may take for an answer.
fn timeout() -> Duration {
    let names = [OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT];
    let given = names.into_iter().find_map(|name| said(name)?.parse().ok());
    given.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
}

fn resource() -> Resource {
    let given = Resource::builder().build();
    let named = |name: &Value| !name.as_str().starts_with("unknown_service");
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let ours = Resource::builder().with_attribute(version);
    if given.get(&"service.name".into()).as_ref().is_some_and(named) {
        ours.build()
    } else {
        ours.with_service_name("joblink").build()
    }
}

/// An address as it is shown: the rest might be a secret.
fn shown(endpoint: &str) -> String {
    reqwest::Url::parse(endpoint).map_or_else(|_| "the collector".to_owned(), |url| url.origin().ascii_serialization())
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}

fn is_statement(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(STATEMENTS)
}

/// Events are for the log.
fn may_be_traced(metadata: &'static Metadata<'static>) -> Interest {
    match () {
        () if !metadata.is_span() || *metadata.level() > LevelFilter::INFO => Interest::never(),
        () if is_ours(metadata) => Interest::always(),
        () if is_statement(metadata) => Interest::sometimes(),
        () => Interest::never(),
    }
}

/// Statements that nobody waits for, such as the look for the next job, would each be a trace.
fn is_traced<S>(metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let belongs = || context.lookup_current()?.scope().find(|span| is_ours(span.metadata()));
    is_ours(metadata) || (is_statement(metadata) && belongs().is_some())
}
