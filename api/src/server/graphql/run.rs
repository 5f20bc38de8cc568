//! The execution of what was checked.

use async_graphql::Response as GraphqlResponse;
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use crate::{
    audit::Caller,
    auth::Viewer,
    graphql::{Files, failure, loaders},
    server::{Edge, check::Checked},
};

/// An operation, or an event of a subscription, that was executed.
pub struct Executed {
    /// Of an answer by HTTP.
    pub status: StatusCode,
    /// JSON, with the fields in the order of the selection.
    pub body: String,
}

impl Executed {
    /// Gives its errors their codes.
    fn new(mut response: GraphqlResponse, request_id: &str) -> Self {
        let busy = failure::finish(&mut response, request_id, "BAD_USER_INPUT");
        let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = serde_json::to_string(&response).unwrap_or_else(|_| json!({ "data": null }).to_string());
        Self { status, body }
    }
}

/// Executes what was checked and is no subscription.
pub async fn run(edge: &Edge, viewer: Option<Viewer>, checked: Checked, files: Files, request_id: &str) -> Executed {
    let request = checked.request.data(files);
    let response = match viewer {
        None => edge.executor.execute(request).await,
        Some(viewer) => {
            let (loaders, mut batches) = loaders::loaders(edge.app.clone(), viewer.clone());
            let request = request.data(loaders).data(Caller { viewer, request_id: request_id.to_owned() });
            loaders::execute_with(edge.executor.execute(request), &mut batches).await
        }
    };
    Executed::new(response, request_id)
}

/// Executes a subscription that was checked: its results, one after the other.
pub fn watch(
    edge: &Edge,
    viewer: Viewer,
    checked: Checked,
    request_id: &str,
) -> impl Stream<Item = Executed> + Send + use<> {
    let (loaders, batches) = loaders::loaders(edge.app.clone(), viewer.clone());
    let id = request_id.to_owned();
    let caller = Caller { viewer, request_id: id.clone() };
    let responses = edge.executor.subscribe(checked.request.data(loaders).data(caller));
    stream::unfold((responses, batches, id), async |(mut responses, mut batches, id)| {
        let response = loaders::execute_with(responses.next(), &mut batches).await?;
        Some((Executed::new(response, &id), (responses, batches, id)))
    })
}
