//! Stops a job. What it has stored stays, linked.

use entity::{job, stored::AuditAction};
use sea_orm::{ActiveValue::Set, IntoActiveModel, prelude::Uuid};

use super::{
    change::{Change, Outcome, change, check_text},
    status::{self, JobStatus},
};
use crate::{
    app::App,
    audit::Caller,
    database::now,
    error::{Error, ErrorCode, Refusal},
};

/// The reason of whoever gives none.
pub const DEFAULT_REASON: &str = "user_request";

/// Cancels a job: a running one ends at its worker's next batch, any other at once. A job that is cancelled already
/// stays as it is.
pub async fn cancel_job(
    app: &App,
    caller: &Caller,
    id: Option<Uuid>,
    reason: &str,
    notes: Option<&str>,
) -> Result<Outcome, Error> {
    change(app, caller, id, AuditAction::CancelJob, |job| {
        check_text(reason, "reason")?;
        notes.map_or(Ok(()), |notes| check_text(notes, "notes"))?;
        decide(caller, job, reason, notes)
    })
    .await
}

fn decide(caller: &Caller, job: &job::Model, reason: &str, notes: Option<&str>) -> Result<Change, Refusal> {
    if let Some(refusal) = guard(caller, job) {
        return Err(refusal);
    }
    if matches!(JobStatus::of(job), JobStatus::Cancelling | JobStatus::Cancelled) {
        return Ok(Change { row: None, detail: "it was cancelled before".to_owned() });
    }
    let mut row = job.clone().into_active_model();
    row.cancelled_at = Set(Some(now()));
    row.cancel_reason = Set(Some(reason.to_owned()));
    row.cancel_notes = Set(notes.map(str::to_owned));
    row.cancelled_by = Set(Some(caller.viewer.user_id));
    if has_worker(job) {
        row.status = Set(Some(JobStatus::Cancelling.as_stored().to_owned()));
        row.updated_at = Set(Some(now().naive_utc()));
    } else {
        status::end(&mut row, JobStatus::Cancelled);
        if !status::is_own(job) {
            // The older program writes it, by the clock of its database.
            row.updated_at = Set(job.updated_at);
        }
    }
    Ok(Change { row: Some(row), detail: format!("reason: {reason}") })
}

/// Why a job cannot be cancelled; `None` also where that was done before.
pub fn guard(caller: &Caller, job: &job::Model) -> Option<Refusal> {
    if !caller.viewer.may_change(Some(job.user_id)) {
        let message = "Only the job's creator or an administrator of the organization may cancel it.";
        return Some(Refusal::new(ErrorCode::Forbidden, message));
    }
    let message = match JobStatus::of(job) {
        JobStatus::Completed => "Job is already completed.",
        JobStatus::Failed => "Job has already failed.",
        JobStatus::Pending | JobStatus::Running | JobStatus::Cancelling | JobStatus::Cancelled => return None,
    };
    Some(Refusal::new(ErrorCode::InvalidState, message))
}

/// Whether a worker of Joblink may be at it, who stops at its next batch.
fn has_worker(job: &job::Model) -> bool {
    let claimed = job.lease_token.is_some() && job.lease_expires_at.is_some_and(|expires| expires >= now());
    status::is_own(job) && JobStatus::of(job) == JobStatus::Running && claimed
}
