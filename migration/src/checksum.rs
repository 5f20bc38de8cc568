//! What was applied, to the letter: a checksum of each applied migration's steps, in a table of its own.

use std::{collections::BTreeMap, fmt::Write as _};

use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr, Statement};
use sha2::{Digest, Sha256};

use crate::{
    Migration,
    catalogue::is_done,
    step::{Done, Facts, Object},
};

/// The table. It stays, as the ledger does.
pub const TABLE: &str = "joblink_migration_checksums";

/// SHA-256 of all steps that a migration has on an empty database, for both kinds of databases, in hexadecimal digits.
pub fn of(migration: &Migration) -> String {
    let mut hash = Sha256::new();
    for step in (migration.up)(&Facts::default()) {
        for statements in [&step.postgres, &step.sqlite] {
            for sql in statements {
                // Lines may be broken otherwise without being another statement.
                for word in sql.split_whitespace() {
                    hash.update(word);
                    hash.update(" ");
                }
                hash.update(";");
            }
            hash.update("\n");
        }
    }
    hash.finalize().iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Records that a migration is applied.
pub async fn record(db: &impl ConnectionTrait, migration: &Migration) -> Result<(), DbErr> {
    let sql = format!("CREATE TABLE IF NOT EXISTS {TABLE} (name text NOT NULL PRIMARY KEY, sha256 text NOT NULL)");
    db.execute_unprepared(&sql).await?;
    let sql = format!(
        "INSERT INTO {TABLE} (name, sha256) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256"
    );
    let values = [migration.name.into(), of(migration).into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// Forgets a migration that was taken back.
pub async fn forget(db: &impl ConnectionTrait, migration: &Migration) -> Result<(), DbErr> {
    if is_there(db).await? {
        db.execute_unprepared(&format!("DELETE FROM {TABLE} WHERE name = '{}'", migration.name)).await?;
    }
    Ok(())
}

/// The recorded checksums by the migrations' names. Changes nothing.
pub async fn recorded(db: &impl ConnectionTrait) -> Result<BTreeMap<String, String>, DbErr> {
    if !is_there(db).await? {
        return Ok(BTreeMap::new());
    }
    let sql = format!("SELECT name, sha256 FROM {TABLE}");
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.into_iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

async fn is_there(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    is_done(db, &Done::Present(Object::Table(TABLE))).await
}
