//! Jobs, their row errors and their files.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::{artifact, job, row_error, stored};
use sea_orm::prelude::Uuid;

use super::{
    enums::{ArtifactKind, JobOrigin, JobStatus, PredictionKind, RowErrorCode},
    prediction::{self, Prediction},
    viewer::{Organization, User},
};
use crate::{
    app::App,
    audit::Caller,
    auth::Action,
    deletion::execute,
    files::download,
    graphql::{
        connection::{Connection, of_parent},
        failure::placed,
        loaders::{
            JobArtifacts, JobPredictionCount, JobPredictions, JobRowErrorCount, JobRowErrors, Loaders, OrganizationId,
            UserId,
        },
        reference::Reference,
        scalars::{ByteCount, DateTime, int},
    },
    jobs::{cancel, hold, retry, row_errors, status},
    paging::Page,
    retention::clean,
};

/// One bulk upload: a file, its progress, and the predictions it made.
#[derive(Clone)]
pub struct Job {
    row: Arc<job::Model>,
    pub(in crate::graphql) created_by: Reference<UserId>,
    pub(in crate::graphql) organization: Reference<OrganizationId>,
}

impl From<Arc<job::Model>> for Job {
    fn from(row: Arc<job::Model>) -> Self {
        Self {
            created_by: Reference::to(Some(UserId(row.user_id))),
            organization: Reference::to(row.organization_id.map(OrganizationId)),
            row,
        }
    }
}

impl From<job::Model> for Job {
    fn from(row: job::Model) -> Self {
        Arc::new(row).into()
    }
}

/// One bulk upload: a file, its progress, and the predictions it made.
#[Object]
impl Job {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// Which kind of predictions it makes.
    async fn kind(&self) -> PredictionKind {
        status::kind(&self.row).into()
    }

    /// Its state.
    async fn status(&self) -> JobStatus {
        status::JobStatus::of(&self.row).into()
    }

    /// Which program made it.
    async fn origin(&self) -> JobOrigin {
        if status::is_own(&self.row) { JobOrigin::Joblink } else { JobOrigin::Adopted }
    }

    /// The file's name as it was sent, without a folder, control characters and what turns the direction of a text.
    async fn file_name(&self) -> &str {
        &self.row.original_filename
    }

    /// The file's size in bytes.
    async fn file_size(&self) -> Option<ByteCount> {
        self.row.file_size.map(|size| ByteCount(size.into()))
    }

    /// How far it is.
    async fn progress(&self) -> JobProgress {
        JobProgress {
            total: self.row.total_rows,
            processed: self.row.processed_rows.unwrap_or_default(),
            succeeded: self.row.successful_rows.unwrap_or_default(),
            failed: self.row.failed_rows.unwrap_or_default(),
        }
    }

    /// Why it failed, in one sentence.
    async fn error_message(&self) -> Option<&str> {
        self.row.error_message.as_deref()
    }

    /// The rows of the file that were not stored, in the order of the file.
    async fn row_errors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<RowError>> {
        let look = async || {
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), row_errors::ORDER)?;
            let job = self.row.id;
            of_parent(ctx, JobRowErrors { job, page }, JobRowErrorCount(job), RowError::from).await
        };
        look().await.map_err(placed(ctx))
    }

    /// The predictions linked to it, in the order of their ids: for a job of Joblink the order of the file.
    async fn predictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Prediction>> {
        let look = async || {
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), "id")?;
            let (job, kind) = (self.row.id, status::kind(&self.row));
            let count = JobPredictionCount { job, kind };
            of_parent(ctx, JobPredictions { job, kind, page }, count, Prediction::from).await
        };
        look().await.map_err(placed(ctx))
    }

    /// Its files.
    async fn artifacts(&self, ctx: &Context<'_>) -> Result<Vec<Artifact>> {
        let look = async || {
            let found = ctx.data::<Loaders>()?.load_one(JobArtifacts(self.row.id)).await?;
            Ok(found.unwrap_or_default().into_iter().map(Artifact).collect())
        };
        look().await.map_err(placed(ctx))
    }

    /// Who sent the file.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        Some(self.created_by.get(ctx).await.transpose()?.map(User::from))
    }

    /// Whose it is; null = the personal space of its creator.
    async fn organization(&self, ctx: &Context<'_>) -> Option<Result<Organization>> {
        let found = self.organization.get(ctx).await.transpose()?;
        Some(found.map(|row| Organization(Arc::unwrap_or_clone(row))))
    }

    /// How it was cancelled; null where it was not, or by an older program.
    async fn cancellation(&self) -> Option<Cancellation> {
        let job = &self.row;
        Some(Cancellation {
            at: job.cancelled_at?.into(),
            reason: job.cancel_reason.clone().unwrap_or_default(),
            notes: job.cancel_notes.clone(),
            user: job.cancelled_by,
        })
    }

    /// What forbids deleting it; null = nothing does.
    async fn hold(&self) -> Option<Hold> {
        let job = &self.row;
        Some(Hold { at: job.held_at?.into(), reason: job.hold_reason.clone().unwrap_or_default(), user: job.held_by })
    }

    /// What the viewer may do with it now.
    async fn can(&self, ctx: &Context<'_>) -> Result<JobActions> {
        let look = async || {
            let (caller, job) = (ctx.data::<Caller>()?, &self.row);
            let status = status::JobStatus::of(job);
            let retry = retry::guard(caller, job).is_none() && {
                let files = ctx.data::<Loaders>()?.load_one(JobArtifacts(job.id)).await?.unwrap_or_default();
                files.iter().any(|file| file.kind == stored::ArtifactKind::Input.as_stored())
            };
            Ok(JobActions {
                cancel: cancel::guard(caller, job).is_none()
                    && matches!(status, status::JobStatus::Pending | status::JobStatus::Running),
                delete: execute::guard(caller, job, false).is_none(),
                force_delete: !status.is_terminal() && execute::guard(caller, job, true).is_none(),
                hold: caller.viewer.may(Action::Hold, Some(job.user_id)) && !hold::is_held(job),
                retry,
                clean: job.data_cleaned_at.is_none() && clean::guard(caller, job).is_none(),
            })
        };
        look().await.map_err(placed(ctx))
    }

    /// When it was created.
    async fn created_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        status::created_at(ctx.data::<App>().ok()?, &self.row).map(Into::into)
    }

    /// When a worker first took it.
    async fn started_at(&self) -> Option<DateTime> {
        self.row.started_at.map(Into::into)
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.completed_at.map(Into::into)
    }

    /// When its files were removed, by `cleanJob` or the retention policy; null while they are there.
    async fn data_cleaned_at(&self) -> Option<DateTime> {
        self.row.data_cleaned_at.map(Into::into)
    }

    /// What went then; null while it is there.
    async fn cleanup_summary(&self) -> Option<CleanupSummary> {
        let summary = clean::Summary::of(&self.row)?;
        Some(CleanupSummary { artifacts: int(summary.artifacts), bytes: ByteCount(summary.bytes) })
    }
}

