//! Which jobs are due under a policy at a moment, and what is to go with them: the one rule that preview, dry run and run share.
//!
//! A status is compared as it is stored, so that the index `(status, completed_at, id)` serves: a job whose status is a string
//! that this version does not know is left alone.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use entity::{
    artifact, job, retention_item,
    stored::{ArtifactKind, RetentionAction},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
    prelude::{DateTimeUtc, Uuid},
    sea_query::{Expr, ExprTrait},
};

use super::policy::{Policy, Rule, STATES};
use crate::{
    database::{any_of, rows},
    deletion::preview,
    jobs::status::JobStatus,
    paging::{BadPage, KeyKind, Ordering, Page, Slice, time_key},
};

/// What a run does, or would do, to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The job.
    pub job: Uuid,
    /// Its status as it was stored.
    pub status: String,
    /// When it had ended.
    pub finished_at: DateTimeUtc,
    /// What is done to it.
    pub action: RetentionAction,
    /// Predictions that go with it.
    pub predictions_deleted: i64,
    /// Predictions that are kept and lose their link to it.
    pub predictions_released: i64,
    /// Files that go.
    pub artifacts: i64,
    /// Their bytes.
    pub bytes: i64,
    /// Why it could not be done, one sentence.
    pub error: Option<String>,
}

impl From<retention_item::Model> for Item {
    fn from(row: retention_item::Model) -> Self {
        Self {
            job: row.job_id,
            status: row.job_status,
            finished_at: row.job_finished_at,
            action: RetentionAction::from_stored(&row.action).unwrap_or(RetentionAction::Keep),
            predictions_deleted: row.predictions_deleted,
            predictions_released: row.predictions_released,
            artifacts: row.artifacts,
            bytes: row.bytes,
            error: row.error,
        }
    }
}

/// The jobs of one state that are due, and by which rule; `None` = none ever is.
pub fn of_state(policy: &Policy, status: JobStatus, at: DateTimeUtc) -> Option<(Rule, Condition)> {
    let rule = *policy.rule(status)?;
    let until = rule.ended_until(at)?;
    let own = (!policy.include_adopted).then(|| job::Column::Origin.eq(job::ORIGIN_JOBLINK));
    let unclean = (rule.action == RetentionAction::Clean).then(|| job::Column::DataCleanedAt.is_null());
    let due = Condition::all()
        .add(job::Column::Status.eq(status.as_stored()))
        .add(job::Column::CompletedAt.lte(until.naive_utc()))
        .add(job::Column::HeldAt.is_null())
        .add_option(own)
        .add_option(unclean);
    Some((rule, due))
}

/// Goes through the jobs that are due, state by state, those that ended first first.
#[derive(Debug)]
pub struct Walk {
    policy: Policy,
    at: DateTimeUtc,
    state: usize,
    after: Option<(NaiveDateTime, Uuid)>,
}

impl Walk {
    /// From the beginning.
    pub const fn new(policy: Policy, at: DateTimeUtc) -> Self {
        Self { policy, at, state: 0, after: None }
    }

    /// The next jobs, of one state; `None` at the end.
    pub async fn next(
        &mut self,
        db: &impl ConnectionTrait,
        most: u64,
    ) -> Result<Option<(JobStatus, Vec<job::Model>)>, DbErr> {
        while let Some(status) = STATES.get(self.state).copied() {
            if let Some((_, due)) = of_state(&self.policy, status, self.at) {
                let found: Vec<job::Model> = rows::all(db, &batch(due, self.after, most).into_query()).await?;
                if let Some(last) = found.last() {
                    self.after = last.completed_at.map(|ended| (ended, last.id));
                    return Ok(Some((status, found)));
                }
            }
            self.state += 1;
            self.after = None;
        }
        Ok(None)
    }
}

/// The first of these jobs behind a place in the order of the index, in one comparison of both columns, so that it begins there.
pub fn batch(due: Condition, after: Option<(NaiveDateTime, Uuid)>, most: u64) -> Select<job::Entity> {
    let behind = after.map(|(ended, id)| {
        let place = Expr::tuple([Expr::col(job::Column::CompletedAt), Expr::col(job::Column::Id)]);
        place.gt(Expr::tuple([Expr::val(ended), Expr::val(id)]))
    });
    job::Entity::find()
        .filter(due)
        .filter(Condition::all().add_option(behind))
        .order_by_asc(job::Column::CompletedAt)
        .order_by_asc(job::Column::Id)
        .limit(most)
}

