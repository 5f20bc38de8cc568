//! The life of jobs as it is told.

use api::{app::Limits, checkpoint::Checkpoint, events::Wanted};
use entity::job_event;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Uuid};
use serde_json::json;
use tests::{Engine, Gate, Setup, World};

use super::{
    client::{Client, watched_by},
    next, told,
};
use crate::deletion::{delete, file};

tests::on_both!(
    an_upload_is_told_from_its_creation_to_its_deletion,
    whoever_watches_one_job_is_first_told_how_it_stands,
    a_cancellation_is_told_in_two_steps,
    each_end_and_each_hold_of_a_job_is_told,
    progress_is_told_twice_a_second_and_no_more,
    what_is_rolled_back_is_never_told,
);

const CANCEL: &str = "mutation($id: ID!) { cancelJob(id: $id) { job { status } userErrors { message } } }";

/// A world whose worker waits before each batch of ten rows.
async fn stepwise(engine: Engine) -> (World, Gate) {
    let (gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 1);
    let limits = Limits { batch_rows: 10, ..Default::default() };
    (World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await, gate)
}

async fn create(world: &World, rows: usize) -> String {
    world.create("ANNUAL", "a.csv", file(rows)).await["job"]["id"].as_str().unwrap().to_owned()
}

fn short(what: &str, status: &str, processed: i64) -> (String, Option<String>, Option<i64>) {
    (what.to_owned(), Some(status.to_owned()), Some(processed))
}

async fn an_upload_is_told_from_its_creation_to_its_deletion(engine: Engine) {
    let (world, mut gate) = stepwise(engine).await;
    let mut client = Client::new(&world).await;
    client.watch("all", None).await;
    watched_by(&world, 1).await;
    let before = api::database::now();
    let id = create(&world, 25).await;
    gate.wait().await;

    let event = client.event().await;
    assert_eq!((&event["type"], &event["jobId"], &event["job"]["id"]), (&json!("CREATED"), &json!(id), &json!(id)));
    let at: chrono::DateTime<chrono::Utc> = event["at"].as_str().unwrap().parse().unwrap();
    assert!(before <= at && at <= api::database::now());
    assert_eq!(client.short().await, short("STATUS", "RUNNING", 0));
    gate.let_one();
    gate.wait().await;
    assert_eq!(client.short().await, short("PROGRESS", "RUNNING", 10));
    // So soon after the first that it is told by itself, a little later.
    gate.let_one();
    gate.wait().await;
    assert_eq!(client.short().await, short("PROGRESS", "RUNNING", 20));
    gate.open();
    let mut last = client.short().await;
    if last.0 == "PROGRESS" {
        assert_eq!(last, short("PROGRESS", "COMPLETED", 25));
        last = client.short().await;
    }
    assert_eq!(last, short("STATUS", "COMPLETED", 25));
    delete(&world, &id, json!({})).await;
    let mut event = client.event().await;
    assert!(event["at"].take().is_string());
    assert_eq!(event, json!({ "type": "DELETED", "jobId": id, "job": null, "at": null }));
    world.purged().await;
    world.check_invariants().await;
}

async fn whoever_watches_one_job_is_first_told_how_it_stands(engine: Engine) {
    let (world, mut gate) = stepwise(engine).await;
    let id = create(&world, 15).await;
    gate.wait().await;
    let mut client = Client::new(&world).await;
    client.watch("running", Some(&id)).await;
    assert_eq!(client.short().await, short("STATUS", "RUNNING", 0));
    gate.open();
    let last = loop {
        let event = client.short().await;
        if event.0 == "STATUS" && event.1.as_deref() == Some("COMPLETED") {
            break event;
        }
        // Its creation and its claim may be told again, in the second before they were known.
        assert!(event.0 == "PROGRESS" || event.0 == "STATUS", "{event:?}");
    };
    assert_eq!(last, short("STATUS", "COMPLETED", 15));

    client.watch("ended", Some(&id)).await;
    let mut first = client.next().await;
    while first["id"] == "running" {
        first = client.next().await;
    }
    assert_eq!(first["payload"]["data"]["jobEvents"]["job"]["status"], "COMPLETED", "{first}");
    // Of another job nothing is told.
    let other = world.upload("ANNUAL", "b.csv", file(5)).await;
    assert_ne!(other, id);

    delete(&world, &id, json!({})).await;
    let mut told = Vec::new();
    while told.len() < 4 {
        let message = client.next().await;
        let event = &message["payload"]["data"]["jobEvents"];
        if message["type"] == "next" && event["type"] != "DELETED" {
            assert_eq!(event["jobId"], json!(id), "{message}");
            continue;
        }
        told.push(format!("{} {}", message["id"].as_str().unwrap(), message["type"].as_str().unwrap()));
    }
    told.sort();
    assert_eq!(told, ["ended complete", "ended next", "running complete", "running next"]);
    client.watch("deleted", Some(&id)).await;
    let receipt = "query($id: ID!) { deletionReceipt(jobId: $id) { deletedAt } }";
    let at = world.data(receipt, json!({ "id": id })).await["deletionReceipt"]["deletedAt"].take();
    assert_eq!(client.event().await, json!({ "type": "DELETED", "jobId": id, "job": null, "at": at }));
    assert_eq!(client.next().await, json!({ "id": "deleted", "type": "complete" }));
    watched_by(&world, 0).await;
}

