//! Retention: what goes when, by which rule, once, and nothing else.

mod away;
mod by_server;
mod clean;
mod command;
mod install;
mod killed;
mod races;
mod requests;
mod rules;
mod schedule;

use api::{
    audit::Actor,
    database::now,
    retention::{
        policy::Policy,
        run::{self, Outcome, Purges, Wanted},
    },
};
use artifacts::Key;
use chrono::TimeDelta;
use entity::{artifact, job, retention_item, retention_run, stored::RetentionTrigger};
use futures_util::stream;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    prelude::{DateTimeUtc, Uuid},
};
use tests::World;
use tokio_util::sync::CancellationToken;

/// A job of the built-in user that ended so many hours ago, in the way of Joblink, without files.
pub async fn ended(world: &World, status: &str, hours: i64) -> job::Model {
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", status).await;
    let mut row = job::Entity::find_by_id(id).one(world.app.db.reader()).await.unwrap().unwrap();
    row.origin = Some(job::ORIGIN_JOBLINK.to_owned());
    row.completed_at = Some((now() - TimeDelta::hours(hours)).naive_utc());
    change(world, row).await
}

/// Writes a row of a job as it is given.
pub async fn change(world: &World, row: job::Model) -> job::Model {
    row.into_active_model().reset_all().update(world.app.db.reader()).await.unwrap()
}

/// Gives a job files of these kinds, in the store too.
pub async fn with_files(world: &World, job: &job::Model, kinds: &[&str]) {
    for kind in kinds {
        let id = Uuid::now_v7();
        let key = match *kind {
            "input" => Key::Input { job: job.id, artifact: id },
            _ => Key::Output { job: job.id, artifact: id },
        };
        let text = format!("{kind} of {}\n", job.id);
        let chunks = stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from(text))]);
        let stored = world.app.store.put(key, chunks, u64::MAX).await.unwrap();
        let row = artifact::Model {
            id,
            job_id: job.id,
            kind: (*kind).to_owned(),
            name: format!("{kind}.txt"),
            size: i64::try_from(stored.size).unwrap(),
            sha256: Some(stored.sha256),
            created_at: now(),
        };
        row.into_active_model().reset_all().insert(world.app.db.reader()).await.unwrap();
    }
}

/// So many failed jobs that are due, in the order in which a run takes them, each with a file and a prediction.
pub async fn due_jobs(world: &World, count: i64) -> Vec<Uuid> {
    let mut jobs = Vec::new();
    for number in 0..count {
        let job = ended(world, "failed", 20 + count - number).await;
        with_files(world, &job, &["input"]).await;
        world.linked_predictions(job.id, "manifest", 1).await;
        jobs.push(job.id);
    }
    jobs
}

/// Nobody is at any run, and no purge is claimed any more, as after a long while.
pub async fn later(world: &World) {
    world
        .run("UPDATE retention_runs SET lease_expires_at = '2000-01-01T00:00:00+00:00' WHERE lease_token IS NOT NULL")
        .await;
    world.run("UPDATE artifact_purges SET due_at = '2000-01-01T00:00:00+00:00' WHERE completed_at IS NULL").await;
}

/// A run by these rules at this moment, claimed by nobody.
pub fn wanted(policy: Policy, at: DateTimeUtc) -> Wanted {
    let (trigger, by) = (RetentionTrigger::Command, Actor::default());
    Wanted { trigger, by, scheduled_for: None, policy, at, claimed: true }
}

/// Runs a policy to its end, in this process, files too.
pub async fn run(world: &World, policy: Policy, at: DateTimeUtc) -> retention_run::Model {
    let begun = run::begin(&world.app, &wanted(policy, at)).await.unwrap().unwrap();
    match run::carry_out(&world.app, begun, &CancellationToken::new(), Purges::Here).await.unwrap() {
        Outcome::Finished(run) => *run,
        other => panic!("the run did not come to its end: {other:?}"),
    }
}

/// What a run did, in its order.
pub async fn items(world: &World, run: Uuid) -> Vec<retention_item::Model> {
    retention_item::Entity::find()
        .filter(retention_item::Column::RunId.eq(run))
        .order_by_asc(retention_item::Column::Number)
        .all(world.app.db.reader())
        .await
        .unwrap()
}
