//! Forced deletions of active jobs, with the worker wherever it can be, who comes first decided by the test: each ends in one
//! receipt of what went, and nothing is left of the job but what was to be kept.

use std::time::Duration;

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World};
use tokio::task::JoinHandle;

use super::{DELETE, delete, variables};
use crate::{
    jobs::{CANCEL, cancel},
    upload::{files_on_disk, good_row, lines},
};

tests::on_both!(
    a_forced_deletion_of_a_running_job_goes_with_any_step_of_its_worker,
    a_forced_deletion_of_a_job_being_cancelled_goes_with_any_step_of_its_worker,
    a_forced_deletion_of_a_pending_job_goes_with_a_worker_that_begins,
    of_end_cancellation_and_forced_deletion_at_once_each_finds_what_was_before,
);

/// How many cases run at a time: each has a server of its own.
const AT_ONCE: usize = 4;
/// Rows that a batch of ten stores; one has an error.
const STORED: i64 = 9;

/// Who is first at the job's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// The deletion, from its beginning to its end.
    Deletion,
    /// The deletion, which is about to commit when the worker comes.
    DeletionHolds,
    /// The worker, which brings the job to its end before the deletion looks at it.
    Worker,
    /// The worker, which is about to commit when the deletion comes.
    WorkerHolds,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    /// Where the worker is.
    at: (Checkpoint, usize),
    order: Order,
    cascade: bool,
    /// The status of the job when it is deleted.
    status: &'static str,
    /// How many batches are stored by then, at least.
    batches: i64,
}

/// Where a worker is between two transactions, and how many batches it has committed.
type Between = (Checkpoint, usize, i64);

/// Every order for every place, each with and without the predictions. `end`: the job's end, where the worker comes to it.
fn cases(places: &[Between], status: &'static str, end: (&'static str, i64), holding: &[Case]) -> Vec<Case> {
    let mut cases = holding.to_vec();
    for (checkpoint, nth, batches) in places {
        for order in [Order::Deletion, Order::DeletionHolds, Order::Worker] {
            let (status, batches) = if order == Order::Worker { end } else { (status, *batches) };
            cases.push(Case { at: (*checkpoint, *nth), order, cascade: false, status, batches });
        }
    }
    cases.iter().flat_map(|case| [true, false].map(|cascade| Case { cascade, ..*case })).collect()
}

const fn holding(at: (Checkpoint, usize), status: &'static str, batches: i64) -> Case {
    Case { at, order: Order::WorkerHolds, cascade: false, status, batches }
}

/// Five batches of ten rows.
fn file() -> String {
    lines((0..50).map(|row| if row % 10 == 9 { good_row("BAD", 1) } else { good_row("A", 1950 + row) }))
}

fn limits() -> Limits {
    // The purge of a job whose worker was alive waits for its lease.
    Limits { batch_rows: 10, lease: Duration::from_secs(1), ..Limits::default() }
}

async fn create(world: &World) -> String {
    world.create("ANNUAL", "a.csv", file()).await["job"]["id"].as_str().unwrap().to_owned()
}

async fn a_forced_deletion_of_a_running_job_goes_with_any_step_of_its_worker(engine: Engine) {
    let places = [
        (Checkpoint::JobClaimed, 1, 0),
        (Checkpoint::BatchBegins, 1, 0),
        (Checkpoint::BatchBegins, 3, 2),
        (Checkpoint::ResultsPiece, 1, 5),
        (Checkpoint::OutputsWritten, 1, 5),
    ];
    let holding = [
        holding((Checkpoint::BatchBeforeCommit, 3), "RUNNING", 3),
        holding((Checkpoint::JobEndBeforeCommit, 1), "COMPLETED", 5),
    ];
    let cases = cases(&places, "RUNNING", ("COMPLETED", 5), &holding);
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| run(engine, case, false)).await;
}

async fn a_forced_deletion_of_a_job_being_cancelled_goes_with_any_step_of_its_worker(engine: Engine) {
    let places =
        [(Checkpoint::BatchBegins, 3, 2), (Checkpoint::ResultsPiece, 1, 2), (Checkpoint::OutputsWritten, 1, 2)];
    let holding = [holding((Checkpoint::JobEndBeforeCommit, 1), "CANCELLED", 2)];
    let cases = cases(&places, "CANCELLING", ("CANCELLED", 2), &holding);
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| run(engine, case, true)).await;
}

