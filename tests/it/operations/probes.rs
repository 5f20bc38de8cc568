//! `/readyz` tells of each part that requests need, whatever that part does.

use std::time::{Duration, Instant};

use api::{checkpoint::Checkpoints, database::Database};
use reqwest::StatusCode;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

tests::on_both!(
    each_part_that_is_in_the_way_is_named,
    a_server_goes_on_while_a_newer_one_is_rolled_out,
    a_database_that_hangs_does_not_hang_the_probe,
);

/// What it answers.
pub async fn ready(world: &World) -> (StatusCode, String) {
    let answer = world.http.get(format!("{}/readyz", world.base())).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn each_part_that_is_in_the_way_is_named(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    api::files::mark::accept(&world.app).await.unwrap();
    // Known as not applied before it is asked for the first time: what is applied is asked once a minute.
    let newest = "m0021_idempotency_keys";
    world.run(&format!("DELETE FROM seaql_migrations WHERE version = '{newest}'")).await;
    std::fs::remove_dir_all(&world.artifacts).unwrap();
    std::fs::create_dir(&world.artifacts).unwrap();
    let lines =
        "the artifact store is not the one that the database uses\nthe database lacks migrations; run `migration up`";
    assert_eq!(ready(&world).await, (StatusCode::SERVICE_UNAVAILABLE, lines.to_owned()));
    let answer =
        world.http.get(format!("{}/readyz", world.base())).header("accept", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (store, migrations) = lines.split_once('\n').unwrap();
    let parts = json!({ "database": "ok", "store": store, "migrations": migrations });
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "status": "not ready", "parts": parts }));

    world.run(&format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{newest}', 0)")).await;
    api::files::mark::accept(&world.app).await.unwrap();
    world.until(async || (ready(&world).await == (StatusCode::OK, "ready".to_owned())).then_some(())).await;
    let answer =
        world.http.get(format!("{}/readyz", world.base())).header("accept", "application/json").send().await.unwrap();
    let parts = json!({ "database": "ok", "store": "ok", "migrations": "ok" });
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "status": "ready", "parts": parts }));
}

async fn a_server_goes_on_while_a_newer_one_is_rolled_out(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    api::files::mark::accept(&world.app).await.unwrap();
    // Migrated by the newer version before this one is asked for the first time: it is asked once a minute.
    world.run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 1)").await;
    assert_eq!(ready(&world).await, (StatusCode::OK, "ready".to_owned()));
}

async fn a_database_that_hangs_does_not_hang_the_probe(engine: Engine) {
    let mut world = World::with(engine, Setup { asleep: true, ..Default::default() }).await;
    // All connections of the pool are at work, and stay so.
    let db = Database::connect(&world.url, 1).await.unwrap();
    let held = db.begin().await.unwrap();
    held.execute_unprepared("SELECT 1").await.unwrap();
    let app = api::app::App::new(
        db.clone(),
        world.app.store.clone(),
        world.app.limits,
        chrono_tz::UTC,
        Checkpoints::default(),
    );
    world.serve(app).await;
    let began = Instant::now();
    let (status, lines) = ready(&world).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lines.starts_with("the database does not answer"), "{lines}");
    held.rollback().await.unwrap();
    world.until(async || (ready(&world).await.0 == StatusCode::OK).then_some(())).await;
}
