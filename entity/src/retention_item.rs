//! `retention_items`: what a run of the retention policy did to one job. It outlives the job.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retention_items")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// Counts the items of a run, from 1.
    pub number: i64,
    /// The job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: Uuid,
    /// The job's status as it was stored.
    pub job_status: String,
    /// When the job had ended.
    pub job_finished_at: DateTimeUtc,
    /// A stored [`crate::stored::RetentionAction`].
    pub action: String,
    /// Predictions that went with it.
    pub predictions_deleted: i64,
    /// Predictions that were kept and lost their link to it.
    pub predictions_released: i64,
    /// Files that went.
    pub artifacts: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Why it could not be done, one sentence; nothing changed then.
    pub error: Option<String>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
