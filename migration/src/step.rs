//! A schema change as a value: its SQL for each database, the tables it locks, and how to tell that it is done.
//!
//! Every step can be interrupted and run again: it is passed over where its effect already stands.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sea_orm_migration::{
    SchemaManagerConnection,
    sea_orm::{
        ConnectionTrait, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
        TransactionTrait, sqlx::error::DatabaseError,
    },
};

/// How long any reader or writer may have to wait behind a schema change.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a step is tried again while others hold its table.
const RETRY_FOR: Duration = Duration::from_mins(10);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// SQLSTATE `deadlock_detected`.
const DEADLOCK_DETECTED: &str = "40P01";
/// SQLSTATE `duplicate_table`, of an index too.
const DUPLICATE_TABLE: &str = "42P07";
/// What passes when others have ended their transactions.
const LOCK_TROUBLE: &[&str] = &[LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED];

/// Something in the schema whose presence tells whether a step is done.
#[derive(Clone, Debug)]
pub enum Object {
    /// A table.
    Table(&'static str),
    /// A column of a table.
    Column(&'static str, &'static str),
    /// A valid index, and on which table it stands.
    Index(&'static str, &'static str),
    /// A constraint of a table, validated or not. PostgreSQL alone.
    Constraint(&'static str, String),
    /// A validated constraint of a table. PostgreSQL alone.
    ValidConstraint(&'static str, String),
    /// A `numeric` column of this precision. PostgreSQL alone.
    Precision(&'static str, &'static str, i32),
}

/// How to tell that a step is done.
#[derive(Clone, Debug)]
pub enum Done {
    /// When the object is there.
    Present(Object),
    /// When the object is gone.
    Absent(Object),
}

/// How a step's statements are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In one transaction; on PostgreSQL with a lock timeout, and again while others hold the table.
    Transaction,
    /// Outside a transaction and without a lock timeout: for statements that wait without blocking anyone.
    Outside,
    /// As [`Mode::Transaction`] on PostgreSQL, outside a transaction on SQLite, where a PRAGMA needs it.
    OutsideOnSqlite,
}

/// A reason not to take a step, found by counting rows.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Answers one row with one number, which must be 0.
    pub count: String,
    /// What the number counts; `{}` stands for the number.
    pub message: String,
}

/// One schema change.
#[derive(Clone, Debug)]
pub struct Step {
    /// Statements for PostgreSQL; none = nothing to do there.
    pub postgres: Vec<String>,
    /// Statements for SQLite; none = nothing to do there.
    pub sqlite: Vec<String>,
    /// How they are run.
    pub mode: Mode,
    /// Existing tables whose readers or writers the step can hold up on PostgreSQL.
    pub locks: Vec<&'static str>,
    /// How to tell that it is done.
    pub done: Done,
    /// A reason to refuse it.
    pub guard: Option<Guard>,
}

impl Step {
    /// A step in a transaction, with the same SQL on both databases but for the names of types.
    pub fn new(sql: &[&str], done: Done) -> Self {
        Self {
            postgres: sql.iter().map(ToString::to_string).collect(),
            sqlite: sql.iter().map(|sql| for_sqlite(sql)).collect(),
            mode: Mode::Transaction,
            locks: Vec::new(),
            done,
            guard: None,
        }
    }

