//! A database of an existing installation, as large as wanted: jobs that nobody linked, and the files that they read. One job
//! of each user and kind hung all the time and was cancelled in the end, so all rows of a user lie in one window.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context, Result, ensure};
use sea_orm::{
    prelude::Uuid,
    sqlx::{self, AssertSqlSafe, Connection, PgConnection},
};
use tempfile::TempDir;

const USERS: usize = 10;
const ORGANIZATIONS: usize = 20;
const COMPANIES: usize = 1_000;
/// Jobs have so many rows where there are fewer than [`MOST_JOBS`].
const ROWS_A_JOB: usize = 200;
const MOST_JOBS: usize = 10_000;
/// A kind of predictions.
struct Kind {
    table: &'static str,
    name: &'static str,
    /// Each with the factor that makes it differ from row to row.
    ratios: &'static [(&'static str, usize)],
}

const KINDS: [Kind; 2] = [
    Kind {
        table: "annual_predictions",
        name: "annual",
        ratios: &[
            ("long_term_debt_to_total_capital", 7),
            ("total_debt_to_ebitda", 11),
            ("net_income_margin", 13),
            ("ebit_to_interest_expense", 17),
            ("return_on_assets", 19),
        ],
    },
    Kind {
        table: "quarterly_predictions",
        name: "quarterly",
        ratios: &[
            ("total_debt_to_ebitda", 7),
            ("sga_margin", 11),
            ("long_term_debt_to_total_capital", 13),
            ("return_on_capital", 17),
        ],
    },
];

/// A migrated database with predictions that no link tells of. Copies of it are made for each measurement.
pub struct Past {
    pub rows: usize,
    /// The files of the jobs, by their ids.
    pub sources: TempDir,
    admin: PgConnection,
    server: String,
    name: String,
}

impl Past {
    /// Makes it: half of the rows annual, half quarterly; `migrated`: with Joblink's migrations applied.
    pub async fn make(postgres: &str, rows: usize, migrated: bool) -> Result<Self> {
        eprintln!("making {rows} predictions of jobs of the past");
        let url = database(postgres, "past", (!migrated).then_some(1)).await?;
        let (server, name) = url.rsplit_once('/').context("no URL of a database")?;
        let admin = PgConnection::connect(postgres).await?;
        let past = Self { rows, sources: TempDir::new()?, admin, server: server.to_owned(), name: name.to_owned() };
        past.fill(&mut PgConnection::connect(&url).await?).await?;
        Ok(past)
    }

    fn jobs(&self) -> usize {
        (self.rows / ROWS_A_JOB).clamp(2, MOST_JOBS)
    }

    fn rows_a_job(&self) -> usize {
        self.rows / self.jobs()
    }

