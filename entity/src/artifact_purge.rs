//! `artifact_purges`: files of deleted jobs, to be removed from the artifact store.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "artifact_purges")]
pub struct Model {
    /// The deleted job, whose prefix in the store is purged.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// Not to be tried before this time: claims and backoff both move it.
    pub due_at: DateTimeUtc,
    /// How often it was tried.
    pub attempts: i32,
    /// Why the last attempt failed, one sentence.
    pub last_error: Option<String>,
    /// When the store confirmed that nothing is left.
    pub completed_at: Option<DateTimeUtc>,
    /// Of a job that was active when it was deleted: until then its worker may still write files.
    pub settles_at: Option<DateTimeUtc>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
