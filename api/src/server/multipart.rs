//! File uploads by the GraphQL multipart request specification, streamed to the artifact store.

use std::collections::HashMap;

use artifacts::{Key, PutError};
use axum::{
    extract::{
        DefaultBodyLimit, FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{StatusCode, header},
};
use futures_util::StreamExt;
use sea_orm::prelude::Uuid;
use serde_json::Value;

use super::{check::Operation, rejection::Rejection};
use crate::{app::App, checkpoint::Checkpoint, files::ReceivedFile, graphql::UPLOAD_MARK};

/// The most files of one request.
const MOST_FILES: usize = 10;
/// What the parts around the files may take in bytes.
const OVERHEAD: u64 = 2_000_000;

/// A multipart request, whose files stand in the store.
#[derive(Debug)]
pub struct Received {
    /// The operation, with a mark in its variables for each file.
    pub operation: Operation,
    /// The files, by the numbers in the marks.
    pub files: Vec<ReceivedFile>,
}

/// Receives a request. Rejected, or cut off, it leaves no file.
pub async fn receive(app: &App, request: Request) -> Result<Received, Rejection> {
    let limit = app.limits.file_bytes;
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit + OVERHEAD) {
        return Err(Rejection::too_large(limit));
    }
    let mut files = Vec::new();
    match receive_parts(app, request, &mut files).await {
        Ok(operation) => Ok(Received { operation, files }),
        Err(rejection) => {
            drop_unused(app, &files).await;
            Err(rejection)
        }
    }
}

/// Removes received files that no job took.
pub async fn drop_unused(app: &App, files: &[ReceivedFile]) {
    for file in files {
        if let Err(error) = app.store.delete(Key::Upload(file.id)).await {
            tracing::warn!("a received file is left until it is a day old: {error}");
        }
    }
}

async fn receive_parts(app: &App, mut request: Request, files: &mut Vec<ReceivedFile>) -> Result<Operation, Rejection> {
    let whole = usize::try_from(app.limits.file_bytes + OVERHEAD).unwrap_or(usize::MAX);
    DefaultBodyLimit::max(whole).apply(&mut request);
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|_| Rejection::bad_request("The multipart request has no boundary."))?;
    let mut operations = json_part(app, next(app, &mut parts).await?, "operations").await?;
    let map = json_part(app, next(app, &mut parts).await?, "map").await?;
    let wrong_map =
        || Rejection::bad_request("The part \"map\" is not an object of lists of paths into \"operations\".");
    let mut map: HashMap<String, Vec<String>> = serde_json::from_value(map).map_err(|_| wrong_map())?;
    while let Some(part) = next(app, &mut parts).await? {
        let paths = part.name().and_then(|name| map.remove(name));
        let Some(paths) = paths else {
            return Err(Rejection::bad_request("A part of the request is not named in \"map\", or twice."));
        };
        if files.len() == MOST_FILES {
            return Err(Rejection::bad_request(format!("At most {MOST_FILES} files are allowed in one request.")));
        }
        for path in paths {
            let place = path.split('.').try_fold(&mut operations, |value, step| match value {
                Value::Object(object) => object.get_mut(step),
                Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
                _ => None,
            });
            let place = place.filter(|place| place.is_null()).ok_or_else(|| {
                Rejection::bad_request(format!("The path {path:?} of \"map\" leads to no null in \"operations\"."))
            })?;
            *place = Value::String(format!("{UPLOAD_MARK}{}", files.len()));
        }
        let left = app.limits.file_bytes - files.iter().map(|file| file.size).sum::<u64>();
        files.push(receive_file(app, part, left).await?);
        app.checkpoints.pass(Checkpoint::FileReceived).await.map_err(|_| Rejection::internal())?;
    }
    if let Some(name) = map.keys().next() {
        return Err(Rejection::bad_request(format!("The request has no part {name:?}, which \"map\" names.")));
    }
    Operation::parse(operations)
}

async fn next<'a>(app: &App, parts: &'a mut Multipart) -> Result<Option<Field<'a>>, Rejection> {
    parts.next_field().await.map_err(|error| unreadable(app, &error))
}

fn unreadable(app: &App, error: &MultipartError) -> Rejection {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Rejection::too_large(app.limits.file_bytes)
    } else {
        Rejection::bad_request("The multipart request is damaged or was cut off.")
    }
}

async fn json_part(app: &App, part: Option<Field<'_>>, name: &str) -> Result<Value, Rejection> {
    let wrong =
        || Rejection::bad_request(format!("The multipart request has no part {name:?} with JSON in its place."));
    let mut part = part.filter(|part| part.name() == Some(name)).ok_or_else(wrong)?;
    let mut text = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| unreadable(app, &error))? {
        if text.len() + chunk.len() > app.limits.body_bytes {
            return Err(Rejection::too_large(app.limits.body_bytes as u64));
        }
        text.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&text).map_err(|_| wrong())
}

/// Takes in a file of at most `left` bytes, which is what the files before it leave of the limit.
async fn receive_file(app: &App, part: Field<'_>, left: u64) -> Result<ReceivedFile, Rejection> {
    let id = Uuid::now_v7();
    let name = part.file_name().unwrap_or_default().to_owned();
    let chunks = part.boxed();
    match app.store.put(Key::Upload(id), chunks, left).await {
        Ok(stored) => Ok(ReceivedFile { id, name, size: stored.size, sha256: stored.sha256 }),
        Err(PutError::TooLarge { .. }) => Err(Rejection::too_large(app.limits.file_bytes)),
        Err(PutError::Source(error)) => Err(unreadable(app, &error)),
        Err(PutError::Store(error)) => {
            tracing::error!("cannot take in a file: {error}");
            Err(Rejection::store_away("take the file"))
        }
    }
}
