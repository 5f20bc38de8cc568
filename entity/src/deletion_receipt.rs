//! `deletion_receipts`: the permanent record of each deletion.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deletion_receipts")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The job that was deleted; unique.
    pub job_id: Uuid,
    /// Its tenant.
    pub organization_id: Option<Uuid>,
    /// A stored [`crate::stored::Kind`].
    pub job_kind: String,
    /// The job's status as it stood, as stored.
    pub job_status: String,
    /// The job's file name.
    pub file_name: String,
    /// The job's user.
    pub job_created_by: Uuid,
    /// When the job was created, UTC.
    pub job_created_at: Option<DateTimeUtc>,
    /// When it started.
    pub job_started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub job_finished_at: Option<DateTimeUtc>,
    /// Why the job had failed.
    pub error_message: Option<String>,
    /// When the deletion was done.
    pub deleted_at: DateTimeUtc,
    /// Who asked for it.
    pub deleted_by: Option<Uuid>,
    /// A stored [`crate::stored::DeletionTrigger`].
    pub trigger: String,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// Whether it was allowed to delete an active job, which it thereby cancelled.
    pub force: bool,
    /// Whether the linked predictions went too.
    pub delete_predictions: bool,
    /// How many annual predictions went.
    pub deleted_annual: i64,
    /// How many quarterly predictions went.
    pub deleted_quarterly: i64,
    /// How many predictions were kept and lost their link.
    pub released: i64,
    /// Registered artifacts at the time.
    pub artifacts: i32,
    /// Their bytes.
    pub artifact_bytes: i64,
    /// Rows of the job's file; this and the next three as the job had counted them.
    pub job_total_rows: Option<i32>,
    /// Rows that it had read.
    pub job_processed_rows: Option<i32>,
    /// Rows that it had stored.
    pub job_successful_rows: Option<i32>,
    /// Rows that it had not stored.
    pub job_failed_rows: Option<i32>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