    async fn fill(&self, db: &mut PgConnection) -> Result<()> {
        let (jobs, rows) = (self.jobs(), self.rows_a_job());
        // Keys and indexes after the rows, as a restored dump has them: one by one would take many times as long.
        run(
            db,
            "SET session_replication_role = replica; SET maintenance_work_mem = '256MB'; SET synchronous_commit = off",
        )
        .await?;
        run(
            db,
            &format!(
                "INSERT INTO organizations (id, name, slug, join_token)
                     SELECT md5('organization' || n)::uuid, 'O' || n, 'o' || n, 't' || n FROM generate_series(1, {ORGANIZATIONS}) n;
                 INSERT INTO users (id, email, username, hashed_password, organization_id, is_active)
                     SELECT md5('user' || n)::uuid, n || '@example.com', 'u' || n, '!', md5('organization' || 1 + n % {ORGANIZATIONS})::uuid, true
                     FROM generate_series(0, {USERS} - 1) n;
                 INSERT INTO companies (id, symbol, name, market_cap, sector, organization_id, access_level)
                     SELECT md5('company' || o || ' ' || n)::uuid, 'C' || n, 'Company', 1, 'Sector', md5('organization' || o)::uuid, 'organization'
                     FROM generate_series(1, {ORGANIZATIONS}) o, generate_series(0, {COMPANIES} - 1) n;
                 INSERT INTO bulk_upload_jobs (id, organization_id, user_id, job_type, status, original_filename, total_rows,
                         processed_rows, successful_rows, failed_rows, created_at, started_at, completed_at, updated_at)
                     SELECT md5('job' || n)::uuid, md5('organization' || 1 + n % {USERS} % {ORGANIZATIONS})::uuid,
                         md5('user' || n % {USERS})::uuid, CASE n / {USERS} % 2 WHEN 0 THEN 'annual' ELSE 'quarterly' END,
                         'completed', n || '.csv', {rows}, {rows}, {rows}, 0, at, at, at + {rows} * interval '20 ms', at
                     FROM generate_series(0, {jobs} - 1) n,
                         LATERAL (SELECT timestamp '2024-01-01' + n / {USERS} * ({rows} * interval '20 ms' + interval '1 minute') AS at) t;
                 INSERT INTO bulk_upload_jobs (id, organization_id, user_id, job_type, status, original_filename, total_rows,
                         processed_rows, successful_rows, failed_rows, created_at, started_at, completed_at, updated_at)
                     SELECT md5('hung' || kind || n)::uuid, md5('organization' || 1 + n % {ORGANIZATIONS})::uuid,
                         md5('user' || n)::uuid, kind, 'cancelled', 'hung.csv', 1, 0, 0, 0, at, at, now() AT TIME ZONE 'UTC', at
                     FROM generate_series(0, {USERS} - 1) n, (VALUES ('annual'), ('quarterly')) kinds (kind),
                         (SELECT timestamp '2024-01-01' AS at) t"
            ),
        )
        .await?;
        for Kind { table, name: kind, ratios } in KINDS {
            let indexes: Vec<(String, String)> = sqlx::query_as(
                "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1 AND indexname NOT LIKE '%_pkey'",
            )
            .bind(table)
            .fetch_all(&mut *db)
            .await?;
            for (name, _) in &indexes {
                run(db, &format!("DROP INDEX {name}")).await?;
            }
            let names: Vec<_> = ratios.iter().map(|(name, _)| *name).collect();
            let values: Vec<_> =
                ratios.iter().map(|(_, factor)| format!("(k * {factor} % 900)::numeric / 10")).collect();
            let probability = if kind == "annual" { "probability, " } else { "" };
            let value = if kind == "annual" { "0.0123, " } else { "" };
            run(
                db,
                &format!(
                    "INSERT INTO {table} (id, company_id, organization_id, access_level, reporting_year, reporting_quarter,
                         {}, {probability}risk_level, confidence, predicted_at, created_by, created_at, updated_at)
                     SELECT md5('{kind}' || j.original_filename || ' ' || k)::uuid,
                         md5('company' || 1 + n % {USERS} % {ORGANIZATIONS} || ' ' || k % {COMPANIES})::uuid, j.organization_id,
                         'organization', (1900 + k / {COMPANIES})::text, 'Q4', {}, {value}'LOW', 0.97,
                         j.started_at + k * interval '20 ms' + interval '5 ms', j.user_id,
                         j.started_at + k / 50 * 50 * interval '20 ms', j.started_at + k / 50 * 50 * interval '20 ms'
                     FROM (SELECT *, split_part(original_filename, '.', 1)::integer AS n FROM bulk_upload_jobs
                             WHERE job_type = '{kind}' AND status = 'completed') j,
                         generate_series(0, {rows} - 1) k
                     ORDER BY j.started_at, j.user_id, k",
                    names.join(", "),
                    values.join(", ")
                ),
            )
            .await?;
            for (_, sql) in &indexes {
                run(db, sql).await?;
            }
            run(
                db,
                &format!(
                    "CREATE TABLE links_{kind} AS SELECT p.id, j.id AS job FROM {table} p JOIN bulk_upload_jobs j
                         ON j.user_id = p.created_by AND j.job_type = '{kind}' AND j.status = 'completed' AND p.predicted_at BETWEEN j.started_at AND j.completed_at;
                     ALTER TABLE links_{kind} ADD PRIMARY KEY (id)"
                ),
            )
            .await?;
        }
        run(db, "VACUUM ANALYZE").await?;
        let known: i64 =
            sqlx::query_scalar("SELECT (SELECT count(*) FROM links_annual) + (SELECT count(*) FROM links_quarterly)")
                .fetch_one(&mut *db)
                .await?;
        ensure!(usize::try_from(known)? == self.jobs() * rows, "{known} rows lie in the window of a job");
        let ids: Vec<(Uuid, String)> =
            sqlx::query_as("SELECT id, job_type FROM bulk_upload_jobs WHERE status = 'completed'")
                .fetch_all(&mut *db)
                .await?;
        for (job, of) in ids {
            let kind = KINDS.iter().find(|kind| kind.name == of).context("a job of no kind")?;
            std::fs::write(self.sources.path().join(format!("{job}.csv")), csv(kind.ratios, rows))?;
        }
        Ok(())
    }

    /// All rows that jobs made.
    pub fn linked_rows(&self) -> usize {
        self.jobs() * self.rows_a_job()
    }

    /// A copy of the database.
    pub async fn copy(&mut self) -> Result<Copy> {
        let name = format!("copy{}", Uuid::now_v7().simple());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {}", self.name);
        // Before PostgreSQL 15 there is no other strategy.
        if run(&mut self.admin, &format!("{sql} STRATEGY file_copy")).await.is_err() {
            run(&mut self.admin, &sql).await?;
        }
        run(&mut self.admin, "CHECKPOINT").await?;
        Ok(Copy { url: format!("{}/{name}", self.server), name })
    }

    /// Drops a copy.
    pub async fn drop_copy(&mut self, copy: Copy) -> Result<()> {
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", copy.name)).await
    }

    /// Drops the database itself.
    pub async fn drop(mut self) -> Result<()> {
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        self.sources.path()
    }
}

