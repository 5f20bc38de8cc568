//! The worker: claims a job, reads its file, and commits predictions and progress together, batch by batch.
//!
//! The job's row is the only state. A claim is a lease, renewed by each batch under a token of the worker's own; a
//! worker that lost its lease, or its job, finds so at its next batch and stops. Whoever goes on skips as many rows of
//! the file as the row says are processed.

use std::time::Duration;

use artifacts::{Key, csv::CsvReader};
use entity::{
    artifact, job,
    stored::{ArtifactKind, Kind},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    prelude::Uuid, sea_query::LockType,
};
use tokio_util::sync::CancellationToken;

use super::status::{self, JobStatus};
use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{locked, now, retrying},
    error::Error,
    predictions::{
        row::{Columns, Row, RowFault},
        store,
    },
};

/// How often to look for jobs that nobody told of: of other servers, and of workers that died.
const POLL: Duration = Duration::from_secs(2);

/// How a worker left a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// The job has ended.
    Ended,
    /// The job is gone, or another worker has it.
    Lost,
    /// The server stops; another worker goes on.
    Released,
}

/// Runs jobs, one after the other, until `stop`; ends after the batch at hand.
pub async fn work(app: App, stop: CancellationToken) {
    loop {
        let claimed = match claim(&app).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!("cannot look for jobs: {error}");
                None
            }
        };
        let Some(job) = claimed else {
            tokio::select! {
                () = stop.cancelled() => return,
                () = app.job_created.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            continue;
        };
        match run(&app, &job, &stop).await {
            Ok(left) => tracing::info!(job = %job.id, "worker left the job: {left:?}"),
            // The lease runs out and the job is tried again, from its last committed row.
            Err(error) => tracing::error!(job = %job.id, "worker failed: {error}"),
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Claims a job that is pending, or whose worker let its lease run out. Adopted jobs are never claimed.
async fn claim(app: &App) -> Result<Option<job::Model>, Error> {
    if open_job(app, None).one(app.db.reader()).await?.is_none() {
        return Ok(None);
    }
    let claimed = retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(job) = open_job(app, Some(LockType::Update)).one(&*transaction).await? else { return Ok(None) };
        let mut row = job.clone().into_active_model();
        row.status = Set(Some(JobStatus::Running.as_stored().to_owned()));
        row.started_at = Set(job.started_at.or(Some(now().naive_utc())));
        row.updated_at = Set(Some(now().naive_utc()));
        row.lease_token = Set(Some(Uuid::new_v4()));
        row.lease_expires_at = Set(Some(now() + app.limits.lease));
        let job = row.update(&*transaction).await?;
        transaction.commit().await?;
        Ok(Some(job))
    })
    .await?;
    if claimed.is_some() {
        app.checkpoints.pass(Checkpoint::JobClaimed).await?;
    }
    Ok(claimed)
}

fn open_job(app: &App, lock: Option<LockType>) -> sea_orm::Select<job::Entity> {
    use sea_orm::{DbBackend, QuerySelect, sea_query::LockBehavior};
    let expired =
        Condition::any().add(job::Column::LeaseExpiresAt.is_null()).add(job::Column::LeaseExpiresAt.lt(now()));
    let open = Condition::any()
        .add(job::Column::Status.eq(JobStatus::Pending.as_stored()))
        .add(Condition::all().add(job::Column::Status.eq(JobStatus::Running.as_stored())).add(expired));
    let query = job::Entity::find()
        .filter(job::Column::Origin.eq(job::ORIGIN_JOBLINK))
        .filter(job::Column::Status.is_in([JobStatus::Pending.as_stored(), JobStatus::Running.as_stored()]))
        .filter(open)
        .order_by_asc(job::Column::Id)
        .limit(1);
    match lock {
        Some(lock) if app.db.backend() == DbBackend::Postgres => {
            query.lock_with_behavior(lock, LockBehavior::SkipLocked)
        }
        _ => query,
    }
}

