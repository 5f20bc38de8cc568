//! `idempotency_keys`: the keys that callers gave their requests for jobs.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// Whose key it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// As given.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The organization for which the job was made; none = the personal space.
    pub organization_id: Option<Uuid>,
    /// The job that was made.
    pub job_id: Uuid,
    /// A stored [`crate::stored::Kind`].
    pub job_kind: String,
    /// The file's SHA-256, hex.
    pub sha256: String,
    /// The staged upload that the job took.
    pub upload_id: Option<Uuid>,
    /// When the job was made.
    pub created_at: DateTimeUtc,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
