//! One job: cascade, release, receipt, audit.

use serde_json::{Value, json};
use tests::{Engine, World, people};

use super::{delete, file, refusal};

tests::on_both!(
    cascade_takes_the_predictions_and_nothing_else,
    release_keeps_the_predictions_and_cuts_their_link_for_good,
    a_failure_before_the_commit_leaves_every_row,
    a_job_with_a_hundred_thousand_predictions_is_deleted_whole,
    the_receipt_tells_everything_for_ever,
    a_linked_row_of_another_tenant_is_never_deleted,
    an_older_programs_job_is_deleted_like_any_other,
);

async fn cascade_takes_the_predictions_and_nothing_else(engine: Engine) {
    let world = World::new(engine).await;
    let kept = world.upload("ANNUAL", "kept.csv", file(60)).await;
    let other = file(120).replace(",S", ",T").replace("\nS", "\nT");
    let gone = world.upload("ANNUAL", "gone.csv", other).await;
    let payload = delete(&world, &gone, json!({ "cascade": true, "expected": 120 })).await;
    assert_eq!(payload["deletedJobId"], json!(gone));
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 120);
    assert_eq!(payload["receipt"]["releasedPredictions"], 0);
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 60);
    let left =
        &world.data("query($id: ID!) { job(id: $id) { predictions { totalCount } } }", json!({ "id": kept })).await;
    assert_eq!(left["job"]["predictions"]["totalCount"], 60);
    world.purged().await;
    world.check_invariants().await;
}

async fn release_keeps_the_predictions_and_cuts_their_link_for_good(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(30)).await;
    let payload = delete(&world, &id, json!({ "reason": "sent twice" })).await;
    assert_eq!(payload["receipt"]["releasedPredictions"], 30);
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 0);
    assert_eq!(payload["receipt"]["deletePredictions"], false);
    assert_eq!(payload["receipt"]["reason"], "sent twice");
    let query = "{ annualPredictions(filter: {unlinked: true, linkSource: [RELEASED]}) { totalCount nodes { linkSource job { id } } } }";
    let left = &world.data(query, json!({})).await["annualPredictions"];
    assert_eq!(left["totalCount"], 30);
    assert_eq!(left["nodes"][0], json!({ "linkSource": "RELEASED", "job": null }));
    world.check_invariants().await;
}

async fn a_failure_before_the_commit_leaves_every_row(engine: Engine) {
    use api::checkpoint::{Checkpoint, Checkpoints};
    let checkpoints = Checkpoints::hooked(|at| {
        Box::pin(async move {
            match at {
                Checkpoint::DeletionBeforeCommit => Err(api::error::Error::Injected("before the commit")),
                _ => Ok(()),
            }
        })
    });
    let world = World::with(engine, tests::Setup { checkpoints, ..Default::default() }).await;
    let id = world.upload("ANNUAL", "a.csv", file(40)).await;
    let tables = ["annual_predictions", "bulk_upload_jobs", "artifacts", "deletion_receipts", "artifact_purges"];
    let state = async || {
        let mut all = Vec::new();
        for table in tables {
            all.push(world.rows(&format!("SELECT * FROM {table} ORDER BY 1")).await);
        }
        (all, world.app.store.keys().await.unwrap())
    };
    let before = state().await;
    for cascade in [true, false] {
        let answer = world.answer(super::DELETE, super::variables(&id, json!({ "cascade": cascade }))).await;
        assert_eq!(answer["data"]["deleteJob"], Value::Null);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
        assert!(!answer.to_string().contains("injected"), "{answer}");
    }
    assert_eq!(state().await, before);
    let entries = world.rows("SELECT outcome FROM audit_log WHERE action = 'delete_job'").await;
    assert_eq!(entries, [json!({ "outcome": "failed" }), json!({ "outcome": "failed" })]);
    world.check_invariants().await;
}

async fn a_job_with_a_hundred_thousand_predictions_is_deleted_whole(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    world.linked_predictions(job, "source_file", 100_000).await;
    let payload = delete(&world, &job.to_string(), json!({ "cascade": true, "expected": 100_000 })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 100_000);
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 0);
    world.check_invariants().await;
}

