//! Deletions that meet each other, a worker, or a client that goes away. The tests hold each side where they want it.

use std::time::Duration;

use api::checkpoint::Checkpoint;
use serde_json::json;
use tests::{Engine, Gate, Setup, World};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{DELETE, delete, file, refusal, variables};

tests::on_both!(
    of_two_deletions_at_once_one_succeeds_and_the_other_names_its_receipt,
    a_forced_deletion_waits_for_the_batch_that_is_being_committed,
    a_worker_whose_job_was_deleted_before_its_batch_stops,
    a_worker_whose_job_was_deleted_after_its_claim_stops,
    a_deletion_outlives_its_client,
    forced_deletions_at_any_moment_leave_nothing_behind,
);

/// The purge of a job whose worker was alive waits for its lease.
const LEASE: Duration = Duration::from_secs(1);

async fn of_two_deletions_at_once_one_succeeds_and_the_other_names_its_receipt(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionBeforeCommit, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let id = world.upload("ANNUAL", "a.csv", file(20)).await;
    let (first, second, ()) = tokio::join!(
        delete(&world, &id, json!({ "cascade": true })),
        delete(&world, &id, json!({ "cascade": false })),
        async {
            gate.wait().await;
            world.somebody_waits().await;
            gate.open();
        }
    );
    let (winner, loser) = if first["deletedJobId"].is_string() { (first, second) } else { (second, first) };
    assert_eq!(winner["deletedJobId"], json!(id));
    assert_eq!(refusal(&loser).0, "JOB_ALREADY_DELETED");
    assert_eq!(loser["receipt"], winner["receipt"]);
    world.check_invariants().await;
}

async fn a_forced_deletion_waits_for_the_batch_that_is_being_committed(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBeforeCommit, 3);
    let limits = api::app::Limits { batch_rows: 10, lease: LEASE, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(100)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let (payload, ()) = tokio::join!(delete(&world, &id, json!({ "cascade": true, "force": true })), async {
        world.somebody_waits().await;
        gate.open();
    });
    let stored = payload["receipt"]["deletedAnnualPredictions"].as_i64().unwrap();
    assert!(stored >= 30 && stored % 10 == 0, "whole batches go with the job, {stored} did");
    assert_eq!(payload["receipt"]["jobStatus"], "RUNNING");
    settled(&world).await;
}

async fn a_worker_whose_job_was_deleted_before_its_batch_stops(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::BatchBegins, 2);
    let limits = api::app::Limits { batch_rows: 10, lease: LEASE, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(100)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let refused = delete(&world, &id, json!({ "cascade": true })).await;
    assert_eq!(refusal(&refused), ("JOB_IN_PROGRESS", "Cannot delete running job. Use cancel instead."));
    let payload = delete(&world, &id, json!({ "cascade": true, "force": true })).await;
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 10);
    gate.open();
    settled(&world).await;
}

async fn a_worker_whose_job_was_deleted_after_its_claim_stops(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::JobClaimed, 1);
    let limits = api::app::Limits { lease: LEASE, ..Default::default() };
    let world = World::with(engine, Setup { checkpoints, limits, ..Default::default() }).await;
    let id = world.create("ANNUAL", "a.csv", file(100)).await["job"]["id"].as_str().unwrap().to_owned();
    gate.wait().await;
    let payload = delete(&world, &id, json!({ "force": true })).await;
    assert_eq!(payload["deletedJobId"], json!(id));
    world.purged().await;
    gate.open();
    settled(&world).await;
}

/// After everything has come to rest: no prediction, no file, no job; and the worker goes on with the next one.
async fn settled(world: &World) {
    let next = world.upload("ANNUAL", "next.csv", file(5)).await;
    world.check_invariants().await;
    assert_eq!(delete(world, &next, json!({ "cascade": true })).await["receipt"]["deletedAnnualPredictions"], 5);
    world.purged().await;
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 0);
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn a_deletion_outlives_its_client(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::DeletionChecked, 1);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let id = world.upload("ANNUAL", "a.csv", file(200)).await;
    let body = json!({ "query": DELETE, "variables": variables(&id, json!({ "cascade": true })) }).to_string();
    let host = world.base().replace("http://", "");
    let mut client = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    client.write_all((head + &body).as_bytes()).await.unwrap();
    gate.wait().await;
    // The connection ends with a reset while the deletion is under way.
    client.set_zero_linger().unwrap();
    drop(client);
    gate.open();
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { deletedAnnualPredictions } }";
    let receipt = world
        .until(async || {
            Some(world.data(query, json!({ "id": id })).await["deletionReceipt"].take())
                .filter(|found| !found.is_null())
        })
        .await;
    assert_eq!(receipt, json!({ "deletedAnnualPredictions": 200 }));
    world.purged().await;
    world.check_invariants().await;
}

/// Many jobs, each deleted by force at another moment of its run, while the worker goes from one to the next.
async fn forced_deletions_at_any_moment_leave_nothing_behind(engine: Engine) {
    let limits = api::app::Limits { batch_rows: 7, lease: LEASE, ..Default::default() };
    let world = World::with(engine, Setup { limits, ..Default::default() }).await;
    let rounds = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 300 } else { 25 };
    for round in 0..rounds {
        let id = world.create("ANNUAL", "a.csv", file(150)).await["job"]["id"].as_str().unwrap().to_owned();
        let progress = "query($id: ID!) { job(id: $id) { progress { processed } } }";
        let wanted = round * 150 / rounds;
        world
            .until(async || {
                let seen = world.data(progress, json!({ "id": id })).await;
                (seen["job"]["progress"]["processed"].as_u64().unwrap() >= wanted).then_some(())
            })
            .await;
        let payload = delete(&world, &id, json!({ "cascade": true, "force": true })).await;
        assert_eq!(payload["deletedJobId"], json!(id), "{payload}");
        assert!(payload["receipt"]["deletedAnnualPredictions"].as_u64().unwrap() >= wanted);
    }
    settled(&world).await;
}
