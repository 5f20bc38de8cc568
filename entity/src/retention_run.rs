//! `retention_runs`: runs of the retention policy.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retention_runs")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When it came to its end.
    pub finished_at: Option<DateTimeUtc>,
    /// A stored [`crate::stored::RetentionTrigger`].
    pub triggered_by: String,
    /// The caller who asked for it.
    pub user_id: Option<Uuid>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The time of the schedule for which it was begun; each has one run.
    pub scheduled_for: Option<DateTimeUtc>,
    /// The moment that ages are measured at.
    pub at: DateTimeUtc,
    /// The policy, as JSON.
    pub policy: String,
    /// Jobs whose files were removed so far.
    pub cleaned: i64,
    /// Jobs deleted so far.
    pub deleted: i64,
    /// Jobs that could not be cleaned or deleted so far.
    pub failed: i64,
    /// Bytes of the files of those jobs.
    pub bytes_freed: i64,
    /// The claim of the process that is at work; it acts only under its own claim.
    pub lease_token: Option<Uuid>,
    /// When the claim may be taken over.
    pub lease_expires_at: Option<DateTimeUtc>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
