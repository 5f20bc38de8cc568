//! Every case, on both databases and both kinds of store.

use std::{collections::BTreeSet, time::Duration};

use api::{
    app::Limits,
    audit::Caller,
    auth::Viewer,
    database::now,
    deletion::execute::{DeleteJob, Outcome, delete_job},
    files::sweep::sweep,
    retention::{
        policy::{Policy, Rule},
        run::{self, Wanted},
    },
};
use artifacts::{ArtifactStore, Key};
use entity::{
    artifact, job, retention_run,
    stored::{RetentionAction, RetentionTrigger},
};
use futures_util::{StreamExt, stream};
use reqwest::{Body, RequestBuilder};
use sea_orm::{EntityTrait, QueryOrder, prelude::Uuid};
use serde_json::json;
use tests::{Engine, Setup, World, multipart_request};

use super::{
    cases::{Act, Before, CREATE, Case, DELETE, RETAIN, RUN},
    program::Program,
};
use crate::{
    deletion::{DELETE as DELETE_JOB, variables},
    files::s3,
    jobs::{CANCEL, RETRY},
    retention::wanted,
    upload::{files_on_disk, good_row, lines},
};

tests::on_both!(
    a_job_that_is_made_is_whole_or_not_there_in_a_directory,
    a_job_that_is_made_is_whole_or_not_there_in_a_bucket,
    a_job_that_runs_ends_with_exact_numbers_and_its_files_in_a_directory,
    a_job_that_runs_ends_with_exact_numbers_and_its_files_in_a_bucket,
    a_job_that_is_deleted_is_whole_or_gone_with_its_files_in_a_directory,
    a_job_that_is_deleted_is_whole_or_gone_with_its_files_in_a_bucket,
    what_a_run_of_retention_does_is_done_once_in_a_directory,
    what_a_run_of_retention_does_is_done_once_in_a_bucket,
);

/// How many cases of a test run at a time: each waits for programs and databases more than it works.
const AT_ONCE: usize = 3;
/// Rows of the file, how many of them are stored, and how many have errors.
const ROWS: [i32; 3] = [60, 50, 10];
const CREATE_STAGED: &str = "mutation($id: ID!) {
    createJob(input: {kind: ANNUAL, source: {uploadId: $id}}) { job { id } userErrors { code } } }";
/// All that was claimed is given up, as after a long while.
const LATER: [&str; 3] = [
    "UPDATE retention_runs SET lease_expires_at = '2000-01-01T00:00:00+00:00' WHERE lease_token IS NOT NULL",
    "UPDATE bulk_upload_jobs SET lease_expires_at = '2000-01-01T00:00:00+00:00' WHERE lease_token IS NOT NULL",
    "UPDATE artifact_purges SET due_at = '2000-01-01T00:00:00+00:00', settles_at = NULL WHERE completed_at IS NULL",
];

async fn a_job_that_is_made_is_whole_or_not_there_in_a_directory(engine: Engine) {
    all(engine, false, CREATE).await;
}

async fn a_job_that_is_made_is_whole_or_not_there_in_a_bucket(engine: Engine) {
    all(engine, true, CREATE).await;
}

async fn a_job_that_runs_ends_with_exact_numbers_and_its_files_in_a_directory(engine: Engine) {
    all(engine, false, RUN).await;
}

async fn a_job_that_runs_ends_with_exact_numbers_and_its_files_in_a_bucket(engine: Engine) {
    all(engine, true, RUN).await;
}

async fn a_job_that_is_deleted_is_whole_or_gone_with_its_files_in_a_directory(engine: Engine) {
    all(engine, false, DELETE).await;
}

async fn a_job_that_is_deleted_is_whole_or_gone_with_its_files_in_a_bucket(engine: Engine) {
    all(engine, true, DELETE).await;
}

async fn what_a_run_of_retention_does_is_done_once_in_a_directory(engine: Engine) {
    all(engine, false, RETAIN).await;
}

async fn what_a_run_of_retention_does_is_done_once_in_a_bucket(engine: Engine) {
    all(engine, true, RETAIN).await;
}

