//! `GET /backfill/{run}/{list}`: a list of a run of the backfill as a CSV file.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sea_orm::prelude::Uuid;

use super::{Edge, access, rejection::Rejection, request_span::RequestId};
use crate::{
    app::App,
    auth::Viewer,
    backfill::files::{self, List, Pieces},
    error::Error,
};

/// Answers one download.
pub async fn answer(
    State(edge): State<Edge>,
    Path((run, list)): Path<(String, String)>,
    request_id: RequestId,
    request: Request,
) -> Response {
    respond(&edge.app, &run, &list, access::caller(&request))
        .await
        .unwrap_or_else(|rejection| rejection.response(request_id.as_str()))
}

/// The file, if the caller sees the run; all others are told the same.
async fn respond(
    app: &App,
    run: &str,
    list: &str,
    caller: Result<Option<Viewer>, Rejection>,
) -> Result<Response, Rejection> {
    let viewer = caller?.ok_or_else(Rejection::unauthenticated)?;
    let missing = || Rejection::new(StatusCode::NOT_FOUND, "NOT_FOUND", "No such file.");
    let run = Uuid::try_parse(run).map_err(|_| missing())?;
    let list = List::ALL.into_iter().find(|known| known.name() == list).ok_or_else(missing)?;
    if !files::is_seen(app.db.reader(), &viewer, run).await.map_err(|error| busy(&error.into()))? {
        return Err(missing());
    }
    // The first piece is read before the answer begins, so that a database that is away is told as such.
    let mut pieces = Pieces::new(list, run);
    let first = pieces.next(app.db.reader()).await.map_err(|error| busy(&error))?;
    let rest = stream::try_unfold((app.clone(), pieces), async |(app, mut pieces)| {
        let piece = pieces.next(app.db.reader()).await;
        // What was cut off is no whole file to who receives it.
        let piece = piece.inspect_err(|error| tracing::error!("a list of the backfill was cut off: {error}"))?;
        Ok::<_, Error>(piece.map(|piece| (piece, (app, pieces))))
    });
    let body = Body::from_stream(stream::iter(first.map(Ok::<Bytes, Error>)).chain(rest));
    let file = format!("attachment; filename=\"backfill-{run}-{}\"", list.name());
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, &file),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
    ];
    Ok((headers, body).into_response())
}

fn busy(error: &Error) -> Rejection {
    tracing::error!("cannot read a list of the backfill: {error}");
    Rejection::database_busy()
}
