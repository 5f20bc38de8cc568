//! What is refused, word for word, and that a refusal changes nothing.

use api::{
    audit::Caller,
    auth::{Role, Viewer},
    deletion::execute::{DeleteJob, delete_job},
};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{DELETE, delete, file, refusal, variables};

tests::on_both!(
    each_state_has_its_refusal,
    an_id_of_nothing_and_of_another_tenant_have_the_same_answer,
    a_second_deletion_names_the_receipt,
    a_changed_number_of_predictions_refuses_the_deletion,
    bad_arguments_name_their_field,
    a_colleagues_job_is_forbidden,
    refusals_are_audited,
);

async fn each_state_has_its_refusal(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (stored, status, code, message) in [
        ("pending", "PENDING", "JOB_IN_PROGRESS", "Cannot delete pending job. Use cancel instead."),
        ("queued", "PENDING", "JOB_IN_PROGRESS", "Cannot delete pending job. Use cancel instead."),
        ("processing", "RUNNING", "JOB_IN_PROGRESS", "Cannot delete running job. Use cancel instead."),
        ("cancelling", "CANCELLING", "INVALID_STATE", "Cannot delete job while cancellation is in progress."),
    ] {
        let id = world.adopted_job(user, None, "annual", stored).await.to_string();
        let payload = delete(&world, &id, json!({ "cascade": true })).await;
        assert_eq!(refusal(&payload), (code, message));
        assert_eq!(payload["job"], json!({ "id": id, "status": status }));
        assert_eq!(payload["receipt"], Value::Null);
    }
    for stored in ["completed", "failed", "cancelled"] {
        let id = world.adopted_job(user, None, "annual", stored).await.to_string();
        assert_eq!(delete(&world, &id, json!({})).await["deletedJobId"], json!(id), "{stored}");
    }
    world.check_invariants().await;
}

async fn an_id_of_nothing_and_of_another_tenant_have_the_same_answer(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let foreign = world.adopted_job(people.dora.id, people.dora.organization, "annual", "completed").await.to_string();
    let deleted = world.adopted_job(people.dora.id, people.dora.organization, "annual", "completed").await.to_string();
    world.data_to(&people.dora.token, DELETE, variables(&deleted, json!({}))).await;
    let nothing = "01890000-0000-7000-8000-000000000000".to_owned();
    let mut answers = Vec::new();
    for id in [&foreign, &deleted, &nothing] {
        let arguments = variables(id, json!({ "cascade": true, "force": true }));
        let payload = world.data_to(&people.anna.token, DELETE, arguments).await;
        assert_eq!(refusal(&payload["deleteJob"]), ("JOB_NOT_FOUND", "Job not found"));
        answers.push(payload);
    }
    assert_eq!(answers[0], answers[2], "a foreign job shows");
    assert_eq!(answers[1], answers[2], "a foreign receipt shows");
    let payload = world.data_to(&people.anna.token, DELETE, variables("x", json!({}))).await;
    assert_eq!(payload, answers[2], "what is no UUID is the id of nothing");
    world.check_invariants().await;

    // The same cost: counted where no worker asks beside it.
    let setup = Setup { asleep: true, url: Some(world.url.clone()), ..Default::default() };
    let asleep = World::with(engine, setup).await;
    let organization = entity::organization::Model { id: people.anna.organization.unwrap(), name: String::new() };
    let viewer =
        Viewer { user_id: people.anna.id, name: String::new(), organization: Some(organization), role: Role::Member };
    let caller = Caller { viewer, request_id: "r".to_owned() };
    let mut costs = Vec::new();
    for id in [&foreign, &deleted, &nothing] {
        let wanted = DeleteJob::default();
        let ask = delete_job(&asleep.app, &caller, id.parse().unwrap(), &wanted);
        costs.push(asleep.statements_of(ask).await.0);
    }
    assert_eq!(costs, [costs[2]; 3]);
}

async fn a_second_deletion_names_the_receipt(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let first = delete(&world, &id, json!({ "cascade": true })).await;
    for arguments in [json!({}), json!({ "cascade": true, "force": true, "expected": 7 })] {
        let second = delete(&world, &id, arguments).await;
        assert_eq!(refusal(&second), ("JOB_ALREADY_DELETED", "This job has already been deleted."));
        assert_eq!(second["receipt"], first["receipt"]);
        assert_eq!(second["job"], Value::Null);
    }
    world.check_invariants().await;
}

async fn a_changed_number_of_predictions_refuses_the_deletion(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    for expected in [0, 4, 6] {
        for cascade in [true, false] {
            let payload = delete(&world, &id, json!({ "cascade": cascade, "expected": expected })).await;
            let (code, message) = refusal(&payload);
            assert_eq!(code, "PREVIEW_STALE");
            assert!(message.contains(&format!("5 linked predictions now, not {expected} as expected")), "{message}");
            assert_eq!(payload["job"]["id"], json!(id));
        }
    }
    assert_eq!(delete(&world, &id, json!({ "cascade": true, "expected": 5 })).await["deletedJobId"], json!(id));
    world.check_invariants().await;
}

async fn bad_arguments_name_their_field(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let cases = [
        (json!({ "reason": "x".repeat(501) }), "reason"),
        (json!({ "reason": "a\u{0}b" }), "reason"),
        (json!({ "expected": -1 }), "expectedPredictions"),
    ];
    for (arguments, field) in cases {
        let payload = delete(&world, &id, arguments).await;
        assert_eq!(refusal(&payload).0, "VALIDATION_FAILED");
        assert_eq!(payload["userErrors"][0]["field"], json!([field]));
    }
    let reason = "é".repeat(500);
    assert_eq!(delete(&world, &id, json!({ "reason": reason })).await["receipt"]["reason"], json!(reason));
    world.check_invariants().await;
}

async fn a_colleagues_job_is_forbidden(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let job = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await.to_string();
    world.linked_predictions(job.parse().unwrap(), "source_file", 3).await;
    for arguments in [json!({}), json!({ "cascade": true, "force": true })] {
        let payload = world.data_to(&people.ben.token, DELETE, variables(&job, arguments)).await["deleteJob"].take();
        assert_eq!(refusal(&payload).0, "FORBIDDEN");
        assert_eq!(payload["job"]["id"], json!(job));
    }
    let can = "query($id: ID!) { job(id: $id) { can { delete forceDelete } } }";
    for (person, may) in [(&people.anna, true), (&people.ben, false), (&people.carla, true), (&people.olga, true)] {
        let seen = world.data_to(&person.token, can, json!({ "id": job })).await;
        assert_eq!(seen["job"]["can"], json!({ "delete": may, "forceDelete": false }));
    }
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 3);
    let payload = world.data_to(&people.carla.token, DELETE, variables(&job, json!({ "cascade": true }))).await;
    assert_eq!(payload["deleteJob"]["deletedJobId"], json!(job));
    world.check_invariants().await;
}

async fn refusals_are_audited(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(2)).await;
    let request = world.post().header("x-request-id", "my-request");
    let body = json!({ "query": DELETE, "variables": variables(&id, json!({ "expected": 9 })) });
    request.json(&body).send().await.unwrap();
    let entries = world.rows("SELECT action, outcome, code, request_id FROM audit_log WHERE outcome = 'refused'").await;
    let wanted =
        json!({ "action": "delete_job", "outcome": "refused", "code": "PREVIEW_STALE", "request_id": "my-request" });
    assert_eq!(entries, [wanted]);
    world.check_invariants().await;
}
