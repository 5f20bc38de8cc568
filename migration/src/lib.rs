//! Schema migrations: adopt the tables of an existing installation or make them, then add what Joblink needs.
//!
//! Each migration is a name and two lists of [`step::Step`]s; SeaORM's ledger (`seaql_migrations`) records which ran.

mod adopted;
pub mod backfill;
pub mod catalogue;
mod checksum;
pub mod copy;
pub mod counted;
mod error;
pub mod hosts;
mod job_id;
pub mod lock;
mod m0001_adopt_tables;
mod m0002_annual_job_id;
mod m0003_quarterly_job_id;
mod m0004_job_link;
mod m0005_wider_ratios;
mod m0006_job_origin_and_lease;
mod m0007_row_errors;
mod m0008_artifacts;
mod m0009_artifact_purges;
mod m0010_deletion_receipts;
mod m0011_audit_log;
mod m0012_backfill_run_id;
mod m0013_backfill_runs;
mod m0014_receipt_row_counts;
mod m0015_job_cancellation_and_hold;
mod m0016_artifact_store;
mod m0017_job_log;
mod m0018_purge_settles;
mod m0019_job_events;
mod m0020_staged_uploads;
mod m0021_idempotency_keys;
mod m0022_audit_log_append_only;
mod m0023_retention;
mod m0024_notifications;
pub mod plan;
pub mod progress;
mod run;
pub mod step;

use std::{collections::BTreeSet, io::Write as _, path::Path, time::Duration};

pub use error::{Error, place};
use plan::Direction;
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
        sqlx::{Connection, Error as DriverError, PgConnection},
    },
};
use step::{Facts, Step};

/// The oldest PostgreSQL that works, as its `server_version_num`.
const OLDEST_POSTGRES: i64 = 140_000;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// SeaORM's ledger of applied migrations.
const LEDGER: &str = "seaql_migrations";
/// Tables that tell of migrations, and hold nothing else.
const BOOKKEEPING: [&str; 4] = [LEDGER, checksum::TABLE, lock::TABLE, copy::TABLE];

/// One schema migration.
struct Migration {
    name: &'static str,
    up: fn(&Facts) -> Vec<Step>,
    down: fn(&Facts) -> Vec<Step>,
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let facts = catalogue::facts(db).await?;
        tracing::info!("applying {}", self.name);
        run::run(db, self.name, &(self.up)(&facts)).await?;
        checksum::record(db, self).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        tracing::info!("taking back {}", self.name);
        run::run(db, self.name, &(self.down)(&catalogue::facts(db).await?)).await?;
        checksum::forget(db, self).await
    }

    fn use_transaction(&self) -> Option<bool> {
        // Each step opens its own, so that waiting for a lock never holds another.
        Some(false)
    }
}

/// All migrations, in order.
const MIGRATIONS: [Migration; 24] = [
    m0001_adopt_tables::MIGRATION,
    m0002_annual_job_id::MIGRATION,
    m0003_quarterly_job_id::MIGRATION,
    m0004_job_link::MIGRATION,
    m0005_wider_ratios::MIGRATION,
    m0006_job_origin_and_lease::MIGRATION,
    m0007_row_errors::MIGRATION,
    m0008_artifacts::MIGRATION,
    m0009_artifact_purges::MIGRATION,
    m0010_deletion_receipts::MIGRATION,
    m0011_audit_log::MIGRATION,
    m0012_backfill_run_id::MIGRATION,
    m0013_backfill_runs::MIGRATION,
    m0014_receipt_row_counts::MIGRATION,
    m0015_job_cancellation_and_hold::MIGRATION,
    m0016_artifact_store::MIGRATION,
    m0017_job_log::MIGRATION,
    m0018_purge_settles::MIGRATION,
    m0019_job_events::MIGRATION,
    m0020_staged_uploads::MIGRATION,
    m0021_idempotency_keys::MIGRATION,
    m0022_audit_log_append_only::MIGRATION,
    m0023_retention::MIGRATION,
    m0024_notifications::MIGRATION,
];

/// They as SeaORM's migrator runs them.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        MIGRATIONS.into_iter().map(|migration| Box::new(migration) as Box<dyn MigrationTrait>).collect()
    }
}

/// Whether a command may make what it does not find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// The same, and the database holds it to that.
    ReadOnly,
    /// It makes a missing SQLite file, and the folder that it lies in.
    Write,
}

