//! The audit log: what every mutation did or was refused.

use entity::{
    audit_entry,
    stored::{AuditAction, AuditOutcome},
};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, IntoActiveModel, prelude::Uuid};

use crate::{
    app::App,
    auth::Viewer,
    database::now,
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
pub async fn record(db: &impl ConnectionTrait, caller: &Caller, entry: Entry<'_>) -> Result<(), DbErr> {
    let row = audit_entry::Model {
        id: Uuid::now_v7(),
        at: now(),
        actor_id: Some(caller.viewer.user_id),
        organization_id: entry.organization,
        action: entry.action.as_stored().to_owned(),
        target_id: entry.target,
        outcome: if entry.refusal.is_some() { AuditOutcome::Refused } else { AuditOutcome::Done }
            .as_stored()
            .to_owned(),
        code: entry.refusal.map(|refusal| refusal.code.as_str().to_owned()),
        detail: entry.detail.or_else(|| entry.refusal.map(|refusal| refusal.message.clone())),
        request_id: Some(caller.request_id.clone()),
    };
    row.into_active_model().reset_all().insert(db).await?;
    Ok(())
}

/// Writes a refusal, in a transaction of its own: what was refused left none.
pub async fn record_refusal(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    target: Option<Uuid>,
    refusal: &Refusal,
) -> Result<(), Error> {
    app.metrics.refusals.get_or_create(&[("action", action.as_stored()), ("code", refusal.code.as_str())]).inc();
    crate::database::retrying(async || {
        let transaction = app.db.begin().await?;
        let organization = caller.viewer.organization_id();
        record(&*transaction, caller, Entry { action, target, organization, refusal: Some(refusal), detail: None })
            .await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}
