//! The runs there were, and taking one back.

use std::time::Instant;

use entity::stored::{AuditAction, BackfillStatus, Kind};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, FromQueryResult, Statement,
    prelude::{DateTimeUtc, Uuid},
};
use serde_json::{Value, json};

use super::{
    Failure,
    lease::{Running, at_work, audit, audit_failure, hold_off, wait_for_silence},
    pace::Courtesy,
    refuse_pending,
    rows::table,
    write::{any, begin, try_again},
};
use crate::counted::counted;

/// Rows of one transaction.
const BATCH: usize = 1_000;

/// A run as it stands.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Run {
    /// Its id.
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// `running`, `interrupted`, `completed` or `undone`.
    pub status: String,
    /// Its options, as JSON.
    pub options: String,
    /// Links that it wrote.
    pub linked: i64,
    /// Rows that it left without a link.
    pub unresolved: i64,
    /// Links that were taken back.
    pub undone: i64,
    /// Of a run that is not over: how long ago its holder showed that it is alive, in seconds by the database's clock.
    pub silent_seconds: Option<i64>,
}

impl Run {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "status": self.status,
            "options": serde_json::from_str::<Value>(&self.options).unwrap_or_default(),
            "linked": self.linked,
            "unresolved": self.unresolved,
            "undone": self.undone,
            "silentSeconds": self.silent_seconds,
        })
    }
}

/// All runs, the latest first. Changes nothing.
pub async fn runs(db: &DatabaseConnection) -> Result<Vec<Run>, Failure> {
    refuse_pending(db).await?;
    let silent = match db.get_database_backend() {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM CURRENT_TIMESTAMP - beat_at) AS bigint)",
        _ => "CAST((julianday('now') - julianday(beat_at)) * 86400 AS bigint)",
    };
    let sql = format!(
        "SELECT id, started_at, finished_at, status, options, linked, unresolved, undone, \
         CASE status WHEN 'running' THEN {silent} END AS silent_seconds FROM backfill_runs ORDER BY started_at DESC, id DESC"
    );
    let mut runs = Run::find_by_statement(Statement::from_string(db.get_database_backend(), sql)).all(db).await?;
    let at_work = at_work(db).await?;
    for run in runs.iter_mut().filter(|run| run.status == BackfillStatus::Running.as_stored()) {
        if Some(run.id) != at_work {
            "interrupted".clone_into(&mut run.status);
        }
    }
    Ok(runs)
}

/// Takes back the links that a run made and that still stand, and answers how many. Doing it twice is safe.
///
/// A link of a job that was deleted since was released; it stays released.
pub async fn undo(db: &DatabaseConnection, run: Uuid, full_speed: bool) -> Result<u64, Failure> {
    refuse_pending(db).await?;
    let undone = take_back(db, run, full_speed).await;
    if let Err(failure) = &undone {
        audit_failure(db, AuditAction::BackfillUndo, Some(run), failure).await;
    }
    undone
}

async fn take_back(db: &DatabaseConnection, run: Uuid, full_speed: bool) -> Result<u64, Failure> {
    if !runs(db).await?.iter().any(|known| known.id == run) {
        return Err(Failure::File(format!("there is no run {run}; see `migration backfill status`")));
    }
    if let Some(running) = Running::find(db).await?
        && running.run == run
        && running.token.is_some()
    {
        wait_for_silence(db, &running).await?;
    }
    // From here on nobody writes for this run or goes on with it. Where this is cut off, no other run begins before it is
    // done again.
    let transaction = begin(db).await?;
    hold_off(&transaction, run).await?;
    let sql =
        "UPDATE backfill_runs SET status = 'undoing', lease_token = NULL, lease_beat = lease_beat + 1 WHERE id = $1";
    transaction.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [run.into()])).await?;
    transaction.commit().await?;
    let courtesy = Courtesy::new(db, full_speed).await;
    let mut undone = 0;
    for kind in Kind::ALL {
        undone += undo_kind(db, &courtesy, run, *kind).await?;
    }
    let transaction = begin(db).await?;
    let sql = "UPDATE backfill_runs SET status = 'undone' WHERE id = $1";
    transaction.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [run.into()])).await?;
    audit(&transaction, AuditAction::BackfillUndo, run, &format!("took back {}", counted(undone, "link"))).await?;
    transaction.commit().await?;
    Ok(undone)
}

async fn undo_kind(db: &DatabaseConnection, courtesy: &Courtesy<'_>, run: Uuid, kind: Kind) -> Result<u64, Failure> {
    let table = table(kind);
    let backend = db.get_database_backend();
    let stands =
        "backfill_run_id = $1 AND job_id IS NOT NULL AND job_link IN ('manifest', 'source_file', 'time_window')";
    let mut undone = 0;
    let mut after = Uuid::nil();
    loop {
        let began = Instant::now();
        let size = courtesy.rows_written(BATCH).await;
        let sql = format!("SELECT id FROM {table} WHERE {stands} AND id > $2 ORDER BY id LIMIT {size}");
        let found = db.query_all_raw(Statement::from_sql_and_values(backend, sql, [run.into(), after.into()])).await?;
        let ids: Vec<Uuid> = found.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
        let Some(last) = ids.last() else { return Ok(undone) };
        after = *last;
        let (any, ids) = any(db, 2, &ids);
        let sql = format!(
            "UPDATE {table} SET job_id = NULL, job_link = NULL, backfill_run_id = NULL WHERE {stands} AND id {any}"
        );
        let statement =
            Statement::from_sql_and_values(backend, sql, std::iter::once(run.into()).chain(ids).collect::<Vec<_>>());
        let mut tried = 1;
        undone += loop {
            match undo_batch(db, run, statement.clone()).await {
                Ok(rows) => break rows,
                Err(failure) => try_again(failure, tried).await?,
            }
            tried += 1;
        };
        courtesy.pause(began).await;
    }
}

async fn undo_batch(db: &DatabaseConnection, run: Uuid, unlink: Statement) -> Result<u64, Failure> {
    let backend = db.get_database_backend();
    let transaction = begin(db).await?;
    let rows = transaction.execute_raw(unlink).await?.rows_affected();
    let sql = "UPDATE backfill_runs SET undone = undone + $2 WHERE id = $1";
    let values = [run.into(), i64::try_from(rows).unwrap_or(i64::MAX).into()];
    transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    transaction.commit().await?;
    Ok(rows)
}
