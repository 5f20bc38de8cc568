//! The two ends of a copy: opened, and refused where they do not fit.

use std::path::Path;

use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend};

use super::Wanted;
use crate::{
    Access, Error, catalogue, connect_with,
    counted::counted,
    error::{place, sqlite_file},
    is_empty, pending, up,
};

/// One that is read from, one that looks whether somebody writes.
const SOURCE_CONNECTIONS: u32 = 2;
/// One that writes, one for the lock, one to spare.
const TARGET_CONNECTIONS: u32 = 3;

/// Both ends.
#[derive(Debug)]
pub struct Ends {
    /// What is copied from; opened for reading alone.
    pub source: DatabaseConnection,
    /// What is copied to.
    pub target: DatabaseConnection,
    /// What is copied from, in words.
    pub name: String,
}

/// Opens both, where they are of the same schema. A target without a table gets its tables, unless nothing is to be written.
pub async fn open(wanted: &Wanted, access: Access) -> Result<Ends, Error> {
    let is_postgres = |url: &str| ["postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
    if !is_postgres(&wanted.to) {
        return Err(Error::Refused(
            "a copy goes to PostgreSQL alone; name it with --to postgres://USER:PASSWORD@HOST/NAME".to_owned(),
        ));
    }
    if !is_postgres(&wanted.from) && sqlite_file(&wanted.from).is_none() {
        return Err(Error::Refused(
            "a copy comes from SQLite or PostgreSQL; name it with --from sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
                .to_owned(),
        ));
    }
    if let Some(file) = sqlite_file(&wanted.from).filter(|file| !Path::new(file).is_file()) {
        return Err(Error::Failed(format!("there is no SQLite file {file}; name the one to copy with --from")));
    }
    let schema = wanted.schema.as_deref();
    let source = connect_with(&wanted.from, schema, Access::ReadOnly, SOURCE_CONNECTIONS).await?;
    if is_empty(&source).await? {
        return Err(Error::Refused("the source holds no tables, so there is nothing to copy".to_owned()));
    }
    refuse_pending(&source, "source").await?;
    let target = connect_with(&wanted.to, schema, access, TARGET_CONNECTIONS).await?;
    refuse_same(&source, &target).await?;
    if access == Access::Write && is_empty(&target).await? {
        tracing::info!("the target holds no tables: applying all migrations to it");
        up(&target, None, wanted.wait).await?;
    }
    refuse_pending(&target, "target").await?;
    Ok(Ends { source, target, name: place(&wanted.from) })
}

async fn refuse_pending(db: &DatabaseConnection, which: &str) -> Result<(), Error> {
    let pending = pending(db).await.map_err(|error| match error {
        Error::Refused(reason) => Error::Refused(format!("the {which}: {reason}")),
        failed @ Error::Failed(_) => failed,
    })?;
    let Some(first) = pending.first() else { return Ok(()) };
    let count = counted(pending.len(), "migration");
    Err(Error::Refused(format!(
        "the {which} is {count} behind, from {first} on; run `migration up` on it first, then this again"
    )))
}

/// Refuses where both are one database.
async fn refuse_same(source: &DatabaseConnection, target: &DatabaseConnection) -> Result<(), Error> {
    if source.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    // Two servers do not start in the same microsecond.
    let sql = "SELECT concat_ws(' ', current_database(), current_schema(), pg_postmaster_start_time())";
    if catalogue::strings(source, sql).await? == catalogue::strings(target, sql).await? {
        return Err(Error::Refused("the source and the target are the same database; name another target".to_owned()));
    }
    Ok(())
}
