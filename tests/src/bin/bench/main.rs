//! Measures deletions, uploads and the backfill beside the same work in bare SQL, on PostgreSQL, queries beside a server that
//! does the least for them, how attacks are refused, what a run of retention depends on, how soon the console can be used, how all grows, and prints the tables of BENCHMARKS.md. `tests/bench` builds and runs
//! it; it says how.

mod attack;
mod backfill;
mod console;
mod delete;
mod figures;
mod growth;
mod jobs;
mod online;
mod past;
mod place;
mod processes;
mod retention;
mod server;
mod tool;
mod upload;
mod wire;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

use place::Place;

/// The server's memory at its peak must stay below this, whatever the number of rows, in bytes.
const MOST_MEMORY: u64 = 150_000_000;

/// What can be measured, in the order in which it is.
const MEASUREMENTS: [&str; 11] =
    ["wire", "delete", "jobs", "upload", "attack", "retention", "console", "backfill", "online", "sizes", "growth"];

#[derive(Default)]
struct Wanted {
    measurements: Vec<String>,
    /// Counted pairs of each measurement; each has a number of its own where none is given.
    pairs: Option<usize>,
    /// Predictions in the database of `wire`, and the most in those of `growth`.
    rows: Option<usize>,
}

impl Wanted {
    fn wants(&self, measurement: &str) -> bool {
        self.measurements.is_empty() || self.measurements.iter().any(|wanted| wanted == measurement)
    }
}

// One thread: what is measured shall have the processors.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let wanted = wanted(env::args().skip(1))?;
    let postgres = env::var("JOBLINK_BENCH_POSTGRES").context("run this by tests/bench")?;
    println!("Machine: {}\n", place::machine(&postgres).await?);
    let mut kept = true;
    if wanted.wants("wire") {
        kept &= wire::measure(&postgres, &program()?, wanted.pairs, wanted.rows).await?;
    }
    if ["delete", "jobs", "upload", "attack"].iter().any(|measurement| wanted.wants(measurement)) {
        let mut place = Place::make(&postgres, &program()?).await?;
        if wanted.wants("delete") {
            kept &= delete::measure(&mut place, wanted.pairs).await?;
        }
        if wanted.wants("jobs") {
            kept &= jobs::measure(&mut place, wanted.pairs).await?;
        }
        if wanted.wants("upload") {
            kept &= upload::measure(&mut place, wanted.pairs).await?;
        }
        if wanted.wants("attack") {
            kept &= attack::measure(&mut place).await?;
        }
    }
    if wanted.wants("retention") {
        kept &= retention::measure(&postgres, &program()?, wanted.pairs).await?;
    }
    if wanted.wants("console") {
        kept &= console::measure(&postgres, &program()?, wanted.pairs).await?;
    }
    if wanted.wants("backfill") {
        kept &= backfill::measure(&postgres, wanted.pairs).await?;
    }
    if wanted.wants("online") {
        kept &= online::measure(&postgres).await?;
    }
    if wanted.wants("sizes") {
        kept &= backfill::measure_sizes(&postgres).await?;
    }
    if wanted.wants("growth") {
        kept &= growth::measure(&postgres, &program()?, wanted.pairs, wanted.rows).await?;
    }
    if !kept {
        eprintln!("not every limit is shown to be kept: see the marks in the tables");
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    while let Some(argument) = arguments.next() {
        let mut number = |least: usize| {
            let number = arguments.next().and_then(|number| number.parse().ok()).filter(|number| *number >= least);
            number.with_context(|| format!("{argument} takes a number from {least}"))
        };
        match argument.as_str() {
            "--pairs" => wanted.pairs = Some(number(1)?),
            "--rows" => wanted.rows = Some(number(wire::FEWEST_ROWS)?),
            name if MEASUREMENTS.contains(&name) => wanted.measurements.push(argument),
            _ => bail!("usage: tests/bench [{}] [--pairs N] [--rows N]", MEASUREMENTS.join("] [")),
        }
    }
    Ok(wanted)
}

/// The server's program: it was built beside this one.
fn program() -> Result<PathBuf> {
    let program = env::current_exe()?.with_file_name("joblink");
    if !program.exists() {
        bail!("joblink is not built beside this program");
    }
    Ok(program)
}
