//! What a trace tells of a request or an operation, by the conventions of OpenTelemetry for HTTP and for GraphQL: never a
//! query string, a document, a variable or a header.

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, Version},
    response::Response,
};
use opentelemetry::{Context, propagation::TextMapPropagator, trace::TraceContextExt};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    observe::{Seen, label},
    request_span::{RequestId, trace_id},
};
use crate::traces::TARGET;

/// The most characters of an operation's name, which is the client's.
const LONGEST_NAME: usize = 100;

/// The span of a request, below its span in the log; disabled where no traces are sent.
pub fn request(request: &Request, id: &RequestId, log: &Span) -> Span {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let span = tracing::info_span!(
        target: TARGET,
        parent: log,
        "request",
        otel.kind = "server",
        otel.name = Empty,
        otel.status_code = Empty,
        http.request.method = method(request.method()),
        http.route = route,
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        network.protocol.version = version(request.version()),
        graphql.operation.type = Empty,
        graphql.operation.name = Empty,
        error.type = Empty,
        joblink.request.id = id.as_str(),
    );
    if !span.is_disabled() {
        span.record("otel.name", name(request.method(), route));
        log.record("trace_id", join(&span, request.headers()));
    }
    span
}

/// The span of an operation over a WebSocket, in the one of its connection; disabled where no traces are sent.
pub fn operation(log: &Span, request_id: &str) -> Span {
    log.in_scope(|| {
        tracing::info_span!(
            target: TARGET,
            "operation",
            otel.kind = "server",
            otel.name = "GraphQL Operation",
            graphql.operation.type = Empty,
            graphql.operation.name = Empty,
            error.type = Empty,
            joblink.request.id = request_id,
        )
    })
}

/// Tells how a request was answered.
pub fn answered(span: &Span, response: &Response) {
    if span.is_disabled() {
        return;
    }
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if let Some(seen) = response.extensions().get::<Seen>() {
        executed(span, seen);
    }
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}

/// Tells what was executed; the kind of an operation by itself is its name.
pub fn executed(span: &Span, seen: &Seen) {
    let Some(kind) = seen.kind.filter(|_| !span.is_disabled()) else { return };
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    span.record("graphql.operation.type", kind);
    if let Some(name) = &seen.name {
        span.record("graphql.operation.name", name.chars().take(LONGEST_NAME).collect::<String>());
    }
    if let Some(code) = seen.codes.first() {
        span.record("error.type", code);
    }
}

/// Makes a span part of the trace that the caller names, if it names one, and gives the id of the trace that it is in.
fn join(span: &Span, headers: &HeaderMap) -> String {
    if trace_id(headers).is_some() {
        let theirs = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        if let Err(error) = span.set_parent(theirs) {
            tracing::debug!("a trace is not gone on with: {error}");
        }
    }
    span.context().span().span_context().trace_id().to_string()
}

/// Any client can make up methods.
fn method(method: &Method) -> &'static str {
    match label(method) {
        "other" => "_OTHER",
        known => known,
    }
}

fn name(method: &Method, route: Option<&str>) -> String {
    let method = match label(method) {
        "other" => "HTTP",
        known => known,
    };
    route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"))
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}
