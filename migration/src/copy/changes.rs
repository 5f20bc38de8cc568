//! Notices that somebody writes to the source.

use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbBackend,
    sqlx::{self, Sqlite, pool::PoolConnection},
};

use crate::Error;

/// Looks at a SQLite file from time to time. Of PostgreSQL, the comparison at the end alone tells.
#[derive(Debug)]
pub struct Changes(Option<(PoolConnection<Sqlite>, i64)>);

impl Changes {
    /// Begins to look; before the first row is read.
    pub async fn of(source: &DatabaseConnection) -> Result<Self, Error> {
        if source.get_database_backend() != DbBackend::Sqlite {
            return Ok(Self(None));
        }
        let mut connection = source.get_sqlite_connection_pool().acquire().await?;
        let version = version(&mut connection).await?;
        Ok(Self(Some((connection, version))))
    }

    /// Fails where somebody has written since then.
    pub async fn none(&mut self) -> Result<(), Error> {
        let Self(Some((connection, before))) = self else { return Ok(()) };
        if version(connection).await? == *before {
            return Ok(());
        }
        Err(Error::Failed(
            "something has written to the source while it was copied; stop the server that runs on it, empty the target \
             with `migration fresh --database-url TARGET`, and copy again"
                .to_owned(),
        ))
    }
}

/// Another number after each commit of another connection (<https://sqlite.org/pragma.html#pragma_data_version>).
async fn version(connection: &mut PoolConnection<Sqlite>) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut **connection).await?)
}
