//! Stops a job. What it has stored stays, linked.

use std::time::Instant;

use entity::{job, stored::AuditAction};
use sea_orm::{ActiveValue::Set, IntoActiveModel, prelude::Uuid};

use super::{
    change::{Change, Outcome, change, check_text},
    status::{self, JobStatus},
};
use crate::{
    app::App,
    audit::Caller,
    auth::Action,
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
    let outcome = change(app, caller, id, AuditAction::CancelJob, |job| {
        check_text(reason, "reason")?;
        notes.map_or(Ok(()), |notes| check_text(notes, "notes"))?;
        decide(caller, job, reason, notes)
    });
    let began = Instant::now();
    let outcome = outcome.await;
    let label = match &outcome {
        Ok(outcome) if outcome.refusal.is_none() => "done",
        Ok(_) => "refused",
        Err(_) => "failed",
    };
    app.metrics.cancel_seconds.get_or_create(&[("outcome", label)]).observe(began.elapsed().as_secs_f64());
    app.job_waits.notify_one();
    outcome
}

fn decide(caller: &Caller, job: &job::Model, reason: &str, notes: Option<&str>) -> Result<Change, Refusal> {
    if let Some(refusal) = guard(caller, job) {
        return Err(refusal);
    }
    if matches!(JobStatus::of(job), JobStatus::Cancelling | JobStatus::Cancelled) {
        return Ok(Change { row: None, detail: "it was cancelled before".to_owned(), logged: None });
    }
    let mut row = job.clone().into_active_model();
    row.cancelled_at = Set(Some(now()));
    row.cancel_reason = Set(Some(reason.to_owned()));
    row.cancel_notes = Set(notes.map(str::to_owned));
    row.cancelled_by = Set(Some(caller.viewer.user_id));
    let with_worker = has_worker(job);
    if with_worker {
        row.status = Set(Some(JobStatus::Cancelling.as_stored().to_owned()));
        row.updated_at = Set(Some(now().naive_utc()));
    } else {
        status::end(&mut row, JobStatus::Cancelled);
        if !status::is_own(job) {
            // The older program writes it, by the clock of its database.
            row.updated_at = Set(job.updated_at);
        }
    }
    let notes = notes.map_or_else(String::new, |notes| format!("; notes: {}", one_line(notes)));
    let logged = with_worker.then(|| format!("Cancellation requested, reason: {}{notes}.", one_line(reason)));
    Ok(Change { row: Some(row), detail: format!("reason: {reason}"), logged })
}

/// Why a job cannot be cancelled; `None` also where that was done before.
pub fn guard(caller: &Caller, job: &job::Model) -> Option<Refusal> {
    if !caller.viewer.may(Action::Cancel, Some(job.user_id)) {
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

/// Whether a worker of Joblink has begun with it, and ends it: the one that is at it, or another where that one died.
fn has_worker(job: &job::Model) -> bool {
    status::is_own(job) && JobStatus::of(job) == JobStatus::Running
}

/// A text that somebody gave, as it stands in a log.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
