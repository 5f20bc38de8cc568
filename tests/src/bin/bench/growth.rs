//! How deletions and lists grow with the number of predictions, and with that of servers on one machine.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use sea_orm::prelude::Uuid;
use serde_json::json;

use crate::{
    figures::{Pairs, Sorted, limit_of, print_table, thousands},
    past::drop_database,
    processes::{Postgres, processor_time},
    server::Server,
    wire::{
        client::{Requests, load, once},
        data::Data,
        query::QUERIES,
    },
};

/// Predictions in the database.
const SIZES: [usize; 3] = [300_000, 3_000_000, 30_000_000];
/// Predictions of each job, whatever their number in all.
const A_JOB: usize = 100;
/// Servers at a time, up to.
const SERVERS: usize = 3;
/// Connections of clients, which the servers share.
const CONNECTIONS: usize = 12;
/// Jobs that are deleted at each number of servers.
const DELETIONS: usize = 336;
/// Jobs that are deleted before them, after the lists: fresh servers have their start and their first statements behind them.
const FIRST: usize = 2 * CONNECTIONS;
/// How long a list is asked for.
const SLICE: Duration = Duration::from_secs(3);
const PAIRS: usize = 12;
/// Jobs that are deleted in each half of a pair, one after the other.
const TURN: usize = 10;
/// Turns before the first pair, which warm up.
const WARM_UP: usize = 2;
/// How much longer a deletion may take in the larger database.
const MOST: f64 = 1.5;

/// A database, the servers on it, and the jobs that are there to be deleted.
struct Stand {
    predictions: usize,
    data: Data,
    servers: Vec<Server>,
    jobs: Vec<Uuid>,
}

