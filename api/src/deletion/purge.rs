//! Removes the files of deleted jobs from the artifact store, until the store confirms that nothing is left.
//!
//! The queue is a table, written in the deletion's own transaction: a purge survives any crash and is taken up again.

use std::{collections::HashMap, time::Duration};

use entity::artifact_purge;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select,
    prelude::Uuid,
    sea_query::{LockBehavior, LockType},
};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{now, retrying},
    error::Error,
    files::staged,
    jobs::idempotency,
    traces::TARGET,
};

/// How many jobs a server purges at a time: one that the store is slow with leaves the places of the others. A removal is
/// mostly waiting for the store, so more would gain little and be felt by requests that read files.
const AT_ONCE: usize = 4;
/// How long a purge that was begun is left to whoever began it.
const CLAIM: Duration = Duration::from_mins(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How often to look for purges that nobody told of.
const POLL: Duration = Duration::from_secs(5);
/// How often to look for what waited for too long.
const LOOK_FOR_STALE: Duration = Duration::from_hours(1);

/// Purges what is due, until `stop`; ends after what it is at.
pub async fn work(app: App, stop: CancellationToken) {
    tokio::join!(purge(&app, &stop), forget(&app, &stop));
}

/// Purges of this server that are under way, and their jobs.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    jobs: HashMap<Id, Uuid>,
}

impl Running {
    fn begin(&mut self, app: &App, purge: artifact_purge::Model) {
        let (app, job) = (app.clone(), purge.job_id);
        let span = tracing::info_span!(target: TARGET, "purge job", joblink.job.id = %job);
        let purging = async move {
            if let Err(error) = purge_job(&app, purge).await {
                tracing::error!(job = %job, "a purge failed and is tried again: {error}");
            }
        };
        let task = self.tasks.spawn(purging.instrument(span));
        self.jobs.insert(task.id(), job);
    }

    /// Waits for the end of one; for ever where there is none.
    async fn ended(&mut self) {
        let task = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((task, ()))) => task,
            Some(Err(error)) => {
                tracing::error!("a purge panicked and is tried again: {error}");
                error.id()
            }
        };
        self.jobs.remove(&task);
    }
}

async fn purge(app: &App, stop: &CancellationToken) {
    let mut running = Running::default();
    while !stop.is_cancelled() {
        let has_place = running.tasks.len() < AT_ONCE;
        if has_place {
            let others: Vec<Uuid> = running.jobs.values().copied().collect();
            match next(app, &others).await {
                Ok(Some(purge)) => {
                    running.begin(app, purge);
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::error!("cannot look for purges: {error}"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = running.ended() => {}
            () = app.job_deleted.notified(), if has_place => {}
            () = tokio::time::sleep(POLL), if has_place => {}
        }
    }
    while !running.tasks.is_empty() {
        running.ended().await;
    }
}

/// Forgets what waited for too long, now and then; a store that is slow with it holds no purge up.
async fn forget(app: &App, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = staged::drop_stale(app).await {
            tracing::warn!("cannot remove received files that no job took: {error}");
        }
        if let Err(error) = idempotency::drop_old(app).await {
            tracing::warn!("cannot forget old idempotency keys: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_FOR_STALE) => {}
        }
    }
}

/// Claims a purge that is due, but those of jobs that this server is at: their claims may run out meanwhile.
async fn next(app: &App, others: &[Uuid]) -> Result<Option<artifact_purge::Model>, Error> {
    if due(others).one(app.db.reader()).await?.is_none() {
        return Ok(None);
    }
    retrying(|| claim(app, others)).await
}

/// Purges one deleted job's files.
async fn purge_job(app: &App, purge: artifact_purge::Model) -> Result<(), Error> {
    let job = purge.job_id;
    app.checkpoints.pass(Checkpoint::PurgeClaimed).await?;
    let outcome = app.store.purge_job(job).await;
    let (attempts, settles_at) = (purge.attempts, purge.settles_at);
    let mut row = purge.into_active_model();
    match outcome {
        Ok(keys) => {
            for key in &keys {
                tracing::info!(job = %job, key, "artifact purged");
            }
            app.checkpoints.pass(Checkpoint::PurgeRemoved).await?;
            row.last_error = Set(None);
            match settles_at.filter(|settles| *settles > now()) {
                Some(settles) => row.due_at = Set(settles),
                None => row.completed_at = Set(Some(now())),
            }
        }
        Err(error) => {
            let pause = (Duration::from_secs(1) * 2_u32.saturating_pow(attempts.unsigned_abs())).min(LONGEST_PAUSE);
            tracing::warn!(job = %job, attempts, "purge failed, next attempt in {pause:?}: {error}");
            row.due_at = Set(now() + pause);
            row.last_error = Set(Some("The artifact store did not confirm the removal; it is tried again.".to_owned()));
        }
    }
    retrying(|| async {
        let transaction = app.db.begin().await?;
        row.clone().update(&*transaction).await?;
        app.checkpoints.pass(Checkpoint::PurgeBeforeCommit).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

fn due(others: &[Uuid]) -> Select<artifact_purge::Entity> {
    artifact_purge::Entity::find()
        .filter(artifact_purge::Column::JobId.is_not_in(others.iter().copied()))
        .filter(artifact_purge::Column::CompletedAt.is_null())
        .filter(artifact_purge::Column::DueAt.lte(now()))
        .order_by_asc(artifact_purge::Column::DueAt)
        .limit(1)
}

/// Takes a purge that is due; others leave it alone for a while.
async fn claim(app: &App, others: &[Uuid]) -> Result<Option<artifact_purge::Model>, Error> {
    let transaction = app.db.begin().await?;
    let query = match app.db.backend() {
        DbBackend::Postgres => due(others).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked),
        _ => due(others),
    };
    let Some(purge) = query.one(&*transaction).await? else { return Ok(None) };
    let mut row = purge.clone().into_active_model();
    row.attempts = Set(purge.attempts + 1);
    row.due_at = Set(now() + CLAIM);
    let purge = row.update(&*transaction).await?;
    transaction.commit().await?;
    Ok(Some(purge))
}