async fn a_cancellation_is_told_in_two_steps(engine: Engine) {
    let (world, mut gate) = stepwise(engine).await;
    let id = create(&world, 30).await;
    gate.wait().await;
    let mut client = Client::new(&world).await;
    client.watch("1", None).await;
    watched_by(&world, 1).await;
    world.data(CANCEL, json!({ "id": id })).await;
    let mut event = client.short().await;
    while event.1.as_deref() == Some("RUNNING") {
        event = client.short().await;
    }
    assert_eq!(event, short("STATUS", "CANCELLING", 0));
    gate.open();
    assert_eq!(client.short().await, short("STATUS", "CANCELLED", 0));
}

/// The types of the events of a job, in order, as the table has them.
async fn types(world: &World, id: &str) -> Vec<String> {
    let of_job = job_event::Column::JobId.eq(id.parse::<Uuid>().unwrap());
    let rows = job_event::Entity::find().filter(of_job).order_by_asc(job_event::Column::Id);
    rows.all(world.app.db.reader()).await.unwrap().into_iter().map(|row| row.event_type).collect()
}

async fn each_end_and_each_hold_of_a_job_is_told(engine: Engine) {
    let mut world = World::new(engine).await;
    let completed = world.upload("ANNUAL", "a.csv", file(5)).await;
    assert_eq!(types(&world, &completed).await, ["created", "status", "progress", "status"]);
    let failed = world.upload("ANNUAL", "a.csv", file(5)).await;
    assert_eq!(types(&world, &failed).await, ["created", "status", "progress", "status"]);
    let retry = "mutation($id: ID!) { retryJob(id: $id) { job { id } } }";
    let again = world.data(retry, json!({ "id": failed })).await["retryJob"]["job"]["id"].take();
    let again = again.as_str().unwrap();
    world.ended(again).await;
    assert_eq!(types(&world, again).await, ["created", "status", "progress", "status"]);
    assert_eq!(types(&world, &failed).await.len(), 4);
    // A hold and its end are told once each, however often they are asked for.
    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { userErrors { message } } }";
    let release = "mutation($id: ID!) { releaseJobHold(id: $id) { userErrors { message } } }";
    for (what, told) in [(hold, 5), (hold, 5), (release, 6), (release, 6)] {
        world.data(what, json!({ "id": completed })).await;
        assert_eq!(types(&world, &completed).await.len(), told);
    }
    assert_eq!(types(&world, &completed).await[4..], ["status", "status"]);
    let user = world.local_user().await;
    let adopted = world.adopted_job(user, None, "annual", "pending").await.to_string();
    world.data(CANCEL, json!({ "id": adopted })).await;
    world.data(CANCEL, json!({ "id": adopted })).await;
    delete(&world, &adopted, json!({})).await;
    assert_eq!(types(&world, &adopted).await, ["status", "deleted"]);
    // A file that is gone.
    world.purged().await;
    world.stop().await;
    let unreadable = create(&World::with(engine, idle_on(&world)).await, 5).await;
    world.run(&format!("DELETE FROM artifacts WHERE job_id = {}", literal(engine, &unreadable))).await;
    let next = World::with(engine, Setup { idle: false, ..idle_on(&world) }).await;
    assert_eq!(next.ended(&unreadable).await, "failed");
    assert_eq!(types(&next, &unreadable).await, ["created", "status", "status"]);
}

/// A server on the same database and files on which nothing runs.
fn idle_on(world: &World) -> Setup {
    Setup { url: Some(world.url.clone()), artifacts: Some(world.artifacts.clone()), idle: true, ..Default::default() }
}

fn literal(engine: Engine, id: &str) -> String {
    let id: Uuid = id.parse().unwrap();
    match engine {
        Engine::Sqlite => format!("x'{}'", id.simple()),
        Engine::Postgres => format!("'{id}'"),
    }
}

async fn progress_is_told_twice_a_second_and_no_more(engine: Engine) {
    let limits = Limits { batch_rows: 1, ..Default::default() };
    let world = World::with(engine, Setup { limits, ..Default::default() }).await;
    let began = std::time::Instant::now();
    let id = world.upload("ANNUAL", "a.csv", file(300)).await;
    let most = usize::try_from(began.elapsed().as_millis() / 500).unwrap() + 1;
    let told = types(&world, &id).await.iter().filter(|what| *what == "progress").count();
    assert!((1..=most).contains(&told), "{told} events in {:?}", began.elapsed());
}

async fn what_is_rolled_back_is_never_told(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let local = api::auth::Viewer::local();
    let mut all = told(&world, &local, Wanted::All).await;
    let user = world.local_user().await;
    let id = world.adopted_job(user, None, "annual", "completed").await;
    let refused = delete(&world, &id.to_string(), json!({ "expected": 7 })).await;
    assert_eq!(refused["userErrors"][0]["code"], "PREVIEW_STALE");
    delete(&world, &id.to_string(), json!({})).await;
    assert_eq!(next(&mut all).await, Some(format!("deleted {id}")));
    assert_eq!(world.count("SELECT count(*) FROM job_events").await, 1);
}
