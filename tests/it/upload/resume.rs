//! A job is finished whatever happens to the server that runs it: no row twice, none lost, counters exact. Jobs of the
//! older program are its own affair.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
    error::Error,
};
use sea_orm::prelude::Uuid;
use tests::{Engine, Setup, World};
use tokio::sync::Semaphore;

use super::{annual, good_row, job_id, lines, predictions, progress, row_errors};

tests::on_both!(
    a_job_that_a_stopped_server_left_is_finished_by_the_next,
    a_worker_that_fails_or_panics_is_followed_by_another,
    a_worker_that_was_taken_for_dead_writes_nothing_more,
    a_worker_that_is_slow_keeps_its_claim,
    any_interruptions_end_as_an_undisturbed_run_does,
    jobs_of_the_older_program_are_never_touched,
    a_job_whose_file_is_gone_fails_and_says_so,
);

/// What happens to whoever passes a checkpoint.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Wait,
    Fail,
    Panic,
}

/// Something that happens once, at the nth time that a checkpoint is passed.
#[derive(Clone)]
struct Interruption {
    happened: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Interruption {
    fn at(checkpoint: Checkpoint, nth: usize, mishap: Mishap) -> (Self, Checkpoints) {
        let interruption = Self { happened: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) };
        let (this, passed) = (interruption.clone(), Arc::new(AtomicUsize::new(0)));
        let checkpoints = Checkpoints::hooked(move |at| {
            let now = at == checkpoint && passed.fetch_add(1, Ordering::SeqCst) + 1 == nth;
            let this = this.clone();
            Box::pin(async move {
                if !now {
                    return Ok(());
                }
                this.happened.add_permits(1);
                match mishap {
                    Mishap::Wait => this.go.acquire().await.unwrap().forget(),
                    Mishap::Fail => return Err(Error::Injected("a batch")),
                    Mishap::Panic => panic!("injected"),
                }
                Ok(())
            })
        });
        (interruption, checkpoints)
    }

    async fn happened(&self) {
        self.happened.acquire().await.unwrap().forget();
    }

    fn go_on(&self) {
        self.go.add_permits(1);
    }
}

/// Lets the claim of a worker run out, as if it had not renewed it for a while.
const EXPIRE: &str = "UPDATE bulk_upload_jobs SET lease_expires_at = '2000-01-01T00:00:00+00:00'";

fn limits(batch_rows: usize, lease: Duration) -> Limits {
    Limits { batch_rows, lease, ..Limits::default() }
}

/// Another server on the database and the files of a world.
async fn another(world: &World, limits: Limits, checkpoints: Checkpoints) -> World {
    let setup = Setup {
        url: Some(world.url.clone()),
        artifacts: Some(world.artifacts.clone()),
        limits,
        checkpoints,
        ..Setup::default()
    };
    World::with(world.engine, setup).await
}

/// A hundred rows: good ones, repeated periods, bad ones, and line ends in quotes.
fn mixed() -> String {
    lines((0..100).map(|row| match row % 10 {
        3 => good_row(&format!("S{}", row / 20), 2000 + row - 1),
        5 => good_row("BAD", 1),
        7 => good_row(&format!("S{}", row / 20), 2000 + row).replacen("Company", "\"Com\npany\"", 1),
        _ => good_row(&format!("S{}", row / 20), 2000 + row),
    }))
}

/// What an undisturbed run of [`mixed`] gives.
async fn undisturbed(engine: Engine) -> ((String, [i64; 4]), Vec<String>, Vec<String>) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "mixed.csv", mixed()).await;
    let outcome = outcome(&world, &id).await;
    assert_eq!(outcome.0, ("COMPLETED".to_owned(), [100, 100, 80, 20]));
    outcome
}

async fn outcome(world: &World, id: &str) -> ((String, [i64; 4]), Vec<String>, Vec<String>) {
    world.ended(id).await;
    world.check_invariants().await;
    (progress(world, id).await, row_errors(world, id).await, predictions(world).await)
}

