//! Reading, each statement by itself.
//!
//! sqlx asks a connection whether it lives whenever it comes back to its pool (0.9.0, `return_to_pool`), in a task of its
//! own: a round trip more for each statement. What reads on PostgreSQL keeps its connections and asks after a pause alone.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    sea_query::Values,
    sqlx::{
        self, AssertSqlSafe, Connection, PgPool, Postgres,
        pool::PoolConnection,
        postgres::{PgDatabaseError, PgPoolOptions, PgRow, PgSeverity},
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::Instrument;

use super::{
    ACQUIRE_WITHIN, PoolState, UNASKED,
    primary::Primary,
    site::{Host, Site, as_ours},
};
use crate::{metrics::Counted, traces::STATEMENTS};

/// How long a connection that is kept may go unused and still be trusted: what lies between may have forgotten it.
const UNUSED: Duration = Duration::from_mins(1);
/// How long a connection is kept: what the database remembers for it would grow for ever.
const LONGEST: Duration = Duration::from_mins(10);
/// How long a connection may take to say that it lives, and all of them to close.
pub(super) const SOON: Duration = Duration::from_secs(2);
/// Errors after which the statements that a connection has prepared are of no use: a table has changed under them
/// (`feature_not_supported`, as PostgreSQL calls a plan that it cannot keep; `invalid_sql_statement_name`).
const STALE: [&str; 2] = ["0A000", "26000"];

/// Told of each statement.
pub type Watch = Arc<dyn Fn() + Send + Sync>;

/// Reads, each statement by itself; of several hosts, again on the next one where one is lost. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    primary: Primary,
    /// Read from instead, as long as that works.
    standby: Option<Arc<Site>>,
}

impl Reader {
    /// Reads from the primary, or from a standby of it.
    pub(super) const fn new(primary: Primary, standby: Option<Arc<Site>>) -> Self {
        Self { primary, standby }
    }

    /// What a standby answers. Whatever goes wrong there goes well on the primary, or wrong there too: a standby may be gone,
    /// and it breaks off what reads rows that the primary has removed.
    async fn of_standby<T, F>(&self, work: impl FnOnce(Arc<Site>) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let site = self.standby.clone()?;
        match site.alive(work(site.clone())).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::debug!("the primary is asked instead of the standby: {error}");
                None
            }
        }
    }

    /// Whether the database takes changes; an error, where it does not answer, to reads and to changes.
    pub async fn takes_changes(&self) -> Result<bool, DbErr> {
        let ask = |site: Arc<Site>| async move {
            let Some(kept) = &site.kept else { return site.pool.ping().await.map(|()| true) };
            kept.rows(Statement::from_string(DbBackend::Postgres, "SELECT 1")).await?;
            let sql = "SELECT NOT current_setting('transaction_read_only')::boolean";
            let row = site.pool.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            row.ok_or_else(|| DbErr::RecordNotFound("no answer".to_owned()))?.try_get_by_index(0)
        };
        self.primary.run(ask).await
    }
}

