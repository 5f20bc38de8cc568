//! The file of a job that did not come to its end is run once more.

use api::{app::Limits, checkpoint::Checkpoint};
use sea_orm::prelude::Uuid;
use serde_json::json;
use tests::{Engine, Gate, Setup, World, people};

use super::{RETRY, audited, cancel, job, refusal};
use crate::deletion::{delete, file};

tests::on_both!(
    a_cancelled_job_is_run_again_to_its_end,
    a_new_job_outlives_the_one_it_was_made_from,
    only_a_job_that_did_not_come_to_its_end_is_run_again,
    a_job_without_its_file_is_not_run_again,
    an_administrator_runs_it_again_for_its_owner,
);

async fn cancelled(engine: Engine) -> (World, String) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 3);
    let limits = Limits { batch_rows: 10, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(60)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    cancel(&world, &id).await;
    gate.open();
    assert_eq!(world.ended(&id).await, "cancelled");
    (world, id)
}

async fn a_cancelled_job_is_run_again_to_its_end(engine: Engine) {
    let (world, id) = cancelled(engine).await;
    assert_eq!(job(&world, &id, "can { retry }").await["can"]["retry"], true);
    let payload = world.data(RETRY, json!({ "id": id })).await["retryJob"].take();
    let new = payload["job"]["id"].as_str().unwrap().to_owned();
    assert_ne!(new, id);
    assert_eq!(payload, json!({ "job": { "id": new, "status": "PENDING", "fileName": "a.csv" }, "userErrors": [] }));
    assert_eq!(world.ended(&new).await, "completed");
    let fields = "status progress { total processed succeeded failed } cancellation { at } artifacts { size sha256 }";
    let [old, again] = [job(&world, &id, fields).await, job(&world, &new, fields).await];
    assert_eq!(old["status"], "CANCELLED");
    assert_eq!(old["artifacts"][0], again["artifacts"][0], "the input");
    // What the first one stored is there already.
    assert_eq!(again["progress"], json!({ "total": 60, "processed": 60, "succeeded": 40, "failed": 20 }));
    assert_eq!(again["cancellation"], json!(null));
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 60);
    assert_eq!(audited(&world, "retry_job").await, [format!("done  the file of job {id}")]);
    world.check_invariants().await;
}

async fn a_new_job_outlives_the_one_it_was_made_from(engine: Engine) {
    let (world, id) = cancelled(engine).await;
    let new = world.data(RETRY, json!({ "id": id })).await["retryJob"]["job"]["id"].as_str().unwrap().to_owned();
    world.ended(&new).await;
    delete(&world, &id, json!({ "cascade": true })).await;
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3, "the new job's files");
    assert_eq!(
        refusal(&world.data(RETRY, json!({ "id": id })).await["retryJob"]),
        ("JOB_ALREADY_DELETED", "This job has already been deleted.")
    );
    world.check_invariants().await;
}

async fn only_a_job_that_did_not_come_to_its_end_is_run_again(engine: Engine) {
    let world = World::new(engine).await;
    let completed = world.upload("ANNUAL", "a.csv", file(5)).await;
    let payload = world.data(RETRY, json!({ "id": completed })).await["retryJob"].take();
    assert_eq!(refusal(&payload), ("INVALID_STATE", "Only a failed or cancelled job can be retried."));
    assert_eq!(payload["job"]["id"], json!(completed));
    let failed = world.upload("ANNUAL", "a.csv", file(5)).await;
    let new = world.data(RETRY, json!({ "id": failed })).await["retryJob"]["job"]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.ended(&new).await, "failed", "its periods are there as before");
    for unknown in [Uuid::now_v7().to_string(), "no-uuid".to_owned()] {
        let payload = world.data(RETRY, json!({ "id": unknown })).await["retryJob"].take();
        assert_eq!(refusal(&payload), ("JOB_NOT_FOUND", "Job not found"));
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 3);
}

async fn a_job_without_its_file_is_not_run_again(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let adopted = world.adopted_job(user, None, "annual", "failed").await.to_string();
    world.upload("ANNUAL", "a.csv", file(5)).await;
    let lost = world.upload("ANNUAL", "a.csv", file(5)).await;
    for key in world.app.store.keys().await.unwrap().iter().filter(|key| key.contains(&lost)) {
        std::fs::remove_file(world.artifacts.join(key)).unwrap();
    }
    let before = world.app.store.keys().await.unwrap();
    for id in [adopted, lost] {
        let payload = world.data(RETRY, json!({ "id": id })).await["retryJob"].take();
        assert_eq!(refusal(&payload), ("INVALID_STATE", "The job's input file is gone; send the file again."));
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 3);
    assert_eq!(world.app.store.keys().await.unwrap(), before);
}

async fn an_administrator_runs_it_again_for_its_owner(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let create = async || {
        let created = world.create_as(&people.anna.token, "ANNUAL", "a.csv", file(5)).await;
        let id = created["job"]["id"].as_str().unwrap().to_owned();
        world.ended(&id).await;
        id
    };
    create().await;
    let failed = create().await;
    let ask = async |token: &str| world.data_to(token, RETRY, json!({ "id": failed })).await["retryJob"].take();
    assert_eq!(refusal(&ask(&people.ben.token).await).0, "FORBIDDEN");
    assert_eq!(refusal(&ask(&people.dora.token).await).0, "JOB_NOT_FOUND");
    let new = ask(&people.carla.token).await["job"]["id"].as_str().unwrap().to_owned();
    let query = "query($id: ID!) { job(id: $id) { createdBy { id } organization { id } } }";
    let owner = world.data_to(&people.anna.token, query, json!({ "id": new })).await["job"].take();
    assert_eq!(
        owner,
        json!({ "createdBy": { "id": people.anna.id }, "organization": { "id": people.anna.organization } })
    );
}
