//! Cleaning a job: its files go, all else stays, and the job can be deleted afterwards.

use api::{checkpoint::Checkpoint, files::sweep, retention::policy::Policy};
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World, people};

use crate::deletion::{self, delete, file};

tests::on_both!(
    cleaning_removes_the_files_and_nothing_else,
    a_clean_job_is_cleaned_no_second_time,
    a_job_that_has_not_ended_or_is_held_is_not_cleaned,
    a_log_that_the_rule_keeps_goes_with_the_job,
    a_deletion_during_the_purge_of_a_clean_job_leaves_no_file,
    a_sweep_leaves_what_is_about_to_be_purged,
    strangers_and_colleagues_clean_nothing,
);

pub const CLEAN: &str = "mutation($id: ID!) { cleanJob(id: $id) {
    job { id dataCleanedAt cleanupSummary { artifacts bytes } artifacts { kind } can { clean delete } }
    userErrors { code message } } }";

/// Cleans a job as the built-in user and gives the payload.
pub async fn clean(world: &World, id: &str) -> Value {
    world.data(CLEAN, json!({ "id": id })).await["cleanJob"].take()
}

fn refusal(payload: &Value) -> (&str, &str) {
    let error = &payload["userErrors"][0];
    (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// A world that is cleaned by these rules, and its server.
async fn with_policy(engine: Engine, policy: Policy) -> World {
    let mut world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    world.stop().await;
    world.app.retention.policy = policy;
    world.serve_all(world.app.clone()).await;
    world
}

async fn cleaning_removes_the_files_and_nothing_else(engine: Engine) {
    let world = World::new(engine).await;
    let bad = file(5) + "S1,Company,1,Industrials,x,Q4,10,1,5,10,3\n";
    let id = world.upload("ANNUAL", "a.csv", bad).await;
    let other = world.upload("ANNUAL", "b.csv", "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,return_on_assets\nX,X,1,I,2001,Q4,1,1,1,1,1\n").await;
    let bytes = world.count("SELECT CAST(sum(size) AS bigint) FROM artifacts").await;
    let others = world.one::<i64>(
        "SELECT CAST(sum(size) AS bigint) FROM artifacts WHERE job_id = $1",
        [other.parse::<sea_orm::prelude::Uuid>().unwrap().into()],
    );
    let bytes = bytes - others.await;

    let payload = clean(&world, &id).await;
    assert_eq!(payload["userErrors"], json!([]));
    let job = &payload["job"];
    assert!(job["dataCleanedAt"].is_string());
    assert_eq!(job["cleanupSummary"], json!({ "artifacts": 3, "bytes": bytes }));
    assert_eq!(job["artifacts"], json!([]));
    assert_eq!(job["can"], json!({ "clean": false, "delete": true }));
    world.purged().await;
    let keys = world.app.store.keys().await.unwrap();
    assert!(keys.len() == 3 && keys.iter().all(|key| key.contains(&other)), "{keys:?}");

    let query = "query($id: ID!) { job(id: $id) { status fileName progress { processed succeeded failed }
        predictions { totalCount } rowErrors { totalCount } } }";
    let seen = world.data(query, json!({ "id": id })).await["job"].take();
    assert_eq!(
        seen,
        json!({ "status": "COMPLETED", "fileName": "a.csv", "progress": { "processed": 6, "succeeded": 5, "failed": 1 },
            "predictions": { "totalCount": 5 }, "rowErrors": { "totalCount": 1 } })
    );
    world.check_invariants().await;

    let receipt = delete(&world, &id, json!({ "cascade": true })).await["receipt"].take();
    assert_eq!(receipt["deletedAnnualPredictions"], 5);
    world.purged().await;
    let state = "query($id: ID!) { deletionReceipt(jobId: $id) { artifacts { total pending bytes completedAt } } }";
    let state = world.data(state, json!({ "id": id })).await["deletionReceipt"]["artifacts"].take();
    assert_eq!((&state["total"], &state["pending"], &state["bytes"]), (&json!(0), &json!(0), &json!(0)));
    assert!(state["completedAt"].is_string());
    world.check_invariants().await;
}

async fn a_clean_job_is_cleaned_no_second_time(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let first = clean(&world, &id).await;
    assert_eq!(clean(&world, &id).await, first);
    let sql = "SELECT detail FROM audit_log WHERE action = 'clean_job' ORDER BY id";
    let said = world.rows(sql).await;
    assert!(said[0]["detail"].as_str().unwrap().starts_with("removed 3 files, "), "{said:?}");
    assert_eq!(said[1]["detail"], "it was cleaned before");
    world.purged().await;
    world.check_invariants().await;
}

