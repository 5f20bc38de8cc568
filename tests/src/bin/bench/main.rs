//! Measures deletions and uploads beside the same work in bare SQL, on PostgreSQL, and prints the tables of
//! BENCHMARKS.md. `tests/bench` builds and runs it; it says how.

mod delete;
mod figures;
mod place;
mod server;
mod upload;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};

use place::Place;

/// The server's memory at its peak must stay below this, whatever the number of rows, in bytes.
const MOST_MEMORY: u64 = 150_000_000;

#[derive(Default)]
struct Wanted {
    delete: bool,
    upload: bool,
    /// Counted pairs of each measurement; each has a number of its own where none is given.
    pairs: Option<usize>,
}

// One thread: what is measured shall have the processors.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let wanted = wanted(env::args().skip(1))?;
    let postgres = env::var("JOBLINK_BENCH_POSTGRES").context("run this by tests/bench")?;
    let program = program()?;
    let mut place = Place::make(&postgres, &program).await?;
    println!("Machine: {}\n", place.machine().await?);
    let mut kept = true;
    if wanted.delete {
        kept &= delete::measure(&mut place, wanted.pairs).await?;
    }
    if wanted.upload {
        kept &= upload::measure(&mut place, wanted.pairs).await?;
    }
    if !kept {
        eprintln!("not every limit is shown to be kept: see the marks in the tables");
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "delete" => wanted.delete = true,
            "upload" => wanted.upload = true,
            "--pairs" => {
                let pairs = arguments.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                wanted.pairs = Some(pairs.context("--pairs takes a number from 1")?);
            }
            _ => bail!("usage: tests/bench [delete] [upload] [--pairs N]"),
        }
    }
    if !wanted.delete && !wanted.upload {
        (wanted.delete, wanted.upload) = (true, true);
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
