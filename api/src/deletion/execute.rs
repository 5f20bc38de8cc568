//! Deletes one job: the guards, then the transaction, then what follows the commit.

use std::time::Instant;

use entity::{
    artifact, deletion_receipt, job,
    stored::{AuditAction, DeletionTrigger, JobEventType, Kind},
};
use migration::counted::counted;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid, sea_query::LockType,
};
use tracing::Instrument;

use super::{
    linked, purge,
    receipt::{self, Receipt},
};
use crate::{
    app::App,
    audit::{self, Actor, Caller, RefusedTarget},
    auth::Action,
    checkpoint::Checkpoint,
    database::{WriteTransaction, insert_row, locked, now, settling},
    error::{Error, ErrorCode, Refusal},
    events,
    jobs::{
        hold,
        status::{self, JobStatus},
    },
    notifications::{event::Event, outbox},
    traces::TARGET,
};

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 500;

/// What a caller asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteJob {
    /// Delete the linked predictions too; else they are released.
    pub delete_predictions: bool,
    /// Delete the job even while it is active.
    pub force: bool,
    /// Why, for the receipt.
    pub reason: Option<String>,
    /// How many linked predictions the caller was shown; another number now refuses the deletion.
    pub expected_predictions: Option<i32>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is gone, with this receipt.
    Deleted(Box<Receipt>),
    /// Nothing changed.
    Refused(Box<Refused>),
}

/// Why nothing changed, and what the caller may see of the job.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What to tell the caller.
    pub refusal: Refusal,
    /// The job, where it is there and theirs to see.
    pub job: Option<job::Model>,
    /// The receipt, where it was deleted before.
    pub receipt: Option<Receipt>,
}

/// Deletes a job in one transaction, or refuses and changes nothing.
pub async fn delete_job(app: &App, caller: &Caller, id: Uuid, wanted: &DeleteJob) -> Result<Outcome, Error> {
    let began = Instant::now();
    let span = tracing::info_span!(target: TARGET, "delete job", joblink.job.id = %id);
    let outcome = delete(app, caller, id, wanted).instrument(span).await;
    let label = match &outcome {
        Ok(Outcome::Deleted(receipt)) => {
            let deleted = receipt.row.deleted_annual + receipt.row.deleted_quarterly;
            #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
            app.metrics.deleted_predictions.observe(deleted as f64);
            "deleted"
        }
        Ok(Outcome::Refused(_)) => "refused",
        Err(_) => "failed",
    };
    app.metrics.delete_seconds.get_or_create(&[("outcome", label)]).observe(began.elapsed().as_secs_f64());
    outcome
}

async fn delete(app: &App, caller: &Caller, id: Uuid, wanted: &DeleteJob) -> Result<Outcome, Error> {
    tracing::info!(job = %id, cascade = wanted.delete_predictions, force = wanted.force, "deletion begins");
    if let Some(refusal) = invalid(wanted) {
        return refuse(app, caller, Some(id), Refused { refusal, job: None, receipt: None }.into()).await;
    }
    app.checkpoints.pass(Checkpoint::DeletionBegins).await?;
    // Chosen now: where a commit is not answered it tells whether that was done.
    let receipt = Uuid::now_v7();
    let attempts = Box::pin(settling(|_| attempt(app, caller, id, wanted, receipt)));
    let outcome = audit::noting_failure(&app.db, caller, AuditAction::DeleteJob, Some(id), attempts)
        .await
        .inspect_err(|error| tracing::error!(job = %id, "deletion failed; if a receipt exists it was done: {error}"));
    match outcome? {
        Outcome::Refused(refused) => refuse(app, caller, Some(id), refused).await,
        Outcome::Deleted(receipt) => {
            app.checkpoints.pass(Checkpoint::DeletionCommitted).await?;
            let row = &receipt.row;
            tracing::info!(
                job = %id, annual = row.deleted_annual, quarterly = row.deleted_quarterly, released = row.released,
                artifacts = row.artifacts, "deletion done"
            );
            app.job_deleted.notify_one();
            Ok(Outcome::Deleted(receipt))
        }
    }
}

/// Refuses an id that is none.
pub async fn refuse_no_id(app: &App, caller: &Caller) -> Result<Outcome, Error> {
    refuse(app, caller, None, gone(None).into()).await
}

/// Writes down that so many ids of a call were none.
pub async fn record_no_ids(app: &App, caller: &Caller, count: usize) -> Result<(), Error> {
    let refused = gone(None);
    let organization = caller.viewer.organization_id();
    let each = RefusedTarget { id: None, organization, refusal: &refused.refusal };
    audit::record_refusals(app, caller, AuditAction::DeleteJob, &vec![each; count]).await
}

