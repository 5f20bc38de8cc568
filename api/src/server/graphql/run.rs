//! The execution of what was checked.

use std::{sync::Arc, time::Instant};

use async_graphql::{
    Error as GraphqlError, Pos, Request as GraphqlRequest, Response as GraphqlResponse,
    parser::types::{DocumentOperations, OperationType},
};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use crate::{
    app::App,
    audit::Caller,
    auth::Viewer,
    checkpoint::Checkpoint,
    database::Position,
    error::Error,
    graphql::{Files, failure, loaders},
    metrics::Counted,
    server::{
        Edge,
        check::{Checked, Cost},
        observe::{self, Seen},
    },
};

/// An operation, or an event of a subscription, that was executed.
pub struct Executed {
    /// Of an answer by HTTP.
    pub status: StatusCode,
    /// JSON, with the fields in the order of the selection.
    pub body: String,
    /// What is told of it.
    pub seen: Seen,
    /// Of a mutation, where lists are read from a standby: up to where that must have come to show it.
    pub changed: Option<Position>,
}

/// What came with an operation.
#[derive(Default)]
pub struct Sent {
    /// The files.
    pub files: Files,
    /// Up to where the caller has changed something, as an answer before has said.
    pub changed: Option<Position>,
}

impl Executed {
    /// Gives its errors their codes, and tells its cost where that was asked for.
    fn new(mut response: GraphqlResponse, cost: Option<Cost>, request_id: &str) -> Self {
        if let Some(cost) = cost {
            cost.tell(&mut response);
        }
        let busy = failure::finish(&mut response, request_id, "BAD_USER_INPUT");
        let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = serde_json::to_string(&response).unwrap_or_else(|_| json!({ "data": null }).to_string());
        let codes = if response.errors.is_empty() { Vec::new() } else { observe::codes(&json!(response.errors)) };
        Self { status, body, seen: Seen { codes, graphql: true, ..Seen::default() }, changed: None }
    }
}

/// Executes what was checked and is no subscription.
pub async fn run(edge: &Edge, viewer: Option<Viewer>, checked: Checked, sent: Sent, request_id: &str) -> Executed {
    let began = Instant::now();
    let Checked { mut request, operation: kind, cost } = checked;
    let name = name(&mut request);
    let user = viewer.as_ref().map(|viewer| viewer.user_id);
    let request = request.data(sent.files);
    let response = match (edge.app.checkpoints.pass(Checkpoint::Executing).await, viewer) {
        (Err(error), _) => failed(error),
        (Ok(()), None) => edge.executor.execute(request).await,
        (Ok(()), Some(viewer)) => {
            let standby = (kind == OperationType::Query).then(|| edge.app.db.on_standby(viewer.user_id, sent.changed));
            let app = standby.flatten().map(|db| App { db, ..edge.app.clone() });
            let (loaders, mut batches) = loaders::loaders(app.as_ref().unwrap_or(&edge.app), viewer.clone());
            // Instead of the executor's own.
            let request = app.into_iter().fold(request, GraphqlRequest::data);
            let request = request.data(loaders).data(Caller { viewer, request_id: request_id.to_owned() });
            loaders::execute_with(edge.executor.execute(request), &mut batches).await
        }
    };
    let mut executed = Executed::new(response, cost, request_id);
    let codes = std::mem::take(&mut executed.seen.codes);
    match (kind, user) {
        (OperationType::Mutation, Some(user)) if executed.status == StatusCode::OK => {
            executed.changed = edge.app.db.changed(user).await;
        }
        // A part of it may be done, and the primary may be away: it is not asked now.
        (OperationType::Mutation, Some(user)) => edge.app.db.heard(user),
        _ => {}
    }
    executed.seen = Seen { kind: Some(kind), name, user, codes, took: Some(began.elapsed()), graphql: true };
    executed
}

/// The operation's name: there is one operation, where it is checked.
fn name(request: &mut GraphqlRequest) -> Option<String> {
    match &request.parsed_query().ok()?.operations {
        DocumentOperations::Single(_) => None,
        DocumentOperations::Multiple(all) => all.keys().next().map(ToString::to_string),
    }
}

/// Executes a subscription that was checked: its results, one after the other. It and its errors are counted, whoever
/// sends them.
pub fn watch(
    edge: &Edge,
    viewer: Viewer,
    checked: Checked,
    request_id: &str,
) -> impl Stream<Item = Executed> + Send + use<> {
    let (loaders, batches) = loaders::loaders(&edge.app, viewer.clone());
    let (id, checkpoints) = (request_id.to_owned(), edge.app.checkpoints.clone());
    let (db, user) = (edge.app.db.clone(), viewer.user_id);
    let caller = Caller { viewer, request_id: id.clone() };
    let cost = checked.cost;
    let responses = edge.executor.subscribe(checked.request.data(loaders).data(caller));
    let metrics = edge.app.metrics.clone();
    let running = Counted::one(&metrics.subscriptions);
    let begun = (responses, batches, running);
    let parts = Arc::new((id, checkpoints, metrics, db));
    stream::unfold(begun, move |(mut responses, mut batches, running)| {
        let parts = parts.clone();
        async move {
            let (id, checkpoints, metrics, db) = &*parts;
            let response = match checkpoints.pass(Checkpoint::Executing).await {
                Ok(()) => loaders::execute_with(responses.next(), &mut batches).await?,
                Err(error) => failed(error),
            };
            let executed = Executed::new(response, cost, id);
            metrics.count_errors(&executed.seen.codes);
            // Whoever is told that a job has changed asks for it.
            db.heard(user);
            Some((executed, (responses, batches, running)))
        }
    })
}

fn failed(error: Error) -> GraphqlResponse {
    GraphqlResponse::from_errors(vec![GraphqlError::from(error).into_server_error(Pos::default())])
}
