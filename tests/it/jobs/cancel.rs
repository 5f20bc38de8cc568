//! A cancelled job ends, once, with what it has stored.

use api::{app::Limits, checkpoint::Checkpoint};
use sea_orm::prelude::Uuid;
use serde_json::json;
use tests::{Engine, Gate, Setup, World, people};

use super::{CANCEL, audited, cancel, job, refusal};
use crate::deletion::{delete, file};

tests::on_both!(
    a_running_job_ends_at_its_next_batch_and_keeps_what_it_stored,
    a_pending_job_ends_at_once_and_no_worker_takes_it,
    cancelling_again_answers_the_first_cancellation,
    a_job_that_has_ended_is_not_cancelled,
    of_a_cancellation_and_the_last_batch_the_first_counts,
    a_job_whose_worker_died_ends_too,
    jobs_of_the_older_program_end_at_once,
    only_those_who_may_change_a_job_cancel_it,
    bad_arguments_change_nothing,
    a_cancelled_job_can_be_deleted,
);

async fn held_before_batch(engine: Engine, nth: usize) -> (World, Gate, String) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, nth);
    let limits = Limits { batch_rows: 10, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(100)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    (world, gate, id)
}

async fn a_running_job_ends_at_its_next_batch_and_keeps_what_it_stored(engine: Engine) {
    let (world, gate, id) = held_before_batch(engine, 3).await;
    assert!(job(&world, &id, "can { cancel }").await["can"]["cancel"].as_bool().unwrap());
    let variables = json!({ "id": id, "reason": "wrong file", "notes": "ask Anna" });
    let payload = world.data(CANCEL, variables).await["cancelJob"].take();
    assert_eq!(payload, json!({ "job": { "id": id, "status": "CANCELLING" }, "userErrors": [] }));
    assert_eq!(
        refusal(&delete(&world, &id, json!({})).await).1,
        "Cannot delete job while cancellation is in progress."
    );
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    let fields = "progress { processed succeeded } cancellation { reason notes by { id } } can { cancel } errorMessage";
    let user = world.local_user().await;
    assert_eq!(
        job(&world, &id, fields).await,
        json!({
            "progress": { "processed": 20, "succeeded": 20 },
            "cancellation": { "reason": "wrong file", "notes": "ask Anna", "by": { "id": user } },
            "can": { "cancel": false },
            "errorMessage": null,
        })
    );
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await, 20);
    assert_eq!(audited(&world, "cancel_job").await, ["done  reason: wrong file"]);
    world.check_invariants().await;
}

async fn a_pending_job_ends_at_once_and_no_worker_takes_it(engine: Engine) {
    let (world, gate, running) = held_before_batch(engine, 1).await;
    let id = world.create("ANNUAL", "b.csv", file(10)).await["job"]["id"].as_str().unwrap().to_owned();
    let payload = cancel(&world, &id).await;
    assert_eq!(payload, json!({ "job": { "id": id, "status": "CANCELLED" }, "userErrors": [] }));
    gate.open();
    assert_eq!(world.ended(&running).await, "completed");
    let next = world.upload("ANNUAL", "c.csv", file(10)).await;
    assert_eq!(world.ended(&next).await, "failed", "its periods are there already");
    assert_eq!(
        job(&world, &id, "status startedAt cancellation { reason notes }").await,
        json!({ "status": "CANCELLED", "startedAt": null, "cancellation": { "reason": "user_request", "notes": null } })
    );
}

async fn cancelling_again_answers_the_first_cancellation(engine: Engine) {
    let (world, gate, id) = held_before_batch(engine, 2).await;
    world.data(CANCEL, json!({ "id": id, "reason": "first" })).await;
    let again = world.data(CANCEL, json!({ "id": id, "reason": "second" })).await["cancelJob"].take();
    assert_eq!(again, json!({ "job": { "id": id, "status": "CANCELLING" }, "userErrors": [] }));
    let cancellation = job(&world, &id, "cancellation { at reason }").await;
    assert_eq!(cancellation["cancellation"]["reason"], "first");
    gate.open();
    world.ended(&id).await;
    let last = world.data(CANCEL, json!({ "id": id, "reason": "third" })).await["cancelJob"].take();
    assert_eq!(last, json!({ "job": { "id": id, "status": "CANCELLED" }, "userErrors": [] }));
    assert_eq!(job(&world, &id, "cancellation { at reason }").await, cancellation);
    assert_eq!(audited(&world, "cancel_job").await.len(), 3);
}

async fn a_job_that_has_ended_is_not_cancelled(engine: Engine) {
    let world = World::new(engine).await;
    let completed = world.upload("ANNUAL", "a.csv", file(5)).await;
    let failed = world.upload("ANNUAL", "a.csv", file(5)).await;
    for (id, status, message) in
        [(completed, "COMPLETED", "Job is already completed."), (failed, "FAILED", "Job has already failed.")]
    {
        let payload = cancel(&world, &id).await;
        assert_eq!(refusal(&payload), ("INVALID_STATE", message));
        assert_eq!(payload["job"], json!({ "id": id, "status": status }));
        assert_eq!(job(&world, &id, "cancellation { at }").await["cancellation"], json!(null));
    }
}