async fn attempt(app: &App, caller: &Caller, id: Uuid, wanted: &DeleteJob, receipt_id: Uuid) -> Result<Outcome, Error> {
    let transaction = app.db.begin().await?;

    let visible = job::Entity::find_by_id(id).filter(caller.viewer.sees_job());
    let Some(job) = locked(visible, app.db.backend(), LockType::Update).one(&*transaction).await? else {
        return Ok(match receipt::find(&*transaction, &caller.viewer, id).await? {
            // By the attempt before, whose commit was not answered.
            Some(receipt) if receipt.row.id == receipt_id => Outcome::Deleted(receipt.into()),
            receipt => Outcome::Refused(gone(receipt).into()),
        });
    };
    if let Some(refusal) = guard(caller, &job, wanted.force) {
        return Ok(Outcome::Refused(Refused { refusal, job: Some(job), receipt: None }.into()));
    }
    app.checkpoints.pass(Checkpoint::DeletionChecked).await?;

    let went = cut_links(&transaction, &job, wanted.delete_predictions).await?;
    // Compared with what went, which nobody can change any more; counting beforehand would read all of it twice.
    let count = went.deleted.total() + went.released.total();
    if let Some(expected) = wanted.expected_predictions.filter(|expected| u64::try_from(*expected) != Ok(count)) {
        transaction.rollback().await?;
        return Ok(Outcome::Refused(Refused { refusal: stale(expected, count), job: Some(job), receipt: None }.into()));
    }
    let order = Order {
        receipt: receipt_id,
        by: caller.into(),
        trigger: DeletionTrigger::Request,
        reason: wanted.reason.clone(),
        force: wanted.force,
        delete_predictions: wanted.delete_predictions,
    };
    let receipt = remove(app, &transaction, &job, &went, order).await?;
    events::record(app, &transaction, &job, JobEventType::Deleted).await?;

    app.checkpoints.pass(Checkpoint::DeletionBeforeCommit).await?;
    transaction.commit().await?;
    Ok(Outcome::Deleted(receipt.into()))
}

/// What a deletion is to say of itself.
#[derive(Clone, Debug)]
pub struct Order {
    /// The id of the receipt.
    pub receipt: Uuid,
    /// Who wants it.
    pub by: Actor,
    /// What set it off.
    pub trigger: DeletionTrigger,
    /// Why, for the receipt.
    pub reason: Option<String>,
    /// Whether an active job was to go as well.
    pub force: bool,
    /// Whether the linked predictions went with it.
    pub delete_predictions: bool,
}

/// What became of the predictions that were linked to a job.
#[derive(Clone, Copy, Debug)]
pub struct Went {
    /// Those that went.
    pub deleted: linked::Counts,
    /// Those that were kept.
    pub released: linked::Counts,
}

/// Deletes or releases what is linked to a job, whose row the transaction has locked.
pub async fn cut_links(
    transaction: &WriteTransaction,
    job: &job::Model,
    delete_predictions: bool,
) -> Result<Went, Error> {
    let none = linked::Counts::default();
    Ok(if delete_predictions {
        Went { deleted: linked::delete(&**transaction, job).await?, released: none }
    } else {
        Went { deleted: none, released: linked::release(&**transaction, job).await? }
    })
}

/// Deletes a job, whose row the transaction has locked and whose links it has cut: purge queue, receipt, audit entry, row. The
/// event is left to the caller, as the last statement before the commit.
pub async fn remove(
    app: &App,
    transaction: &WriteTransaction,
    job: &job::Model,
    went: &Went,
    order: Order,
) -> Result<Receipt, Error> {
    let db = &**transaction;
    let files = files(db, job.id).await?;
    let to_purge = status::is_own(job) || files.count > 0;
    if to_purge {
        purge::enqueue(app, db, job).await?;
    }
    let row = deletion_receipt::Model {
        deleted_annual: signed(went.deleted.annual),
        deleted_quarterly: signed(went.deleted.quarterly),
        released: signed(went.released.total()),
        artifacts: i32::try_from(files.count).unwrap_or(i32::MAX),
        artifact_bytes: files.bytes,
        ..blank_receipt(app, job, &order)
    };
    insert_row(db, row.clone()).await?;
    let entry = audit::Entry {
        action: AuditAction::DeleteJob,
        target: Some(job.id),
        organization: job.organization_id,
        refusal: None,
        detail: Some(detail(job, &row)),
    };
    audit::record(db, order.by, entry).await?;
    outbox::enqueue(app, transaction, &Event::job_deleted(&row)).await?;
    // Its row errors and artifacts go with it, by their foreign keys.
    job::Entity::delete_by_id(job.id).exec(db).await?;
    Ok(Receipt::just_written(row, to_purge))
}

/// The guards that look at the caller and the job alone, in order. Preview and execution share them.
pub fn guard(caller: &Caller, job: &job::Model, force: bool) -> Option<Refusal> {
    if !caller.viewer.may(Action::Delete, Some(job.user_id)) {
        let message = "Only the job's creator or an administrator of the organization may delete it.";
        return Some(Refusal::new(ErrorCode::Forbidden, message));
    }
    if let Some(refusal) = hold::refusal(job) {
        return Some(refusal);
    }
    if force {
        return None;
    }
    let (code, message) = match JobStatus::of(job) {
        JobStatus::Pending => (ErrorCode::JobInProgress, "Cannot delete pending job. Use cancel instead."),
        JobStatus::Running => (ErrorCode::JobInProgress, "Cannot delete running job. Use cancel instead."),
        JobStatus::Cancelling => (ErrorCode::InvalidState, "Cannot delete job while cancellation is in progress."),
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => return None,
    };
    Some(Refusal::new(code, message))
}

