//! Retention: the policy, what it would do, and its runs.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::{retention_item, retention_run, stored};
use sea_orm::{DbErr, prelude::DateTimeUtc};
use tokio::sync::OnceCell;

use super::{
    enums::{JobStatus, RetentionAction, RetentionTrigger},
    job::Job,
    prediction,
    viewer::User,
};
use crate::{
    app::App,
    graphql::{
        connection::{Connection, of_parent},
        failure::placed,
        loaders::{JobId, Loaders, RunItemCount, RunItems},
        scalars::{ByteCount, DateTime, Duration, int},
    },
    jobs::status,
    paging::Page,
    retention::{
        due::{self, Item, Totals},
        policy, runs,
    },
};

/// What is done to jobs some time after their end. Jobs on hold are left alone, and those that have not ended.
#[derive(SimpleObject)]
pub struct RetentionPolicy {
    /// For completed jobs.
    completed: RetentionRule,
    /// For failed jobs.
    failed: RetentionRule,
    /// For cancelled jobs.
    cancelled: RetentionRule,
    /// Whether the rules are about jobs of an existing installation too.
    include_adopted: bool,
}

/// What is done to the jobs of one state, and when.
#[derive(SimpleObject)]
pub struct RetentionRule {
    /// How long after their end; `never` = not at all.
    after: Duration,
    /// What.
    action: RetentionAction,
    /// Deleting a job deletes the predictions linked to it too; else they are kept and lose their link.
    delete_predictions: bool,
    /// Cleaning a job leaves its log.
    keep_logs: bool,
}

impl From<policy::Policy> for RetentionPolicy {
    fn from(policy: policy::Policy) -> Self {
        Self {
            completed: policy.completed.into(),
            failed: policy.failed.into(),
            cancelled: policy.cancelled.into(),
            include_adopted: policy.include_adopted,
        }
    }
}

impl From<policy::Rule> for RetentionRule {
    fn from(rule: policy::Rule) -> Self {
        Self {
            after: Duration(rule.after),
            action: rule.action.into(),
            delete_predictions: rule.delete_predictions,
            keep_logs: rule.keep_logs,
        }
    }
}

/// What is to be otherwise than in the server's policy; what is not given stays as it is there.
#[derive(InputObject, Default)]
pub struct RetentionPolicyInput {
    /// For completed jobs.
    completed: Option<RetentionRuleInput>,
    /// For failed jobs.
    failed: Option<RetentionRuleInput>,
    /// For cancelled jobs.
    cancelled: Option<RetentionRuleInput>,
    /// Whether the rules are about jobs of an existing installation too.
    include_adopted: Option<bool>,
}

/// What is to be otherwise in a rule; what is not given stays as it is.
#[derive(InputObject, Default)]
pub struct RetentionRuleInput {
    /// How long after their end; `never` = not at all.
    after: Option<Duration>,
    /// What.
    action: Option<RetentionAction>,
    /// Whether the predictions linked to a deleted job go too.
    delete_predictions: Option<bool>,
    /// Whether cleaning a job leaves its log.
    keep_logs: Option<bool>,
}

impl From<RetentionPolicyInput> for policy::Changes {
    fn from(input: RetentionPolicyInput) -> Self {
        Self {
            completed: input.completed.unwrap_or_default().into(),
            failed: input.failed.unwrap_or_default().into(),
            cancelled: input.cancelled.unwrap_or_default().into(),
            include_adopted: input.include_adopted,
        }
    }
}

impl From<RetentionRuleInput> for policy::RuleChanges {
    fn from(input: RetentionRuleInput) -> Self {
        Self {
            after: input.after.map(|after| after.0),
            action: input.action.map(Into::into),
            delete_predictions: input.delete_predictions,
            keep_logs: input.keep_logs,
        }
    }
}

/// Exactly what a run at this moment would do.
pub struct RetentionPreview {
    at: DateTimeUtc,
    policy: policy::Policy,
    /// Counted where they are asked for: the pages of a long list do without.
    totals: Arc<OnceCell<Totals>>,
}

impl RetentionPreview {
    /// By these rules, at this moment.
    pub fn new(policy: policy::Policy, at: DateTimeUtc) -> Self {
        Self { at, policy, totals: Arc::default() }
    }

    /// Of all its pages.
    fn totals(&self, app: &App) -> impl Future<Output = Result<Totals, DbErr>> + use<> {
        let (totals, db, policy, at) = (self.totals.clone(), app.db.newest(), self.policy, self.at);
        async move { totals.get_or_try_init(|| due::totals(&db, &policy, at)).await.copied() }
    }

    async fn total(&self, ctx: &Context<'_>) -> Result<Totals> {
        let count = async || -> Result<Totals> { Ok(self.totals(ctx.data::<App>()?).await?) };
        count().await.map_err(placed(ctx))
    }
}

/// Exactly what a run at this moment would do.
#[Object]
impl RetentionPreview {
    /// The moment that ages are measured at.
    async fn at(&self) -> DateTime {
        self.at.into()
    }

