//! One operation of a connection: checked like any other, executed, and its results sent.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::message::Outgoing;
use crate::{
    auth::Viewer,
    server::{
        Edge,
        check::{Operation, Unfit, check},
        graphql,
        observe::Seen,
        panics,
        rate::{self, Holder},
        rejection::Rejection,
        traced,
    },
};

/// How it came, in the metrics.
const TRANSPORT: &str = "websocket";

/// What an operation says, and which one it is.
pub type Saying = (u64, Outgoing);

/// Whether the client was still there.
type Said = Result<(), mpsc::error::SendError<Saying>>;

/// Runs an operation to its end, or a subscription until it is `cancelled` or the server stops.
pub async fn run(
    edge: Edge,
    viewer: Viewer,
    operation: Operation,
    request_id: &str,
    traced: &Span,
    cancelled: CancellationToken,
    say: impl AsyncFn(Outgoing) -> Said,
) {
    let began = Instant::now();
    let mut seen = of(&operation, &viewer);
    let work = Box::pin(execute(&edge, viewer, operation, &cancelled, request_id, &say, &mut seen));
    let said = match panics::caught(work).await {
        Ok(Ok(said)) => said,
        Ok(Err(unfit)) => say(Outgoing::Error(refused(&edge, unfit, &mut seen))).await,
        Err(rejection) => {
            let unfit = Unfit::rejected(&rejection, request_id);
            say(Outgoing::Error(refused(&edge, unfit, &mut seen))).await
        }
    };
    if said.is_err() {
        tracing::debug!("the client was gone before the answer");
    }
    traced::executed(traced, &seen);
    seen.log_of_socket(began.elapsed(), request_id);
}

/// What a client is told of an operation that is not begun.
pub fn refuse(edge: &Edge, viewer: &Viewer, operation: &Operation, rejection: &Rejection) -> Outgoing {
    let request_id = uuid::Uuid::now_v7().to_string();
    let mut seen = of(operation, viewer);
    let errors = refused(edge, Unfit::rejected(rejection, &request_id), &mut seen);
    seen.log_of_socket(Duration::ZERO, &request_id);
    Outgoing::Error(errors)
}

fn of(operation: &Operation, viewer: &Viewer) -> Seen {
    let name = operation.name().map(str::to_owned);
    Seen { name, user: Some(viewer.user_id), graphql: true, ..Seen::default() }
}

/// Counts an operation that came to nothing, and gives its errors.
fn refused(edge: &Edge, unfit: Unfit, seen: &mut Seen) -> Value {
    (seen.kind, seen.codes) = (None, unfit.seen().codes);
    seen.count(&edge.app.metrics, TRANSPORT);
    unfit.errors
}

async fn execute(
    edge: &Edge,
    viewer: Viewer,
    operation: Operation,
    cancelled: &CancellationToken,
    request_id: &str,
    say: &impl AsyncFn(Outgoing) -> Said,
    seen: &mut Seen,
) -> Result<Said, Unfit> {
    let rejected = |rejection| Unfit::rejected(&rejection, request_id);
    let checked = check(edge, true, operation, request_id).await?;
    let user = viewer.user_id;
    if checked.operation != OperationType::Subscription {
        let at_work = rate::begin(edge, Holder::Viewer(user)).map_err(rejected)?;
        let executed = graphql::run(edge, Some(viewer), checked, graphql::Sent::default(), request_id).await;
        drop(at_work);
        *seen = executed.seen;
        seen.count(&edge.app.metrics, TRANSPORT);
        return Ok(match say(Outgoing::Next(executed.body)).await {
            Ok(()) => say(Outgoing::Complete).await,
            gone => gone,
        });
    }
    let _place = edge.streams.run(user).map_err(rejected)?;
    seen.kind = Some(checked.operation);
    seen.count(&edge.app.metrics, TRANSPORT);
    let watching = async {
        let mut results = pin!(graphql::watch(edge, viewer, checked, request_id));
        while let Some(executed) = results.next().await {
            say(Outgoing::Next(executed.body)).await?;
        }
        say(Outgoing::Complete).await
    };
    Ok(tokio::select! {
        () = cancelled.cancelled() => Ok(()),
        // Not complete: clients begin again elsewhere.
        () = edge.stop.cancelled() => Ok(()),
        said = watching => said,
    })
}
