//! The database of a measurement: what stands in it, and how it is brought back to the same state.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Result, ensure};
use api::auth::{
    Role,
    token::{self, Rules, Secret},
};
use entity::{annual_prediction, job};
use sea_orm::{
    IdenStatic, Iterable,
    prelude::Uuid,
    sqlx::{self, AssertSqlSafe, Connection, PgConnection},
};
use tempfile::TempDir;

use crate::{
    past::{database, run},
    server::{SECRET, Server},
};

/// How long the server may take for what is waited for; it takes seconds.
const PATIENCE: Duration = Duration::from_mins(5);
/// The largest job that is seeded.
pub const MODEL_ROWS: usize = 100_000;
/// The companies over which the predictions of a seeded job are spread.
const MODEL_COMPANIES: usize = 500;
/// The jobs that stay in the table beside those that are measured. So many that a measured job is a small part of the
/// table: near a fifth of it, PostgreSQL's choice between index and whole table is a toss-up that both sides may lose.
const OTHER_JOBS: usize = 6;
/// One row in so many of a seeded job is recorded as an error.
const ROWS_AN_ERROR: usize = 100;

/// A migrated database with an organization, one of its members, and 600,000 predictions that stay.
pub struct Place {
    /// A warm connection for the bare side alone. As little as the server's has it seen the rows before that it deletes.
    pub bare: PgConnection,
    /// For seeding, and for everything else around what is measured.
    pub keeper: PgConnection,
    url: String,
    /// The program that is measured.
    pub program: PathBuf,
    folder: TempDir,
    token: String,
    organization: Uuid,
    /// The job whose rows are the model of seeded ones: a real upload.
    model: Uuid,
}

impl Place {
    /// Makes it on a PostgreSQL server.
    pub async fn make(postgres: &str, program: &Path) -> Result<Self> {
        let url = database(postgres, "bench", None).await?;
        let (organization, user) = (Uuid::now_v7(), Uuid::now_v7());
        let (secret, rules, day) = (Secret::new(SECRET)?, Rules::default(), Duration::from_hours(24));
        let token = token::mint(&secret, &rules, user, Some(organization), Role::Member, day)?;
        let mut place = Self {
            bare: PgConnection::connect(&url).await?,
            keeper: PgConnection::connect(&url).await?,
            url,
            program: program.to_owned(),
            folder: TempDir::new()?,
            token,
            organization,
            model: Uuid::nil(),
        };
        place
            .run(&format!(
                "INSERT INTO organizations (id, name, slug, join_token)
                     VALUES ('{organization}', 'Bench', 'bench', 'bench');
                 INSERT INTO users (id, email, username, hashed_password, organization_id, is_active)
                     VALUES ('{user}', 'bench@example.com', 'bench', '!', '{organization}', true);
                 ALTER TABLE annual_predictions SET (autovacuum_enabled = false)"
            ))
            .await?;
        eprintln!("making the predictions that stay");
        let server = place.server()?;
        place.model = server.upload(csv('M', MODEL_ROWS, MODEL_COMPANIES)).await?;
        place.completed(place.model, MODEL_ROWS).await?;
        for _ in 1..OTHER_JOBS {
            place.seed(MODEL_ROWS).await?;
        }
        Ok(place)
    }

    /// A fresh server on it.
    pub fn server(&self) -> Result<Server> {
        Server::start(&self.program, &self.url, self.folder.path(), &self.token)
    }