/// With `JOBLINK_TEST_LONG` twenty times.
async fn all(engine: Engine, bucket: bool, cases: &'static [Case]) {
    let times = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 20 } else { 1 };
    for _ in 0..times {
        // How far a file that never ends has come shows in a directory alone.
        let cases = cases.iter().filter(|case| !(bucket && case.act == Act::SendForEver));
        stream::iter(cases)
            .for_each_concurrent(AT_ONCE, async |case| {
                let mut crash = Crash::new(engine, bucket).await;
                crash.run(case).await;
                // Else its connections would stay open until all cases are through.
                crash.world.app.db.clone().close().await.unwrap();
            })
            .await;
    }
}

fn file() -> String {
    lines((0..60).map(|row| if row % 6 == 5 { good_row("BAD", 1) } else { good_row("A", 1950 + row) }))
}

/// A database and a store on which a program is killed.
struct Crash {
    world: World,
    /// The place in the bucket, where the files are in one.
    bucket: Option<String>,
}

/// What the case is about: a job or an upload, where there is one.
type Subject = String;

impl Crash {
    async fn new(engine: Engine, bucket: bool) -> Self {
        let bucket = bucket.then(s3::place);
        let store = bucket.as_ref().map(|place| ArtifactStore::open(place).unwrap());
        Self { world: World::with(engine, Setup { idle: true, store, ..Setup::default() }).await, bucket }
    }

    async fn run(&mut self, case: &Case) {
        let name = format!("{:?} {:?} {:?}", case.before, case.act, case.program);
        let subject = self.before(case.before).await;
        let mut program = Program::start(&self.world.url, self.store(), case.program).await;
        if case.act == Act::SendForEver {
            let sending = send_for_ever(self.world.http.post(format!("{}/uploads", program.base)));
            let begun = async || files_on_disk(&self.world).iter().any(|name| name.contains('#')).then_some(());
            tokio::select! {
                () = sending => panic!("{name}: it came to an end"),
                () = self.world.until(begun) => program.kill(),
            }
        } else if let Some(request) = self.request(case.act, &program.base, &subject).await {
            let sent = tokio::spawn(request.send());
            program.died(&name).await;
            // Where the worker goes on once the change is committed, the answer and the end are in no order.
            let dies_later = case.program.iter().any(|told| told.starts_with("until"));
            let answered = sent.await.unwrap().is_ok();
            assert!(dies_later || !answered, "{name}: it answered");
        }
        program.died(&name).await;
        self.settle(case, &subject, &name).await;
    }

    fn store(&self) -> &str {
        self.bucket.as_deref().unwrap_or_else(|| self.world.artifacts.to_str().unwrap())
    }

    /// Another server on the same database and store.
    async fn another(&self) -> World {
        let setup = Setup {
            url: Some(self.world.url.clone()),
            artifacts: Some(self.world.artifacts.clone()),
            store: Some(self.world.app.store.clone()),
            limits: Limits { batch_rows: 20, ..Limits::default() },
            ..Setup::default()
        };
        World::with(self.world.engine, setup).await
    }

