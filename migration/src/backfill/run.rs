//! A run: takes the lease, walks, and writes links in short transactions.
//!
//! Where a run stands is in its links themselves, so nothing can disagree with them: killed anywhere and started again,
//! it decides once more what it decided before, and finds that a part is done.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use entity::stored::{AuditAction, AuditOutcome, Kind, LinkSource};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
    prelude::{DateTimeUtc, Uuid},
};
use serde_json::json;
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, Receiver, Sender},
    },
    task::JoinSet,
};

use crate::error::is_code;

use super::{
    Failure, Pace, Progress, Report, Settings, all_rows,
    facts::{Reason, Verdict},
    finish_unresolved, list_unresolved,
    load::Load,
    now, open_unresolved, refuse_pending,
    report::Decision,
    rows::table,
    walk::{Evidence, walk},
};

/// SQLSTATEs `serialization_failure`, `deadlock_detected` and `foreign_key_violation`, and SQLite's busy and foreign key.
const TRANSIENT: &[&str] = &["40001", "40P01", "23503", "5", "517", "787"];
/// How often the holder of the lease shows that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// After how long without a beat its holder counts as dead.
const SILENCE: Duration = Duration::from_secs(5);
/// How many transactions write at once.
const WRITERS: usize = 2;
/// How often to look at the load of the server.
const LOOK: Duration = Duration::from_secs(1);
/// After how long without a beat a run is shown as interrupted. A batch that waits for locks cannot beat.
const QUIET: Duration = Duration::from_secs(30);
/// How often a transaction is tried that lost against another one.
const ATTEMPTS: u32 = 8;
/// The most ids of one statement on SQLite, whose statements take at most 32,766 values.
const SQLITE_IDS: usize = 10_000;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run.
    pub run: Uuid,
    /// Whether it went on with a run that had been interrupted.
    pub resumed: bool,
    /// What was decided.
    pub report: Report,
    /// Decided links that were not written, because the row or its job changed or went in the meantime.
    pub overtaken: u64,
}

/// Writes the links that [`super::plan`] would show.
///
/// Goes on with the run that was interrupted, where there is one, with the settings and the time at which that began.
/// Refuses while another one is alive.
pub async fn run(db: &DatabaseConnection, settings: &Settings, pace: Pace) -> Result<Outcome, Failure> {
    refuse_pending(db).await?;
    let evidence = Evidence::open(db, settings).await?;
    let lease = Lease::take(db, settings).await?;
    let beating = tokio::spawn(beat(db.clone(), lease.clone()));
    let outcome = under_lease(db, settings, &evidence, pace, &lease).await;
    beating.abort();
    if outcome.is_err() {
        // So that the next one need not wait. Where this fails too, it waits.
        let released = lease.give_back(db).await;
        if let Err(error) = released {
            tracing::warn!("the lease of run {} was not given back: {error}", lease.run);
        }
    }
    outcome
}

async fn under_lease(
    db: &DatabaseConnection,
    settings: &Settings,
    evidence: &Evidence,
    pace: Pace,
    lease: &Lease,
) -> Result<Outcome, Failure> {
    let mut unresolved = open_unresolved(settings)?;
    let mut report = Report::default();
    let of = all_rows(db, settings).await?;
    lease.forget_decisions(db).await?;
    let written = Arc::<AtomicU64>::default();
    // Full batches go to whoever writes next: two at once keep a server busy that one after the other would not. They are
    // tasks of their own, so that no transaction stands open while much is decided.
    let (sender, receiver) = mpsc::channel(WRITERS);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(db.clone(), lease.clone(), receiver.clone(), written.clone()));
    }
    drop(receiver);
    let walking = async {
        let mut batches = Batches::new(db, pace, sender).await;
        walk(db, settings, evidence, lease.started_at.naive_utc(), Some(lease.run), async |decided| {
            batches.next.decisions.extend(report.add(&decided));
            list_unresolved(&mut unresolved, settings, &decided)?;
            for (id, verdict) in decided.rows {
                match verdict {
                    Verdict::Link(job, source) => {
                        batches.next.links.push_back(Link { kind: decided.kind, id, job, source });
                    }
                    Verdict::Leave(reason, candidates) => {
                        batches.next.left.push_back(Left { kind: decided.kind, id, reason, candidates });
                    }
                    Verdict::Alone => {}
                }
            }
            batches.hand_on(false).await;
            settings.watch.tell(Progress { rows: report.rows, of, linked: written.load(Ordering::Relaxed) });
            Ok(())
        })
        .await?;
        batches.hand_on(true).await;
        Ok::<_, Failure>(())
    };
    let writing = async {
        while let Some(ended) = writers.join_next().await {
            ended.map_err(|error| DbErr::Custom(format!("a writer ended: {error}")))??;
        }
        Ok::<_, Failure>(())
    };
    tokio::try_join!(walking, writing)?;
    finish_unresolved(unresolved, settings)?;
    let standing = lease.standing(db).await?;
    lease.finish(db, standing, report.total_unresolved()).await?;
    let overtaken = report.total_linked().saturating_sub(standing);
    Ok(Outcome { run: lease.run, resumed: lease.resumed, report, overtaken })
}

struct Link {
    kind: Kind,
    id: Uuid,
    job: Uuid,
    source: LinkSource,
}

/// A row that stays without a link, and the jobs that were at work at the time.
struct Left {
    kind: Kind,
    id: Uuid,
    reason: Reason,
    candidates: Vec<Uuid>,
}

/// What is written in one transaction.
#[derive(Default)]
struct Batch {
    links: VecDeque<Link>,
    left: VecDeque<Left>,
    decisions: Vec<Decision>,
}

