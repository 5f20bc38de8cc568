//! Schema migrations: adopt the tables of an existing installation or make them, then add what Joblink needs.
//!
//! Each migration is a name and two lists of [`step::Step`]s; SeaORM's ledger (`seaql_migrations`) records which ran.

mod adopted;
pub mod backfill;
mod job_id;
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
pub mod step;

use std::collections::BTreeSet;

use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager,
    async_trait::async_trait,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
        sqlx::Error as DriverError,
    },
};
use step::{Facts, Step};

/// What went wrong, and whether the database refused (exit code 3) or something failed (exit code 1).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was changed, because it would break a promise; says which and what to do.
    #[error("{0}")]
    Refused(String),
    /// Something failed; says what.
    #[error("{0}")]
    Failed(String),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::Migration(reason) => Self::Refused(reason),
            error => Self::Failed(plain(&error)),
        }
    }
}

/// A database error in one line, without the names of the layers it passed through.
fn plain(error: &DbErr) -> String {
    let text = match (error, driver_error(error)) {
        (_, Some(DriverError::Database(error))) => error.message().to_owned(),
        (_, Some(DriverError::Io(_))) => "the connection to the database broke; run it again".to_owned(),
        (DbErr::Custom(text), _) => text.clone(),
        _ => error.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

fn driver_error(error: &DbErr) -> Option<&DriverError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn is_duplicate(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(DriverError::Database(error)) if error.is_unique_violation())
}

/// Why a database could not be opened. The URL holds a password, so only its host is named.
fn unreachable(url: &str, error: &DbErr) -> Error {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    if url.starts_with("sqlite:") {
        let file = place.split('?').next().unwrap_or_default();
        return Error::Failed(format!("cannot open the SQLite file {file}: {}", plain(error)));
    }
    let place = place.split(['/', '?']).next().unwrap_or_default();
    let host = place.rsplit('@').next().unwrap_or_default();
    Error::Failed(match driver_error(error) {
        Some(DriverError::Database(error)) => format!("the database server {host} refuses: {}", error.message()),
        Some(DriverError::Io(_) | DriverError::PoolTimedOut) => {
            format!("no answer from the database server {host}; is it running, and is the address right?")
        }
        None | Some(DriverError::Configuration(_)) => "the database URL cannot be read; it should look like \
             postgres://USER:PASSWORD@HOST/NAME, with special characters in the password as %XX"
            .to_owned(),
        Some(_) => format!("cannot use the database server {host}: {}", plain(error)),
    })
}

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
        let facts = facts(db).await?;
        tracing::info!("applying {}", self.name);
        step::run(db, self.name, &(self.up)(&facts)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        tracing::info!("taking back {}", self.name);
        step::run(db, self.name, &(self.down)(&facts(db).await?)).await
    }

    fn use_transaction(&self) -> Option<bool> {
        // Each step opens its own, so that waiting for a lock never holds another.
        Some(false)
    }
}

/// All migrations, in order, as SeaORM's migrator runs them.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        [
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
        ]
        .into_iter()
        .map(|migration| Box::new(migration) as Box<dyn MigrationTrait>)
        .collect()
    }
}

/// Opens a connection for migrations: a single one, so that its session settings hold for every statement.
pub async fn connect(url: &str, schema: Option<&str>) -> Result<DatabaseConnection, Error> {
    connect_with(url, schema, 1).await
}

/// Opens up to `connections` connections.
pub async fn connect_with(url: &str, schema: Option<&str>, connections: u32) -> Result<DatabaseConnection, Error> {
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(Error::Failed("the database URL must begin with sqlite: or postgres:".to_owned()));
    }
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.connect_timeout(std::time::Duration::from_secs(10)).acquire_timeout(std::time::Duration::from_secs(10));
    if let Some(schema) = schema {
        options.set_schema_search_path(schema);
    }
    options
        .map_sqlx_sqlite_opts(|sqlite| sqlite.create_if_missing(true).busy_timeout(std::time::Duration::from_secs(30)));
    let db = Database::connect(options).await.map_err(|error| unreachable(url, &error))?;
    if db.get_database_backend() == DbBackend::Postgres {
        let version = step::count(&db, "SELECT current_setting('server_version_num')::bigint").await?;
        if version < 140_000 {
            return Err(Error::Refused(format!(
                "PostgreSQL {} is too old: Joblink needs version 14 or newer",
                version / 10_000
            )));
        }
    }
    Ok(db)
}

