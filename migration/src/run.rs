//! Takes steps: one after the other, each again while others are in its way.

use std::time::{Duration, Instant};

use sea_orm_migration::{
    SchemaManagerConnection,
    sea_orm::{ConnectionTrait, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait},
};

use crate::{
    catalogue::{index_exists, is_done},
    error::is_code,
    step::{Done, Object, Step},
};

/// How long a step is tried again while others hold its table.
const RETRY_FOR: Duration = Duration::from_mins(10);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// SQLSTATE `deadlock_detected`.
const DEADLOCK_DETECTED: &str = "40P01";
/// SQLSTATE `serialization_failure`, where transactions are serializable by default.
const SERIALIZATION_FAILURE: &str = "40001";
/// SQLSTATE `duplicate_table`, of an index too.
const DUPLICATE_TABLE: &str = "42P07";
/// What passes when others have ended their transactions.
const LOCK_TROUBLE: &[&str] = &[LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, SERIALIZATION_FAILURE];

/// Takes the steps that are not done yet.
pub async fn run(db: &SchemaManagerConnection<'_>, migration: &str, steps: &[Step]) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    for step in steps.iter().filter(|step| !step.sql(backend).is_empty()) {
        if !is_done(db, &step.done).await? {
            take(db, migration, step).await?;
        }
    }
    Ok(())
}

/// Takes a step, again and again while others are in its way.
async fn take(db: &SchemaManagerConnection<'_>, migration: &str, step: &Step) -> Result<(), DbErr> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        let in_transaction = step.in_transaction(db.get_database_backend());
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
        let tables: Vec<_> = step.locks.iter().map(|lock| lock.table).collect();
        let tables = tables.join(" or ");
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
    if let Some(settings) = step.settings(backend) {
        transaction.execute_unprepared(&settings).await?;
    }
    for sql in step.sql(backend) {
        transaction.execute_unprepared(sql).await?;
    }
    transaction.commit().await
}

async fn outside(db: &SchemaManagerConnection<'_>, step: &Step) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    if let Some(settings) = step.settings(backend) {
        db.execute_unprepared(&settings).await?;
    }
    if backend == DbBackend::Postgres
        && let Some(index) = leftover(db, step).await?
    {
        // What an interrupted CREATE INDEX CONCURRENTLY left behind is in the way of the next one.
        db.execute_unprepared(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await?;
    }
    for sql in step.sql(backend) {
        db.execute_unprepared(sql).await?;
    }
    if backend == DbBackend::Postgres {
        db.execute_unprepared("RESET lock_timeout; RESET statement_timeout").await?;
    }
    Ok(())
}

/// The index that a step is to make, where another run is making it or was interrupted.
async fn leftover<'a>(db: &SchemaManagerConnection<'_>, step: &'a Step) -> Result<Option<&'a str>, DbErr> {
    match &step.done {
        Done::Present(Object::Index(table, index)) if index_exists(db, table, index).await? => Ok(Some(index)),
        _ => Ok(None),
    }
}
