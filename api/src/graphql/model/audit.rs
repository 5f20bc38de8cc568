//! Entries of the audit log.

use async_graphql::{Context, ID, Object, Result};
use entity::{audit_entry, stored};

use super::{
    enums::{AuditAction, AuditOutcome, ErrorCode},
    prediction,
    viewer::User,
};
use crate::{
    error,
    graphql::{failure::placed, scalars::DateTime},
};

/// What somebody did or tried. Entries are never changed and never deleted.
#[derive(Clone)]
pub struct AuditEntry(pub audit_entry::Model);

/// What somebody did or tried. Entries are never changed and never deleted.
#[Object]
impl AuditEntry {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// When.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }

    /// Who; null where a program of the operator's did it, or somebody whom the viewer does not see.
    async fn actor(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, self.0.actor_id).await.transpose()
    }

    /// What was done or tried.
    async fn action(&self, ctx: &Context<'_>) -> Result<AuditAction> {
        let read = async || -> Result<AuditAction> {
            // Others are left out where entries are read.
            let known = stored::AuditAction::from_stored(&self.0.action).map(Into::into);
            known.ok_or_else(|| sea_orm::DbErr::Type(format!("unknown action {}", self.0.action)).into())
        };
        read().await.map_err(placed(ctx))
    }

    /// The job, prediction or run that it was about, as the caller named it or, where it was made, as it is called; null
    /// where there is none.
    async fn target_id(&self) -> Option<ID> {
        self.0.target_id.map(Into::into)
    }

    /// How it ended.
    async fn outcome(&self) -> AuditOutcome {
        stored::AuditOutcome::from_stored(&self.0.outcome).map_or(AuditOutcome::Failed, Into::into)
    }

    /// Why it was refused, for programs; null where it was not.
    async fn code(&self) -> Option<ErrorCode> {
        self.0.code.as_deref().and_then(error::ErrorCode::named).map(Into::into)
    }

    /// Counts or reason, one sentence.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The id of the request that asked for it, as in the header `x-request-id` of its answer.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }
}