/// Reads the job's file from where the job stands to its end.
async fn run(app: &App, job: &job::Model, stop: &CancellationToken) -> Result<Left, Error> {
    let kind = status::kind(job);
    let Some(input) = input(app, job).await? else {
        return fail(app, job, "The job has no input file.").await;
    };
    let chunks = match app.store.read(Key::Input { job: job.id, artifact: input.id }).await {
        Err(error) if error.is_missing() => {
            return fail(app, job, "The input file is gone from the artifact store.").await;
        }
        chunks => chunks?,
    };
    let mut records = CsvReader::new(chunks);
    let Some(Ok(header)) = records.next().await?.map(|record| record.cells) else {
        return fail(app, job, "The input file has no header.").await;
    };
    let columns = match Columns::find(kind, header) {
        Ok(columns) => columns,
        Err(fault) => return fail(app, job, &format!("Line 1 {fault}.")).await,
    };
    let mut to_skip = job.processed_rows.unwrap_or_default();
    let mut batch = Vec::with_capacity(app.limits.batch_rows);
    while let Some(record) = records.next().await? {
        if to_skip > 0 {
            to_skip -= 1;
            continue;
        }
        batch.push(columns.read(record.line, record.cells));
        if batch.len() >= app.limits.batch_rows {
            let rows = std::mem::replace(&mut batch, Vec::with_capacity(app.limits.batch_rows));
            if !commit(app, job, kind, rows, false).await? {
                return Ok(Left::Lost);
            }
            if stop.is_cancelled() {
                return release(app, job).await;
            }
        }
    }
    Ok(if commit(app, job, kind, batch, true).await? { Left::Ended } else { Left::Lost })
}

async fn input(app: &App, job: &job::Model) -> Result<Option<artifact::Model>, Error> {
    let found = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.id))
        .filter(artifact::Column::Kind.eq(ArtifactKind::Input.as_stored()))
        .one(app.db.reader());
    Ok(found.await?)
}

/// Commits a batch with the progress it makes, and with the last one the end of the job. `false`: the job is lost.
async fn commit(
    app: &App,
    job: &job::Model,
    kind: Kind,
    rows: Vec<Result<Row, RowFault>>,
    last: bool,
) -> Result<bool, Error> {
    app.checkpoints.pass(Checkpoint::BatchBegins).await?;
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(held) = hold(app, &transaction, job).await? else { return Ok(false) };
        let stored = store::store(&*transaction, &held, kind, rows.clone()).await?;
        let processed = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let mut row = held.clone().into_active_model();
        row.processed_rows = Set(Some(held.processed_rows.unwrap_or_default() + processed));
        row.successful_rows = Set(Some(held.successful_rows.unwrap_or_default() + stored.succeeded));
        row.failed_rows = Set(Some(held.failed_rows.unwrap_or_default() + stored.failed));
        row.updated_at = Set(Some(now().naive_utc()));
        row.lease_expires_at = Set(Some(now() + app.limits.lease));
        if last {
            end(&mut row);
        }
        row.update(&*transaction).await?;
        app.checkpoints.pass(Checkpoint::BatchBeforeCommit).await?;
        transaction.commit().await?;
        Ok(true)
    })
    .await
}

/// Locks the job's row, if it is still this worker's to write to.
async fn hold(
    app: &App,
    transaction: &sea_orm::DatabaseTransaction,
    job: &job::Model,
) -> Result<Option<job::Model>, Error> {
    let mine = job::Entity::find_by_id(job.id)
        .filter(job::Column::LeaseToken.eq(job.lease_token))
        .filter(job::Column::Status.eq(JobStatus::Running.as_stored()));
    Ok(locked(mine, app.db.backend(), LockType::Update).one(transaction).await?)
}

/// Marks the end of a job by what it stored.
fn end(row: &mut job::ActiveModel) {
    let succeeded = row.successful_rows.clone().take().flatten().unwrap_or_default();
    let failed = row.failed_rows.clone().take().flatten().unwrap_or_default();
    let status = if succeeded > 0 { JobStatus::Completed } else { JobStatus::Failed };
    if status == JobStatus::Failed {
        row.error_message = Set(Some(format!("No row could be stored: each of the {failed} rows has an error.")));
    }
    ended_as(row, status);
}

fn ended_as(row: &mut job::ActiveModel, status: JobStatus) {
    row.status = Set(Some(status.as_stored().to_owned()));
    row.completed_at = Set(Some(now().naive_utc()));
    row.updated_at = Set(Some(now().naive_utc()));
    row.lease_token = Set(None);
    row.lease_expires_at = Set(None);
}

async fn fail(app: &App, job: &job::Model, why: &str) -> Result<Left, Error> {
    change(app, job, |row| {
        row.error_message = Set(Some(why.to_owned()));
        ended_as(row, JobStatus::Failed);
    })
    .await?;
    Ok(Left::Ended)
}

async fn release(app: &App, job: &job::Model) -> Result<Left, Error> {
    change(app, job, |row| row.lease_expires_at = Set(None)).await?;
    Ok(Left::Released)
}

/// Changes the job's row, if it is still this worker's to write to.
async fn change(
    app: &App,
    job: &job::Model,
    change: impl Fn(&mut job::ActiveModel) + Send + Sync,
) -> Result<(), Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        if let Some(held) = hold(app, &transaction, job).await? {
            let mut row = held.into_active_model();
            change(&mut row);
            row.update(&*transaction).await?;
            transaction.commit().await?;
        }
        Ok(())
    })
    .await
}
