//! The rows of a job's file that were not stored, in the order of the file.

use std::collections::HashMap;

use entity::row_error;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid};

use crate::{
    database::any_of,
    paging::{BadPage, Children, KeyKind, Ordering, Page, PagesByParent, pages_of_children},
};

/// The name of the order in cursors.
pub const ORDER: &str = "line";

/// The same page of the row errors of each of these jobs, in one statement.
pub async fn of_jobs(
    db: &impl ConnectionTrait,
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
        rows: row_error::Entity::find(),
        parent: Column::JobId,
        parent_of: |row| Some(row.job_id),
        place: |row| row.line,
        cursor: |row| (row.job_id, Some(row.line.to_string())),
    };
    pages_of_children(db, &order, &children, jobs, page).await
}

/// How many row errors each of these jobs has, in one statement.
pub async fn counts_of_jobs(db: &impl ConnectionTrait, jobs: &[Uuid]) -> Result<HashMap<Uuid, u64>, DbErr> {
    let found: Vec<(Uuid, i64)> = row_error::Entity::find()
        .filter(any_of(row_error::Column::JobId, jobs.to_vec(), db.get_database_backend()))
        .select_only()
        .column(row_error::Column::JobId)
        .column_as(row_error::Column::Line.count(), "errors")
        .group_by(row_error::Column::JobId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().map(|(job, count)| (job, u64::try_from(count).unwrap_or_default())).collect())
}
