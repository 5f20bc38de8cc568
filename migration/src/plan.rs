//! What `up` or `down` would do: the very steps that they take, with what each locks and does. Changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use serde::Serialize;

use crate::{
    Error, MIGRATIONS, Migration, adopted,
    catalogue::{columns, facts, is_done, strings},
    counted::counted,
    m0001_adopt_tables, pending, refuse_unknown,
    step::{Facts, Step, Work},
};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Pending migrations, from the first on.
    Up,
    /// Applied migrations, from the last on.
    Down,
}

/// What would be done.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Which way.
    pub direction: Direction,
    /// `postgres` or `sqlite`.
    pub database: &'static str,
    /// Why nothing would be done; none: it would.
    pub refusals: Vec<String>,
    /// The migrations in order.
    pub migrations: Vec<PlannedMigration>,
}

/// One migration, with those of its steps that are not done yet.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedMigration {
    /// Its name.
    pub name: &'static str,
    /// What it would do.
    pub steps: Vec<PlannedStep>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStep {
    /// How the session is set for it: how long it waits for locks.
    pub settings: Option<String>,
    /// Its statements.
    pub sql: Vec<String>,
    /// Whether they run in one transaction.
    pub transaction: bool,
    /// The tables of PostgreSQL that it locks. Any step locks a whole SQLite file for other writers.
    pub locks: Vec<PlannedLock>,
}

/// What a step does to an existing table.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedLock {
    /// The table.
    pub table: &'static str,
    /// The lock, by its name in PostgreSQL.
    pub lock: &'static str,
    /// Who waits for as long as it is held.
    pub waiting: &'static str,
    /// What happens to the rows.
    pub work: Work,
    /// The size of the table with its TOAST part and without its indexes; `null` where it does not exist yet.
    pub bytes: Option<i64>,
    /// PostgreSQL's estimate of its rows; `null` where it has none yet.
    pub rows: Option<i64>,
}

/// Plans all migrations in a direction, or the next `num`.
pub async fn plan(db: &DatabaseConnection, direction: Direction, num: Option<u32>) -> Result<Plan, Error> {
    refuse_unknown(db).await?;
    let backend = db.get_database_backend();
    let pending = pending(db).await?;
    let is_pending = |migration: &&Migration| pending.iter().any(|name| name == migration.name);
    let all: Vec<&Migration> = match direction {
        Direction::Up => MIGRATIONS.iter().filter(is_pending).collect(),
        Direction::Down => MIGRATIONS.iter().rev().filter(|migration| !is_pending(migration)).collect(),
    };
    let chosen = all.into_iter().take(num.map_or(usize::MAX, |num| num as usize));
    let facts = facts(db).await?;
    let sizes = sizes(db).await?;
    let mut plan = Plan { direction, database: name(backend), refusals: Vec::new(), migrations: Vec::new() };
    for migration in chosen {
        let steps = match direction {
            Direction::Up => (migration.up)(&facts),
            Direction::Down => (migration.down)(&facts),
        };
        if direction == Direction::Up {
            if migration.name == m0001_adopt_tables::NAME {
                plan.refusals.extend(tables_elsewhere(db, &facts).await?);
                plan.refusals.extend(adopted_strangers(db, &facts).await?);
            }
            plan.refusals.extend(own_strangers(db, &steps).await?);
        }
        let mut planned = Vec::new();
        for step in steps.iter().filter(|step| !step.sql(backend).is_empty()) {
            if is_done(db, &step.done).await? {
                continue;
            }
            plan.refusals.extend(guarded(db, step).await?);
            planned.push(planned_step(step, backend, &sizes));
        }
        plan.migrations.push(PlannedMigration { name: migration.name, steps: planned });
    }
    plan.refusals.extend(of_others(db, &plan.migrations).await?);
    Ok(plan)
}

