//! Which jobs a run acts on: exactly those of the preview at the same moment, whatever the rules.

use api::{
    database::now,
    retention::{
        due::{self, Item, Totals, Walk},
        policy::{After, Policy},
    },
};
use entity::{
    job,
    stored::RetentionAction::{Clean, Delete, Keep},
};
use sea_orm::{EntityTrait, prelude::DateTimeUtc};
use serde_json::json;
use tests::{Engine, Setup, World};

use super::{change, ended, items, run, with_files};

tests::on_both!(
    a_run_does_exactly_what_the_preview_shows,
    the_usual_policy_cleans_completed_jobs_and_deletes_the_others,
    receipts_name_the_rule,
);

/// All that a run at this moment would do.
async fn foreseen(world: &World, policy: &Policy, at: DateTimeUtc) -> Vec<Item> {
    let (mut walk, mut items) = (Walk::new(*policy, at), Vec::new());
    while let Some((_, jobs)) = walk.next(world.app.db.reader(), 3).await.unwrap() {
        items.extend(due::foresee(world.app.db.reader(), policy, jobs).await.unwrap());
    }
    items
}

/// Jobs in every state, old and young, held, adopted, cleaned, with files and predictions.
async fn town(world: &World) {
    for status in ["completed", "failed", "cancelled", "pending", "processing", "cancelling", "strange"] {
        for hours in [1, 13, 200] {
            let plain = ended(world, status, hours).await;
            with_files(world, &plain, &["input", "log", "results"]).await;
            world.linked_predictions(plain.id, "manifest", 2).await;
            let held = ended(world, status, hours).await;
            let hold = |row| job::Model { held_at: Some(now()), hold_reason: Some("audit".to_owned()), ..row };
            change(world, hold(held)).await;
            let adopted = ended(world, status, hours).await;
            change(world, job::Model { origin: None, ..adopted }).await;
            let clean = ended(world, status, hours).await;
            let cleaned = |row| job::Model {
                data_cleaned_at: Some(now()),
                cleanup_summary: Some("{\"artifacts\":0,\"bytes\":0}".to_owned()),
                ..row
            };
            change(world, cleaned(clean)).await;
        }
    }
}

fn policies() -> Vec<(Policy, usize)> {
    let usual = Policy::default();
    let mut all_cleaned = usual;
    let mut all_deleted = usual;
    for (cleaned, deleted) in [
        (&mut all_cleaned.completed, &mut all_deleted.completed),
        (&mut all_cleaned.failed, &mut all_deleted.failed),
        (&mut all_cleaned.cancelled, &mut all_deleted.cancelled),
    ] {
        (cleaned.action, cleaned.keep_logs) = (Clean, true);
        (deleted.action, deleted.delete_predictions) = (Delete, true);
        deleted.after = "1h".parse().unwrap();
    }
    all_deleted.include_adopted = true;
    let mut nothing = usual;
    nothing.completed.action = Keep;
    nothing.failed.after = After::Never;
    nothing.cancelled.after = "300h".parse().unwrap();
    // With how many jobs of the town each is about: of a state and an age the plain one; if it deletes the cleaned one too,
    // and if it says so the adopted one.
    vec![(nothing, 0), (usual, 1 + 4 + 4), (all_cleaned, 1 + 2 + 2), (all_deleted, 3 * 3 * 3)]
}