async fn a_job_that_has_not_ended_or_is_held_is_not_cleaned(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    for (status, code, message) in [
        ("pending", "JOB_IN_PROGRESS", "Cannot clean pending job. Use cancel instead."),
        ("processing", "JOB_IN_PROGRESS", "Cannot clean running job. Use cancel instead."),
        ("cancelling", "INVALID_STATE", "Cannot clean job while cancellation is in progress."),
    ] {
        let id = world.adopted_job(user, None, "annual", status).await.to_string();
        let payload = clean(&world, &id).await;
        assert_eq!(refusal(&payload), (code, message));
        assert_eq!(payload["job"]["can"]["clean"], false);
        assert_eq!(payload["job"]["dataCleanedAt"], Value::Null);
    }
    let held = world.adopted_job(user, None, "annual", "completed").await.to_string();
    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { job { can { clean } } } }";
    let job = world.data(hold, json!({ "id": held })).await["holdJob"]["job"].take();
    assert_eq!(job["can"]["clean"], false);
    assert_eq!(refusal(&clean(&world, &held).await), ("JOB_ON_HOLD", "The job is on hold: audit"));
    for nothing in ["no id", "0190cf5e-0000-7000-8000-000000000000"] {
        assert_eq!(refusal(&clean(&world, nothing).await), ("JOB_NOT_FOUND", "Job not found"));
    }
    delete(&world, &world.adopted_job(user, None, "annual", "completed").await.to_string(), json!({})).await;
    let gone = world.adopted_job(user, None, "annual", "failed").await.to_string();
    delete(&world, &gone, json!({})).await;
    assert_eq!(refusal(&clean(&world, &gone).await).0, "JOB_ALREADY_DELETED");
}

async fn a_log_that_the_rule_keeps_goes_with_the_job(engine: Engine) {
    let mut policy = Policy::default();
    policy.completed.keep_logs = true;
    let world = with_policy(engine, policy).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let payload = clean(&world, &id).await;
    assert_eq!(payload["job"]["artifacts"], json!([{ "kind": "LOG" }]));
    assert_eq!(payload["job"]["cleanupSummary"]["artifacts"], 2);
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap().len(), 1);
    assert!(world.file(&id, "log").await.contains("A worker begins."));
    world.check_invariants().await;

    let payload = delete(&world, &id, json!({})).await;
    assert_eq!(payload["deletedJobId"], json!(id));
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { artifacts { total pending } } }";
    let state = world.data(query, json!({ "id": id })).await["deletionReceipt"]["artifacts"].take();
    assert_eq!(state, json!({ "total": 1, "pending": 0 }));
    world.check_invariants().await;
}

async fn a_deletion_during_the_purge_of_a_clean_job_leaves_no_file(engine: Engine) {
    // The purge has looked at a job that still knows its log, and comes to its end after the job was deleted.
    let (mut gate, checkpoints) = Gate::first(Checkpoint::PurgeRemoved, 1);
    let mut policy = Policy::default();
    policy.completed.keep_logs = true;
    let mut world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    world.stop().await;
    world.app.retention.policy = policy;
    world.serve_all(world.app.clone()).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    assert_eq!(clean(&world, &id).await["userErrors"], json!([]));
    gate.wait().await;
    assert_eq!(delete(&world, &id, json!({})).await["deletedJobId"], json!(id));
    gate.open();
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn a_sweep_leaves_what_is_about_to_be_purged(engine: Engine) {
    let mut world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    world.stop().await;
    world.serve(world.app.clone()).await;
    assert_eq!(clean(&world, &id).await["userErrors"], json!([]));
    let swept = sweep::sweep(&world.app, std::time::Duration::ZERO, false).await.unwrap();
    assert_eq!((swept.keys.len(), swept.left), (0, 3), "the purge, which nobody carries out here, has them");
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3);
    world.check_invariants().await;
}

async fn strangers_and_colleagues_clean_nothing(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let id = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await.to_string();
    let try_as = async |token: &str| world.data_to(token, CLEAN, json!({ "id": id })).await["cleanJob"].take();
    let message = "Only the job's creator or an administrator of the organization may clean it.";
    assert_eq!(refusal(&try_as(&people.ben.token).await), ("FORBIDDEN", message));
    assert_eq!(refusal(&try_as(&people.dora.token).await), ("JOB_NOT_FOUND", "Job not found"));
    assert_eq!(try_as(&people.carla.token).await["userErrors"], json!([]));
    let payload = try_as(&people.anna.token).await;
    assert_eq!(payload["job"]["cleanupSummary"], json!({ "artifacts": 0, "bytes": 0 }));
    let deleted = world.data_to(&people.anna.token, deletion::DELETE, deletion::variables(&id, json!({}))).await;
    assert_eq!(deleted["deleteJob"]["deletedJobId"], json!(id));
}