impl Plan {
    /// Fails where nothing would be done.
    pub fn allowed(&self) -> Result<(), Error> {
        if self.refusals.is_empty() { Ok(()) } else { Err(Error::Refused(self.refusals.join("; "))) }
    }
}

const fn name(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "sqlite",
        _ => "postgres",
    }
}

fn planned_step(step: &Step, backend: DbBackend, sizes: &BTreeMap<String, (i64, i64)>) -> PlannedStep {
    let locks = if backend == DbBackend::Sqlite { &[][..] } else { &step.locks };
    PlannedStep {
        settings: step.settings(backend),
        sql: step.sql(backend).to_vec(),
        transaction: step.in_transaction(backend),
        locks: locks
            .iter()
            .map(|lock| {
                let size = sizes.get(lock.table);
                PlannedLock {
                    table: lock.table,
                    lock: lock.level.name(),
                    waiting: lock.level.who_waits(),
                    work: lock.work,
                    bytes: size.map(|(bytes, _)| *bytes),
                    rows: size.map(|(_, rows)| *rows).filter(|rows| *rows >= 0),
                }
            })
            .collect(),
    }
}

/// Bytes and estimated rows of each table of the schema. PostgreSQL alone.
async fn sizes(db: &impl ConnectionTrait) -> Result<BTreeMap<String, (i64, i64)>, DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT relname::text, pg_table_size(oid), reltuples::bigint FROM pg_class
               WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.into_iter()
        .map(|row| Ok((row.try_get_by_index(0)?, (row.try_get_by_index(1)?, row.try_get_by_index(2)?))))
        .collect()
}

/// Tables of an existing installation that are found, but not in the schema in which missing ones would be made: a new
/// table in front of each would hide it from the older program. PostgreSQL alone.
async fn tables_elsewhere(db: &impl ConnectionTrait, facts: &Facts) -> Result<Option<String>, DbErr> {
    let missing: Vec<_> =
        adopted::TABLES.iter().map(|table| table.name).filter(|name| !facts.existing.contains(*name)).collect();
    if db.get_database_backend() == DbBackend::Sqlite || missing.is_empty() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT DISTINCT c.relnamespace::regnamespace::text FROM unnest(ARRAY['{}']) AS name
         JOIN pg_class c ON c.oid = to_regclass(name)
         -- Another run may have made some here since the facts were asked for.
         WHERE c.relnamespace::regnamespace IS DISTINCT FROM quote_ident(current_schema())::regnamespace",
        missing.join("', '")
    );
    let elsewhere: Vec<_> = strings(db, &sql).await?.into_iter().collect();
    let here = strings(db, "SELECT coalesce(current_schema()::text, '')").await?.into_iter().collect::<String>();
    Ok((!elsewhere.is_empty()).then(|| {
        format!(
            "tables of an existing installation are in the schema {}, but new ones would be made in the schema {here}; \
             name the right one with --database-schema",
            elsewhere.join(", ")
        )
    }))
}

/// Tables that bear the name of an adopted one but lack a column of it.
async fn adopted_strangers(db: &impl ConnectionTrait, facts: &Facts) -> Result<Vec<String>, DbErr> {
    let mut refusals = Vec::new();
    for table in adopted::TABLES.iter().filter(|table| facts.existing.contains(table.name)) {
        let there = columns(db, table.name).await?;
        let wanted = table.columns.iter().filter_map(|column| column.split(' ').next());
        let missing: Vec<_> = wanted.filter(|column| !there.contains(*column)).collect();
        if !missing.is_empty() {
            refusals.push(format!(
                "table {} is not the one that Joblink adopts: it lacks {}; rename it or use another database or schema",
                table.name,
                missing.join(", ")
            ));
        }
    }
    Ok(refusals)
}

