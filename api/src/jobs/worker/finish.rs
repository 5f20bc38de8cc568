//! The end of a job: its log and its results are written, then it ends and they are registered in one transaction.

use std::sync::atomic::Ordering;

use artifacts::{Key, PutError};
use bytes::Bytes;
use entity::{
    artifact, artifact_purge, job,
    stored::{ArtifactKind, JobEventType},
};
use futures_util::{Stream, StreamExt, stream};
use migration::counted::counted;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    prelude::{DateTimeUtc, Uuid},
    sea_query::{Expr, ExprTrait},
};

use super::{
    Left,
    claim::{self, Claim, Held},
    results::Results,
};
use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{insert_row, now, retrying},
    error::Error,
    events,
    jobs::{
        input, log,
        status::{self, JobStatus},
    },
};

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its file was read to the end.
    Done,
    /// Its file cannot be read; one sentence.
    Failed(String),
    /// It was cancelled.
    Cancelled,
}

impl End {
    /// The status, and of a failed job why.
    fn status(&self, job: &job::Model) -> (JobStatus, Option<String>) {
        let (total, processed) = (job.total_rows, job.processed_rows.unwrap_or_default());
        match self {
            // It was counted when the job was made.
            Self::Done if total.is_some_and(|total| total != processed) => {
                let total = total.unwrap_or_default();
                let why = format!("The file ended after {processed} of its {}; send it again.", counted(total, "row"));
                (JobStatus::Failed, Some(why))
            }
            Self::Done if job.successful_rows.unwrap_or_default() > 0 => (JobStatus::Completed, None),
            Self::Done => {
                let failed = job.failed_rows.unwrap_or_default();
                let rows = if failed == 1 { "the only row".to_owned() } else { format!("each of the {failed} rows") };
                (JobStatus::Failed, Some(format!("No row could be stored: {rows} has an error.")))
            }
            Self::Failed(why) => (JobStatus::Failed, Some(why.clone())),
            Self::Cancelled => (JobStatus::Cancelled, None),
        }
    }

    /// The last line of the log.
    fn told(&self, job: &job::Model) -> String {
        let (stored, failed) = (job.successful_rows.unwrap_or_default(), job.failed_rows.unwrap_or_default());
        let counts = format!("{} stored, {} with errors", counted(stored, "prediction"), counted(failed, "row"));
        match self.status(job) {
            (JobStatus::Cancelled, _) => format!("Cancelled: {counts}. What was stored stays."),
            (_, Some(why)) => format!("Failed: {why}"),
            _ => format!("Completed: {counts}."),
        }
    }
}

/// Brings a job to its end.
pub async fn finish(app: &App, job: &job::Model, claim: &Claim, end: End) -> Result<Left, Error> {
    claim.ending.store(true, Ordering::Relaxed);
    let mut end = end;
    loop {
        let files = match Box::pin(write(app, job, claim, &end)).await {
            Err(Error::Gone) => {
                purge_again(app, job).await?;
                return Ok(Left::Lost);
            }
            // A job that is to stop does so, whatever becomes of its files.
            Err(error) if end == End::Cancelled && error.is_of_files() => {
                tracing::warn!(job = %job.id, "a cancelled job ends without its log and results: {error}");
                Vec::new()
            }
            written => written?,
        };
        app.checkpoints.pass(Checkpoint::OutputsWritten).await?;
        match commit(app, job, &files, &end).await? {
            Committed::Ended => {
                app.checkpoints.pass(Checkpoint::JobEnded).await?;
                tidy(app, job, &files).await;
                return Ok(Left::Ended);
            }
            Committed::Lost => {
                discard(app, &files).await;
                purge_again(app, job).await?;
                return Ok(Left::Lost);
            }
            // It was cancelled while they were written, and they do not tell.
            Committed::Cancelling => {
                discard(app, &files).await;
                end = End::Cancelled;
            }
        }
    }
}

