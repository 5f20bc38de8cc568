//! Many jobs at once, previews, and single predictions.

use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{delete, file};

tests::on_both!(
    an_expectation_that_fits_no_job_refuses_the_whole_call,
    the_preview_says_exactly_what_the_deletion_does,
    many_jobs_are_deleted_each_for_itself,
    too_many_ids_are_refused_as_a_whole,
    single_predictions_are_deleted_each_for_itself,
);

const PREVIEW: &str = "query($ids: [ID!]!, $force: Boolean) { deletionPreview(ids: $ids, force: $force) {
    deletable { job { id } annualPredictions quarterlyPredictions byLinkSource { linkSource count } unlinkedLookAlikes artifacts bytes }
    refused { jobId error { code message } job { id } receipt { jobId } } } }";

const DELETE_JOBS: &str = "mutation($ids: [ID!]!, $cascade: Boolean, $expected: [JobExpectation!]) {
    deleteJobs(ids: $ids, deletePredictions: $cascade, expected: $expected) {
        deletedJobIds receipts { jobId deletedAnnualPredictions } refused { jobId error { code } job { id } receipt { jobId } }
        userErrors { code message field } } }";

/// Hundreds of gigabytes must not be read to count what a hundred jobs have made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_and_a_list_of_many_jobs_go_by_the_index() {
    let world = World::new(Engine::Postgres).await;
    let user = world.local_user().await;
    let first = world.adopted_job(user, None, "annual", "completed").await;
    world.linked_predictions(first, "source_file", 30_000).await;
    let mut jobs = vec![first];
    for _ in 1..100 {
        jobs.push(world.adopted_job(user, None, "annual", "completed").await);
    }
    let spread = "UPDATE annual_predictions SET job_id = job.id FROM \
                  (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM bulk_upload_jobs) AS job, \
                  (SELECT id, row_number() OVER (ORDER BY id) AS n FROM annual_predictions) AS row \
                  WHERE row.id = annual_predictions.id AND job.n = row.n % 100";
    world.run(spread).await;
    world.run("VACUUM (ANALYZE) annual_predictions").await;
    let scans = "SELECT coalesce(seq_scan, 0) FROM pg_stat_user_tables WHERE relname = 'annual_predictions'";
    let searches = "SELECT coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'annual_predictions'";
    // A connection tells what it did at its end at the latest.
    world.app.db.clone().close().await.unwrap();
    let mut world = World::with(Engine::Postgres, Setup { url: Some(world.url.clone()), ..Setup::default() }).await;
    let (scanned, searched) = (world.count(scans).await, world.count(searches).await);

    let preview = world.data(PREVIEW, json!({ "ids": jobs })).await["deletionPreview"].take();
    let counts: Vec<_> = preview["deletable"].as_array().unwrap().iter().map(|job| &job["annualPredictions"]).collect();
    assert_eq!(counts, [300; 100]);
    let list = world.data("{ jobs(first: 100) { nodes { predictions { totalCount } } } }", json!({})).await;
    let jobs = list["jobs"]["nodes"].as_array().unwrap();
    let counts: Vec<_> = jobs.iter().map(|job| &job["predictions"]["totalCount"]).collect();
    assert_eq!(counts, [300; 100]);

    world.stop().await;
    world.app.db.clone().close().await.unwrap();
    let world = World::with(Engine::Postgres, Setup { url: Some(world.url.clone()), ..Setup::default() }).await;
    assert!(world.count(searches).await >= searched + 200, "each job's rows are searched by the index");
    assert_eq!(world.count(scans).await, scanned, "the whole table is never read");
}

