//! Deletion receipts: read by those who could see the job.

use std::collections::HashMap;

use entity::{artifact_purge, deletion_receipt, stored::DeletionTrigger};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
    prelude::{DateTimeUtc, Uuid},
};

use crate::{
    auth::Viewer,
    database::with_ids,
    jobs::list::name_or_id,
    paging::{BadPage, Ordering, Page, Slice},
};

/// A receipt and the state of the purge of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The record.
    pub row: deletion_receipt::Model,
    /// How far the purge is.
    pub purge: Purge,
}

/// How far the purge of a deleted job's files is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Registered files whose removal the store has not confirmed yet.
    pub pending: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When the store confirmed that nothing is left; of a job without files, when it was deleted.
    pub completed_at: Option<DateTimeUtc>,
}

impl Receipt {
    /// The receipt of a deletion that was just committed, whose purge has not begun.
    pub fn just_written(row: deletion_receipt::Model, to_purge: bool) -> Self {
        let purge = if to_purge {
            Purge { pending: row.artifacts, last_error: None, completed_at: None }
        } else {
            nothing_to_purge(&row)
        };
        Self { row, purge }
    }

    fn new(row: deletion_receipt::Model, queued: Option<artifact_purge::Model>) -> Self {
        let purge = match queued {
            None => nothing_to_purge(&row),
            Some(queued) => Purge {
                pending: if queued.completed_at.is_some() { 0 } else { row.artifacts },
                last_error: queued.last_error,
                completed_at: queued.completed_at,
            },
        };
        Self { row, purge }
    }
}

fn nothing_to_purge(row: &deletion_receipt::Model) -> Purge {
    Purge { pending: 0, last_error: None, completed_at: Some(row.deleted_at) }
}

fn visible(viewer: &Viewer) -> Condition {
    viewer.sees(deletion_receipt::Column::OrganizationId, deletion_receipt::Column::JobCreatedBy)
}

/// The receipt of a job's deletion, if there is one and the caller may see it.
pub async fn find(db: &impl ConnectionTrait, viewer: &Viewer, job: Uuid) -> Result<Option<Receipt>, DbErr> {
    Ok(find_many(db, viewer, deletion_receipt::Column::JobId, &[job]).await?.pop())
}

/// Receipts by job or by their own id, those that the caller may see.
pub async fn find_many(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    by: deletion_receipt::Column,
    ids: &[Uuid],
) -> Result<Vec<Receipt>, DbErr> {
    let query = with_ids(deletion_receipt::Entity::find(), by, ids, db.get_database_backend());
    with_purges(db, query.filter(visible(viewer)).all(db).await?).await
}

async fn with_purges(db: &impl ConnectionTrait, rows: Vec<deletion_receipt::Model>) -> Result<Vec<Receipt>, DbErr> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let jobs: Vec<_> = rows.iter().map(|row| row.job_id).collect();
    let query =
        with_ids(artifact_purge::Entity::find(), artifact_purge::Column::JobId, &jobs, db.get_database_backend());
    let mut queued: HashMap<_, _> = query.all(db).await?.into_iter().map(|row| (row.job_id, row)).collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let queued = queued.remove(&row.job_id);
            Receipt::new(row, queued)
        })
        .collect())
}

/// Which receipts are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Deleted at this time or later.
    pub deleted_after: Option<DateTimeUtc>,
    /// Deleted before this time.
    pub deleted_before: Option<DateTimeUtc>,
    /// Deleted by this user.
    pub deleted_by: Option<Uuid>,
    /// Set off by this.
    pub trigger: Option<DeletionTrigger>,
    /// Whether the store has still to confirm the removal of files.
    pub purge_pending: Option<bool>,
    /// Part of the file's name, or the beginning of the job's id.
    pub search: Option<String>,
}

impl Filter {
    fn condition(&self, viewer: &Viewer) -> Condition {
        use deletion_receipt::Column;
        let pending = || {
            artifact_purge::Entity::find()
                .select_only()
                .column(artifact_purge::Column::JobId)
                .filter(artifact_purge::Column::CompletedAt.is_null())
                .into_query()
        };
        Condition::all()
            .add_option(self.deleted_after.map(|time| Column::DeletedAt.gte(time)))
            .add_option(self.deleted_before.map(|time| Column::DeletedAt.lt(time)))
            .add_option(self.deleted_by.map(|user| viewer.is_user(Column::DeletedBy, user)))
            .add_option(self.trigger.map(|trigger| Column::Trigger.eq(trigger.as_stored())))
            .add_option(self.purge_pending.map(|wanted| {
                if wanted { Column::JobId.in_subquery(pending()) } else { Column::JobId.not_in_subquery(pending()) }
            }))
            .add_option(self.search.as_ref().map(|text| name_or_id(Column::FileName, Column::JobId, text)))
    }

    fn query(&self, viewer: &Viewer) -> sea_orm::Select<deletion_receipt::Entity> {
        deletion_receipt::Entity::find().filter(visible(viewer)).filter(self.condition(viewer))
    }
}

/// The order of receipts: the newest first. Their ids are made in the order of time.
pub fn newest_first() -> Ordering<deletion_receipt::Entity> {
    Ordering { name: "newest".to_owned(), key: None, id: deletion_receipt::Column::Id, descending: true }
}

/// A page of receipts.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    filter: &Filter,
    page: &Page,
) -> Result<Result<Slice<Receipt>, BadPage>, DbErr> {
    let order = newest_first();
    let query = match order.select(filter.query(viewer), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    let receipts = with_purges(db, query.all(db).await?).await?;
    Ok(Ok(order.slice(page, receipts, |receipt| receipt.row.id, |_| None)))
}

/// How many there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer, filter: &Filter) -> Result<u64, DbErr> {
    filter.query(viewer).count(db).await
}
