//! Removes the files of deleted jobs from the artifact store, and those of cleaned ones that they no longer know, until the
//! store confirms that nothing is left.
//!
//! The queue is a table, written in the deletion's own transaction: a purge survives any crash and is taken up again.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use entity::{artifact, artifact_purge, job};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select,
    prelude::{DateTimeUtc, Uuid},
    sea_query::{Expr, ExprTrait, LockType, OnConflict},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{any_of, locked_if_free, now, retrying},
    error::Error,
    files::{mark, staged},
    jobs::{idempotency, status::JobStatus},
    queue::{self, Patience, Queue},
    traces::TARGET,
};

/// How long a purge that was begun is left to whoever began it.
const CLAIM: Duration = Duration::from_mins(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How often to look for what waited for too long.
const LOOK_FOR_STALE: Duration = Duration::from_hours(1);

/// Puts a job that was deleted or cleaned on the queue, in the transaction that does it.
///
/// A worker that was at the job notices within its lease that it is gone, and a file that it was writing is in the store
/// for as long as a request to the store may take; after that the purge looks once more.
pub async fn enqueue(app: &App, db: &impl ConnectionTrait, job: &job::Model) -> Result<(), Error> {
    use artifact_purge::{Column, Entity};
    let settles_at = job.lease_token.map(|_| now() + app.limits.lease + app.store.longest_request());
    let (job_id, due_at) = (job.id, now());
    let row = artifact_purge::Model { job_id, due_at, attempts: 0, last_error: None, completed_at: None, settles_at };
    // A job that was cleaned before is deleted. A purge that is at it now has not seen what is to go since: counted as an
    // attempt, this one is another.
    let again = OnConflict::column(Column::JobId)
        .update_columns([Column::DueAt, Column::LastError, Column::CompletedAt, Column::SettlesAt])
        .value(Column::Attempts, Expr::col((Entity, Column::Attempts)).add(1))
        .to_owned();
    Entity::insert(row.into_active_model().reset_all()).on_conflict(again).exec_without_returning(db).await?;
    Ok(())
}

/// Purges what is due, until `stop`; ends after what it is at.
pub async fn work(app: App, stop: CancellationToken) {
    let purges = Purges(app.clone());
    tokio::join!(queue::work(&purges, &stop), forget(&app, &stop));
}

/// Purges all that is due, without a server, and answers whether the store confirmed it; ends early where it does not.
pub async fn drain(app: &App) -> Result<bool, Error> {
    let patience = Patience { failures: 1, within: Duration::MAX };
    queue::drain(&Purges(app.clone()), patience).await
}

/// Purges that are not at their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Jobs whose files are still to be removed.
    pub jobs: u64,
    /// Of these the ones whose files the store did not remove when it was asked.
    pub refused: u64,
}

/// Counts the purges that are not at their end.
pub async fn waiting(db: &impl ConnectionTrait) -> Result<Waiting, DbErr> {
    use artifact_purge::Column;
    let waiting = artifact_purge::Entity::find().filter(Column::CompletedAt.is_null());
    let refused = waiting.clone().filter(Column::LastError.is_not_null());
    Ok(Waiting { jobs: waiting.count(db).await?, refused: refused.count(db).await? })
}

#[derive(Clone)]
struct Purges(App);

impl Queue for Purges {
    type Task = artifact_purge::Model;
    type Ended = Ended;

    const TASK: &'static str = "purge";

    fn id(purge: &artifact_purge::Model) -> Uuid {
        purge.job_id
    }

    fn places(&self) -> usize {
        self.0.limits.purges
    }

    fn waits(&self) -> &Notify {
        &self.0.job_deleted
    }

    async fn claim(&self, others: &[Uuid], most: usize) -> Result<Vec<artifact_purge::Model>, Error> {
        let Self(app) = self;
        if due(others, 1).one(app.db.reader()).await?.is_none() {
            return Ok(Vec::new());
        }
        retrying(|| claim(app, others, most)).await
    }

    async fn carry_out(&self, purge: artifact_purge::Model) -> Result<Ended, Error> {
        let span = tracing::info_span!(target: TARGET, "purge job", joblink.job.id = %purge.job_id);
        purge_job(&self.0, purge).instrument(span).await
    }

    async fn write_down(&self, ended: Vec<Ended>) -> Result<Vec<bool>, Error> {
        retrying(|| write_down(&self.0, &ended)).await?;
        Ok(ended.iter().map(|ended| !matches!(ended.what, What::Refused(_))).collect())
    }
}

