//! One operation of a connection: checked like any other, executed, and its results sent.

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::message::Outgoing;
use crate::{
    audit::Caller,
    auth::Viewer,
    graphql::{Files, loaders},
    metrics::Counted,
    server::{
        Edge,
        check::{Checked, Operation, check},
        graphql::{self, Executed},
        observe::Seen,
    },
};

/// What an operation says, and which one it is.
pub type Saying = (u64, Outgoing);

/// Runs an operation to its end, or a subscription until it is `cancelled`.
pub async fn run(
    edge: Edge,
    viewer: Viewer,
    operation: Operation,
    cancelled: CancellationToken,
    say: impl AsyncFn(Outgoing) -> Result<(), mpsc::error::SendError<Saying>>,
) {
    let request_id = uuid::Uuid::now_v7().to_string();
    let metrics = &edge.app.metrics;
    let count = |seen: &Seen| {
        seen.count(metrics, "websocket");
        metrics.count_errors(&seen.codes);
    };
    let said = match check(&edge, true, operation, &request_id).await {
        Err(unfit) => {
            count(&unfit.seen());
            say(Outgoing::Error(unfit.errors)).await
        }
        Ok(checked) if checked.operation == OperationType::Subscription => {
            count(&Seen { kind: Some(checked.operation), ..Seen::default() });
            let _running = Counted::one(&metrics.subscriptions);
            let streaming = stream(&edge, viewer, checked, &request_id, &say);
            tokio::select! {
                () = cancelled.cancelled() => Ok(()),
                said = streaming => said,
            }
        }
        Ok(checked) => {
            let executed = graphql::run(&edge, Some(viewer), checked, Files::default(), &request_id).await;
            count(&executed.seen);
            match say(Outgoing::Next(executed.body)).await {
                Ok(()) => say(Outgoing::Complete).await,
                gone => gone,
            }
        }
    };
    if said.is_err() {
        tracing::debug!(request_id, "the client was gone before the answer");
    }
}

async fn stream<E>(
    edge: &Edge,
    viewer: Viewer,
    checked: Checked,
    request_id: &str,
    say: &impl AsyncFn(Outgoing) -> Result<(), E>,
) -> Result<(), E> {
    let (loaders, mut batches) = loaders::loaders(edge.app.clone(), viewer.clone());
    let caller = Caller { viewer, request_id: request_id.to_owned() };
    let mut responses = edge.executor.subscribe(checked.request.data(loaders).data(caller));
    while let Some(response) = loaders::execute_with(responses.next(), &mut batches).await {
        let executed = Executed::new(response, request_id);
        edge.app.metrics.count_errors(&executed.seen.codes);
        say(Outgoing::Next(executed.body)).await?;
    }
    say(Outgoing::Complete).await
}
