//! What is asked: each operation as it stands in the file of its name, its variables and its answer in a module of its name.

#![expect(missing_docs, reason = "what an operation's parts mean is said in schema.graphql")]

use graphql_client::GraphQLQuery;

/// RFC 3339, as it was sent.
pub type DateTime = String;
/// A number as text, so that no digit is lost.
pub type Decimal = String;
/// Bytes.
pub type ByteCount = u64;
/// A number and its unit, or `never`.
pub type Duration = String;

// Each module has its own types; these enums are in several of them.
pub use delete_jobs::{DeletionTrigger, ErrorCode};
pub use list_jobs::{JobOrigin, JobStatus, PredictionKind};
pub use preview_retention::RetentionAction;
pub use show_job::ArtifactKind;

/// Who asks.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/who_am_i.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct WhoAmI;

/// A page of jobs.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/list_jobs.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct ListJobs;

/// Everything about a job.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/show_job.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobOrigin", "JobStatus", "PredictionKind")
)]
pub struct ShowJob;

/// How a job stands, or whether it was deleted.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/follow_job.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobStatus")
)]
pub struct FollowJob;

/// What happens to jobs.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/job_events.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobStatus")
)]
pub struct JobEvents;

/// Makes a job of a file that was sent ahead.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/create_job.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("ErrorCode", "JobStatus", "PredictionKind")
)]
pub struct CreateJob;

/// Stops a job.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/cancel_job.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("ErrorCode", "JobStatus")
)]
pub struct CancelJob;

/// Runs a job's file once more.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/retry_job.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("ErrorCode", "JobStatus", "PredictionKind")
)]
pub struct RetryJob;

/// The receipt of a deletion.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/find_receipt.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("DeletionTrigger", "JobStatus", "PredictionKind")
)]
pub struct FindReceipt;

/// What deleting jobs would do.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/preview_deletion.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("DeletionTrigger", "ErrorCode", "JobStatus", "PredictionKind")
)]
pub struct PreviewDeletion;

/// Deletes jobs that were shown.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/delete_jobs.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobStatus", "PredictionKind")
)]
pub struct DeleteJobs;

/// A page of a job's annual predictions.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/archive_annual.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct ArchiveAnnual;

/// A page of a job's quarterly predictions.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/archive_quarterly.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct ArchiveQuarterly;

/// A page of a job's row errors.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/archive_row_errors.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct ArchiveRowErrors;

/// A page of what a run of the retention policy would do.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/preview_retention.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobStatus")
)]
pub struct PreviewRetention;

/// How much a run of the retention policy would do.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/count_retention.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("RetentionAction")
)]
pub struct CountRetention;

/// Begins a run of the retention policy.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/run_retention.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("ErrorCode", "RetentionAction")
)]
pub struct RunRetention;

/// How far a run of the retention policy is.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/follow_retention.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize"
)]
pub struct FollowRetention;

/// A page of what a run of the retention policy did.
#[derive(Debug, Clone, Copy, GraphQLQuery)]
#[graphql(
    schema_path = "../../schema.graphql",
    query_path = "src/operations/read_retention.graphql",
    variables_derives = "Debug, Clone",
    response_derives = "Debug, Clone, PartialEq, Eq, Serialize",
    extern_enums("JobStatus", "RetentionAction")
)]
pub struct ReadRetention;
