//! What can be read.

use async_graphql::{Context, ID, Object, Result};
use sea_orm::{DbErr, prelude::Uuid};

use super::{
    connection::Connection,
    failure::{bad_input, coded},
    filters::{AuditFilter, DeletionReceiptFilter, JobFilter, JobOrder, PredictionFilter},
    model::{
        AnnualPrediction, AuditEntry, BackfillRun, Company, DeletionPreview, DeletionReceipt, Job, JobOrderField, Node,
        OrderDirection, QuarterlyPrediction, RetentionPolicy, RetentionPolicyInput, RetentionPreview, RetentionRun,
        Viewer, node,
    },
    scalars::DateTime,
    shown::One,
};
use crate::{
    app::App,
    audit::{self, Caller},
    auth::{self, Action},
    backfill, companies,
    deletion::{preview, receipt},
    graphql::loaders::{JobId, Loaders},
    jobs,
    paging::{BadPage, Page, Slice},
    predictions,
    retention::{request, runs},
};

/// The most ids of one call.
pub const MOST_IDS: usize = 100;

/// The app and the viewer of a request.
fn reader(ctx: &Context<'_>) -> Result<(App, auth::Viewer)> {
    Ok((ctx.data::<App>()?.clone(), ctx.data::<Caller>()?.viewer.clone()))
}

/// A list as a connection: its page now, its count when asked for.
macro_rules! list {
    ($ctx:expr, $page:path, $count:path, $show:expr, $args:expr, $order:expr $(, by $by:expr)?; $filter:expr) => {
        async {
            let (app, viewer) = reader($ctx)?;
            let (first, after, last, before): (_, Option<String>, _, Option<String>) = $args;
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), $order)?;
            let filter = $filter;
            let slice: Result<Result<Slice<_>, BadPage>, DbErr> =
                $page(app.db.reader(), &viewer, &filter, $($by,)? &page).await;
            Ok(Connection::new(slice??, $show, move || {
                let (app, viewer, filter) = (app.clone(), viewer.clone(), filter.clone());
                Box::pin(async move { Ok($count(app.db.reader(), &viewer, &filter).await?) })
            }))
        }
    };
}

/// The root of what can be read.
#[derive(Debug)]
pub struct Query;

