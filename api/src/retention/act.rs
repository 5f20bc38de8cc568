//! What a run does to one job, in one transaction with the item that says so.

use entity::{
    job, retention_item, retention_run,
    stored::{DeletionTrigger, JobEventType, RetentionAction},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, QueryFilter, prelude::Uuid, sea_query::LockType,
};

use super::{
    clean,
    due::{self, Item},
    policy::{Policy, Rule},
    run::{actor, held},
};
use crate::{
    app::App,
    audit,
    checkpoint::Checkpoint,
    database::{WriteTransaction, insert_row, locked, now},
    deletion::execute::{self, Order},
    error::Error,
    events,
    jobs::status::JobStatus,
};

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acted {
    /// Its files were removed.
    Cleaned,
    /// It was deleted.
    Deleted,
    /// It is not due any more, or the run has been at it.
    Left,
    /// The run is another process's.
    Lost,
}

/// Cleans or deletes a job that is still due when its row is locked.
pub async fn attempt(
    app: &App,
    run: &retention_run::Model,
    policy: &Policy,
    found: &job::Model,
) -> Result<Acted, Error> {
    let transaction = app.db.begin().await?;
    let Some(run) = held(app, &transaction, run).await? else { return Ok(Acted::Lost) };
    let status = JobStatus::of(found);
    let Some((rule, due)) = due::of_state(policy, status, run.at) else { return Ok(Acted::Left) };
    if known(&transaction, &run, found.id).await? {
        return Ok(Acted::Left);
    }
    let still_due = job::Entity::find_by_id(found.id).filter(due);
    let Some(job) = locked(still_due, app.db.backend(), LockType::Update).one(&*transaction).await? else {
        return Ok(Acted::Left);
    };
    let (item, acted, event) = match rule.action {
        RetentionAction::Delete => {
            let item = delete(app, &transaction, &run, &job, &rule).await?;
            (item, Acted::Deleted, JobEventType::Deleted)
        }
        RetentionAction::Clean => {
            let item = clean_one(app, &transaction, &run, &job, &rule).await?;
            (item, Acted::Cleaned, JobEventType::Status)
        }
        RetentionAction::Keep => return Ok(Acted::Left),
    };
    write(app, &transaction, run, &item).await?;
    events::record(app, &transaction, &job, event).await?;
    app.checkpoints.pass(Checkpoint::RetentionJobBeforeCommit).await?;
    transaction.commit().await?;
    count(app, &item);
    Ok(acted)
}

async fn delete(
    app: &App,
    transaction: &WriteTransaction,
    run: &retention_run::Model,
    job: &job::Model,
    rule: &Rule,
) -> Result<Item, Error> {
    let went = execute::cut_links(transaction, job, rule.delete_predictions).await?;
    let order = Order {
        receipt: Uuid::now_v7(),
        by: actor(run),
        trigger: DeletionTrigger::Retention,
        reason: Some(rule.in_words(JobStatus::of(job))),
        force: false,
        delete_predictions: rule.delete_predictions,
    };
    let receipt = execute::remove(app, transaction, job, &went, order).await?.row;
    Ok(Item {
        predictions_deleted: receipt.deleted_annual + receipt.deleted_quarterly,
        predictions_released: receipt.released,
        artifacts: receipt.artifacts.into(),
        bytes: receipt.artifact_bytes,
        ..blank(job, rule.action)
    })
}

async fn clean_one(
    app: &App,
    transaction: &WriteTransaction,
    run: &retention_run::Model,
    job: &job::Model,
    rule: &Rule,
) -> Result<Item, Error> {
    let (job, went) = clean::remove_data(app, transaction, job.clone(), rule.keep_logs).await?;
    let detail = format!("{}; {}", clean::went_in_words(went), rule.in_words(JobStatus::of(&job)));
    audit::record(&**transaction, actor(run), clean::entry(&job, detail)).await?;
    Ok(Item { artifacts: went.artifacts, bytes: went.bytes, ..blank(&job, rule.action) })
}

/// The item of a job, with nothing counted yet.
fn blank(job: &job::Model, action: RetentionAction) -> Item {
    Item {
        job: job.id,
        status: job.status.clone().unwrap_or_default(),
        finished_at: job.completed_at.map_or_else(now, |ended| ended.and_utc()),
        action,
        predictions_deleted: 0,
        predictions_released: 0,
        artifacts: 0,
        bytes: 0,
        error: None,
    }
}

/// Whether the run has an item of this job.
async fn known(transaction: &WriteTransaction, run: &retention_run::Model, job: Uuid) -> Result<bool, Error> {
    Ok(retention_item::Entity::find_by_id((run.id, job)).one(&**transaction).await?.is_some())
}

/// Writes down that a job could be neither cleaned nor deleted, unless it is gone.
pub async fn note_failure(
    app: &App,
    run: &retention_run::Model,
    policy: &Policy,
    found: &job::Model,
) -> Result<Acted, Error> {
    let transaction = app.db.begin().await?;
    let Some(run) = held(app, &transaction, run).await? else { return Ok(Acted::Lost) };
    let there = job::Entity::find_by_id(found.id).one(&*transaction).await?;
    let (Some(job), Some(rule)) = (there, policy.rule(JobStatus::of(found))) else { return Ok(Acted::Left) };
    if known(&transaction, &run, job.id).await? {
        return Ok(Acted::Left);
    }
    let id = run.id;
    let error =
        format!("It failed, and nothing was changed; the log of the server or the command says why, at run {id}.");
    let item = Item { error: Some(error), ..blank(&job, rule.action) };
    write(app, &transaction, run, &item).await?;
    transaction.commit().await?;
    Ok(Acted::Left)
}

/// Writes an item, counts it, and holds the claim from now on.
async fn write(app: &App, transaction: &WriteTransaction, run: retention_run::Model, item: &Item) -> Result<(), Error> {
    let row = retention_item::Model {
        run_id: run.id,
        number: run.cleaned + run.deleted + run.failed + 1,
        job_id: item.job,
        job_status: item.status.clone(),
        job_finished_at: item.finished_at,
        action: item.action.as_stored().to_owned(),
        predictions_deleted: item.predictions_deleted,
        predictions_released: item.predictions_released,
        artifacts: item.artifacts,
        bytes: item.bytes,
        error: item.error.clone(),
    };
    insert_row(&**transaction, row).await?;
    let failed = item.error.is_some();
    let counted = |action: RetentionAction| i64::from(!failed && item.action == action);
    let (cleaned, deleted, freed) = (
        run.cleaned + counted(RetentionAction::Clean),
        run.deleted + counted(RetentionAction::Delete),
        run.bytes_freed + item.bytes,
    );
    let failures = run.failed + i64::from(failed);
    let mut row = run.into_active_model();
    row.cleaned = Set(cleaned);
    row.deleted = Set(deleted);
    row.failed = Set(failures);
    row.bytes_freed = Set(freed);
    row.lease_expires_at = Set(Some(now() + app.limits.lease));
    row.update(&**transaction).await?;
    Ok(())
}

fn count(app: &App, item: &Item) {
    app.metrics.retention_bytes.inc_by(item.bytes.unsigned_abs());
    if item.action == RetentionAction::Delete {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        app.metrics.deleted_predictions.observe(item.predictions_deleted as f64);
    }
    tracing::info!(
        job = %item.job, action = item.action.as_stored(), deleted = item.predictions_deleted,
        released = item.predictions_released, artifacts = item.artifacts, bytes = item.bytes, "retention done"
    );
}
