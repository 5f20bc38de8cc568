//! Several servers on one database.

use std::time::Duration;

use api::{
    app::Limits,
    auth::Viewer,
    checkpoint::{Checkpoint, Checkpoints},
    error::Error,
    events::Wanted,
};
use sea_orm::prelude::Uuid;
use serde_json::json;
use tests::{Engine, Gate, Setup, World};

use super::{client::Client, line, next, told};
use crate::deletion::{delete, file};

tests::on_both!(a_change_on_one_server_is_told_on_another);

/// Never, as far as a test is concerned.
const NEVER: Duration = Duration::from_hours(24);

/// Another server on the same database and files, on which no worker runs.
async fn another(world: &World, event_poll: Duration, checkpoints: Checkpoints) -> World {
    let limits = Limits { event_poll, ..Default::default() };
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    World::with(world.engine, Setup { url, artifacts, limits, checkpoints, idle: true, ..Default::default() }).await
}

/// A job that can be deleted.
async fn ended_job(world: &World) -> Uuid {
    let user = world.local_user().await;
    world.adopted_job(user, None, "annual", "completed").await
}

async fn a_change_on_one_server_is_told_on_another(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let other = another(&world, Limits::default().event_poll, Checkpoints::default()).await;
    let id = world.create("ANNUAL", "a.csv", file(5)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let mut client = Client::new(&other).await;
    client.watch("1", Some(&id)).await;
    assert_eq!(client.short().await, ("STATUS".to_owned(), Some("RUNNING".to_owned()), Some(0)));
    gate.open();
    while client.short().await != ("STATUS".to_owned(), Some("COMPLETED".to_owned()), Some(5)) {}
    delete(&world, &id, json!({})).await;
    while client.event().await["type"] != "DELETED" {}
    assert_eq!(client.next().await["type"], "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_wakes_another_server() {
    let world = World::with(Engine::Postgres, Setup { idle: true, ..Default::default() }).await;
    let other = another(&world, NEVER, Checkpoints::default()).await;
    let mut all = told(&other, &Viewer::local(), Wanted::All).await;
    let first = ended_job(&world).await;
    delete(&world, &first.to_string(), json!({})).await;
    assert_eq!(next(&mut all).await, Some(line("deleted", first)));
    // By now it listens. What is committed while the connection is lost is found after it, without a notice.
    let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'";
    world.until(async || (world.count(lost).await == 1).then_some(())).await;
    for _ in 0..3 {
        let another = ended_job(&world).await;
        delete(&world, &another.to_string(), json!({})).await;
        assert_eq!(next(&mut all).await, Some(line("deleted", another)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_notices_events_are_found_by_looking() {
    let world = World::with(Engine::Postgres, Setup { idle: true, ..Default::default() }).await;
    let deaf = Checkpoints::hooked(|at| {
        let outcome = if at == Checkpoint::Listening { Err(Error::Injected("listening")) } else { Ok(()) };
        Box::pin(async move { outcome })
    });
    let other = another(&world, Duration::from_millis(20), deaf).await;
    let mut all = told(&other, &Viewer::local(), Wanted::All).await;
    let id = ended_job(&world).await;
    delete(&world, &id.to_string(), json!({})).await;
    assert_eq!(next(&mut all).await, Some(line("deleted", id)));
}

/// On PostgreSQL: SQLite has one writer at a time, so there events are committed in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_committed_after_later_ones_is_told() {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionBeforeCommit, 1);
    let world = World::with(Engine::Postgres, Setup { checkpoints, ..Default::default() }).await;
    let mut all = told(&world, &Viewer::local(), Wanted::All).await;
    let late = ended_job(&world).await;
    let id = late.to_string();
    let answer = tokio::join!(delete(&world, &id, json!({})), async {
        gate.wait().await;
        // Joins while the event is written and not committed: it is no event of the past for this one either.
        let mut joined = told(
            &another(&world, Limits::default().event_poll, Checkpoints::default()).await,
            &Viewer::local(),
            Wanted::All,
        )
        .await;
        let id: Uuid = world.upload("ANNUAL", "a.csv", file(5)).await.parse().unwrap();
        for what in ["created", "status", "progress", "status"] {
            assert_eq!(next(&mut all).await, Some(line(what, id)));
        }
        assert_eq!(next(&mut joined).await, Some(line("created", id)));
        gate.open();
        while next(&mut joined).await != Some(line("deleted", late)) {}
    })
    .0;
    assert_eq!(answer["deletedJobId"], json!(late));
    assert_eq!(next(&mut all).await, Some(line("deleted", late)));
}
