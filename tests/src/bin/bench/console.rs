//! How soon the console can be used where there are many jobs: in Chromium, from the beginning of a navigation until the first
//! job is shown and takes a click.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use sea_orm::{
    prelude::Uuid,
    sqlx::{Connection, PgConnection},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    figures::{Sorted, limit_of, print_table, thousands},
    past::{database, run},
    server::Server,
};

/// Visits that are not counted.
const WARM_UP: usize = 2;
/// Visits that are.
const VISITS: usize = 20;
/// Jobs in the database.
const JOBS: usize = 100_000;
/// How long it may take, in milliseconds.
const MOST: f64 = 1000.0;

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str, program: &Path, visits: Option<usize>) -> Result<bool> {
    let (mut kept, visits) = (true, visits.unwrap_or(VISITS));
    eprintln!("the console with {} jobs, {visits} visits", thousands(JOBS));
    let url = database(postgres, "console", None).await?;
    let mut keeper = PgConnection::connect(&url).await?;
    let folder = TempDir::new()?;
    let server = Server::start_local(program, &url, folder.path())?;
    seed(&mut keeper).await?;
    let browser = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let output = Command::new("node")
        .args(["interactive.mjs", server.base(), &(WARM_UP + visits).to_string()])
        .current_dir(browser)
        .env("JOBLINK_PROGRAM", program)
        .stderr(Stdio::inherit())
        .output()
        .context("node is needed")?;
    ensure!(output.status.success(), "the visits failed");
    let lines = String::from_utf8(output.stdout)?;
    let seen: Vec<Value> = lines.lines().skip(WARM_UP).map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(seen.len() == visits, "there were {} visits", seen.len());
    // Of a browser that has kept nothing, and of the same one again.
    let rows = [("first", "first visit"), ("again", "again")].map(|(visit, what)| {
        let times = Sorted::of(seen.iter().filter_map(|visits| visits[visit].as_f64()).collect());
        let (low, high) = times.confidence();
        vec![
            what.to_owned(),
            visits.to_string(),
            times.times(),
            format!("{low:.0} to {high:.0} ms"),
            format!("{:.0} ms", times.quantile(1.0)),
            limit_of(&format!("{MOST:.0} ms"), &times, MOST, &mut kept),
        ]
    });
    print_table(
        &format!("The console with {} jobs", thousands(JOBS)),
        &["", "visits", "until a click is taken", "confidence", "slowest", "limit"],
        &rows,
    );
    Ok(kept)
}

/// Jobs of the built-in user, of all states, over the last weeks.
async fn seed(keeper: &mut PgConnection) -> Result<()> {
    let user = Uuid::now_v7();
    let sql = format!(
        "INSERT INTO users (id, email, username, hashed_password, is_active) \
         VALUES ('{user}', 'bench@example.com', 'bench', '!', true)"
    );
    run(keeper, &sql).await?;
    let sql = format!(
        "INSERT INTO bulk_upload_jobs (id, user_id, job_type, status, original_filename, file_size, total_rows, \
            processed_rows, successful_rows, failed_rows, created_at, started_at, completed_at, updated_at, origin)
         SELECT gen_random_uuid(), '{user}', (ARRAY['annual', 'quarterly'])[1 + n % 2],
            (ARRAY['completed', 'completed', 'completed', 'failed', 'cancelled'])[1 + n % 5], 'figures ' || n || '.csv',
            1000 * n, 1000, 1000, 1000 - n % 7, n % 7, at, at, at + interval '3 seconds', at, 'joblink'
         FROM (SELECT n, now() - n * interval '20 seconds' AS at FROM generate_series(1, {JOBS}) AS n) AS times"
    );
    run(keeper, &sql).await?;
    run(keeper, "VACUUM (ANALYZE)").await
}
