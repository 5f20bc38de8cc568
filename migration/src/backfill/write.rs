//! Writes batches, each in a short transaction.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use entity::stored::{Kind, LinkSource};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value, prelude::Uuid,
};
use tokio::sync::{Mutex, mpsc::Receiver};

use super::{
    Failure,
    batches::{Batch, Left},
    lease::Lease,
    report::Decision,
    rows::table,
};
use crate::error::is_code;

/// SQLSTATEs `serialization_failure`, `deadlock_detected` and `foreign_key_violation`, and SQLite's busy and foreign key.
const TRANSIENT: &[&str] = &["40001", "40P01", "23503", "5", "517", "787"];
/// How often a transaction is tried that lost against another one.
const ATTEMPTS: u32 = 8;
/// The most ids of one statement on SQLite, whose statements take at most 32,766 values.
const SQLITE_IDS: usize = 10_000;

/// Writes the batches of a run.
#[derive(Clone)]
pub struct Writer {
    db: DatabaseConnection,
    lease: Lease,
    /// Links written.
    written: Arc<AtomicU64>,
}

impl Writer {
    pub fn new(db: DatabaseConnection, lease: Lease) -> Self {
        Self { db, lease, written: Arc::default() }
    }

    /// How many links it and its clones have written.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes one batch, again where it lost against another transaction.
    pub async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let mut tried = 1;
        while let Err(failure) = write_batch(&self.db, &self.lease, batch).await {
            try_again(failure, tried).await?;
            tried += 1;
        }
        self.written.fetch_add(batch.links.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Writes batches until there are no more.
    pub async fn write_all(self, batches: Arc<Mutex<Receiver<Batch>>>) -> Result<(), Failure> {
        loop {
            let Some(batch) = batches.lock().await.recv().await else { return Ok(()) };
            self.write(&batch).await?;
        }
    }
}

/// Pauses before a transaction is tried again that lost against another one; fails where that is of no use.
pub async fn try_again(failure: Failure, tried: u32) -> Result<(), Failure> {
    if tried == ATTEMPTS || !is_transient(&failure) {
        return Err(failure);
    }
    tokio::time::sleep(Duration::from_millis(5 << tried)).await;
    Ok(())
}

/// Whether a transaction may succeed when it is tried again: it lost against another one, or its job went meanwhile.
fn is_transient(failure: &Failure) -> bool {
    matches!(failure, Failure::Database(error) if is_code(error, TRANSIENT))
}

async fn write_batch(db: &DatabaseConnection, lease: &Lease, batch: &Batch) -> Result<(), Failure> {
    let Batch { links, left, decisions } = batch;
    let transaction = begin(db).await?;
    lease.confirm(&transaction).await?;
    let jobs: BTreeSet<Uuid> = links.iter().map(|link| link.job).collect();
    let living = living(&transaction, jobs).await?;
    let groups: BTreeSet<(Kind, LinkSource)> = links.iter().map(|link| (link.kind, link.source)).collect();
    for (kind, source) in groups {
        let group: Vec<(Uuid, Uuid)> = links
            .iter()
            .filter(|link| link.kind == kind && link.source == source && living.contains(&link.job))
            .map(|link| (link.id, link.job))
            .collect();
        write_links(&transaction, lease, kind, source, &group).await?;
    }
    if lease.resumed {
        unlink(&transaction, lease.run, left).await?;
    }
    write_left(&transaction, lease.run, left).await?;
    for decision in decisions {
        write_decision(&transaction, lease.run, decision).await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    })
    .await
}

