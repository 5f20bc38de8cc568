//! The rows of a job's file that were not stored, in the order of the file.

use std::collections::HashMap;

use entity::row_error;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, prelude::Uuid};

use crate::auth::Viewer;
use crate::paging::{BadPage, Children, KeyKind, Ordering, Page, PagesByParent, counts_of_children, pages_of_children};

/// The name of the order in cursors.
pub const ORDER: &str = "line";

/// The same page of the row errors of each of these jobs, in one statement.
pub async fn of_jobs(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    jobs: &[Uuid],
    page: &Page,
) -> Result<Result<PagesByParent<row_error::Entity>, BadPage>, DbErr> {
    use row_error::Column;
    let order = Ordering::<row_error::Entity> {
        name: ORDER.to_owned(),
        key: Some((Column::Line, KeyKind::Number)),
        id: Column::JobId,
        descending: false,
    };
    let children = Children {
        rows: row_error::Entity::find().filter(viewer.sees_job_of(Column::JobId)),
        parent: Column::JobId,
        parent_of: |row| Some(row.job_id),
        place: |row| row.line,
        cursor: |row| (row.job_id, Some(row.line.to_string())),
    };
    pages_of_children(db, &order, &children, jobs, page).await
}

/// How many row errors each of these jobs has, in one statement.
pub async fn counts_of_jobs(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    jobs: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    let rows = row_error::Entity::find().filter(viewer.sees_job_of(row_error::Column::JobId));
    counts_of_children(db, rows, row_error::Column::JobId, jobs).await
}
