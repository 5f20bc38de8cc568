//! A claim: which worker may write to a job. It is a lease under a token of the worker's own, renewed beside its work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{job, stored::JobEventType};
use migration::counted::counted;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    Select, prelude::Uuid, sea_query::LockType,
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{Statements, locked, now, retrying},
    error::Error,
    events,
    jobs::{log, status::JobStatus},
};

/// The shortest time between two renewals of a claim.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// A worker that commits nothing for so long hangs, and loses its claim.
const LONGEST_BATCH: Duration = Duration::from_mins(10);

/// What a worker and the task that renews its claim tell each other.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The worker has left the job.
    pub done: CancellationToken,
    /// The job is another's, or gone.
    pub lost: CancellationToken,
    /// The job is to end.
    pub cancelled: CancellationToken,
    /// Steps done so far: batches committed, pieces of files written.
    pub steps: Arc<AtomicUsize>,
    /// The worker brings the job to its end, also one that was cancelled.
    pub ending: Arc<AtomicBool>,
}

/// Claims a job that is pending, or whose worker let its lease run out. Adopted jobs are never claimed.
pub async fn claim(app: &App) -> Result<Option<job::Model>, Error> {
    if open_job(app, None).one(app.db.reader()).await?.is_none() {
        return Ok(None);
    }
    let claimed = retrying(|| async {
        let transaction = app.db.begin().await?;
        let Some(job) = open_job(app, Some(LockType::Update)).one(&*transaction).await? else { return Ok(None) };
        log::write(&*transaction, job.id, begins(&job)).await?;
        let mut row = job.clone().into_active_model();
        if JobStatus::of(&job) != JobStatus::Cancelling {
            row.status = Set(Some(JobStatus::Running.as_stored().to_owned()));
        }
        let at = now();
        row.started_at = Set(job.started_at.or(Some(at.naive_utc())));
        row.updated_at = Set(Some(at.naive_utc()));
        row.lease_token = Set(Some(Uuid::new_v4()));
        row.lease_expires_at = Set(Some(now() + app.limits.lease));
        let job = row.update(&*transaction).await?;
        events::record(app, &transaction, &job, JobEventType::Status).await?;
        transaction.commit().await?;
        Ok(Some(job))
    })
    .await?;
    if let Some(job) = &claimed {
        let (rows, taken_over) = (job.processed_rows.unwrap_or_default(), job.started_at != job.updated_at);
        if taken_over {
            tracing::warn!(job = %job.id, rows, "a job that was begun before is taken up");
        } else {
            tracing::info!(job = %job.id, "a worker begins");
        }
        app.checkpoints.pass(Checkpoint::JobClaimed).await?;
    }
    Ok(claimed)
}

/// What the log says of a claim.
fn begins(job: &job::Model) -> String {
    let done = counted(job.processed_rows.unwrap_or_default(), "row");
    match (job.started_at, job.lease_token) {
        (None, _) => "A worker begins.".to_owned(),
        (Some(_), None) => format!("A worker goes on after {done}."),
        (Some(_), Some(_)) => format!("The worker fell silent; another goes on after {done}."),
    }
}

