//! Loaders: what many objects of a page need is read in one statement.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use entity::{artifact, backfill_decision, company, job, organization, retention_item, row_error, stored::Kind};
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QueryTrait, prelude::Uuid};
use tokio::sync::mpsc;

use super::batch::{Gathered, Loader};
use crate::{
    app::App,
    auth::{
        Viewer,
        names::{Named, Names},
    },
    backfill,
    database::{Database, any_of, rows, with_ids},
    error::Error,
    jobs::row_errors,
    paging::{BadPage, Page, Slice},
    predictions::list::{self, Prediction},
    retention::runs,
};

/// Reads for one request, as its viewer.
pub struct Reader {
    db: Database,
    names: Names,
    viewer: Viewer,
}

/// The loaders of one request.
pub type Loaders = Gathered<Reader>;

/// The batches of one request's loaders, which [`execute_with`] runs.
pub struct Batches(mpsc::UnboundedReceiver<BoxFuture<'static, ()>>);

/// Makes the loaders of a request.
pub fn loaders(app: &App, viewer: Viewer) -> (Loaders, Batches) {
    let (starting, begun) = mpsc::unbounded_channel();
    (Gathered::new(Reader { db: app.db.clone(), names: app.names.clone(), viewer }, starting), Batches(begun))
}

/// Executes a request together with the batches of its loaders.
///
/// A batch goes on only when the request cannot: then all that is needed at this point is known, and one statement
/// reads it, however many rows there are. With batches in tasks of their own that would be a matter of luck. The request
/// is looked at again only when something it waits for has come, not with each packet of the database's answer.
pub async fn execute_with<T>(request: impl Future<Output = T>, batches: &mut Batches) -> T {
    let mut request = pin!(request);
    let mut running = FuturesUnordered::new();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    woken.again.store(true, Ordering::SeqCst);
    poll_fn(|context| {
        woken.arm(context.waker());
        loop {
            if woken.again.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(answer) = request.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(answer);
                }
                if woken.again.load(Ordering::SeqCst) {
                    // It gave way in the middle of its work and has woken the whole; going on here would never let others in.
                    return Poll::Pending;
                }
            }
            while let Ok(batch) = batches.0.try_recv() {
                running.push(batch);
            }
            let mut ended = false;
            while let Poll::Ready(Some(())) = running.poll_next_unpin(context) {
                ended = true;
            }
            if !ended {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Tells whether a request was woken since it was polled last, and passes that on.
#[derive(Default)]
struct Woken {
    again: AtomicBool,
    whole: Mutex<Option<Waker>>,
}

impl Woken {
    fn arm(&self, whole: &Waker) {
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(whole.clone());
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        if let Some(whole) = self.whole.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            whole.wake_by_ref();
        }
    }
}

/// Errors are shared by all who waited for the same statement.
pub type Shared = Arc<Error>;

/// Rows of a table by id.
macro_rules! by_id {
    ($key:ident, $table:ident, $visible:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $key(pub Uuid);

        impl Loader<$key> for Reader {
            type Value = Arc<$table::Model>;
            type Error = Shared;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Arc<$table::Model>>, Shared> {
                let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let visible: fn(&Viewer) -> sea_orm::Condition = $visible;
                let query = with_ids($table::Entity::find(), $table::Column::Id, &ids, self.db.backend());
                let query = query.filter(visible(&self.viewer)).into_query();
                let rows: Result<Vec<$table::Model>, _> = rows::all(self.db.reader(), &query).await;
                Ok(rows.map_err(shared)?.into_iter().map(|row| ($key(row.id), Arc::new(row))).collect())
            }
        }
    };
}

// Also what is reached through rows that the viewer sees: an operator of no organization may have deleted their job.
by_id!(CompanyId, company, Viewer::sees_company, "A company, if the viewer sees it.");
by_id!(OrganizationId, organization, Viewer::sees_organization, "An organization, if the viewer sees it.");
by_id!(JobId, job, Viewer::sees_job, "A job, if the viewer sees it.");

/// A user, if the viewer sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(pub Uuid);

impl Loader<UserId> for Reader {
    type Value = Named;
    type Error = Shared;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, Named>, Shared> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let named = self.names.of(self.db.reader(), &self.viewer, &ids).await.map_err(shared)?;
        Ok(named.into_iter().map(|(id, named)| (UserId(id), named)).collect())
    }
}

fn shared(error: impl Into<Error>) -> Shared {
    Arc::new(error.into())
}

/// A page of the predictions of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobPredictions {
    /// The job.
    pub job: Uuid,
    /// Its kind.
    pub kind: Kind,
    /// The page.
    pub page: Page,
}

impl Loader<JobPredictions> for Reader {
    type Value = Result<Slice<Prediction>, BadPage>;
    type Error = Shared;

    async fn load(&self, keys: &[JobPredictions]) -> Result<HashMap<JobPredictions, Self::Value>, Shared> {
        let mut loaded = HashMap::new();
        for ((kind, page), jobs) in grouped(keys, |key| ((key.kind, key.page.clone()), key.job)) {
            let found = list::of_jobs(self.db.reader(), &self.viewer, kind, &jobs, &page).await.map_err(shared)?;
            spread(&mut loaded, jobs, found, |job| JobPredictions { job, kind, page: page.clone() });
        }
        Ok(loaded)
    }
}

/// How many predictions a job has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobPredictionCount {
    /// The job.
    pub job: Uuid,
    /// Its kind.
    pub kind: Kind,
}

impl Loader<JobPredictionCount> for Reader {
    type Value = u64;
    type Error = Shared;

