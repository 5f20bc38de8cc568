//! What is rolled back leaves no entry that says it was done, and one that says it failed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use api::{
    checkpoint::{Checkpoint, Checkpoints},
    error::Error,
};
use entity::{annual_prediction, company};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{CREATE, entries, send, upload};
use crate::{
    deletion::file,
    graphql::{new_annual, new_company, store},
};

tests::on_both!(
    a_change_that_is_rolled_back_is_not_in_the_log_as_done,
    a_change_in_which_the_program_panics_is_in_the_log_as_failed,
);

async fn a_change_that_is_rolled_back_is_not_in_the_log_as_done(engine: Engine) {
    each_change_fails(engine, || Err(Error::Injected("before the commit"))).await;
}

async fn a_change_in_which_the_program_panics_is_in_the_log_as_failed(engine: Engine) {
    each_change_fails(engine, || panic!("injected before the commit")).await;
}

/// A world whose commits fail while this is set.
async fn failing(engine: Engine, fail: fn() -> Result<(), Error>) -> (World, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let armed = fails.clone();
    let checkpoints = Checkpoints::hooked(move |at| {
        let commits = [
            Checkpoint::JobBeforeCommit,
            Checkpoint::ChangeBeforeCommit,
            Checkpoint::DeletionBeforeCommit,
            Checkpoint::PredictionsBeforeCommit,
        ];
        let fails = armed.load(Ordering::SeqCst) && commits.contains(&at);
        Box::pin(async move { if fails { fail() } else { Ok(()) } })
    });
    (World::with(engine, Setup { tokens: true, idle: true, checkpoints, ..Default::default() }).await, fails)
}

async fn each_change_fails(engine: Engine, fail: fn() -> Result<(), Error>) {
    let (world, fails) = failing(engine, fail).await;
    let people = people(&world).await;
    let carla = &people.carla;
    let sent = upload(&world, carla, file(2)).await;
    let again = upload(&world, carla, file(2)).await;
    let made = send(&world, carla, "made", CREATE, json!({ "upload": again })).await;
    let cancelled = made["data"]["createJob"]["job"]["id"].clone();
    let cancel = "mutation($id: ID!) { cancelJob(id: $id) { userErrors { code } } }";
    send(&world, carla, "cancelled", cancel, json!({ "id": cancelled })).await;
    let active = world.adopted_job(carla.id, carla.organization, "annual", "pending").await;
    let over = world.adopted_job(carla.id, carla.organization, "annual", "completed").await;
    let other = world.adopted_job(carla.id, carla.organization, "annual", "completed").await;
    let firm = new_company(carla.id, carla.organization, "A", "A");
    let row = new_annual(&firm);
    let row_id = row.id;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [row]).await;

    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { userErrors { code } } }";
    let release = "mutation($id: ID!) { releaseJobHold(id: $id) { userErrors { code } } }";
    let retry = "mutation($id: ID!) { retryJob(id: $id) { userErrors { code } } }";
    let delete = "mutation($id: ID!) { deleteJob(id: $id) { userErrors { code } } }";
    let many = "mutation($id: ID!) { deleteJobs(ids: [$id]) { deletedJobIds userErrors { code } } }";
    let single = "mutation($id: ID!) { deletePredictions(ids: [$id]) { deletedIds userErrors { code } } }";
    let target = |id: &Value| Some(id.as_str().unwrap().parse().unwrap());
    let (over, other, active, row) = (json!(over), json!(other), json!(active), json!(row_id));
    let tables = ["bulk_upload_jobs", "annual_predictions", "deletion_receipts", "job_events", "staged_uploads"];
    let counts = async || {
        let mut counts = Vec::new();
        for table in tables {
            counts.push(world.count(&format!("SELECT count(*) FROM {table}")).await);
        }
        counts
    };
    for (name, query, variables, action, about) in [
        ("create", CREATE, json!({ "upload": sent }), "create_job", None),
        ("retry", retry, json!({ "id": cancelled }), "retry_job", target(&cancelled)),
        ("cancel", cancel, json!({ "id": active }), "cancel_job", target(&active)),
        ("hold", hold, json!({ "id": over }), "hold_job", target(&over)),
        ("release", release, json!({ "id": over }), "release_hold", target(&over)),
        ("delete", delete, json!({ "id": over }), "delete_job", target(&over)),
        ("many", many, json!({ "id": other }), "delete_job", target(&other)),
        ("single", single, json!({ "id": row }), "delete_predictions", None),
    ] {
        let before = counts().await;
        fails.store(true, Ordering::SeqCst);
        let answer = send(&world, carla, name, query, variables.clone()).await;
        fails.store(false, Ordering::SeqCst);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{name}: {answer}");
        assert_eq!(counts().await, before, "{name}");
        let found = entries(&world, name).await;
        let said = found.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str(), entry.target_id));
        assert_eq!(said.collect::<Vec<_>>(), [(action, "failed", about)], "{name}");
        assert_eq!((found[0].actor_id, found[0].organization_id), (Some(carla.id), carla.organization), "{name}");
        let detail = found[0].detail.as_deref().unwrap();
        assert!(detail.contains("nothing was changed") && !detail.contains("injected"), "{detail}");
        // And the same again, which nothing keeps from its end.
        let answer = send(&world, carla, &format!("{name} again").replace(' ', "-"), query, variables).await;
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        if name == "delete" {
            assert_eq!(entries(&world, "delete-again").await[0].outcome, "done");
        }
    }
}
