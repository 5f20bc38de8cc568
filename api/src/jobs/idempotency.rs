//! The same request for a job, sent twice under one key, makes one job.

use std::time::Duration;

use entity::{idempotency_key, job, stored::AuditAction};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::OnConflict,
};

use super::create::{NewJob, Source};
use crate::{
    app::App,
    audit::{self, Caller},
    database::{now, retrying},
    deletion::{execute::gone, receipt},
    error::{Error, ErrorCode, Refusal},
    files::{ReceivedFile, staged},
};

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// The longest key, in characters.
const LONGEST: usize = 255;
/// The argument.
const KEY: [&str; 2] = ["input", "idempotencyKey"];

/// Checks a key as a caller gives it.
pub fn check(key: &str) -> Result<(), Refusal> {
    if (1..=LONGEST).contains(&key.chars().count()) && !key.contains('\0') {
        return Ok(());
    }
    let message = format!("The idempotency key has 1 to {LONGEST} characters; a new UUID for each file is a good one.");
    Err(Refusal::new(ErrorCode::ValidationFailed, message).at(&KEY))
}

/// The answer that the caller's request got before under this key; `None` = it is the first one.
pub async fn answered(
    app: &App,
    caller: &Caller,
    wanted: &NewJob,
    key: &str,
) -> Result<Option<Result<job::Model, Refusal>>, Error> {
    let db = app.db.reader();
    let remembered = idempotency_key::Entity::find_by_id((caller.viewer.user_id, key.to_owned()))
        .filter(idempotency_key::Column::CreatedAt.gt(now() - KEPT_FOR));
    let Some(first) = remembered.one(db).await? else { return Ok(None) };
    let same_file = match &wanted.source {
        Source::Sent(file) => file.sha256 == first.sha256,
        Source::Staged(id) if Some(*id) == first.upload_id => true,
        Source::Staged(id) => {
            staged::find(db, &caller.viewer, *id).await?.is_some_and(|file| file.sha256 == first.sha256)
        }
    };
    let same_place = first.organization_id == caller.viewer.organization_id();
    if !same_file || !same_place || first.job_kind != wanted.kind.as_stored() {
        let message = "The idempotency key stands for another file, kind or organization; use a new key for each job.";
        return Ok(Some(Err(Refusal::new(ErrorCode::ValidationFailed, message).at(&KEY))));
    }
    let job = job::Entity::find_by_id(first.job_id).filter(caller.viewer.sees_job()).one(db).await?;
    if let Some(job) = job {
        tell(app, caller, &job).await?;
        return Ok(Some(Ok(job)));
    }
    let refusal = gone(receipt::find(db, &caller.viewer, first.job_id).await?).refusal;
    let message = "The job that was made under this idempotency key has been deleted; use a new key for another one.";
    Ok(Some(Err(Refusal { message: message.to_owned(), ..refusal }.at(&KEY))))
}

/// Writes into the audit log that a request was answered as before.
async fn tell(app: &App, caller: &Caller, job: &job::Model) -> Result<(), Error> {
    let entry = || audit::Entry {
        action: AuditAction::CreateJob,
        target: Some(job.id),
        organization: job.organization_id,
        refusal: None,
        detail: Some("answered as before, by its idempotency key".to_owned()),
    };
    retrying(|| async {
        let transaction = app.db.begin().await?;
        audit::record(&*transaction, caller, entry()).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Remembers a key, in the transaction that makes the job; `false`: another request under it was faster.
pub async fn remember(
    db: &impl ConnectionTrait,
    caller: &Caller,
    key: &str,
    job: &job::Model,
    file: &ReceivedFile,
    staged: bool,
) -> Result<bool, DbErr> {
    let user = caller.viewer.user_id;
    let old = Condition::all()
        .add(idempotency_key::Column::UserId.eq(user))
        .add(idempotency_key::Column::Key.eq(key))
        .add(idempotency_key::Column::CreatedAt.lte(now() - KEPT_FOR));
    idempotency_key::Entity::delete_many().filter(old).exec(db).await?;
    let row = idempotency_key::Model {
        user_id: user,
        key: key.to_owned(),
        organization_id: job.organization_id,
        job_id: job.id,
        job_kind: job.job_type.clone(),
        sha256: file.sha256.clone(),
        upload_id: staged.then_some(file.id),
        created_at: now(),
    };
    let added = idempotency_key::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(added == 1)
}

/// Forgets keys that are too old.
pub async fn drop_old(app: &App) -> Result<(), Error> {
    let transaction = app.db.begin().await?;
    let old = idempotency_key::Column::CreatedAt.lte(now() - KEPT_FOR);
    idempotency_key::Entity::delete_many().filter(old).exec(&*transaction).await?;
    transaction.commit().await?;
    Ok(())
}