/// Prints a text on stdout. Where nobody reads it any more, as after `| head`, that is no failure.
pub fn say(text: &str) {
    _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Opens a connection for migrations: a single one, so that its session settings hold for every statement.
pub async fn connect(url: &str, schema: Option<&str>) -> Result<DatabaseConnection, Error> {
    connect_with(url, schema, Access::Write, 1).await
}

/// Opens up to `connections` connections.
pub async fn connect_with(
    url: &str,
    schema: Option<&str>,
    access: Access,
    connections: u32,
) -> Result<DatabaseConnection, Error> {
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::Failed("the database URL must begin with sqlite: or postgres:".to_owned()));
    }
    let url = &hosts::writable_url(url, PATIENCE).await?;
    match error::sqlite_file(url) {
        Some(file) => prepare_file(file, access)?,
        None => answers(url).await?,
    }
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.connect_timeout(PATIENCE).acquire_timeout(PATIENCE);
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    // Tells the sessions of this process from all others.
    let name = format!("joblink migration {}", std::process::id());
    let read_only = access == Access::ReadOnly;
    options.map_sqlx_postgres_opts(move |postgres| {
        let postgres = postgres.application_name(&name);
        if read_only { postgres.options([("default_transaction_read_only", "on")]) } else { postgres }
    });
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite.create_if_missing(!read_only).read_only(read_only).busy_timeout(std::time::Duration::from_secs(30))
    });
    let db = Database::connect(options).await.map_err(|error| error::unreachable(url, &error))?;
    if db.get_database_backend() == DbBackend::Postgres {
        if let Some(schema) = schema
            && catalogue::count(&db, "SELECT count(current_schema())").await? == 0
        {
            return Err(Error::Failed(format!("the database has no schema {schema}; create it, or name another one")));
        }
        let version = catalogue::count(&db, "SELECT current_setting('server_version_num')::bigint").await?;
        if version < OLDEST_POSTGRES {
            return Err(Error::Refused(format!(
                "PostgreSQL {} is too old: Joblink needs version {} or newer",
                version / 10_000,
                OLDEST_POSTGRES / 10_000
            )));
        }
    }
    Ok(db)
}

fn prepare_file(file: &str, access: Access) -> Result<(), Error> {
    if file.is_empty() || file.starts_with(':') || Path::new(file).exists() {
        return Ok(());
    }
    if access != Access::Write {
        return Err(Error::Failed(format!("there is no SQLite file {file}; `migration up` makes it")));
    }
    let Some(folder) = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    else {
        return Ok(());
    };
    std::fs::create_dir(folder)
        .map_err(|error| Error::Failed(format!("cannot make the folder {}: {}", folder.display(), error.kind())))
}

/// Connects once, because a pool would ask a server that is not there for as long as it may.
async fn answers(url: &str) -> Result<(), Error> {
    let connected = async { PgConnection::connect(url).await?.close().await };
    let outcome = tokio::time::timeout(PATIENCE, connected).await.unwrap_or(Err(DriverError::PoolTimedOut));
    outcome.map_err(|error| error::unreachable(url, &DbErr::Conn(RuntimeErr::SqlxError(error.into()))))
}

/// Applies pending migrations, all or the next `num`; waits for another run for at most so long.
pub async fn up(db: &DatabaseConnection, num: Option<u32>, wait: Duration) -> Result<(), Error> {
    // Before anything is made: a refusal changes nothing, and no more does an `up` with nothing to do.
    let plan = plan::plan(db, Direction::Up, num).await?;
    plan.allowed()?;
    if plan.migrations.is_empty() {
        return Ok(());
    }
    lock::hold(db, "migration up", wait, apply(db, num)).await
}

async fn apply(db: &DatabaseConnection, num: Option<u32>) -> Result<(), Error> {
    // Once more: another run may have changed it meanwhile.
    plan::plan(db, Direction::Up, num).await?.allowed()?;
    Ok(Migrator::up(db, num).await?)
}

/// Takes back applied migrations, all or the last `num`. Drops only what Joblink made.
pub async fn down(db: &DatabaseConnection, num: Option<u32>, wait: Duration) -> Result<(), Error> {
    let plan = plan::plan(db, Direction::Down, num).await?;
    plan.allowed()?;
    if plan.migrations.is_empty() {
        return Ok(());
    }
    lock::hold(db, "migration down", wait, take_back(db, num)).await
}

async fn take_back(db: &DatabaseConnection, num: Option<u32>) -> Result<(), Error> {
    plan::plan(db, Direction::Down, num).await?.allowed()?;
    Ok(Migrator::down(db, num).await?)
}