/// What some time of load showed.
struct Load {
    latencies: Sorted,
    per_second: f64,
    /// Processors that were busy with it: in the servers, and in PostgreSQL.
    servers: f64,
    postgres: f64,
}

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str, program: &Path, pairs: Option<usize>, rows: Option<usize>) -> Result<bool> {
    let (mut kept, pairs) = (true, pairs.unwrap_or(PAIRS));
    let most = rows.unwrap_or(usize::MAX);
    let processes = Postgres::at(postgres).await?;
    let (mut deletions, mut lists, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let mut small: Option<Stand> = None;
    for predictions in SIZES.into_iter().filter(|size| *size <= most) {
        let began = Instant::now();
        let mut stand = Stand::make(postgres, program, predictions, pairs).await?;
        eprintln!("{} predictions were made in {:.0?}", thousands(predictions), began.elapsed());
        for servers in 1..=SERVERS {
            stand.serve(program, servers)?;
            for query in &QUERIES {
                let load =
                    stand.list(&query.of_server(&stand.data, Some(&stand.data.token), false), &processes).await?;
                lists.push(row(&stand, Some(query.name), &load));
            }
            let first = stand.take(FIRST);
            stand.delete(&first, CONNECTIONS).await?;
            let jobs = stand.take(DELETIONS);
            let load = stand.load(&processes, async || stand.delete(&jobs, CONNECTIONS).await).await?;
            deletions.push(row(&stand, None, &load));
        }
        match &mut small {
            None => small = Some(stand),
            Some(small) => {
                beside.push(stand.beside(small, pairs, &mut kept).await?);
                let url = stand.data.url.clone();
                drop(stand);
                drop_database(postgres, &url).await?;
            }
        }
    }
    let load = ["a second", "p50", "p99", "processors: servers", "PostgreSQL"];
    print_table(
        &format!("Deletions of jobs with {A_JOB} predictions each, {CONNECTIONS} connections"),
        &[&["predictions", "servers"], &load[..]].concat(),
        &deletions,
    );
    print_table(
        &format!("Lists, {CONNECTIONS} connections"),
        &[&["predictions", "servers", "query"], &load[..]].concat(),
        &lists,
    );
    print_table(
        "A deletion in a large database beside one in the smallest",
        &["predictions", "pairs", "among the fewest", "among these", "times", "limit"],
        &beside,
    );
    Ok(kept)
}

impl Stand {
    async fn make(postgres: &str, program: &Path, predictions: usize, pairs: usize) -> Result<Self> {
        let mut data = Data::make(postgres, "growth", predictions / A_JOB, A_JOB).await?;
        let server = data.server(program)?;
        data.find_cursor(&server).await?;
        // The smallest one is measured beside each of the others.
        let turns = (SIZES.len() - 1) * (WARM_UP + pairs) * TURN;
        let jobs = data.other_jobs(SERVERS * (FIRST + DELETIONS) + turns).await?;
        Ok(Self { predictions, data, servers: vec![server], jobs })
    }

    /// Lets so many servers serve it, all of them fresh.
    fn serve(&mut self, program: &Path, servers: usize) -> Result<()> {
        self.servers.clear();
        self.servers = (0..servers).map(|_| self.data.server(program)).collect::<Result<_>>()?;
        Ok(())
    }

    /// Takes the next jobs to be deleted.
    fn take(&mut self, count: usize) -> Vec<Uuid> {
        self.jobs.split_off(self.jobs.len() - count)
    }

    /// Deletes jobs over so many connections; how long each took.
    async fn delete(&self, jobs: &[Uuid], connections: usize) -> Result<Vec<Duration>> {
        let query = "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) {
            receipt { deletedAnnualPredictions } userErrors { message } } }";
        let each = jobs.chunks(jobs.len() / connections).enumerate().map(|(place, jobs)| async move {
            let bodies = jobs.iter().map(|job| json!({ "query": query, "variables": { "id": job } }));
            let requests = Requests::post(Some(&self.data.admin), bodies);
            let answers = once(self.servers[place % self.servers.len()].address()?, &requests).await?;
            for (_, answer) in &answers {
                let deleted = &answer["data"]["deleteJob"]["receipt"]["deletedAnnualPredictions"];
                ensure!(*deleted == json!(A_JOB), "not deleted: {answer}");
            }
            anyhow::Ok(answers.into_iter().map(|(time, _)| time).collect::<Vec<_>>())
        });
        Ok(try_join_all(each).await?.concat())
    }

    async fn list(&self, requests: &Requests, processes: &Postgres) -> Result<Load> {
        let share = CONNECTIONS / self.servers.len();
        let asked = async || {
            let each =
                self.servers.iter().map(|server| async { load(server.address()?, requests, share, SLICE).await });
            let answered = try_join_all(each).await?;
            anyhow::Ok(answered.into_iter().flat_map(|answered| answered.latencies).collect())
        };
        asked().await?;
        self.load(processes, asked).await
    }

    async fn load(&self, processes: &Postgres, work: impl AsyncFnOnce() -> Result<Vec<Duration>>) -> Result<Load> {
        let used = || self.servers.iter().map(|server| processor_time(server.id())).sum::<Result<Duration>>();
        let (servers, postgres, began) = (used()?, processes.processor_time()?, Instant::now());
        let latencies = work().await?;
        let elapsed = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let per_second = latencies.len() as f64 / elapsed;
        Ok(Load {
            latencies: Sorted::of(latencies.iter().map(|time| time.as_secs_f64() * 1e3).collect()),
            per_second,
            servers: used()?.saturating_sub(servers).as_secs_f64() / elapsed,
            postgres: processes.processor_time()?.saturating_sub(postgres).as_secs_f64() / elapsed,
        })
    }

    /// Deletes jobs here and in the smallest database in turn, one after the other.
    async fn beside(&mut self, small: &mut Self, pairs: usize, kept: &mut bool) -> Result<Vec<String>> {
        let mut times = Pairs::default();
        for pair in 0..WARM_UP + pairs {
            let (here, there) = if pair % 2 == 0 {
                let here = self.turn().await?;
                (here, small.turn().await?)
            } else {
                let there = small.turn().await?;
                (self.turn().await?, there)
            };
            if pair >= WARM_UP {
                times.add(here, there);
            }
        }
        let ratios = times.ratios();
        let (low, high) = ratios.confidence();
        Ok(vec![
            thousands(self.predictions),
            pairs.to_string(),
            times.each(|pair| pair.bare).times(),
            times.each(|pair| pair.ours).times(),
            format!("{:.3} ({low:.3} to {high:.3})", ratios.median()),
            limit_of(&format!("{MOST} times"), &ratios, MOST, kept),
        ])
    }

    /// The time of one deletion, of several.
    async fn turn(&mut self) -> Result<Duration> {
        let jobs = self.take(TURN);
        let times = self.delete(&jobs, 1).await?;
        Ok(times.iter().sum::<Duration>() / u32::try_from(TURN)?)
    }
}

fn row(stand: &Stand, query: Option<&str>, load: &Load) -> Vec<String> {
    let mut row = vec![thousands(stand.predictions), stand.servers.len().to_string()];
    row.extend(query.map(str::to_owned));
    row.extend([
        format!("{:.0}", load.per_second),
        format!("{:.2} ms", load.latencies.median()),
        format!("{:.2} ms", load.latencies.quantile(0.99)),
        format!("{:.2}", load.servers),
        format!("{:.2}", load.postgres),
    ]);
    row
}
