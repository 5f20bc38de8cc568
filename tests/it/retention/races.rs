//! Runs that meet each other, callers, a store that is down, a failure, or their own end.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
    database::now,
    deletion::purge,
    error::Error,
    retention::{
        policy::Policy,
        run::{self, Outcome, Purges, Wanted},
        schedule,
    },
};
use entity::{
    job, retention_run,
    stored::{RetentionAction, RetentionTrigger},
};
use sea_orm::{EntityTrait, prelude::Uuid};
use serde_json::json;
use tests::{Engine, Gate, Setup, World};
use tokio_util::sync::CancellationToken;

use super::{change, clean::CLEAN, due_jobs, ended, items, later, run as run_here, wanted};
use crate::deletion::{DELETE, delete, variables};

tests::on_both!(
    a_run_finds_done_what_another_process_did_meanwhile,
    two_runs_at_once_share_the_jobs,
    a_job_that_changed_meanwhile_is_left_alone,
    one_job_that_fails_keeps_no_other,
    a_job_that_a_caller_is_about_to_change_is_left_alone,
    a_run_that_was_killed_is_taken_over,
    a_run_that_waits_for_a_server_is_left_to_it,
    a_run_that_others_ended_acts_no_more,
    a_store_that_is_down_keeps_no_run,
    purges_go_on_while_a_claim_is_renewed,
    a_time_of_the_schedule_has_one_run,
);

pub fn idle() -> Setup {
    Setup { idle: true, ..Setup::default() }
}

/// Another process on the same database and store.
pub async fn beside(world: &World, setup: Setup) -> World {
    let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
    World::with(world.engine, Setup { url, artifacts, ..setup }).await
}

async fn a_run_finds_done_what_another_process_did_meanwhile(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::RetentionBatchBegins, 1);
    let first = World::with(engine, Setup { checkpoints, ..idle() }).await;
    due_jobs(&first, 5).await;
    let second = beside(&first, idle()).await;
    let (slow, quick) = tokio::join!(run_here(&first, Policy::default(), now()), async {
        // The first has looked up all five and done nothing to them.
        gate.wait().await;
        let quick = run_here(&second, Policy::default(), now()).await;
        gate.open();
        quick
    });
    assert_eq!((slow.deleted, slow.failed, slow.bytes_freed), (0, 0, 0));
    assert_eq!((quick.deleted, quick.failed), (5, 0));
    assert_eq!(items(&first, slow.id).await, []);
    first.check_invariants().await;
}

async fn two_runs_at_once_share_the_jobs(engine: Engine) {
    let mut first = World::with(engine, idle()).await;
    let jobs = due_jobs(&first, 30).await;
    let mut second = beside(&first, idle()).await;
    (first.app.retention.batch_size, second.app.retention.batch_size) = (7, 4);
    let at = now();
    let (one, two) = tokio::join!(run_here(&first, Policy::default(), at), run_here(&second, Policy::default(), at));
    assert_eq!((one.deleted + two.deleted, one.failed + two.failed), (30, 0));
    let done = [items(&first, one.id).await, items(&first, two.id).await].concat();
    assert_eq!(done.len(), 30);
    let done: HashSet<Uuid> = done.into_iter().map(|item| item.job_id).collect();
    assert_eq!(done, jobs.into_iter().collect());
    assert_eq!(first.count("SELECT count(*) FROM deletion_receipts").await, 30);
    assert_eq!(first.app.store.keys().await.unwrap(), Vec::<String>::new());
    first.check_invariants().await;
}