/// What protects nothing must not look as if it did.
async fn an_expectation_that_fits_no_job_refuses_the_whole_call(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    world.linked_predictions(job, "source_file", 3).await;
    let job = job.to_string();
    let other = Uuid::now_v7().to_string();
    for (expected, at) in [
        (json!([{ "id": other, "predictions": 3 }]), "0"),
        (json!([{ "id": job, "predictions": 3 }, { "id": "no id", "predictions": 3 }]), "1"),
        (json!([{ "id": job, "predictions": 3 }, { "id": job, "predictions": 4 }]), "1"),
        (json!([{ "id": job, "predictions": 3 }, { "id": job.to_uppercase(), "predictions": 2 }]), "1"),
    ] {
        let variables = json!({ "ids": [job], "cascade": true, "expected": expected });
        let payload = world.data(DELETE_JOBS, variables).await["deleteJobs"].take();
        let error = &payload["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!("VALIDATION_FAILED"), &json!(["expected", at])));
        assert!(error["message"].as_str().unwrap().starts_with(&format!("Expectation {at} ")), "{error}");
        assert_eq!((&payload["deletedJobIds"], &payload["refused"]), (&json!([]), &json!([])));
    }
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await, 3);
    let twice =
        json!([{ "id": job, "predictions": 3 }, { "id": job, "predictions": 3 }, { "id": "no id", "predictions": 1 }]);
    let variables = json!({ "ids": [job, "no id"], "cascade": true, "expected": twice });
    let payload = world.data(DELETE_JOBS, variables).await["deleteJobs"].take();
    assert_eq!(payload["deletedJobIds"], json!([job]));
    assert_eq!(payload["refused"][0]["error"]["code"], "JOB_NOT_FOUND");
    world.check_invariants().await;
}

async fn the_preview_says_exactly_what_the_deletion_does(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let uploaded = world.upload("ANNUAL", "a.csv", file(12)).await;
    let adopted = world.adopted_job(user, None, "annual", "completed").await;
    world.linked_predictions(adopted, "source_file", 4).await;
    world.linked_predictions(adopted, "manifest", 2).await;
    let running = world.adopted_job(user, None, "annual", "processing").await.to_string();
    let deleted = world.adopted_job(user, None, "annual", "completed").await.to_string();
    delete(&world, &deleted, json!({})).await;
    let adopted = adopted.to_string();

    let before = world.rows("SELECT id, detail FROM audit_log ORDER BY id").await;
    let ids = json!([adopted, uploaded, running, "nothing", deleted, adopted]);
    let preview = world.data(PREVIEW, json!({ "ids": ids })).await["deletionPreview"].take();
    let (results, log) = (world.file(&uploaded, "results").await, world.file(&uploaded, "log").await);
    let bytes = file(12).len() + results.len() + log.len();
    assert_eq!(
        preview["deletable"],
        json!([
            { "job": { "id": adopted }, "annualPredictions": 6, "quarterlyPredictions": 0, "unlinkedLookAlikes": 0, "artifacts": 0, "bytes": 0,
              "byLinkSource": [{ "linkSource": "MANIFEST", "count": 2 }, { "linkSource": "SOURCE_FILE", "count": 4 }] },
            { "job": { "id": uploaded }, "annualPredictions": 12, "quarterlyPredictions": 0, "unlinkedLookAlikes": 0, "artifacts": 3, "bytes": bytes,
              "byLinkSource": [{ "linkSource": "UPLOAD", "count": 12 }] },
        ])
    );
    assert_eq!(
        preview["refused"],
        json!([
            { "jobId": running, "error": { "code": "JOB_IN_PROGRESS", "message": "Cannot delete running job. Use cancel instead." },
              "job": { "id": running }, "receipt": null },
            { "jobId": deleted, "error": { "code": "JOB_ALREADY_DELETED", "message": "This job has already been deleted." },
              "job": null, "receipt": { "jobId": deleted } },
            { "jobId": "nothing", "error": { "code": "JOB_NOT_FOUND", "message": "Job not found" }, "job": null, "receipt": null },
        ])
    );
    let forced = world.data(PREVIEW, json!({ "ids": [running], "force": true })).await["deletionPreview"].take();
    assert_eq!(forced["deletable"][0]["job"]["id"], json!(running));
    assert_eq!(world.rows("SELECT id, detail FROM audit_log ORDER BY id").await, before, "a preview changes nothing");

    for (id, count) in [(&adopted, 6), (&uploaded, 12)] {
        let payload = delete(&world, id, json!({ "cascade": true, "expected": count })).await;
        assert_eq!(payload["receipt"]["deletedAnnualPredictions"], count);
    }
    world.check_invariants().await;
}