    async fn load(&self, keys: &[JobPredictionCount]) -> Result<HashMap<JobPredictionCount, u64>, Shared> {
        let mut loaded = HashMap::new();
        for (kind, jobs) in grouped(keys, |key| (key.kind, key.job)) {
            let counts = list::counts_of_jobs(self.db.reader(), &self.viewer, kind, &jobs).await.map_err(shared)?;
            loaded.extend(counts.into_iter().map(|(job, count)| (JobPredictionCount { job, kind }, count)));
        }
        Ok(loaded)
    }
}

/// A page of what belongs to a parent, and how much there is in all.
macro_rules! of_parent {
    ($page:ident, $count:ident, $parent:ident, $row:ty, $pages:path, $counts:path, $page_doc:literal, $count_doc:literal) => {
        #[doc = $page_doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $page {
            /// The parent.
            pub $parent: Uuid,
            /// The page.
            pub page: Page,
        }

        impl Loader<$page> for Reader {
            type Value = Result<Slice<$row>, BadPage>;
            type Error = Shared;

            async fn load(&self, keys: &[$page]) -> Result<HashMap<$page, Self::Value>, Shared> {
                let mut loaded = HashMap::new();
                for (page, parents) in grouped(keys, |key| (key.page.clone(), key.$parent)) {
                    let found = $pages(self.db.reader(), &self.viewer, &parents, &page).await.map_err(shared)?;
                    spread(&mut loaded, parents, found, |$parent| $page { $parent, page: page.clone() });
                }
                Ok(loaded)
            }
        }

        #[doc = $count_doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $count(pub Uuid);

        impl Loader<$count> for Reader {
            type Value = u64;
            type Error = Shared;

            async fn load(&self, keys: &[$count]) -> Result<HashMap<$count, u64>, Shared> {
                let parents: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
                let counts = $counts(self.db.reader(), &self.viewer, &parents).await.map_err(shared)?;
                Ok(counts.into_iter().map(|(parent, count)| ($count(parent), count)).collect())
            }
        }
    };
}

of_parent!(
    JobRowErrors,
    JobRowErrorCount,
    job,
    row_error::Model,
    row_errors::of_jobs,
    row_errors::counts_of_jobs,
    "A page of the row errors of a job.",
    "How many row errors a job has."
);
of_parent!(
    RunDecisions,
    RunDecisionCount,
    run,
    backfill_decision::Model,
    backfill::decisions,
    backfill::decision_counts,
    "A page of the decisions of a run of the backfill.",
    "How many jobs a run of the backfill decided about."
);
of_parent!(
    RunUnresolved,
    RunUnresolvedCount,
    run,
    backfill::Unresolved,
    backfill::unresolved,
    backfill::unresolved_counts,
    "A page of what a run of the backfill left without a link.",
    "How much a run of the backfill left that still has no link."
);

of_parent!(
    RunItems,
    RunItemCount,
    run,
    retention_item::Model,
    runs::items,
    runs::item_counts,
    "A page of what a run of the retention policy did.",
    "To how many jobs a run of the retention policy did something."
);

/// Whether a run of the backfill is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BackfillAtWork(pub Uuid);

impl Loader<BackfillAtWork> for Reader {
    type Value = ();
    type Error = Shared;

    async fn load(&self, _: &[BackfillAtWork]) -> Result<HashMap<BackfillAtWork, ()>, Shared> {
        let run = migration::backfill::at_work(self.db.reader()).await.map_err(shared)?;
        Ok(run.map(|run| (BackfillAtWork(run), ())).into_iter().collect())
    }
}

/// The files of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobArtifacts(pub Uuid);

impl Loader<JobArtifacts> for Reader {
    type Value = Vec<artifact::Model>;
    type Error = Shared;

    async fn load(&self, keys: &[JobArtifacts]) -> Result<HashMap<JobArtifacts, Vec<artifact::Model>>, Shared> {
        let jobs: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = artifact::Entity::find()
            .filter(any_of(artifact::Column::JobId, jobs, self.db.backend()))
            .filter(self.viewer.sees_job_of(artifact::Column::JobId))
            .order_by_asc(artifact::Column::Id)
            .all(self.db.reader())
            .await
            .map_err(shared)?;
        let mut loaded: HashMap<JobArtifacts, Vec<artifact::Model>> = HashMap::new();
        for row in rows {
            loaded.entry(JobArtifacts(row.job_id)).or_default().push(row);
        }
        Ok(loaded)
    }
}

/// Keys that one statement can serve, with their parents.
fn grouped<K, G: std::hash::Hash + Eq>(keys: &[K], split: impl Fn(&K) -> (G, Uuid)) -> HashMap<G, Vec<Uuid>> {
    let mut groups: HashMap<G, Vec<Uuid>> = HashMap::new();
    for (group, parent) in keys.iter().map(split) {
        groups.entry(group).or_default().push(parent);
    }
    groups
}

/// Gives each parent of a group its page, or the group's refusal.
fn spread<K: std::hash::Hash + Eq, T>(
    loaded: &mut HashMap<K, Result<Slice<T>, BadPage>>,
    parents: Vec<Uuid>,
    found: Result<HashMap<Uuid, Slice<T>>, BadPage>,
    key: impl Fn(Uuid) -> K,
) {
    match found {
        Ok(slices) => loaded.extend(slices.into_iter().map(|(parent, slice)| (key(parent), Ok(slice)))),
        Err(bad) => loaded.extend(parents.into_iter().map(|parent| (key(parent), Err(bad.clone())))),
    }
}
