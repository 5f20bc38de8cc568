//! The worker: claims a job, reads its file, and commits predictions and progress together, batch by batch.
//!
//! The job's row is the only state. A claim is a lease under a token of the worker's own, renewed by each batch and, where
//! that takes long, in between; a worker that lost its lease, or its job, finds so at its next batch and stops. Whoever goes on skips as many rows of
//! the file as the row says are processed. A job that was cancelled meanwhile ends at the next batch, without it.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use artifacts::{Key, csv::CsvReader};
use entity::{
    artifact, job,
    stored::{ArtifactKind, JobEventType, Kind},
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
    database::{WriteTransaction, locked, now, retrying},
    error::Error,
    events,
    predictions::{
        row::{Columns, Row, RowFault},
        store,
    },
};

/// How often to look for jobs that nobody told of: of other servers, and of workers that died.
const POLL: Duration = Duration::from_secs(2);

/// The shortest time between two renewals of a claim.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// A worker that commits nothing for so long hangs, and loses its claim.
const LONGEST_BATCH: Duration = Duration::from_mins(10);

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
        let left = run_and_keep(&app, &job, &stop).await;
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
        events::record(app, &transaction, &job, JobEventType::Status).await?;
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
    let open = Condition::any()
        .add(job::Column::Status.eq(JobStatus::Pending.as_stored()))
        .add(Condition::all().add(job::Column::Status.eq(JobStatus::Running.as_stored())).add(unclaimed()));
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

/// Runs a job, and keeps its claim meanwhile.
async fn run_and_keep(app: &App, job: &job::Model, stop: &CancellationToken) -> Result<Left, Error> {
    let claim = Claim::default();
    // A task of its own that is never dropped in the middle of a statement.
    let keeping = tokio::spawn(keep(app.clone(), job.clone(), claim.clone()));
    // Also where the worker panics.
    let done = claim.done.clone().drop_guard();
    let left = run(app, job, stop, &claim).await;
    drop(done);
    keeping.await?;
    left
}

/// What a worker and the task that renews its claim tell each other.
#[derive(Clone, Debug, Default)]
struct Claim {
    /// The worker has left the job.
    done: CancellationToken,
    /// The job is another's, or is to end.
    lost: CancellationToken,
    /// Batches committed so far.
    batches: Arc<AtomicUsize>,
}

/// Renews a claim again and again, for as long as the worker gets on.
async fn keep(app: App, job: job::Model, claim: Claim) {
    let mut seen = (0, Instant::now());
    loop {
        tokio::select! {
            () = claim.done.cancelled() => return,
            () = tokio::time::sleep((app.limits.lease / 3).max(SHORTEST_PAUSE)) => {}
        }
        let batches = claim.batches.load(Ordering::Relaxed);
        if batches != seen.0 {
            seen = (batches, Instant::now());
        } else if seen.1.elapsed() > LONGEST_BATCH {
            tracing::error!(job = %job.id, "no batch for {LONGEST_BATCH:?}: its claim is left to run out");
            return;
        }
        match renew(&app, &job).await {
            Ok(true) => {}
            Ok(false) => {
                claim.lost.cancel();
                return;
            }
            // The next try is in time, or the next batch finds out.
            Err(error) => tracing::warn!(job = %job.id, "a claim was not renewed: {error}"),
        }
    }
}

