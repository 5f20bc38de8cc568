//! `/metrics`: what is counted, and that looking costs little and tells strangers nothing.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::time::Duration;

use api::{
    app::{Limits, SocketLimits},
    checkpoint::Checkpoint,
};
use reqwest::{StatusCode, header};
use serde_json::json;
use tests::{Engine, Gate, Setup, World, people};

use super::page::Page;
use crate::events::client::{Client, watched_by};

tests::on_both!(
    deletions_cancellations_and_errors_are_counted,
    waiting_jobs_and_purges_are_shown_and_looked_up_seldom,
    event_streams_are_counted_as_sockets_are,
);

const DELETE: &str =
    "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) { deletedJobId userErrors { code } } }";
const CANCEL: &str = "mutation($id: ID!) { cancelJob(id: $id) { userErrors { code } } }";

async fn page(world: &World) -> Page {
    let address = world.server().metrics.expect("metrics");
    let answer = world.http.get(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
    Page::read(&answer.text().await.unwrap())
}

async fn deletions_cancellations_and_errors_are_counted(engine: Engine) {
    let world = World::with(engine, Setup::default()).await;
    let job = world.upload("ANNUAL", "annual.csv", include_str!("../../fixtures/annual.csv")).await;
    let kept = world.upload("QUARTERLY", "quarterly.csv", include_str!("../../fixtures/quarterly.csv")).await;
    let predictions = world.count("SELECT count(*) FROM annual_predictions").await;
    world.data(CANCEL, json!({ "id": kept })).await;
    world.data(DELETE, json!({ "id": job })).await;
    world.data(DELETE, json!({ "id": job })).await;
    world.answer("{ nothing", json!({})).await;
    world.answer("{ jobs(first: 101) { totalCount } }", json!({})).await;
    world.http.get(format!("{}/a-secret?b=c", world.base())).send().await.unwrap();
    world.purged().await;
    let mut client = Client::new(&world).await;
    client.ask("1", "subscription { jobEvents { type } }", json!({})).await;
    world.until(async || (world.app.metrics.subscriptions.get() == 1).then_some(())).await;

    let page = page(&world).await;
    for (series, value) in [
        ("joblink_deleted_predictions_count", 1),
        ("joblink_delete_job_duration_seconds_count{outcome=\"deleted\"}", 1),
        ("joblink_delete_job_duration_seconds_count{outcome=\"refused\"}", 1),
        ("joblink_cancel_job_duration_seconds_count{outcome=\"refused\"}", 1),
        ("joblink_refusals_total{action=\"cancel_job\",code=\"INVALID_STATE\"}", 1),
        ("joblink_refusals_total{action=\"delete_job\",code=\"JOB_ALREADY_DELETED\"}", 1),
        ("joblink_errors_total{code=\"GRAPHQL_PARSE_FAILED\"}", 1),
        ("joblink_errors_total{code=\"BAD_USER_INPUT\"}", 1),
        ("joblink_graphql_operations_total{type=\"mutation\",transport=\"http\",outcome=\"ok\"}", 5),
        ("joblink_graphql_operations_total{type=\"query\",transport=\"http\",outcome=\"error\"}", 1),
        ("joblink_graphql_operations_total{type=\"none\",transport=\"http\",outcome=\"refused\"}", 1),
        ("joblink_graphql_operations_total{type=\"subscription\",transport=\"websocket\",outcome=\"ok\"}", 1),
        ("joblink_graphql_operation_duration_seconds_count{type=\"mutation\"}", 5),
        ("joblink_http_requests_total{method=\"GET\",route=\"\",status=\"404\"}", 1),
        ("joblink_http_requests_total{method=\"GET\",route=\"/graphql\",status=\"101\"}", 1),
        ("joblink_jobs{status=\"completed\"}", 1),
        ("joblink_cleaned_jobs", 1),
        ("joblink_purges_pending", 0),
        ("joblink_websocket_connections", 1),
        ("joblink_subscriptions", 1),
        ("joblink_sampled", 1),
        // PostgreSQL has as many connections again that only read.
        ("joblink_db_connections_max", if engine == Engine::Postgres { 16 } else { 8 }),
    ] {
        assert_eq!(page.value(series), f64::from(value), "{series}");
    }
    assert_eq!(page.value("joblink_deleted_predictions_sum"), f64::from(i32::try_from(predictions).unwrap()));
    assert_eq!(page.value("joblink_cleaned_jobs_ratio"), 0.5);
    assert!(page.value("joblink_resident_memory_bytes") > 1e6 && page.value("joblink_open_fds") > 3.0);
    assert!(page.value("joblink_cpu_seconds_total") > 0.0 && page.value("joblink_uptime_seconds") > 0.0);
    assert!(page.series().all(|series| !series.contains("secret")), "no label takes a caller's words");
}

async fn event_streams_are_counted_as_sockets_are(engine: Engine) {
    let socket = SocketLimits { recheck: Duration::from_millis(20), ..Default::default() };
    let limits = Limits { socket, ..Default::default() };
    let world = World::with(engine, Setup { tokens: true, limits, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let watch = async |token: &str| {
        let query = json!({ "query": "subscription { jobEvents { type } }" });
        world.post().bearer_auth(token).header("accept", "text/event-stream").json(&query).send().await.unwrap()
    };
    let (annas, bens) = (watch(&people.anna.token).await, watch(&people.ben.token).await);
    watched_by(&world, 2).await;
    let before = page(&world).await;
    let counted = "joblink_graphql_operations_total{type=\"subscription\",transport=\"http\",outcome=\"ok\"}";
    assert_eq!((before.value("joblink_subscriptions"), before.value(counted)), (2.0, 2.0));
    drop(bens);
    watched_by(&world, 1).await;
    world.until(async || (page(&world).await.value("joblink_subscriptions") == 1.0).then_some(())).await;
    // What goes wrong on the way counts as well.
    world.run("UPDATE users SET is_active = false WHERE username = 'anna'").await;
    assert!(annas.text().await.unwrap().contains("UNAUTHENTICATED"));
    let after = page(&world).await;
    assert_eq!(after.value("joblink_errors_total{code=\"UNAUTHENTICATED\"}"), 1.0);
    world.until(async || (page(&world).await.value("joblink_subscriptions") == 0.0).then_some(())).await;
}

#[tokio::test]
async fn a_change_counts_also_where_its_caller_has_hung_up() {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::ChangeBegins, 1);
    let world = World::with(Engine::Sqlite, Setup { idle: true, checkpoints, ..Default::default() }).await;
    let query = CANCEL.replace("$id", "\"x\"").replace("(\"x\": ID!)", "");
    let asked = tokio::spawn(world.post().json(&json!({ "query": query })).send());
    gate.wait().await;
    asked.abort();
    let left = "joblink_http_requests_total{method=\"POST\",route=\"/graphql\",status=\"499\"}";
    world.until(async || (page(&world).await.or_none(left) == 1.0).then_some(())).await;
    gate.open();
    let done = "joblink_graphql_operations_total{type=\"mutation\",transport=\"http\",outcome=\"ok\"}";
    world.until(async || (page(&world).await.or_none(done) == 1.0).then_some(())).await;
}

async fn waiting_jobs_and_purges_are_shown_and_looked_up_seldom(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let file = include_str!("../../fixtures/annual.csv");
    let deleted = world.create("ANNUAL", "one.csv", file).await["job"]["id"].clone();
    world.create("ANNUAL", "two.csv", file).await;
    let forced = "mutation($id: ID!) { deleteJob(id: $id, force: true) { deletedJobId } }";
    world.data(forced, json!({ "id": deleted })).await;

    let first = page(&world).await;
    for (series, value) in [
        ("joblink_jobs{status=\"pending\"}", 1.0),
        ("joblink_purges_pending", 1.0),
        ("joblink_purge_files_pending", 1.0),
        ("joblink_cleaned_jobs", 0.0),
    ] {
        assert_eq!(first.value(series), value, "{series}");
    }
    assert!(first.value("joblink_oldest_pending_job_seconds") > 0.0);
    assert!(first.value("joblink_oldest_purge_seconds") > 0.0);
    let (statements, _) = world.statements_of(page(&world)).await;
    assert_eq!(statements, 0, "what the database said is told again");
}

#[tokio::test]
async fn the_address_for_requests_shows_no_metrics() {
    let world = World::with(Engine::Sqlite, Setup { idle: true, ..Default::default() }).await;
    let status = async |base: &str, path: &str| world.http.get(format!("{base}{path}")).send().await.unwrap().status();
    assert_eq!(status(&world.base(), "/metrics").await, StatusCode::NOT_FOUND);
    let metrics = format!("http://{}", world.server().metrics.unwrap());
    assert_eq!(status(&metrics, "/graphql").await, StatusCode::NOT_FOUND);
    let before =
        page(&world).await.or_none("joblink_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"}");
    status(&world.base(), "/healthz").await;
    let after =
        page(&world).await.value("joblink_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"}");
    assert_eq!(after, before + 1.0);
}
