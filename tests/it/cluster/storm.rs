//! Three servers on a cluster of three, with clients that upload, cancel and delete while one after the other is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use api::files::sweep::sweep;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{
    Dice, Engine, Node, Setup, World,
    history::{Told, faults},
    migrate,
};

use crate::cli::program::command;

/// Clients at work.
const CLIENTS: u64 = 4;
/// Rows of a file.
const ROWS: i32 = 20;
/// Changes that are done between two faults.
const BETWEEN: usize = 25;
/// How long a client asks for the same thing.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server in a process of its own.
struct Served {
    process: Child,
    base: String,
}

impl Served {
    fn start(listen: &str, database: &str, folder: &Path) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut process = command(&["serve", "--listen", listen, "--artifacts", "artifacts", "--workers", "1"])
            .env("DATABASE_URL", database)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the server serves").unwrap();
            if let Some(url) = line.strip_prefix("GraphQL ") {
                break url.trim().trim_end_matches("/graphql").to_owned();
            }
        };
        // It is no error that nobody reads what it says from here on.
        Self { process, base }
    }

    fn again(&mut self, database: &str, folder: &Path) {
        let listen = self.base.trim_start_matches("http://").to_owned();
        *self = Self::start(&listen, database, folder);
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "a server that is told to stop ends well");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// What the clients share.
struct Storm {
    bases: Vec<String>,
    http: reqwest::Client,
    told: Mutex<Vec<Told>>,
    /// The longest time that one request of a client took, with all its repeats.
    longest: Mutex<Duration>,
    done: AtomicUsize,
    is_over: AtomicBool,
}

