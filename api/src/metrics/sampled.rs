//! What is looked up when somebody asks: in the database, of the pool, of the process.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use tokio::{sync::Mutex, time::timeout};

use super::{Labels, add, process::Process};
use crate::{app::App, database::now, jobs::status::JobStatus};

/// How long what the database said is told again.
const FRESH: Duration = Duration::from_secs(15);
/// How much longer than its own duration the next look waits: looking takes at most a hundredth of one connection's time.
const REST: u32 = 100;
/// How long who asks waits for the database; then they get what it said before.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the database may take. A look that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(30);

type Float = Gauge<f64, AtomicU64>;

/// Set anew when somebody asks.
pub struct Sampled {
    database: OfDatabase,
    /// When the database is asked again. Held while it is asked.
    next: Arc<Mutex<Instant>>,
    pool: Family<Labels<1>, Gauge>,
    pool_size: Gauge,
    waiting: Gauge,
    primary: Family<[(&'static str, String); 1], Gauge>,
    standby: Gauge,
    standby_age: Float,
    started: SystemTime,
    uptime: Float,
    resident: Gauge,
    files: Gauge,
    processor: Counter<f64, AtomicU64>,
}

#[derive(Clone)]
struct OfDatabase {
    answers: Gauge,
    jobs: Family<Labels<1>, Gauge>,
    oldest_pending: Float,
    purges: Gauge,
    purge_files: Gauge,
    oldest_purge: Float,
    notifications: Gauge,
    oldest_notification: Float,
    cleaned: Gauge,
    cleaned_ratio: Float,
}

impl Sampled {
    /// Adds them to those that are shown.
    pub fn add_to(r: &mut Registry) -> Self {
        let started = SystemTime::now();
        let start = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let database = OfDatabase {
            answers: add(
                r,
                "sampled",
                "Whether the database answered when it was asked last for what follows",
                Gauge::default(),
            ),
            jobs: add(r, "jobs", "Jobs by status, adopted ones too", Family::default()),
            oldest_pending: add(
                r,
                "oldest_pending_job_seconds",
                "How long the oldest pending job has waited for a worker",
                Float::default(),
            ),
            purges: add(
                r,
                "purges_pending",
                "Deleted or cleaned jobs whose files are not purged yet",
                Gauge::default(),
            ),
            purge_files: add(
                r,
                "purge_files_pending",
                "Files of deleted jobs that are not purged yet",
                Gauge::default(),
            ),
            oldest_purge: add(
                r,
                "oldest_purge_seconds",
                "How long ago the oldest job was deleted whose files are not purged yet",
                Float::default(),
            ),
            notifications: add(
                r,
                "notifications_pending",
                "Notifications that are not delivered yet",
                Gauge::default(),
            ),
            oldest_notification: add(
                r,
                "oldest_notification_seconds",
                "How long the oldest notification has not been delivered",
                Float::default(),
            ),
            cleaned: add(r, "cleaned_jobs", "Deleted jobs whose files are purged", Gauge::default()),
            cleaned_ratio: add(
                r,
                "cleaned_jobs_ratio",
                "Share of all jobs that have ended which are deleted and purged",
                Float::default(),
            ),
        };
        add(r, "start_time_seconds", "When the server began, in seconds since 1970", Float::default()).set(start);
        Self {
            database,
            next: Arc::new(Mutex::new(Instant::now())),
            pool: add(r, "db_connections", "Connections to the database: in_use, idle", Family::default()),
            pool_size: add(r, "db_connections_max", "The most connections to the database", Gauge::default()),
            waiting: add(
                r,
                "db_transactions_waiting",
                "Transactions that wait for a connection, or for their turn",
                Gauge::default(),
            ),
            primary: add(
                r,
                "db_primary",
                "Of several hosts of the database: whether changes go to this one: 0, 1",
                Family::default(),
            ),
            standby: add(r, "db_standby_in_use", "Whether lists are read from a standby: 0, 1", Gauge::default()),
            standby_age: add(
                r,
                "db_standby_age_seconds",
                "How old at most what is read from the standby is",
                Float::default(),
            ),
            started,
            uptime: add(r, "uptime_seconds", "How long the server has run", Float::default()),
            resident: add(r, "resident_memory_bytes", "Memory in use", Gauge::default()),
            files: add(r, "open_fds", "Open files and sockets", Gauge::default()),
            processor: add(r, "cpu_seconds", "Processor time used", Counter::default()),
        }
    }

    /// Looks at everything anew that is not fresh.
    pub async fn refresh(&self, app: &App) {
        let (pool, standby) = (app.db.pool_state(), app.db.standby_age());
        for (host, is_primary) in app.db.hosts() {
            self.primary.get_or_create(&[("host", host)]).set(is_primary.into());
        }
        self.standby.set(standby.is_some().into());
        self.standby_age.set(standby.unwrap_or_default().as_secs_f64());
        self.pool.get_or_create(&[("state", "in_use")]).set(pool.in_use);
        self.pool.get_or_create(&[("state", "idle")]).set(pool.idle);
        self.pool_size.set(pool.most);
        self.waiting.set(pool.waiting);
        self.uptime.set(self.started.elapsed().unwrap_or_default().as_secs_f64());
        if let Some(process) = Process::now() {
            self.resident.set(process.resident);
            self.files.set(process.files);
            self.processor.inner().store(process.processor.to_bits(), std::sync::atomic::Ordering::Relaxed);
        }
        _ = timeout(PATIENCE, self.ask(app)).await;
    }

    /// Asks the database where that is due; one at a time.
    async fn ask(&self, app: &App) {
        let mut next = self.next.clone().lock_owned().await;
        if Instant::now() < *next {
            return;
        }
        let (app, database) = (app.clone(), self.database.clone());
        // In a task of its own: who asks may be gone before the database answers.
        let asking = tokio::spawn(async move {
            let began = Instant::now();
            let answer = timeout(LONGEST, database.ask(&app)).await;
            *next = Instant::now() + FRESH.max(began.elapsed() * REST);
            let failed = match answer {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer in {LONGEST:?}")),
            };
            database.answers.set(i64::from(failed.is_none()));
            if let Some(error) = failed {
                tracing::warn!("cannot look up metrics: {error}");
            }
        });
        if let Err(error) = asking.await {
            tracing::error!("looking up metrics ended badly: {error}");
        }
    }
}

impl OfDatabase {
    /// Each statement reads an index, or a table of jobs, never one of predictions.
    async fn ask(&self, app: &App) -> Result<(), DbErr> {
        let db = app.db.reader();
        let statement = |sql: &str| Statement::from_string(app.db.backend(), sql);
        let mut counts = [0; 7];
        let sql = "SELECT status, count(*) FROM bulk_upload_jobs GROUP BY status";
        for row in db.query_all_raw(statement(sql)).await? {
            let (status, count): (Option<String>, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            counts[place(status.as_deref())] += count;
        }
        let pending =
            "SELECT min(created_at) FROM bulk_upload_jobs WHERE status IN ('pending', 'queued') AND origin = 'joblink'";
        let oldest: Option<NaiveDateTime> = match db.query_one_raw(statement(pending)).await? {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        let purging = "SELECT count(*), coalesce(sum(r.artifacts), 0), min(r.deleted_at), count(r.id) FROM artifact_purges p \
                       LEFT JOIN deletion_receipts r ON r.job_id = p.job_id WHERE p.completed_at IS NULL";
        let Some(row) = db.query_one_raw(statement(purging)).await? else { return Ok(()) };
        let (purges, files): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let oldest_purge: Option<DateTime<Utc>> = row.try_get_by_index(2)?;
        let of_deleted: i64 = row.try_get_by_index(3)?;
        let Some(row) = db.query_one_raw(statement("SELECT count(*) FROM deletion_receipts")).await? else {
            return Ok(());
        };
        let deleted: i64 = row.try_get_by_index(0)?;

        let waiting = "SELECT count(*), min(created_at) FROM notifications WHERE delivered_at IS NULL";
        let Some(row) = db.query_one_raw(statement(waiting)).await? else { return Ok(()) };
        let notifications: i64 = row.try_get_by_index(0)?;
        let oldest_notification: Option<DateTime<Utc>> = row.try_get_by_index(1)?;

        for (count, name) in counts.into_iter().zip(NAMES) {
            self.jobs.get_or_create(&[("status", name)]).set(count);
        }
        self.oldest_pending.set(age(oldest.map(|time| time.and_utc())));
        self.purges.set(purges);
        self.purge_files.set(files);
        self.oldest_purge.set(age(oldest_purge));
        self.notifications.set(notifications);
        self.oldest_notification.set(age(oldest_notification));
        let cleaned = (deleted - of_deleted).max(0);
        self.cleaned.set(cleaned);
        let ended: i64 =
            STATUSES.iter().zip(counts).filter(|(status, _)| status.is_terminal()).map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
        self.cleaned_ratio.set(cleaned as f64 / (ended + deleted).max(1) as f64);
        Ok(())
    }
}

const STATUSES: [JobStatus; 6] = [
    JobStatus::Pending,
    JobStatus::Running,
    JobStatus::Cancelling,
    JobStatus::Completed,
    JobStatus::Failed,
    JobStatus::Cancelled,
];
/// The last one of what an older program wrote and this one does not know.
const NAMES: [&str; 7] = ["pending", "running", "cancelling", "completed", "failed", "cancelled", "unknown"];

fn place(status: Option<&str>) -> usize {
    let status = JobStatus::known(status.unwrap_or("pending"));
    STATUSES.iter().position(|known| Some(*known) == status).unwrap_or(STATUSES.len())
}

/// Seconds since then; 0 where there is none.
fn age(since: Option<DateTime<Utc>>) -> f64 {
    since.map_or(0.0, |since| (now() - since).to_std().unwrap_or_default().as_secs_f64())
}