async fn the_receipt_tells_everything_for_ever(engine: Engine) {
    let world = World::with(engine, tests::Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let job = world.create_as(&people.anna.token, "ANNUAL", "dir/ä.csv", file(3)).await["job"]["id"].take();
    let job = job.as_str().unwrap();
    world.ended(job).await;
    let payload = world
        .data_to(
            &people.carla.token,
            super::DELETE,
            super::variables(job, json!({ "cascade": true, "force": true, "reason": "why" })),
        )
        .await["deleteJob"]
        .take();
    world.purged().await;
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { id jobKind jobStatus fileName jobCreatedBy { name } deletedBy { name }
        trigger reason force deletePredictions deletedAnnualPredictions deletedQuarterlyPredictions releasedPredictions errorMessage
        artifacts { total pending lastError } jobCreatedAt jobStartedAt jobFinishedAt deletedAt } node(id: $receipt) { __typename id } }"
        .replace("$id: ID!", "$id: ID!, $receipt: ID!");
    let variables = json!({ "id": job, "receipt": payload["receipt"]["id"] });
    for reader in [&people.anna, &people.ben, &people.carla, &people.olga] {
        let mut seen = world.data_to(&reader.token, &query, variables.clone()).await;
        assert_eq!(seen["node"]["__typename"], "DeletionReceipt");
        let receipt = seen["deletionReceipt"].as_object_mut().unwrap();
        for time in ["jobCreatedAt", "jobStartedAt", "jobFinishedAt", "deletedAt"] {
            assert!(receipt.remove(time).unwrap().as_str().unwrap().ends_with('Z'), "{time}");
        }
        assert_eq!(receipt.remove("id").unwrap(), payload["receipt"]["id"]);
        assert_eq!(
            seen["deletionReceipt"],
            json!({
                "jobKind": "ANNUAL", "jobStatus": "COMPLETED", "fileName": "ä.csv", "jobCreatedBy": { "name": "anna" },
                "deletedBy": { "name": "carla" }, "trigger": "REQUEST", "reason": "why", "force": true, "deletePredictions": true,
                "deletedAnnualPredictions": 3, "deletedQuarterlyPredictions": 0, "releasedPredictions": 0, "errorMessage": null,
                "artifacts": { "total": 3, "pending": 0, "lastError": null },
            })
        );
    }
    for stranger in [&people.dora, &people.emil] {
        let seen = world.data_to(&stranger.token, &query, variables.clone()).await;
        assert_eq!(seen, json!({ "deletionReceipt": null, "node": null }));
    }
    let entries = world.rows("SELECT action, outcome, code, detail FROM audit_log WHERE action = 'delete_job'").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["detail"], "deleted 3 annual predictions and 0 quarterly predictions, released 0");
    world.check_invariants().await;
}

async fn a_linked_row_of_another_tenant_is_never_deleted(engine: Engine) {
    let world = World::new(engine).await;
    let people = people(&world).await;
    let job = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await;
    world.linked_predictions(job, "source_file", 2).await;
    // Nothing of Joblink writes such a link; a hand on the database can.
    let other = world.adopted_job(people.dora.id, people.dora.organization, "annual", "completed").await;
    let company = world.linked_predictions(other, "source_file", 1).await;
    let (job_id, company_id) = match engine {
        Engine::Sqlite => (format!("x'{}'", job.simple()), format!("x'{}'", company.simple())),
        Engine::Postgres => (format!("'{job}'"), format!("'{company}'")),
    };
    world.run(&format!("UPDATE annual_predictions SET job_id = {job_id} WHERE company_id = {company_id}")).await;
    let payload = delete(&world, &job.to_string(), json!({ "cascade": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 2);
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NULL").await, 1);
    world.check_invariants().await;
}

async fn an_older_programs_job_is_deleted_like_any_other(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { artifacts { total pending completedAt } deletedAt } }";
    let ended = world.adopted_job(user, None, "quarterly", "completed").await.to_string();
    let payload = delete(&world, &ended, json!({})).await;
    assert_eq!(payload["deletedJobId"], json!(ended));
    // Without files there is nothing to purge: it is done at once.
    let receipt = &world.data(query, json!({ "id": ended })).await["deletionReceipt"];
    assert_eq!(receipt["artifacts"]["completedAt"], receipt["deletedAt"]);
    for (status, code) in
        [("queued", "JOB_IN_PROGRESS"), ("processing", "JOB_IN_PROGRESS"), ("a new state", "JOB_IN_PROGRESS")]
    {
        let active = world.adopted_job(user, None, "annual", status).await.to_string();
        assert_eq!(refusal(&delete(&world, &active, json!({})).await).0, code, "{status}");
        assert_eq!(delete(&world, &active, json!({ "force": true })).await["deletedJobId"], json!(active), "{status}");
    }
    world.check_invariants().await;
}
