//! `artifacts`: the files of jobs.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "artifacts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The job it belongs to.
    pub job_id: Uuid,
    /// A stored [`crate::stored::ArtifactKind`].
    pub kind: String,
    /// The name a download gets.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Hex, lower case.
    pub sha256: Option<String>,
    /// When it was registered.
    pub created_at: DateTimeUtc,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
