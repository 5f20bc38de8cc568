//! The worker: claims a job, reads its file, and commits predictions and progress together, batch by batch.
//!
//! The job's row is the only state. A claim is a lease under a token of the worker's own, renewed by each batch and, where
//! that takes long, in between; a worker that lost its lease, or its job, finds so at its next batch and stops. Whoever goes on skips as many rows of
//! the file as the row says are processed. A job that was cancelled meanwhile ends at the next batch, without it.

use std::{ops::ControlFlow, time::Duration};

use artifacts::{Key, csv::CsvReader};
use entity::{
    artifact, job,
    stored::{ArtifactKind, Kind},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    prelude::{Expr, Uuid},
    sea_query::LockType,
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

/// The shortest time between two renewals of a claim.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

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
        if let Err(error) = end_cancelled(&app).await {
            tracing::error!("cannot end jobs that were cancelled: {error}");
        }
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
        let left = tokio::select! {
            left = run(&app, &job, &stop) => left,
            () = keep(&app, &job) => Ok(Left::Lost),
        };
        match left {
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

/// Renews a claim again and again; ends when it is lost.
async fn keep(app: &App, job: &job::Model) {
    loop {
        tokio::time::sleep((app.limits.lease / 3).max(SHORTEST_PAUSE)).await;
        let renewed = job::Entity::update_many()
            .col_expr(job::Column::LeaseExpiresAt, Expr::value(now() + app.limits.lease))
            .filter(job::Column::Id.eq(job.id))
            .filter(job::Column::LeaseToken.eq(job.lease_token));
        let renewed = async {
            let transaction = app.db.begin().await?;
            let rows = renewed.exec(&*transaction).await?.rows_affected;
            transaction.commit().await?;
            Ok::<_, Error>(rows)
        };
        match renewed.await {
            Ok(0) => return,
            Ok(_) => {}
            // The next try is in time, or the next batch finds out.
            Err(error) => tracing::warn!(job = %job.id, "a claim was not renewed: {error}"),
        }
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
            if let ControlFlow::Break(left) = commit(app, job, kind, rows, false).await? {
                return Ok(left);
            }
            if stop.is_cancelled() {
                return release(app, job).await;
            }
        }
    }
    Ok(match commit(app, job, kind, batch, true).await? {
        ControlFlow::Break(left) => left,
        ControlFlow::Continue(()) => Left::Ended,
    })
}

/// The registered input of a job.
pub async fn input(app: &App, job: &job::Model) -> Result<Option<artifact::Model>, Error> {
    let found = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.id))
        .filter(artifact::Column::Kind.eq(ArtifactKind::Input.as_stored()))
        .one(app.db.reader());
    Ok(found.await?)
}

/// Commits a batch with the progress it makes, and with the last one the end of the job; nothing of it where the job is
/// lost or was cancelled.
async fn commit(
    app: &App,
    job: &job::Model,
    kind: Kind,
    rows: Vec<Result<Row, RowFault>>,
    last: bool,
) -> Result<ControlFlow<Left>, Error> {
    app.checkpoints.pass(Checkpoint::BatchBegins).await?;
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let held = match hold(app, &transaction, job).await? {
            Held::Running(held) => held,
            Held::Cancelled => {
                transaction.commit().await?;
                return Ok(ControlFlow::Break(Left::Ended));
            }
            Held::Lost => return Ok(ControlFlow::Break(Left::Lost)),
        };
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
        Ok(ControlFlow::Continue(()))
    })
    .await
}

/// A job's row as its worker finds it, locked.
enum Held {
    /// It is this worker's to write to.
    Running(Box<job::Model>),
    /// It was cancelled meanwhile, and is ended by this.
    Cancelled,
    /// It is gone, or another worker's.
    Lost,
}

/// Locks the job's row, and ends the job where it was cancelled.
async fn hold(app: &App, transaction: &sea_orm::DatabaseTransaction, job: &job::Model) -> Result<Held, Error> {
    let mine = job::Entity::find_by_id(job.id).filter(job::Column::LeaseToken.eq(job.lease_token));
    let Some(held) = locked(mine, app.db.backend(), LockType::Update).one(transaction).await? else {
        return Ok(Held::Lost);
    };
    match JobStatus::of(&held) {
        JobStatus::Running => Ok(Held::Running(held.into())),
        JobStatus::Cancelling => {
            let mut row = held.into_active_model();
            status::end(&mut row, JobStatus::Cancelled);
            row.update(transaction).await?;
            Ok(Held::Cancelled)
        }
        _ => Ok(Held::Lost),
    }
}

/// Ends jobs that were cancelled while a worker had them that has died since.
async fn end_cancelled(app: &App) -> Result<(), Error> {
    let abandoned = || {
        let expired =
            Condition::any().add(job::Column::LeaseExpiresAt.is_null()).add(job::Column::LeaseExpiresAt.lt(now()));
        job::Entity::find()
            .filter(job::Column::Origin.eq(job::ORIGIN_JOBLINK))
            .filter(job::Column::Status.eq(JobStatus::Cancelling.as_stored()))
            .filter(expired)
            .order_by_asc(job::Column::Id)
    };
    if abandoned().one(app.db.reader()).await?.is_none() {
        return Ok(());
    }
    retrying(|| async {
        let transaction = app.db.begin().await?;
        for job in locked(abandoned(), app.db.backend(), LockType::Update).all(&*transaction).await? {
            let mut row = job.into_active_model();
            status::end(&mut row, JobStatus::Cancelled);
            row.update(&*transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Marks the end of a job by what it stored.
fn end(row: &mut job::ActiveModel) {
    let succeeded = row.successful_rows.clone().take().flatten().unwrap_or_default();
    let failed = row.failed_rows.clone().take().flatten().unwrap_or_default();
    let status = if succeeded > 0 { JobStatus::Completed } else { JobStatus::Failed };
    if status == JobStatus::Failed {
        row.error_message = Set(Some(format!("No row could be stored: each of the {failed} rows has an error.")));
    }
    status::end(row, status);
}

async fn fail(app: &App, job: &job::Model, why: &str) -> Result<Left, Error> {
    change(app, job, |row| {
        row.error_message = Set(Some(why.to_owned()));
        status::end(row, JobStatus::Failed);
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
        match hold(app, &transaction, job).await? {
            Held::Running(held) => {
                let mut row = held.into_active_model();
                change(&mut row);
                row.update(&*transaction).await?;
            }
            Held::Cancelled => {}
            Held::Lost => return Ok(()),
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}
