//! Runs of the backfill.

use async_graphql::{Context, ID, Object, Result};
use entity::{backfill_decision, backfill_run, stored};

use super::{
    enums::{BackfillStatus, LinkSource, UnresolvedReason},
    job::Job,
    prediction::Prediction,
};
use crate::{
    backfill::{Unresolved, files::List},
    graphql::{
        connection::{Connection, of_parent},
        failure::placed,
        loaders::{BackfillAtWork, JobId, Loaders, RunDecisionCount, RunDecisions, RunUnresolved, RunUnresolvedCount},
        scalars::{DateTime, int},
    },
    paging::Page,
};

/// One execution of the backfill, which links the predictions of an existing installation to the jobs that made them.
#[derive(Clone)]
pub struct BackfillRun(pub backfill_run::Model);

/// One execution of the backfill, which links the predictions of an existing installation to the jobs that made them.
#[Object]
impl BackfillRun {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        self.0.started_at.into()
    }

    /// When it came to its end.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(Into::into)
    }

    /// How it stands.
    async fn status(&self, ctx: &Context<'_>) -> Result<BackfillStatus> {
        let look = async || -> Result<BackfillStatus> {
            Ok(match stored::BackfillStatus::from_stored(&self.0.status) {
                Some(stored::BackfillStatus::Running) => {
                    match ctx.data::<Loaders>()?.load_one(BackfillAtWork(self.0.id)).await? {
                        Some(()) => BackfillStatus::Running,
                        None => BackfillStatus::Interrupted,
                    }
                }
                Some(stored::BackfillStatus::Undoing) => BackfillStatus::Interrupted,
                Some(stored::BackfillStatus::Undone) => BackfillStatus::Undone,
                Some(stored::BackfillStatus::Completed) | None => BackfillStatus::Completed,
            })
        };
        look().await.map_err(placed(ctx))
    }

    /// How many predictions it linked; 0 until it has come to its end. `undo` does not change it.
    async fn linked(&self) -> i32 {
        int(self.0.linked)
    }

    /// How many predictions it left without a link; 0 until it has come to its end.
    async fn unresolved(&self) -> i32 {
        int(self.0.unresolved)
    }

    /// How many of its links `undo` has taken back so far.
    async fn undone(&self) -> i32 {
        int(self.0.undone)
    }

    /// Where all its decisions can be fetched as CSV from this server by GET, with the same login as GraphQL.
    async fn decisions_download_url(&self) -> String {
        List::Decisions.path(self.0.id)
    }

    /// Where all predictions that it left and that still have no link can be fetched likewise, in the form that
    /// `migration backfill run --unresolved` writes.
    async fn unresolved_download_url(&self) -> String {
        List::Unresolved.path(self.0.id)
    }

    /// What it decided about each job, in the order of the jobs' ids.
    async fn decisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<BackfillDecision>> {
        let look = async || {
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), "id")?;
            let run = self.0.id;
            of_parent(ctx, RunDecisions { run, page }, RunDecisionCount(run), BackfillDecision).await
        };
        look().await.map_err(placed(ctx))
    }

    /// The predictions that it left without a link and that still have none, in the order of their ids.
    async fn unresolved_predictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<UnresolvedPrediction>> {
        let look = async || {
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), "id")?;
            let run = self.0.id;
            of_parent(ctx, RunUnresolved { run, page }, RunUnresolvedCount(run), UnresolvedPrediction).await
        };
        look().await.map_err(placed(ctx))
    }
}

/// What a run decided about one job.
pub struct BackfillDecision(backfill_decision::Model);

/// What a run decided about one job.
#[Object]
impl BackfillDecision {
    /// The job.
    async fn job_id(&self) -> ID {
        self.0.job_id.into()
    }

    /// The job; null where it is gone.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        let find = async || -> Result<Option<Job>> {
            Ok(ctx.data::<Loaders>()?.load_one(JobId(self.0.job_id)).await?.map(Job::from))
        };
        find().await.transpose()
    }

    /// The weakest evidence that one of its links rests on; null without a link.
    async fn evidence(&self) -> Option<LinkSource> {
        self.0.evidence.as_deref().and_then(stored::LinkSource::from_stored).map(Into::into)
    }

    /// How many predictions were linked to it.
    async fn linked(&self) -> i32 {
        int(self.0.linked)
    }

    /// How many predictions it may have made that were left without a link.
    async fn unresolved(&self) -> i32 {
        int(self.0.unresolved)
    }

    /// A remark: why its file was not used, for one.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }
}

/// A prediction that a run left without a link.
pub struct UnresolvedPrediction(Unresolved);

/// A prediction that a run left without a link.
#[Object]
impl UnresolvedPrediction {
    /// The prediction.
    async fn prediction(&self) -> Prediction {
        self.0.prediction.clone().into()
    }

    /// Why it has no link.
    async fn reason(&self) -> UnresolvedReason {
        self.0.reason.into()
    }

    /// The jobs that were at work when it was made, those that are still there. Your own list can name one of them.
    async fn candidates(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        let look = async || -> Result<Vec<Job>> {
            let ids: Vec<JobId> = self.0.candidates.iter().copied().map(JobId).collect();
            let jobs = ctx.data::<Loaders>()?.load_many(&ids).await?;
            Ok(jobs.into_iter().flatten().map(Job::from).collect())
        };
        look().await.map_err(placed(ctx))
    }
}
