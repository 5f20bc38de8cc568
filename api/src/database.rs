//! The connection to the database, and the one way to write to it.

mod insert;
pub mod notices;
mod numeric;
pub mod parents;
mod primary;
mod reader;
pub mod rows;
mod site;
mod standby;
mod transaction;

use std::{future::Future, sync::Arc, time::Duration};

use prometheus_client::metrics::gauge::Gauge;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter, QuerySelect, Select,
    Statement, Value,
    prelude::Uuid,
    sea_query::{LockBehavior, LockType},
};
use tokio::sync::Mutex;

pub use self::{
    insert::{insert_row, insert_rows},
    reader::{Reader, Watch},
    site::Site,
    standby::Position,
    transaction::{Statements, WriteTransaction},
};
use self::{
    primary::{Primary, Wanted},
    standby::Standby,
};
use crate::{error::Error, metrics::Counted};

/// How often a transaction is tried that lost against another one.
const ATTEMPTS: u32 = 8;
/// How long a pooled connection may be idle without being asked whether it lives.
const UNASKED: Duration = Duration::from_secs(1);
/// How long to wait for a connection.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(10);

/// The connections to the database.
#[derive(Clone, Debug)]
pub struct Database {
    backend: DbBackend,
    primary: Primary,
    reader: Reader,
    wanted: Wanted,
    /// Where lists may be read.
    standby: Option<Standby>,
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
    /// Opens up to `connections` connections. A URL with several hosts follows the one that takes changes.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, DbErr> {
        Self::connect_with(url, connections, None).await
    }

    /// As [`Self::connect`]; told of each statement.
    pub async fn connect_with(url: &str, connections: u32, watch: Option<Watch>) -> Result<Self, DbErr> {
        let wanted = Wanted { connections, watch };
        let primary = Primary::connect(url, wanted.clone()).await?;
        let backend = primary.last().pool.get_database_backend();
        let turn = (backend == DbBackend::Sqlite).then(Arc::default);
        let reader = Reader::new(primary.clone(), None);
        Ok(Self { backend, primary, reader, wanted, standby: None, turn, beginning: Gauge::default() })
    }

    /// Lets lists be read from a standby, or the first of several that follows, while it is at most so far behind.
    pub fn with_standby(self, url: &str, behind: Duration) -> Result<Self, DbErr> {
        if self.backend == DbBackend::Sqlite {
            return Err(DbErr::Custom(
                "SQLite has none; leave it out, or name a PostgreSQL database with --database-url".to_owned(),
            ));
        }
        let standby = Standby::follow(url, behind, self.primary.clone(), self.wanted.clone())?;
        Ok(Self { standby: Some(standby), ..self })
    }

    /// The same database, read from the standby: `None` while there is none that shows all that this user has changed, here or,
    /// up to `written`, at another server.
    pub fn on_standby(&self, user: Uuid, written: Option<Position>) -> Option<Self> {
        let site = self.standby.as_ref()?.for_user(user, written)?;
        Some(Self { reader: Reader::new(self.primary.clone(), Some(site)), ..self.clone() })
    }

    /// For reading what must be the newest, whatever else is read from a standby.
    pub fn newest(&self) -> Reader {
        Reader::new(self.primary.clone(), None)
    }

    /// Notes that this user has changed something, so that whatever the user asks next is read where it shows. Gives the
    /// position by which another server sees that too, where there is a standby.
    pub async fn changed(&self, user: Uuid) -> Option<Position> {
        let standby = self.standby.as_ref()?;
        let position = standby::changed(&self.newest()).await;
        standby.wait(user, position);
        position
    }

    /// How old at most what is read from the standby is; `None`: nothing is read from one.
    pub fn standby_age(&self) -> Option<Duration> {
        self.standby.as_ref()?.age()
    }

    /// Of several hosts each by name, and whether changes go to it now.
    pub fn hosts(&self) -> Vec<(String, bool)> {
        self.primary.hosts()
    }

    /// Notes that this user has heard of something that has changed.
    pub fn heard(&self, user: Uuid) {
        if let Some(standby) = &self.standby {
            standby.wait(user, None);
        }
    }

    /// For reading, each statement by itself.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The connections to the host that takes changes, or to the last one that did.
    pub fn site(&self) -> Arc<Site> {
        self.primary.last()
    }

    /// The connections of transactions, for what looks at the schema itself.
    pub fn pool(&self) -> DatabaseConnection {
        self.primary.last().pool.clone()
    }

    /// Which database it is.
    pub const fn backend(&self) -> DbBackend {
        self.backend
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
        let rows = self.pool().query_all_raw(Statement::from_string(self.backend(), sql)).await?;
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
        let begun = self.primary.run(|site| async move { Statements::begin(&site).await }).await?;
        Ok(WriteTransaction::new(begun, turn))
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
        let host = self.primary.last();
        let (size, idle, most) = if self.backend() == DbBackend::Postgres {
            let pool = host.pool.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = host.pool.get_sqlite_connection_pool();
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
        host.kept.as_ref().map_or(state, |kept| kept.add_to(state))
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<(), DbErr> {
        if let Some(standby) = &self.standby {
            standby.close();
        }
        self.primary.close().await
    }
}

/// Runs a transaction again while it loses against another one, or its connection, with growing pauses.
pub async fn retrying<T, F>(attempt: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    again(|_| attempt(), false).await
}

/// As [`retrying`], and also where a commit was not answered, so that the caller learns what became of it.
///
/// `attempt` is told whether one before may have been committed. It must find out then, by an id that was chosen before the
/// first one, after it has waited for whatever that one may still do.
pub async fn settling<T, F>(attempt: impl Fn(bool) -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    again(attempt, true).await
}

async fn again<T, F>(attempt: impl Fn(bool) -> F, settles: bool) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let (mut tried, mut open) = (1, None);
    loop {
        let error = match attempt(open.is_some()).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        let is_open = settles && matches!(error, Error::CommitUnknown(_));
        if tried == ATTEMPTS || !(is_open || error.is_transient() || error.is_lost()) {
            return Err(open.unwrap_or(error));
        }
        tracing::debug!("transaction tried again: {error}");
        if is_open {
            open = Some(error);
        }
        tokio::time::sleep(Duration::from_millis(5 << tried)).await;
        tried += 1;
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
