//! `joblink jobs delete -` with many jobs and their predictions, beside the bare SQL, one transaction for each job.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sea_orm::prelude::Uuid;

use crate::{
    figures::{Pairs, limit_of, print_table, thousands},
    place::Place,
    server::Server,
};

/// Pairs that are not counted.
const WARM_UP: usize = 2;
/// Pairs that are.
const PAIRS: usize = 12;
/// Jobs of one run.
const JOBS: usize = 1_000;
/// Predictions of each.
const PREDICTIONS: usize = 1_000;
/// How much longer than the bare SQL it may take.
const MOST: f64 = 1.3;

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(place: &mut Place, pairs: Option<usize>) -> Result<bool> {
    let (mut kept, pairs) = (true, pairs.unwrap_or(PAIRS));
    eprintln!("deleting {} jobs of {} predictions each, {pairs} pairs", thousands(JOBS), thousands(PREDICTIONS));
    let server = place.server()?;
    let mut times = Pairs::default();
    for pair in 0..WARM_UP + pairs {
        let (jobs, others) = (seed(place).await?, seed(place).await?);
        place.settle().await?;
        place.check_plans(jobs[0]).await?;
        let (ours, theirs) = if pair % 2 == 0 {
            let ours = by_program(&server, &jobs)?;
            place.settle().await?;
            (ours, bare(place, &others).await?)
        } else {
            let theirs = bare(place, &others).await?;
            place.settle().await?;
            (by_program(&server, &jobs)?, theirs)
        };
        if pair >= WARM_UP {
            times.add(ours, theirs);
        }
    }
    let ratios = times.ratios();
    let wanted = limit_of(&format!("{MOST} times"), &ratios, MOST, &mut kept);
    let (low, high) = ratios.confidence();
    print_table(
        "Deleting many jobs with their predictions by `joblink jobs delete -`",
        &["jobs", "predictions each", "pairs", "bare SQL", "joblink jobs delete", "times", "limit"],
        &[vec![
            thousands(JOBS),
            thousands(PREDICTIONS),
            pairs.to_string(),
            times.each(|pair| pair.bare).times(),
            times.each(|pair| pair.ours).times(),
            format!("{:.3} ({low:.3} to {high:.3})", ratios.median()),
            wanted,
        ]],
    );
    Ok(kept)
}

async fn seed(place: &mut Place) -> Result<Vec<Uuid>> {
    let mut jobs = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        jobs.push(place.seed(PREDICTIONS).await?);
    }
    Ok(jobs)
}

/// From the start of the program to its end.
fn by_program(server: &Server, jobs: &[Uuid]) -> Result<Duration> {
    let ids = jobs.iter().map(|id| format!("{id}\n")).collect::<String>();
    let program = std::env::current_exe()?.with_file_name("joblink");
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["jobs", "delete", "-", "--with-predictions", "--yes"])
        .env("JOBLINK_SERVER", server.base())
        .env("JOBLINK_TOKEN", server.token())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no input")?.write_all(ids.as_bytes())?;
    let output = child.wait_with_output()?;
    let time = began.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && said.contains(&format!("Deleted: {JOBS} jobs")), "not deleted: {said}");
    Ok(time)
}

/// The same as psql would send it, by somebody who knows the jobs' kind.
async fn bare(place: &mut Place, jobs: &[Uuid]) -> Result<Duration> {
    let began = Instant::now();
    for job in jobs {
        place.run_bare("BEGIN").await?;
        place.run_bare(&format!("DELETE FROM annual_predictions WHERE job_id = '{job}'")).await?;
        place.run_bare(&format!("DELETE FROM bulk_upload_jobs WHERE id = '{job}'")).await?;
        place.run_bare("COMMIT").await?;
    }
    Ok(began.elapsed())
}