    /// Names the existing tables that the step locks.
    pub fn locking(self, locks: &[&'static str]) -> Self {
        Self { locks: locks.to_vec(), ..self }
    }

    /// Makes it a step of PostgreSQL alone.
    pub fn on_postgres_only(self) -> Self {
        Self { sqlite: Vec::new(), ..self }
    }

    /// Gives SQLite a statement of its own.
    pub fn on_sqlite(self, sql: &str) -> Self {
        Self { sqlite: vec![sql.to_owned()], ..self }
    }

    /// Refuses the step while the guard counts any row.
    pub fn unless(self, guard: Guard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// Adds an index to a table that may be large and in use.
    pub fn add_index(table: &'static str, index: &'static str, on: &str) -> Self {
        Self {
            mode: Mode::Outside,
            ..Self::new(
                &[&format!("CREATE INDEX CONCURRENTLY {index} ON {table} {on}")],
                Done::Present(Object::Index(table, index)),
            )
            .locking(&[table])
            .on_sqlite(&format!("CREATE INDEX {index} ON {table} {on}"))
        }
    }

    /// Drops an index of a table that may be in use.
    pub fn drop_index(table: &'static str, index: &'static str) -> Self {
        Self {
            mode: Mode::Outside,
            ..Self::new(
                &[&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")],
                Done::Absent(Object::Index(table, index)),
            )
            .locking(&[table])
            .on_sqlite(&format!("DROP INDEX IF EXISTS {index}"))
        }
    }

    /// Adds a column that may be null to an existing table.
    pub fn add_column(table: &'static [&'static str; 1], column: &'static str, kind: &str) -> Self {
        let [name] = table;
        Self::new(
            &[&format!("ALTER TABLE {name} ADD COLUMN {column} {kind}")],
            Done::Present(Object::Column(name, column)),
        )
        .locking(table)
    }

    /// Drops a column.
    pub fn drop_column(table: &'static [&'static str; 1], column: &'static str) -> Self {
        let [name] = table;
        Self::new(&[&format!("ALTER TABLE {name} DROP COLUMN {column}")], Done::Absent(Object::Column(name, column)))
            .locking(table)
    }

    /// Creates a table of Joblink's own, with its indexes.
    pub fn create_table(table: &'static str, sql: &[&str]) -> Self {
        Self::new(sql, Done::Present(Object::Table(table)))
    }

    /// Drops a table of Joblink's own.
    pub fn drop_table(table: &'static str) -> Self {
        Self::new(&[&format!("DROP TABLE {table}")], Done::Absent(Object::Table(table))).locking(&[table])
    }

    /// The statements for one kind of database.
    pub fn sql(&self, backend: DbBackend) -> &[String] {
        match backend {
            DbBackend::Sqlite => &self.sqlite,
            _ => &self.postgres,
        }
    }
}

/// The names of types as SQLite and its driver know them.
pub fn for_sqlite(sql: &str) -> String {
    let mut words = sql
        .replace("timestamp without time zone", "datetime_text")
        .replace("timestamptz", "timestamp_with_timezone_text")
        .replace("character varying", "varchar");
    for (from, to) in [(" uuid", " uuid_text"), (" bytea", " blob")] {
        words = words.replace(from, to);
    }
    // `numeric(p,s)` would be stored as an integer where the value is whole; `real` is what the driver reads.
    while let Some(start) = words.find(" numeric(") {
        let end = words[start..].find(')').map_or(words.len(), |length| start + length + 1);
        words.replace_range(start..end, " real");
    }
    words
}

/// What is known of a database before any step is taken.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Adopted tables that Joblink made itself, because they were missing.
    pub made: BTreeSet<String>,
    /// All tables that are there.
    pub existing: BTreeSet<String>,
}

/// Takes the steps that are not done yet, one after the other; none where a guard refuses one of them.
pub async fn run(db: &SchemaManagerConnection<'_>, migration: &str, steps: &[Step]) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let steps: Vec<_> = steps.iter().filter(|step| !step.sql(backend).is_empty()).collect();
    check_guards(db, &steps).await?;
    for step in steps {
        if is_done(db, &step.done).await? {
            continue;
        }
        take(db, migration, step).await?;
    }
    Ok(())
}

async fn check_guards(db: &SchemaManagerConnection<'_>, steps: &[&Step]) -> Result<(), DbErr> {
    let mut reasons = Vec::new();
    for step in steps {
        if let Some(guard) = &step.guard
            && !is_done(db, &step.done).await?
        {
            let rows = count(db, &guard.count).await?;
            if rows > 0 {
                reasons.push(guard.message.replace("{}", &rows.to_string()));
            }
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(DbErr::Migration(reasons.join("; "))) }
}

/// Takes a step, again and again while others are in its way.
async fn take(db: &SchemaManagerConnection<'_>, migration: &str, step: &Step) -> Result<(), DbErr> {
    let in_transaction = match step.mode {
        Mode::Transaction => true,
        Mode::Outside => false,
        Mode::OutsideOnSqlite => db.get_database_backend() == DbBackend::Postgres,
    };
    let began = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let outcome = if in_transaction { attempt(db, step).await } else { outside(db, step).await };
        let Err(error) = outcome else {
            return Ok(());
        };
        // The connection of a run that was killed can live on for a while, and be first.
        if is_done(db, &step.done).await.unwrap_or(false) {
            return Ok(());
        }
        if !(is_code(&error, LOCK_TROUBLE)
            || is_code(&error, &[DUPLICATE_TABLE]) && leftover(db, step).await?.is_some())
        {
            return Err(error);
        }
        let tables = step.locks.join(" or ");
        if began.elapsed() > RETRY_FOR {
            return Err(DbErr::Custom(format!(
                "{migration}: others held {tables} for {} minutes; end their transactions and run it again",
                RETRY_FOR.as_secs() / 60
            )));
        }
        tracing::warn!("{migration}: others hold {tables}, trying again in {pause:?}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(db: &SchemaManagerConnection<'_>, step: &Step) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let transaction = db
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    if backend == DbBackend::Postgres {
        // A step that locks two tables can wait twice, so each wait gets its share.
        let share = LOCK_TIMEOUT.as_millis() / step.locks.len().max(1) as u128;
        transaction
            .execute_unprepared(&format!("SET LOCAL lock_timeout = {share}; SET LOCAL statement_timeout = 0"))
            .await?;
    }
    for sql in step.sql(backend) {
        transaction.execute_unprepared(sql).await?;
    }
    transaction.commit().await
}

async fn outside(db: &SchemaManagerConnection<'_>, step: &Step) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    if backend == DbBackend::Postgres {
        // With a lock timeout a long reader would make it fail and leave an invalid index behind.
        db.execute_unprepared("SET lock_timeout = 0; SET statement_timeout = 0").await?;
        if let Some(index) = leftover(db, step).await? {
            // What an interrupted CREATE INDEX CONCURRENTLY left behind is in the way of the next one.
            db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await?;
        }
    }
    for sql in step.sql(backend) {
        db.execute_unprepared(sql).await?;
    }
    if backend == DbBackend::Postgres {
        db.execute_unprepared("RESET lock_timeout; RESET statement_timeout").await?;
    }
    Ok(())
}

/// Told by code: a server words its messages in its own language.
fn is_code(error: &DbErr, codes: &[&str]) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}

/// The index that a step is to make, where another run is making it or was interrupted.
async fn leftover<'a>(db: &SchemaManagerConnection<'_>, step: &'a Step) -> Result<Option<&'a str>, DbErr> {
    match &step.done {
        Done::Present(Object::Index(table, index)) if index_exists(db, table, index).await? => Ok(Some(index)),
        _ => Ok(None),
    }
}

async fn is_done(db: &SchemaManagerConnection<'_>, done: &Done) -> Result<bool, DbErr> {
    match done {
        Done::Present(object) => is_present(db, object).await,
        // An invalid index still has to go.
        Done::Absent(Object::Index(table, index)) => Ok(!index_exists(db, table, index).await?),
        Done::Absent(object) => Ok(!is_present(db, object).await?),
    }
}

async fn index_exists(db: &SchemaManagerConnection<'_>, table: &str, index: &str) -> Result<bool, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => {
            format!(
                "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}' AND name = '{index}'"
            )
        }
        _ => format!(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND tablename = '{table}' AND indexname = '{index}'"
        ),
    };
    Ok(count(db, &sql).await? > 0)
}