async fn of_a_cancellation_and_the_last_batch_the_first_counts(engine: Engine) {
    // The end has the job's row, so the cancellation comes after it.
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobEndBeforeCommit, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(10)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let (payload, ()) = tokio::join!(cancel(&world, &id), async {
        world.somebody_waits().await;
        gate.open();
    });
    assert_eq!(refusal(&payload), ("INVALID_STATE", "Job is already completed."));
    assert_eq!(job(&world, &id, "status").await["status"], "COMPLETED");
    world.check_invariants().await;

    // The cancellation comes before the last batch begins, of which nothing stays.
    let (world, gate, id) = held_before_batch(engine, 10).await;
    cancel(&world, &id).await;
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 90);
    world.check_invariants().await;
}

async fn a_job_whose_worker_died_ends_too(engine: Engine) {
    let (world, gate, id) = held_before_batch(engine, 2).await;
    world.run("UPDATE bulk_upload_jobs SET lease_expires_at = '2000-01-01T00:00:00+00:00'").await;
    assert_eq!(cancel(&world, &id).await["job"]["status"], "CANCELLING");
    // A worker that dies after the cancellation of its job; the one held above is still the only one.
    let orphan = world.create("ANNUAL", "b.csv", file(100)).await["job"]["id"].as_str().unwrap().to_owned();
    world
        .run(
            "UPDATE bulk_upload_jobs SET status = 'cancelling', lease_expires_at = '2000-01-01T00:00:00+00:00' \
             WHERE original_filename = 'b.csv'",
        )
        .await;
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    assert_eq!(world.ended(&orphan).await, "cancelled");
    world.check_invariants().await;
}

async fn jobs_of_the_older_program_end_at_once(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for status in ["pending", "queued", "processing"] {
        let id = world.adopted_job(user, None, "annual", status).await.to_string();
        let payload = cancel(&world, &id).await;
        assert_eq!(payload, json!({ "job": { "id": id, "status": "CANCELLED" }, "userErrors": [] }), "{status}");
        assert!(job(&world, &id, "finishedAt").await["finishedAt"].is_string());
    }
}

async fn only_those_who_may_change_a_job_cancel_it(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let id = world.adopted_job(people.anna.id, people.anna.organization, "annual", "queued").await.to_string();
    let ask = async |token: &str| world.data_to(token, CANCEL, json!({ "id": id })).await["cancelJob"].take();
    let payload = ask(&people.ben.token).await;
    assert_eq!(
        refusal(&payload),
        ("FORBIDDEN", "Only the job's creator or an administrator of the organization may cancel it.")
    );
    assert_eq!(payload["job"]["id"], json!(id), "a colleague sees it");
    for stranger in [&people.dora, &people.emil] {
        let payload = ask(&stranger.token).await;
        assert_eq!((refusal(&payload), &payload["job"]), (("JOB_NOT_FOUND", "Job not found"), &json!(null)));
    }
    assert_eq!(ask(&people.anna.token).await["job"]["status"], "CANCELLED");
}

async fn bad_arguments_change_nothing(engine: Engine) {
    let (world, gate, id) = held_before_batch(engine, 1).await;
    let long = "x".repeat(501);
    for (variables, field) in [
        (json!({ "id": id, "reason": long }), "reason"),
        (json!({ "id": id, "notes": long }), "notes"),
        (json!({ "id": id, "notes": "a\0b" }), "notes"),
    ] {
        let payload = world.data(CANCEL, variables).await["cancelJob"].take();
        assert_eq!(payload["userErrors"][0]["code"], "VALIDATION_FAILED");
        assert_eq!(payload["userErrors"][0]["field"], json!([field]));
    }
    for unknown in [Uuid::now_v7().to_string(), "no-uuid".to_owned(), String::new()] {
        assert_eq!(refusal(&cancel(&world, &unknown).await), ("JOB_NOT_FOUND", "Job not found"));
    }
    assert_eq!(
        job(&world, &id, "status cancellation { at }").await,
        json!({ "status": "RUNNING", "cancellation": null })
    );
    // A null is as good as nothing.
    assert_eq!(world.data(CANCEL, json!({ "id": id, "reason": null })).await["cancelJob"]["userErrors"], json!([]));
    assert_eq!(job(&world, &id, "cancellation { reason }").await["cancellation"]["reason"], "user_request");
    gate.open();
    world.ended(&id).await;
    assert_eq!(audited(&world, "cancel_job").await.len(), 7);
}

async fn a_cancelled_job_can_be_deleted(engine: Engine) {
    let (world, gate, id) = held_before_batch(engine, 3).await;
    cancel(&world, &id).await;
    gate.open();
    world.ended(&id).await;
    let payload = delete(&world, &id, json!({ "cascade": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 20);
    assert_eq!(payload["receipt"]["jobStatus"], "CANCELLED");
    assert_eq!(refusal(&cancel(&world, &id).await), ("JOB_ALREADY_DELETED", "This job has already been deleted."));
    world.purged().await;
    world.check_invariants().await;
}