    /// Runs SQL around what is measured.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        run(&mut self.keeper, sql).await
    }

    /// Runs SQL that is measured, as psql sends it: by the simple query protocol.
    pub async fn run_bare(&mut self, sql: &str) -> Result<()> {
        run(&mut self.bare, sql).await
    }

    /// Waits until a job has stored all rows of its file.
    pub async fn completed(&mut self, job: Uuid, rows: usize) -> Result<()> {
        let sql = "SELECT status, successful_rows FROM bulk_upload_jobs WHERE id = $1 AND completed_at IS NOT NULL";
        let began = Instant::now();
        loop {
            let ended = sqlx::query_as(sql).bind(job).fetch_optional(&mut self.keeper).await?;
            if let Some((status, stored)) = ended {
                let (status, stored): (String, i32) = (status, stored);
                ensure!(status == "completed" && i32::try_from(rows)? == stored, "{status}: {stored} rows stored");
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "job {job} has not ended in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a finished job with so many predictions, as the upload of the model's first rows would leave it.
    pub async fn seed(&mut self, rows: usize) -> Result<Uuid> {
        let (model, job, input) = (self.model, Uuid::now_v7(), Uuid::now_v7());
        let copied_job = copied::<job::Column>(|column| match column {
            job::Column::Id => Some(format!("'{job}'")),
            job::Column::TotalRows | job::Column::ProcessedRows => Some((rows + rows / ROWS_AN_ERROR).to_string()),
            job::Column::SuccessfulRows => Some(rows.to_string()),
            job::Column::FailedRows => Some((rows / ROWS_AN_ERROR).to_string()),
            _ => None,
        });
        // A UUID v7 whose time goes on by a millisecond every thousand rows, and which counts within it.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let id = format!(
            "(lpad(to_hex({now} + n / 1000), 12, '0') || '7' || lpad(to_hex(n % 1000), 3, '0') || 'a'
              || substr(md5(random()::text), 1, 15))::uuid"
        );
        let copied_rows = copied::<annual_prediction::Column>(|column| match column {
            annual_prediction::Column::Id => Some(id.clone()),
            annual_prediction::Column::JobId => Some(format!("'{job}'")),
            _ => None,
        });
        let file = csv('M', rows, MODEL_COMPANIES);
        let size = file.len();
        let folder = self.folder.path().join(format!("artifacts/jobs/{job}/input"));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(input.to_string()), file)?;
        self.run(&format!(
            "BEGIN;
             INSERT INTO bulk_upload_jobs ({}) SELECT {} FROM bulk_upload_jobs WHERE id = '{model}';
             INSERT INTO artifacts (id, job_id, kind, name, size, created_at)
                 VALUES ('{input}', '{job}', 'input', 'bench.csv', {size}, now());
             INSERT INTO annual_predictions ({})
                 SELECT {} FROM (SELECT row_number() OVER (ORDER BY id) - 1 AS n, * FROM (
                                     SELECT * FROM annual_predictions WHERE job_id = '{model}' ORDER BY id LIMIT {rows}
                                 ) AS part) AS model ORDER BY n;
             INSERT INTO row_errors (job_id, line, column_name, code, message)
                 SELECT '{job}', {ROWS_AN_ERROR} * n, 'reporting_year', 'MISSING_VALUE', 'reporting_year is empty.'
                 FROM generate_series(1, {rows} / {ROWS_AN_ERROR}) AS n;
             COMMIT",
            copied_job.0, copied_job.1, copied_rows.0, copied_rows.1
        ))
        .await?;
        Ok(job)
    }

    /// Brings the tables to a state of rest: no dead rows, fresh statistics.
    pub async fn settle(&mut self) -> Result<()> {
        self.purged().await?;
        self.run("VACUUM (ANALYZE) annual_predictions, bulk_upload_jobs, row_errors, artifacts, companies").await?;
        // So that nobody's time pays for what is dirty.
        self.run("CHECKPOINT").await
    }

    /// Fails where PostgreSQL would look for a job's rows in another way for the server than for the bare SQL: the
    /// times would tell of the planner, not of the server.
    pub async fn check_plans(&mut self, job: Uuid) -> Result<()> {
        let bare = format!("EXPLAIN DELETE FROM annual_predictions WHERE job_id = '{job}'");
        let ours = format!("{bare} AND organization_id = '{}'", self.organization);
        let mut ways = Vec::new();
        for sql in [bare, ours] {
            let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut self.keeper).await?;
            let way = plan.get(1).and_then(|line| line.split("  (").next()).unwrap_or_default();
            ways.push(way.trim().to_owned());
        }
        ensure!(ways[0] == ways[1], "the sides have different plans: bare {:?}, deleteJob {:?}", ways[0], ways[1]);
        Ok(())
    }

    /// Waits until the server has removed the files of deleted jobs.
    pub async fn purged(&mut self) -> Result<()> {
        let sql = "SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL";
        let began = Instant::now();
        while sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut self.keeper).await? > 0 {
            ensure!(began.elapsed() < PATIENCE, "files of deleted jobs have not gone in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

/// What the figures depend on, in one line.
pub async fn machine(postgres: &str) -> Result<String> {
    let mut keeper = PgConnection::connect(postgres).await?;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut keeper).await?;
    let version = version.split(' ').next().unwrap_or_default();
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut keeper).await?;
    let cores = std::thread::available_parallelism()?;
    // Steady use by others does not spread the times, so it has to be said.
    let (idle, all) = processor_time()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (idle_now, all_now) = processor_time()?;
    let busy = 100 - 100 * (idle_now - idle) / (all_now - all).max(1);
    Ok(format!(
        "{cores} cores, of which other programs used {busy} % beforehand; PostgreSQL {version} on the same machine, \
         fsync {fsync}"
    ))
}

/// Idle and all time of the processors so far: the first line of /proc/stat, man page proc(5).
fn processor_time() -> Result<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let times: Vec<u64> = line.split_whitespace().skip(1).take(8).map(str::parse).collect::<Result<_, _>>()?;
    ensure!(times.len() == 8, "/proc/stat begins with {line:?}");
    Ok((times[3] + times[4], times.iter().sum()))
}

/// The columns of a table, and what to select for them: themselves, or what replaces them.
fn copied<C: Iterable + IdenStatic>(replaced: impl Fn(&C) -> Option<String>) -> (String, String) {
    let names: Vec<_> = C::iter().map(|column| column.as_str().to_owned()).collect();
    let values: Vec<_> =
        C::iter().map(|column| replaced(&column).unwrap_or_else(|| column.as_str().to_owned())).collect();
    (names.join(", "), values.join(", "))
}

/// A file of annual figures: so many rows, year by year, of so many companies.
pub fn csv(prefix: char, rows: usize, companies: usize) -> Vec<u8> {
    let mut file = String::from(
        "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,\
         long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,\
         return_on_assets\n",
    );
    for row in 0..rows {
        let (company, year) = (row % companies, 1900 + row / companies);
        let cents = |factor: usize, most: usize| (row * factor % most) as u64;
        // Writing to a String cannot fail.
        _ = writeln!(
            file,
            "{prefix}{company},Company {company} Incorporated,{},Industrials,{year},Q4,{},{}.{:02},{}.{},{}.25,{}.5",
            (company as u64 + 1) * 1_000_000,
            cents(7, 90),
            cents(3, 9),
            cents(11, 100),
            cents(13, 60),
            cents(5, 10),
            cents(17, 40),
            cents(19, 30),
        );
    }
    file.into_bytes()
}
