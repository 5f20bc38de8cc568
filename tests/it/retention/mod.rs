//! Retention: what goes when, by which rule, once, and nothing else.

mod clean;
mod command;
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
use chrono::TimeDelta;
use entity::{artifact, job, retention_item, retention_run, stored::RetentionTrigger};
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
        let folder = if *kind == "input" { "input" } else { "output" };
        let place = world.artifacts.join("jobs").join(job.id.to_string()).join(folder);
        std::fs::create_dir_all(&place).unwrap();
        let text = format!("{kind} of {}\n", job.id);
        std::fs::write(place.join(id.to_string()), &text).unwrap();
        let row = artifact::Model {
            id,
            job_id: job.id,
            kind: (*kind).to_owned(),
            name: format!("{kind}.txt"),
            size: i64::try_from(text.len()).unwrap(),
            sha256: None,
            created_at: now(),
        };
        row.into_active_model().reset_all().insert(world.app.db.reader()).await.unwrap();
    }
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
