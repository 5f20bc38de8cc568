//! Deletion: previews and receipts.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::stored;
use sea_orm::prelude::Uuid;

use super::{
    enums::{DeletionTrigger, JobStatus, LinkSource, PredictionKind},
    job::Job,
    prediction,
    refusal::UserError,
    viewer::User,
};
use crate::{
    deletion::{execute, preview, receipt},
    graphql::scalars::{ByteCount, DateTime, int},
    jobs::status,
};

/// The permanent record of one deletion.
#[derive(Clone)]
pub struct DeletionReceipt(pub receipt::Receipt);

/// The permanent record of one deletion.
#[Object]
impl DeletionReceipt {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.row.id.into()
    }

    /// The job that was deleted.
    async fn job_id(&self) -> ID {
        self.0.row.job_id.into()
    }

    /// Its kind.
    async fn job_kind(&self) -> PredictionKind {
        stored::Kind::from_stored(&self.0.row.job_kind).map_or(PredictionKind::Annual, Into::into)
    }

    /// Its state when it was deleted.
    async fn job_status(&self) -> JobStatus {
        status::JobStatus::known(&self.0.row.job_status).map_or(JobStatus::Completed, Into::into)
    }

    /// The name of its file.
    async fn file_name(&self) -> &str {
        &self.0.row.file_name
    }

    /// Who had sent the file.
    async fn job_created_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, Some(self.0.row.job_created_by)).await.transpose()
    }

    /// When the job was created.
    async fn job_created_at(&self) -> Option<DateTime> {
        self.0.row.job_created_at.map(Into::into)
    }

    /// When a worker first took it.
    async fn job_started_at(&self) -> Option<DateTime> {
        self.0.row.job_started_at.map(Into::into)
    }

    /// When it ended.
    async fn job_finished_at(&self) -> Option<DateTime> {
        self.0.row.job_finished_at.map(Into::into)
    }

    /// Why the job had failed.
    async fn error_message(&self) -> Option<&str> {
        self.0.row.error_message.as_deref()
    }

    /// When it was deleted.
    async fn deleted_at(&self) -> DateTime {
        self.0.row.deleted_at.into()
    }

    /// Who deleted it.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, self.0.row.deleted_by).await.transpose()
    }

    /// What set the deletion off.
    async fn trigger(&self) -> DeletionTrigger {
        stored::DeletionTrigger::from_stored(&self.0.row.trigger).map_or(DeletionTrigger::Request, Into::into)
    }

    /// Why, in the caller's words.
    async fn reason(&self) -> Option<&str> {
        self.0.row.reason.as_deref()
    }

    /// Whether it was allowed to delete an active job; an active job was cancelled by it.
    async fn force(&self) -> bool {
        self.0.row.force
    }

    /// Whether the linked predictions went too.
    async fn delete_predictions(&self) -> bool {
        self.0.row.delete_predictions
    }

    /// How many annual predictions went.
    async fn deleted_annual_predictions(&self) -> i32 {
        int(self.0.row.deleted_annual)
    }

    /// How many quarterly predictions went.
    async fn deleted_quarterly_predictions(&self) -> i32 {
        int(self.0.row.deleted_quarterly)
    }

    /// How many predictions were kept and lost their link.
    async fn released_predictions(&self) -> i32 {
        int(self.0.row.released)
    }

    /// Its files, and how far their removal from the store is.
    async fn artifacts(&self) -> PurgeState {
        PurgeState {
            total: self.0.row.artifacts,
            pending: self.0.purge.pending,
            bytes: ByteCount(self.0.row.artifact_bytes),
            last_error: self.0.purge.last_error.clone(),
            completed_at: self.0.purge.completed_at.map(Into::into),
        }
    }
}

/// How far the removal of a deleted job's files is.
#[derive(SimpleObject)]
pub struct PurgeState {
    /// Files that were registered.
    total: i32,
    /// Of these, how many the store has not confirmed as removed.
    pending: i32,
    /// Bytes of the registered files.
    bytes: ByteCount,
    /// Why the last attempt failed; it is repeated until it succeeds.
    last_error: Option<String>,
    /// When the store confirmed that nothing is left.
    completed_at: Option<DateTime>,
}

/// What deleting jobs would do.
#[derive(SimpleObject)]
pub struct DeletionPreview {
    /// Those that would be deleted.
    deletable: Vec<JobDeletionPreview>,
    /// Those that would be refused, and why.
    refused: Vec<JobRefusal>,
}

/// What deleting one job would do.
#[derive(SimpleObject)]
pub struct JobDeletionPreview {
    /// The job.
    job: Job,
    /// Linked annual predictions: deleted with `deletePredictions`, else released.
    annual_predictions: i32,
    /// Linked quarterly predictions: deleted with `deletePredictions`, else released.
    quarterly_predictions: i32,
    /// The linked predictions by how the link is known.
    by_link_source: Vec<LinkSourceCount>,
    /// Predictions without a link that look as if the job had made them: same user and organization, its kind, computed
    /// while it was at work. They stay; a backfill may still find out whose they are.
    unlinked_look_alikes: i32,
    /// Files that would be purged.
    artifacts: i32,
    /// Their bytes.
    bytes: ByteCount,
}

/// How many links are known in one way.
#[derive(SimpleObject)]
pub struct LinkSourceCount {
    /// How the links are known.
    link_source: LinkSource,
    /// How many there are.
    count: i32,
}

/// A job that is not deleted, and why.
#[derive(SimpleObject)]
pub struct JobRefusal {
    /// The id as it was given.
    job_id: ID,
    /// Why.
    error: UserError,
    /// The job, where it is there and the viewer may see it.
    job: Option<Job>,
    /// The receipt, where it was deleted before.
    receipt: Option<DeletionReceipt>,
}

/// What a refusal shows of the job.
pub struct Refused {
    /// Why.
    pub error: UserError,
    /// The job, where the viewer may see it.
    pub job: Option<Job>,
    /// The receipt, where it was deleted before.
    pub receipt: Option<DeletionReceipt>,
}

impl From<execute::Refused> for Refused {
    fn from(refused: execute::Refused) -> Self {
        Self {
            error: refused.refusal.into(),
            job: refused.job.map(Job::from),
            receipt: refused.receipt.map(DeletionReceipt),
        }
    }
}

impl JobRefusal {
    /// Names a refused job by the id that the caller gave.
    pub fn new(job_id: ID, refused: execute::Refused) -> Self {
        let Refused { error, job, receipt } = refused.into();
        Self { job_id, error, job, receipt }
    }
}

impl DeletionPreview {
    /// Shows a preview. `given` are the ids as the caller wrote them, `strangers` those that are no UUIDs.
    pub fn new(preview: preview::Preview, strangers: Vec<ID>) -> Self {
        let deletable = preview.deletable.into_iter().map(|deletable| JobDeletionPreview {
            job: deletable.job.into(),
            annual_predictions: int(deletable.linked.annual),
            quarterly_predictions: int(deletable.linked.quarterly),
            by_link_source: deletable
                .by_link_source
                .into_iter()
                .map(|(source, count)| LinkSourceCount { link_source: source.into(), count: int(count) })
                .collect(),
            unlinked_look_alikes: int(deletable.look_alikes),
            artifacts: int(deletable.artifacts),
            bytes: ByteCount(deletable.bytes),
        });
        let refused = preview.refused.into_iter().map(|(id, refused): (Uuid, _)| JobRefusal::new(id.into(), refused));
        let unknown = strangers.into_iter().map(|id| JobRefusal::new(id, execute::gone(None)));
        Self { deletable: deletable.collect(), refused: refused.chain(unknown).collect() }
    }
}
