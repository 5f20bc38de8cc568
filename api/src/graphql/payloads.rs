//! What mutations take and are answered with.

use async_graphql::{ID, InputObject, OneofObject, SimpleObject};

use super::{
    model::{DeletionReceipt, Job, JobRefusal, PredictionKind, RetentionRun, UserError},
    scalars::Upload,
};

/// Where a file comes from: exactly one of these.
#[derive(OneofObject)]
pub enum FileSource {
    /// A part of this multipart request.
    File(Upload),
    /// A file that was sent ahead by `POST /uploads`.
    UploadId(ID),
}

/// A new job.
#[derive(InputObject)]
pub struct CreateJobInput {
    /// Which kind of predictions the file is for.
    pub kind: PredictionKind,
    /// The file: CSV or Excel (.xlsx), with a header.
    pub source: FileSource,
    /// A name of your own for this request, like a new UUID. Sent again within 24 hours with the same file, the request is
    /// answered with the job that the first one made.
    pub idempotency_key: Option<String>,
}

/// What the caller was shown of a job.
#[derive(InputObject)]
pub struct JobExpectation {
    /// The job.
    pub id: ID,
    /// How many linked predictions, of both kinds together.
    pub predictions: i32,
}

/// The new job, or why there is none.
#[derive(SimpleObject, Default)]
pub struct CreateJobPayload {
    /// The job, pending.
    pub job: Option<Job>,
    /// Why it was refused; a file that came with the request is not kept then, one that was sent ahead still waits.
    pub user_errors: Vec<UserError>,
}

/// What became of the job.
#[derive(SimpleObject)]
pub struct CancelJobPayload {
    /// The job as it stands now.
    pub job: Option<Job>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// The new job, or why there is none.
#[derive(SimpleObject)]
pub struct RetryJobPayload {
    /// The new job, pending; where it was refused the one that was to be retried.
    pub job: Option<Job>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// What became of the job.
#[derive(SimpleObject)]
pub struct HoldJobPayload {
    /// The job as it stands now.
    pub job: Option<Job>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// What became of the job.
#[derive(SimpleObject)]
pub struct CleanJobPayload {
    /// The job as it stands now.
    pub job: Option<Job>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// The run, or why there is none.
#[derive(SimpleObject)]
pub struct RunRetentionPayload {
    /// The run, which has begun and goes on in the background; ask for it by `node` until its `finishedAt` is there.
    pub run: Option<RetentionRun>,
    /// Why it was refused.
    pub user_errors: Vec<UserError>,
}

/// What became of the job.
#[derive(SimpleObject)]
pub struct ReleaseJobHoldPayload {
    /// The job as it stands now.
    pub job: Option<Job>,
    /// Why nothing changed.
    pub user_errors: Vec<UserError>,
}

/// What became of the job.
#[derive(SimpleObject, Default)]
pub struct DeleteJobPayload {
    /// Its id, if this call deleted it.
    pub deleted_job_id: Option<ID>,
    /// The receipt, of this deletion or of an earlier one.
    pub receipt: Option<DeletionReceipt>,
    /// The job as it stands, if it was refused and the viewer may see it.
    pub job: Option<Job>,
    /// Why it was refused.
    pub user_errors: Vec<UserError>,
}

/// What became of the jobs.
#[derive(SimpleObject, Default)]
pub struct DeleteJobsPayload {
    /// Those that this call deleted.
    pub deleted_job_ids: Vec<ID>,
    /// Their receipts.
    pub receipts: Vec<DeletionReceipt>,
    /// Those that stay, and why.
    pub refused: Vec<JobRefusal>,
    /// Why the call as a whole was refused.
    pub user_errors: Vec<UserError>,
}

/// What became of the predictions.
#[derive(SimpleObject, Default)]
pub struct DeletePredictionsPayload {
    /// Those that this call deleted.
    pub deleted_ids: Vec<ID>,
    /// Those that stay: `field` is the place in the list, like `["ids", "3"]`.
    pub user_errors: Vec<UserError>,
}
