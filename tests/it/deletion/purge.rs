//! The files of deleted jobs: gone in the end, whatever happens; those of living jobs never.

use api::{
    audit::Caller,
    auth::Viewer,
    deletion::execute::{DeleteJob, Outcome, delete_job},
};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{delete, file};

tests::on_both!(
    a_store_that_is_down_neither_undoes_a_deletion_nor_loses_the_purge,
    a_purge_that_a_stopped_server_left_is_done_by_the_next,
    files_that_were_never_registered_go_too,
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

async fn a_purge_that_a_stopped_server_left_is_done_by_the_next(engine: Engine) {
    let mut world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(5)).await;
    world.stop().await;
    // A deletion whose process ends right after the commit.
    let caller = Caller { viewer: Viewer::local(), request_id: "r".to_owned() };
    let wanted = DeleteJob { delete_predictions: true, ..DeleteJob::default() };
    let outcome = delete_job(&world.app, &caller, id.parse().unwrap(), &wanted).await.unwrap();
    assert!(matches!(outcome, Outcome::Deleted(_)));
    assert_eq!(world.app.store.keys().await.unwrap().len(), 3);

    let setup = Setup { url: Some(world.url.clone()), artifacts: Some(world.artifacts.clone()), ..Default::default() };
    let next = World::with(engine, setup).await;
    next.purged().await;
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