/// What would be done to these jobs, in their order; as many statements for a hundred as for one.
pub async fn foresee(db: &impl ConnectionTrait, policy: &Policy, jobs: Vec<job::Model>) -> Result<Vec<Item>, DbErr> {
    let order: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let jobs: HashMap<Uuid, job::Model> = jobs.into_iter().map(|job| (job.id, job)).collect();
    let mut linked = preview::links(db, &jobs).await?;
    let mut files = files(db, &order).await?;
    let foreseen = order.iter().filter_map(|id| {
        let job = jobs.get(id)?;
        let rule = policy.rule(JobStatus::of(job))?;
        let deletes = rule.action == RetentionAction::Delete;
        let linked = linked.remove(id).map_or(0, |(counts, _)| i64::try_from(counts.total()).unwrap_or(i64::MAX));
        let keeps_log = !deletes && rule.keep_logs;
        let going = files.remove(id).unwrap_or_default().into_iter();
        let going = going.filter(|(kind, _)| !(keeps_log && kind == ArtifactKind::Log.as_stored()));
        let (artifacts, bytes) = going.fold((0, 0), |(count, sum), (_, size)| (count + 1, sum + size));
        Some(Item {
            job: *id,
            status: job.status.clone().unwrap_or_default(),
            finished_at: job.completed_at?.and_utc(),
            action: rule.action,
            predictions_deleted: if deletes && rule.delete_predictions { linked } else { 0 },
            predictions_released: if deletes && !rule.delete_predictions { linked } else { 0 },
            artifacts,
            bytes,
            error: None,
        })
    });
    Ok(foreseen.collect())
}

async fn files(db: &impl ConnectionTrait, jobs: &[Uuid]) -> Result<HashMap<Uuid, Vec<(String, i64)>>, DbErr> {
    let found: Vec<(Uuid, String, i64)> = artifact::Entity::find()
        .filter(any_of(artifact::Column::JobId, jobs.to_vec(), db.get_database_backend()))
        .select_only()
        .columns([artifact::Column::JobId, artifact::Column::Kind, artifact::Column::Size])
        .into_tuple()
        .all(db)
        .await?;
    let mut files: HashMap<Uuid, Vec<(String, i64)>> = HashMap::new();
    for (job, kind, size) in found {
        files.entry(job).or_default().push((kind, size));
    }
    Ok(files)
}

/// How much is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs to be cleaned.
    pub clean: u64,
    /// Jobs to be deleted.
    pub delete: u64,
    /// Bytes of the files that go.
    pub bytes: i64,
}

/// Counts what is due.
pub async fn totals(db: &impl ConnectionTrait, policy: &Policy, at: DateTimeUtc) -> Result<Totals, DbErr> {
    let mut totals = Totals::default();
    for status in STATES {
        let Some((rule, due)) = of_state(policy, status, at) else { continue };
        let count = job::Entity::find().filter(due.clone()).count(db).await?;
        match rule.action {
            RetentionAction::Clean => totals.clean += count,
            RetentionAction::Delete => totals.delete += count,
            RetentionAction::Keep => {}
        }
        let jobs = job::Entity::find().select_only().column(job::Column::Id).filter(due).into_query();
        let keeps_log = rule.action == RetentionAction::Clean && rule.keep_logs;
        let going = Condition::all()
            .add(artifact::Column::JobId.in_subquery(jobs))
            .add_option(keeps_log.then(|| artifact::Column::Kind.ne(ArtifactKind::Log.as_stored())));
        let bytes: Option<Option<i64>> = artifact::Entity::find()
            .filter(going)
            .select_only()
            .column_as(Expr::col(artifact::Column::Size).sum().cast_as("bigint"), "bytes")
            .into_tuple()
            .one(db)
            .await?;
        totals.bytes += bytes.flatten().unwrap_or_default();
    }
    Ok(totals)
}

/// The order of what is due as a list: what ended first is first.
pub fn oldest_first() -> Ordering<job::Entity> {
    let key = Some((job::Column::CompletedAt, KeyKind::Time));
    Ordering { name: "due".to_owned(), key, id: job::Column::Id, descending: false }
}

/// A page of what is due.
pub async fn page(
    db: &impl ConnectionTrait,
    policy: &Policy,
    at: DateTimeUtc,
    page: &Page,
) -> Result<Result<Slice<Item>, BadPage>, DbErr> {
    let order = oldest_first();
    let due = STATES.into_iter().filter_map(|status| of_state(policy, status, at));
    let any = due.fold(Condition::any().add(Expr::val(1).eq(0)), |any, (_, due)| any.add(due));
    let query = match order.select(job::Entity::find().filter(any), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    let jobs: Vec<job::Model> = rows::all(db, &query.into_query()).await?;
    let items = foresee(db, policy, jobs).await?;
    Ok(Ok(order.slice(page, items, |item| item.job, |item| Some(time_key(item.finished_at.naive_utc())))))
}