fn open_job(app: &App, lock: Option<LockType>) -> Select<job::Entity> {
    use sea_orm::{DbBackend, QuerySelect, sea_query::LockBehavior};
    let [pending, running, cancelling] =
        [JobStatus::Pending, JobStatus::Running, JobStatus::Cancelling].map(JobStatus::as_stored);
    let open = Condition::any()
        .add(job::Column::Status.eq(pending))
        .add(Condition::all().add(job::Column::Status.is_in([running, cancelling])).add(unclaimed()));
    let query = job::Entity::find()
        .filter(job::Column::Origin.eq(job::ORIGIN_JOBLINK))
        .filter(job::Column::Status.is_in([pending, running, cancelling]))
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

/// Nobody's claim holds.
fn unclaimed() -> Condition {
    Condition::any().add(job::Column::LeaseExpiresAt.is_null()).add(job::Column::LeaseExpiresAt.lt(now()))
}

/// Renews a claim again and again, for as long as the worker gets on.
pub async fn keep(app: App, job: job::Model, claim: Claim) {
    let mut seen = (0, Instant::now());
    loop {
        tokio::select! {
            () = claim.done.cancelled() => return,
            () = tokio::time::sleep((app.limits.lease / 3).max(SHORTEST_PAUSE)) => {}
        }
        let steps = claim.steps.load(Ordering::Relaxed);
        if steps != seen.0 {
            seen = (steps, Instant::now());
        } else if seen.1.elapsed() > LONGEST_BATCH {
            tracing::error!(job = %job.id, "nothing done for {LONGEST_BATCH:?}: its claim is left to run out");
            return;
        }
        match renew(&app, &job, claim.ending.load(Ordering::Relaxed)).await {
            Ok(Renewal::Held) => {}
            Ok(Renewal::Cancelled) => claim.cancelled.cancel(),
            Ok(Renewal::Lost) => {
                claim.lost.cancel();
                return;
            }
            // The next try is in time, or the next batch finds out.
            Err(error) => tracing::warn!(job = %job.id, "a claim was not renewed: {error}"),
        }
    }
}

/// What a renewal found.
enum Renewal {
    /// The claim holds on.
    Held,
    /// The job was cancelled, and its worker does not know yet.
    Cancelled,
    /// The job is gone, or another worker's.
    Lost,
}

/// Renews a claim. That on a job that was cancelled runs out unless its worker is `ending` it, so that it ends even where its
/// worker hangs.
async fn renew(app: &App, job: &job::Model, ending: bool) -> Result<Renewal, Error> {
    let transaction = app.db.begin().await?;
    let Some(held) = locked(own(job), app.db.backend(), LockType::Update).one(&*transaction).await? else {
        return Ok(Renewal::Lost);
    };
    if JobStatus::of(&held) == JobStatus::Cancelling && !ending {
        return Ok(Renewal::Cancelled);
    }
    let mut row = held.into_active_model();
    // Counted from here on, whatever it waited for.
    row.lease_expires_at = Set(Some(now() + app.limits.lease));
    row.update(&*transaction).await?;
    transaction.commit().await?;
    Ok(Renewal::Held)
}

/// The row of a job that this worker claimed.
pub fn own(job: &job::Model) -> Select<job::Entity> {
    job::Entity::find_by_id(job.id).filter(job::Column::LeaseToken.eq(job.lease_token))
}

/// A job's row as its worker finds it, locked.
pub enum Held {
    /// It is this worker's to write to.
    Running(Box<job::Model>),
    /// It was cancelled meanwhile, and is this worker's to end.
    Cancelling(Box<job::Model>),
    /// It is gone, or another worker's.
    Lost,
}

/// Locks the row of a job.
pub async fn hold(app: &App, transaction: &Statements, job: &job::Model) -> Result<Held, Error> {
    let Some(held) = locked(own(job), app.db.backend(), LockType::Update).one(transaction).await? else {
        return Ok(Held::Lost);
    };
    Ok(match JobStatus::of(&held) {
        JobStatus::Running => Held::Running(held.into()),
        JobStatus::Cancelling => Held::Cancelling(held.into()),
        _ => Held::Lost,
    })
}

/// Gives a job back, for another worker to go on.
pub async fn release(app: &App, job: &job::Model) -> Result<(), Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let held = match hold(app, &transaction, job).await? {
            Held::Running(held) | Held::Cancelling(held) => held,
            Held::Lost => return Ok(()),
        };
        log::write(&*transaction, job.id, "The server stops; the worker leaves the job to another.").await?;
        let mut row = held.into_active_model();
        row.lease_token = Set(None);
        row.lease_expires_at = Set(None);
        row.update(&*transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}