/// What can be read. Everything is as the viewer sees it: what belongs to others looks as if it did not exist.
#[Object]
impl Query {
    /// Who calls; null without a login.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.data::<Caller>().ok().map(|caller| (&caller.viewer).into())
    }

    /// Anything by its id.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "UUID.")] id: ID) -> Option<Result<Node>> {
        let find = async || -> Result<Option<Node>> {
            let (app, viewer) = reader(ctx)?;
            let Ok(id) = Uuid::try_parse(&id) else { return Ok(None) };
            Ok(node::find(&app, &viewer, &[id]).await?.remove(&id))
        };
        find().await.transpose()
    }

    /// Anything by its ids, in their order; null for an id of nothing.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "UUIDs, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        let (app, viewer) = reader(ctx)?;
        at_most_100(&ids)?;
        let wanted: Vec<_> = ids.iter().map(|id| Uuid::try_parse(id).ok()).collect();
        let known: Vec<Uuid> = wanted.iter().copied().flatten().collect();
        let found = node::find(&app, &viewer, &known).await?;
        Ok(wanted.into_iter().map(|id| found.get(&id?).cloned()).collect())
    }

    /// A job by its id; null if there is none that the viewer sees.
    async fn job(&self, ctx: &Context<'_>, #[graphql(desc = "UUID.")] id: ID) -> Option<Result<One<Job>>> {
        let find = async || -> Result<Option<One<Job>>> {
            let Ok(id) = Uuid::try_parse(&id) else { return Ok(None) };
            Ok(ctx.data::<Loaders>()?.load_one(JobId(id)).await?.map(Job::from).map(One))
        };
        find().await.transpose()
    }

    /// Jobs.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which jobs; all by default.")] filter: Option<JobFilter>,
        #[graphql(
            desc = "In which order; the newest first by default.",
            default_with = "Some(JobOrder { field: JobOrderField::CreatedAt, direction: OrderDirection::Desc })"
        )]
        order_by: Option<JobOrder>,
    ) -> Option<Result<Connection<Job>>> {
        let by =
            order_by.map_or((JobOrderField::CreatedAt, OrderDirection::Desc), |order| (order.field, order.direction));
        let by = (by.0.into(), by.1 == OrderDirection::Desc);
        let order = jobs::list::ordering(by.0, by.1).name;
        let args = (first, after, last, before);
        let zone = ctx.data::<App>().map_or(chrono_tz::UTC, |app| app.adopted_timezone);
        let filter = jobs::list::Filter { adopted_timezone: Some(zone), ..filter.unwrap_or_default().into() };
        Some(list!(ctx, jobs::list::page, jobs::list::count, Job::from, args, &order, by by; filter).await)
    }

    /// Annual predictions, in the order of their ids.
    async fn annual_predictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which predictions; all by default.")] filter: Option<PredictionFilter>,
    ) -> Option<Result<Connection<AnnualPrediction>>> {
        use predictions::list::{annual_count, annual_page};
        let args = (first, after, last, before);
        Some(
            list!(ctx, annual_page, annual_count, AnnualPrediction::from, args, "id";
                predictions::list::Filter::from(filter.unwrap_or_default()))
            .await,
        )
    }

    /// Quarterly predictions, in the order of their ids.
    async fn quarterly_predictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which predictions; all by default.")] filter: Option<PredictionFilter>,
    ) -> Option<Result<Connection<QuarterlyPrediction>>> {
        use predictions::list::{quarterly_count, quarterly_page};
        let args = (first, after, last, before);
        Some(
            list!(ctx, quarterly_page, quarterly_count, QuarterlyPrediction::from, args, "id";
                predictions::list::Filter::from(filter.unwrap_or_default()))
            .await,
        )
    }

    /// Companies, in the order of their ids.
    async fn companies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Part of the symbol or the name.")] search: Option<String>,
    ) -> Option<Result<Connection<Company>>> {
        let args = (first, after, last, before);
        Some(list!(ctx, companies::page, companies::count, Company::from, args, "id"; search).await)
    }

    /// Exactly what deleting these jobs would do, and which would be refused and why. Changes nothing.
    async fn deletion_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Jobs, at most 100; an id given twice counts once.")] ids: Vec<ID>,
        #[graphql(desc = "As if active jobs were to be deleted too.", default_with = "Some(false)")] force: Option<
            bool,
        >,
    ) -> Option<Result<DeletionPreview>> {
        let look = async || -> Result<DeletionPreview> {
            let (app, caller) = (ctx.data::<App>()?, ctx.data::<Caller>()?);
            at_most_100(&ids)?;
            let (known, strangers) = distinct(&ids);
            let preview = preview::preview(app, caller, &known, force.unwrap_or(false)).await?;
            Ok(DeletionPreview::new(preview, strangers))
        };
        Some(look().await)
    }

    /// The receipt of a job's deletion; null if it was not deleted or is not the viewer's to see.
    async fn deletion_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job that was deleted.")] job_id: ID,
    ) -> Option<Result<DeletionReceipt>> {
        let find = async || -> Result<Option<DeletionReceipt>> {
            let (app, viewer) = reader(ctx)?;
            let Ok(id) = Uuid::try_parse(&job_id) else { return Ok(None) };
            Ok(receipt::find(app.db.reader(), &viewer, id).await?.map(DeletionReceipt))
        };
        find().await.transpose()
    }

    /// Receipts, the newest first.
    async fn deletion_receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which receipts; all by default.")] filter: Option<DeletionReceiptFilter>,
    ) -> Option<Result<Connection<DeletionReceipt>>> {
        let args = (first, after, last, before);
        let order = receipt::newest_first().name;
        Some(
            list!(ctx, receipt::page, receipt::count, DeletionReceipt, args, &order;
                receipt::Filter::from(filter.unwrap_or_default()))
            .await,
        )
    }

    /// What was done and tried, the newest first. Administrators see what concerns their organization, or was tried by its
    /// members; operators see all.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which entries; all by default.")] filter: Option<AuditFilter>,
    ) -> Option<Result<Connection<AuditEntry>>> {
        let look = async || -> Result<Connection<AuditEntry>> {
            if !reader(ctx)?.1.may_at_all(Action::ReadAuditLog) {
                return Err(coded("FORBIDDEN", "Only administrators and operators read the audit log."));
            }
            let args = (first, after, last, before);
            let order = audit::newest_first().name;
            let filter = audit::Filter::from(filter.unwrap_or_default());
            list!(ctx, audit::page, audit::count, AuditEntry, args, &order; filter).await
        };
        Some(look().await)
    }

    /// How long jobs are kept and what is done to them then, as the server is set. For operators alone.
    async fn retention_policy(&self, ctx: &Context<'_>) -> Option<Result<RetentionPolicy>> {
        Some(retaining(ctx).map(|(app, _)| app.retention.policy.into()))
    }

    /// Exactly what a run of the retention policy would do now. Changes nothing. For operators alone.
    async fn retention_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be otherwise than in the server's policy.")] policy: Option<RetentionPolicyInput>,
        #[graphql(
            desc = "The moment that ages are measured at, such as that of the first page; now by default, and one that is still to come counts as now."
        )]
        at: Option<DateTime>,
    ) -> Option<Result<RetentionPreview>> {
        let look = async || -> Result<RetentionPreview> {
            let (app, _) = retaining(ctx)?;
            let policy = app.retention.policy.with(&policy.unwrap_or_default().into());
            Ok(RetentionPreview::new(policy, request::moment(at.map(|at| at.0))))
        };
        Some(look().await)
    }

    /// Runs of the retention policy, the newest first. For operators alone.
    async fn retention_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<RetentionRun>>> {
        let look = async || -> Result<Connection<RetentionRun>> {
            let (app, viewer) = retaining(ctx)?;
            let order = runs::newest_first().name;
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), &order)?;
            let slice = runs::page(app.db.reader(), &viewer, &page).await??;
            Ok(Connection::new(slice, RetentionRun, move || {
                let (app, viewer) = (app.clone(), viewer.clone());
                Box::pin(async move { Ok(runs::count(app.db.reader(), &viewer).await?) })
            }))
        };
        Some(look().await)
    }

    /// Runs of the backfill, the newest first. For operators alone.
    async fn backfill_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<BackfillRun>>> {
        let look = async || -> Result<Connection<BackfillRun>> {
            let (app, viewer) = reader(ctx)?;
            if !viewer.may_at_all(Action::ReadBackfillRuns) {
                return Err(coded("FORBIDDEN", "Only operators see the runs of the backfill."));
            }
            let order = backfill::newest_first().name;
            let page = Page::new(first, after.as_deref(), last, before.as_deref(), &order)?;
            let slice = backfill::page(app.db.reader(), &viewer, &page).await??;
            Ok(Connection::new(slice, BackfillRun, move || {
                let (app, viewer) = (app.clone(), viewer.clone());
                Box::pin(async move { Ok(backfill::count(app.db.reader(), &viewer).await?) })
            }))
        };
        Some(look().await)
    }
}

/// The app and the viewer, if retention is theirs to see.
fn retaining(ctx: &Context<'_>) -> Result<(App, auth::Viewer)> {
    let (app, viewer) = reader(ctx)?;
    if viewer.may_at_all(Action::Retention) {
        Ok((app, viewer))
    } else {
        Err(coded("FORBIDDEN", "Only operators see the retention policy and its runs."))
    }
}

fn at_most_100(ids: &[ID]) -> Result<()> {
    if ids.len() > MOST_IDS {
        return Err(bad_input(format!("{} ids were given; at most {MOST_IDS} are allowed.", ids.len())));
    }
    Ok(())
}

/// Each UUID once, in the order given, and each of the rest.
pub fn distinct(ids: &[ID]) -> (Vec<Uuid>, Vec<ID>) {
    let mut known = Vec::new();
    let mut strangers = Vec::new();
    for id in ids {
        match Uuid::try_parse(id) {
            Ok(id) if known.contains(&id) => {}
            Ok(id) => known.push(id),
            Err(_) if strangers.contains(id) => {}
            Err(_) => strangers.push(id.clone()),
        }
    }
    (known, strangers)
}