    async fn before(&mut self, before: Before) -> Subject {
        match before {
            Before::Nothing => Subject::new(),
            Before::Upload => {
                let post = self.world.http.post(format!("{}/uploads", self.world.base()));
                let answer = post.header("content-type", "text/csv").body(file()).send().await.unwrap();
                answer.json::<serde_json::Value>().await.unwrap()["uploadId"].as_str().unwrap().to_owned()
            }
            Before::Pending => self.created().await,
            Before::Cancelled => {
                let job = self.created().await;
                self.world.data(CANCEL, json!({ "id": job })).await;
                job
            }
            Before::Ended => self.ended().await,
            Before::Deleted => {
                let job = self.ended().await;
                let caller = Caller { viewer: Viewer::local(), request_id: "r".to_owned() };
                let wanted = DeleteJob { delete_predictions: true, ..DeleteJob::default() };
                let deleted = delete_job(&self.world.app, &caller, job.parse().unwrap(), &wanted).await.unwrap();
                assert!(matches!(deleted, Outcome::Deleted(_)));
                job
            }
            Before::ToClean => self.due_for(RetentionAction::Clean).await,
            Before::ToDelete => self.due_for(RetentionAction::Delete).await,
            Before::Strays => {
                let job = self.ended().await.parse().unwrap();
                for key in [
                    Key::Input { job: Uuid::now_v7(), artifact: Uuid::now_v7() },
                    Key::Output { job: Uuid::now_v7(), artifact: Uuid::now_v7() },
                    Key::Output { job, artifact: Uuid::now_v7() },
                    Key::Upload(Uuid::now_v7()),
                ] {
                    let chunks = stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"stray"))]);
                    self.world.app.store.put(key, chunks, 100).await.unwrap();
                }
                Subject::new()
            }
        }
    }

    async fn created(&self) -> Subject {
        self.world.create("ANNUAL", "a.csv", file()).await["job"]["id"].as_str().unwrap().to_owned()
    }

    /// A job that ran to its end; nobody serves any more.
    async fn ended(&mut self) -> Subject {
        let job = self.created().await;
        let mut server = self.another().await;
        assert_eq!(server.ended(&job).await, "completed");
        server.stop().await;
        job
    }

    /// A job that ran to its end, and a run that does this to it at once.
    async fn due_for(&mut self, action: RetentionAction) -> Subject {
        let job = self.ended().await;
        let completed = Rule { action, after: "1s".parse().unwrap(), delete_predictions: true, keep_logs: false };
        let policy = Policy { completed, ..Policy::default() };
        // A moment at which it is due for sure.
        let at = now() + chrono::TimeDelta::seconds(1);
        let run = Wanted { claimed: false, trigger: RetentionTrigger::Schedule, ..wanted(policy, at) };
        run::begin(&self.world.app, &run).await.unwrap();
        job
    }

    /// What to ask of the program, once it is where that is to come in.
    async fn request(&self, act: Act, base: &str, subject: &str) -> Option<RequestBuilder> {
        let post = self.world.http.post(format!("{base}/graphql"));
        let mutation = |query: &str, variables| json!({ "query": query, "variables": variables });
        let id = json!({ "id": subject });
        if matches!(act, Act::CancelRunning | Act::DeleteRunning) {
            let begun = "SELECT count(*) FROM bulk_upload_jobs WHERE processed_rows = 20";
            self.world.until(async || (self.world.count(begun).await == 1).then_some(())).await;
        }
        Some(match act {
            Act::Wait | Act::SendForEver => return None,
            Act::Create => multipart_request(post, "ANNUAL", "a.csv", file().into(), None),
            Act::Send => {
                self.world.http.post(format!("{base}/uploads")).header("content-type", "text/csv").body(file())
            }
            Act::CreateStaged => post.json(&mutation(CREATE_STAGED, id)),
            Act::Cancel | Act::CancelRunning => post.json(&mutation(CANCEL, id)),
            Act::Retry => post.json(&mutation(RETRY, id)),
            Act::Delete => post.json(&mutation(DELETE_JOB, variables(subject, json!({ "cascade": true })))),
            Act::DeleteRunning => {
                post.json(&mutation(DELETE_JOB, variables(subject, json!({ "cascade": true, "force": true }))))
            }
        })
    }

    /// Another server takes up what was left; then everything is as it should be.
    async fn settle(&self, case: &Case, subject: &str, name: &str) {
        for sql in LATER {
            self.world.run(sql).await;
        }
        let mut server = self.another().await;
        if case.act == Act::CreateStaged {
            // What the client does that had no answer.
            server.data(CREATE_STAGED, json!({ "id": subject })).await;
        }
        let open = "SELECT count(*) FROM bulk_upload_jobs WHERE status NOT IN ('completed', 'failed', 'cancelled')";
        self.world.until(async || (self.world.count(open).await == 0).then_some(())).await;
        let open = "SELECT count(*) FROM retention_runs WHERE finished_at IS NULL";
        self.world.until(async || (self.world.count(open).await == 0).then_some(())).await;
        server.purged().await;
        server.stop().await;
        self.check_run(case, name).await;
        sweep(&self.world.app, Duration::ZERO, false).await.unwrap();
        self.check_jobs(case, name).await;
        self.check_files(name).await;
        self.world.check_invariants().await;
        let again = sweep(&self.world.app, Duration::ZERO, false).await.unwrap();
        assert_eq!((again.keys, again.left), (Vec::new(), 0), "{name}: one sweep is enough");
    }

    async fn check_jobs(&self, case: &Case, name: &str) {
        let db = self.world.app.db.reader();
        let jobs = job::Entity::find().order_by_asc(job::Column::Status).all(db).await.unwrap();
        let left: Vec<_> = jobs.iter().map(|job| job.status.clone().unwrap()).collect();
        assert_eq!(left, case.left, "{name}");
        let files = artifact::Entity::find().all(db).await.unwrap();
        for job in jobs {
            let told = [job.processed_rows, job.successful_rows, job.failed_rows].map(Option::unwrap);
            let ran = job.started_at.is_some();
            match (job.status.as_deref(), ran) {
                (Some("completed"), true) => assert_eq!(told, ROWS, "{name}"),
                // After its first batch.
                (Some("cancelled"), true) => assert_eq!(told, [20, 17, 3], "{name}"),
                _ => assert_eq!(told, [0, 0, 0], "{name}"),
            }
            let mut kinds: Vec<_> =
                files.iter().filter(|file| file.job_id == job.id).map(|file| file.kind.as_str()).collect();
            kinds.sort_unstable();
            let wanted = match (ran, job.data_cleaned_at) {
                (_, Some(_)) => vec![],
                (true, None) => vec!["input", "log", "results"],
                (false, None) => vec!["input"],
            };
            assert_eq!(job.data_cleaned_at.is_some(), case.before == Before::ToClean, "{name}");
            assert_eq!(kinds, wanted, "{name}");
        }
        if case.left.is_empty() {
            for table in ["annual_predictions", "row_errors", "job_log", "artifacts"] {
                assert_eq!(self.world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{name}: {table}");
            }
        }
    }

    /// A run did its one job once, and said so once.
    async fn check_run(&self, case: &Case, name: &str) {
        let runs = retention_run::Entity::find().all(self.world.app.db.reader()).await.unwrap();
        let did: Vec<_> = runs.iter().map(|run| (run.cleaned, run.deleted, run.failed)).collect();
        let (wanted, ends) = match case.before {
            Before::ToClean => (vec![(1, 0, 0)], 1),
            Before::ToDelete => (vec![(0, 1, 0)], 1),
            _ => (Vec::new(), 0),
        };
        assert_eq!(did, wanted, "{name}");
        assert_eq!(self.world.count("SELECT count(*) FROM retention_items").await, ends, "{name}");
        let entries = "SELECT count(*) FROM audit_log WHERE action = 'retention_run'";
        assert_eq!(self.world.count(entries).await, ends, "{name}");
    }

    /// The store holds the files of jobs and no other, no staging file, no folder of a job that is not there.
    async fn check_files(&self, name: &str) {
        let files = artifact::Entity::find().all(self.world.app.db.reader()).await.unwrap();
        let known: BTreeSet<String> = files.iter().map(|file| file.id.to_string()).collect();
        let keys = self.world.app.store.keys().await.unwrap();
        let stored: BTreeSet<String> = keys.iter().map(|key| key.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!((&stored, keys.len()), (&known, known.len()), "{name}");
        if self.bucket.is_none() {
            let on_disk: BTreeSet<String> = files_on_disk(&self.world).into_iter().collect();
            assert_eq!(on_disk, known, "{name}");
            let folders: BTreeSet<String> = std::fs::read_dir(self.world.artifacts.join("jobs"))
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            // A job that was cleaned keeps its folder.
            let jobs = job::Entity::find().all(self.world.app.db.reader()).await.unwrap();
            assert_eq!(folders, jobs.iter().map(|job| job.id.to_string()).collect(), "{name}");
        }
    }
}

/// Sends a beginning, and then nothing more.
async fn send_for_ever(request: RequestBuilder) {
    let beginning = stream::iter([Ok::<_, std::io::Error>(vec![b'x'; 100_000])]);
    let body = Body::wrap_stream(beginning.chain(stream::pending()));
    _ = request.header("content-type", "text/csv").body(body).send().await;
}
