//! The files of deleted jobs: gone in the end, whatever happens; those of living jobs never.

use api::{
    audit::Caller,
    auth::Viewer,
    checkpoint::Checkpoint,
    deletion::execute::{DeleteJob, Outcome, delete_job},
    files::mark,
};
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World};

use super::{delete, file};

tests::on_both!(
    a_store_that_is_down_neither_undoes_a_deletion_nor_loses_the_purge,
    a_folder_that_is_not_mounted_any_more_confirms_no_purge,
    a_purge_that_a_stopped_server_left_is_done_by_the_next,
    files_that_were_never_registered_go_too,
    purges_that_wait_are_claimed_together,
    a_purge_that_hangs_holds_up_no_other,
    a_server_that_stops_waits_for_the_purges_at_hand,
);

async fn a_store_that_is_down_neither_undoes_a_deletion_nor_loses_the_purge(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let (jobs, aside) = (world.artifacts.join("jobs"), world.artifacts.join("aside"));
    std::fs::rename(&jobs, &aside).unwrap();
    std::fs::write(&jobs, "in the way of every listing").unwrap();

    let payload = delete(&world, &id, json!({ "cascade": true })).await;
    assert_eq!(payload["deletedJobId"], json!(id));
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { artifacts { total pending lastError completedAt } } }";
    let state = async || world.data(query, json!({ "id": id })).await["deletionReceipt"]["artifacts"].take();
    let failed = world.until(async || Some(state().await).filter(|state| state["lastError"].is_string())).await;
    assert_eq!(failed["pending"], 3);
    assert_eq!(failed["completedAt"], Value::Null);
    assert_eq!(
        world.data("{ deletionReceipts(filter: {purgePending: true}) { totalCount } }", json!({})).await["deletionReceipts"]
            ["totalCount"],
        1
    );

    std::fs::remove_file(&jobs).unwrap();
    std::fs::rename(&aside, &jobs).unwrap();
    world.purged().await;
    let done = state().await;
    assert_eq!((&done["pending"], &done["lastError"]), (&json!(0), &Value::Null));
    assert!(done["completedAt"].is_string());
    world.check_invariants().await;
}

async fn a_folder_that_is_not_mounted_any_more_confirms_no_purge(engine: Engine) {
    let world = World::new(engine).await;
    mark::check(&world.app).await.unwrap();
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let away = world.artifacts.with_file_name("away");
    std::fs::rename(&world.artifacts, &away).unwrap();
    std::fs::create_dir(&world.artifacts).unwrap();
    delete(&world, &id, json!({ "cascade": true })).await;
    let why = "SELECT last_error FROM artifact_purges WHERE completed_at IS NULL";
    world.until(async || world.one::<Option<String>>(why, []).await).await;

    std::fs::remove_dir_all(&world.artifacts).unwrap();
    std::fs::rename(&away, &world.artifacts).unwrap();
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn a_purge_that_a_stopped_server_left_is_done_by_the_next(engine: Engine) {
    let mut world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    world.stop().await;
    delete_without_server(&world, &id).await;
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3);

    let setup = Setup { url: Some(world.url.clone()), artifacts: Some(world.artifacts.clone()), ..Default::default() };
    let next = World::with(engine, setup).await;
    next.purged().await;
    assert_eq!(next.app.store.keys().await.unwrap(), Vec::<String>::new());
    next.check_invariants().await;
}

/// A deletion whose process ends right after the commit.
async fn delete_without_server(world: &World, id: &str) {
    let caller = Caller { viewer: Viewer::local(), request_id: "r".to_owned() };
    let wanted = DeleteJob { delete_predictions: true, ..DeleteJob::default() };
    let outcome = delete_job(&world.app, &caller, id.parse().unwrap(), &wanted).await.unwrap();
    assert!(matches!(outcome, Outcome::Deleted(_)));
}

async fn purges_that_wait_are_claimed_together(engine: Engine) {
    let mut world = World::new(engine).await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(world.upload("ANNUAL", &format!("{number}.csv"), file(2)).await);
    }
    world.stop().await;
    for id in &jobs {
        delete_without_server(&world, id).await;
    }
    let (mut gate, checkpoints) = Gate::first(Checkpoint::PurgeClaimed, 4);
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    let next = World::with(engine, Setup { url, artifacts, checkpoints, ..Default::default() }).await;
    for _ in 0..4 {
        gate.wait().await;
    }
    let claims = "SELECT count(DISTINCT due_at) FROM artifact_purges WHERE attempts = 1";
    assert_eq!(next.count(claims).await, 1, "one transaction claimed them all");
    gate.open();
    next.purged().await;
    assert_eq!(next.count("SELECT count(*) FROM artifact_purges WHERE attempts <> 1").await, 0);
    assert_eq!(next.app.store.keys().await.unwrap(), Vec::<String>::new());
    next.check_invariants().await;
}

async fn files_that_were_never_registered_go_too(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    let kept = world.upload("ANNUAL", "b.csv", file(6)).await;
    for job in [&id, &kept] {
        let folder = world.artifacts.join("jobs").join(job).join("tasks");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("left"), "x").unwrap();
    }
    delete(&world, &id, json!({})).await;
    world.purged().await;
    let keys = world.app.store.keys().await.unwrap();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| key.contains(&kept)), "{keys:?}");
    world.check_invariants().await;
}

async fn a_purge_that_hangs_holds_up_no_other(engine: Engine) {
    // The first three purges never come to an end; whoever looks for more finds the fourth place.
    let (mut gate, checkpoints) = Gate::first(Checkpoint::PurgeClaimed, 3);
    let mut world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let mut jobs = Vec::new();
    for number in 0..6 {
        jobs.push(world.upload("ANNUAL", &format!("{number}.csv"), file(2)).await);
    }
    for id in &jobs {
        delete(&world, id, json!({})).await;
    }
    for _ in 0..3 {
        gate.wait().await;
    }
    let left = "SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL";
    world.until(async || (world.count(left).await == 3).then_some(())).await;
    assert_eq!(world.app.store.keys().await.unwrap().len(), 9, "the files of the others are gone");
    // Their claims run out, and this server begins none of them a second time.
    world.run("UPDATE artifact_purges SET due_at = '2000-01-01T00:00:00+00:00' WHERE completed_at IS NULL").await;
    let last = world.upload("ANNUAL", "last.csv", file(2)).await;
    delete(&world, &last, json!({})).await;
    world.until(async || (world.count(left).await == 3).then_some(())).await;
    assert_eq!(world.count("SELECT count(*) FROM artifact_purges WHERE attempts <> 1").await, 0);
    gate.open();
    world.purged().await;
    world.stop().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

async fn a_server_that_stops_waits_for_the_purges_at_hand(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::PurgeRemoved, 1);
    let mut world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    for number in 0..2 {
        let id = world.upload("ANNUAL", &format!("{number}.csv"), file(2)).await;
        delete(&world, &id, json!({})).await;
        gate.wait().await;
    }
    let (app, left) = (world.app.clone(), "SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL");
    assert_eq!(world.count(left).await, 2, "both are at work");
    tokio::join!(world.stop(), async {
        app.db.reader().takes_changes().await.unwrap();
        gate.open();
    });
    assert_eq!(world.count(left).await, 0);
    world.check_invariants().await;
}