#[sea_orm::entity::prelude::async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.primary.last().pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let site = self.primary.last();
        site.alive(site.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let site = self.primary.last();
        site.alive(site.pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if self.primary.is_only() && self.standby.is_none() {
            return one(&self.primary.last(), statement).await;
        }
        let again = |site: Arc<Site>| {
            let statement = statement.clone();
            async move { one(&site, statement).await }
        };
        match self.of_standby(again).await {
            Some(found) => Ok(found),
            None => self.primary.run(again).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.primary.is_only() && self.standby.is_none() {
            return all(&self.primary.last(), statement).await;
        }
        let again = |site: Arc<Site>| {
            let statement = statement.clone();
            async move { all(&site, statement).await }
        };
        match self.of_standby(again).await {
            Some(found) => Ok(found),
            None => self.primary.run(again).await,
        }
    }
}

async fn one(site: &Site, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
    match &site.kept {
        Some(kept) => Ok(kept.rows(statement).await?.into_iter().next().map(Into::into)),
        None => site.pool.query_one_raw(statement).await,
    }
}

async fn all(site: &Site, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
    match &site.kept {
        Some(kept) => Ok(kept.rows(statement).await?.into_iter().map(Into::into).collect()),
        None => site.pool.query_all_raw(statement).await,
    }
}

/// Connections that are kept between statements.
pub struct Kept {
    pool: PgPool,
    watch: Option<Watch>,
    /// As many as the pool has connections.
    turns: Arc<Semaphore>,
    /// Who waits for a turn.
    waiting: Gauge,
    /// The one that was used last is used next.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: PoolConnection<Postgres>,
    taken: Instant,
    used: Instant,
}

/// A connection in use. Unless it is given back it is closed, and its turn ends only then.
struct Lent {
    parts: Option<(PoolConnection<Postgres>, OwnedSemaphorePermit)>,
    taken: Instant,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some((connection, turn)), Ok(runtime)) = (self.parts.take(), Handle::try_current()) {
            runtime.spawn(async move {
                _ = timeout(SOON, connection.close()).await;
                drop(turn);
            });
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Kept {
    /// Connects where the pool does, by up to so many connections of its own.
    pub(super) fn new(writing: &PgPool, connections: u32, host: Host, watch: Option<Watch>) -> Self {
        let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_WITHIN);
        let pool = as_ours(options, host).connect_lazy_with((*writing.connect_options()).clone());
        let turns = Arc::new(Semaphore::new(connections as usize));
        Self { pool, watch, turns, waiting: Gauge::default(), idle: Mutex::default() }
    }

    /// Closes the connections.
    pub(super) async fn close(&self) {
        // Closed from here on, so that what is given back meanwhile is not kept.
        let closed = self.pool.close();
        self.idle().clear();
        _ = timeout(SOON, closed).await;
    }

    /// Adds its connections to how the pool of transactions stands.
    pub(super) fn add_to(&self, PoolState { in_use, idle, most, waiting }: PoolState) -> PoolState {
        let count = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let own = i64::from(self.pool.options().get_max_connections());
        PoolState {
            in_use: in_use + own - count(self.turns.available_permits()),
            idle: idle + count(self.idle().len() + self.pool.num_idle()),
            most: most + own,
            waiting: waiting + self.waiting.get(),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last, if it still lives.
    async fn take_idle(&self) -> Option<(PoolConnection<Postgres>, Instant)> {
        loop {
            let last = self.idle().pop();
            let Idle { mut connection, taken, used } = last?;
            let (age, pause) = (taken.elapsed(), used.elapsed());
            let is_young = age < LONGEST && pause < UNUSED;
            // What is rare is on the heap: it would make the future of each read as large as it is.
            if is_young && (pause < UNASKED || matches!(Box::pin(timeout(SOON, connection.ping())).await, Ok(Ok(())))) {
                return Some((connection, taken));
            }
            connection.close_on_drop();
        }
    }

    async fn take(&self) -> Result<Lent, DbErr> {
        let waiting = Counted::one(&self.waiting);
        let turn = timeout(ACQUIRE_WITHIN, self.turns.clone().acquire_owned()).await;
        drop(waiting);
        let turn = turn.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let turn = turn.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        let (connection, taken) = match self.take_idle().await {
            Some(idle) => idle,
            None => (Box::pin(self.pool.acquire()).await.map_err(unavailable)?, Instant::now()),
        };
        Ok(Lent { parts: Some((connection, turn)), taken })
    }

    fn give_back(&self, mut lent: Lent) {
        let Some((connection, _turn)) = lent.parts.take() else { return };
        let mut idle = self.idle();
        if !self.pool.is_closed() {
            idle.push(Idle { connection, taken: lent.taken, used: Instant::now() });
        }
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<PgRow>, DbErr> {
        if let Some(told) = &self.watch {
            told();
        }
        let span = tracing::info_span!(
            target: STATEMENTS,
            "select",
            otel.kind = "client",
            db.system = "postgresql",
            db.operation = "SELECT",
            otel.status_code = tracing::field::Empty,
        );
        let found = self.fetch(statement).instrument(span.clone()).await;
        if found.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        found
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<PgRow>, DbErr> {
        let Statement { sql, values, .. } = statement;
        let mut lent = self.take().await?;
        let values = SqlxValues(values.unwrap_or_else(|| Values(Vec::new())));
        let query = sqlx::query_with(AssertSqlSafe(sql), values);
        let Some((connection, _)) = &mut lent.parts else {
            return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed));
        };
        let found = query.fetch_all(&mut **connection).await;
        if found.as_ref().err().is_none_or(leaves_whole) {
            self.give_back(lent);
        }
        found.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}

/// Whether a connection is as good as before: the database refused a statement, and did not end the session.
fn leaves_whole(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| {
        !matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) && !STALE.contains(&error.code())
    })
}

fn unavailable(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    }
}