/// Renews a claim; `false`: the job is not this worker's to run any more. The claim on a job that was cancelled runs out,
/// so that it ends even where its worker hangs.
async fn renew(app: &App, job: &job::Model) -> Result<bool, Error> {
    let transaction = app.db.begin().await?;
    let mine = own(job).filter(job::Column::Status.eq(JobStatus::Running.as_stored()));
    let Some(held) = locked(mine, app.db.backend(), LockType::Update).one(&*transaction).await? else {
        return Ok(false);
    };
    let mut row = held.into_active_model();
    // Counted from here on, whatever it waited for.
    row.lease_expires_at = Set(Some(now() + app.limits.lease));
    row.update(&*transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The row of a job that this worker claimed.
fn own(job: &job::Model) -> sea_orm::Select<job::Entity> {
    job::Entity::find_by_id(job.id).filter(job::Column::LeaseToken.eq(job.lease_token))
}

/// Nobody's claim holds.
fn unclaimed() -> Condition {
    Condition::any().add(job::Column::LeaseExpiresAt.is_null()).add(job::Column::LeaseExpiresAt.lt(now()))
}

/// Reads the job's file from where the job stands to its end.
async fn run(app: &App, job: &job::Model, stop: &CancellationToken, claim: &Claim) -> Result<Left, Error> {
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
    loop {
        let next = tokio::select! {
            next = records.next() => next?,
            () = claim.lost.cancelled() => {
                // Where it was cancelled, this ends it.
                change_own(app, job, |_| {}).await?;
                return Ok(Left::Lost);
            }
        };
        let Some(record) = next else { break };
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
            claim.batches.fetch_add(1, Ordering::Relaxed);
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
        let held = match lock_own(app, &transaction, job).await? {
            Locked::Running(held) => held,
            Locked::Cancelled => {
                transaction.commit().await?;
                return Ok(ControlFlow::Break(Left::Ended));
            }
            Locked::Lost => return Ok(ControlFlow::Break(Left::Lost)),
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
        let job = row.update(&*transaction).await?;
        events::record_batch(app, &transaction, &job, last).await?;
        app.checkpoints.pass(Checkpoint::BatchBeforeCommit).await?;
        transaction.commit().await?;
        Ok(ControlFlow::Continue(()))
    })
    .await
}

/// A job's row as its worker finds it, locked.
enum Locked {
    /// It is this worker's to write to.
    Running(Box<job::Model>),
    /// It was cancelled meanwhile, and is ended by this.
    Cancelled,
    /// It is gone, or another worker's.
    Lost,
}

/// Locks the job's row, and ends the job where it was cancelled.
async fn lock_own(app: &App, transaction: &WriteTransaction, job: &job::Model) -> Result<Locked, Error> {
    let Some(held) = locked(own(job), app.db.backend(), LockType::Update).one(&**transaction).await? else {
        return Ok(Locked::Lost);
    };
    match JobStatus::of(&held) {
        JobStatus::Running => Ok(Locked::Running(held.into())),
        JobStatus::Cancelling => {
            let mut row = held.into_active_model();
            status::end(&mut row, JobStatus::Cancelled);
            let job = row.update(&**transaction).await?;
            events::record(app, transaction, &job, JobEventType::Status).await?;
            Ok(Locked::Cancelled)
        }
        _ => Ok(Locked::Lost),
    }
}

/// Ends jobs that were cancelled while a worker had them that has died since.
async fn end_cancelled(app: &App) -> Result<(), Error> {
    let abandoned = || {
        job::Entity::find()
            .filter(job::Column::Origin.eq(job::ORIGIN_JOBLINK))
            .filter(job::Column::Status.eq(JobStatus::Cancelling.as_stored()))
            .filter(unclaimed())
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
            let job = row.update(&*transaction).await?;
            events::record(app, &transaction, &job, JobEventType::Status).await?;
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
    change_own(app, job, |row| {
        row.error_message = Set(Some(why.to_owned()));
        status::end(row, JobStatus::Failed);
    })
    .await?;
    Ok(Left::Ended)
}

async fn release(app: &App, job: &job::Model) -> Result<Left, Error> {
    change_own(app, job, |row| row.lease_expires_at = Set(None)).await?;
    Ok(Left::Released)
}

/// Changes the job's row, if it is still this worker's to write to.
async fn change_own(
    app: &App,
    job: &job::Model,
    change: impl Fn(&mut job::ActiveModel) + Send + Sync,
) -> Result<(), Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        match lock_own(app, &transaction, job).await? {
            Locked::Running(held) => {
                let mut row = held.into_active_model();
                change(&mut row);
                let job = row.update(&*transaction).await?;
                events::record_status(app, &transaction, JobStatus::Running, &job).await?;
            }
            Locked::Cancelled => {}
            Locked::Lost => return Ok(()),
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}
