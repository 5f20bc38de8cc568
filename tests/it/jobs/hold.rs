//! What is on hold is not deleted by anybody, in no way, until the hold is lifted.

use serde_json::json;
use tests::{Engine, Setup, World, people};

use super::{HOLD, RELEASE, audited, job, refusal};
use crate::deletion::{self, delete, file};

tests::on_both!(a_held_job_and_its_predictions_stay, administrators_alone_hold, holding_twice_keeps_the_first_reason);

async fn a_held_job_and_its_predictions_stay(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let payload = world.data(HOLD, json!({ "id": id, "reason": "court case 7" })).await["holdJob"].take();
    assert_eq!(payload, json!({ "job": { "id": id }, "userErrors": [] }));
    let on_hold = ("JOB_ON_HOLD", "The job is on hold: court case 7");
    for arguments in [json!({}), json!({ "cascade": true }), json!({ "cascade": true, "force": true })] {
        let payload = delete(&world, &id, arguments).await;
        assert_eq!(deletion::refusal(&payload), on_hold);
        assert_eq!(payload["job"]["id"], json!(id));
    }
    let many =
        "mutation($ids: [ID!]!) { deleteJobs(ids: $ids, force: true) { deletedJobIds refused { error { code } } } }";
    let payload = world.data(many, json!({ "ids": [id] })).await["deleteJobs"].take();
    assert_eq!(payload, json!({ "deletedJobIds": [], "refused": [{ "error": { "code": "JOB_ON_HOLD" } }] }));
    let preview = "query($ids: [ID!]!) { deletionPreview(ids: $ids, force: true) { deletable { job { id } } refused { error { code } } } }";
    let shown = world.data(preview, json!({ "ids": [id] })).await["deletionPreview"].take();
    assert_eq!(shown, json!({ "deletable": [], "refused": [{ "error": { "code": "JOB_ON_HOLD" } }] }));
    let prediction =
        job(&world, &id, "predictions(first: 1) { nodes { id } }").await["predictions"]["nodes"][0]["id"].take();
    let single = "mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { code message } } }";
    let payload = world.data(single, json!({ "ids": [prediction] })).await["deletePredictions"].take();
    assert_eq!(payload, json!({ "deletedIds": [], "userErrors": [{ "code": on_hold.0, "message": on_hold.1 }] }));
    let fields = "can { delete forceDelete hold } hold { reason by { id } }";
    let user = world.local_user().await;
    assert_eq!(
        job(&world, &id, fields).await,
        json!({
            "can": { "delete": false, "forceDelete": false, "hold": false },
            "hold": { "reason": "court case 7", "by": { "id": user } },
        })
    );
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await, 5);

    let payload = world.data(RELEASE, json!({ "id": id })).await["releaseJobHold"].take();
    assert_eq!(payload, json!({ "job": { "id": id }, "userErrors": [] }));
    assert_eq!(job(&world, &id, "hold { at }").await["hold"], json!(null));
    assert_eq!(delete(&world, &id, json!({ "cascade": true })).await["receipt"]["deletedAnnualPredictions"], 5);
    assert_eq!(audited(&world, "hold_job").await, ["done  reason: court case 7"]);
    assert_eq!(audited(&world, "release_hold").await, ["done  it was held because: court case 7"]);
    world.check_invariants().await;
}

async fn administrators_alone_hold(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let id = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await.to_string();
    let hold =
        async |token: &str| world.data_to(token, HOLD, json!({ "id": id, "reason": "audit" })).await["holdJob"].take();
    let release = async |token: &str| world.data_to(token, RELEASE, json!({ "id": id })).await["releaseJobHold"].take();
    let forbidden = ("FORBIDDEN", "Only an administrator of the organization may put a job on hold or lift that.");
    assert_eq!(refusal(&hold(&people.anna.token).await), forbidden, "its creator is no administrator");
    assert_eq!(refusal(&hold(&people.dora.token).await), ("JOB_NOT_FOUND", "Job not found"));
    assert_eq!(hold(&people.carla.token).await["userErrors"], json!([]));
    assert_eq!(refusal(&release(&people.anna.token).await), forbidden);
    let query = "query($id: ID!) { job(id: $id) { hold { reason } can { delete hold } } }";
    let seen = world.data_to(&people.anna.token, query, json!({ "id": id })).await["job"].take();
    assert_eq!(seen, json!({ "hold": { "reason": "audit" }, "can": { "delete": false, "hold": false } }));
    assert_eq!(release(&people.olga.token).await["userErrors"], json!([]));
}

async fn holding_twice_keeps_the_first_reason(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    for reason in ["first", "second"] {
        world.data(HOLD, json!({ "id": id, "reason": reason })).await;
    }
    assert_eq!(job(&world, &id, "hold { reason }").await["hold"]["reason"], "first");
    for bad in [" ".to_owned(), "x".repeat(501)] {
        let payload = world.data(HOLD, json!({ "id": id, "reason": bad })).await["holdJob"].take();
        assert_eq!(payload["userErrors"][0]["field"], json!(["reason"]), "{payload}");
    }
    for _ in 0..2 {
        let payload = world.data(RELEASE, json!({ "id": id })).await["releaseJobHold"].take();
        assert_eq!(payload["userErrors"], json!([]), "lifting what is not there is done");
    }
}
