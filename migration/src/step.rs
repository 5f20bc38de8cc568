//! A schema change as a value: its SQL for each database, what it locks, and how to tell that it is done.
//!
//! Every step can be interrupted and run again: it is passed over where its effect already stands. The plan prints these
//! values, `up` and `down` run them, and the lint reads what the plan prints.

use std::{collections::BTreeSet, time::Duration};

use sea_orm_migration::sea_orm::DbBackend;
use serde::Serialize;

/// How long any reader or writer may have to wait behind a schema change.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

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

/// The table locks of PostgreSQL that steps take (its manual, 13.3.1), the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// `ROW SHARE`: readers and writers go on.
    RowShare,
    /// `SHARE UPDATE EXCLUSIVE`: readers and writers go on, other schema changes wait.
    ShareUpdateExclusive,
    /// `SHARE ROW EXCLUSIVE`: readers go on, writers wait.
    ShareRowExclusive,
    /// `ACCESS EXCLUSIVE`: readers and writers wait.
    AccessExclusive,
}

impl Level {
    /// Its name in PostgreSQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowShare => "ROW SHARE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who waits for as long as it is held.
    pub const fn who_waits(self) -> &'static str {
        match self {
            Self::RowShare | Self::ShareUpdateExclusive => "nobody waits",
            Self::ShareRowExclusive => "writers wait",
            Self::AccessExclusive => "readers and writers wait",
        }
    }
}

/// What a step does to the rows of a table on PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Nothing: the catalogue alone changes, whatever the table's size.
    Catalogue,
    /// Reads all of them.
    Scan,
    /// Writes all of them anew.
    Rewrite,
}

impl Work {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Catalogue => "no row is read",
            Self::Scan => "every row is read",
            Self::Rewrite => "the table is rewritten",
        }
    }
}

/// What a step holds of an existing table on PostgreSQL, and does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The table.
    pub table: &'static str,
    /// The strongest lock on it.
    pub level: Level,
    /// What happens to its rows meanwhile.
    pub work: Work,
}

/// A reason not to take a step, found by a query.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Answers one column of strings; none: the step may be taken. For PostgreSQL.
    pub query: String,
    /// Why it is refused and what to do; `{}` stands for the strings.
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
    /// The existing tables that the step locks on PostgreSQL.
    pub locks: Vec<Lock>,
    /// How to tell that it is done.
    pub done: Done,
    /// Reasons to refuse it.
    pub guards: Vec<Guard>,
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
            guards: Vec::new(),
        }
    }

    /// Names existing tables that the step locks, beside those named before.
    pub fn locking(mut self, level: Level, work: Work, tables: &[&'static str]) -> Self {
        self.locks.extend(tables.iter().map(|table| Lock { table, level, work }));
        self
    }

    /// Makes it a step of PostgreSQL alone.
    pub fn on_postgres_only(self) -> Self {
        Self { sqlite: Vec::new(), ..self }
    }

    /// Gives SQLite a statement of its own.
    pub fn on_sqlite(self, sql: &str) -> Self {
        Self { sqlite: vec![sql.to_owned()], ..self }
    }

    /// Refuses the step while the guard finds anything.
    pub fn unless(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds an index to a table that may be large and in use.
    pub fn add_index(table: &'static str, index: &'static str, on: &str) -> Self {
        Self {
            mode: Mode::Outside,
            ..Self::new(
                &[&format!("CREATE INDEX CONCURRENTLY {index} ON {table} {on}")],
                Done::Present(Object::Index(table, index)),
            )
            .locking(Level::ShareUpdateExclusive, Work::Scan, &[table])
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
            .locking(Level::ShareUpdateExclusive, Work::Catalogue, &[table])
            .on_sqlite(&format!("DROP INDEX IF EXISTS {index}"))
        }
    }

    /// Adds a column that may be null to an existing table.
    pub fn add_column(table: &'static str, column: &'static str, kind: &str) -> Self {
        Self::new(
            &[&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")],
            Done::Present(Object::Column(table, column)),
        )
        .locking(Level::AccessExclusive, Work::Catalogue, &[table])
    }

    /// Drops a column.
    pub fn drop_column(table: &'static str, column: &'static str) -> Self {
        Self::new(&[&format!("ALTER TABLE {table} DROP COLUMN {column}")], Done::Absent(Object::Column(table, column)))
            .locking(Level::AccessExclusive, Work::Catalogue, &[table])
    }

    /// Creates a table of Joblink's own, with its indexes.
    pub fn create_table(table: &'static str, sql: &[&str]) -> Self {
        Self::new(sql, Done::Present(Object::Table(table)))
    }

    /// Drops a table of Joblink's own.
    pub fn drop_table(table: &'static str) -> Self {
        Self::new(&[&format!("DROP TABLE {table}")], Done::Absent(Object::Table(table))).locking(
            Level::AccessExclusive,
            Work::Catalogue,
            &[table],
        )
    }

    /// The statements for one kind of database.
    pub fn sql(&self, backend: DbBackend) -> &[String] {
        match backend {
            DbBackend::Sqlite => &self.sqlite,
            _ => &self.postgres,
        }
    }

    /// Whether its statements run in one transaction.
    pub fn in_transaction(&self, backend: DbBackend) -> bool {
        match self.mode {
            Mode::Transaction => true,
            Mode::Outside => false,
            Mode::OutsideOnSqlite => backend != DbBackend::Sqlite,
        }
    }

    /// How the session is set for it: how long it may wait for a lock, and that no statement is cut off.
    pub fn settings(&self, backend: DbBackend) -> Option<String> {
        if backend == DbBackend::Sqlite {
            return None;
        }
        Some(if self.in_transaction(backend) {
            // A step that locks two tables can wait twice, so each wait gets its share.
            let share = LOCK_TIMEOUT.as_millis() / self.locks.len().max(1) as u128;
            format!("SET LOCAL lock_timeout = {share}; SET LOCAL statement_timeout = 0")
        } else {
            // With a lock timeout a long reader would make it fail and leave an invalid index behind.
            "SET lock_timeout = 0; SET statement_timeout = 0".to_owned()
        })
    }

    /// The table that it creates, and the columns that this table must then have.
    pub fn created_table(&self) -> Option<(&'static str, Vec<&str>)> {
        let Done::Present(Object::Table(table)) = self.done else { return None };
        let sql = self.postgres.first()?;
        let (_, body) = sql.split_once('(')?;
        let columns = top_level_parts(body).into_iter().filter_map(|part| part.split_whitespace().next());
        let is_column = |word: &&str| !["PRIMARY", "CONSTRAINT", "FOREIGN", "UNIQUE", "CHECK"].contains(word);
        Some((table, columns.filter(is_column).collect()))
    }
}

/// What stands between the commas of a list up to its closing parenthesis.
fn top_level_parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (place, sign) in list.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' if depth == 0 => {
                parts.push(&list[start..place]);
                break;
            }
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts
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
