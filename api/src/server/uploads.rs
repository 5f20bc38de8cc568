//! `POST /uploads`: a file sent ahead of the job that takes it.

use artifacts::{Key, PutError};
use axum::{
    Json,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sea_orm::prelude::Uuid;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument;

use super::{Edge, access, graphql::is_meant, lingering::Rest, rejection::Rejection, request_span::RequestId};
use crate::{
    auth::Viewer,
    checkpoint::Checkpoint,
    files::{ReceivedFile, file_name, staged},
};

/// What a page of another site can send without being asked (Fetch, "CORS-safelisted request-header").
const SIMPLE_TYPES: [&str; 4] = ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"];

/// Takes in the body as a file, and answers the id under which a job can take it.
pub async fn answer(State(edge): State<Edge>, id: RequestId, request: Request) -> Response {
    let (request, rest) = Rest::of(request);
    // In a task of its own, so that a caller who hangs up leaves no file.
    let (requests, at_work) = (edge.requests.clone(), access::at_work(&request));
    let work = async move {
        let received = receive(&edge, request).await;
        drop(at_work);
        received
    };
    let task = requests.spawn(work.in_current_span());
    let outcome = task.await.unwrap_or_else(|error| {
        tracing::error!("a request ended badly: {error}");
        Err(Rejection::internal())
    });
    match outcome {
        Ok(upload) => (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(upload)).into_response(),
        Err(rejection) => {
            rest.discard();
            rejection.response(id.as_str())
        }
    }
}

async fn receive(edge: &Edge, request: Request) -> Result<Value, Rejection> {
    let headers = request.headers();
    let kind = access::media_type(headers);
    if SIMPLE_TYPES.contains(&kind.as_str()) && !is_meant(headers) {
        let message = "Send the file itself as the body, with a content type of its own such as text/csv or application/octet-stream.";
        return Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "CSRF_BLOCKED", message));
    }
    let viewer = access::caller(&request)?.ok_or_else(Rejection::unauthenticated)?;
    store(edge, &viewer, request).await
}

async fn store(edge: &Edge, viewer: &Viewer, request: Request) -> Result<Value, Rejection> {
    let app = &edge.app;
    let limit = app.limits.file_bytes;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit) {
        return Err(Rejection::too_large(limit));
    }
    let Query(told) = Query::<Told>::try_from_uri(request.uri()).unwrap_or_default();
    let name = file_name(&told.name);
    let id = Uuid::now_v7();
    let stored = match app.store.put(Key::Upload(id), request.into_body().into_data_stream(), limit).await {
        Ok(stored) => stored,
        Err(PutError::TooLarge { limit }) => return Err(Rejection::too_large(limit)),
        Err(PutError::Source(_)) => return Err(Rejection::bad_request("The file was not sent to its end.")),
        Err(PutError::Store(error)) => {
            tracing::error!("cannot take in a file: {error}");
            return Err(Rejection::store_away("take the file"));
        }
    };
    let file = ReceivedFile { id, name, size: stored.size, sha256: stored.sha256 };
    let registered = async {
        app.checkpoints.pass(Checkpoint::FileReceived).await?;
        staged::add(app, viewer, &file).await
    };
    let until = match registered.await {
        Ok(until) => until,
        Err(error) => {
            tracing::error!("cannot register a file: {error}");
            super::multipart::drop_unused(app, &[file]).await;
            return Err(if error.is_busy() { Rejection::database_busy() } else { Rejection::internal() });
        }
    };
    tracing::info!(upload = %id, bytes = file.size, "upload staged");
    let until = until.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    Ok(json!({ "uploadId": id, "name": file.name, "size": file.size, "sha256": file.sha256, "expiresAt": until }))
}

/// What the address says of the file.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    name: String,
}