async fn run(engine: Engine, case: Case, cancelled: bool) {
    let begins = [(Checkpoint::BatchBegins, 3), (Checkpoint::DeletionBegins, 1), (Checkpoint::DeletionBeforeCommit, 1)];
    let ([mut worker, mut batch, mut begun, mut done], checkpoints) =
        Gate::each([case.at, begins[0], begins[1], begins[2]]);
    let world = World::with(engine, Setup { checkpoints, limits: limits(), ..Setup::default() }).await;
    let id = create(&world).await;
    if cancelled {
        let at_batch = if case.at == begins[0] { &mut worker } else { &mut batch };
        at_batch.wait().await;
        assert_eq!(cancel(&world, &id).await["job"]["status"], "CANCELLING");
        batch.open();
        if case.at != begins[0] {
            worker.wait().await;
        }
    } else {
        batch.open();
        worker.wait().await;
    }
    let deletion = delete(&world, &id, json!({ "cascade": case.cascade, "force": true }));
    let others = async {
        begun.wait().await;
        match case.order {
            Order::Deletion => {}
            Order::DeletionHolds => {
                begun.open();
                done.wait().await;
                worker.open();
                world.somebody_waits().await;
            }
            Order::Worker => {
                worker.open();
                world.ended(&id).await;
            }
            Order::WorkerHolds => {
                begun.open();
                world.somebody_waits().await;
                worker.open();
            }
        }
        begun.open();
        done.open();
    };
    let (payload, ()) = tokio::join!(deletion, others);
    worker.open();
    check(&world, &id, &payload, case).await;
}

async fn a_forced_deletion_of_a_pending_job_goes_with_a_worker_that_begins(engine: Engine) {
    let orders = [Order::Deletion, Order::DeletionHolds, Order::Worker];
    let cases = orders.into_iter().flat_map(|order| {
        let (status, batches) = if order == Order::Worker { ("COMPLETED", 5) } else { ("PENDING", 0) };
        let at = (Checkpoint::JobClaimed, 1);
        [true, false].map(|cascade| Case { at, order, cascade, status, batches })
    });
    stream::iter(cases).for_each_concurrent(AT_ONCE, |case| run_pending(engine, case)).await;
}

async fn run_pending(engine: Engine, case: Case) {
    let ([mut begun, mut done], checkpoints) =
        Gate::each([(Checkpoint::DeletionBegins, 1), (Checkpoint::DeletionBeforeCommit, 1)]);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let id = create(&world).await;
    let with_worker = async || {
        let (url, artifacts) = (Some(world.url.clone()), Some(world.artifacts.clone()));
        World::with(engine, Setup { url, artifacts, limits: limits(), ..Setup::default() }).await
    };
    let deletion = delete(&world, &id, json!({ "cascade": case.cascade, "force": true }));
    let others = async {
        begun.wait().await;
        let early = match case.order {
            Order::Deletion => None,
            Order::DeletionHolds => {
                begun.open();
                done.wait().await;
                Some(with_worker().await)
            }
            Order::Worker | Order::WorkerHolds => {
                let server = with_worker().await;
                server.ended(&id).await;
                Some(server)
            }
        };
        begun.open();
        done.open();
        early
    };
    let (payload, early) = tokio::join!(deletion, others);
    let server = match early {
        Some(server) => server,
        None => with_worker().await,
    };
    check(&server, &id, &payload, case).await;
}

/// The job is gone with one receipt of what went; its worker is at the next job; and no file is left.
async fn check(world: &World, id: &str, payload: &Value, case: Case) {
    assert_eq!((&payload["deletedJobId"], &payload["userErrors"]), (&json!(id), &json!([])), "{case:?}: {payload}");
    let receipt = &payload["receipt"];
    let counts = [&receipt["deletedAnnualPredictions"], &receipt["releasedPredictions"]].map(|it| it.as_i64().unwrap());
    let went = counts[0] + counts[1];
    assert_eq!(counts[usize::from(case.cascade)], 0, "{case:?}: {receipt}");
    if case.at.0 == Checkpoint::BatchBeforeCommit {
        // The worker may win the row once more.
        assert!(went >= case.batches * STORED && went % STORED == 0, "{case:?}: {receipt}");
    } else {
        assert_eq!((&receipt["jobStatus"], went), (&json!(case.status), case.batches * STORED), "{case:?}");
    }
    let linked = "SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL";
    assert_eq!(world.count(linked).await, 0, "{case:?}");
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, counts[1], "{case:?}");

    let next = world.upload("ANNUAL", "next.csv", lines([good_row("NEXT", 2001)])).await;
    assert_eq!(delete(world, &next, json!({ "cascade": true })).await["receipt"]["deletedAnnualPredictions"], 1);
    // The worker has left the job, so nothing more can come: the purge needs not wait for the lease.
    world.run("UPDATE artifact_purges SET settles_at = NULL, due_at = '2000-01-01T00:00:00+00:00'").await;
    world.app.job_deleted.notify_one();
    world.purged().await;
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, counts[1], "{case:?}");
    for table in ["bulk_upload_jobs", "artifacts", "row_errors", "job_log"] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{case:?}: {table}");
    }
    assert_eq!(world.count("SELECT count(*) FROM deletion_receipts").await, 2, "{case:?}");
    assert_eq!(files_on_disk(world), Vec::<String>::new(), "{case:?}");
    world.check_invariants().await;
}

