//! Writes down what happens to a job, in the transaction in which it happens.

use std::time::Duration;

use entity::{job, job_event, stored::JobEventType};
use sea_orm::{DbErr, EntityTrait, prelude::Uuid, sea_query::LockType};

use super::pace::Turn;
use crate::{
    app::App,
    database::{WriteTransaction, insert_row, locked, now},
    error::Error,
};

/// Writes an event as the last statement before the commit; those who watch are woken by the commit.
///
/// Progress is told twice a second: what comes in between is told a little later, in one event.
pub async fn record(
    app: &App,
    transaction: &WriteTransaction,
    job: &job::Model,
    what: JobEventType,
) -> Result<(), DbErr> {
    if what == JobEventType::Progress {
        match app.events.paces.step(job.id) {
            Turn::Now => {}
            Turn::Owed => return Ok(()),
            Turn::Later(pause) => {
                tell_later(app.clone(), job.clone(), pause);
                return Ok(());
            }
        }
    } else {
        app.events.paces.settle(job.id);
    }
    write(app, transaction, job, what).await
}

async fn write(app: &App, transaction: &WriteTransaction, job: &job::Model, what: JobEventType) -> Result<(), DbErr> {
    let row = job_event::Model {
        id: Uuid::now_v7(),
        at: now(),
        event_type: what.as_stored().to_owned(),
        job_id: job.id,
        organization_id: job.organization_id,
        user_id: job.user_id,
    };
    insert_row(&**transaction, row).await?;
    let (news, db) = (app.events.news.clone(), app.db.clone());
    transaction.after_commit(move || news.tell(&db));
    Ok(())
}

/// Tells of progress by itself, unless something else was told of the job before.
fn tell_later(app: App, job: job::Model, pause: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        if app.events.paces.take_owed(job.id)
            && let Err(error) = tell(&app, &job).await
        {
            // The job's next event says as much.
            tracing::debug!(job = %job.id, "progress was not told: {error}");
        }
    });
}

async fn tell(app: &App, job: &job::Model) -> Result<(), Error> {
    let transaction = app.db.begin().await?;
    // Nothing is told of a job after its deletion.
    let there = job::Entity::find_by_id(job.id);
    if locked(there, app.db.backend(), LockType::KeyShare).one(&*transaction).await?.is_none() {
        return Ok(());
    }
    write(app, &transaction, job, JobEventType::Progress).await?;
    transaction.commit().await?;
    Ok(())
}