/// Cuts what was decided into batches, and keeps the pace.
struct Batches<'a> {
    db: &'a DatabaseConnection,
    pace: Pace,
    sender: Sender<Batch>,
    /// What is not handed on yet.
    next: Batch,
    /// The load at the last look; none where the database does not tell.
    load: Option<Load>,
    looked: Instant,
}

impl<'a> Batches<'a> {
    async fn new(db: &'a DatabaseConnection, pace: Pace, sender: Sender<Batch>) -> Self {
        Self { db, pace, sender, next: Batch::default(), load: Load::of(db).await, looked: Instant::now() }
    }

    /// Hands on full batches, or all there is.
    async fn hand_on(&mut self, all: bool) {
        let size = self.pace.batch_size.max(1);
        loop {
            let Batch { links, left, decisions } = &mut self.next;
            let full = links.len() >= size || left.len() >= size;
            let any = !(links.is_empty() && left.is_empty() && decisions.is_empty());
            if !(full || all && any) {
                return;
            }
            let began = Instant::now();
            let batch = Batch {
                links: links.drain(..size.min(links.len())).collect(),
                left: left.drain(..size.min(left.len())).collect(),
                decisions: std::mem::take(decisions),
            };
            let rows = batch.links.len() as u64;
            if self.sender.send(batch).await.is_err() {
                // A writer failed, and says why.
                return;
            }
            if let Some(most) = self.pace.max_rows_per_second {
                let due = Duration::from_secs(rows) / most.max(1);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            }
            self.make_way().await;
        }
    }

    /// Waits for as long as others' trouble grows.
    async fn make_way(&mut self) {
        let mut said = false;
        while let Some(before) = self.load
            && self.looked.elapsed() >= LOOK
        {
            self.looked = Instant::now();
            self.load = Load::of(self.db).await;
            let Some(why) = self.load.and_then(|load| load.growing_since(before)) else { return };
            if !said {
                tracing::info!("waiting for others: {why}");
                said = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Writes batches until there are no more.
async fn write(
    db: DatabaseConnection,
    lease: Lease,
    batches: Arc<Mutex<Receiver<Batch>>>,
    written: Arc<AtomicU64>,
) -> Result<(), Failure> {
    loop {
        let Some(batch) = batches.lock().await.recv().await else { return Ok(()) };
        let mut tried = 1;
        while let Err(failure) = write_batch(&db, &lease, &batch).await {
            try_again(failure, tried).await?;
            tried += 1;
        }
        written.fetch_add(batch.links.len() as u64, Ordering::Relaxed);
    }
}

/// Pauses before a transaction is tried again that lost against another one; fails where that is of no use.
pub(super) async fn try_again(failure: Failure, tried: u32) -> Result<(), Failure> {
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

pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
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
pub(super) fn any(db: &impl ConnectionTrait, first: usize, ids: &[Uuid]) -> (String, Vec<Value>) {
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

fn count(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The right to run, of one at a time. It does not outlive its holder: a holder that falls silent has lost it.
#[derive(Clone, Debug)]
struct Lease {
    run: Uuid,
    token: Uuid,
    started_at: DateTimeUtc,
    resumed: bool,
}

impl Lease {
    async fn take(db: &DatabaseConnection, settings: &Settings) -> Result<Self, Failure> {
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
    async fn confirm(&self, db: &DatabaseTransaction) -> Result<(), Failure> {
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
    async fn forget_decisions(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        for sql in
            ["DELETE FROM backfill_decisions WHERE run_id = $1", "DELETE FROM backfill_unresolved WHERE run_id = $1"]
        {
            db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [self.run.into()])).await?;
        }
        Ok(())
    }

    /// How many links of the run stand.
    async fn standing(&self, db: &DatabaseConnection) -> Result<u64, DbErr> {
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

    async fn finish(&self, db: &DatabaseConnection, linked: u64, unresolved: u64) -> Result<(), Failure> {
        let sql = "UPDATE backfill_runs SET status = 'completed', finished_at = $1, lease_token = NULL, linked = $2, \
                   unresolved = $3 WHERE id = $4 AND lease_token = $5";
        let values = [now().into(), count(linked).into(), count(unresolved).into(), self.run.into(), self.token.into()];
        let transaction = begin(db).await?;
        let ended =
            transaction.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        if ended.rows_affected() != 1 {
            return Err(another());
        }
        let detail = format!("linked {linked} predictions, left {unresolved} without a link");
        audit(&transaction, AuditAction::BackfillRun, self.run, &detail).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn give_back(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        let sql = "UPDATE backfill_runs SET lease_token = NULL WHERE id = $1 AND lease_token = $2";
        let values = [self.run.into(), self.token.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
        Ok(())
    }
}

/// Writes what the operator did into the audit log, in its transaction. Who it was is not known here.
pub(super) async fn audit(
    db: &impl ConnectionTrait,
    action: AuditAction,
    run: Uuid,
    detail: &str,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO audit_log (id, at, action, target_id, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    let outcome = AuditOutcome::Done.as_stored();
    let values =
        [Uuid::now_v7().into(), now().into(), action.as_stored().into(), run.into(), outcome.into(), detail.into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    Ok(())
}

fn another() -> Failure {
    Failure::Refused("another backfill is running; see `migration backfill status`".to_owned())
}

async fn beat(db: DatabaseConnection, lease: Lease) {
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
pub(super) struct Running {
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
pub(super) async fn wait_for_silence(db: &DatabaseConnection, running: &Running) -> Result<(), Failure> {
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
pub(super) async fn hold_off(db: &DatabaseTransaction, run: Uuid) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT id FROM backfill_runs WHERE id = $1 FOR UPDATE";
        db.query_one_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [run.into()])).await?;
    }
    Ok(())
}