async fn a_run_does_exactly_what_the_preview_shows(engine: Engine) {
    let setup = || Setup { idle: true, ..Setup::default() };
    for (number, (policy, expected)) in policies().into_iter().enumerate() {
        let mut world = World::with(engine, setup()).await;
        world.app.retention.batch_size = 2;
        town(&world).await;
        let at = now();
        let before = job::Entity::find().all(world.app.db.reader()).await.unwrap();
        let shown = foreseen(&world, &policy, at).await;
        let totals = due::totals(world.app.db.reader(), &policy, at).await.unwrap();
        let of = |action| u64::try_from(shown.iter().filter(|item| item.action == action).count()).unwrap();
        let bytes = shown.iter().map(|item| item.bytes).sum();
        assert_eq!(totals, Totals { clean: of(Clean), delete: of(Delete), bytes }, "policy {number}");
        assert_eq!(shown.len(), expected, "policy {number}: {shown:?}");

        let ran = run(&world, policy, at).await;
        let done: Vec<Item> = items(&world, ran.id).await.into_iter().map(Item::from).collect();
        assert_eq!(done, shown, "policy {number}");
        assert_eq!((ran.failed, ran.bytes_freed), (0, bytes), "policy {number}");
        assert_eq!(u64::try_from(ran.cleaned).unwrap(), totals.clean);
        assert_eq!(u64::try_from(ran.deleted).unwrap(), totals.delete);

        // All others are as they were; and nothing is left to do.
        let touched = |id| done.iter().any(|item| item.job == id);
        let after = job::Entity::find().all(world.app.db.reader()).await.unwrap();
        for row in before.iter().filter(|row| !touched(row.id)) {
            assert!(after.contains(row), "policy {number}: {row:?}");
        }
        let again = run(&world, policy, at).await;
        assert_eq!((again.cleaned, again.deleted, again.failed), (0, 0, 0), "policy {number}");
        assert_eq!(world.count("SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL").await, 0);
        let files = world.app.store.keys().await.unwrap().len();
        let known = usize::try_from(world.count("SELECT count(*) FROM artifacts").await).unwrap();
        assert_eq!(files, known, "policy {number}");
    }
}

async fn the_usual_policy_cleans_completed_jobs_and_deletes_the_others(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let mut jobs = Vec::new();
    for (status, hours) in
        [("completed", 7 * 24 - 1), ("completed", 7 * 24), ("failed", 11), ("failed", 12), ("cancelled", 12)]
    {
        let job = ended(&world, status, hours).await;
        with_files(&world, &job, &["input", "log", "results"]).await;
        world.linked_predictions(job.id, "manifest", 2).await;
        jobs.push(job.id);
    }
    let ran = run(&world, Policy::default(), now()).await;
    assert_eq!((ran.cleaned, ran.deleted, ran.failed), (1, 2, 0));
    let done: Vec<_> = items(&world, ran.id).await.into_iter().map(|item| (item.job_id, item.action)).collect();
    assert_eq!(done, [(jobs[1], "clean".to_owned()), (jobs[3], "delete".to_owned()), (jobs[4], "delete".to_owned())]);
    assert_eq!(world.app.store.keys().await.unwrap().len(), 6, "of the two that are young");
    let released = "SELECT count(*) FROM annual_predictions WHERE job_id IS NULL AND job_link = 'released'";
    assert_eq!(world.count(released).await, 4);
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await, 6);
}

async fn receipts_name_the_rule(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let failed = ended(&world, "failed", 13).await;
    let row = job::Model { error_message: Some("The file has no row.".to_owned()), ..failed };
    let id = change(&world, row).await.id;
    let cleaned = ended(&world, "completed", 200).await.id;
    let ran = run(&world, Policy::default(), now()).await;
    let query =
        "query($id: ID!) { deletionReceipt(jobId: $id) { trigger reason force deletedBy { id } errorMessage } }";
    assert_eq!(
        world.data(query, json!({ "id": id })).await["deletionReceipt"],
        json!({ "trigger": "RETENTION", "reason": "retention: FAILED jobs are deleted 12 hours after their end",
            "force": false, "deletedBy": null, "errorMessage": "The file has no row." })
    );
    let log = "{ auditLog { nodes { action actor { id } targetId detail } } }";
    let log = world.data(log, json!({})).await["auditLog"]["nodes"].take();
    let entry = |action: &str, target, detail: &str| json!({ "action": action, "actor": null, "targetId": target, "detail": detail });
    assert_eq!(
        log,
        json!([
            entry("RETENTION_RUN", ran.id, "by command: cleaned 1 job, deleted 1, failed 0, 0 bytes"),
            entry("DELETE_JOB", id, "deleted 0 annual predictions and 0 quarterly predictions, released 0"),
            entry(
                "CLEAN_JOB",
                cleaned,
                "removed 0 files, 0 bytes; retention: COMPLETED jobs are cleaned 7 days after their end"
            ),
        ])
    );
}