/// A purge that was carried out.
#[derive(Clone, Debug)]
struct Ended {
    purge: artifact_purge::Model,
    what: What,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The store confirmed that nothing is left.
    Confirmed,
    /// So it did, but something may come until then.
    Unsettled(DateTimeUtc),
    /// It did not; the next attempt is then.
    Refused(DateTimeUtc),
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

/// Removes one job's files.
async fn purge_job(app: &App, purge: artifact_purge::Model) -> Result<Ended, Error> {
    let job = purge.job_id;
    app.checkpoints.pass(Checkpoint::PurgeClaimed).await?;
    let keys = match purge_files(app, job).await {
        Ok(keys) => keys,
        Err(error) => return Ok(refused(purge, &error)),
    };
    for key in &keys {
        tracing::info!(job = %job, key, "artifact purged");
    }
    app.checkpoints.pass(Checkpoint::PurgeRemoved).await?;
    let unsettled = purge.settles_at.filter(|settles| *settles > now());
    Ok(Ended { purge, what: unsettled.map_or(What::Confirmed, What::Unsettled) })
}

fn refused(purge: artifact_purge::Model, error: &Error) -> Ended {
    let (job, attempts) = (purge.job_id, purge.attempts);
    let pause = queue::pause(attempts, LONGEST_PAUSE);
    tracing::warn!(%job, attempts, "purge failed, next attempt in {pause:?}: {error}");
    Ended { purge, what: What::Refused(now() + pause) }
}

/// Removes them, and makes sure that it was in the right store: in another one nothing is found, and that is no confirmation.
async fn purge_files(app: &App, id: Uuid) -> Result<Vec<String>, Error> {
    let removed = remove_files(app, id).await?;
    mark::still_right(app).await?;
    Ok(removed)
}

/// Removes all files of a job that does not exist, and of one that was cleaned those that it no longer knows.
async fn remove_files(app: &App, id: Uuid) -> Result<Vec<String>, Error> {
    let Some(job) = job::Entity::find_by_id(id).one(app.db.reader()).await? else {
        return Ok(app.store.purge_job(id).await?);
    };
    if !JobStatus::of(&job).is_terminal() {
        return Ok(Vec::new());
    }
    // Looked up after they were listed: a file comes before the row that knows it.
    let files = app.store.files_of(id).await?;
    let known: Vec<Uuid> = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(id))
        .select_only()
        .column(artifact::Column::Id)
        .into_tuple()
        .all(app.db.reader())
        .await?;
    let known: HashSet<Uuid> = known.into_iter().collect();
    let mut removed = Vec::new();
    for file in files {
        if file.is_staging() || file.id().is_none_or(|id| !known.contains(&id)) {
            app.store.remove(&file).await?;
            removed.push(file.key);
        }
    }
    app.store.settle(&removed).await?;
    Ok(removed)
}

fn due(others: &[Uuid], most: usize) -> Select<artifact_purge::Entity> {
    artifact_purge::Entity::find()
        .filter(artifact_purge::Column::JobId.is_not_in(others.iter().copied()))
        .filter(artifact_purge::Column::CompletedAt.is_null())
        .filter(artifact_purge::Column::DueAt.lte(now()))
        .order_by_asc(artifact_purge::Column::DueAt)
        .limit(most as u64)
}

/// Takes purges that are due; others leave them alone for a while.
async fn claim(app: &App, others: &[Uuid], most: usize) -> Result<Vec<artifact_purge::Model>, Error> {
    use artifact_purge::Column;
    // Never lost: what was asked for once more is told from what was begun by the count of attempts.
    let transaction = app.db.begin().await?;
    let next = locked_if_free(due(others, most), app.db.backend(), LockType::Update);
    let mut purges = next.all(&*transaction).await?;
    if purges.is_empty() {
        return Ok(purges);
    }
    let due_at = now() + CLAIM;
    let jobs = purges.iter().map(|purge| purge.job_id).collect();
    artifact_purge::Entity::update_many()
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .filter(any_of(Column::JobId, jobs, app.db.backend()))
        .exec(&*transaction)
        .await?;
    transaction.commit().await?;
    for purge in &mut purges {
        purge.attempts += 1;
        purge.due_at = due_at;
    }
    Ok(purges)
}

/// Writes down what became of some; of one that was taken over or asked for once more meanwhile nothing.
async fn write_down(app: &App, ended: &[Ended]) -> Result<(), Error> {
    // Those of which the same is to be said, in one statement.
    let mut alike: BTreeMap<(What, i32), Vec<Uuid>> = BTreeMap::new();
    for Ended { purge, what } in ended {
        alike.entry((*what, purge.attempts)).or_default().push(purge.job_id);
    }
    let transaction = app.db.begin_losable().await?;
    for ((what, attempts), jobs) in alike {
        artifact_purge::Entity::update_many()
            .set(what.row())
            .filter(any_of(artifact_purge::Column::JobId, jobs, app.db.backend()))
            .filter(artifact_purge::Column::Attempts.eq(attempts))
            .exec(&*transaction)
            .await?;
    }
    app.checkpoints.pass(Checkpoint::PurgeBeforeCommit).await?;
    transaction.commit().await
}

impl What {
    /// What the row says from now on.
    fn row(self) -> artifact_purge::ActiveModel {
        let (due_at, completed_at, last_error) = match self {
            Self::Confirmed => (NotSet, Set(Some(now())), None),
            Self::Unsettled(until) => (Set(until), NotSet, None),
            Self::Refused(until) => (
                Set(until),
                NotSet,
                Some("The artifact store did not confirm the removal; it is tried again.".to_owned()),
            ),
        };
        artifact_purge::ActiveModel { due_at, completed_at, last_error: Set(last_error), ..Default::default() }
    }
}