async fn a_job_that_changed_meanwhile_is_left_alone(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::RetentionBatchBegins, 1);
    let world = World::with(engine, Setup { checkpoints, ..idle() }).await;
    let jobs = due_jobs(&world, 5).await;
    let changed = async |id, change_it: &(dyn Fn(job::Model) -> job::Model + Sync)| {
        let row = job::Entity::find_by_id(id).one(world.app.db.reader()).await.unwrap().unwrap();
        change(&world, change_it(row)).await;
    };
    let (ran, ()) = tokio::join!(run_here(&world, Policy::default(), now()), async {
        gate.wait().await;
        let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { userErrors { code } } }";
        world.data(hold, json!({ "id": jobs[0] })).await;
        delete(&world, &jobs[1].to_string(), json!({})).await;
        changed(jobs[2], &|row| job::Model { status: Some("processing".to_owned()), ..row }).await;
        changed(jobs[3], &|row| job::Model { completed_at: Some(now().naive_utc()), ..row }).await;
        gate.open();
    });
    assert_eq!((ran.deleted, ran.failed), (1, 0));
    let done: Vec<Uuid> = items(&world, ran.id).await.into_iter().map(|item| item.job_id).collect();
    assert_eq!(done, [jobs[4]]);
    let left = job::Entity::find().all(world.app.db.reader()).await.unwrap();
    assert_eq!(left.iter().map(|job| job.id).collect::<HashSet<_>>(), HashSet::from([jobs[0], jobs[2], jobs[3]]));
}

async fn a_job_that_a_caller_is_about_to_change_is_left_alone(engine: Engine) {
    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { userErrors { code } } }";
    for (point, mutation, done) in [
        (Checkpoint::ChangeBeforeCommit, hold, "SELECT count(*) FROM bulk_upload_jobs WHERE held_at IS NOT NULL"),
        (Checkpoint::ChangeBeforeCommit, CLEAN, "SELECT count(*) FROM audit_log WHERE action = 'clean_job'"),
        (Checkpoint::DeletionBeforeCommit, DELETE, "SELECT count(*) FROM deletion_receipts WHERE trigger = 'request'"),
    ] {
        let (mut gate, checkpoints) = Gate::first(point, 1);
        let callers = World::with(engine, Setup { checkpoints, ..idle() }).await;
        let job = ended(&callers, "completed", 200).await.id.to_string();
        let (mut batch, checkpoints) = Gate::first(Checkpoint::RetentionBatchBegins, 1);
        let runner = beside(&callers, Setup { checkpoints, ..idle() }).await;
        let begun = run::begin(&runner.app, &wanted(Policy::default(), now())).await.unwrap().unwrap();
        let stop = CancellationToken::new();
        let (_, ran) = tokio::join!(callers.data(mutation, variables(&job, json!({}))), async {
            gate.wait().await;
            let (ran, ()) = tokio::join!(run::carry_out(&runner.app, begun, &stop, Purges::Elsewhere), async {
                // The caller has the job's row and has changed it, and the run has looked it up as it was.
                batch.wait().await;
                batch.open();
                runner.somebody_waits().await;
                gate.open();
            });
            ran.unwrap()
        });
        let Outcome::Finished(ran) = ran else { panic!("{mutation}: {ran:?}") };
        assert_eq!((ran.cleaned, ran.deleted, ran.failed), (0, 0, 0), "{mutation}");
        assert_eq!(items(&runner, ran.id).await, [], "{mutation}");
        assert_eq!(callers.count(done).await, 1, "{mutation}");
    }
}

async fn one_job_that_fails_keeps_no_other(engine: Engine) {
    let times = Arc::new(AtomicUsize::new(0));
    let passed = times.clone();
    let checkpoints = Checkpoints::hooked(move |at| {
        let fails = at == Checkpoint::RetentionJobBeforeCommit && passed.fetch_add(1, Ordering::SeqCst) == 1;
        Box::pin(async move { if fails { Err(Error::Injected("the second job")) } else { Ok(()) } })
    });
    let world = World::with(engine, Setup { checkpoints, ..idle() }).await;
    let jobs = due_jobs(&world, 3).await;
    let ran = run_here(&world, Policy::default(), now()).await;
    assert_eq!((ran.deleted, ran.failed), (2, 1));
    let done = items(&world, ran.id).await;
    assert_eq!(
        done.iter().map(|item| (item.number, item.error.is_some())).collect::<Vec<_>>(),
        [(1, false), (2, true), (3, false)]
    );
    let said = done[1].error.as_deref().unwrap();
    assert!(said.starts_with("It failed, and nothing was changed; ") && !said.contains("injected"), "{said}");
    assert_eq!((done[1].bytes, done[1].predictions_released), (0, 0));
    let left = job::Entity::find().all(world.app.db.reader()).await.unwrap();
    assert_eq!(left.iter().map(|job| job.id).collect::<Vec<_>>(), [done[1].job_id]);
    assert!(jobs.contains(&done[1].job_id));
    let again = run_here(&world, Policy::default(), now()).await;
    assert_eq!((again.deleted, again.failed), (1, 0));
    world.check_invariants().await;
}