/// What bears the name of a table that Joblink is to make, and is not that table.
async fn own_strangers(db: &impl ConnectionTrait, steps: &[Step]) -> Result<Vec<String>, DbErr> {
    let mut refusals = Vec::new();
    for (table, wanted) in steps.iter().filter_map(Step::created_table) {
        let there = columns(db, table).await?;
        let missing: Vec<_> = wanted.into_iter().filter(|column| !there.contains(*column)).collect();
        if !there.is_empty() && !missing.is_empty() {
            refusals.push(format!(
                "{table} is in the way of Joblink's own table of that name, because it lacks {}; \
                 rename it or use another database or schema",
                missing.join(", ")
            ));
        }
    }
    Ok(refusals)
}

/// Tables that are to be changed and belong to somebody else. PostgreSQL alone, where only an owner may do that.
async fn of_others(db: &impl ConnectionTrait, migrations: &[PlannedMigration]) -> Result<Option<String>, DbErr> {
    let steps = migrations.iter().flat_map(|migration| &migration.steps);
    let changed: BTreeSet<_> = steps.flat_map(|step| step.locks.iter().map(|lock| lock.table)).collect();
    if db.get_database_backend() == DbBackend::Sqlite || changed.is_empty() {
        return Ok(None);
    }
    let of_others = format!(
        "FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname IN ('{}') \
         AND NOT pg_has_role(relowner, 'USAGE')",
        changed.into_iter().collect::<Vec<_>>().join("', '")
    );
    let tables = strings(db, &format!("SELECT relname::text {of_others}")).await?;
    let owners = strings(db, &format!("SELECT pg_get_userbyid(relowner)::text {of_others}")).await?;
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    Ok((!tables.is_empty()).then(|| {
        format!("this database user may not change {}; connect as their owner ({})", list(tables), list(owners))
    }))
}

async fn guarded(db: &impl ConnectionTrait, step: &Step) -> Result<Vec<String>, DbErr> {
    let mut refusals = Vec::new();
    for guard in &step.guards {
        let found: Vec<_> = strings(db, &guard.query).await?.into_iter().collect();
        if !found.is_empty() {
            refusals.push(guard.message.replace("{}", &found.join(", ")));
        }
    }
    Ok(refusals)
}

/// As SQL: what people have to know stands in comments, and psql could run the rest.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.migrations.is_empty() {
            return writeln!(f, "-- Nothing to do.");
        }
        if self.database == "sqlite" {
            writeln!(f, "-- Each step locks the whole file for other writers while it runs.")?;
        }
        for refusal in &self.refusals {
            writeln!(f, "-- REFUSED: {refusal}")?;
        }
        for migration in &self.migrations {
            writeln!(f, "\n-- {}", migration.name)?;
            if migration.steps.is_empty() {
                writeln!(f, "-- All its steps are done already; it is written into the ledger.")?;
            }
            for step in &migration.steps {
                write!(f, "{step}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for lock in &self.locks {
            writeln!(f, "-- {lock}")?;
        }
        if self.transaction {
            writeln!(f, "BEGIN;")?;
        }
        for sql in self.settings.iter().chain(&self.sql) {
            writeln!(f, "{sql};")?;
        }
        if self.transaction {
            writeln!(f, "COMMIT;")?;
        }
        Ok(())
    }
}

impl fmt::Display for PlannedLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}; {}", self.table, self.lock, self.waiting, self.work.in_words())?;
        match (self.bytes, self.rows) {
            (None, _) => write!(f, " (a new table)"),
            (Some(bytes), None) => write!(f, " ({})", size(bytes)),
            (Some(bytes), Some(rows)) => write!(f, " ({}, about {})", size(bytes), counted(rows, "row")),
        }
    }
}

/// Bytes in the unit that people read.
fn size(bytes: i64) -> String {
    let mut number = bytes.max(0).unsigned_abs();
    let mut unit = "bytes";
    for larger in ["kB", "MB", "GB", "TB"] {
        if number < 10_000 {
            break;
        }
        number = (number + 500) / 1000;
        unit = larger;
    }
    format!("{number} {unit}")
}
