//! A database as it is at one moment, read table by table. Changes nothing.

use futures_util::TryStreamExt as _;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbBackend,
    sqlx::{
        self, AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction,
        sqlite::{SqliteRow, SqliteValueRef},
    },
};

use super::{
    chunk::Filling,
    kind::Kind,
    select::Pass,
    tables::{Column, Table},
    text,
};
use crate::Error;

/// What PostgreSQL writes must not depend on settings of the database, the user or the connection.
const AS_OURS: &str = "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL intervalstyle = 'postgres'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0";

/// A transaction that reads.
#[derive(Debug)]
pub enum Snapshot {
    /// Of a SQLite file.
    Sqlite(Transaction<'static, Sqlite>),
    /// Of a PostgreSQL database.
    Postgres(Transaction<'static, Postgres>),
}

impl Snapshot {
    /// Takes it.
    pub async fn of(db: &DatabaseConnection) -> Result<Self, Error> {
        if db.get_database_backend() == DbBackend::Sqlite {
            let mut transaction = db.get_sqlite_connection_pool().begin().await?;
            // A transaction of SQLite begins with its first statement that reads.
            sqlx::query("SELECT count(*) FROM sqlite_master").execute(&mut *transaction).await?;
            return Ok(Self::Sqlite(transaction));
        }
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = db.get_postgres_connection_pool().begin_with(begin).await?;
        sqlx::raw_sql(AS_OURS).execute(&mut *transaction).await?;
        Ok(Self::Postgres(transaction))
    }

    const fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// How many rows a table has.
    pub async fn count(&mut self, table: &Table) -> Result<u64, Error> {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.quoted()));
        let rows: i64 = match self {
            Self::Sqlite(transaction) => sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?,
            Self::Postgres(transaction) => sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?,
        };
        Ok(rows.unsigned_abs())
    }

    /// Reads rows of a table as lines.
    pub async fn read(&mut self, table: &Table, pass: Pass<'_>, mut into: Filling) -> Result<(), Error> {
        let sql = table.select(self.backend(), pass)?;
        match self {
            Self::Sqlite(transaction) => {
                let columns = table.columns_of(pass);
                let kinds = columns.iter().map(|column| table.kind(column)).collect::<Result<Vec<_>, _>>()?;
                let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **transaction);
                while let Some(row) = rows.try_next().await? {
                    into.add(|line| write(&row, table, &columns, &kinds, line)).await?;
                }
            }
            Self::Postgres(transaction) => {
                if matches!(pass, Pass::First { .. }) {
                    // By the index of the key: a table that is sorted first fills the disk, and nothing happens meanwhile.
                    sqlx::query("SET LOCAL enable_sort = off").execute(&mut **transaction).await?;
                }
                let mut data = transaction.copy_out_raw(&format!("COPY ({sql}) TO STDOUT")).await?;
                let mut rest = Vec::new();
                while let Some(some) = data.try_next().await? {
                    rest.extend_from_slice(&some);
                    let mut begin = 0;
                    while let Some(length) = rest[begin..].iter().position(|byte| *byte == b'\n') {
                        let end = begin + length + 1;
                        into.add(|line| {
                            line.extend_from_slice(&rest[begin..end]);
                            Ok(())
                        })
                        .await?;
                        begin = end;
                    }
                    rest.drain(..begin);
                }
            }
        }
        into.end().await
    }
}

/// Writes a row of SQLite as a line.
fn write(row: &SqliteRow, table: &Table, columns: &[&Column], kinds: &[Kind], line: &mut Vec<u8>) -> Result<(), Error> {
    for (place, (column, kind)) in columns.iter().zip(kinds).enumerate() {
        if place > 0 {
            line.push(b'\t');
        }
        let value: SqliteValueRef<'_> = row.try_get_raw(place)?;
        kind.write(value, line).map_err(|wrong| {
            let (column, table, row) = (&column.name, &table.name, named(row, table));
            Error::Failed(format!("{column} of {table}{row} {wrong}; correct it in the source, then run this again"))
        })?;
    }
    line.push(b'\n');
    Ok(())
}

/// Which row it is, by its key.
fn named(row: &SqliteRow, table: &Table) -> String {
    let mut key = Vec::new();
    for column in table.key_columns() {
        let mut value = Vec::new();
        let raw = row.try_get_raw(column.name.as_str()).ok();
        let kind = Kind::parse(&column.kind);
        if let (Some(raw), Some(kind)) = (raw, kind) {
            // One that cannot be written is what is wrong.
            _ = kind.write(raw, &mut value);
        }
        key.extend(text::values(&value).into_iter().flatten());
    }
    key.retain(|value| !value.is_empty());
    if key.is_empty() { String::new() } else { format!(" ({})", key.join(", ")) }
}
