//! `staged_uploads`: files that were sent ahead and wait for the job that takes them.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staged_uploads")]
pub struct Model {
    /// Primary key, and the file's name in the artifact store.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who sent it.
    pub user_id: Uuid,
    /// The name that the sender gave.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Hex, lower case.
    pub sha256: String,
    /// When it was there.
    pub created_at: DateTimeUtc,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
