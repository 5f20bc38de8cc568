//! Files that were sent ahead of the job that takes them. One that no job takes goes after a day.

use std::time::Duration;

use entity::staged_upload;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    prelude::{DateTimeUtc, Uuid},
};

use super::ReceivedFile;
use crate::{
    app::App,
    auth::Viewer,
    database::{insert_row, now},
    error::Error,
};

/// How long a received file waits for a job.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// Registers a received file; answers until when it waits.
pub async fn add(app: &App, viewer: &Viewer, file: &ReceivedFile) -> Result<DateTimeUtc, Error> {
    let row = staged_upload::Model {
        id: file.id,
        user_id: viewer.user_id,
        name: file.name.clone(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        sha256: file.sha256.clone(),
        created_at: now(),
    };
    let until = row.created_at + KEPT_FOR;
    let transaction = app.db.begin().await?;
    insert_row(&*transaction, row).await?;
    transaction.commit().await?;
    Ok(until)
}

/// The file that this caller sent, if it still waits.
pub async fn find(db: &impl ConnectionTrait, viewer: &Viewer, id: Uuid) -> Result<Option<ReceivedFile>, DbErr> {
    let found = staged_upload::Entity::find_by_id(id)
        .filter(staged_upload::Column::UserId.eq(viewer.user_id))
        .filter(staged_upload::Column::CreatedAt.gt(now() - KEPT_FOR));
    Ok(found.one(db).await?.map(|row| ReceivedFile {
        id: row.id,
        name: row.name,
        size: row.size.unsigned_abs(),
        sha256: row.sha256,
    }))
}

/// Takes a file out of those that wait, in the transaction that makes its job; `false`: another one has.
pub async fn take(db: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    Ok(staged_upload::Entity::delete_by_id(id).exec(db).await?.rows_affected == 1)
}

/// Forgets those that waited for too long, then removes all files without a job that are as old.
pub async fn drop_stale(app: &App) -> Result<(), Error> {
    let stale = staged_upload::Column::CreatedAt.lte(now() - KEPT_FOR);
    let transaction = app.db.begin().await?;
    staged_upload::Entity::delete_many().filter(stale).exec(&*transaction).await?;
    transaction.commit().await?;
    app.store.drop_stale_uploads(KEPT_FOR).await?;
    Ok(())
}
