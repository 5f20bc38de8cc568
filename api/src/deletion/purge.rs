//! Removes the files of deleted jobs from the artifact store, until the store confirms that nothing is left.
//!
//! The queue is a table, written in the deletion's own transaction: a purge survives any crash and is taken up again.

use std::time::{Duration, Instant};

use entity::artifact_purge;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{LockBehavior, LockType},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{now, retrying},
    error::Error,
    files::staged,
    jobs::idempotency,
};

/// How long a purge that was begun is left to whoever began it.
const CLAIM: Duration = Duration::from_mins(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How often to look for purges that nobody told of.
const POLL: Duration = Duration::from_secs(5);
/// How often to look for them.
const LOOK_FOR_STALE: Duration = Duration::from_hours(1);

/// Purges what is due, until `stop`.
pub async fn work(app: App, stop: CancellationToken) {
    let mut looked: Option<Instant> = None;
    while !stop.is_cancelled() {
        if looked.is_none_or(|looked| looked.elapsed() > LOOK_FOR_STALE) {
            if let Err(error) = staged::drop_stale(&app).await {
                tracing::warn!("cannot remove received files that no job took: {error}");
            }
            if let Err(error) = idempotency::drop_old(&app).await {
                tracing::warn!("cannot forget old idempotency keys: {error}");
            }
            looked = Some(Instant::now());
        }
        match purge_next(&app).await {
            Ok(true) => {}
            Ok(false) => tokio::select! {
                () = stop.cancelled() => return,
                () = app.job_deleted.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            },
            Err(error) => {
                tracing::error!("cannot look for purges: {error}");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }
}

/// Purges one deleted job's files; `false`: none is due.
pub async fn purge_next(app: &App) -> Result<bool, Error> {
    if due().one(app.db.reader()).await?.is_none() {
        return Ok(false);
    }
    let Some(purge) = retrying(|| claim(app)).await? else { return Ok(false) };
    let job = purge.job_id;
    app.checkpoints.pass(Checkpoint::PurgeClaimed).await?;
    let outcome = app.store.purge_job(job).await;
    let mut row = purge.clone().into_active_model();
    match outcome {
        Ok(keys) => {
            for key in &keys {
                tracing::info!(job = %job, key, "artifact purged");
            }
            app.checkpoints.pass(Checkpoint::PurgeRemoved).await?;
            row.last_error = Set(None);
            match purge.settles_at.filter(|settles| *settles > now()) {
                Some(settles) => row.due_at = Set(settles),
                None => row.completed_at = Set(Some(now())),
            }
        }
        Err(error) => {
            let pause =
                (Duration::from_secs(1) * 2_u32.saturating_pow(purge.attempts.unsigned_abs())).min(LONGEST_PAUSE);
            tracing::warn!(job = %job, attempts = purge.attempts, "purge failed, next attempt in {pause:?}: {error}");
            row.due_at = Set(now() + pause);
            row.last_error = Set(Some("The artifact store did not confirm the removal; it is tried again.".to_owned()));
        }
    }
    retrying(|| async {
        let transaction = app.db.begin().await?;
        row.clone().update(&*transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await?;
    Ok(true)
}

fn due() -> Select<artifact_purge::Entity> {
    artifact_purge::Entity::find()
        .filter(artifact_purge::Column::CompletedAt.is_null())
        .filter(artifact_purge::Column::DueAt.lte(now()))
        .order_by_asc(artifact_purge::Column::DueAt)
        .limit(1)
}

/// Takes a purge that is due; others leave it alone for a while.
async fn claim(app: &App) -> Result<Option<artifact_purge::Model>, Error> {
    let transaction = app.db.begin().await?;
    let query = match app.db.backend() {
        DbBackend::Postgres => due().lock_with_behavior(LockType::Update, LockBehavior::SkipLocked),
        _ => due(),
    };
    let Some(purge) = query.one(&*transaction).await? else { return Ok(None) };
    let mut row = purge.clone().into_active_model();
    row.attempts = Set(purge.attempts + 1);
    row.due_at = Set(now() + CLAIM);
    let purge = row.update(&*transaction).await?;
    transaction.commit().await?;
    Ok(Some(purge))
}