async fn a_job_that_a_stopped_server_left_is_finished_by_the_next(engine: Engine) {
    let (held, checkpoints) = Interruption::at(Checkpoint::BatchBegins, 2, Mishap::Wait);
    // The lease would outlast the test: a server that stops gives its job back.
    let limits = limits(10, Duration::from_mins(10));
    let mut world = World::with(engine, Setup { limits, checkpoints, ..Setup::default() }).await;
    let id = job_id(&world.create("ANNUAL", "mixed.csv", mixed()).await);
    held.happened().await;
    tokio::join!(world.stop(), async { held.go_on() });
    let left = "SELECT count(*) FROM bulk_upload_jobs WHERE status = 'processing' AND processed_rows = 20";
    assert_eq!(world.count(left).await, 1, "the batch at hand was finished");
    world.check_invariants().await;
    let next = another(&world, limits, Checkpoints::default()).await;
    assert_eq!(outcome(&next, &id).await, undisturbed(engine).await);
}

async fn a_worker_that_fails_or_panics_is_followed_by_another(engine: Engine) {
    for (at, mishap) in [
        (Checkpoint::BatchBeforeCommit, Mishap::Fail),
        (Checkpoint::BatchBeforeCommit, Mishap::Panic),
        (Checkpoint::JobClaimed, Mishap::Fail),
    ] {
        let nth = if at == Checkpoint::JobClaimed { 1 } else { 3 };
        let (failure, checkpoints) = Interruption::at(at, nth, mishap);
        let limits = limits(10, Duration::from_millis(500));
        let world = World::with(engine, Setup { limits, checkpoints, ..Setup::default() }).await;
        let id = job_id(&world.create("ANNUAL", "mixed.csv", mixed()).await);
        failure.happened().await;
        assert_eq!(outcome(&world, &id).await, undisturbed(engine).await, "{at:?} {mishap:?}");
    }
}

async fn a_worker_that_was_taken_for_dead_writes_nothing_more(engine: Engine) {
    let (held, checkpoints) = Interruption::at(Checkpoint::BatchBegins, 3, Mishap::Wait);
    let limits = limits(10, Duration::from_mins(10));
    let mut first = World::with(engine, Setup { limits, checkpoints, ..Setup::default() }).await;
    // Good rows alone: a second record of a bad row would fail by itself.
    let id = job_id(&first.create("ANNUAL", "good.csv", annual(100)).await);
    held.happened().await;
    first.run(EXPIRE).await;
    // The other server takes the job over and is held up in the middle in its turn, while the first wakes up.
    let (second_held, checkpoints) = Interruption::at(Checkpoint::BatchBegins, 2, Mishap::Wait);
    let second = another(&first, limits, checkpoints).await;
    second_held.happened().await;
    held.go_on();
    first.stop().await;
    let committed = "SELECT count(*) FROM bulk_upload_jobs WHERE status = 'processing' AND processed_rows = 30";
    assert_eq!(first.count(committed).await, 1, "two batches of the first worker and one of the second");
    second_held.go_on();
    let (progress, errors, stored) = outcome(&second, &id).await;
    assert_eq!(progress, ("COMPLETED".to_owned(), [100, 100, 100, 0]));
    assert_eq!((errors.len(), stored.len()), (0, 100));
}

async fn a_worker_that_is_slow_keeps_its_claim(engine: Engine) {
    let (held, checkpoints) = Interruption::at(Checkpoint::BatchBegins, 3, Mishap::Wait);
    let limits = limits(10, Duration::from_secs(15));
    let slow = World::with(engine, Setup { limits, checkpoints, ..Setup::default() }).await;
    let id = job_id(&slow.create("ANNUAL", "mixed.csv", mixed()).await);
    held.happened().await;
    let claim =
        "SELECT CAST(lease_token AS text) AS token, CAST(lease_expires_at AS text) AS expires FROM bulk_upload_jobs";
    let before = slow.rows(claim).await;
    let after = slow.until(async || Some(slow.rows(claim).await).filter(|now| *now != before)).await;
    assert_eq!(after[0]["token"], before[0]["token"]);
    assert!(after[0]["expires"].as_str() > before[0]["expires"].as_str());
    // Cancelled, it is not renewed any more: its worker might hang.
    let cancel = "mutation($id: ID!) { cancelJob(id: $id) { job { status } } }";
    let cancelled = slow.data(cancel, serde_json::json!({ "id": id })).await;
    assert_eq!(cancelled["cancelJob"]["job"]["status"], "CANCELLING");
    slow.run(EXPIRE).await;
    let other = another(&slow, limits, Checkpoints::default()).await;
    assert_eq!(other.ended(&id).await, "cancelled");
    held.go_on();
    other.check_invariants().await;
}

