//! What stands in the database while queries are measured: several organizations, of which one is asked about.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use api::auth::{
    Role,
    token::{self, Rules, Secret},
};
use sea_orm::{
    prelude::Uuid,
    sqlx::{self, Connection, PgConnection},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    past::{database, run},
    server::{SECRET, Server},
};

/// Half of the jobs belong to the organization that is asked about, the others to the rest in turn.
const ORGANIZATIONS: usize = 10;
const USERS: usize = 200;
/// Of each organization.
const COMPANIES: usize = 3_000;
/// How far into the list of one risk level the page lies that is asked for.
const DEPTH: usize = 7_500;
/// Jobs of which one is asked for at a time.
const ASKED_JOBS: usize = 64;

/// A migrated database with so many predictions.
pub struct Data {
    pub url: String,
    /// For the server's files and log.
    pub folder: TempDir,
    /// Of a member of the organization that is asked about.
    pub token: String,
    /// Of somebody who may delete all its jobs.
    pub admin: String,
    /// That organization.
    pub organization: Uuid,
    /// Some of its jobs.
    pub jobs: Vec<Uuid>,
    /// The last prediction before the page that is asked for.
    pub deep: Uuid,
    /// Its cursor, as the server gives it.
    pub cursor: String,
}

impl Data {
    /// Makes it on a PostgreSQL server: so many jobs, each with so many predictions.
    pub async fn make(postgres: &str, name: &str, jobs: usize, rows_a_job: usize) -> Result<Self> {
        let url = database(postgres, name, None).await?;
        let mut keeper = PgConnection::connect(&url).await?;
        // Made afterwards, indexes take a fraction of the time.
        let indexes: Vec<(String, String)> = sqlx::query_as(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index \
             WHERE indrelid = 'annual_predictions'::regclass AND NOT indisunique",
        )
        .fetch_all(&mut keeper)
        .await?;
        for (index, _) in &indexes {
            run(&mut keeper, &format!("DROP INDEX {index}")).await?;
        }
        run(&mut keeper, &rows(jobs, rows_a_job)).await?;
        for (_, definition) in &indexes {
            run(&mut keeper, definition).await?;
        }
        run(&mut keeper, "VACUUM (ANALYZE)").await?;
        run(&mut keeper, "CHECKPOINT").await?;
        let organization: Uuid =
            sqlx::query_scalar("SELECT id FROM organizations WHERE slug = 'o0'").fetch_one(&mut keeper).await?;
        let user = sqlx::query_scalar("SELECT id FROM users WHERE username = 'u0'").fetch_one(&mut keeper).await?;
        let jobs = sqlx::query_scalar(
            "SELECT id FROM bulk_upload_jobs WHERE organization_id = $1 ORDER BY md5(id::text) LIMIT $2",
        );
        let jobs = jobs.bind(organization).bind(i64::try_from(ASKED_JOBS)?).fetch_all(&mut keeper).await?;
        let deep = sqlx::query_scalar(
            "SELECT id FROM annual_predictions WHERE organization_id = $1 AND risk_level = 'HIGH' \
             ORDER BY id OFFSET $2 LIMIT 1",
        );
        let deep = deep.bind(organization).bind(i64::try_from(DEPTH - 1)?).fetch_one(&mut keeper).await?;
        let (secret, rules, day) = (Secret::new(SECRET)?, Rules::default(), Duration::from_hours(24));
        let [token, admin] = [Role::Member, Role::OrgAdmin]
            .map(|role| token::mint(&secret, &rules, user, Some(organization), role, day));
        let (token, admin) = (token?, admin?);
        Ok(Self { url, folder: TempDir::new()?, token, admin, organization, jobs, deep, cursor: String::new() })
    }

    /// So many others of its jobs.
    pub async fn other_jobs(&self, count: usize) -> Result<Vec<Uuid>> {
        let others = sqlx::query_scalar(
            "SELECT id FROM bulk_upload_jobs WHERE organization_id = $1 AND id <> ALL ($2) ORDER BY md5(id::text) LIMIT $3",
        );
        let others = others.bind(self.organization).bind(&self.jobs).bind(i64::try_from(count)?);
        let others: Vec<Uuid> = others.fetch_all(&mut PgConnection::connect(&self.url).await?).await?;
        ensure!(others.len() == count, "there are {} other jobs, and {count} are wanted", others.len());
        Ok(others)
    }

    /// A fresh server on it.
    pub fn server(&self, program: &Path) -> Result<Server> {
        Server::start(program, &self.url, self.folder.path(), &self.token)
    }

    /// Takes the cursor from the server, page by page.
    pub async fn find_cursor(&mut self, server: &Server) -> Result<()> {
        let query =
            "query($after: String) { annualPredictions(first: 100, after: $after, filter: { riskLevel: [HIGH] }) {
            pageInfo { endCursor } } }";
        let mut after = Value::Null;
        for _ in 0..DEPTH / 100 {
            let mut data = server.ask(query, json!({ "after": after })).await?;
            after = data["annualPredictions"]["pageInfo"]["endCursor"].take();
        }
        after.as_str().context("the list is too short")?.clone_into(&mut self.cursor);
        Ok(())
    }
}

