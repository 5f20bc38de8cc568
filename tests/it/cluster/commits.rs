//! A commit that the database does not answer was done or not; the client is told which.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use api::checkpoint::Checkpoint;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Gate, Setup, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::deletion::{DELETE, delete, file, variables};

const CANCEL: &str = "mutation($id: ID!) {
    cancelJob(id: $id, reason: \"by mistake\") { job { status } userErrors { code message } } }";

/// What becomes of the next commit that is said on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Lost {
    Nothing,
    /// The server never hears it.
    Question,
    /// The server does it, and nobody hears.
    Answer,
}

/// A way to the database on which the next commit can be made to be lost, and its connection to break.
struct Line {
    url: String,
    lost: Arc<AtomicU8>,
}

impl Line {
    async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (start, rest) = url.split_once('@').unwrap();
        let (far, name) = rest.split_once('/').unwrap();
        let url = format!("{start}@{}/{name}", listener.local_addr().unwrap());
        let (far, lost) = (far.to_owned(), Arc::new(AtomicU8::new(Lost::Nothing as u8)));
        let told = lost.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&far).await.unwrap();
                tokio::spawn(carry(near, far, told.clone()));
            }
        });
        Self { url, lost }
    }

    fn lose(&self, what: Lost) {
        self.lost.store(what as u8, Ordering::SeqCst);
    }
}

/// Carries what both say until one has nothing more to say, or what was said was to be lost.
async fn carry(near: TcpStream, far: TcpStream, lost: Arc<AtomicU8>) {
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let (mut question, mut answer) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = near_in.read(&mut question) => {
                let Ok(read @ 1..) = read else { return };
                let said = &question[..read];
                let is_commit = said.windows(6).any(|word| word == b"COMMIT");
                // One commit alone: the next one is to be whole.
                match if is_commit { lost.swap(Lost::Nothing as u8, Ordering::SeqCst) } else { Lost::Nothing as u8 } {
                    what if what == Lost::Question as u8 => return,
                    what if what == Lost::Answer as u8 => return lose_answer(said, far_out, far_in).await,
                    _ => far_out.write_all(said).await.unwrap(),
                }
            }
            read = far_in.read(&mut answer) => {
                let Ok(read @ 1..) = read else { return };
                near_out.write_all(&answer[..read]).await.unwrap();
            }
        }
    }
}

async fn lose_answer(question: &[u8], mut far_out: OwnedWriteHalf, mut far_in: OwnedReadHalf) {
    far_out.write_all(question).await.unwrap();
    assert!(far_in.read(&mut [0; 1024]).await.unwrap() > 0, "the database did not answer");
}

/// A server whose connection breaks at its next commit, which is at this checkpoint.
struct Broken {
    world: World,
    line: Line,
    gate: Gate,
}

impl Broken {
    async fn at(checkpoint: Checkpoint) -> Self {
        let whole = World::with(Engine::Postgres, Setup { asleep: true, ..Setup::default() }).await;
        let line = Line::to(&whole.url).await;
        let (gate, checkpoints) = Gate::first(checkpoint, 1);
        let setup = Setup { url: Some(line.url.clone()), checkpoints, idle: true, ..Setup::default() };
        Self { world: World::with(Engine::Postgres, setup).await, line, gate }
    }

    /// What a mutation answers whose commit is not answered.
    async fn answer(&mut self, lost: Lost, query: &str, variables: Value) -> Value {
        let (line, gate) = (&self.line, &mut self.gate);
        let (data, ()) = tokio::join!(self.world.data(query, variables), async {
            gate.wait().await;
            line.lose(lost);
            gate.open();
        });
        assert_eq!(line.lost.load(Ordering::SeqCst), Lost::Nothing as u8, "a commit was lost");
        data
    }

    /// How often this was written down as done.
    async fn entries(&self, action: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM audit_log WHERE action = '{action}' AND outcome = 'done'");
        assert_eq!(self.world.count("SELECT count(*) FROM audit_log WHERE outcome <> 'done'").await, 0);
        self.world.count(&sql).await
    }
}

async fn a_deletion(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::DeletionBeforeCommit).await;
    let user = broken.world.local_user().await;
    let job = broken.world.adopted_job(user, None, "annual", "completed").await;
    broken.world.linked_predictions(job, "source_file", 3).await;
    let wanted = variables(&job.to_string(), json!({ "cascade": true, "expected": 3 }));
    let payload = broken.answer(lost, DELETE, wanted).await["deleteJob"].take();
    assert_eq!(payload["deletedJobId"], job.to_string(), "{payload}");
    assert_eq!(payload["receipt"]["deletedAnnualPredictions"], 3, "{payload}");
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(broken.world.count("SELECT count(*) FROM deletion_receipts").await, 1);
    assert_eq!(broken.entries("delete_job").await, 1);
    broken.world.check_invariants().await;
}