/// Writes log and results; none where the job is not this worker's any more.
async fn write(app: &App, job: &job::Model, claim: &Claim, end: &End) -> Result<Vec<artifact::Model>, Error> {
    let Some(job) = claim::own(job).one(app.db.reader()).await? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    if job.processed_rows.unwrap_or_default() > 0
        && let Ok(input) = input::of_job(app, &job).await?
    {
        let results = Results::new(app.clone(), job.clone(), input, claim.clone());
        let chunks =
            stream::try_unfold(results, async |mut results| Ok(results.chunk().await?.map(|it| (it, results))));
        files.push(put(app, &job, ArtifactKind::Results, "results.csv", chunks.boxed()).await?);
    }
    let mut lines = log::lines(app.db.reader(), job.id).await?;
    lines.push(log::as_text(now(), &end.told(&job)));
    let chunks = stream::iter([Ok(Bytes::from(lines.concat()))]);
    files.push(put(app, &job, ArtifactKind::Log, "job.log", chunks).await?);
    Ok(files)
}

/// Stores a file under a new id.
async fn put(
    app: &App,
    job: &job::Model,
    kind: ArtifactKind,
    name: &str,
    chunks: impl Stream<Item = Result<Bytes, Error>>,
) -> Result<artifact::Model, Error> {
    let id = Uuid::now_v7();
    let stored = match app.store.put(Key::Output { job: job.id, artifact: id }, chunks, i64::MAX.unsigned_abs()).await {
        Ok(stored) => stored,
        Err(PutError::Source(error)) => return Err(error),
        Err(PutError::Store(error)) => return Err(error.into()),
        Err(error @ PutError::TooLarge { .. }) => return Err(Error::Format(error.to_string())),
    };
    Ok(artifact::Model {
        id,
        job_id: job.id,
        kind: kind.as_stored().to_owned(),
        name: name.to_owned(),
        size: i64::try_from(stored.size).unwrap_or(i64::MAX),
        sha256: Some(stored.sha256),
        created_at: now(),
    })
}

/// What became of the end.
enum Committed {
    Ended,
    Cancelling,
    Lost,
}

async fn commit(app: &App, job: &job::Model, files: &[artifact::Model], end: &End) -> Result<Committed, Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        let held = match claim::hold(app, &transaction, job).await? {
            Held::Running(held) => held,
            Held::Cancelling(held) if *end == End::Cancelled => held,
            Held::Cancelling(_) => return Ok(Committed::Cancelling),
            Held::Lost => return Ok(Committed::Lost),
        };
        for file in files {
            insert_row(&*transaction, file.clone()).await?;
        }
        if !files.is_empty() {
            log::clear(&*transaction, job.id).await?;
        }
        let (status, why) = end.status(&held);
        let mut row = held.into_active_model();
        if why.is_some() {
            row.error_message = Set(why);
        }
        status::end(&mut row, status);
        let job = row.update(&*transaction).await?;
        events::record(app, &transaction, &job, JobEventType::Status).await?;
        app.checkpoints.pass(Checkpoint::JobEndBeforeCommit).await?;
        transaction.commit().await?;
        Ok(Committed::Ended)
    })
    .await
}

/// Removes what workers before have left half done.
async fn tidy(app: &App, job: &job::Model, files: &[artifact::Model]) {
    let registered: Vec<_> = files.iter().map(|file| file.id).collect();
    if let Err(error) = app.store.drop_other_outputs(job.id, &registered).await {
        tracing::warn!(job = %job.id, "what an earlier worker left half done stays until the job is deleted: {error}");
    }
}

/// Of a job that was deleted meanwhile: what was written since may have come behind the purge.
async fn purge_again(app: &App, job: &job::Model) -> Result<(), Error> {
    retrying(|| async {
        let transaction = app.db.begin().await?;
        artifact_purge::Entity::update_many()
            .col_expr(artifact_purge::Column::CompletedAt, Expr::value(None::<DateTimeUtc>))
            .col_expr(artifact_purge::Column::DueAt, Expr::value(now()))
            // So that a purge which is at it now does not take this one for its own.
            .col_expr(artifact_purge::Column::Attempts, Expr::col(artifact_purge::Column::Attempts).add(1))
            .filter(artifact_purge::Column::JobId.eq(job.id))
            .exec(&*transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    })
    .await?;
    app.job_deleted.notify_one();
    Ok(())
}

/// Removes files that are nobody's: the job is gone, or another worker writes its own.
async fn discard(app: &App, files: &[artifact::Model]) {
    for file in files {
        if let Err(error) = app.store.delete(Key::Output { job: file.job_id, artifact: file.id }).await {
            tracing::warn!(job = %file.job_id, "a file that belongs to nobody is left behind: {error}");
        }
    }
}