/// The SQL that makes the rows. Ids of jobs and predictions are UUIDs v7 whose times go on, as those of uploads do.
fn rows(jobs: usize, rows_a_job: usize) -> String {
    format!(
        "CREATE FUNCTION pg_temp.v7(at bigint, n bigint) RETURNS uuid LANGUAGE sql AS $$
             SELECT (lpad(to_hex(1767225600000 + at), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || 'a'
                     || substr(md5(at || ' ' || n), 1, 15))::uuid $$;
         CREATE FUNCTION pg_temp.of_job(job bigint) RETURNS bigint LANGUAGE sql AS $$
             SELECT CASE job % 2 WHEN 0 THEN 0 ELSE 1 + job / 2 % ({ORGANIZATIONS} - 1) END $$;
         BEGIN;
         -- What is inserted here refers to what is inserted here.
         SET LOCAL session_replication_role = replica;
         INSERT INTO organizations (id, name, slug, join_token)
             SELECT md5('o' || n)::uuid, 'Organization ' || n, 'o' || n, 't' || n
             FROM generate_series(0, {ORGANIZATIONS} - 1) AS n;
         INSERT INTO users (id, email, username, hashed_password, full_name, organization_id, is_active)
             SELECT md5('u' || n)::uuid, 'user' || n || '@example.com', 'u' || n, '!', 'User Number ' || n,
                 md5('o' || n % {ORGANIZATIONS})::uuid, true
             FROM generate_series(0, {USERS} - 1) AS n;
         INSERT INTO companies (id, symbol, name, market_cap, sector, organization_id, access_level)
             SELECT md5('c' || o || ' ' || n)::uuid, 'S' || n, 'Company ' || n || ' Incorporated', n * 1000000.0, 'Industrials',
                 md5('o' || o)::uuid, 'organization'
             FROM generate_series(0, {ORGANIZATIONS} - 1) AS o, generate_series(0, {COMPANIES} - 1) AS n;
         INSERT INTO bulk_upload_jobs (id, organization_id, user_id, job_type, status, original_filename, file_size,
                 total_rows, processed_rows, successful_rows, failed_rows, created_at, started_at, completed_at,
                 updated_at, origin)
             SELECT pg_temp.v7(job * 100000, job), md5('o' || pg_temp.of_job(job))::uuid,
                 md5('u' || pg_temp.of_job(job) + {ORGANIZATIONS} * (job % ({USERS} / {ORGANIZATIONS})))::uuid,
                 'annual', 'completed', 'figures-' || job || '.csv', 100000 + job, {rows_a_job} + 3, {rows_a_job} + 3,
                 {rows_a_job}, 3, at, at + interval '1.5 s', at + interval '7 s', at + interval '7 s', 'joblink'
             FROM generate_series(1, {jobs}::bigint) AS job,
                 LATERAL (SELECT timestamp '2026-01-01 00:00:00.806911' + job * interval '100 s') AS time (at);
         INSERT INTO annual_predictions (id, company_id, organization_id, access_level, reporting_year,
                 reporting_quarter, long_term_debt_to_total_capital, total_debt_to_ebitda, net_income_margin,
                 ebit_to_interest_expense, return_on_assets, probability, risk_level, confidence, predicted_at,
                 created_by, created_at, updated_at, job_id, job_link)
             SELECT pg_temp.v7(job * 100000 + 2000 + n / 1000, n),
                 md5('c' || pg_temp.of_job(job) || ' ' || (job * 31 + n) % {COMPANIES})::uuid,
                 md5('o' || pg_temp.of_job(job))::uuid, 'organization', (1990 + (job + n) % 35)::text, 'Q4',
                 n * 7 % 900 / 10.0, n * 11 % 99 / 10.0, n * 13 % 600 / 10.0, n * 5 % 100 / 4.0, n * 17 % 400 / 10.0,
                 (n * 37 + job * 11) % 9999 / 10000.0, risk[1 + (n * 7 + job) % 8],
                 0.5 + (n * 41 + job) % 4999 / 10000.0, at, md5('u' || pg_temp.of_job(job))::uuid, at, at,
                 pg_temp.v7(job * 100000, job), 'upload'
             -- With 0 * job each job's rows are made in turn, and lie beside each other as those of an upload do.
             FROM generate_series(1, {jobs}::bigint) AS job, generate_series(0, {rows_a_job} - 1 + 0 * job) AS n,
                 LATERAL (SELECT timestamp '2026-01-01 00:00:03.806911' + job * interval '100 s',
                     '{{LOW,LOW,LOW,MEDIUM,MEDIUM,HIGH,LOW,CRITICAL}}'::text[]) AS time (at, risk);
         COMMIT"
    )
}