    /// By which rules.
    async fn policy(&self) -> RetentionPolicy {
        self.policy.into()
    }

    /// How many jobs would be cleaned.
    async fn clean(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.total(ctx).await?.clean))
    }

    /// How many jobs would be deleted.
    async fn delete(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.total(ctx).await?.delete))
    }

    /// Bytes of the files that would go.
    async fn bytes(&self, ctx: &Context<'_>) -> Result<ByteCount> {
        Ok(ByteCount(self.total(ctx).await?.bytes))
    }

    /// The jobs, those that ended first first.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<RetentionItem>> {
        let look = async || -> Result<Connection<RetentionItem>> {
            let order = due::oldest_first().name;
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), &order)?;
            let app = ctx.data::<App>()?;
            let slice = due::page(&app.db.newest(), &self.policy, self.at, &page).await??;
            let preview = Self { totals: self.totals.clone(), ..*self };
            let app = app.clone();
            Ok(Connection::new(slice, RetentionItem, move || {
                let totals = preview.totals(&app);
                Box::pin(async move { totals.await.map(|totals| totals.clean + totals.delete).map_err(Into::into) })
            }))
        };
        look().await.map_err(placed(ctx))
    }
}

/// What retention does, would do or failed to do to one job.
pub struct RetentionItem(Item);

impl From<retention_item::Model> for RetentionItem {
    fn from(row: retention_item::Model) -> Self {
        Self(row.into())
    }
}

/// What retention does, would do or failed to do to one job.
#[Object]
impl RetentionItem {
    /// The job; null where it is gone.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        let find = async || -> Result<Option<Job>> {
            Ok(ctx.data::<Loaders>()?.load_one(JobId(self.0.job)).await?.map(Job::from))
        };
        find().await.transpose()
    }

    /// The job's id.
    async fn job_id(&self) -> ID {
        self.0.job.into()
    }

    /// The job's state at that time.
    async fn job_status(&self) -> JobStatus {
        status::JobStatus::known(&self.0.status).map_or(JobStatus::Completed, Into::into)
    }

    /// When the job had ended.
    async fn job_finished_at(&self) -> DateTime {
        self.0.finished_at.into()
    }

    /// What is done to it.
    async fn action(&self) -> RetentionAction {
        self.0.action.into()
    }

    /// How many predictions go with it or lose their link to it; 0 of a job that is cleaned.
    async fn predictions(&self) -> i32 {
        int(self.0.predictions_deleted + self.0.predictions_released)
    }

    /// How many of them go.
    async fn deleted_predictions(&self) -> i32 {
        int(self.0.predictions_deleted)
    }

    /// How many of them are kept.
    async fn released_predictions(&self) -> i32 {
        int(self.0.predictions_released)
    }

    /// How many files go.
    async fn artifacts(&self) -> i32 {
        int(self.0.artifacts)
    }

    /// Their bytes.
    async fn bytes(&self) -> ByteCount {
        ByteCount(self.0.bytes)
    }

    /// Why it could not be done, in one sentence; null where it was done.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
}

/// One execution of the retention policy. It goes on where it was, also when the server that is at it is killed.
#[derive(Clone)]
pub struct RetentionRun(pub retention_run::Model);

/// One execution of the retention policy. It goes on where it was, also when the server that is at it is killed.
#[Object]
impl RetentionRun {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        self.0.started_at.into()
    }

    /// When it came to its end; null while it is under way, and the counts are those so far.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(Into::into)
    }

    /// What set it off.
    async fn trigger(&self) -> RetentionTrigger {
        stored::RetentionTrigger::from_stored(&self.0.triggered_by).map_or(RetentionTrigger::Request, Into::into)
    }

    /// Who asked for it; null of a run by the schedule or the command line.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        prediction::user(ctx, self.0.user_id).await.transpose()
    }

    /// By which rules.
    async fn policy(&self, ctx: &Context<'_>) -> Result<RetentionPolicy> {
        let read = async || -> Result<RetentionPolicy> {
            let policy = serde_json::from_str::<policy::Policy>(&self.0.policy);
            Ok(policy.map_err(|error| crate::error::Error::Format(error.to_string()))?.into())
        };
        read().await.map_err(placed(ctx))
    }

    /// How many jobs it cleaned.
    async fn cleaned(&self) -> i32 {
        int(self.0.cleaned)
    }

    /// How many jobs it deleted.
    async fn deleted(&self) -> i32 {
        int(self.0.deleted)
    }

    /// How many jobs it failed to clean or delete.
    async fn failed(&self) -> i32 {
        int(self.0.failed)
    }

    /// Bytes of the files that went.
    async fn bytes_freed(&self) -> ByteCount {
        ByteCount(self.0.bytes_freed)
    }

    /// What it did to each job, in the order in which it did it.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Result<Connection<RetentionItem>> {
        let look = async || {
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), runs::NUMBER)?;
            let run = self.0.id;
            of_parent(ctx, RunItems { run, page }, RunItemCount(run), RetentionItem::from).await
        };
        look().await.map_err(placed(ctx))
    }
}
