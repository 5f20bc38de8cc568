//! Retention by the API: operators see the policy, what it would do, run it, and read what it did.

use api::{database::now, retention::due, retention::policy::Policy};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement, prelude::DateTimeUtc};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{ended, with_files};

tests::on_both!(
    a_run_is_previewed_asked_for_and_read,
    a_policy_is_changed_for_one_run,
    a_preview_is_read_in_pages,
    ages_are_measured_at_the_moment_that_is_wanted_but_never_at_one_to_come,
    an_age_may_be_older_than_what_a_database_knows_of,
    a_duration_that_is_none_is_refused,
);

const PREVIEW: &str = "query($policy: RetentionPolicyInput, $first: Int, $after: String) {
    retentionPreview(policy: $policy) { at clean delete bytes
    items(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
        nodes { job { id } jobId jobStatus jobFinishedAt action predictions deletedPredictions releasedPredictions artifacts bytes error } } } }";
const RUN: &str = "mutation($policy: RetentionPolicyInput) { runRetention(policy: $policy) {
    run { id finishedAt trigger by { id } } userErrors { code } } }";

/// Asks for a run and waits for its end.
async fn ran(world: &World, policy: Value) -> Value {
    let payload = world.data(RUN, json!({ "policy": policy })).await["runRetention"].take();
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["run"]["trigger"], "REQUEST");
    assert_eq!(payload["run"]["by"]["id"], json!(api::auth::local_user_id()));
    let query = "query($id: ID!) { node(id: $id) { ... on RetentionRun { finishedAt cleaned deleted failed bytesFreed
        policy { failed { after action deletePredictions keepLogs } includeAdopted }
        items { totalCount nodes { job { id } jobId jobStatus jobFinishedAt action predictions deletedPredictions releasedPredictions artifacts bytes error } } } } }";
    let id = payload["run"]["id"].clone();
    world
        .until(async || {
            let run = world.data(query, json!({ "id": id })).await["node"].take();
            run["finishedAt"].is_string().then_some(run)
        })
        .await
}