/// Applies pending migrations, all or the next `steps`.
pub async fn up(db: &DatabaseConnection, steps: Option<u32>) -> Result<(), Error> {
    // Before the ledger is made: a refusal changes nothing.
    refuse_unknown(db).await?;
    if pending(db).await?.iter().any(|name| name == m0001_adopt_tables::NAME) {
        m0001_adopt_tables::refuse_strangers(db, &facts(db).await?).await?;
    }
    for _ in Migrator::migrations() {
        match Migrator::up(db, steps).await {
            // Another run was first to write this migration into the ledger; both took all its steps.
            Err(error) if steps.is_none() && is_duplicate(&error) => {}
            outcome => return Ok(outcome?),
        }
    }
    Ok(Migrator::up(db, steps).await?)
}

/// Takes back applied migrations, all or the last `steps`. Drops only what Joblink made.
pub async fn down(db: &DatabaseConnection, steps: Option<u32>) -> Result<(), Error> {
    refuse_unknown(db).await?;
    Ok(Migrator::down(db, steps).await?)
}

/// Drops every table and applies all migrations; refused on an adopted database.
pub async fn fresh(db: &DatabaseConnection) -> Result<(), Error> {
    refuse_adopted(db, "fresh").await?;
    Ok(Migrator::fresh(db).await?)
}

/// Takes back all migrations and applies them again; refused on an adopted database.
pub async fn refresh(db: &DatabaseConnection) -> Result<(), Error> {
    refuse_adopted(db, "refresh").await?;
    down(db, None).await?;
    up(db, None).await
}

/// Takes back all migrations; refused on an adopted database.
pub async fn reset(db: &DatabaseConnection) -> Result<(), Error> {
    refuse_adopted(db, "reset").await?;
    refuse_unknown(db).await?;
    Ok(Migrator::reset(db).await?)
}

/// Each migration's name and whether it is applied. Changes nothing.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, Error> {
    let pending: BTreeSet<String> = pending(db).await?.into_iter().collect();
    Ok(Migrator::migrations()
        .iter()
        .map(|migration| (migration.name().to_owned(), !pending.contains(migration.name())))
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
    Ok(facts(db).await?.existing.is_empty())
}

/// Fails on a database that a newer version of this program migrated.
async fn refuse_unknown(db: &DatabaseConnection) -> Result<(), Error> {
    if !facts(db).await?.existing.contains("seaql_migrations") {
        return Ok(());
    }
    let applied = step::strings(db, "SELECT version FROM seaql_migrations").await?;
    let known: BTreeSet<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let unknown: Vec<_> = applied.difference(&known).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the database is newer than this program, which does not know {}; use the newer program",
        unknown.join(", ")
    )))
}

/// Refuses a command that would drop tables of an existing installation.
pub async fn refuse_adopted(db: &DatabaseConnection, command: &str) -> Result<(), Error> {
    let facts = facts(db).await?;
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

async fn facts(db: &impl ConnectionTrait) -> Result<Facts, DbErr> {
    let existing = match db.get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        _ => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
    };
    let existing = step::strings(db, existing).await?;
    let made = if existing.contains(m0001_adopt_tables::MADE_TABLES) {
        step::strings(db, &format!("SELECT name FROM {}", m0001_adopt_tables::MADE_TABLES)).await?
    } else {
        BTreeSet::new()
    };
    Ok(Facts { made, existing })
}