/// What went when a job was cleaned.
#[derive(SimpleObject)]
pub struct CleanupSummary {
    /// Files.
    artifacts: i32,
    /// Their bytes.
    bytes: ByteCount,
}

/// How far a job is, in rows of its file.
#[derive(SimpleObject)]
pub struct JobProgress {
    /// In the file; null where an older program did not count them.
    total: Option<i32>,
    /// Read so far, good and bad.
    processed: i32,
    /// Stored as predictions.
    succeeded: i32,
    /// Recorded as row errors.
    failed: i32,
}

/// What the viewer may do with a job now.
#[derive(SimpleObject)]
#[expect(clippy::struct_excessive_bools, reason = "one answer each, as in the contract")]
pub struct JobActions {
    /// Cancel it.
    cancel: bool,
    /// Delete it.
    delete: bool,
    /// Delete it although it is active, with `force`.
    force_delete: bool,
    /// Forbid deleting it.
    hold: bool,
    /// Run its file once more, as a new job.
    retry: bool,
    /// Remove its files and keep it.
    clean: bool,
}

/// How a job was cancelled.
pub struct Cancellation {
    at: DateTime,
    reason: String,
    notes: Option<String>,
    user: Option<Uuid>,
}

/// How a job was cancelled.
#[Object]
impl Cancellation {
    /// When. A running job ends at its next batch after it.
    async fn at(&self) -> DateTime {
        self.at
    }

    /// Why; `user_request` where nothing was said.
    async fn reason(&self) -> &str {
        &self.reason
    }

    /// What else was said of it.
    async fn notes(&self) -> Option<&str> {
        self.notes.as_deref()
    }

    /// Who cancelled it.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, self.user).await.transpose()
    }
}

/// What forbids deleting a job.
pub struct Hold {
    at: DateTime,
    reason: String,
    user: Option<Uuid>,
}

/// What forbids deleting a job.
#[Object]
impl Hold {
    /// Since when.
    async fn at(&self) -> DateTime {
        self.at
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }

    /// Who forbade it.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, self.user).await.transpose()
    }
}

/// A row of a file that was not stored.
pub struct RowError(row_error::Model);

impl From<row_error::Model> for RowError {
    fn from(row: row_error::Model) -> Self {
        Self(row)
    }
}

/// A row of a file that was not stored.
#[Object]
impl RowError {
    /// The line at which the row begins; the header is line 1.
    async fn line(&self) -> i32 {
        self.0.line
    }

    /// The column at fault, where there is one.
    async fn column(&self) -> Option<&str> {
        self.0.column_name.as_deref()
    }

    /// Which kind of fault.
    async fn code(&self) -> RowErrorCode {
        stored::RowErrorCode::from_stored(&self.0.code).map_or(RowErrorCode::Malformed, Into::into)
    }

    /// One sentence.
    async fn message(&self) -> &str {
        &self.0.message
    }
}

/// A file of a job.
#[derive(Clone)]
pub struct Artifact(pub artifact::Model);

/// A file of a job.
#[Object]
impl Artifact {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What it is.
    async fn kind(&self) -> ArtifactKind {
        stored::ArtifactKind::from_stored(&self.0.kind).map_or(ArtifactKind::Results, Into::into)
    }

    /// The name a download gets.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Bytes.
    async fn size(&self) -> ByteCount {
        ByteCount(self.0.size)
    }

    /// SHA-256 of its bytes, hexadecimal.
    async fn sha256(&self) -> Option<&str> {
        self.0.sha256.as_deref()
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Where it can be fetched from this server by GET, with the same login as GraphQL; byte ranges are answered.
    async fn download_url(&self) -> Option<String> {
        Some(download::path(&self.0))
    }
}
