//! Writes the audit log: with what was done in its own transaction, what was refused or failed in one of its own.

use std::{future::Future, panic::AssertUnwindSafe};

use entity::{
    audit_entry,
    stored::{AuditAction, AuditOutcome},
};
use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, prelude::Uuid};

use crate::{
    app::App,
    auth::{self, Viewer},
    database::{Database, insert_row, now},
    error::{Error, Refusal},
};

/// Who asks, and in which request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The caller.
    pub viewer: Viewer,
    /// The request's id, as the client sees it.
    pub request_id: String,
}

/// Who did something, as the log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The user; `None` = the program itself.
    pub user_id: Option<Uuid>,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self { user_id: Some(caller.viewer.user_id), request_id: Some(caller.request_id.clone()) }
    }
}

impl From<&Self> for Actor {
    fn from(actor: &Self) -> Self {
        actor.clone()
    }
}

/// One entry, without what the caller gives.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What was done or tried.
    pub action: AuditAction,
    /// To which job or prediction.
    pub target: Option<Uuid>,
    /// Whose it is.
    pub organization: Option<Uuid>,
    /// The refusal; `None` = it was done.
    pub refusal: Option<&'a Refusal>,
    /// Counts or reason, one sentence.
    pub detail: Option<String>,
}

/// Writes an entry, in the transaction of what it records.
pub async fn record(db: &impl ConnectionTrait, by: impl Into<Actor>, entry: Entry<'_>) -> Result<(), DbErr> {
    record_as(db, Uuid::now_v7(), by, entry).await
}

/// The same, under an id that was chosen before, by which it can be found.
pub async fn record_as(
    db: &impl ConnectionTrait,
    id: Uuid,
    by: impl Into<Actor>,
    entry: Entry<'_>,
) -> Result<(), DbErr> {
    let outcome = if entry.refusal.is_some() { AuditOutcome::Refused } else { AuditOutcome::Done };
    write(db, id, by.into(), entry, outcome).await
}

/// Whether there is an entry with this id.
pub async fn is_recorded(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    Ok(audit_entry::Entity::find_by_id(id).one(db).await?.is_some())
}

async fn write(
    db: &impl ConnectionTrait,
    id: Uuid,
    by: Actor,
    entry: Entry<'_>,
    outcome: AuditOutcome,
) -> Result<(), DbErr> {
    if by.user_id == Some(auth::local_user_id()) {
        auth::make_local_user(db).await?;
    }
    let row = audit_entry::Model {
        id,
        at: now(),
        actor_id: by.user_id,
        organization_id: entry.organization,
        action: entry.action.as_stored().to_owned(),
        target_id: entry.target,
        outcome: outcome.as_stored().to_owned(),
        code: entry.refusal.map(|refusal| refusal.code.as_str().to_owned()),
        detail: entry.detail.or_else(|| entry.refusal.map(|refusal| refusal.message.clone())),
        request_id: by.request_id,
    };
    insert_row(db, row).await?;
    Ok(())
}

/// A refusal of one of the targets of a call.
#[derive(Clone, Copy, Debug)]
pub struct RefusedTarget<'a> {
    /// The job or prediction; `None` = not even an id.
    pub id: Option<Uuid>,
    /// Whose it is; of a target that the caller does not see the caller's own.
    pub organization: Option<Uuid>,
    /// Why.
    pub refusal: &'a Refusal,
}

/// Writes a refusal, in a transaction of its own: what was refused left none.
///
/// `organization` is as in [`RefusedTarget`].
pub async fn record_refusal(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    id: Option<Uuid>,
    organization: Option<Uuid>,
    refusal: &Refusal,
) -> Result<(), Error> {
    record_refusals(app, caller, action, &[RefusedTarget { id, organization, refusal }]).await
}

/// Writes the refusals of one call, in one transaction: a call may name many targets.
pub async fn record_refusals(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    refused: &[RefusedTarget<'_>],
) -> Result<(), Error> {
    for RefusedTarget { refusal, .. } in refused {
        app.metrics.refusals.get_or_create(&[("action", action.as_stored()), ("code", refusal.code.as_str())]).inc();
    }
    let entries: Vec<_> = refused
        .iter()
        .map(|RefusedTarget { id, organization, refusal }| Entry {
            action,
            target: *id,
            organization: *organization,
            refusal: Some(refusal),
            detail: None,
        })
        .collect();
    write_alone(&app.db, caller, &entries, AuditOutcome::Refused).await
}

/// Writes that a call was about nothing, so that nothing was done.
pub async fn record_nothing(db: &Database, caller: &Caller, action: AuditAction) -> Result<(), Error> {
    let (organization, detail) = (caller.viewer.organization_id(), Some("no id was given".to_owned()));
    let entry = Entry { action, target: None, organization, refusal: None, detail };
    write_alone(db, caller, &[entry], AuditOutcome::Done).await
}

/// Makes a change and passes on what became of it; a failure, a panic too, is written down first, where the database
/// still takes it.
///
/// Where a commit was not answered nothing is written: if it was done, its own entry tells.
pub async fn noting_failure<T>(
    db: &Database,
    caller: &Caller,
    action: AuditAction,
    target: Option<Uuid>,
    change: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // What a panic leaves is a transaction that is undone.
    let outcome = AssertUnwindSafe(change).catch_unwind().await.unwrap_or_else(|panic| Err(Error::of_panic(&*panic)));
    let Err(error) = &outcome else { return outcome };
    let gone = error.is_busy() && !error.is_transient();
    if !gone && !matches!(error, Error::CommitUnknown(_)) {
        let detail =
            Some("It failed, and nothing was changed; the server's log says why, at this request id.".to_owned());
        let organization = caller.viewer.organization_id();
        let entry = Entry { action, target, organization, refusal: None, detail };
        if let Err(second) = write_alone(db, caller, &[entry], AuditOutcome::Failed).await {
            tracing::error!(?target, action = action.as_stored(), "a failure is missing in the audit log: {second}");
        }
    }
    outcome
}

async fn write_alone(
    db: &Database,
    caller: &Caller,
    entries: &[Entry<'_>],
    outcome: AuditOutcome,
) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    crate::database::retrying(async || {
        let transaction = db.begin().await?;
        for entry in entries {
            write(&*transaction, Uuid::now_v7(), caller.into(), entry.clone(), outcome).await?;
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}