/// A copy of the database of a past.
pub struct Copy {
    pub url: String,
    name: String,
}

impl Copy {
    /// A connection to it.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }
}

/// Makes a database with all migrations, or the first of them alone, whose name begins with this; gives its URL.
pub async fn database(postgres: &str, name: &str, migrations: Option<u32>) -> Result<String> {
    let (server, _) = postgres.rsplit_once('/').context("no URL of a database")?;
    let name = format!("{name}{}", Uuid::now_v7().simple());
    let mut admin = PgConnection::connect(postgres).await?;
    run(&mut admin, &format!("CREATE DATABASE {name}")).await?;
    let url = format!("{server}/{name}");
    let db = migration::connect(&url, None).await?;
    migration::up(&db, migrations, migration::lock::WAIT).await?;
    db.close().await?;
    Ok(url)
}

/// Gives back the room of a database that nobody needs any more.
pub async fn drop_database(postgres: &str, url: &str) -> Result<()> {
    let (_, name) = url.rsplit_once('/').context("no URL of a database")?;
    run(&mut PgConnection::connect(postgres).await?, &format!("DROP DATABASE {name} WITH (FORCE)")).await
}

/// Runs SQL.
pub async fn run(db: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await.with_context(|| sql.to_owned())?;
    Ok(())
}

fn csv(ratios: &[(&str, usize)], rows: usize) -> String {
    let names: Vec<_> = ratios.iter().map(|(name, _)| *name).collect();
    let mut text = format!("company_symbol,reporting_year,reporting_quarter,{}\n", names.join(","));
    for row in 0..rows {
        // Writing to a String cannot fail.
        _ = write!(text, "C{},{},Q4", row % COMPANIES, 1900 + row / COMPANIES);
        for (_, factor) in ratios {
            let tenths = row * factor % 900;
            _ = write!(text, ",{}.{}", tenths / 10, tenths % 10);
        }
        text.push('\n');
    }
    text
}
