//! Clients that upload, cancel and delete, and what becomes of their requests.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Dice, history::Told, multipart_request};
use tokio::task::JoinHandle;

/// Clients at work.
const CLIENTS: usize = 4;
/// Rows of a file.
const ROWS: i32 = 20;
/// Changes that each client does after a fault, before the next one.
const EACH: usize = 6;
/// How long a client asks for the same thing.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the clients share.
pub struct Storm {
    /// Where servers answer: the address of all, or of each.
    bases: Vec<String>,
    next: AtomicUsize,
    pub http: reqwest::Client,
    told: Mutex<Vec<Told>>,
    phase: Mutex<Phase>,
    is_over: AtomicBool,
}

/// What came of the requests since a fault.
#[derive(Clone)]
pub struct Phase {
    pub fault: &'static str,
    last: Instant,
    /// The longest time in which no change was done, by any client.
    pub pause: Duration,
    /// The longest time that a client waited for an answer, with all its repeats.
    pub longest: Duration,
    /// Requests that were not answered well, and were repeated.
    pub failures: usize,
    /// Why the last one was not.
    pub why: String,
    /// Changes that were done, by each client.
    changes: [usize; CLIENTS],
}

impl Phase {
    fn new(fault: &'static str) -> Self {
        Self {
            fault,
            last: Instant::now(),
            pause: Duration::ZERO,
            longest: Duration::ZERO,
            failures: 0,
            why: String::new(),
            changes: [0; CLIENTS],
        }
    }

    pub fn changes(&self) -> usize {
        self.changes.iter().sum()
    }
}

/// The clients at work.
pub struct Clients(Vec<JoinHandle<()>>);

impl Clients {
    pub fn start(storm: &Arc<Storm>) -> Self {
        Self((0..CLIENTS).map(|client| tokio::spawn(storm.clone().client(client))).collect())
    }

    /// Ends them, and gives what they were told.
    pub async fn end(self, storm: &Storm) -> Vec<Told> {
        storm.is_over.store(true, Ordering::SeqCst);
        for client in self.0 {
            client.await.unwrap();
        }
        storm.told.lock().unwrap().clone()
    }
}

impl Storm {
    pub fn new(bases: Vec<String>) -> Self {
        Self {
            bases,
            next: AtomicUsize::new(0),
            http: tests::http(),
            told: Mutex::default(),
            phase: Mutex::new(Phase::new("")),
            is_over: AtomicBool::new(false),
        }
    }

    /// Does harm, and waits until the clients have gone on; what came of their requests meanwhile.
    pub async fn after(&self, fault: &'static str, harm: impl AsyncFnOnce()) -> Phase {
        *self.phase.lock().unwrap() = Phase::new(fault);
        harm().await;
        self.goes_on().await;
        self.phase.lock().unwrap().clone()
    }

