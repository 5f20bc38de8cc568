//! A mark that forbids deleting a job until it is lifted.

use entity::{job, stored::AuditAction};
use sea_orm::{ActiveValue::Set, IntoActiveModel, prelude::Uuid};

use super::change::{Change, Outcome, change, check_text};
use crate::{
    app::App,
    audit::Caller,
    auth::Action,
    database::now,
    error::{Error, ErrorCode, Refusal},
};

/// Forbids deleting a job. One that is held already keeps its first hold.
pub async fn hold_job(app: &App, caller: &Caller, id: Option<Uuid>, reason: &str) -> Result<Outcome, Error> {
    change(app, caller, id, AuditAction::HoldJob, |job| {
        check_text(reason, "reason")?;
        if reason.trim().is_empty() {
            let message = "A hold needs a reason, which whoever wants to delete the job is told.";
            return Err(Refusal::new(ErrorCode::ValidationFailed, message).at(&["reason"]));
        }
        guard(caller, job)?;
        if is_held(job) {
            return Ok(Change { row: None, detail: "it was held before".to_owned(), logged: None });
        }
        let mut row = job.clone().into_active_model();
        row.held_at = Set(Some(now()));
        row.hold_reason = Set(Some(reason.to_owned()));
        row.held_by = Set(Some(caller.viewer.user_id));
        Ok(Change { row: Some(row), detail: format!("reason: {reason}"), logged: None })
    })
    .await
}

/// Lifts a job's hold, if there is one.
pub async fn release_hold(app: &App, caller: &Caller, id: Option<Uuid>) -> Result<Outcome, Error> {
    change(app, caller, id, AuditAction::ReleaseHold, |job| {
        guard(caller, job)?;
        let Some(reason) = job.held_at.and(job.hold_reason.as_ref()) else {
            return Ok(Change { row: None, detail: "it was not held".to_owned(), logged: None });
        };
        let mut row = job.clone().into_active_model();
        row.held_at = Set(None);
        row.hold_reason = Set(None);
        row.held_by = Set(None);
        Ok(Change { row: Some(row), detail: format!("it was held because: {reason}"), logged: None })
    })
    .await
}

/// Whether the job must not be deleted.
pub const fn is_held(job: &job::Model) -> bool {
    job.held_at.is_some()
}

/// Why a held job, or what it made, is not deleted; `None` where it is not held.
pub fn refusal(job: &job::Model) -> Option<Refusal> {
    let reason = job.hold_reason.as_deref().unwrap_or_default();
    is_held(job).then(|| Refusal::new(ErrorCode::JobOnHold, format!("The job is on hold: {reason}")))
}

fn guard(caller: &Caller, job: &job::Model) -> Result<(), Refusal> {
    if caller.viewer.may(Action::Hold, Some(job.user_id)) {
        return Ok(());
    }
    let message = "Only an administrator of the organization may put a job on hold or lift that.";
    Err(Refusal::new(ErrorCode::Forbidden, message))
}