/// Who is at the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    End,
    Cancellation,
    Deletion,
}

/// Where each of them is about to begin, and then where each is about to commit.
const PLACES: [Checkpoint; 6] = [
    Checkpoint::OutputsWritten,
    Checkpoint::ChangeBegins,
    Checkpoint::DeletionBegins,
    Checkpoint::JobEndBeforeCommit,
    Checkpoint::ChangeBeforeCommit,
    Checkpoint::DeletionBeforeCommit,
];

async fn of_end_cancellation_and_forced_deletion_at_once_each_finds_what_was_before(engine: Engine) {
    use Side::{Cancellation, Deletion, End};
    let gone = "JOB_ALREADY_DELETED";
    let cases = [
        ([End, Cancellation, Deletion], "COMPLETED", Some("INVALID_STATE")),
        ([End, Deletion, Cancellation], "COMPLETED", Some(gone)),
        ([Cancellation, End, Deletion], "CANCELLED", None),
        ([Cancellation, Deletion, End], "CANCELLING", None),
        ([Deletion, End, Cancellation], "RUNNING", Some(gone)),
        ([Deletion, Cancellation, End], "RUNNING", Some(gone)),
    ];
    let cases = cases.into_iter().flat_map(|case| [true, false].map(|cascade| (case, cascade)));
    stream::iter(cases)
        .for_each_concurrent(AT_ONCE, async |((order, status, refused), cascade)| {
            let (mut three, checkpoints) = Three::gates();
            let world = World::with(engine, Setup { checkpoints, limits: limits(), ..Setup::default() }).await;
            let id = create(&world).await;
            let (payload, cancelled) = three.run(&world, &id, order, cascade).await;
            assert_eq!(cancelled["userErrors"][0]["code"].as_str(), refused, "{order:?}: {cancelled}");
            let at = (Checkpoint::OutputsWritten, 1);
            check(&world, &id, &payload, Case { at, order: Order::Deletion, cascade, status, batches: 5 }).await;
        })
        .await;
}

struct Three([Gate; 6]);

impl Three {
    fn gates() -> (Self, Checkpoints) {
        let (gates, checkpoints) = Gate::each(PLACES.map(|place| (place, 1)));
        (Self(gates), checkpoints)
    }

    fn begin(&mut self, side: Side) -> &mut Gate {
        &mut self.0[side as usize]
    }

    fn commit(&mut self, side: Side) -> &mut Gate {
        &mut self.0[side as usize + 3]
    }

    /// The first holds the row when the second comes; the third looks at what they left. Gives the payloads of `deleteJob` and
    /// of `cancelJob`.
    async fn run(&mut self, world: &World, id: &str, order: [Side; 3], cascade: bool) -> (Value, Value) {
        self.begin(Side::End).wait().await;
        let variables = variables(id, json!({ "cascade": cascade, "force": true }));
        let mut deletion = Some(ask(world, DELETE, &variables, "deleteJob"));
        let mut cancellation = Some(ask(world, CANCEL, &json!({ "id": id }), "cancelJob"));
        self.begin(Side::Cancellation).wait().await;
        self.begin(Side::Deletion).wait().await;
        let [first, second, third] = order;
        self.commit(second).open();
        self.commit(third).open();
        self.begin(first).open();
        self.commit(first).wait().await;
        self.begin(second).open();
        world.somebody_waits().await;
        self.commit(first).open();
        let mut payloads = (Value::Null, Value::Null);
        for side in order {
            self.begin(side).open();
            match side {
                Side::Deletion => payloads.0 = deletion.take().unwrap().await.unwrap(),
                Side::Cancellation => payloads.1 = cancellation.take().unwrap().await.unwrap(),
                // A worker whose job is gone says nothing.
                Side::End => {
                    // Of a job that is gone its worker says nothing.
                    let open = "SELECT count(*) FROM bulk_upload_jobs WHERE status IN ('processing', 'cancelling')";
                    world.until(async || (world.count(open).await == 0).then_some(())).await;
                }
            }
        }
        payloads
    }
}

/// Sends a mutation, and gives its payload when it comes.
fn ask(world: &World, query: &str, variables: &Value, field: &'static str) -> JoinHandle<Value> {
    let request = world.post().json(&json!({ "query": query, "variables": variables }));
    tokio::spawn(async move {
        let mut answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["data"][field].take()
    })
}