async fn many_jobs_are_deleted_each_for_itself(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let job = world.adopted_job(user, None, "annual", "completed").await;
        world.linked_predictions(job, "source_file", 3).await;
        jobs.push(job.to_string());
    }
    let running = world.adopted_job(user, None, "annual", "processing").await.to_string();
    let [a, b, c, d, stale] = &jobs[..] else { panic!() };
    delete(&world, d, json!({})).await;
    let ids = json!([a, running, b, a, "nothing", stale, d, c]);
    let expected = json!([{ "id": stale, "predictions": 2 }, { "id": a, "predictions": 3 }]);
    let payload =
        world.data(DELETE_JOBS, json!({ "ids": ids, "cascade": true, "expected": expected })).await["deleteJobs"]
            .take();
    assert_eq!(payload["deletedJobIds"], json!([a, b, c]));
    assert_eq!(payload["receipts"][2], json!({ "jobId": c, "deletedAnnualPredictions": 3 }));
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(
        payload["refused"],
        json!([
            { "jobId": running, "error": { "code": "JOB_IN_PROGRESS" }, "job": { "id": running }, "receipt": null },
            { "jobId": stale, "error": { "code": "PREVIEW_STALE" }, "job": { "id": stale }, "receipt": null },
            { "jobId": d, "error": { "code": "JOB_ALREADY_DELETED" }, "job": null, "receipt": { "jobId": d } },
            { "jobId": "nothing", "error": { "code": "JOB_NOT_FOUND" }, "job": null, "receipt": null },
        ])
    );
    world.check_invariants().await;
}

async fn too_many_ids_are_refused_as_a_whole(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await.to_string();
    let ids = vec![job; 101];
    let payload = world.data(DELETE_JOBS, json!({ "ids": ids })).await["deleteJobs"].take();
    assert_eq!(payload["userErrors"][0]["code"], "VALIDATION_FAILED");
    assert_eq!(payload["userErrors"][0]["field"], json!(["ids"]));
    assert_eq!(payload["deletedJobIds"], json!([]));
    let payload = world.data(
        "mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { code } } }",
        json!({ "ids": ids }),
    );
    assert_eq!(
        payload.await["deletePredictions"],
        json!({ "deletedIds": [], "userErrors": [{ "code": "VALIDATION_FAILED" }] })
    );
    let preview = world.answer(PREVIEW, json!({ "ids": ids })).await;
    assert_eq!(preview["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(preview["errors"][0]["path"], json!(["deletionPreview"]));
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
}

async fn single_predictions_are_deleted_each_for_itself(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let mut predictions = Vec::new();
    for (person, status) in [
        (&people.anna, "completed"),
        (&people.anna, "processing"),
        (&people.ben, "completed"),
        (&people.dora, "completed"),
    ] {
        let job = world.adopted_job(person.id, person.organization, "annual", status).await;
        world.linked_predictions(job, "source_file", 1).await;
        let query = "query($job: ID!) { job(id: $job) { predictions { nodes { id } } } }";
        let seen = world.data_to(&people.olga.token, query, json!({ "job": job.to_string() })).await;
        predictions.push(seen["job"]["predictions"]["nodes"][0]["id"].as_str().unwrap().to_owned());
    }
    let [own, active, colleagues, foreign] = &predictions[..] else { panic!() };
    let mutation = "mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { code field } } }";
    let ids = json!(["x", own, active, colleagues, foreign, own]);
    let payload = world.data_to(&people.anna.token, mutation, json!({ "ids": ids })).await["deletePredictions"].take();
    assert_eq!(payload["deletedIds"], json!([own]));
    assert_eq!(
        payload["userErrors"],
        json!([
            { "code": "NOT_FOUND", "field": ["ids", "0"] },
            { "code": "JOB_IN_PROGRESS", "field": ["ids", "2"] },
            { "code": "FORBIDDEN", "field": ["ids", "3"] },
            { "code": "NOT_FOUND", "field": ["ids", "4"] },
        ])
    );
    let payload =
        world.data_to(&people.carla.token, mutation, json!({ "ids": [colleagues] })).await["deletePredictions"].take();
    assert_eq!(payload, json!({ "deletedIds": [colleagues], "userErrors": [] }));
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 2);
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'delete_predictions' AND outcome = ";
    assert_eq!(world.count(&format!("{audited}'done'")).await, 2);
    assert_eq!(world.count(&format!("{audited}'refused'")).await, 4);
    let again = world.data_to(&people.anna.token, mutation, json!({ "ids": [own] })).await["deletePredictions"].take();
    assert_eq!(again["deletedIds"], Value::Array(Vec::new()));
    world.check_invariants().await;
}