async fn a_run_that_was_killed_is_taken_over(engine: Engine) {
    let (mut gate, checkpoints) = Gate::at(Checkpoint::RetentionJobBeforeCommit, 3);
    let limits = Limits { lease: Duration::from_secs(1), ..Limits::default() };
    let first = World::with(engine, Setup { checkpoints, limits, ..idle() }).await;
    due_jobs(&first, 5).await;
    // Due by now, but not at the moment that the run measures ages at.
    let young = ended(&first, "failed", 12).await.id;
    let at = now() - chrono::TimeDelta::hours(1);
    let begun = run::begin(&first.app, &wanted(Policy::default(), at)).await.unwrap().unwrap();
    let (id, app) = (begun.id, first.app.clone());
    let running =
        tokio::spawn(async move { run::carry_out(&app, begun, &CancellationToken::new(), Purges::Elsewhere).await });
    gate.wait().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let second = beside(&first, Setup { limits, ..Setup::default() }).await;
    let ended = second
        .until(async || {
            let found = retention_run::Entity::find_by_id(id).one(second.app.db.reader()).await.unwrap().unwrap();
            found.finished_at.is_some().then_some(found)
        })
        .await;
    assert_eq!((ended.deleted, ended.failed, ended.lease_token), (5, 0, None));
    let numbers: Vec<i64> = items(&second, id).await.iter().map(|item| item.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(second.count("SELECT count(*) FROM deletion_receipts").await, 5);
    let ends = "SELECT count(*) FROM audit_log WHERE action = 'retention_run' AND detail LIKE 'by command: %'";
    assert_eq!(second.count(ends).await, 1);
    assert!(job::Entity::find_by_id(young).one(second.app.db.reader()).await.unwrap().is_some());
    second.purged().await;
    assert_eq!(second.app.store.keys().await.unwrap(), Vec::<String>::new());
    second.check_invariants().await;
}

async fn a_run_that_waits_for_a_server_is_left_to_it(engine: Engine) {
    let world = World::with(engine, idle()).await;
    due_jobs(&world, 1).await;
    let mut never = Policy::default();
    never.failed.action = RetentionAction::Keep;
    let asked = Wanted { trigger: RetentionTrigger::Request, claimed: false, ..wanted(never, now()) };
    let waits = run::begin(&world.app, &asked).await.unwrap().unwrap();
    // A server had it, and was stopped or killed.
    let planned = Wanted { trigger: RetentionTrigger::Schedule, ..asked };
    let planned = run::begin(&world.app, &planned).await.unwrap().unwrap();
    run::claim(&world.app).await.unwrap().unwrap();
    run::claim(&world.app).await.unwrap().unwrap();
    later(&world).await;
    assert_eq!(run_here(&world, Policy::default(), now()).await.deleted, 1);
    for id in [waits.id, planned.id] {
        let left = retention_run::Entity::find_by_id(id).one(world.app.db.reader()).await.unwrap().unwrap();
        assert_eq!(left.finished_at, None);
    }
    let server = beside(&world, Setup::default()).await;
    let open = "SELECT count(*) FROM retention_runs WHERE finished_at IS NULL";
    server.until(async || (server.count(open).await == 0).then_some(())).await;
    // One of the mutation, and one of each run.
    let entries = world.rows("SELECT detail FROM audit_log WHERE action = 'retention_run' ORDER BY detail").await;
    let nothing = "cleaned 0 jobs, deleted 0, failed 0, 0 bytes";
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert_eq!(entries[0]["detail"], "began by request");
    assert!(entries[1]["detail"].as_str().unwrap().starts_with("by command: cleaned 0 jobs, deleted 1, failed 0, "));
    assert_eq!(entries[2]["detail"], format!("by request: {nothing}"));
    assert_eq!(entries[3]["detail"], format!("by schedule: {nothing}"));
    world.check_invariants().await;
}

async fn a_run_that_others_ended_acts_no_more(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::RetentionJobBegins, 2);
    let first = World::with(engine, Setup { checkpoints, ..idle() }).await;
    due_jobs(&first, 5).await;
    let second = beside(&first, idle()).await;
    let begun = run::begin(&first.app, &wanted(Policy::default(), now())).await.unwrap().unwrap();
    let id = begun.id;
    let stop = CancellationToken::new();
    let (slow, quick) = tokio::join!(run::carry_out(&first.app, begun, &stop, Purges::Here), async {
        gate.wait().await;
        gate.let_one();
        gate.wait().await;
        // It has done one job, and is so slow with the next that it is taken for dead.
        later(&second).await;
        let quick = run_here(&second, Policy::default(), now()).await;
        gate.open();
        quick
    });
    assert!(matches!(slow.unwrap(), Outcome::Lost));
    assert_eq!((quick.deleted, quick.failed), (4, 0));
    let ended = retention_run::Entity::find_by_id(id).one(first.app.db.reader()).await.unwrap().unwrap();
    assert_eq!((ended.deleted, ended.finished_at.is_some(), ended.lease_token), (1, true, None));
    assert_eq!((items(&first, id).await.len(), items(&first, quick.id).await.len()), (1, 4));
    let said = first.rows("SELECT detail FROM audit_log WHERE action = 'retention_run' ORDER BY id").await;
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0]["detail"].as_str().unwrap().ends_with(" bytes; its process was gone"), "{said:?}");
    second.check_invariants().await;
}