/// What to say of a job that is not there: deleted before, or never the caller's to see.
pub fn gone(receipt: Option<Receipt>) -> Refused {
    let refusal = match receipt {
        Some(_) => Refusal::new(ErrorCode::JobAlreadyDeleted, "This job has already been deleted."),
        None => Refusal::job_not_found(),
    };
    Refused { refusal, job: None, receipt }
}

fn invalid(wanted: &DeleteJob) -> Option<Refusal> {
    if wanted.reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        let message = format!("The reason has more than {LONGEST_REASON} characters.");
        return Some(Refusal::new(ErrorCode::ValidationFailed, message).at(&["reason"]));
    }
    if wanted.reason.as_ref().is_some_and(|reason| reason.contains('\0')) {
        return Some(Refusal::new(ErrorCode::ValidationFailed, "The reason is not text.").at(&["reason"]));
    }
    if wanted.expected_predictions.is_some_and(|expected| expected < 0) {
        let message = "The expected number of predictions is negative; 0 or more is allowed.";
        return Some(Refusal::new(ErrorCode::ValidationFailed, message).at(&["expectedPredictions"]));
    }
    None
}

fn stale(expected: i32, now: u64) -> Refusal {
    let now = counted(now, "linked prediction");
    let message = format!("The job has {now} now, not {expected} as expected; look at the preview again.");
    Refusal::new(ErrorCode::PreviewStale, message)
}

/// Records a refusal; what a caller may not even know of is recorded like any other.
async fn refuse(app: &App, caller: &Caller, id: Option<Uuid>, refused: Box<Refused>) -> Result<Outcome, Error> {
    tracing::info!(job = ?id, code = refused.refusal.code.as_str(), "deletion refused");
    let organization = match (&refused.job, &refused.receipt) {
        (Some(job), _) => job.organization_id,
        (None, Some(receipt)) => receipt.row.organization_id,
        (None, None) => caller.viewer.organization_id(),
    };
    audit::record_refusal(app, caller, AuditAction::DeleteJob, id, organization, &refused.refusal).await?;
    Ok(Outcome::Refused(refused))
}

/// The registered files of a job.
#[derive(Clone, Copy, Debug)]
struct Files {
    count: i64,
    bytes: i64,
}

async fn files(db: &impl ConnectionTrait, job: Uuid) -> Result<Files, Error> {
    let sizes: Vec<i64> = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job))
        .select_only()
        .column(artifact::Column::Size)
        .into_tuple()
        .all(db)
        .await?;
    Ok(Files { count: signed(sizes.len() as u64), bytes: sizes.iter().sum() })
}

/// The receipt of a job, with nothing counted yet.
fn blank_receipt(app: &App, job: &job::Model, order: &Order) -> deletion_receipt::Model {
    deletion_receipt::Model {
        id: order.receipt,
        job_id: job.id,
        organization_id: job.organization_id,
        job_kind: status::kind(job).as_stored().to_owned(),
        job_status: JobStatus::of(job).as_stored().to_owned(),
        file_name: job.original_filename.clone(),
        job_created_by: job.user_id,
        job_created_at: status::created_at(app, job),
        job_started_at: job.started_at.map(|time| time.and_utc()),
        job_finished_at: job.completed_at.map(|time| time.and_utc()),
        error_message: job.error_message.clone(),
        deleted_at: now(),
        deleted_by: order.by.user_id,
        trigger: order.trigger.as_stored().to_owned(),
        reason: order.reason.clone(),
        force: order.force,
        delete_predictions: order.delete_predictions,
        deleted_annual: 0,
        deleted_quarterly: 0,
        released: 0,
        artifacts: 0,
        artifact_bytes: 0,
        job_total_rows: job.total_rows,
        job_processed_rows: job.processed_rows,
        job_successful_rows: job.successful_rows,
        job_failed_rows: job.failed_rows,
    }
}

/// What the audit log says of it; of an active job also that the deletion cancelled it.
fn detail(job: &job::Model, row: &deletion_receipt::Model) -> String {
    let kinds = [(Kind::Annual, row.deleted_annual), (Kind::Quarterly, row.deleted_quarterly)];
    let deleted: Vec<_> =
        kinds.iter().map(|(kind, count)| counted(count, &format!("{} prediction", kind.as_stored()))).collect();
    let cancelled = if JobStatus::of(job).is_terminal() { "" } else { "; the job was active and is cancelled by it" };
    format!("deleted {}, released {}{cancelled}", deleted.join(" and "), row.released)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
