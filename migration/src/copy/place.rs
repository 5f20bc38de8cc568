//! Where a copy is: a table of its own in the target, which each batch moves on in the transaction of its rows.
//!
//! So a copy that was killed anywhere goes on behind the last row that is there. The table goes when the copy has ended.

use std::collections::BTreeMap;

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, Statement, TransactionTrait,
    sqlx::{self, AssertSqlSafe, PgConnection},
};

use super::tables::Table;
use crate::{
    Error,
    catalogue::is_done,
    step::{Done, Object},
};

/// The table: one row for each table that is copied.
pub const TABLE: &str = "joblink_copy";

/// Where the copy of one table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is copied from, in words.
    pub source: String,
    /// How many rows the source's table had when the copy began.
    pub of: u64,
    /// How many rows are there.
    pub copied: u64,
    /// The key of the last of them.
    pub after: Option<Vec<String>>,
}

/// Whether a copy into this database has begun and not ended.
pub async fn is_unfinished(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    is_done(db, &Done::Present(Object::Table(TABLE))).await
}

/// Where the copy into this database is, by the tables' names; `None` where none has begun.
pub async fn find(target: &DatabaseConnection) -> Result<Option<BTreeMap<String, Place>>, Error> {
    if !is_unfinished(target).await? {
        return Ok(None);
    }
    let sql = format!("SELECT name, source, of_rows, copied_rows, after_key FROM {TABLE}");
    let rows = target.query_all_raw(Statement::from_string(target.get_database_backend(), sql)).await?;
    let mut places = BTreeMap::new();
    for row in rows {
        let [of, copied]: [i64; 2] = [row.try_get_by_index(2)?, row.try_get_by_index(3)?];
        let after: Option<String> = row.try_get_by_index(4)?;
        let after = after.map(|after| serde_json::from_str(&after)).transpose();
        let after = after.map_err(|_| Error::Failed(format!("the table {TABLE} of the target cannot be read")))?;
        let source = row.try_get_by_index(1)?;
        let place = Place { source, of: of.unsigned_abs(), copied: copied.unsigned_abs(), after };
        places.insert(row.try_get_by_index(0)?, place);
    }
    Ok(Some(places))
}

/// Begins a copy, of as many rows of each table.
pub async fn begin(
    target: &DatabaseConnection,
    source: &str,
    rows: &[(&Table, u64)],
) -> Result<BTreeMap<String, Place>, Error> {
    let transaction = target.begin().await?;
    transaction
        .execute_unprepared(&format!(
            "CREATE TABLE {TABLE} (
                name text NOT NULL PRIMARY KEY,
                source text NOT NULL,
                of_rows bigint NOT NULL,
                copied_rows bigint NOT NULL,
                after_key text
            )"
        ))
        .await?;
    let mut places = BTreeMap::new();
    for (table, of) in rows {
        let place = Place { source: source.to_owned(), of: *of, copied: 0, after: None };
        let sql = format!("INSERT INTO {TABLE} (name, source, of_rows, copied_rows) VALUES ($1, $2, $3, 0)");
        let values = [table.name.as_str().into(), source.into(), number(*of).into()];
        let statement = Statement::from_sql_and_values(target.get_database_backend(), sql, values);
        transaction.execute_raw(statement).await?;
        places.insert(table.name.clone(), place);
    }
    transaction.commit().await?;
    Ok(places)
}

/// Moves a place on, in the transaction that wrote the rows; fails where another copy did so.
pub async fn advance(connection: &mut PgConnection, table: &Table, from: &Place, to: &Place) -> Result<(), Error> {
    let after = serde_json::to_string(&to.after).map_err(|error| Error::Failed(error.to_string()))?;
    let sql = format!("UPDATE {TABLE} SET copied_rows = $1, after_key = $2 WHERE name = $3 AND copied_rows = $4");
    let moved = sqlx::query(AssertSqlSafe(sql)).bind(number(to.copied)).bind(after);
    let moved = moved.bind(&table.name).bind(number(from.copied)).execute(connection).await?;
    if moved.rows_affected() == 1 {
        return Ok(());
    }
    Err(Error::Refused("another copy into the same database has taken over; see how that one ends".to_owned()))
}

/// Ends the copy.
pub async fn end(target: &DatabaseConnection) -> Result<(), Error> {
    target.execute_unprepared(&format!("DROP TABLE IF EXISTS {TABLE}")).await?;
    Ok(())
}

fn number(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
