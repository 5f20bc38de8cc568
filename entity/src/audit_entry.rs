//! `audit_log`: what callers did and tried.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// Who; `None` = the program itself.
    pub actor_id: Option<Uuid>,
    /// The tenant of the target, or of the caller where there is no target.
    pub organization_id: Option<Uuid>,
    /// A stored [`crate::stored::AuditAction`].
    pub action: String,
    /// The job or prediction.
    pub target_id: Option<Uuid>,
    /// A stored [`crate::stored::AuditOutcome`].
    pub outcome: String,
    /// The error code of a refusal.
    pub code: Option<String>,
    /// Counts or reason, one sentence.
    pub detail: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
