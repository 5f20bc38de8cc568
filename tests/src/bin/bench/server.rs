//! The real server, in a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::processes;

/// What signs the tokens.
pub const SECRET: &str = "a secret for benchmarks alone, longer than thirty-two bytes";

/// A running server. It is stopped when it is dropped.
pub struct Server {
    process: Child,
    /// Held open: the server prints when it stops.
    _output: BufReader<ChildStdout>,
    http: reqwest::Client,
    graphql: String,
    token: String,
}

impl Server {
    /// Starts the program on a database; `folder` takes its files and its log.
    pub fn start(program: &Path, database: &str, folder: &Path, token: &str) -> Result<Self> {
        Self::start_with(program, database, folder, token, "jwt")
    }

    /// Starts the program on a database, where everybody is the built-in user.
    pub fn start_local(program: &Path, database: &str, folder: &Path) -> Result<Self> {
        Self::start_with(program, database, folder, "none", "local")
    }

    /// Starts the program with a SQLite database of its own in the folder, where everybody is the built-in user.
    pub fn start_embedded(program: &Path, folder: &Path) -> Result<Self> {
        Self::start_with(program, "sqlite://joblink.db?mode=rwc", folder, "none", "local")
    }

    fn start_with(program: &Path, database: &str, folder: &Path, token: &str, auth: &str) -> Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("joblink.log"))?;
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--auth", auth, "--artifacts", "artifacts"])
            .env("DATABASE_URL", database)
            .env("JOBLINK_JWT_SECRET", SECRET)
            // Counted like all others, but never held up.
            .env("JOBLINK_RATE_LIMIT", "1000000")
            .env("JOBLINK_RATE_BURST", "1000000")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("no output")?);
        let mut line = String::new();
        let graphql = loop {
            line.clear();
            ensure!(output.read_line(&mut line)? > 0, "the server ended before it served");
            if let Some(url) = line.strip_prefix("GraphQL ") {
                break url.trim().to_owned();
            }
        };
        Ok(Self { process, _output: output, http: tests::http(), graphql, token: token.to_owned() })
    }

    /// Where it answers.
    pub fn base(&self) -> &str {
        self.graphql.trim_end_matches("/graphql")
    }

    /// What it is asked with.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Deletes a job with its predictions, which must be so many, and gives the time from the request to the answer.
    pub async fn delete(&self, job: Uuid, predictions: usize) -> Result<Duration> {
        let query = "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) {
            receipt { deletedAnnualPredictions } userErrors { message } } }";
        let body = json!({ "query": query, "variables": { "id": job } });
        let request = self.http.post(&self.graphql).bearer_auth(&self.token).json(&body);
        let began = Instant::now();
        let answer: Value = request.send().await?.json().await?;
        let time = began.elapsed();
        let deleted = &answer["data"]["deleteJob"]["receipt"]["deletedAnnualPredictions"];
        ensure!(*deleted == json!(predictions), "not deleted: {answer}");
        Ok(time)
    }

    /// Sends a file of annual figures; gives its job.
    pub async fn upload(&self, file: Vec<u8>) -> Result<Uuid> {
        let request = self.http.post(&self.graphql).bearer_auth(&self.token);
        let answer: Value = tests::multipart(request, "ANNUAL", "bench.csv", file).await.json().await?;
        let id = answer["data"]["createJob"]["job"]["id"].as_str();
        Ok(id.with_context(|| format!("no job: {answer}"))?.parse()?)
    }

    /// Asks for data, which must come without errors.
    pub async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.http.post(&self.graphql).bearer_auth(&self.token).json(&body);
        let mut answer: Value = request.send().await?.json().await?;
        ensure!(answer.get("errors").is_none(), "the server answers {answer}");
        Ok(answer["data"].take())
    }

    /// Where it listens: host and port.
    pub fn address(&self) -> Result<&str> {
        let address = self.graphql.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/graphql"));
        address.with_context(|| format!("an address is expected: {}", self.graphql))
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until a job has stored so many rows and ended.
    pub async fn completed(&self, job: Uuid, rows: usize) -> Result<()> {
        let query = "query($id: ID!) { job(id: $id) { status progress { succeeded } } }";
        let body = json!({ "query": query, "variables": { "id": job } });
        loop {
            let request = self.http.post(&self.graphql).bearer_auth(&self.token).json(&body);
            let mut answer: Value = request.send().await?.json().await?;
            let job = answer["data"]["job"].take();
            if job["status"] != "PENDING" && job["status"] != "RUNNING" {
                ensure!(job["progress"]["succeeded"] == json!(rows), "the job ended otherwise: {job}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends the body of a request, and gives the time from the request to the answer.
    pub async fn send(&self, body: &str) -> Result<(Duration, Value)> {
        let request = self.http.post(&self.graphql).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let began = Instant::now();
        let answer = request.send().await?.bytes().await?;
        let time = began.elapsed();
        Ok((time, serde_json::from_slice(&answer)?))
    }

    /// The most memory that the process has held at a time, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        processes::peak_memory(self.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let told = Command::new("kill").arg(self.process.id().to_string()).status();
        if !told.is_ok_and(|status| status.success()) {
            _ = self.process.kill();
        }
        _ = self.process.wait();
    }
}
