//! The upload of a file, from the request to the job's end, beside `COPY` of the rows that it stored.

use std::time::{Duration, Instant};

use anyhow::Result;
use entity::annual_prediction;
use futures_util::TryStreamExt;
use sea_orm::{IdenStatic, Iterable, prelude::Uuid};

use crate::{
    MOST_MEMORY,
    figures::{Pairs, Sorted, limit, limit_of, megabytes, ms, print_table, thousands},
    place::{Place, csv},
    server::Server,
};

const ROWS: usize = 100_000;
const COMPANIES: usize = 3_000;
const PAIRS: usize = 10;
const WARM_UP: usize = 2;
/// Uploads into SQLite that are counted.
const EMBEDDED_RUNS: usize = 5;
/// How many times as long as `COPY` an upload may take.
const MOST_TIMES: f64 = 1.5;
/// The sizes of files for which the memory is measured, each with a fresh server.
const MEMORY_ROWS: [usize; 3] = [1_000, 100_000, 500_000];
/// As much of the rows goes into one message.
const COPY_BYTES: usize = 64 * 1024;

/// What an upload left in the table, in the order in which it was stored.
struct Uploaded {
    job: Uuid,
    rows: Vec<u8>,
}

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(place: &mut Place, pairs: Option<usize>) -> Result<bool> {
    let times = measure_time(place, pairs.unwrap_or(PAIRS)).await?;
    measure_embedded(place).await?;
    Ok(measure_memory(place).await? && times)
}

async fn measure_time(place: &mut Place, pairs: usize) -> Result<bool> {
    eprintln!("uploading {} rows, {pairs} pairs", thousands(ROWS));
    let file = csv('U', ROWS, COMPANIES);
    let server = place.server()?;
    let mut times = Pairs::default();
    let (_, mut uploaded) = upload(place, &server, &file).await?;
    for pair in 0..WARM_UP + pairs {
        // Each second pair copies first: the rows of the upload before.
        let (ours, theirs) = if pair % 2 == 0 {
            forget(place, &uploaded).await?;
            let (ours, now) = upload(place, &server, &file).await?;
            uploaded = now;
            (ours, copy(place, &uploaded).await?)
        } else {
            let theirs = copy(place, &uploaded).await?;
            forget(place, &uploaded).await?;
            let (ours, now) = upload(place, &server, &file).await?;
            uploaded = now;
            (ours, theirs)
        };
        if pair >= WARM_UP {
            times.add(ours, theirs);
        }
    }
    forget(place, &uploaded).await?;
    let mut kept = true;
    let ratios = times.ratios();
    let (low, high) = ratios.confidence();
    let row = vec![
        thousands(ROWS),
        pairs.to_string(),
        times.each(|pair| pair.bare).times(),
        times.each(|pair| pair.ours).times(),
        format!("{:.2} ({low:.2} to {high:.2})", ratios.median()),
        ms(times.differences().median()),
        limit_of(&format!("{MOST_TIMES} times"), &ratios, MOST_TIMES, &mut kept),
    ];
    let head = ["rows", "pairs", "COPY", "upload", "times", "more", "limit"];
    print_table("Uploading a file", &head, &[row]);
    Ok(kept)
}

/// The same file into SQLite, each time a fresh database: there is nothing like `COPY` to compare it with.
async fn measure_embedded(place: &Place) -> Result<()> {
    eprintln!("uploading {} rows into SQLite", thousands(ROWS));
    let file = csv('U', ROWS, COMPANIES);
    let mut times = Vec::new();
    for _ in 0..WARM_UP + EMBEDDED_RUNS {
        let folder = tempfile::tempdir()?;
        let server = Server::start_embedded(&place.program, folder.path())?;
        let body = file.clone();
        let began = Instant::now();
        let job = server.upload(body).await?;
        server.completed(job, ROWS).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let times = Sorted::of(times.split_off(WARM_UP));
    let row = vec![thousands(ROWS), EMBEDDED_RUNS.to_string(), times.times()];
    print_table("Uploading a file into SQLite", &["rows", "runs", "upload"], &[row]);
    Ok(())
}

async fn measure_memory(place: &mut Place) -> Result<bool> {
    let mut kept = true;
    let mut rows = Vec::new();
    for size in MEMORY_ROWS {
        eprintln!("uploading {} rows for the memory", thousands(size));
        let file = csv('U', size, COMPANIES.min(size));
        let bytes = file.len() as u64;
        let server = place.server()?;
        let job = server.upload(file).await?;
        place.completed(job, size).await?;
        let memory = server.peak_memory()?;
        rows.push(vec![
            thousands(size),
            megabytes(bytes),
            megabytes(memory),
            limit(&megabytes(MOST_MEMORY), memory < MOST_MEMORY, &mut kept),
        ]);
        forget(place, &Uploaded { job, rows: Vec::new() }).await?;
    }
    print_table("Memory of the server while it takes in a file", &["rows", "file", "peak memory", "limit"], &rows);
    Ok(kept)
}

/// Uploads the file to its job's end; companies are made by it.
async fn upload(place: &mut Place, server: &Server, file: &[u8]) -> Result<(Duration, Uploaded)> {
    let body = file.to_owned();
    place.settle().await?;
    let began = Instant::now();
    let job = server.upload(body).await?;
    place.completed(job, ROWS).await?;
    let time = began.elapsed();
    let sql =
        format!("COPY (SELECT {} FROM annual_predictions WHERE job_id = '{job}' ORDER BY ctid) TO STDOUT", columns());
    let mut rows = Vec::new();
    let mut chunks = place.keeper.copy_out_raw(&sql).await?;
    while let Some(chunk) = chunks.try_next().await? {
        rows.extend_from_slice(&chunk);
    }
    drop(chunks);
    forget_rows(place, job).await?;
    Ok((time, Uploaded { job, rows }))
}

/// Copies the rows of an upload back; its job and companies are there, and its rows are gone again afterwards.
async fn copy(place: &mut Place, uploaded: &Uploaded) -> Result<Duration> {
    place.settle().await?;
    let sql = format!("COPY annual_predictions ({}) FROM STDIN", columns());
    let began = Instant::now();
    let mut copy = place.bare.copy_in_raw(&sql).await?;
    for chunk in uploaded.rows.chunks(COPY_BYTES) {
        copy.send(chunk).await?;
    }
    let stored = copy.finish().await?;
    let time = began.elapsed();
    anyhow::ensure!(stored == ROWS as u64, "COPY stored {stored} rows");
    forget_rows(place, uploaded.job).await?;
    Ok(time)
}

async fn forget_rows(place: &mut Place, job: Uuid) -> Result<()> {
    place.run(&format!("DELETE FROM annual_predictions WHERE job_id = '{job}'")).await
}

/// Removes what is left of an upload, its companies too: the next one makes them again.
async fn forget(place: &mut Place, uploaded: &Uploaded) -> Result<()> {
    let job = uploaded.job;
    forget_rows(place, job).await?;
    place.run(&format!("DELETE FROM bulk_upload_jobs WHERE id = '{job}'")).await?;
    // Before the companies go, so that the check of their foreign key meets no dead rows.
    place.settle().await?;
    place.run("DELETE FROM companies WHERE symbol LIKE 'U%'").await
}

fn columns() -> String {
    let names: Vec<_> =
        annual_prediction::Column::iter().map(|column| IdenStatic::as_str(&column).to_owned()).collect();
    names.join(", ")
}