/// Whether an object is there. Names come from this crate alone, so they stand in the text of the query.
async fn is_present(db: &SchemaManagerConnection<'_>, object: &Object) -> Result<bool, DbErr> {
    let sqlite = db.get_database_backend() == DbBackend::Sqlite;
    let sql = match object {
        Object::Table(table) if sqlite => {
            format!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{table}'")
        }
        Object::Table(table) => {
            format!("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = '{table}'")
        }
        Object::Column(table, column) if sqlite => {
            format!("SELECT count(*) FROM pragma_table_info('{table}') WHERE name = '{column}'")
        }
        Object::Column(table, column) => format!(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '{table}' AND column_name = '{column}'"
        ),
        Object::Index(table, index) if sqlite => return index_exists(db, table, index).await,
        Object::Index(table, index) => format!(
            "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('{index}') AND indrelid = to_regclass('{table}') AND indisvalid"
        ),
        Object::Constraint(table, name) => {
            format!("SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass('{table}') AND conname = '{name}'")
        }
        Object::ValidConstraint(table, name) => format!(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = to_regclass('{table}') AND conname = '{name}' AND convalidated"
        ),
        Object::Precision(table, column, precision) => format!(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '{table}' AND column_name = '{column}' AND numeric_precision = {precision}"
        ),
    };
    Ok(count(db, &sql).await? > 0)
}

/// The number that a query of one row and one column answers.
pub async fn count(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// The strings that a query of one column answers.
pub async fn strings(db: &impl ConnectionTrait, sql: &str) -> Result<BTreeSet<String>, DbErr> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.into_iter().map(|row| row.try_get_by_index(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::for_sqlite;

    #[test]
    fn types_get_the_names_that_sqlite_reads() {
        assert_eq!(
            for_sqlite(
                "a uuid NOT NULL, b numeric(10,4), c numeric(5,4) NOT NULL, d timestamptz, e character varying(20)"
            ),
            "a uuid_text NOT NULL, b real, c real NOT NULL, d timestamp_with_timezone_text, e varchar(20)"
        );
    }
}
