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
        check::{Operation, Unfit, check},
        graphql,
        observe::Seen,
        panics,
        rate::{self, AtWork},
    },
};

/// What an operation says, and which one it is.
pub type Saying = (u64, Outgoing);

/// Whether the client was still there.
type Said = Result<(), mpsc::error::SendError<Saying>>;

/// Runs an operation to its end, or a subscription until it is `cancelled` or the server stops.
pub async fn run(
    edge: Edge,
    viewer: Viewer,
    operation: Operation,
    cancelled: CancellationToken,
    say: impl AsyncFn(Outgoing) -> Said,
) {
    let request_id = uuid::Uuid::now_v7().to_string();
    tracing::Span::current().record("id", &request_id);
    let said = match panics::caught(execute(&edge, viewer, operation, &cancelled, &request_id, &say)).await {
        Ok(said) => said,
        Err(rejection) => refuse(&edge, Unfit::rejected(&rejection, &request_id), &say).await,
    };
    if said.is_err() {
        tracing::debug!("the client was gone before the answer");
    }
}

fn count(edge: &Edge, seen: &Seen) {
    seen.count(&edge.app.metrics, "websocket");
    edge.app.metrics.count_errors(&seen.codes);
}

async fn refuse(edge: &Edge, unfit: Unfit, say: &impl AsyncFn(Outgoing) -> Said) -> Said {
    count(edge, &unfit.seen());
    say(Outgoing::Error(unfit.errors)).await
}

async fn execute(
    edge: &Edge,
    viewer: Viewer,
    operation: Operation,
    cancelled: &CancellationToken,
    request_id: &str,
    say: &impl AsyncFn(Outgoing) -> Said,
) -> Said {
    let metrics = &edge.app.metrics;
    match check(edge, true, operation, request_id).await {
        Err(unfit) => refuse(edge, unfit, say).await,
        Ok(checked) if checked.operation == OperationType::Subscription => {
            let _place = match edge.streams.run(viewer.user_id) {
                Ok(place) => place,
                Err(rejection) => return refuse(edge, Unfit::rejected(&rejection, request_id), say).await,
            };
            count(edge, &Seen { kind: Some(checked.operation), ..Seen::default() });
            let _running = Counted::one(&metrics.subscriptions);
            let watching = async {
                let mut results = pin!(graphql::watch(edge, viewer, checked, request_id));
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
            let at_work = match rate::begin(edge, AtWork::Viewer(viewer.user_id)) {
                Ok(share) => share,
                Err(rejection) => return refuse(edge, Unfit::rejected(&rejection, request_id), say).await,
            };
            let executed = graphql::run(edge, Some(viewer), checked, Files::default(), request_id).await;
            drop(at_work);
            count(edge, &executed.seen);
            say(Outgoing::Next(executed.body)).await?;
            say(Outgoing::Complete).await
        }
    }
}