async fn a_run_is_previewed_asked_for_and_read(engine: Engine) {
    let world = World::new(engine).await;
    let old = ended(&world, "completed", 200).await;
    with_files(&world, &old, &["input", "log", "results"]).await;
    let failed = ended(&world, "failed", 13).await;
    world.linked_predictions(failed.id, "manifest", 3).await;
    ended(&world, "failed", 1).await;

    let shown = world.data(PREVIEW, json!({})).await["retentionPreview"].take();
    assert_eq!((&shown["clean"], &shown["delete"]), (&json!(1), &json!(1)));
    let run = ran(&world, Value::Null).await;
    assert_eq!((&run["cleaned"], &run["deleted"], &run["failed"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(run["bytesFreed"], shown["bytes"]);
    let (mut before, mut after) = (shown["items"]["nodes"].clone(), run["items"]["nodes"].clone());
    for (items, gone) in [(&mut before, false), (&mut after, true)] {
        for item in items.as_array_mut().unwrap() {
            let is_there = !(gone && item["action"] == "DELETE");
            assert_eq!(item["job"].take(), if is_there { json!({ "id": item["jobId"] }) } else { Value::Null });
        }
    }
    assert_eq!(after, before);
    assert_eq!(before[1]["releasedPredictions"], 3);
    let list = "{ retentionRuns { totalCount nodes { cleaned deleted } } retentionPolicy {
        completed { after action deletePredictions keepLogs } failed { after action } cancelled { after action } includeAdopted } }";
    let seen = world.data(list, json!({})).await;
    assert_eq!(seen["retentionRuns"], json!({ "totalCount": 1, "nodes": [{ "cleaned": 1, "deleted": 1 }] }));
    let delete = json!({ "after": "12h", "action": "DELETE" });
    assert_eq!(
        seen["retentionPolicy"],
        json!({
            "completed": { "after": "7d", "action": "CLEAN", "deletePredictions": false, "keepLogs": false },
            "failed": delete, "cancelled": delete, "includeAdopted": false,
        })
    );
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn a_policy_is_changed_for_one_run(engine: Engine) {
    let world = World::new(engine).await;
    let failed = ended(&world, "failed", 2).await;
    world.linked_predictions(failed.id, "manifest", 3).await;
    let run =
        ran(&world, json!({ "failed": { "after": "60m", "deletePredictions": true }, "includeAdopted": true })).await;
    assert_eq!(
        run["policy"],
        json!({
            "failed": { "after": "1h", "action": "DELETE", "deletePredictions": true, "keepLogs": false }, "includeAdopted": true,
        })
    );
    assert_eq!((&run["deleted"], &run["items"]["nodes"][0]["deletedPredictions"]), (&json!(1), &json!(3)));
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 0);
    assert_eq!(
        world.data("{ retentionPolicy { failed { after } } }", json!({})).await["retentionPolicy"]["failed"]["after"],
        "12h"
    );
}

async fn a_preview_is_read_in_pages(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let mut wanted = Vec::new();
    for hours in (20..27).rev() {
        let status = if hours % 2 == 0 { "failed" } else { "cancelled" };
        wanted.push(json!(ended(&world, status, hours).await.id));
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = world.data(PREVIEW, json!({ "first": 3, "after": after })).await["retentionPreview"]["items"].take();
        assert_eq!(page["totalCount"], 7);
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|item| item["jobId"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, wanted, "those that ended first first");
}

async fn ages_are_measured_at_the_moment_that_is_wanted_but_never_at_one_to_come(engine: Engine) {
    let world = World::new(engine).await;
    for hours in [20, 13, 11] {
        ended(&world, "failed", hours).await;
    }
    let preview =
        "query($at: DateTime) { retentionPreview(at: $at) { at delete items { totalCount nodes { jobId } } } }";
    let due = async |at: Value| world.data(preview, json!({ "at": at })).await["retentionPreview"].take();
    let before = json!(now() - TimeDelta::hours(2));
    let shown = due(before.clone()).await;
    assert_eq!(
        (&shown["delete"], &shown["items"]["totalCount"]),
        (&json!(1), &json!(1)),
        "13 - 2 hours are not yet 12"
    );
    assert_eq!(parsed(&shown["at"]), parsed(&before));
    for to_come in [now() + TimeDelta::days(30), "9999-12-31T23:59:59Z".parse().unwrap()] {
        let shown = due(json!(to_come)).await;
        assert_eq!((&shown["delete"], parsed(&shown["at"]) <= now()), (&json!(2), true), "{shown}");
    }
    assert_eq!(due(json!("0000-01-01T00:00:00Z")).await["delete"], 0);

    let run = "mutation($at: DateTime) { runRetention(at: $at) { run { id } userErrors { code } } }";
    for (at, left) in [(before, 2), (json!(now() + TimeDelta::days(30)), 1)] {
        let id = world.data(run, json!({ "at": at })).await["runRetention"]["run"]["id"].take();
        let query = "query($id: ID!) { node(id: $id) { ... on RetentionRun { finishedAt } } }";
        world
            .until(async || {
                world.data(query, json!({ "id": id })).await["node"]["finishedAt"].is_string().then_some(())
            })
            .await;
        assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, left);
    }
    world.check_invariants().await;
}

fn parsed(time: &Value) -> DateTimeUtc {
    time.as_str().unwrap().parse().unwrap()
}

async fn an_age_may_be_older_than_what_a_database_knows_of(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    ended(&world, "failed", 20).await;
    for age in ["2000000d", "2600000d", "90000000d", "4294967295d"] {
        let policy = json!({ "policy": { "failed": { "after": age } } });
        assert_eq!(world.data(PREVIEW, policy).await["retentionPreview"]["delete"], 0, "{age}");
    }
}

async fn a_duration_that_is_none_is_refused(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    for bad in ["0d", "0s", "soon", "P7D", ""] {
        let answer = world.answer(PREVIEW, json!({ "policy": { "failed": { "after": bad } } })).await;
        assert!(answer["data"].is_null() && answer["errors"][0]["message"].is_string(), "{bad}: {answer}");
    }
    let never = json!({ "policy": { "failed": { "after": "never" } } });
    assert_eq!(world.data(PREVIEW, never).await["retentionPreview"]["delete"], 0);
}

/// With 100,000 jobs, of which few are due, the search begins in the index and ends with what it finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_for_due_jobs_uses_an_index() {
    let world = World::with(Engine::Postgres, Setup { idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    world
        .run(&format!(
            "INSERT INTO bulk_upload_jobs (id, user_id, job_type, status, original_filename, origin, completed_at)
             SELECT gen_random_uuid(), '{user}', 'annual', (ARRAY['completed', 'failed'])[n % 2 + 1], 'f', 'joblink',
             now() AT TIME ZONE 'UTC' - CASE WHEN n <= 1000 THEN interval '10 days' ELSE interval '1 hour' END
             FROM generate_series(1, 100000) AS n"
        ))
        .await;
    world.run("ANALYZE bulk_upload_jobs").await;
    for (status, index) in [
        (api::jobs::status::JobStatus::Completed, "idx_bulk_job_to_clean"),
        (api::jobs::status::JobStatus::Failed, "idx_bulk_job_ended"),
    ] {
        let (_, due) = due::of_state(&Policy::default(), status, now()).unwrap();
        let first = ((now() - chrono::TimeDelta::days(10)).naive_utc(), sea_orm::prelude::Uuid::nil());
        for after in [None, Some(first)] {
            let query = due::batch(due.clone(), after, 100).build(DbBackend::Postgres);
            let explain = Statement { sql: format!("EXPLAIN {}", query.sql), ..query };
            let rows = world.app.db.pool().query_all_raw(explain).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index) && !plan.contains("Seq Scan") && !plan.contains("Sort"), "{status:?}\n{plan}");
        }
    }
}
