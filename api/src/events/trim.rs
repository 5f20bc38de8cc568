//! Removes events that nobody waits for any more.

use std::time::Duration;

use entity::job_event;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::LockType};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    database::{locked_if_free, now, retrying},
    error::Error,
};

/// How long events are kept: far longer than any reader is behind, and short enough that the table stays small.
const KEPT: Duration = Duration::from_hours(1);
/// How often to look for older ones.
const POLL: Duration = Duration::from_mins(5);
/// The most rows of one statement.
const BATCH: u64 = 1000;

/// Trims, until `stop`.
pub async fn work(app: App, stop: CancellationToken) {
    loop {
        match trim(&app, &stop).await {
            Ok(0) => {}
            Ok(trimmed) => tracing::debug!(trimmed, "old events removed"),
            Err(error) => tracing::warn!("cannot remove old events: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Removes what is older than an hour, and counts it.
pub async fn trim(app: &App, stop: &CancellationToken) -> Result<u64, Error> {
    let mut trimmed = 0;
    while !stop.is_cancelled() {
        let some = retrying(|| trim_some(app)).await?;
        trimmed += some;
        if some < BATCH {
            break;
        }
    }
    Ok(trimmed)
}

async fn trim_some(app: &App) -> Result<u64, Error> {
    let oldest = job_event::Entity::find()
        .select_only()
        .column(job_event::Column::Id)
        .filter(job_event::Column::At.lt(now() - KEPT))
        .order_by_asc(job_event::Column::Id)
        .limit(BATCH);
    // Another server may be at the same ones.
    let oldest = locked_if_free(oldest, app.db.backend(), LockType::Update);
    let transaction = app.db.begin().await?;
    let trimmed = job_event::Entity::delete_many()
        .filter(job_event::Column::Id.in_subquery(oldest.into_query()))
        .exec(&*transaction)
        .await?;
    transaction.commit().await?;
    Ok(trimmed.rows_affected)
}
