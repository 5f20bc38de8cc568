//! The right to run, of one at a time, and who looks on.
//!
//! Unlike the lock of the schema (`crate::lock`) it belongs to a run that outlives its process: whoever takes it goes on
//! with that run, and must know for certain that the holder before writes no more.

use std::time::{Duration, Instant};

use entity::stored::{AuditAction, AuditOutcome, Kind};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    prelude::{DateTimeUtc, Uuid},
};
use serde_json::json;

use super::{
    Failure, Settings, now,
    rows::table,
    write::{begin, count},
};
use crate::counted::counted;

/// How often the holder of the lease shows that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// After how long without a beat its holder counts as dead.
const SILENCE: Duration = Duration::from_secs(5);
/// After how long without a beat a run is shown as interrupted. A batch that waits for locks cannot beat.
const QUIET: Duration = Duration::from_secs(30);

/// The right to run, of one at a time. It does not outlive its holder: a holder that falls silent has lost it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The run.
    pub run: Uuid,
    token: Uuid,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// Whether it goes on with a run that was interrupted.
    pub resumed: bool,
}

impl Lease {
    pub async fn take(db: &DatabaseConnection, settings: &Settings) -> Result<Self, Failure> {
        let options = json!({
            "sources": settings.sources,
            "artifacts": settings.artifacts,
            "manifest": settings.manifest,
            "acceptTimeWindow": settings.accept_time_window,
            "staleAfterSeconds": settings.stale_after.num_seconds(),
        })
        .to_string();
        let sql = "SELECT id FROM backfill_runs WHERE status = 'undoing'";
        let undoing = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
        if let Some(undoing) = undoing {
            let run: Uuid = undoing.try_get_by_index(0)?;
            return Err(Failure::Refused(format!(
                "run {run} is being taken back, or that was cut off: end it with `migration backfill undo {run}`"
            )));
        }
        let token = Uuid::now_v7();
        let Some(running) = Running::find(db).await? else {
            let lease = Self { run: Uuid::now_v7(), token, started_at: now(), resumed: false };
            return if lease.insert(db, &options).await? { Ok(lease) } else { Err(another()) };
        };
        if running.token.is_some() {
            wait_for_silence(db, &running).await?;
        }
        if running.options != options {
            return Err(Failure::Refused(format!(
                "run {} was interrupted with other options ({}): give the same, or take it back with \
                 `migration backfill undo {}`",
                running.run, running.options, running.run
            )));
        }
        let sql = "UPDATE backfill_runs SET lease_token = $1, lease_beat = lease_beat + 1, beat_at = CURRENT_TIMESTAMP \
                   WHERE id = $2 AND status = 'running' AND lease_beat = $3";
        let values = [token.into(), running.run.into(), running.beat.into()];
        let transaction = begin(db).await?;
        hold_off(&transaction, running.run).await?;
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        if transaction.execute_raw(statement).await?.rows_affected() == 0 {
            return Err(another());
        }
        transaction.commit().await?;
        Ok(Self { run: running.run, token, started_at: running.started_at, resumed: true })
    }

    /// Answers whether it was the first.
    async fn insert(&self, db: &DatabaseConnection, options: &str) -> Result<bool, DbErr> {
        let sql = "INSERT INTO backfill_runs (id, started_at, status, options, lease_token, lease_beat, beat_at, linked, \
                   unresolved, undone) VALUES ($1, $2, 'running', $3, $4, 0, CURRENT_TIMESTAMP, 0, 0, 0) \
                   ON CONFLICT DO NOTHING";
        let values = [self.run.into(), self.started_at.into(), options.into(), self.token.into()];
        let made = db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        Ok(made.rows_affected() == 1)
    }

    /// Fails where the lease was lost; else it stays until the transaction ends: whoever takes it waits for that, the
    /// beat does not.
    pub async fn confirm(&self, db: &DatabaseTransaction) -> Result<(), Failure> {
        let lock = if db.get_database_backend() == DbBackend::Postgres { " FOR KEY SHARE" } else { "" };
        let sql = format!("SELECT id FROM backfill_runs WHERE id = $1 AND lease_token = $2{lock}");
        let values = [self.run.into(), self.token.into()];
        let held = db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        if held.is_some() { Ok(()) } else { Err(another()) }
    }

