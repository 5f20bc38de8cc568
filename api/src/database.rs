//! The connection to the database, and the one way to write to it.

mod insert;
mod numeric;
pub mod parents;
mod reader;
pub mod rows;

use std::{
    fmt,
    future::Future,
    ops::Deref,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use migration::catalogue;
use prometheus_client::metrics::gauge::Gauge;
use sea_orm::{
    AccessMode, ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, EntityTrait, QueryFilter, QuerySelect, RuntimeErr, Select, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
    sea_query::{LockBehavior, LockType},
    sqlx::{self, Connection, PgPool, postgres::PgPoolOptions},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use self::{
    insert::{insert_row, insert_rows},
    reader::{Reader, Watch},
};
use crate::{error::Error, metrics::Counted};

/// How often a transaction is tried that lost against another one.
const ATTEMPTS: u32 = 8;
/// How long a SQLite file may be locked when it is opened.
const BUSY_FOR: Duration = Duration::from_secs(10);
/// How long a pooled connection may be idle without being asked whether it lives.
const UNASKED: Duration = Duration::from_secs(1);
/// How long to wait for a connection.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(10);
/// The oldest SQLite without the race that could corrupt a database in WAL mode, as a number: 3.51.3.
const OLDEST_SQLITE: i64 = 3_051_003;

/// A pool of connections.
#[derive(Clone, Debug)]
pub struct Database {
    pool: DatabaseConnection,
    reader: Reader,
    /// SQLite has one writer at a time. Waiting here is fair; waiting inside SQLite is by polling.
    turn: Option<Arc<Mutex<()>>>,
    /// Transactions that are about to begin.
    beginning: Gauge,
}

/// How the pool stands.
#[derive(Clone, Copy, Debug)]
pub struct PoolState {
    /// Connections that are at work.
    pub in_use: i64,
    /// Connections that wait for work.
    pub idle: i64,
    /// The most connections that there may be.
    pub most: i64,
    /// Reads and transactions that wait for a connection, or for their turn.
    pub waiting: i64,
}

impl Database {
    /// Opens a pool of up to `connections` connections.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, DbErr> {
        Self::connect_with(url, connections, None).await
    }

    /// As [`Self::connect`]; told of each statement.
    pub async fn connect_with(url: &str, connections: u32, watch: Option<Watch>) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .min_connections(1)
            .sqlx_logging(false)
            // Traces tell that there was a statement, never which.
            .record_stmt_in_spans(false)
            .connect_timeout(Duration::from_secs(10))
            .acquire_timeout(ACQUIRE_WITHIN);
        options.map_sqlx_sqlite_opts(|sqlite| {
            use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                // FULL: an answered deletion survives the loss of power.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(30))
        });
        // Closing the last connection of a SQLite pool under use can tear down its shared memory.
        options.map_sqlx_sqlite_pool_opts(|pool| pool.idle_timeout(None).max_lifetime(None));
        options.map_sqlx_postgres_pool_opts(as_ours);
        let mut pool = open(options).await?;
        let turn = match pool.get_database_backend() {
            DbBackend::Sqlite => {
                check_sqlite(&pool).await?;
                Some(Arc::default())
            }
            _ => None,
        };
        if let Some(watch) = watch.clone() {
            pool.set_metric_callback(move |_| watch());
        }
        let reader = Reader::new(&pool, connections, watch);
        Ok(Self { pool, reader, turn, beginning: Gauge::default() })
    }

    /// For reading, each statement by itself.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The connections of transactions, on PostgreSQL alone.
    pub fn postgres(&self) -> &PgPool {
        self.pool.get_postgres_connection_pool()
    }

    /// The connections of transactions, for what looks at the schema itself.
    pub const fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// Tables that this database user may not read or not write, in order; of those that are written to. None on SQLite.
    pub async fn closed_tables(&self) -> Result<Vec<String>, DbErr> {
        if self.backend() == DbBackend::Sqlite {
            return Ok(Vec::new());
        }
        // The audit log is only read and added to, and need not be open for more.
        let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname IN \
                   ('annual_predictions', 'quarterly_predictions', 'bulk_upload_jobs', 'companies', 'artifacts', \
                   'artifact_purges', 'artifact_store', 'audit_log', 'deletion_receipts', 'idempotency_keys', 'job_events', \
                   'job_log', 'notifications', 'retention_items', 'retention_runs', 'row_errors', 'staged_uploads') \
                   AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') \
                   AND (relname = 'audit_log' OR \
                   has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))) ORDER BY relname";
        let rows = self.pool.query_all_raw(Statement::from_string(self.backend(), sql)).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }

    /// Begins a transaction that may write. It is rolled back when it is dropped.
    ///
    /// Never drop the future itself: sqlx 0.9.0 leaves the transaction open when BEGIN is cancelled. Whatever a client
    /// can hang up on runs in a task of its own.
    pub async fn begin(&self) -> Result<WriteTransaction, DbErr> {
        let _beginning = Counted::one(&self.beginning);
        let turn = match &self.turn {
            Some(turn) => Some(turn.clone().lock_owned().await),
            None => None,
        };
        let transaction = self
            .pool
            .begin_with_options(TransactionOptions {
                isolation_level: None,
                access_mode: None::<AccessMode>,
                // A deferred transaction that reads first and writes then fails where another one wrote in between.
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            })
            .await?;
        Ok(WriteTransaction { transaction, turn, after: std::sync::Mutex::default() })
    }

    /// The same, for what is simply done again where it is lost: PostgreSQL does not wait for the disk at its commit, and may
    /// have lost it after a crash of its own.
    pub async fn begin_losable(&self) -> Result<WriteTransaction, DbErr> {
        let transaction = self.begin().await?;
        if self.backend() == DbBackend::Postgres {
            transaction.execute_unprepared("SET LOCAL synchronous_commit = off").await?;
        }
        Ok(transaction)
    }

    /// How the pool stands.
    pub fn pool_state(&self) -> PoolState {
        let (size, idle, most) = if self.backend() == DbBackend::Postgres {
            let pool = self.pool.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = self.pool.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        };
        // They are read one after the other, and may have changed in between.
        let count = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let state = PoolState {
            in_use: (i64::from(size) - count(idle)).max(0),
            idle: count(idle),
            most: most.into(),
            waiting: self.beginning.get(),
        };
        self.reader.add_to(state)
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<(), DbErr> {
        self.reader.close().await;
        self.pool.close().await
    }
}

/// A pool of PostgreSQL as it is used here.
fn as_ours(options: PgPoolOptions) -> PgPoolOptions {
    options
        .after_connect(|connection, _| {
            Box::pin(async move {
                // What locks protect is read after they are taken, so never from a snapshot of before, whatever the
                // database's own default is; and what only reads makes nobody else's transaction fail.
                let sql = "SET default_transaction_isolation = 'read committed'";
                sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
            })
        })
        // Asked whether it lives only after a pause: asking costs as much as a statement.
        .test_before_acquire(false)
        .before_acquire(|connection, seen| {
            Box::pin(async move {
                if seen.idle_for > UNASKED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// Opens a pool. Where two connections bring a new SQLite file into WAL mode at the same moment, one is told that the file
/// is locked, without the pause that it grants to statements.
async fn open(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let began = Instant::now();
    loop {
        match sea_orm::Database::connect(options.clone()).await {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_FOR => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

/// Whether it is SQLite's `SQLITE_BUSY`.
fn is_busy(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(error)) = error else { return false };
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("5"))
}

async fn check_sqlite(pool: &DatabaseConnection) -> Result<(), DbErr> {
    let parts = "CAST(substr(v, 1, 1) AS INTEGER) * 1000000 + CAST(substr(v, 3) AS INTEGER) * 1000 \
                 + CAST(substr(v, 4 + instr(substr(v, 3), '.') - 1) AS INTEGER)";
    let version = catalogue::count(pool, &format!("SELECT {parts} FROM (SELECT sqlite_version() AS v)")).await?;
    if version < OLDEST_SQLITE {
        return Err(DbErr::Custom(format!("the SQLite library is too old: {version}, needed is {OLDEST_SQLITE}")));
    }
    Ok(())
}

/// A transaction that may write.
pub struct WriteTransaction {
    transaction: DatabaseTransaction,
    turn: Option<OwnedMutexGuard<()>>,
    after: std::sync::Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteTransaction")
    }
}

impl WriteTransaction {
    /// Makes everything in it visible at once.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { transaction, turn, after } = self;
        let outcome = transaction.commit().await;
        drop(turn);
        // Also where the database did not answer: it may be there.
        for wake in after.into_inner().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
        outcome
    }

    /// Calls this when the transaction is committed, to wake whoever waits for what is in it.
    pub fn after_commit(&self, wake: impl FnOnce() + Send + 'static) {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(wake));
    }

    /// Takes everything in it back, and waits until that is done.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { transaction, turn, .. } = self;
        let outcome = transaction.rollback().await;
        drop(turn);
        outcome
    }
}

impl Deref for WriteTransaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

/// Runs a transaction again while it loses against another one, with growing pauses.
pub async fn retrying<T, F>(attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tried = 1;
    loop {
        match attempt().await {
            Err(error) if error.is_transient() && tried < ATTEMPTS => {
                tracing::debug!("transaction tried again: {error}");
                tokio::time::sleep(Duration::from_millis(5 << tried)).await;
                tried += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Locks the rows that a query finds, where the database locks rows at all.
///
/// `NO KEY UPDATE` lets others go on referring to the row by foreign keys; `UPDATE` does not.
pub fn locked<E: EntityTrait>(query: Select<E>, backend: DbBackend, lock: LockType) -> Select<E> {
    if backend == DbBackend::Postgres { query.lock(lock) } else { query }
}

/// The same, and passes over rows that others have locked.
pub fn locked_if_free<E: EntityTrait>(query: Select<E>, backend: DbBackend, lock: LockType) -> Select<E> {
    if backend == DbBackend::Postgres { query.lock_with_behavior(lock, LockBehavior::SkipLocked) } else { query }
}

/// `column = ANY(values)`: one parameter whatever the number of values on PostgreSQL, so that statements stay prepared.
pub fn any_of<C, V>(column: C, values: Vec<V>, backend: DbBackend) -> sea_orm::sea_query::SimpleExpr
where
    C: ColumnTrait,
    V: Into<Value>,
    Vec<V>: Into<Value>,
{
    use sea_orm::sea_query::{Expr, ExprTrait, extension::postgres::PgFunc};
    if backend == DbBackend::Postgres {
        let values: Value = values.into();
        Expr::col(column.as_column_ref()).eq(PgFunc::any(Expr::val(values)))
    } else {
        column.is_in(values)
    }
}

/// The time now, to the microsecond that PostgreSQL keeps.
pub fn now() -> chrono::DateTime<chrono::Utc> {
    use chrono::SubsecRound;
    chrono::Utc::now().trunc_subsecs(6)
}

/// Restricts a query to ids, however many. One is compared by itself: of a statement with an array PostgreSQL makes a new plan
/// each time, as it takes one of unknown length for ten.
pub fn with_ids<E: EntityTrait>(
    query: Select<E>,
    column: E::Column,
    ids: &[sea_orm::prelude::Uuid],
    backend: DbBackend,
) -> Select<E> {
    match ids {
        [id] => query.filter(column.eq(*id)),
        ids => query.filter(any_of(column, ids.to_vec(), backend)),
    }
}
