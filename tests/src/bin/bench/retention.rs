//! A run of the retention policy in a database with few other jobs and in one with many: its time is that of what is due.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sea_orm::{
    prelude::Uuid,
    sqlx::{Connection, PgConnection},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    figures::{Pairs, limit_of, print_table, thousands},
    past::{database, run},
    server::Server,
};

/// Pairs that are not counted.
const WARM_UP: usize = 2;
/// Pairs that are.
const PAIRS: usize = 8;
/// Jobs that are due.
const DUE: usize = 1_000;
/// Jobs that stay, in the small database and in the large one.
const OTHERS: [usize; 2] = [1_000, 99_000];
/// How much longer a run may take among many jobs than among few.
const MOST: f64 = 1.2;

/// A database with jobs that stay, and a folder for files.
struct Site {
    url: String,
    keeper: PgConnection,
    folder: TempDir,
    user: Uuid,
}

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str, program: &Path, pairs: Option<usize>) -> Result<bool> {
    let (mut kept, pairs) = (true, pairs.unwrap_or(PAIRS));
    eprintln!("retention of {} jobs among few and many others, {pairs} pairs", thousands(DUE));
    let mut few = Site::make(postgres, program, "few", OTHERS[0]).await?;
    let mut many = Site::make(postgres, program, "many", OTHERS[1]).await?;
    let mut times = Pairs::default();
    for pair in 0..WARM_UP + pairs {
        few.seed().await?;
        many.seed().await?;
        let (among_many, among_few) = if pair % 2 == 0 {
            let among_many = many.time(program)?;
            (among_many, few.time(program)?)
        } else {
            let among_few = few.time(program)?;
            (many.time(program)?, among_few)
        };
        if pair >= WARM_UP {
            times.add(among_many, among_few);
        }
    }
    let ratios = times.ratios();
    let wanted = limit_of(&format!("{MOST} times"), &ratios, MOST, &mut kept);
    let (low, high) = ratios.confidence();
    let all = OTHERS.map(|others| format!("{} jobs", thousands(DUE + others)));
    print_table(
        "`joblink retention run --direct`",
        &["due", "pairs", &format!("among {}", all[0]), &format!("among {}", all[1]), "times", "limit"],
        &[vec![
            thousands(DUE),
            pairs.to_string(),
            times.each(|pair| pair.bare).times(),
            times.each(|pair| pair.ours).times(),
            format!("{:.3} ({low:.3} to {high:.3})", ratios.median()),
            wanted,
        ]],
    );
    Ok(kept)
}

impl Site {
    async fn make(postgres: &str, program: &Path, name: &str, others: usize) -> Result<Self> {
        let url = database(postgres, name, None).await?;
        let (user, folder) = (Uuid::now_v7(), TempDir::new()?);
        let mut site = Self { keeper: PgConnection::connect(&url).await?, url, folder, user };
        let sql = format!(
            "INSERT INTO users (id, email, username, hashed_password, is_active) \
             VALUES ('{user}', 'bench@example.com', 'bench', '!', true)"
        );
        run(&mut site.keeper, &sql).await?;
        // A server makes the store the database's own.
        drop(Server::start(program, &site.url, site.folder.path(), "none")?);
        site.add(others, "completed", "1 hour").await?;
        Ok(site)
    }

    /// The jobs of one run.
    async fn seed(&mut self) -> Result<()> {
        self.add(DUE, "failed", "20 hours").await?;
        run(&mut self.keeper, "VACUUM (ANALYZE)").await?;
        run(&mut self.keeper, "CHECKPOINT").await
    }

    /// Jobs that ended so long ago, each with an input that nobody keeps.
    async fn add(&mut self, count: usize, status: &str, ago: &str) -> Result<()> {
        let sql = format!(
            "WITH made AS (
                INSERT INTO bulk_upload_jobs (id, user_id, job_type, status, original_filename, total_rows, processed_rows,
                    successful_rows, failed_rows, created_at, started_at, completed_at, updated_at, origin)
                SELECT gen_random_uuid(), '{}', 'annual', '{status}', 'bench.csv', 0, 0, 0, 0, ended, ended, ended, ended,
                    'joblink'
                FROM (SELECT now() - interval '{ago}' - n * interval '1 millisecond' AS ended
                      FROM generate_series(1, {count}) AS n) AS ends
                RETURNING id)
             INSERT INTO artifacts (id, job_id, kind, name, size, created_at)
             SELECT gen_random_uuid(), id, 'input', 'bench.csv', 1000, now() FROM made",
            self.user
        );
        run(&mut self.keeper, &sql).await
    }

    /// From the start of the program to its end.
    fn time(&self, program: &Path) -> Result<Duration> {
        let began = Instant::now();
        let output = Command::new(program)
            .args(["retention", "run", "--direct", "--yes", "--json", "--artifacts", "artifacts"])
            .env("DATABASE_URL", &self.url)
            .env("JOBLINK_LOG", "warn")
            .current_dir(self.folder.path())
            .output()?;
        let time = began.elapsed();
        ensure!(output.status.success(), "it failed: {}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).context("no summary")?;
        ensure!(summary["jobs"]["FAILED"]["DELETE"] == DUE, "not all was done: {}", summary["jobs"]);
        Ok(time)
    }
}
