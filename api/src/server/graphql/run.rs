//! The execution of what was checked.

use std::{sync::Arc, time::Instant};

use async_graphql::{
    Error as GraphqlError, Pos, Request as GraphqlRequest, Response as GraphqlResponse,
    parser::types::DocumentOperations,
};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use crate::{
    audit::Caller,
    auth::Viewer,
    checkpoint::Checkpoint,
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
        Self { status, body, seen: Seen { codes, graphql: true, ..Seen::default() } }
    }
}

/// Executes what was checked and is no subscription.
pub async fn run(edge: &Edge, viewer: Option<Viewer>, checked: Checked, files: Files, request_id: &str) -> Executed {
    let began = Instant::now();
    let Checked { mut request, operation: kind, cost } = checked;
    let name = name(&mut request);
    let user = viewer.as_ref().map(|viewer| viewer.user_id);
    let request = request.data(files);
    let response = match (edge.app.checkpoints.pass(Checkpoint::Executing).await, viewer) {
        (Err(error), _) => failed(error),
        (Ok(()), None) => edge.executor.execute(request).await,
        (Ok(()), Some(viewer)) => {
            let (loaders, mut batches) = loaders::loaders(&edge.app, viewer.clone());
            let request = request.data(loaders).data(Caller { viewer, request_id: request_id.to_owned() });
            loaders::execute_with(edge.executor.execute(request), &mut batches).await
        }
    };
    let mut executed = Executed::new(response, cost, request_id);
    let codes = std::mem::take(&mut executed.seen.codes);
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
    let caller = Caller { viewer, request_id: id.clone() };
    let cost = checked.cost;
    let responses = edge.executor.subscribe(checked.request.data(loaders).data(caller));
    let metrics = edge.app.metrics.clone();
    let running = Counted::one(&metrics.subscriptions);
    let begun = (responses, batches, running);
    let parts = Arc::new((id, checkpoints, metrics));
    stream::unfold(begun, move |(mut responses, mut batches, running)| {
        let parts = parts.clone();
        async move {
            let (id, checkpoints, metrics) = &*parts;
            let response = match checkpoints.pass(Checkpoint::Executing).await {
                Ok(()) => loaders::execute_with(responses.next(), &mut batches).await?,
                Err(error) => failed(error),
            };
            let executed = Executed::new(response, cost, id);
            metrics.count_errors(&executed.seen.codes);
            Some((executed, (responses, batches, running)))
        }
    })
}

fn failed(error: Error) -> GraphqlResponse {
    GraphqlResponse::from_errors(vec![GraphqlError::from(error).into_server_error(Pos::default())])
}
