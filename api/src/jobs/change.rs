//! A change of one job's row that a caller asks for: who may, what changes, and the audit entry, in one transaction.

use entity::{
    job,
    stored::{AuditAction, JobEventType},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, QueryFilter, prelude::Uuid, sea_query::LockType};

use super::log;
use crate::{
    app::App,
    audit::{self, Caller},
    checkpoint::Checkpoint,
    database::{locked, settling},
    deletion::{
        execute::gone,
        receipt::{self, Receipt},
    },
    error::{Error, ErrorCode, Refusal},
    events,
};

/// The longest reason or note, in characters.
pub const LONGEST_TEXT: usize = 500;

/// What became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The job as it stands now, where it is there and the caller's to see.
    pub job: Option<job::Model>,
    /// Why nothing changed.
    pub refusal: Option<Refusal>,
    /// Whose the job is or was; where the caller sees neither it nor its receipt, the caller's own organization.
    pub organization: Option<Uuid>,
}

impl Outcome {
    /// Nothing changed of a job that is there.
    pub fn refused(job: job::Model, refusal: Refusal) -> Self {
        Self { organization: job.organization_id, job: Some(job), refusal: Some(refusal) }
    }

    /// It is as wanted.
    pub fn done(job: job::Model) -> Self {
        Self { organization: job.organization_id, job: Some(job), refusal: None }
    }

    /// There is no such job, or none any more.
    pub fn gone(caller: &Caller, receipt: Option<Receipt>) -> Self {
        let organization =
            receipt.as_ref().map_or_else(|| caller.viewer.organization_id(), |receipt| receipt.row.organization_id);
        Self { job: None, refusal: Some(gone(receipt).refusal), organization }
    }
}

/// What is to be done with a job.
pub struct Change {
    /// The new row; `None` = it stays as it is.
    pub row: Option<job::ActiveModel>,
    /// For the audit log, one sentence.
    pub detail: String,
    /// For the job's own log, where it runs.
    pub logged: Option<String>,
}

/// Decides about a job that the caller sees and whose row nobody else changes meanwhile, and does it.
///
/// `id` is `None` where the caller gave no UUID: there is no such job.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: Option<Uuid>,
    action: AuditAction,
    decide: impl Fn(&job::Model) -> Result<Change, Refusal> + Send + Sync,
) -> Result<Outcome, Error> {
    // Chosen now: where a commit is not answered it tells whether that was done.
    let entry = Uuid::now_v7();
    let attempts = settling(|is_open| {
        let wanted = Wanted { id, action, trial: Trial { entry, is_open } };
        attempt(app, caller, wanted, &decide)
    });
    let outcome = audit::noting_failure(&app.db, caller, action, id, attempts).await?;
    let code = outcome.refusal.as_ref().map_or("done", |refusal| refusal.code.as_str());
    tracing::info!(job = ?id, action = action.as_stored(), "{code}");
    if let Some(refusal) = &outcome.refusal {
        audit::record_refusal(app, caller, action, id, outcome.organization, refusal).await?;
    }
    Ok(outcome)
}

/// What an attempt is about.
struct Wanted {
    id: Option<Uuid>,
    action: AuditAction,
    trial: Trial,
}

/// One of several attempts at the same change.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The id of the audit entry that each would write.
    pub entry: Uuid,
    /// An attempt before may have been committed.
    pub is_open: bool,
}

impl Trial {
    /// The job, whose row nobody else changes until the transaction ends; or else what is to be answered.
    pub async fn job(
        self,
        app: &App,
        caller: &Caller,
        db: &impl ConnectionTrait,
        id: Uuid,
    ) -> Result<Result<job::Model, Outcome>, Error> {
        let visible = job::Entity::find_by_id(id).filter(caller.viewer.sees_job());
        // It waits for an attempt before, whose commit was not answered.
        let job = locked(visible, app.db.backend(), LockType::Update).one(db).await?;
        let is_done = self.is_open && audit::is_recorded(db, self.entry).await?;
        Ok(match job {
            Some(job) if is_done => Err(Outcome::done(job)),
            Some(job) => Ok(job),
            None => {
                let gone = Outcome::gone(caller, receipt::find(db, &caller.viewer, id).await?);
                // Done, and somebody has deleted the job since.
                Err(if is_done { Outcome { refusal: None, ..gone } } else { gone })
            }
        })
    }
}

async fn attempt(
    app: &App,
    caller: &Caller,
    Wanted { id, action, trial }: Wanted,
    decide: &(impl Fn(&job::Model) -> Result<Change, Refusal> + Send + Sync),
) -> Result<Outcome, Error> {
    app.checkpoints.pass(Checkpoint::ChangeBegins).await?;
    let Some(id) = id else { return Ok(Outcome::gone(caller, None)) };
    let transaction = app.db.begin().await?;
    let job = match trial.job(app, caller, &*transaction, id).await? {
        Ok(job) => job,
        Err(outcome) => return Ok(outcome),
    };
    let Change { row, detail, logged } = match decide(&job) {
        Ok(change) => change,
        Err(refusal) => return Ok(Outcome::refused(job, refusal)),
    };
    let (organization, is_changed) = (job.organization_id, row.is_some());
    let job = match row {
        Some(row) => row.update(&*transaction).await?,
        None => job,
    };
    if let Some(logged) = logged {
        log::write(&*transaction, id, logged).await?;
    }
    let entry = audit::Entry { action, target: Some(id), organization, refusal: None, detail: Some(detail) };
    audit::record_as(&*transaction, trial.entry, caller, entry).await?;
    if is_changed {
        events::record(app, &transaction, &job, JobEventType::Status).await?;
    }
    app.checkpoints.pass(Checkpoint::ChangeBeforeCommit).await?;
    transaction.commit().await?;
    Ok(Outcome::done(job))
}

/// Checks a text that a caller gives, at this argument.
pub fn check_text(text: &str, argument: &str) -> Result<(), Refusal> {
    let fault = if text.chars().count() > LONGEST_TEXT {
        format!("has more than {LONGEST_TEXT} characters")
    } else if text.contains('\0') {
        "is not text".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorCode::ValidationFailed, format!("The {argument} {fault}.")).at(&[argument]))
}
