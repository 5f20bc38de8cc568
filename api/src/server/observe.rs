//! What is told of each request: to the metrics, and as a line of the log.

use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use sea_orm::prelude::Uuid;
use serde_json::Value;

use super::{Edge, request_span::RequestId};
use crate::metrics::{self, Metrics};

/// What a handler tells of a request; it leaves this in the extensions of its answer.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What was executed.
    pub kind: Option<OperationType>,
    /// The operation's name, where the document has several or the client gave one.
    pub name: Option<String>,
    /// The caller.
    pub user: Option<Uuid>,
    /// The codes of its top-level errors.
    pub codes: Vec<String>,
    /// How long it was executed.
    pub took: Option<Duration>,
    /// It is an answer of GraphQL, and counted where it was executed or refused.
    pub graphql: bool,
}

impl Seen {
    /// Counts an operation and its errors.
    pub fn count(&self, metrics: &Metrics, transport: &'static str) {
        let kind = match self.kind {
            Some(OperationType::Query) => "query",
            Some(OperationType::Mutation) => "mutation",
            Some(OperationType::Subscription) => "subscription",
            None => "none",
        };
        let outcome = match (self.kind, self.codes.is_empty()) {
            (None, _) => "refused",
            (Some(_), true) => "ok",
            (Some(_), false) => "error",
        };
        metrics.count_operation(kind, transport, outcome, self.took);
        metrics.count_errors(&self.codes);
    }

    fn all_codes(&self) -> Option<String> {
        (!self.codes.is_empty()).then(|| self.codes.join(","))
    }

    /// Logs an operation of a WebSocket that has ended, under the target `access`.
    pub fn log_of_socket(&self, took: Duration, request_id: &str) {
        tracing::info!(
            target: "access",
            transport = "websocket",
            path = "/graphql",
            ms = milliseconds(took),
            operation = self.name,
            codes = self.all_codes(),
            request_id,
            user = self.user.map(tracing::field::display),
        );
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The codes of a list of errors.
pub fn codes(errors: &Value) -> Vec<String> {
    let errors = errors.as_array().into_iter().flatten();
    errors.filter_map(|error| Some(error["extensions"]["code"].as_str()?.to_owned())).collect()
}

/// A request that is not answered yet.
struct Asked {
    metrics: Metrics,
    began: Instant,
    method: Method,
    route: String,
    path: String,
    id: Option<RequestId>,
    answered: bool,
}

impl Asked {
    fn ended(&mut self, status: u16, seen: &Seen) {
        self.answered = true;
        let took = self.began.elapsed();
        let method = label(&self.method);
        let route = std::mem::take(&mut self.route);
        self.metrics.request_seconds.get_or_create(&[("route", route.clone())]).observe(took.as_secs_f64());
        self.metrics.requests.get_or_create(&metrics::Request { method, route, status }).inc();
        if !seen.graphql {
            self.metrics.count_errors(&seen.codes);
        }
        tracing::info!(
            target: "access",
            method = %self.method,
            path = self.path,
            status,
            ms = milliseconds(took),
            operation = seen.name,
            codes = seen.all_codes(),
            request_id = self.id.as_ref().map_or("", RequestId::as_str),
            user = seen.user.map(tracing::field::display),
        );
    }
}

/// A method, or `other`: any client can make up methods.
pub fn label(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    known.into_iter().find(|known| method == known).unwrap_or("other")
}

impl Drop for Asked {
    /// The client is gone before its answer: 499, as nginx calls it.
    fn drop(&mut self) {
        if !self.answered {
            self.ended(499, &Seen::default());
        }
    }
}

/// Counts a request, and logs it under the target `access`: never its variables, its query string or its token.
pub async fn observe(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let mut asked = Asked {
        metrics: edge.app.metrics.clone(),
        began: Instant::now(),
        method: request.method().clone(),
        route,
        path: request.uri().path().to_owned(),
        id: request.extensions().get().cloned(),
        answered: false,
    };
    let response = next.run(request).await;
    let nothing = Seen::default();
    let seen = response.extensions().get::<Seen>().unwrap_or(&nothing);
    asked.ended(response.status().as_u16(), seen);
    response
}