async fn any_interruptions_end_as_an_undisturbed_run_does(engine: Engine) {
    let wanted = undisturbed(engine).await;
    let rounds = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 60 } else { 5 };
    for _ in 0..rounds {
        let asleep = World::with(engine, Setup { asleep: true, ..Setup::default() }).await;
        let mut id = None;
        let mut course = Vec::new();
        loop {
            let mut random = Uuid::new_v4().as_u128() as usize;
            let mut one_of = |many: usize| {
                let one = random % many;
                random /= many;
                one
            };
            let batch_rows = one_of(40) + 1;
            let at = [Checkpoint::BatchBegins, Checkpoint::BatchBeforeCommit][one_of(2)];
            let mishap = [Mishap::Wait, Mishap::Fail, Mishap::Panic][one_of(3)];
            let nth = one_of(4) + 1;
            course.push((batch_rows, at, nth, mishap));
            let (interruption, checkpoints) = Interruption::at(at, nth, mishap);
            let mut world = another(&asleep, limits(batch_rows, Duration::ZERO), checkpoints).await;
            if id.is_none() {
                id = Some(job_id(&world.create("ANNUAL", "mixed.csv", mixed()).await));
            }
            tokio::select! {
                () = interruption.happened() => {}
                _ = world.ended(id.as_ref().unwrap()) => {
                    assert_eq!(outcome(&world, id.as_ref().unwrap()).await, wanted, "{course:?}");
                    break;
                }
            }
            tokio::join!(world.stop(), async { interruption.go_on() });
            world.check_invariants().await;
        }
    }
}

async fn jobs_of_the_older_program_are_never_touched(engine: Engine) {
    let world = World::with(engine, Setup { limits: limits(10, Duration::ZERO), ..Setup::default() }).await;
    let user = world.local_user().await;
    for status in ["pending", "queued", "processing"] {
        world.adopted_job(user, None, "annual", status).await;
    }
    let adopted = "SELECT * FROM bulk_upload_jobs WHERE origin IS NULL ORDER BY id";
    let before = world.rows(adopted).await;
    assert_eq!(before.len(), 3);
    // Jobs are claimed in the order of their ids, so a worker that took any would have taken these first.
    world.upload("ANNUAL", "mixed.csv", mixed()).await;
    assert_eq!(world.rows(adopted).await, before);
    world.check_invariants().await;
}

async fn a_job_whose_file_is_gone_fails_and_says_so(engine: Engine) {
    let (interruption, checkpoints) = Interruption::at(Checkpoint::JobClaimed, 1, Mishap::Wait);
    let world = World::with(engine, Setup { checkpoints, ..Default::default() }).await;
    let created = world.create("ANNUAL", "a.csv", annual(1)).await;
    let id = created["job"]["id"].as_str().unwrap().to_owned();
    interruption.happened.acquire().await.unwrap().forget();
    std::fs::remove_dir_all(world.artifacts.join("jobs").join(&id)).unwrap();
    interruption.go.add_permits(1);
    assert_eq!(world.ended(&id).await, "failed");
    let seen =
        world.data("query($id: ID!) { job(id: $id) { status errorMessage } }", serde_json::json!({ "id": id })).await;
    assert_eq!(seen["job"]["errorMessage"], "The input file is gone from the artifact store.");
}
