//! What a database says of its schema. Changes nothing.

use std::collections::BTreeSet;

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::{
    m0001_adopt_tables::MADE_TABLES,
    step::{Done, Facts, Object},
};

/// Whether the effect of a step stands.
pub async fn is_done(db: &impl ConnectionTrait, done: &Done) -> Result<bool, DbErr> {
    match done {
        Done::Present(object) => is_present(db, object).await,
        // An invalid index still has to go.
        Done::Absent(Object::Index(table, index)) => Ok(!index_exists(db, table, index).await?),
        Done::Absent(object) => Ok(!is_present(db, object).await?),
    }
}

/// Whether an index is there, valid or not.
pub async fn index_exists(db: &impl ConnectionTrait, table: &str, index: &str) -> Result<bool, DbErr> {
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
async fn is_present(db: &impl ConnectionTrait, object: &Object) -> Result<bool, DbErr> {
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
        Object::Column(table, column) => {
            format!("SELECT count(*) FROM pg_attribute WHERE {} AND attname = '{column}'", of_table(table))
        }
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
        // How a type modifier holds the precision: numeric_typmod_precision in PostgreSQL's numeric.c.
        Object::Precision(table, column, precision) => format!(
            "SELECT count(*) FROM pg_attribute WHERE {} AND attname = '{column}' AND atttypid = 'numeric'::regtype \
             AND ((atttypmod - 4) >> 16) & 65535 = {precision}",
            of_table(table)
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

/// The tables that are there, and which of them Joblink made in the place of adopted ones.
pub async fn facts(db: &impl ConnectionTrait) -> Result<Facts, DbErr> {
    let existing = match db.get_database_backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        _ => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
    };
    let existing = strings(db, existing).await?;
    let made = if existing.contains(MADE_TABLES) {
        strings(db, &format!("SELECT name FROM {MADE_TABLES}")).await?
    } else {
        BTreeSet::new()
    };
    Ok(Facts { made, existing })
}

/// The columns of a table or view; none where there is none.
pub async fn columns(db: &impl ConnectionTrait, table: &str) -> Result<BTreeSet<String>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
        _ => format!("SELECT attname::text FROM pg_attribute WHERE {}", of_table(table)),
    };
    strings(db, &sql).await
}

/// The columns of a table in `pg_attribute`. The views of the information schema hide a table on which the role has no right.
fn of_table(table: &str) -> String {
    format!("attrelid = to_regclass(quote_ident(current_schema()) || '.{table}') AND attnum > 0 AND NOT attisdropped")
}
