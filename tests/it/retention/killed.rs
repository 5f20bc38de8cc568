//! `joblink retention run --direct` as a process that is killed, and given again: it does what is left, and nothing twice.

use std::collections::BTreeSet;

use api::files::mark;
use entity::{deletion_receipt, job, retention_item, retention_run};
use sea_orm::{EntityTrait, QueryOrder, QuerySelect, prelude::Uuid};
use serde_json::json;
use tests::{Engine, World};

use super::{
    command::{joblink, summary},
    due_jobs, ended, later,
    races::idle,
    with_files,
};
use crate::{
    crashes::program::Program,
    migrations::program::{Choke, Running, start_choked},
};

tests::on_both!(
    a_run_that_was_killed_at_any_step_is_repeated,
    a_command_that_was_killed_in_the_middle_is_repeated,
    a_command_that_is_told_to_stop_ends_its_run,
    two_commands_at_once_share_the_jobs,
);

/// What `joblink retention` is told.
pub const RUN: [&str; 4] = ["run", "--direct", "--yes", "--json"];

/// Where a run of batches of two jobs is killed, and how many of the six it has then dealt with.
const STEPS: [(&[&str], usize); 7] = [
    (&["retain", "kill=RetentionBatchBegins"], 0),
    (&["retain", "kill=RetentionBatchBegins:3"], 3),
    (&["retain", "kill=RetentionJobBegins:3"], 2),
    (&["retain", "kill=RetentionJobBeforeCommit:5"], 4),
    (&["retain", "kill=PurgeRemoved:1"], 1),
    (&["retain", "kill=PurgeRemoved:4"], 5),
    (&["retain", "kill=RetentionEnds"], 6),
];

/// Starts `joblink retention run --direct`, and holds it when it has dealt with some jobs of at least 60, and not with all: it
/// has said so of each, and nobody listens.
pub async fn held_in_the_middle(world: &World, settings: &[(&str, &str)]) -> (Running, Choke) {
    let arguments = [&["retention"], &RUN[..]].concat();
    let held = start_choked("joblink", &world.url, &arguments, &[&[("JOBLINK_LOG", "info")], settings].concat());
    let done = async || world.count("SELECT count(*) FROM retention_items").await;
    world.until(async || (done().await > 0).then_some(())).await;
    held
}

/// Each job was dealt with once, by one of so many runs, which all came to their end and counted what they did.
async fn done_once(world: &World, jobs: &[Uuid], runs: usize, name: &str) {
    let db = world.app.db.reader();
    let items = retention_item::Entity::find().all(db).await.unwrap();
    let dealt_with: BTreeSet<Uuid> = items.iter().map(|item| item.job_id).collect();
    assert_eq!((dealt_with, items.len()), (jobs.iter().copied().collect(), jobs.len()), "{name}");
    let found = retention_run::Entity::find().all(db).await.unwrap();
    assert_eq!(found.len(), runs, "{name}");
    for run in found {
        let of_run = |action| items.iter().filter(|item| item.run_id == run.id && item.action == action).count();
        let counted = [run.cleaned, run.deleted].map(|count| usize::try_from(count).unwrap());
        assert_eq!((counted, run.failed), ([of_run("clean"), of_run("delete")], 0), "{name}");
        assert_eq!((run.finished_at.is_some(), run.lease_token), (true, None), "{name}");
        let entries = format!(
            "SELECT count(*) FROM audit_log WHERE detail LIKE 'by command: %' AND target_id = {}",
            id(world, run.id)
        );
        assert_eq!(world.count(&entries).await, 1, "{name}");
    }
    let receipts = deletion_receipt::Entity::find().all(db).await.unwrap();
    let receipts: Vec<Uuid> = receipts.into_iter().map(|receipt| receipt.job_id).collect();
    let deleted: BTreeSet<Uuid> = items.iter().filter(|item| item.action == "delete").map(|item| item.job_id).collect();
    assert_eq!((receipts.iter().copied().collect(), receipts.len()), (deleted.clone(), deleted.len()), "{name}");
    assert_eq!(world.count("SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL").await, 0, "{name}");
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new(), "{name}");
    world.check_invariants().await;
}

/// An id as SQL.
fn id(world: &World, id: Uuid) -> String {
    match world.engine {
        Engine::Sqlite => format!("x'{}'", id.simple()),
        Engine::Postgres => format!("'{id}'"),
    }
}

