//! `bulk_upload_jobs`: one bulk upload each.

use sea_orm::entity::prelude::*;

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_upload_jobs")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The tenant; `None` = the personal space of `user_id`.
    pub organization_id: Option<Uuid>,
    /// The user who uploaded the file.
    pub user_id: Uuid,
    /// A stored [`crate::stored::Kind`].
    pub job_type: String,
    /// `pending`, `queued`, `processing`, `cancelling`, `completed`, `failed`, `cancelled`, or what an older program wrote.
    pub status: Option<String>,
    /// The file's name as uploaded, at most 255 characters.
    pub original_filename: String,
    /// Bytes.
    pub file_size: Option<i32>,
    /// Data rows in the file.
    pub total_rows: Option<i32>,
    /// Rows read and committed so far, good and bad.
    pub processed_rows: Option<i32>,
    /// Rows stored as predictions.
    pub successful_rows: Option<i32>,
    /// Rows recorded as errors.
    pub failed_rows: Option<i32>,
    /// Why the job failed, one sentence.
    pub error_message: Option<String>,
    /// Of older programs.
    pub error_details: Option<String>,
    /// Of older programs.
    pub celery_task_id: Option<String>,
    /// When the job was created; of an adopted job by the clock of the database.
    pub created_at: Option<DateTime>,
    /// When a worker first took it, UTC.
    pub started_at: Option<DateTime>,
    /// When it ended, UTC.
    pub completed_at: Option<DateTime>,
    /// When the row last changed; of an adopted job by the clock of the database.
    pub updated_at: Option<DateTime>,
    /// `joblink` for a job that Joblink created; `None` = adopted.
    pub origin: Option<String>,
    /// The claim of the worker that runs it; a batch commits only under its own claim.
    pub lease_token: Option<Uuid>,
    /// When the claim may be taken over.
    pub lease_expires_at: Option<DateTimeUtc>,
    /// When it was cancelled; of jobs that Joblink cancelled alone, as the three after it.
    pub cancelled_at: Option<DateTimeUtc>,
    /// Why, at most 500 characters.
    pub cancel_reason: Option<String>,
    /// What else there is to say of it, at most 500 characters.
    pub cancel_notes: Option<String>,
    /// Who cancelled it.
    pub cancelled_by: Option<Uuid>,
    /// Since when it may not be deleted; `None` = it may.
    pub held_at: Option<DateTimeUtc>,
    /// Why it may not, at most 500 characters.
    pub hold_reason: Option<String>,
    /// Who forbade it.
    pub held_by: Option<Uuid>,
    /// When its files were removed although it was kept; `None` = they were not.
    pub data_cleaned_at: Option<DateTimeUtc>,
    /// What went then, as JSON: `{"artifacts": 3, "bytes": 1234}`.
    pub cleanup_summary: Option<String>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What `origin` holds for a job that Joblink created.
pub const ORIGIN_JOBLINK: &str = "joblink";