impl Storm {
    fn tell(&self, fact: Told) {
        self.told.lock().unwrap().push(fact);
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    /// Does harm, and waits until so many more changes were done; how long the first one took.
    async fn after(&self, harm: impl AsyncFnOnce()) -> Duration {
        let (began, before) = (Instant::now(), self.done.load(Ordering::SeqCst));
        harm().await;
        let mut first = None;
        while self.done.load(Ordering::SeqCst) < before + BETWEEN {
            if first.is_none() && self.done.load(Ordering::SeqCst) > before {
                first = Some(began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE * 2, "nothing is done any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        first.unwrap_or_default()
    }

    /// Asks one server after the other until one answers.
    async fn ask(&self, client: u64, request: impl Fn(String) -> reqwest::RequestBuilder) -> Value {
        let began = Instant::now();
        for attempt in client.. {
            let base = &self.bases[usize::try_from(attempt).unwrap() % self.bases.len()];
            let sent = request(format!("{base}/graphql")).timeout(Duration::from_secs(30)).send().await;
            // No server there, or one that is being stopped or has no database: another one may answer.
            if let Ok(response) = sent
                && let Ok(answer) = response.json::<Value>().await
                && answer["errors"].is_null()
            {
                let mut longest = self.longest.lock().unwrap();
                *longest = began.elapsed().max(*longest);
                return answer["data"].clone();
            }
            assert!(began.elapsed() < PATIENCE, "a client is not answered");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!("attempts do not end")
    }

    async fn query(&self, client: u64, query: &str, job: Uuid) -> Value {
        let body = json!({ "query": query, "variables": { "id": job } });
        self.ask(client, |url| self.http.post(url).json(&body)).await
    }

    async fn upload(&self, client: u64, number: u64) -> Uuid {
        let header = "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,\
                      long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,\
                      return_on_assets\n";
        let row = |row| format!("C{client}N{number}R{row},Company,1000000,Industrials,2020,Q4,10,1,5,10,3\n");
        let file = header.to_owned() + &(0..ROWS).map(row).collect::<String>();
        let operations = json!({
            "query": "mutation($file: Upload!, $key: String!) {
                createJob(input: {kind: ANNUAL, source: {file: $file}, idempotencyKey: $key}) {
                    job { id } userErrors { message } } }",
            "variables": { "file": null, "key": format!("{client} {number}") },
        });
        let data = self
            .ask(client + number, |url| {
                let form = reqwest::multipart::Form::new()
                    .text("operations", operations.to_string())
                    .text("map", json!({ "0": ["variables.file"] }).to_string())
                    .part("0", reqwest::multipart::Part::bytes(file.clone().into_bytes()).file_name("a.csv"));
                self.http.post(url).header("apollo-require-preflight", "1").multipart(form)
            })
            .await;
        let job = data["createJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("no job: {data}")).parse().unwrap();
        self.tell(Told::Created { job, rows: ROWS });
        job
    }

    async fn ended(&self, client: u64, job: Uuid) {
        loop {
            let data = self.query(client, "query($id: ID!) { job(id: $id) { status } }", job).await;
            match data["job"]["status"].as_str().unwrap_or_else(|| panic!("job {job} is lost: {data}")) {
                "COMPLETED" | "CANCELLED" => return,
                "FAILED" => panic!("job {job} failed"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn cancel(&self, client: u64, job: Uuid) {
        let query = "mutation($id: ID!) { cancelJob(id: $id) { job { status } userErrors { code } } }";
        let data = self.query(client, query, job).await;
        // It may have been done already, by a worker or by the same request, whose answer was lost.
        if data["cancelJob"]["userErrors"] == json!([]) {
            self.ended(client, job).await;
            let data = self.query(client, "query($id: ID!) { job(id: $id) { status } }", job).await;
            assert_eq!(data["job"]["status"], "CANCELLED", "job {job} goes on although it was cancelled");
            self.tell(Told::Cancelled { job });
        }
    }

    async fn delete(&self, client: u64, job: Uuid) {
        let query = "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true, force: true) {
            receipt { id deletedAnnualPredictions } userErrors { code message } } }";
        let payload = self.query(client, query, job).await["deleteJob"].take();
        // A repeat is answered with the receipt of the first time.
        let receipt = &payload["receipt"];
        assert!(receipt.is_object(), "job {job} is not deleted: {payload}");
        self.tell(Told::Deleted {
            job,
            receipt: receipt["id"].as_str().unwrap().parse().unwrap(),
            predictions: receipt["deletedAnnualPredictions"].as_i64().unwrap(),
        });
    }

    async fn client(self: Arc<Self>, client: u64) {
        let mut dice = Dice::new(client + 1);
        for number in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let job = self.upload(client, number).await;
            if dice.percent(20) {
                self.cancel(client, job).await;
            } else if dice.percent(60) {
                self.ended(client, job).await;
            }
            if dice.percent(70) {
                self.delete(client + dice.below(3), job).await;
            }
        }
    }
}

/// Three hosts; each commit waits until one more has it.
fn cluster() -> [Node; 3] {
    let first = Node::start();
    let (second, third) = (first.standby(), first.standby());
    [first, second, third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_torn_while_hosts_and_servers_die() {
    let [first, second, third] = cluster();
    migrate(first.url()).await;
    let wait_for_one =
        ["ALTER SYSTEM SET synchronous_commit = 'on'", "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'"];
    for node in [&first, &second, &third] {
        node.set(&wait_for_one).await;
    }
    let list = Node::list(&[&first, &second, &third]);
    let folder = tempfile::tempdir().unwrap();
    let mut servers: Vec<Served> = (0..3).map(|_| Served::start("127.0.0.1:0", &list, folder.path())).collect();
    let storm = Arc::new(Storm {
        bases: servers.iter().map(|server| server.base.clone()).collect(),
        http: tests::http(),
        told: Mutex::default(),
        longest: Mutex::default(),
        done: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..CLIENTS).map(|client| tokio::spawn(storm.clone().client(client))).collect();
    let mut waits = Vec::new();

    storm.after(async || {}).await;
    waits.push(("a server is killed", storm.after(async || servers[0].kill()).await));
    servers[0].again(&list, folder.path());

    let mut chosen = None;
    let promotion = async || {
        first.kill();
        let (next, other) = if second.has_more_than(&third).await { (&second, &third) } else { (&third, &second) };
        next.promote();
        other.follow(next).await;
        chosen = Some((next, other));
    };
    waits.push(("the primary is killed", storm.after(promotion).await));
    let (next, other) = chosen.unwrap();
    waits.push(("a server is stopped", storm.after(async || servers[1].stop()).await));
    servers[1].again(&list, folder.path());

    let promotion = async || {
        next.freeze();
        // It is alone from here on.
        other.set(&["ALTER SYSTEM SET synchronous_standby_names = ''"]).await;
        other.promote();
    };
    waits.push(("the primary is frozen", storm.after(promotion).await));
    waits.push(("the old primary goes on", storm.after(async || next.thaw()).await));

    storm.is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    servers.iter_mut().for_each(Served::stop);
    // What the server had taken that was killed is tried again when its time is over.
    other.set(&["UPDATE artifact_purges SET due_at = now() WHERE completed_at IS NULL"]).await;
    let artifacts = Some(folder.path().join("artifacts"));
    let world =
        World::with(Engine::Postgres, Setup { url: Some(other.url().to_owned()), artifacts, ..Setup::default() }).await;
    world
        .until(async || {
            let at_work = "SELECT count(*) FROM bulk_upload_jobs WHERE completed_at IS NULL";
            (world.count(at_work).await == 0).then_some(())
        })
        .await;
    world.purged().await;
    // Servers that are killed leave files that nobody knows of.
    sweep(&world.app, Duration::ZERO, false).await.unwrap();
    let told = storm.told.lock().unwrap().clone();
    println!("{} changes, the longest wait of a client {:?}", told.len(), storm.longest.lock().unwrap());
    for (fault, wait) in waits {
        println!("{fault}: the next change is done after {wait:?}");
    }
    assert_eq!(faults(&told, world.app.db.reader()).await, []);
    world.check_invariants().await;
}
