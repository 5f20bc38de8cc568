//! The lock of a PostgreSQL database: one row, which its holder renews.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection,
    prelude::Uuid,
    sqlx::{self, AssertSqlSafe, ConnectOptions, PgConnection, postgres::PgConnectOptions},
};

use super::Waiting;
use crate::{Error, catalogue::strings, error::has_code};

/// The table of the lock. It stays, as the ledger does.
pub const TABLE: &str = "joblink_migration_lock";
/// How long the lock outlives its last renewal, where nothing else tells that its holder is gone.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// SQLSTATEs `unique_violation`, `duplicate_table` and `duplicate_object` (its row type): another run has just made the
/// table too.
const MADE_BY_ANOTHER: &[&str] = &["23505", "42P07", "42710"];
/// SQLSTATE `undefined_table`: another run has just dropped the table.
const DROPPED_BY_ANOTHER: &[&str] = &["42P01"];
/// SQLSTATEs `serialization_failure` and `deadlock_detected`: another run was faster.
const TAKEN_BY_ANOTHER: &[&str] = &["40001", "40P01"];

pub struct Lease<'a> {
    db: &'a DatabaseConnection,
    connection: PgConnection,
    options: Arc<PgConnectOptions>,
    /// The table's name with its schema.
    table: String,
    token: Uuid,
}

impl<'a> Lease<'a> {
    /// Waits until it is free, then takes it.
    pub async fn take(db: &'a DatabaseConnection, holder: &str, waiting: &mut Waiting) -> Result<Self, Error> {
        let options = db.get_postgres_connection_pool().connect_options();
        let mut connection = options.connect().await?;
        let schema = strings(db, "SELECT quote_ident(current_schema())").await?;
        let Some(schema) = schema.first() else {
            return Err(Error::Failed(
                "the database has no schema to work in; create it, or name another one".to_owned(),
            ));
        };
        let table = format!("{schema}.{TABLE}");
        make(&mut connection, &table).await?;
        // Where the process of the holder's connection runs: another node of a cluster could not tell that it is gone.
        let node: Option<String> =
            sqlx::query_scalar("SELECT pg_postmaster_start_time()::text").fetch_one(&mut connection).await.ok();
        let token = Uuid::now_v7();
        let mut lease = Self { db, connection, options, table, token };
        while !lease.was_taken(holder, node.as_deref()).await? {
            if let Some(other) = lease.holder().await? {
                waiting.on(&other).await?;
            }
        }
        Ok(lease)
    }

    /// Takes the lock where it is free, has run out, or where the connection that renewed it is gone.
    async fn was_taken(&mut self, holder: &str, node: Option<&str>) -> Result<bool, Error> {
        let lease = LEASE.as_secs();
        let gone = if node.is_some() {
            "OR (held.node = excluded.node AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = held.backend))"
        } else {
            ""
        };
        let sql = format!(
            "INSERT INTO {} AS held (id, token, holder, node, backend, taken_at, expires_at)
             VALUES (1, $1, $2, $3, pg_backend_pid(), clock_timestamp(), clock_timestamp() + interval '{lease} seconds')
             ON CONFLICT (id) DO UPDATE SET token = excluded.token, holder = excluded.holder, node = excluded.node,
                 backend = excluded.backend, taken_at = excluded.taken_at, expires_at = excluded.expires_at
             WHERE held.expires_at < clock_timestamp() {gone}",
            self.table
        );
        let taken = sqlx::query(AssertSqlSafe(sql)).bind(self.token).bind(holder).bind(node);
        match taken.execute(&mut self.connection).await {
            Ok(done) => Ok(done.rows_affected() == 1),
            Err(error) if has_code(&error, TAKEN_BY_ANOTHER) => Ok(false),
            Err(error) if has_code(&error, DROPPED_BY_ANOTHER) => {
                make(&mut self.connection, &self.table).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who holds it, since when.
    async fn holder(&mut self) -> Result<Option<String>, Error> {
        let sql = format!(
            "SELECT holder || ', since ' || to_char(taken_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"') FROM {}",
            self.table
        );
        match sqlx::query_scalar(AssertSqlSafe(sql)).fetch_optional(&mut self.connection).await {
            Err(error) if has_code(&error, DROPPED_BY_ANOTHER) => Ok(None),
            answer => Ok(answer?),
        }
    }

    /// Does the work and renews the lock meanwhile; the work is broken off where the lock was lost. Then gives it back.
    pub async fn hold<T>(mut self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            lost = self.renew() => Err(lost),
        };
        // By the other connection: a renewal may have been broken off on this one. Where it fails the lock runs out.
        let sql = format!("DELETE FROM {} WHERE token = '{}'", self.table, self.token);
        _ = self.db.execute_unprepared(&sql).await;
        outcome
    }

    /// Renews the lock for as long as it can.
    async fn renew(&mut self) -> Error {
        let sql = format!(
            "UPDATE {} SET expires_at = clock_timestamp() + interval '{} seconds', backend = pg_backend_pid() WHERE token = $1",
            self.table,
            LEASE.as_secs()
        );
        let mut renewed = Instant::now();
        while renewed.elapsed() < LEASE {
            tokio::time::sleep(BEAT).await;
            let asked = Instant::now();
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.token);
            // A connection that hangs must not keep this from noticing that the time is over.
            match tokio::time::timeout(BEAT, query.execute(&mut self.connection)).await {
                Ok(Ok(done)) if done.rows_affected() == 0 => break,
                Ok(Ok(_)) => renewed = asked,
                Ok(Err(_)) | Err(_) => {
                    if let Ok(Ok(connection)) = tokio::time::timeout(BEAT, self.options.connect()).await {
                        self.connection = connection;
                    }
                }
            }
        }
        Error::Failed("another run has taken over, because this one could not renew its lock; run it again".to_owned())
    }
}

/// Makes the table. Two runs may do so at once, and `IF NOT EXISTS` does not help then.
async fn make(connection: &mut PgConnection, table: &str) -> Result<(), Error> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(&mut *connection).await?;
    if there {
        return Ok(());
    }
    let sql = format!(
        "CREATE TABLE {table} (
            id smallint NOT NULL PRIMARY KEY,
            token uuid NOT NULL,
            holder text NOT NULL,
            node text,
            backend integer NOT NULL,
            taken_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        )"
    );
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Err(error) if !has_code(&error, MADE_BY_ANOTHER) => Err(error.into()),
        _ => Ok(()),
    }
}
