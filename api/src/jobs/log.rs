//! What happens to a job, for whoever asks why it ended as it did. The lines wait in a table until the job ends, and
//! become its log file then.

use chrono::{DateTime, SecondsFormat, Utc};
use entity::job_log;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, prelude::Uuid};

use crate::database::{insert_row, now};

/// Writes a line, in the transaction of what it tells of.
pub async fn write(db: &impl ConnectionTrait, job: Uuid, message: impl Into<String>) -> Result<(), DbErr> {
    let line = job_log::Model { job_id: job, id: Uuid::now_v7(), at: now(), message: message.into() };
    insert_row(db, line).await?;
    Ok(())
}

/// The lines of a job so far, as they stand in the file.
pub async fn lines(db: &impl ConnectionTrait, job: Uuid) -> Result<Vec<String>, DbErr> {
    let lines = job_log::Entity::find().filter(job_log::Column::JobId.eq(job)).order_by_asc(job_log::Column::Id);
    Ok(lines.all(db).await?.into_iter().map(|line| as_text(line.at, &line.message)).collect())
}

/// One line of the file.
pub fn as_text(at: DateTime<Utc>, message: &str) -> String {
    format!("{}  {message}\n", at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Forgets the lines of a job whose file is written.
pub async fn clear(db: &impl ConnectionTrait, job: Uuid) -> Result<(), DbErr> {
    job_log::Entity::delete_many().filter(job_log::Column::JobId.eq(job)).exec(db).await?;
    Ok(())
}