/// Drops every table and applies all migrations; refused on an adopted database.
pub async fn fresh(db: &DatabaseConnection, wait: Duration) -> Result<(), Error> {
    refuse_adopted(db, "fresh").await?;
    lock::hold(db, "migration fresh", wait, async {
        refuse_adopted(db, "fresh").await?;
        drop_tables(db).await?;
        apply(db, None).await
    })
    .await
}

/// Takes back all migrations and applies them again; refused on an adopted database.
pub async fn refresh(db: &DatabaseConnection, wait: Duration) -> Result<(), Error> {
    refuse_adopted(db, "refresh").await?;
    plan::plan(db, Direction::Down, None).await?.allowed()?;
    lock::hold(db, "migration refresh", wait, async {
        refuse_adopted(db, "refresh").await?;
        take_back(db, None).await?;
        apply(db, None).await
    })
    .await
}

/// Takes back all migrations and what tells of them; refused on an adopted database.
pub async fn reset(db: &DatabaseConnection, wait: Duration) -> Result<(), Error> {
    refuse_adopted(db, "reset").await?;
    plan::plan(db, Direction::Down, None).await?.allowed()?;
    lock::hold(db, "migration reset", wait, async {
        refuse_adopted(db, "reset").await?;
        take_back(db, None).await?;
        // The lock's table is the last to go: whoever waits makes it anew.
        for table in BOOKKEEPING {
            db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        }
        Ok(())
    })
    .await
}

/// Drops every table of the schema but those of the programs that run: the lock's.
async fn drop_tables(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tables = catalogue::facts(db).await?.existing;
    let tables = tables.iter().filter(|table| *table != lock::TABLE).map(|table| table.replace('"', "\"\""));
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let cascade = if sqlite { "" } else { " CASCADE" };
    let mut sql: Vec<_> = tables.map(|table| format!("DROP TABLE IF EXISTS \"{table}\"{cascade};")).collect();
    if sqlite {
        sql.insert(0, "PRAGMA foreign_keys = OFF;".to_owned());
        sql.push("PRAGMA foreign_keys = ON;".to_owned());
    }
    db.execute_unprepared(&sql.join(" ")).await?;
    Ok(())
}

/// What `status` tells of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// Whether it is applied.
    pub applied: bool,
    /// Whether what was applied differs from what this program would apply.
    pub differs: bool,
}

/// Each migration and how it stands. Changes nothing.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<Status>, Error> {
    let pending: BTreeSet<String> = pending(db).await?.into_iter().collect();
    let recorded = checksum::recorded(db).await?;
    Ok(MIGRATIONS
        .iter()
        .map(|migration| {
            let applied = !pending.contains(migration.name);
            let recorded = recorded.get(migration.name);
            let differs = applied && recorded.is_some_and(|recorded| *recorded != checksum::of(migration));
            Status { name: migration.name, applied, differs }
        })
        .collect())
}

/// The names of the migrations that are not applied yet. Changes nothing.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, Error> {
    refuse_unknown(db).await?;
    let pending = Migrator::get_pending_migrations_read_only(db).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}

/// Whether the database holds no table at all.
pub async fn is_empty(db: &DatabaseConnection) -> Result<bool, Error> {
    // What only says who is migrating, or what was applied, does not count.
    Ok(catalogue::facts(db).await?.existing.iter().all(|table| BOOKKEEPING.contains(&table.as_str())))
}

/// Refuses a database that a newer version of this program migrated.
async fn refuse_unknown(db: &DatabaseConnection) -> Result<(), Error> {
    if !catalogue::facts(db).await?.existing.contains(LEDGER) {
        return Ok(());
    }
    let applied = catalogue::strings(db, &format!("SELECT version FROM {LEDGER}")).await?;
    let known = MIGRATIONS.iter().map(|migration| migration.name.to_owned()).collect();
    let unknown: Vec<_> = applied.difference(&known).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the database is newer than this program, which does not know {}; use the newer program",
        unknown.join(", ")
    )))
}

/// Refuses a command that would drop tables of an existing installation.
pub async fn refuse_adopted(db: &DatabaseConnection, command: &str) -> Result<(), Error> {
    let facts = catalogue::facts(db).await?;
    let adopted: Vec<_> = adopted::TABLES
        .iter()
        .map(|table| table.name)
        .filter(|name| facts.existing.contains(*name) && !facts.made.contains(*name))
        .collect();
    if adopted.is_empty() {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{command} would drop tables that Joblink did not make ({}); use `migration down`, which drops only what Joblink made",
        adopted.join(", ")
    )))
}