/// Of these jobs, those that are still there; none of them can go before the transaction ends.
async fn living(db: &DatabaseTransaction, jobs: BTreeSet<Uuid>) -> Result<HashSet<Uuid>, DbErr> {
    let jobs: Vec<Uuid> = jobs.into_iter().collect();
    let (ids, values) = any(db, 1, &jobs);
    let lock = if db.get_database_backend() == DbBackend::Postgres { " ORDER BY id FOR KEY SHARE" } else { "" };
    let sql = format!("SELECT id FROM bulk_upload_jobs WHERE id {ids}{lock}");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// A comparison with any of some ids, whose parameters begin at `first`, and their values.
pub fn any(db: &impl ConnectionTrait, first: usize, ids: &[Uuid]) -> (String, Vec<Value>) {
    if db.get_database_backend() == DbBackend::Postgres {
        return (format!("= ANY(${first})"), vec![Value::from(ids.to_vec())]);
    }
    let places: Vec<String> = (first..first + ids.len()).map(|place| format!("${place}")).collect();
    (format!("IN ({})", places.join(", ")), ids.iter().map(|id| Value::from(*id)).collect())
}

async fn write_links(
    db: &DatabaseTransaction,
    lease: &Lease,
    kind: Kind,
    source: LinkSource,
    links: &[(Uuid, Uuid)],
) -> Result<(), DbErr> {
    let (run, table) = (lease.run, table(kind));
    // Whatever was linked or released since the row was read is left alone. What this run itself wrote before it was
    // interrupted is written anew where it decides otherwise now, as with another file.
    let undecided = match (db.get_database_backend(), lease.resumed) {
        (_, false) => "p.job_id IS NULL AND p.job_link IS NULL",
        (DbBackend::Postgres, true) => {
            "((p.job_id IS NULL AND p.job_link IS NULL) OR (p.backfill_run_id = $4 AND p.job_id IS NOT NULL \
             AND (p.job_id <> l.job OR p.job_link <> $3)))"
        }
        (_, true) => {
            "((p.job_id IS NULL AND p.job_link IS NULL) OR (p.backfill_run_id = $3 AND p.job_id IS NOT NULL \
             AND (p.job_id <> $1 OR p.job_link <> $2)))"
        }
    };
    if db.get_database_backend() == DbBackend::Postgres {
        let (ids, jobs): (Vec<Uuid>, Vec<Uuid>) = links.iter().copied().unzip();
        let sql = format!(
            "UPDATE {table} p SET job_id = l.job, job_link = $3, backfill_run_id = $4 \
             FROM unnest($1::uuid[], $2::uuid[]) AS l (id, job) WHERE p.id = l.id AND {undecided}"
        );
        let values = [Value::from(ids), Value::from(jobs), source.as_stored().into(), run.into()];
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
        return Ok(());
    }
    let jobs: BTreeSet<Uuid> = links.iter().map(|(_, job)| *job).collect();
    for job in jobs {
        let ids: Vec<Uuid> = links.iter().filter(|(_, of)| *of == job).map(|(id, _)| *id).collect();
        for ids in ids.chunks(SQLITE_IDS) {
            let (any, ids) = any(db, 4, ids);
            let sql = format!(
                "UPDATE {table} AS p SET job_id = $1, job_link = $2, backfill_run_id = $3 WHERE p.id {any} AND {undecided}"
            );
            let values = [job.into(), source.as_stored().into(), run.into()].into_iter().chain(ids);
            db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await?;
        }
    }
    Ok(())
}

/// Takes back links that this run wrote before it was interrupted, of rows that it leaves without one now.
async fn unlink(db: &DatabaseTransaction, run: Uuid, left: &VecDeque<Left>) -> Result<(), DbErr> {
    for kind in Kind::ALL {
        let ids: Vec<Uuid> = left.iter().filter(|row| row.kind == *kind).map(|row| row.id).collect();
        for ids in ids.chunks(SQLITE_IDS) {
            let (any, ids) = any(db, 2, ids);
            let sql = format!(
                "UPDATE {} SET job_id = NULL, job_link = NULL, backfill_run_id = NULL \
                 WHERE backfill_run_id = $1 AND job_id IS NOT NULL AND id {any}",
                table(*kind)
            );
            let values = std::iter::once(Value::from(run)).chain(ids);
            db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        }
    }
    Ok(())
}

async fn write_left(db: &DatabaseTransaction, run: Uuid, left: &VecDeque<Left>) -> Result<(), DbErr> {
    let candidates = |row: &Left| row.candidates.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" ");
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "INSERT INTO backfill_unresolved (run_id, prediction_id, kind, reason, candidates) \
                   SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING";
        let strings = |of: &dyn Fn(&Left) -> String| Value::from(left.iter().map(of).collect::<Vec<String>>());
        let values = [
            run.into(),
            Value::from(left.iter().map(|row| row.id).collect::<Vec<Uuid>>()),
            strings(&|row| row.kind.as_stored().to_owned()),
            strings(&|row| row.reason.as_stored().to_owned()),
            strings(&candidates),
        ];
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, values)).await?;
        return Ok(());
    }
    let left: Vec<&Left> = left.iter().collect();
    for rows in left.chunks(SQLITE_IDS / 4) {
        let places = (0..rows.len()).map(|row| {
            let [id, kind, reason, candidates] = [2, 3, 4, 5].map(|place| format!("${}", 4 * row + place));
            format!("($1, {id}, {kind}, {reason}, {candidates})")
        });
        let sql = format!(
            "INSERT INTO backfill_unresolved (run_id, prediction_id, kind, reason, candidates) VALUES {} \
             ON CONFLICT DO NOTHING",
            places.collect::<Vec<_>>().join(", ")
        );
        let values = rows.iter().flat_map(|row| {
            [row.id.into(), row.kind.as_stored().into(), row.reason.as_stored().into(), candidates(row).into()]
        });
        let values = std::iter::once(Value::from(run)).chain(values);
        db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await?;
    }
    Ok(())
}

async fn write_decision(db: &DatabaseTransaction, run: Uuid, decision: &Decision) -> Result<(), DbErr> {
    let sql = "INSERT INTO backfill_decisions (run_id, job_id, evidence, linked, unresolved, note) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run_id, job_id) DO UPDATE SET \
               evidence = CASE WHEN 'time_window' IN (excluded.evidence, backfill_decisions.evidence) THEN 'time_window' \
               WHEN 'source_file' IN (excluded.evidence, backfill_decisions.evidence) THEN 'source_file' \
               ELSE COALESCE(excluded.evidence, backfill_decisions.evidence) END, \
               linked = backfill_decisions.linked + excluded.linked, \
               unresolved = backfill_decisions.unresolved + excluded.unresolved, \
               note = COALESCE(backfill_decisions.note, excluded.note)";
    let values = [
        run.into(),
        decision.job.into(),
        decision.evidence.map(LinkSource::as_stored).into(),
        count(decision.linked).into(),
        count(decision.unresolved).into(),
        decision.note.clone().into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// A number of rows as the database holds it.
pub fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
