//! Runs the file of a job that did not come to its end once more, as a new job.

use artifacts::Key;
use entity::{artifact, job, stored::AuditAction};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid};

use super::{
    change::Outcome,
    create::{self, waiting},
    input,
    status::JobStatus,
};
use crate::{
    app::App,
    audit::{self, Caller},
    auth::Action,
    database::now,
    deletion::receipt,
    error::{Error, ErrorCode, Refusal},
};

/// Makes a new job over the input of a failed or cancelled one, for the same owner; that one stays as it is.
pub async fn retry_job(app: &App, caller: &Caller, id: Option<Uuid>) -> Result<Outcome, Error> {
    let attempt = attempt(app, caller, id);
    let outcome = audit::noting_failure(&app.db, caller, AuditAction::RetryJob, id, attempt).await?;
    if let Some(refusal) = &outcome.refusal {
        audit::record_refusal(app, caller, AuditAction::RetryJob, id, outcome.organization, refusal).await?;
    }
    Ok(outcome)
}

async fn attempt(app: &App, caller: &Caller, id: Option<Uuid>) -> Result<Outcome, Error> {
    let db = app.db.reader();
    let Some(id) = id else { return Ok(Outcome::gone(caller, None)) };
    let Some(job) = job::Entity::find_by_id(id).filter(caller.viewer.sees_job()).one(db).await? else {
        return Ok(Outcome::gone(caller, receipt::find(db, &caller.viewer, id).await?));
    };
    match guard(caller, &job) {
        Some(refusal) => Ok(Outcome::refused(job, refusal)),
        None => again(app, caller, job).await,
    }
}

/// Why a job cannot be run once more, as far as its row tells.
pub fn guard(caller: &Caller, job: &job::Model) -> Option<Refusal> {
    if !caller.viewer.may(Action::Retry, Some(job.user_id)) {
        let message = "Only the job's creator or an administrator of the organization may retry it.";
        return Some(Refusal::new(ErrorCode::Forbidden, message));
    }
    let message = "Only a failed or cancelled job can be retried.";
    (!matches!(JobStatus::of(job), JobStatus::Failed | JobStatus::Cancelled))
        .then(|| Refusal::new(ErrorCode::InvalidState, message))
}

async fn again(app: &App, caller: &Caller, job: job::Model) -> Result<Outcome, Error> {
    let refused = |job| {
        let message = "The job's input file is gone; send the file again.";
        Ok(Outcome::refused(job, Refusal::new(ErrorCode::InvalidState, message)))
    };
    let Some(input) = input::registered(app, &job).await? else { return refused(job) };
    let new = waiting(job::Model { id: Uuid::now_v7(), ..job.clone() });
    let copy = artifact::Model { id: Uuid::now_v7(), job_id: new.id, created_at: now(), ..input.clone() };
    let from = Key::Input { job: job.id, artifact: input.id };
    match app.store.copy(from, Key::Input { job: new.id, artifact: copy.id }).await {
        Err(error) if error.is_missing() => return refused(job),
        copied => copied?,
    }
    let detail = format!("the file of job {}", job.id);
    let adding =
        create::Adding { action: AuditAction::RetryJob, detail: &detail, job: &new, input: &copy, taken: None };
    match create::add(app, caller, adding).await {
        Ok(_) => {}
        Err(error @ Error::CommitUnknown(_)) => return Err(error),
        Err(error) => {
            create::drop_input(app, Key::Input { job: new.id, artifact: copy.id }).await;
            return Err(error);
        }
    }
    Ok(Outcome::done(new))
}
