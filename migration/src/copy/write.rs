//! Writes the rows of a table into PostgreSQL: by `COPY`, in transactions of so many rows.

use sea_orm_migration::sea_orm::sqlx::{
    self, AssertSqlSafe, Error as DriverError, PgPool, Postgres, Transaction, postgres::PgDatabaseError,
};
use tokio::sync::mpsc::Receiver;

use super::{
    chunk::{self, Chunk},
    place::{self, Place},
    select::{Pass, list, quoted},
    snapshot::Snapshot,
    tables::{Column, Table},
};
use crate::Error;

/// A table of a transaction, for the columns that are filled in.
const LATER: &str = "joblink_copy_later";
/// The class of SQLSTATEs of constraints that are violated.
const CONSTRAINT: &str = "23";
/// What is sent is in the form of ISO. Where a crash of the server takes the last batches, the place goes with them.
const BEGIN: &str = "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL synchronous_commit = off";

/// Copies the rows of a table that are not there yet, `batch` in a transaction, and moves its place on.
pub async fn rows(
    source: &mut Snapshot,
    target: &PgPool,
    table: &Table,
    place: &mut Place,
    batch: u64,
    mut told: impl AsyncFnMut(u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let after = place.after.clone();
    let (into, mut from) = chunk::way(batch);
    let read = source.read(table, Pass::First { after: after.as_deref() }, into);
    let write = async {
        while let Some(first) = from.recv().await {
            let moved = write_batch(target, table, place, batch, first, &mut from).await;
            let moved = moved.map_err(|error| of_table(table, error))?;
            let rows = moved.copied - place.copied;
            *place = moved;
            told(rows).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ())
}

async fn write_batch(
    target: &PgPool,
    table: &Table,
    place: &Place,
    batch: u64,
    first: Chunk,
    from: &mut Receiver<Chunk>,
) -> Result<Place, Error> {
    let mut moved = place.clone();
    let mut transaction = begin(target).await?;
    let sql = format!("COPY {} ({}) FROM STDIN", table.quoted(), names(&table.columns_of(Pass::Whole)));
    let mut copy = transaction.copy_in_raw(&sql).await?;
    let mut next = Some(first);
    while let Some(chunk) = next {
        moved.copied += chunk.rows;
        moved.after = Some(chunk.last_key(table));
        copy.send(chunk.lines).await?;
        next = if moved.copied - place.copied < batch { from.recv().await } else { None };
    }
    copy.finish().await.map_err(not_taken)?;
    place::advance(&mut transaction, table, place, &moved).await?;
    transaction.commit().await?;
    Ok(moved)
}

/// Fills in the columns of a table that refer to rows that came after its own. Doing it again changes nothing.
pub async fn later(source: &mut Snapshot, target: &PgPool, table: &Table) -> Result<(), Error> {
    let later: Vec<_> = table.columns.iter().filter(|column| column.later).collect();
    if later.is_empty() {
        return Ok(());
    }
    let all = names(&table.columns_of(Pass::Later));
    let (into, mut from) = chunk::way(u64::MAX);
    let read = source.read(table, Pass::Later, into);
    let write = async {
        let mut transaction = begin(target).await?;
        let make =
            format!("CREATE TEMP TABLE {LATER} ON COMMIT DROP AS SELECT {all} FROM {} WITH NO DATA", table.quoted());
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *transaction).await?;
        let mut copy = transaction.copy_in_raw(&format!("COPY {LATER} FROM STDIN")).await?;
        while let Some(chunk) = from.recv().await {
            copy.send(chunk.lines).await?;
        }
        copy.finish().await?;
        let each = |columns: &[&Column], between: &str, by: &dyn Fn(&str) -> String| {
            columns.iter().map(|column| by(&quoted(&column.name))).collect::<Vec<_>>().join(between)
        };
        let key: Vec<_> = table.key_columns().collect();
        let fill = format!(
            "UPDATE {} AS t SET {} FROM {LATER} AS l WHERE {} AND ({})",
            table.quoted(),
            each(&later, ", ", &|name| format!("{name} = l.{name}")),
            each(&key, " AND ", &|name| format!("t.{name} = l.{name}")),
            each(&later, " OR ", &|name| format!("t.{name} IS DISTINCT FROM l.{name}")),
        );
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ()).map_err(|error| of_table(table, error))
}

/// Sets the sequences of a table's columns behind their values, and lets PostgreSQL see how the values are spread.
pub async fn finish(target: &PgPool, table: &Table) -> Result<(), Error> {
    for column in &table.columns {
        let sql = "SELECT pg_get_serial_sequence(quote_ident(current_schema()) || '.' || quote_ident($1), $2)";
        let sequence: Option<String> =
            sqlx::query_scalar(sql).bind(&table.name).bind(&column.name).fetch_one(target).await?;
        if let Some(sequence) = sequence {
            let (name, column) = (table.quoted(), quoted(&column.name));
            let set =
                format!("SELECT setval($1::regclass, max({column})) FROM {name} HAVING max({column}) IS NOT NULL");
            sqlx::query(AssertSqlSafe(set)).bind(sequence).execute(target).await?;
        }
    }
    sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {}", table.quoted()))).execute(target).await?;
    Ok(())
}

async fn begin(target: &PgPool) -> Result<Transaction<'static, Postgres>, Error> {
    let mut transaction = target.begin().await?;
    sqlx::raw_sql(BEGIN).execute(&mut *transaction).await?;
    Ok(transaction)
}

/// Why PostgreSQL does not take rows, where that is for a constraint.
fn not_taken(error: DriverError) -> Error {
    let told = match &error {
        DriverError::Database(told) => told.try_downcast_ref::<PgDatabaseError>(),
        _ => None,
    };
    match told.filter(|told| told.code().starts_with(CONSTRAINT)) {
        None => error.into(),
        Some(told) => {
            let said = told.detail().unwrap_or(told.message()).trim_end_matches('.');
            Error::Failed(format!(
                "PostgreSQL does not take a row: {said}; correct it in the source, then run this again"
            ))
        }
    }
}

fn names(columns: &[&Column]) -> String {
    list(columns.iter().map(|column| quoted(&column.name)))
}

fn of_table(table: &Table, error: Error) -> Error {
    match error {
        Error::Failed(reason) => Error::Failed(format!("{}: {reason}", table.name)),
        refused @ Error::Refused(_) => refused,
    }
}