    /// Shows that its holder is alive.
    async fn beat(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let sql = "UPDATE backfill_runs SET lease_beat = lease_beat + 1, beat_at = CURRENT_TIMESTAMP \
                   WHERE id = $1 AND lease_token = $2";
        let values = [self.run.into(), self.token.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        Ok(())
    }

    /// Decisions are made anew by a run that goes on.
    pub async fn forget_decisions(&self, db: &DatabaseConnection) -> Result<(), Failure> {
        let transaction = begin(db).await?;
        // Else a holder that was taken for dead would delete what its successor wrote.
        self.confirm(&transaction).await?;
        for table in ["backfill_decisions", "backfill_unresolved"] {
            let sql = format!("DELETE FROM {table} WHERE run_id = $1");
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [self.run.into()]);
            transaction.execute_raw(statement).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// How many links of the run stand.
    pub async fn standing(&self, db: &DatabaseConnection) -> Result<u64, DbErr> {
        let mut standing = 0;
        for kind in Kind::ALL {
            let sql =
                format!("SELECT count(*) FROM {} WHERE backfill_run_id = $1 AND job_id IS NOT NULL", table(*kind));
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, [self.run.into()]);
            let rows: i64 = db.query_one_raw(statement).await?.map_or(Ok(0), |row| row.try_get_by_index(0))?;
            standing += rows.unsigned_abs();
        }
        Ok(standing)
    }

    pub async fn finish(&self, db: &DatabaseConnection, linked: u64, unresolved: u64) -> Result<(), Failure> {
        let sql = "UPDATE backfill_runs SET status = 'completed', finished_at = $1, lease_token = NULL, linked = $2, \
                   unresolved = $3 WHERE id = $4 AND lease_token = $5";
        let values = [now().into(), count(linked).into(), count(unresolved).into(), self.run.into(), self.token.into()];
        let transaction = begin(db).await?;
        let ended =
            transaction.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        if ended.rows_affected() != 1 {
            return Err(another());
        }
        let detail = format!("linked {}, left {unresolved} without a link", counted(linked, "prediction"));
        audit(&transaction, AuditAction::BackfillRun, self.run, &detail).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub async fn give_back(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let sql = "UPDATE backfill_runs SET lease_token = NULL WHERE id = $1 AND lease_token = $2";
        let values = [self.run.into(), self.token.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        Ok(())
    }
}

/// Writes what the operator did into the audit log, in its transaction. Who it was is not known here.
pub async fn audit(db: &impl ConnectionTrait, action: AuditAction, run: Uuid, detail: &str) -> Result<(), DbErr> {
    write_entry(db, action, Some(run), AuditOutcome::Done, detail).await
}

/// Writes into the audit log that something was refused or failed, where the database still takes it.
pub async fn audit_failure(db: &DatabaseConnection, action: AuditAction, run: Option<Uuid>, failure: &Failure) {
    let (outcome, detail) = match failure {
        Failure::Refused(reason) | Failure::File(reason) => (AuditOutcome::Refused, reason.as_str()),
        Failure::Database(_) => (AuditOutcome::Failed, "the database failed; what was committed before that stays"),
    };
    if let Err(error) = write_entry(db, action, run, outcome, detail).await {
        tracing::warn!("the audit log does not have it: {error}");
    }
}

async fn write_entry(
    db: &impl ConnectionTrait,
    action: AuditAction,
    run: Option<Uuid>,
    outcome: AuditOutcome,
    detail: &str,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO audit_log (id, at, action, target_id, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    let outcome = outcome.as_stored();
    let values =
        [Uuid::now_v7().into(), now().into(), action.as_stored().into(), run.into(), outcome.into(), detail.into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}

fn another() -> Failure {
    Failure::Refused("another backfill is running; see `migration backfill status`".to_owned())
}

/// Shows again and again that the holder of a lease is alive.
pub async fn beat(db: DatabaseConnection, lease: Lease) {
    loop {
        tokio::time::sleep(BEAT).await;
        if let Err(error) = lease.beat(&db).await {
            // The next batch finds out whether the lease is lost.
            tracing::debug!("no beat: {error}");
        }
    }
}

/// The run that is at work, if there is one: by the clock of the database alone, with which its holder beats too.
///
/// Only for those who look on: a run whose lease is wanted is given [`SILENCE`] again.
pub async fn at_work(db: &impl ConnectionTrait) -> Result<Option<Uuid>, DbErr> {
    let seconds = QUIET.as_secs();
    let alive = match db.get_database_backend() {
        DbBackend::Postgres => format!("CURRENT_TIMESTAMP - INTERVAL '{seconds} seconds'"),
        _ => format!("datetime('now', '-{seconds} seconds')"),
    };
    let sql = format!(
        "SELECT id FROM backfill_runs WHERE status = 'running' AND lease_token IS NOT NULL AND beat_at >= {alive}"
    );
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// The run that is not over.
pub struct Running {
    pub run: Uuid,
    pub started_at: DateTimeUtc,
    pub options: String,
    pub token: Option<Uuid>,
    pub beat: i64,
}

impl Running {
    pub async fn find(db: &impl ConnectionTrait) -> Result<Option<Self>, DbErr> {
        let sql = "SELECT id, started_at, options, lease_token, lease_beat FROM backfill_runs WHERE status = 'running'";
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
        row.map(|row| {
            Ok(Self {
                run: row.try_get_by_index(0)?,
                started_at: row.try_get_by_index(1)?,
                options: row.try_get_by_index(2)?,
                token: row.try_get_by_index(3)?,
                beat: row.try_get_by_index(4)?,
            })
        })
        .transpose()
    }
}

/// Waits until the holder of a lease is known to be dead; refuses as soon as it shows that it is alive.
///
/// Clocks of two machines need not agree: what counts is that nothing changes for a while.
pub async fn wait_for_silence(db: &DatabaseConnection, running: &Running) -> Result<(), Failure> {
    tracing::info!("run {} did not end; waiting for {SILENCE:?} to see that nobody works on it", running.run);
    let began = Instant::now();
    while began.elapsed() < SILENCE {
        tokio::time::sleep(BEAT / 4).await;
        match Running::find(db).await? {
            Some(now) if now.run == running.run && now.beat == running.beat => {}
            _ => return Err(another()),
        }
    }
    Ok(())
}

/// Waits for the batches of a run that are being written, and keeps others from being begun until the transaction ends.
pub async fn hold_off(db: &DatabaseTransaction, run: Uuid) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT id FROM backfill_runs WHERE id = $1 FOR UPDATE";
        db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [run.into()])).await?;
    }
    Ok(())
}
