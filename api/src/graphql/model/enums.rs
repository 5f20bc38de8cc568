//! The enums of the contract.

use async_graphql::Enum;
use entity::stored;

use crate::{auth, error, jobs};

/// Which of the two kinds of prediction.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::Kind")]
pub enum PredictionKind {
    /// For a reporting year.
    Annual,
    /// For a reporting quarter.
    Quarterly,
}

/// The state of a job.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "jobs::status::JobStatus")]
pub enum JobStatus {
    /// Waits for a worker.
    Pending,
    /// A worker is at it.
    Running,
    /// Asked to stop, and not yet stopped.
    Cancelling,
    /// Done.
    Completed,
    /// Its file could not be read, or no row could be stored.
    Failed,
    /// Stopped.
    Cancelled,
}

/// Which program made a job.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum JobOrigin {
    /// Joblink.
    Joblink,
    /// The program of the existing installation.
    Adopted,
}

/// How the link from a prediction to its job is known.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::LinkSource")]
pub enum LinkSource {
    /// The job wrote the prediction and the link together.
    Upload,
    /// The operator's own list named the job.
    Manifest,
    /// The job's input file lists the row.
    SourceFile,
    /// Exactly one job was at work at the time.
    TimeWindow,
    /// The job was deleted and the prediction kept.
    Released,
}

/// How likely a default is, in four steps of the probability.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::RiskLevel")]
pub enum RiskLevel {
    /// Below 2 %.
    Low,
    /// From 2 %.
    Medium,
    /// From 5 %.
    High,
    /// Above 15 %.
    Critical,
}

/// What a caller may do.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "auth::Role")]
pub enum Role {
    /// Sees the organization's jobs and receipts; changes their own.
    Member,
    /// Changes all of the organization's.
    OrgAdmin,
    /// Sees and changes everything, personal spaces too.
    Operator,
}

/// The direction of an order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum OrderDirection {
    /// From the smallest to the largest.
    Asc,
    /// From the largest to the smallest.
    Desc,
}

/// By what a list of jobs is ordered.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "jobs::list::OrderField")]
pub enum JobOrderField {
    /// When the job was created.
    CreatedAt,
    /// When the job ended; jobs that have not ended count as the latest.
    FinishedAt,
    /// The name of the file.
    FileName,
    /// The state, in the alphabetical order of its name in the database.
    Status,
}

/// What a file of a job is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::ArtifactKind")]
pub enum ArtifactKind {
    /// The uploaded file.
    Input,
    /// What happened, readable.
    Log,
    /// Each row with its prediction or its error.
    Results,
}

/// Why a row of a file was not stored.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::RowErrorCode")]
pub enum RowErrorCode {
    /// The company already has a prediction for that period.
    Duplicate,
    /// A required cell is empty.
    MissingValue,
    /// A cell holds something of the wrong type.
    InvalidValue,
    /// A number is larger than its column can hold.
    OutOfRange,
    /// The line is not a row of this table.
    Malformed,
}

/// What set a deletion off.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::DeletionTrigger")]
pub enum DeletionTrigger {
    /// A caller asked for it.
    Request,
    /// The retention policy asked for it.
    Retention,
}

/// How a run of the backfill stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum BackfillStatus {
    /// At work.
    Running,
    /// It came to its end.
    Completed,
    /// It stopped before its end, or has shown no sign of life for 30 seconds; run again, it goes on.
    Interrupted,
    /// Its links were taken back.
    Undone,
}

/// What happened to a job.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::JobEventType")]
pub enum JobEventType {
    /// It was made.
    Created,
    /// Rows of its file were stored, or recorded as errors.
    Progress,
    /// Its status or its hold changed, or its files were removed; also the first event of a subscription to one job.
    Status,
    /// It was deleted.
    Deleted,
}

/// Why the backfill left a prediction without a link.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::UnresolvedReason")]
pub enum UnresolvedReason {
    /// Two jobs or more could have made it, or its job or a hand.
    Ambiguous,
    /// Counts, transactions or files disagree.
    Contradicted,
    /// A row alone that no job explains.
    ByHand,
    /// A job that is gone made it.
    JobDeleted,
    /// Nothing names a job.
    NoCandidate,
}

/// What was done or tried.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::AuditAction")]
pub enum AuditAction {
    /// `createJob`, also where an idempotency key was answered as before.
    CreateJob,
    /// `retryJob`; done, `targetId` is the new job.
    RetryJob,
    /// `cancelJob`
    CancelJob,
    /// `deleteJob`; `deleteJobs` has an entry for each job.
    DeleteJob,
    /// A finished job's files were removed and the job was kept.
    CleanJob,
    /// `holdJob`
    HoldJob,
    /// `releaseJobHold`
    ReleaseHold,
    /// `deletePredictions`; an entry for each prediction.
    DeletePredictions,
    /// A run of the retention policy.
    RetentionRun,
    /// `migration backfill run`
    BackfillRun,
    /// `migration backfill undo`
    BackfillUndo,
    /// `joblink artifacts sweep`
    Sweep,
}

/// What retention does to a job.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::RetentionAction")]
pub enum RetentionAction {
    /// Nothing.
    Keep,
    /// Its files are removed; the job, its row errors and its predictions are kept.
    Clean,
    /// It is deleted, with a receipt.
    Delete,
}

/// What set a run of the retention policy off.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::RetentionTrigger")]
pub enum RetentionTrigger {
    /// The schedule of a server.
    Schedule,
    /// The command line, without a server.
    Command,
    /// `runRetention`
    Request,
}

/// How it ended.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "stored::AuditOutcome")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused, and nothing changed.
    Refused,
    /// It failed, and nothing changed but what `detail` names.
    Failed,
}

/// Why something expected was refused.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "error::ErrorCode")]
pub enum ErrorCode {
    /// No such job, or not the caller's to see.
    JobNotFound,
    /// The job was deleted before; the receipt says when and by whom.
    JobAlreadyDeleted,
    /// The job is pending or running.
    JobInProgress,
    /// The job is in another state than this needs.
    InvalidState,
    /// The job must not be deleted until its hold is lifted; the message says why.
    JobOnHold,
    /// The number of linked predictions is not the expected one.
    PreviewStale,
    /// An argument is wrong; `field` says which.
    ValidationFailed,
    /// The file cannot be used; the message names line and column.
    InvalidFile,
    /// The caller's role is too low.
    Forbidden,
    /// No such thing, or not the caller's to see.
    NotFound,
}
