//! One operation of a connection: checked like any other, executed, and its results sent.

use std::pin::pin;

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::message::Outgoing;
use crate::{
    auth::Viewer,
    graphql::Files,
    metrics::Counted,
    server::{
        Edge,
        check::{Operation, check},
        graphql,
        observe::Seen,
    },
};

/// What an operation says, and which one it is.
pub type Saying = (u64, Outgoing);

/// Runs an operation to its end, or a subscription until it is `cancelled` or the server stops.
pub async fn run(
    edge: Edge,
    viewer: Viewer,
    operation: Operation,
    cancelled: CancellationToken,
    say: impl AsyncFn(Outgoing) -> Result<(), mpsc::error::SendError<Saying>>,
) {
    let request_id = uuid::Uuid::now_v7().to_string();
    tracing::Span::current().record("id", &request_id);
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
            let watching = async {
                let mut results = pin!(graphql::watch(&edge, viewer, checked, &request_id));
                while let Some(executed) = results.next().await {
                    metrics.count_errors(&executed.seen.codes);
                    say(Outgoing::Next(executed.body)).await?;
                }
                say(Outgoing::Complete).await
            };
            tokio::select! {
                () = cancelled.cancelled() => Ok(()),
                // Not complete: clients begin again elsewhere.
                () = edge.stop.cancelled() => Ok(()),
                said = watching => said,
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
        tracing::debug!("the client was gone before the answer");
    }
}
