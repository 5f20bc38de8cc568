//! The connections to one host.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use migration::catalogue;
use sea_orm::{
    ConnAcquireErr, ConnectOptions, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    sqlx::{
        self, Connection, Postgres,
        pool::PoolConnection,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    ACQUIRE_WITHIN, UNASKED,
    reader::{Kept, SOON, Watch},
};

/// How long a SQLite file may be locked when it is opened.
const BUSY_FOR: Duration = Duration::from_secs(10);
/// The oldest SQLite without the race that could corrupt a database in WAL mode, as a number: 3.51.3.
const OLDEST_SQLITE: i64 = 3_051_003;
/// What a new connection says first. What locks protect is read after they are taken, so never from a snapshot of before,
/// whatever the database's own default is; and what only reads makes nobody else's transaction fail.
const FIRST: &str = "SET default_transaction_isolation = 'read committed'";
/// What it asks on the only host, whose address may lead to another one of a cluster for a moment: a standby is not gone to.
/// A database that was made read-only is still read from.
const UNLESS_STANDBY: &str = "DO $$ BEGIN IF pg_is_in_recovery() THEN \
                              RAISE 'this host is a standby' USING ERRCODE = 'read_only_sql_transaction'; END IF; END $$";
/// What it asks on a host of several: one that takes no changes is not gone to.
const IF_WRITABLE: &str = "DO $$ BEGIN IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN \
                           RAISE 'this host takes no changes' USING ERRCODE = 'read_only_sql_transaction'; END IF; END $$";

/// The connections to one host.
#[derive(Debug)]
pub struct Site {
    /// Those of transactions.
    pub pool: DatabaseConnection,
    /// Those that read, on PostgreSQL.
    pub kept: Option<Arc<Kept>>,
    /// Of a host of several: done when it is no longer the one that takes changes; of a standby, when it is not read from.
    ended: Option<CancellationToken>,
}

/// Which host it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The only one.
    Only,
    /// The one of several that takes changes.
    OfSeveral,
    /// One that only reads.
    Standby,
}

impl Site {
    /// Opens up to `connections` connections of each kind. To any host but the only one it connects when
    /// it is first used.
    pub async fn open(url: &str, connections: u32, host: Host, watch: Option<Watch>) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .min_connections(u32::from(host == Host::Only))
            .connect_lazy(host != Host::Only)
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
        options.map_sqlx_postgres_pool_opts(move |pool| as_ours(pool, host));
        let mut pool = open(options).await?;
        if pool.get_database_backend() == DbBackend::Sqlite {
            check_sqlite(&pool).await?;
        }
        if let Some(watch) = watch.clone() {
            pool.set_metric_callback(move |_| watch());
        }
        let kept = match pool.get_database_backend() {
            DbBackend::Postgres => Some(Kept::new(pool.get_postgres_connection_pool(), connections, host, watch)),
            _ => None,
        };
        Ok(Self { pool, kept: kept.map(Arc::new), ended: (host != Host::Only).then(CancellationToken::new) })
    }

    /// Does something on this host; broken off when it is no longer the one that takes changes, as it may never answer.
    pub async fn alive<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        until(self.ended.as_ref(), work).await
    }

    /// A connection of those of transactions, on PostgreSQL.
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, DbErr> {
        let connection = self.pool.get_postgres_connection_pool().acquire().await;
        connection.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
    }

    /// How it is connected to, on PostgreSQL.
    pub fn connect_options(&self) -> PgConnectOptions {
        (*self.pool.get_postgres_connection_pool().connect_options()).clone()
    }

    /// Whether it was the one of several that takes changes, and is not any more.
    pub fn is_over(&self) -> bool {
        self.ended.as_ref().is_some_and(CancellationToken::is_cancelled)
    }

    /// When it is no longer the one that takes changes: never, where it is the only one.
    pub fn ended(&self) -> Option<&CancellationToken> {
        self.ended.as_ref()
    }

    /// Of a host that may be left: breaks off what is done there, and lets go of its connections.
    pub fn end(self: &Arc<Self>) {
        let Some(ended) = &self.ended else { return };
        // Closed before anything is broken off: a connection that is given back to an open pool is asked whether it lives, and
        // on a frozen host that is never answered. Closed as soon as it is asked for; the rest is waiting.
        drop(self.pool.get_postgres_connection_pool().close());
        ended.cancel();
        let site = self.clone();
        tokio::spawn(async move { site.close().await });
    }

    /// Closes its connections. Of a host of several that is not waited for long, as it may be frozen.
    pub async fn close(&self) -> Result<(), DbErr> {
        let kept = async {
            if let Some(kept) = &self.kept {
                kept.close().await;
            }
        };
        if self.ended.is_none() {
            kept.await;
            return self.pool.close_by_ref().await;
        }
        let ((), closed) = tokio::join!(kept, timeout(SOON, self.pool.close_by_ref()));
        closed.unwrap_or(Ok(()))
    }
}

/// Does something until it is broken off.
pub async fn until<T>(
    ended: Option<&CancellationToken>,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    match ended {
        None => work.await,
        Some(ended) => tokio::select! {
            biased;
            outcome = work => outcome,
            () = ended.cancelled() => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        },
    }
}

/// A pool of PostgreSQL as it is used here.
pub fn as_ours(options: PgPoolOptions, host: Host) -> PgPoolOptions {
    options
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(FIRST).execute(&mut *connection).await?;
                let asked = match host {
                    Host::Only => UNLESS_STANDBY,
                    Host::OfSeveral => IF_WRITABLE,
                    Host::Standby => return Ok(()),
                };
                sqlx::raw_sql(asked).execute(connection).await.map(|_| ())
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
