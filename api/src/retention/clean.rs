//! Cleans a job that has ended: its files go, its record, row errors and predictions stay.

use entity::{
    artifact, job,
    stored::{ArtifactKind, AuditAction, JobEventType},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    prelude::Uuid,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    audit::{self, Caller},
    auth::Action,
    checkpoint::Checkpoint,
    database::{WriteTransaction, any_of, now, settling},
    deletion::purge,
    error::{Error, ErrorCode, Refusal},
    events,
    jobs::{
        Outcome, Trial, hold, log,
        status::{self, JobStatus},
    },
};
use migration::counted::counted;

/// What went when a job was cleaned, as it is stored with the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files.
    pub artifacts: i64,
    /// Their bytes.
    pub bytes: i64,
}

impl Summary {
    /// Of a job; `None` where it was not cleaned.
    pub fn of(job: &job::Model) -> Option<Self> {
        serde_json::from_str(job.cleanup_summary.as_deref()?).ok()
    }
}

/// Cleans a job at a caller's wish, as the policy's rule for its state cleans. One that is clean stays as it is.
///
/// `id` is `None` where the caller gave no UUID: there is no such job.
pub async fn clean_job(app: &App, caller: &Caller, id: Option<Uuid>) -> Result<Outcome, Error> {
    // Chosen now: where a commit is not answered it tells whether that was done.
    let entry = Uuid::now_v7();
    let attempts = settling(|is_open| attempt(app, caller, id, Trial { entry, is_open }));
    let outcome = audit::noting_failure(&app.db, caller, AuditAction::CleanJob, id, attempts).await?;
    if let Some(refusal) = &outcome.refusal {
        tracing::info!(job = ?id, code = refusal.code.as_str(), "cleaning refused");
        audit::record_refusal(app, caller, AuditAction::CleanJob, id, outcome.organization, refusal).await?;
    } else {
        tracing::info!(job = ?id, "job cleaned");
        app.job_deleted.notify_one();
    }
    Ok(outcome)
}

async fn attempt(app: &App, caller: &Caller, id: Option<Uuid>, trial: Trial) -> Result<Outcome, Error> {
    app.checkpoints.pass(Checkpoint::ChangeBegins).await?;
    let Some(id) = id else { return Ok(Outcome::gone(caller, None)) };
    let transaction = app.db.begin().await?;
    let job = match trial.job(app, caller, &*transaction, id).await? {
        Ok(job) => job,
        Err(outcome) => return Ok(outcome),
    };
    if let Some(refusal) = guard(caller, &job) {
        return Ok(Outcome::refused(job, refusal));
    }
    let job = if job.data_cleaned_at.is_some() {
        let entry = entry(&job, "it was cleaned before".to_owned());
        audit::record_as(&*transaction, trial.entry, caller, entry).await?;
        job
    } else {
        let keep_logs = app.retention.policy.rule(JobStatus::of(&job)).is_some_and(|rule| rule.keep_logs);
        let (job, went) = remove_data(app, &transaction, job, keep_logs).await?;
        audit::record_as(&*transaction, trial.entry, caller, entry(&job, went_in_words(went))).await?;
        events::record(app, &transaction, &job, JobEventType::Status).await?;
        job
    };
    app.checkpoints.pass(Checkpoint::ChangeBeforeCommit).await?;
    transaction.commit().await?;
    Ok(Outcome::done(job))
}

/// Why a caller may not clean a job; `None` where they may.
pub fn guard(caller: &Caller, job: &job::Model) -> Option<Refusal> {
    if !caller.viewer.may(Action::Clean, Some(job.user_id)) {
        let message = "Only the job's creator or an administrator of the organization may clean it.";
        return Some(Refusal::new(ErrorCode::Forbidden, message));
    }
    if let Some(refusal) = hold::refusal(job) {
        return Some(refusal);
    }
    let (code, message) = match JobStatus::of(job) {
        JobStatus::Pending => (ErrorCode::JobInProgress, "Cannot clean pending job. Use cancel instead."),
        JobStatus::Running => (ErrorCode::JobInProgress, "Cannot clean running job. Use cancel instead."),
        JobStatus::Cancelling => (ErrorCode::InvalidState, "Cannot clean job while cancellation is in progress."),
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => return None,
    };
    Some(Refusal::new(code, message))
}

/// Removes the data of a job, whose row the transaction has locked, and queues the files for the purge. Audit entry and event
/// are left to the caller.
pub async fn remove_data(
    app: &App,
    transaction: &WriteTransaction,
    job: job::Model,
    keep_logs: bool,
) -> Result<(job::Model, Summary), Error> {
    let db = &**transaction;
    let going = going(db, job.id, keep_logs).await?;
    let went = Summary {
        artifacts: i64::try_from(going.len()).unwrap_or(i64::MAX),
        bytes: going.iter().map(|file| file.size).sum(),
    };
    let ids: Vec<Uuid> = going.into_iter().map(|file| file.id).collect();
    artifact::Entity::delete_many().filter(any_of(artifact::Column::Id, ids, app.db.backend())).exec(db).await?;
    if !keep_logs {
        log::clear(db, job.id).await?;
    }
    if status::is_own(&job) || went.artifacts > 0 {
        purge::enqueue(app, db, &job).await?;
    }
    let mut row = job.into_active_model();
    row.data_cleaned_at = Set(Some(now()));
    let summary = serde_json::to_string(&went).map_err(|error| Error::Format(error.to_string()))?;
    row.cleanup_summary = Set(Some(summary));
    Ok((row.update(db).await?, went))
}

async fn going(db: &impl ConnectionTrait, job: Uuid, keep_logs: bool) -> Result<Vec<artifact::Model>, Error> {
    let files = artifact::Entity::find().filter(artifact::Column::JobId.eq(job));
    let files = if keep_logs { files.filter(artifact::Column::Kind.ne(ArtifactKind::Log.as_stored())) } else { files };
    Ok(files.all(db).await?)
}

/// What the audit log says of a job that was cleaned.
pub fn entry(job: &job::Model, detail: String) -> audit::Entry<'static> {
    audit::Entry {
        action: AuditAction::CleanJob,
        target: Some(job.id),
        organization: job.organization_id,
        refusal: None,
        detail: Some(detail),
    }
}

/// What went, for the audit log.
pub fn went_in_words(went: Summary) -> String {
    format!("removed {}, {}", counted(went.artifacts, "file"), counted(went.bytes, "byte"))
}
