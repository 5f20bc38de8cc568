//! `/graphql`: a request in, checked, executed, answered.

mod answer;
mod changes;
mod negotiation;
mod request;
mod run;
mod sse;

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
pub use request::{PREFLIGHT_HEADERS, is_meant};
pub use run::{Sent, run, watch};

use self::{
    answer::Answer,
    negotiation::{Accepted, accepted},
    request::Way,
};
use super::{
    Edge, access,
    check::{Operation, Unfit, check},
    finishing::Finishing,
    lingering::Rest,
    multipart,
    observe::Seen,
    own_pages, panics,
    rejection::Rejection,
    request_span::RequestId,
};
use crate::{auth::Viewer, graphql::Files};

/// Answers one HTTP request.
pub async fn answer(State(edge): State<Edge>, id: RequestId, request: Request) -> Response {
    let (request, rest) = Rest::of(request);
    if ![Method::GET, Method::HEAD, Method::POST].contains(request.method()) {
        rest.discard();
        return wrong_method(&id);
    }
    let Some(accepted) = accepted(request.headers()) else {
        rest.discard();
        return not_acceptable(&id);
    };
    let (requests, of, at_work) = (edge.requests.clone(), id, access::at_work(&request));
    let work = async move {
        let responding = Box::pin(respond(&edge, request, accepted, of.as_str()));
        let outcome = panics::caught(responding).await.unwrap_or_else(Err);
        drop(at_work);
        let answer = outcome.unwrap_or_else(|rejection| {
            rest.discard();
            Answer::Unfit(Unfit::rejected(&rejection, of.as_str()))
        });
        answer.seen().count(&edge.app.metrics, "http");
        answer
    };
    // To the end in any case, so that a caller who hangs up leaves no file and no transaction half done.
    Finishing::new(work, &requests).await.response(accepted.best)
}

fn wrong_method(id: &RequestId) -> Response {
    let message = "Send GraphQL requests by POST as JSON, or queries by GET.";
    let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
    let mut response = rejection.response(id.as_str());
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    response
}

fn not_acceptable(id: &RequestId) -> Response {
    let message = "Accept application/graphql-response+json or application/json; subscriptions are answered as text/event-stream too.";
    Rejection::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message).response(id.as_str())
}

/// An operation, and how it was asked.
struct Asked {
    operation: Operation,
    way: Way,
    files: Files,
    accepted: Accepted,
    headers: HeaderMap,
    uri: Uri,
}

async fn respond(edge: &Edge, request: Request, accepted: Accepted, request_id: &str) -> Result<Answer, Rejection> {
    let way = Way::of(&request)?;
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let viewer = access::caller(&request)?;
    let asked = |operation, files| Asked { operation, way, files, accepted, headers, uri };
    let answer = match way {
        Way::Address => {
            let operation = request::read_address(&request)?;
            perform(edge, viewer, asked(operation, Files::default()), request_id).await
        }
        Way::Json => {
            let operation = request::read_json(edge, request).await?;
            perform(edge, viewer, asked(operation, Files::default()), request_id).await
        }
        // Only who may create jobs may send files.
        Way::Multipart if viewer.is_none() => return Err(Rejection::unauthenticated()),
        Way::Multipart => {
            let received = Box::pin(multipart::receive(&edge.app, request)).await?;
            let files = Files(received.files.clone().into());
            let answer = perform(edge, viewer, asked(received.operation, files), request_id).await;
            multipart::drop_unused(&edge.app, &received.files).await;
            answer
        }
    };
    Ok(answer.unwrap_or_else(Answer::Unfit))
}

/// Checks an operation and executes it, or begins to.
async fn perform(edge: &Edge, viewer: Option<Viewer>, asked: Asked, request_id: &str) -> Result<Answer, Unfit> {
    let checked = check(edge, viewer.is_some(), asked.operation, request_id).await?;
    let rejected = |rejection| Unfit::rejected(&rejection, request_id);
    match (checked.operation, viewer) {
        (OperationType::Mutation, _) if asked.way == Way::Address => {
            let message = "A request by GET changes nothing: send mutations by POST.";
            Err(rejected(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)))
        }
        (OperationType::Subscription, _) if !asked.accepted.events => {
            let message = "Subscriptions are answered over WebSocket, at this address, or as text/event-stream to who accepts it.";
            Err(rejected(Rejection::new(StatusCode::BAD_REQUEST, "GRAPHQL_VALIDATION_FAILED", message)))
        }
        (OperationType::Subscription, None) => Err(rejected(Rejection::unauthenticated())),
        (OperationType::Subscription, Some(viewer)) => {
            own_pages::only_these(edge, &asked.headers, &asked.uri).map_err(rejected)?;
            let (kind, name) = (Some(checked.operation), checked.request.operation_name.clone());
            let seen = Seen { kind, name, user: Some(viewer.user_id), graphql: true, ..Seen::default() };
            let events = sse::open(edge, &asked.headers, viewer, checked, request_id).map_err(rejected)?;
            Ok(Answer::Events(events, seen))
        }
        (OperationType::Query | OperationType::Mutation, viewer) => {
            let sent = Sent { files: asked.files, changed: changes::told(&asked.headers) };
            Ok(Answer::Executed(run(edge, viewer, checked, sent, request_id).await))
        }
    }
}
