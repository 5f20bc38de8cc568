//! The jobs of one user and kind as windows of time, and which of them have to be looked at together.

use chrono::{DateTime as Time, TimeDelta, Utc};
use entity::stored::Kind;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbErr, FromQueryResult, Statement,
    prelude::{DateTime, Uuid},
};

use super::facts::{Counts, LONGEST_TRANSACTION, State, Window};

/// A job without its file.
#[derive(Clone, Debug)]
pub struct Job {
    /// As the decision needs it.
    pub window: Window,
    /// Until when rows of its own may have been written.
    pub reach: DateTime,
    /// The name with which its file was uploaded.
    pub file_name: String,
}

#[derive(FromQueryResult)]
struct Stored {
    id: Uuid,
    organization_id: Option<Uuid>,
    status: Option<String>,
    total_rows: Option<i32>,
    processed_rows: Option<i32>,
    successful_rows: Option<i32>,
    failed_rows: Option<i32>,
    started_at: Option<DateTime>,
    completed_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    original_filename: String,
}

#[derive(FromQueryResult)]
struct Receipt {
    job_id: Uuid,
    organization_id: Option<Uuid>,
    job_started_at: Option<Time<Utc>>,
    job_finished_at: Option<Time<Utc>>,
    deleted_at: Time<Utc>,
    job_status: String,
    job_total_rows: Option<i32>,
    job_processed_rows: Option<i32>,
    job_successful_rows: Option<i32>,
    job_failed_rows: Option<i32>,
}

/// All jobs of a user and kind, also those that a receipt remembers, in the order of their beginning.
///
/// `start` is when the run began: what happened since is left to a later run.
pub async fn of_user(
    db: &DatabaseConnection,
    kind: Kind,
    user: Uuid,
    start: DateTime,
    stale_after: TimeDelta,
) -> Result<Vec<Job>, DbErr> {
    let backend = db.get_database_backend();
    let values = || [user.into(), kind.as_stored().into()];
    let sql = "SELECT id, organization_id, status, total_rows, processed_rows, successful_rows, failed_rows, started_at, \
               completed_at, updated_at, original_filename FROM bulk_upload_jobs WHERE user_id = $1 AND job_type = $2 AND started_at IS NOT NULL";
    let stored = Stored::find_by_statement(Statement::from_sql_and_values(backend, sql, values())).all(db).await?;
    let sql = "SELECT job_id, organization_id, job_started_at, job_finished_at, deleted_at, job_status, job_total_rows, \
               job_processed_rows, job_successful_rows, job_failed_rows FROM deletion_receipts WHERE \
               job_created_by = $1 AND job_kind = $2 AND job_started_at IS NOT NULL";
    let receipts = Receipt::find_by_statement(Statement::from_sql_and_values(backend, sql, values())).all(db).await?;
    let mut jobs: Vec<Job> = stored.into_iter().filter_map(|job| living(&job, start, stale_after)).collect();
    jobs.extend(receipts.iter().filter_map(deleted));
    jobs.retain(|job| job.window.from < start);
    jobs.sort_by_key(|job| (job.window.from, job.window.job));
    Ok(jobs)
}

fn living(job: &Stored, start: DateTime, stale_after: TimeDelta) -> Option<Job> {
    let from = job.started_at?;
    let (state, to) = match (job.status.as_deref(), job.completed_at) {
        (Some("completed" | "failed"), Some(end)) if end < start => (State::Completed, end),
        (Some("cancelled"), Some(end)) if end < start => (State::Broken, end),
        (Some("pending" | "queued" | "processing" | "cancelled" | "failed"), None) => {
            match job.updated_at.or(Some(from)) {
                Some(progress) if progress < start - stale_after => (State::Broken, progress),
                _ => (State::AtWork, start),
            }
        }
        _ => (State::AtWork, start),
    };
    let counts = counts(job.processed_rows, job.successful_rows, job.failed_rows);
    let reach = if state == State::Broken { to + LONGEST_TRANSACTION } else { to };
    let window = Window {
        job: job.id,
        organization: job.organization_id,
        from,
        to,
        state,
        counts,
        rows: count(job.total_rows).filter(|rows| *rows > 0),
        listed: None,
        listing: None,
        note: None,
    };
    Some(Job { window, reach, file_name: job.original_filename.clone() })
}

fn count(rows: Option<i32>) -> Option<u32> {
    rows.and_then(|rows| u32::try_from(rows).ok())
}

fn counts(processed: Option<i32>, successful: Option<i32>, failed: Option<i32>) -> Counts {
    let [processed, successful, failed] = [processed, successful, failed].map(|rows| count(rows).unwrap_or(0));
    Counts { processed, successful, failed }
}

/// A job that a receipt remembers; `None` where it made no row.
fn deleted(receipt: &Receipt) -> Option<Job> {
    // What broke off may have stored rows that it did not come to count.
    if receipt.job_status == "completed" && receipt.job_successful_rows == Some(0) {
        return None;
    }
    let from = receipt.job_started_at?.naive_utc();
    let to = receipt.job_finished_at.unwrap_or(receipt.deleted_at).naive_utc();
    let window = Window {
        job: receipt.job_id,
        organization: receipt.organization_id,
        from,
        to,
        state: State::Deleted,
        counts: counts(receipt.job_processed_rows, receipt.job_successful_rows, receipt.job_failed_rows),
        rows: count(receipt.job_total_rows).filter(|rows| *rows > 0),
        listed: None,
        listing: None,
        note: None,
    };
    Some(Job { window, reach: to, file_name: String::new() })
}

/// Jobs whose windows overlap, one after the other: what holds a row of one may hold it of all.
pub struct Overlapping {
    /// In the order of their beginning.
    pub jobs: Vec<Job>,
    /// When the first of them began.
    pub from: DateTime,
    /// Until when rows of theirs may have been written.
    pub reach: DateTime,
}

/// Puts jobs together, which are in the order of their beginning.
pub fn clusters(jobs: Vec<Job>) -> Vec<Overlapping> {
    let mut clusters: Vec<Overlapping> = Vec::new();
    for job in jobs {
        let (from, reach) = (job.window.from, job.reach);
        match clusters.last_mut().filter(|cluster| from <= cluster.reach) {
            Some(cluster) => {
                cluster.reach = cluster.reach.max(reach);
                cluster.jobs.push(job);
            }
            None => clusters.push(Overlapping { jobs: vec![job], from, reach }),
        }
    }
    clusters
}