async fn a_store_that_is_down_keeps_no_run(engine: Engine) {
    let world = World::with(engine, idle()).await;
    due_jobs(&world, 3).await;
    let (jobs, aside) = (world.artifacts.join("jobs"), world.artifacts.join("aside"));
    std::fs::rename(&jobs, &aside).unwrap();
    std::fs::write(&jobs, "in the way of every listing").unwrap();
    let ran = run_here(&world, Policy::default(), now()).await;
    assert_eq!((ran.deleted, ran.failed), (3, 0));
    let left = "SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL";
    assert_eq!(world.count(left).await, 3);
    std::fs::remove_file(&jobs).unwrap();
    std::fs::rename(&aside, &jobs).unwrap();
    world.run("UPDATE artifact_purges SET due_at = '2000-01-01T00:00:00+00:00'").await;
    assert!(purge::drain(&world.app).await.unwrap());
    assert_eq!(world.count(left).await, 0);
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    world.check_invariants().await;
}

/// On SQLite a purge and the renewal wait for the same turn at the database.
async fn purges_go_on_while_a_claim_is_renewed(engine: Engine) {
    // Renewed three times as often as it takes.
    let limits = Limits { lease: Duration::from_millis(30), purges: 16, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..idle() }).await;
    let ran = {
        due_jobs(&world, 60).await;
        tokio::time::timeout(Duration::from_mins(1), run_here(&world, Policy::default(), now())).await
    };
    assert_eq!(ran.expect("it came to its end").deleted, 60);
    world.check_invariants().await;
}

async fn a_time_of_the_schedule_has_one_run(engine: Engine) {
    let first = World::with(engine, idle()).await;
    let second = beside(&first, idle()).await;
    let time = "2026-01-02T02:00:00Z".parse().unwrap();
    let next = "2026-01-03T02:00:00Z".parse().unwrap();
    let (one, two) = tokio::join!(schedule::begin(&first.app, time), schedule::begin(&second.app, time));
    assert!(one.unwrap() != two.unwrap(), "one of them begins it");
    assert!(schedule::begin(&second.app, next).await.unwrap());
    assert_eq!(first.count("SELECT count(*) FROM retention_runs WHERE triggered_by = 'schedule'").await, 2);
}