async fn a_run_that_was_killed_at_any_step_is_repeated(engine: Engine) {
    for (program, dealt_with) in STEPS {
        let name = format!("{program:?}");
        let world = World::with(engine, idle()).await;
        mark::check(&world.app).await.unwrap();
        let clean = ended(&world, "completed", 200).await;
        with_files(&world, &clean, &["input", "log", "results"]).await;
        let jobs = [vec![clean.id], due_jobs(&world, 5).await].concat();
        Program::start(&world.url, world.artifacts.to_str().unwrap(), program).await.died(&name).await;
        let items = world.count("SELECT count(*) FROM retention_items").await;
        assert_eq!(usize::try_from(items).unwrap(), dealt_with, "{name}");
        world.check_invariants().await;

        later(&world).await;
        let again = joblink(&world, &RUN, &[("JOBLINK_LOG", "info")]).await;
        let told = summary(&again);
        assert_eq!(told["items"].as_array().unwrap().len(), jobs.len() - dealt_with, "{name}");
        assert_eq!(told["purgesPending"], 0, "{name}");
        let said = again.err.lines().filter(|line| line.contains("; its process was gone"));
        assert_eq!(said.count(), 1, "{name}: {again:?}");
        done_once(&world, &jobs, 2, &name).await;
    }
}

async fn a_command_that_was_killed_in_the_middle_is_repeated(engine: Engine) {
    let world = World::with(engine, idle()).await;
    mark::check(&world.app).await.unwrap();
    let jobs = due_jobs(&world, 60).await;
    let store = ("JOBLINK_ARTIFACTS", world.artifacts.to_str().unwrap());
    let (mut running, _choke) = held_in_the_middle(&world, &[store]).await;
    running.kill();
    world.check_invariants().await;
    let left = world.count("SELECT count(*) FROM bulk_upload_jobs").await;
    assert!((1..60).contains(&left), "{left}");

    // At once: whoever had it may still be alive, so it stays open, and what is left is done all the same.
    let again = summary(&joblink(&world, &RUN, &[]).await);
    assert_eq!(again["jobs"], json!({ "FAILED": { "DELETE": left } }));
    let open = "SELECT count(*) FROM retention_runs WHERE finished_at IS NULL";
    assert_eq!(world.count(open).await, 1);
    later(&world).await;
    let last = joblink(&world, &RUN, &[("JOBLINK_LOG", "info")]).await;
    assert_eq!(summary(&last)["jobs"], json!({}));
    let said: Vec<_> = last.err.lines().filter(|line| line.contains("retention run ended")).collect();
    let of_killed = format!("by command: cleaned 0 jobs, deleted {}, failed 0, ", 60 - left);
    assert!(said[0].contains(&of_killed) && said[0].contains(" bytes; its process was gone"), "{said:?}");
    done_once(&world, &jobs, 3, "killed").await;
    let runs = retention_run::Entity::find().order_by_asc(retention_run::Column::Id);
    let counts: Vec<i64> = runs.all(world.app.db.reader()).await.unwrap().iter().map(|run| run.deleted).collect();
    assert_eq!(counts, [60 - left, left, 0]);
}

async fn a_command_that_is_told_to_stop_ends_its_run(engine: Engine) {
    let world = World::with(engine, idle()).await;
    mark::check(&world.app).await.unwrap();
    let jobs = due_jobs(&world, 60).await;
    let store = ("JOBLINK_ARTIFACTS", world.artifacts.to_str().unwrap());
    let (mut running, choke) = held_in_the_middle(&world, &[store]).await;
    running.terminate();
    choke.open();
    assert_eq!(running.ended().await, 1);
    let said = "was cut off: it was told to stop; what it had done is done";
    world.until(async || running.err().contains(said).then_some(())).await;
    let left = world.count("SELECT count(*) FROM bulk_upload_jobs").await;
    assert!((1..60).contains(&left), "{left}");
    assert_eq!(world.count("SELECT count(*) FROM retention_runs WHERE finished_at IS NULL").await, 0);
    world.check_invariants().await;

    let again = summary(&joblink(&world, &RUN, &[]).await);
    assert_eq!(again["jobs"], json!({ "FAILED": { "DELETE": left } }));
    done_once(&world, &jobs, 2, "told to stop").await;
}

async fn two_commands_at_once_share_the_jobs(engine: Engine) {
    let world = World::with(engine, idle()).await;
    mark::check(&world.app).await.unwrap();
    let jobs = due_jobs(&world, 300).await;
    // Both have begun before any of them does anything.
    let transaction = world.app.db.begin().await.unwrap();
    job::Entity::find_by_id(jobs[0]).lock_exclusive().one(&*transaction).await.unwrap().unwrap();
    let settings = [("JOBLINK_RETENTION_BATCH_SIZE", "10")];
    let (one, two, ()) = tokio::join!(joblink(&world, &RUN, &settings), joblink(&world, &RUN, &settings), async {
        if engine == Engine::Postgres {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            world.until(async || (world.count(waiting).await == 2).then_some(())).await;
        }
        drop(transaction);
    });
    let (one, two) = (summary(&one), summary(&two));
    let dealt_with = [&one, &two].map(|told| told["items"].as_array().unwrap().len());
    assert_eq!(dealt_with.iter().sum::<usize>(), 300, "{dealt_with:?}");
    assert_eq!((&one["errors"], &two["errors"]), (&json!([]), &json!([])));
    done_once(&world, &jobs, 2, "at once").await;
}
