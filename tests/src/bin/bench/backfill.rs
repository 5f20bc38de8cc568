//! `migration backfill run` beside one `UPDATE` that writes the same links, and its memory and time as rows grow.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    figures::{Pairs, limit, limit_of, megabytes, print_table, seconds, thousands},
    past::{Copy, Past, run},
    tool::migration,
};

const ROWS: usize = 2_000_000;
const PAIRS: usize = 8;
/// How many times as long as the one `UPDATE` a run may take.
const MOST_TIMES: f64 = 1.2;
/// The sizes for which memory and time are measured.
const SIZES: [usize; 3] = [100_000, 1_000_000, 10_000_000];
/// The most memory of a run, in bytes.
const MOST_MEMORY: u64 = 300_000_000;

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str, pairs: Option<usize>) -> Result<bool> {
    let mut kept = true;
    let mut past = Past::make(postgres, ROWS, true).await?;
    let pairs = pairs.unwrap_or(PAIRS);
    eprintln!("linking {} predictions, {pairs} pairs", thousands(ROWS));
    let mut times = Pairs::default();
    for pair in 0..pairs {
        let (ours, theirs) = if pair % 2 == 0 {
            let ours = linked(&mut past).await?.0;
            (ours, updated(&mut past).await?)
        } else {
            let theirs = updated(&mut past).await?;
            (linked(&mut past).await?.0, theirs)
        };
        times.add(ours, theirs);
    }
    past.drop().await?;
    let ratios = times.ratios();
    let (low, high) = ratios.confidence();
    print_table(
        "Linking the predictions of the past",
        &["predictions", "pairs", "one UPDATE", "backfill run", "times", "limit"],
        &[vec![
            thousands(ROWS),
            pairs.to_string(),
            times.each(|pair| pair.bare).times(),
            times.each(|pair| pair.ours).times(),
            format!("{:.2} ({low:.2} to {high:.2})", ratios.median()),
            limit_of(&format!("{MOST_TIMES} times"), &ratios, MOST_TIMES, &mut kept),
        ]],
    );
    Ok(kept)
}

/// Measures memory and time by size, and prints; `false`: a figure is beyond its limit.
pub async fn measure_sizes(postgres: &str) -> Result<bool> {
    let mut kept = true;
    let mut rows = Vec::new();
    for size in SIZES {
        let mut past = Past::make(postgres, size, true).await?;
        eprintln!("linking {} predictions for the memory", thousands(size));
        let copy = past.copy().await?;
        let folder = past.folder().to_str().context("a folder without a name")?;
        let planned = migration(&copy.url, &["backfill", "plan", "--sources", folder, "--json"]).await?;
        linked_are(&planned.out, past.linked_rows())?;
        past.drop_copy(copy).await?;
        let (time, memory) = linked(&mut past).await?;
        let per_row = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6 / size_of_rows(size));
        let most = memory.max(planned.memory);
        rows.push(vec![
            thousands(size),
            seconds(planned.time),
            per_row(planned.time),
            megabytes(planned.memory),
            seconds(time),
            per_row(time),
            megabytes(memory),
            limit(&megabytes(MOST_MEMORY), most < MOST_MEMORY, &mut kept),
        ]);
        past.drop().await?;
    }
    print_table(
        "Time and memory as predictions grow",
        &["predictions", "plan", "a row", "memory", "run", "a row", "memory", "limit"],
        &rows,
    );
    Ok(kept)
}

#[expect(clippy::cast_precision_loss, reason = "small")]
const fn size_of_rows(rows: usize) -> f64 {
    rows as f64
}

/// A run on a copy: its time and memory.
async fn linked(past: &mut Past) -> Result<(Duration, u64)> {
    let copy = past.copy().await?;
    let folder = past.folder().to_str().context("a folder without a name")?.to_owned();
    let ended = migration(&copy.url, &["backfill", "run", "--sources", &folder, "--json"]).await?;
    linked_are(&ended.out, past.linked_rows())?;
    check(&copy).await?;
    past.drop_copy(copy).await?;
    Ok((ended.time, ended.memory))
}

fn linked_are(report: &str, rows: usize) -> Result<()> {
    let report: Value = serde_json::from_str(report)?;
    let linked = report["linked"]["source_file"].as_u64().unwrap_or_default();
    ensure!(linked == rows as u64, "{linked} rows linked, {rows} have a job");
    Ok(())
}

/// The same links by one statement for each table.
async fn updated(past: &mut Past) -> Result<Duration> {
    let copy = past.copy().await?;
    let mut db = copy.connect().await?;
    let began = Instant::now();
    for kind in ["annual", "quarterly"] {
        let sql = format!(
            "UPDATE {kind}_predictions p SET job_id = l.job, job_link = 'source_file',
                 backfill_run_id = '00000000-0000-7000-8000-000000000001' FROM links_{kind} l WHERE l.id = p.id"
        );
        run(&mut db, &sql).await?;
    }
    let time = began.elapsed();
    check(&copy).await?;
    past.drop_copy(copy).await?;
    Ok(time)
}

/// Both sides must have written the very same links.
async fn check(copy: &Copy) -> Result<()> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM links_annual l JOIN annual_predictions p ON p.id = l.id WHERE p.job_id IS DISTINCT FROM l.job
               UNION ALL SELECT 1 FROM links_quarterly l JOIN quarterly_predictions p ON p.id = l.id WHERE p.job_id IS DISTINCT FROM l.job) AS wrong";
    let wrong: i64 = sea_orm::sqlx::query_scalar(sql).fetch_one(&mut copy.connect().await?).await?;
    ensure!(wrong == 0, "{wrong} links are not those of the past");
    Ok(())
}
