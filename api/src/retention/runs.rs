//! Lists of the runs of the retention policy and of what each did. For operators alone.

use std::collections::HashMap;

use entity::{retention_item, retention_run};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, prelude::Uuid};

use crate::{
    auth::Viewer,
    paging::{BadPage, Children, KeyKind, Ordering, Page, PagesByParent, Slice, counts_of_children, pages_of_children},
};

/// The order of items in cursors.
pub const NUMBER: &str = "number";

/// The order of runs: the newest first. Their ids are made in the order of time.
pub fn newest_first() -> Ordering<retention_run::Entity> {
    Ordering { name: "retention-newest".to_owned(), key: None, id: retention_run::Column::Id, descending: true }
}

/// A page of runs.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    page: &Page,
) -> Result<Result<Slice<retention_run::Model>, BadPage>, DbErr> {
    let order = newest_first();
    let query = match order.select(retention_run::Entity::find().filter(viewer.sees_retention()), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    Ok(Ok(order.slice(page, query.all(db).await?, |run| run.id, |_| None)))
}

/// How many runs there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer) -> Result<u64, DbErr> {
    retention_run::Entity::find().filter(viewer.sees_retention()).count(db).await
}

/// The same page of what each of these runs did, in one statement.
pub async fn items(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
    page: &Page,
) -> Result<Result<PagesByParent<retention_item::Entity>, BadPage>, DbErr> {
    use retention_item::{Column, Entity};
    let children = Children {
        rows: Entity::find().filter(viewer.sees_retention()),
        parent: Column::RunId,
        parent_of: |row| Some(row.run_id),
        place: |row| row.number,
        cursor: |row| (row.job_id, Some(row.number.to_string())),
    };
    let key = Some((Column::Number, KeyKind::Number));
    let order = Ordering { name: NUMBER.to_owned(), key, id: Column::JobId, descending: false };
    pages_of_children(db, &order, &children, runs, page).await
}

/// To how many jobs each of these runs did something, or tried to, in one statement.
pub async fn item_counts(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    let rows = retention_item::Entity::find().filter(viewer.sees_retention());
    counts_of_children(db, rows, retention_item::Column::RunId, runs).await
}