    /// Waits until each client has done some more changes.
    pub async fn goes_on(&self) {
        let changes = || self.phase.lock().unwrap().changes;
        let (began, before) = (Instant::now(), changes());
        while changes().iter().zip(before).any(|(now, before)| *now < before + EACH) {
            assert!(began.elapsed() < PATIENCE * 2, "nothing is done any more: {}", self.phase.lock().unwrap().why);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn tell(&self, client: usize, fact: Told) {
        self.told.lock().unwrap().push(fact);
        let mut phase = self.phase.lock().unwrap();
        phase.pause = phase.last.elapsed().max(phase.pause);
        phase.last = Instant::now();
        phase.changes[client] += 1;
    }

    fn failed(&self, why: String) {
        let mut phase = self.phase.lock().unwrap();
        phase.failures += 1;
        phase.why = why;
    }

    /// Asks one server after the other until one answers.
    async fn ask(&self, request: impl Fn(String) -> reqwest::RequestBuilder) -> Value {
        let began = Instant::now();
        loop {
            let base = &self.bases[self.next.fetch_add(1, Ordering::Relaxed) % self.bases.len()];
            let why = match answer(request(format!("{base}/graphql"))).await {
                Ok(data) => {
                    let mut phase = self.phase.lock().unwrap();
                    phase.longest = began.elapsed().max(phase.longest);
                    return data;
                }
                // No server there, or one that is being stopped or has no database: another one may answer.
                Err(why) => why,
            };
            assert!(began.elapsed() < PATIENCE, "a client is not answered: {why}");
            self.failed(why);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn query(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        self.ask(|url| self.http.post(url).json(&body)).await
    }

    async fn upload(&self, client: usize, number: usize) -> Uuid {
        let header = "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,\
                      long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,\
                      return_on_assets\n";
        let row = |row| format!("C{client}N{number}R{row},Company,1000000,Industrials,2020,Q4,10,1,5,10,3\n");
        let file = header.to_owned() + &(0..ROWS).map(row).collect::<String>();
        let key = format!("{client} {number}");
        let request = |url| multipart_request(self.http.post(url), "ANNUAL", "a.csv", file.clone().into(), Some(&key));
        let data = self.ask(request).await;
        let job = data["createJob"]["job"]["id"].as_str().unwrap_or_else(|| panic!("no job: {data}")).parse().unwrap();
        self.tell(client, Told::Created { job, rows: ROWS });
        job
    }

    async fn ended(&self, job: Uuid) -> String {
        loop {
            let query = "query($id: ID!) { job(id: $id) { status errorMessage } }";
            let data = self.query(query, json!({ "id": job })).await;
            match data["job"]["status"].as_str().unwrap_or_else(|| panic!("job {job} is lost: {data}")) {
                "FAILED" => panic!("job {job} failed: {data}"),
                status @ ("COMPLETED" | "CANCELLED") => return status.to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn cancel(&self, client: usize, job: Uuid) {
        let query = "mutation($id: ID!) { cancelJob(id: $id) { job { status } userErrors { code } } }";
        let data = self.query(query, json!({ "id": job })).await;
        // It may have been done already, by a worker or by the same request, whose answer was lost.
        if data["cancelJob"]["userErrors"] == json!([]) {
            assert_eq!(self.ended(job).await, "CANCELLED", "job {job} goes on although it was cancelled");
            self.tell(client, Told::Cancelled { job });
        }
    }

    async fn delete(&self, client: usize, job: Uuid, cascade: bool) {
        let query =
            "mutation($id: ID!, $cascade: Boolean) { deleteJob(id: $id, deletePredictions: $cascade, force: true) {
            receipt { id deletedAnnualPredictions releasedPredictions } userErrors { code message } } }";
        // A repeat is answered with the receipt of the first time.
        let data = self.query(query, json!({ "id": job, "cascade": cascade })).await;
        self.tell(client, Told::deleted(job, &data["deleteJob"]["receipt"]));
    }

    async fn delete_together(&self, client: usize, jobs: Vec<Uuid>, cascade: bool) {
        let query = "mutation($ids: [ID!]!, $cascade: Boolean) {
            deleteJobs(ids: $ids, deletePredictions: $cascade, force: true) {
                receipts { ...R } refused { error { code message } receipt { ...R } } userErrors { code message } } }
            fragment R on DeletionReceipt { id jobId deletedAnnualPredictions releasedPredictions }";
        let data = self.query(query, json!({ "ids": jobs, "cascade": cascade })).await;
        let payload = &data["deleteJobs"];
        let (now, before) = (payload["receipts"].as_array().unwrap(), payload["refused"].as_array().unwrap());
        // Those that a request deleted whose answer was lost have their receipts too.
        let receipts: Vec<_> = now.iter().chain(before.iter().map(|refused| &refused["receipt"])).collect();
        for job in jobs {
            let receipt = receipts.iter().find(|receipt| receipt["jobId"] == json!(job));
            let receipt = receipt.unwrap_or_else(|| panic!("job {job} is not deleted: {payload}"));
            self.tell(client, Told::deleted(job, receipt));
        }
    }

    async fn client(self: Arc<Self>, client: usize) {
        let mut dice = Dice::new(client as u64 + 1);
        let mut together = Vec::new();
        for number in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let job = self.upload(client, number).await;
            if dice.percent(20) {
                self.cancel(client, job).await;
            } else if dice.percent(60) {
                self.ended(job).await;
            }
            let cascade = dice.percent(60);
            if dice.percent(40) {
                self.delete(client, job, cascade).await;
            } else if dice.percent(85) {
                together.push(job);
                if together.len() == 3 {
                    self.delete_together(client, std::mem::take(&mut together), cascade).await;
                }
            }
        }
    }
}

/// The data of an answer, or why there is none.
async fn answer(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let response = request.timeout(Duration::from_secs(30)).send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| format!("{status}: {error:?}"))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(mut answer) if answer["errors"].is_null() => Ok(answer["data"].take()),
        _ => Err(format!("{status}: {text}")),
    }
}