async fn a_creation(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::JobBeforeCommit).await;
    let create = "mutation($file: ID!) { createJob(input: { kind: ANNUAL, idempotencyKey: \"once\", \
                  source: { uploadId: $file } }) { job { id status } userErrors { code message } } }";
    let upload: Value = broken
        .world
        .http
        .post(format!("{}/uploads?name=a.csv", broken.world.base()))
        .header("content-type", "text/csv")
        .body(file(5))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let payload = broken.answer(lost, create, json!({ "file": upload["uploadId"] })).await["createJob"].take();
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let job = payload["job"]["id"].as_str().unwrap();
    assert_eq!(broken.world.file(job, "input").await, file(5));
    assert_eq!(broken.world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    assert_eq!(broken.entries("create_job").await, 1);
    broken.world.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_was_deleted_before_its_commit_was_looked_up_is_not_made_again() {
    let whole = World::with(Engine::Postgres, Setup { asleep: true, ..Setup::default() }).await;
    let line = Line::to(&whole.url).await;
    let ([mut commits, mut repeats], checkpoints) =
        Gate::each([(Checkpoint::JobBeforeCommit, 1), (Checkpoint::JobBeforeInsert, 2)]);
    let setup = Setup { url: Some(line.url.clone()), checkpoints, idle: true, ..Setup::default() };
    let world = World::with(Engine::Postgres, setup).await;
    let (created, ()) = tokio::join!(world.create("ANNUAL", "a.csv", file(5)), async {
        commits.wait().await;
        line.lose(Lost::Answer);
        commits.open();
        repeats.wait().await;
        let job: Uuid = world.one("SELECT id FROM bulk_upload_jobs", []).await;
        let payload = delete(&world, &job.to_string(), json!({ "force": true })).await;
        assert_eq!(payload["deletedJobId"], job.to_string(), "{payload}");
        repeats.open();
    });
    assert_eq!(created["userErrors"], json!([]), "{created}");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM deletion_receipts").await, 1);
}

async fn a_cancellation(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::ChangeBeforeCommit).await;
    let created = broken.world.create("ANNUAL", "a.csv", file(5)).await;
    let job = &created["job"]["id"];
    let payload = broken.answer(lost, CANCEL, json!({ "id": job })).await["cancelJob"].take();
    assert_eq!(payload, json!({ "job": { "status": "CANCELLED" }, "userErrors": [] }));
    assert_eq!(broken.entries("cancel_job").await, 1);
    broken.world.check_invariants().await;
}

async fn a_deletion_of_predictions(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::PredictionsBeforeCommit).await;
    let user = broken.world.local_user().await;
    let job = broken.world.adopted_job(user, None, "annual", "completed").await;
    broken.world.linked_predictions(job, "source_file", 3).await;
    let ids = broken.world.data("{ annualPredictions { nodes { id } } }", json!({})).await;
    let ids = ids["annualPredictions"]["nodes"].as_array().unwrap().iter().map(|row| row["id"].clone());
    let ids: Vec<Value> = ids.take(2).collect();
    let delete = "mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { code message } } }";
    let payload = broken.answer(lost, delete, json!({ "ids": ids })).await["deletePredictions"].take();
    assert_eq!(payload, json!({ "deletedIds": ids, "userErrors": [] }));
    assert_eq!(broken.world.count("SELECT count(*) FROM annual_predictions").await, 1);
    assert_eq!(broken.entries("delete_predictions").await, 2);
}

async fn a_cleaning(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::ChangeBeforeCommit).await;
    let user = broken.world.local_user().await;
    let job = broken.world.adopted_job(user, None, "annual", "completed").await;
    let clean = "mutation($id: ID!) { cleanJob(id: $id) { job { id } userErrors { code message } } }";
    let payload = broken.answer(lost, clean, json!({ "id": job })).await["cleanJob"].take();
    assert_eq!(payload, json!({ "job": { "id": job }, "userErrors": [] }));
    assert_eq!(broken.world.count("SELECT count(*) FROM bulk_upload_jobs WHERE data_cleaned_at IS NOT NULL").await, 1);
    assert_eq!(broken.entries("clean_job").await, 1);
}

async fn a_run(lost: Lost) {
    let mut broken = Broken::at(Checkpoint::RetentionBeforeBegin).await;
    let begin = "mutation { runRetention { run { id } userErrors { code message } } }";
    let payload = broken.answer(lost, begin, json!({})).await["runRetention"].take();
    assert_eq!(payload["userErrors"], json!([]));
    let run: Uuid = broken.world.one("SELECT id FROM retention_runs", []).await;
    assert_eq!(payload["run"]["id"], run.to_string(), "{payload}");
    assert_eq!(broken.entries("retention_run").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_of_a_job_that_was_deleted_since_is_told_as_done() {
    let whole = World::with(Engine::Postgres, Setup { asleep: true, ..Setup::default() }).await;
    let line = Line::to(&whole.url).await;
    let ([mut commits, mut repeats], checkpoints) =
        Gate::each([(Checkpoint::ChangeBeforeCommit, 1), (Checkpoint::ChangeBegins, 2)]);
    let setup = Setup { url: Some(line.url.clone()), checkpoints, idle: true, ..Setup::default() };
    let world = World::with(Engine::Postgres, setup).await;
    let created = world.create("ANNUAL", "a.csv", file(5)).await;
    let job = created["job"]["id"].as_str().unwrap();
    let (cancelled, ()) = tokio::join!(world.data(CANCEL, json!({ "id": job })), async {
        commits.wait().await;
        line.lose(Lost::Answer);
        commits.open();
        repeats.wait().await;
        assert_eq!(delete(&world, job, json!({})).await["deletedJobId"], job);
        repeats.open();
    });
    assert_eq!(cancelled["cancelJob"], json!({ "job": null, "userErrors": [] }));
}

macro_rules! of_both {
    ($($name:ident: $what:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn that_was_done_is_told_as_done_once() {
                super::$what(super::Lost::Answer).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn that_was_not_done_is_done() {
                super::$what(super::Lost::Question).await;
            }
        }
    )+ };
}
of_both!(
    deletion: a_deletion,
    creation: a_creation,
    cancellation: a_cancellation,
    deletion_of_predictions: a_deletion_of_predictions,
    cleaning: a_cleaning,
    beginning_of_a_run: a_run,
);
