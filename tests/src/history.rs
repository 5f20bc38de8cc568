//! What clients were told, compared with what is there afterwards.

use std::collections::{HashMap, HashSet};

use entity::{annual_prediction, deletion_receipt, job};
use sea_orm::{ConnectionTrait, EntityTrait, prelude::Uuid};
use serde_json::Value;

/// What a client was told that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is this job, of a file with so many rows that can all be stored.
    Created { job: Uuid, rows: i32 },
    /// It is cancelled.
    Cancelled { job: Uuid },
    /// It is gone with so many predictions, and has left so many without a link, by this receipt.
    Deleted { job: Uuid, receipt: Uuid, predictions: i64, released: i64 },
}

impl Told {
    /// What the receipt of a deletion tells: its fields `id`, `deletedAnnualPredictions` and `releasedPredictions`.
    pub fn deleted(job: Uuid, receipt: &Value) -> Self {
        let count = |field| receipt[field].as_i64().unwrap_or_else(|| panic!("no receipt: {receipt}"));
        Self::Deleted {
            job,
            receipt: receipt["id"].as_str().unwrap().parse().unwrap(),
            predictions: count("deletedAnnualPredictions"),
            released: count("releasedPredictions"),
        }
    }
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Somebody was told that it was done, and it is not there.
    Lost(Told),
    /// There is one part of a change and not the other.
    Torn { job: Option<Uuid>, why: String },
    /// It was deleted more than once.
    Twice { job: Uuid },
}

/// Compares all that clients were told with a database at rest, in which nobody else did anything and annual files were
/// uploaded.
pub async fn faults(told: &[Told], db: &impl ConnectionTrait) -> Vec<Fault> {
    let jobs: HashMap<Uuid, job::Model> =
        job::Entity::find().all(db).await.unwrap().into_iter().map(|job| (job.id, job)).collect();
    let receipts = deletion_receipt::Entity::find().all(db).await.unwrap();
    let mut linked: HashMap<Option<Uuid>, i32> = HashMap::new();
    for row in annual_prediction::Entity::find().all(db).await.unwrap() {
        *linked.entry(row.job_id).or_default() += 1;
    }

    let mut faults = Vec::new();
    let mut deleted = HashSet::new();
    for receipt in &receipts {
        if !deleted.insert(receipt.job_id) {
            faults.push(Fault::Twice { job: receipt.job_id });
        }
    }
    let is_gone = |job: &Uuid| deleted.contains(job);
    let mut made: HashMap<Uuid, i32> = HashMap::new();
    for fact in told {
        let holds = match fact {
            Told::Created { job, rows } => {
                made.insert(*job, *rows);
                jobs.contains_key(job) || is_gone(job)
            }
            Told::Cancelled { job } => {
                is_gone(job) || jobs.get(job).is_some_and(|job| job.status.as_deref() == Some("cancelled"))
            }
            Told::Deleted { job, receipt, predictions, released } => {
                let is_there = |row: &deletion_receipt::Model| {
                    (row.id, row.job_id) == (*receipt, *job)
                        && (row.deleted_annual, row.released) == (*predictions, *released)
                };
                !jobs.contains_key(job) && receipts.iter().any(is_there)
            }
        };
        if !holds {
            faults.push(Fault::Lost(fact.clone()));
        }
    }
    let mut torn = |job, why: String| faults.push(Fault::Torn { job, why });
    let free = linked.remove(&None).unwrap_or_default();
    let released: i64 = receipts.iter().map(|row| row.released).sum();
    if i64::from(free) != released {
        torn(None, format!("{free} predictions belong to no job, and {released} were released"));
    }
    for (job, count) in &linked {
        if let Some(job) = job.filter(|job| !jobs.contains_key(job)) {
            torn(Some(job), format!("{count} predictions of a job that is gone"));
        }
    }
    for job in jobs.values() {
        let (stored, linked) = (job.successful_rows.unwrap_or_default(), linked.get(&Some(job.id)).copied());
        if linked.unwrap_or_default() != stored {
            torn(Some(job.id), format!("it has {} predictions and counted {stored}", linked.unwrap_or_default()));
        }
        let whole = made.get(&job.id).copied().filter(|_| job.status.as_deref() == Some("completed"));
        if whole.is_some_and(|rows| rows != stored) {
            torn(Some(job.id), format!("it is completed with {stored} of {} rows", whole.unwrap_or_default()));
        }
    }
    for receipt in &receipts {
        // A job that was deleted before its end had not made all yet.
        let whole = made.get(&receipt.job_id).filter(|_| receipt.job_status == "completed");
        if jobs.contains_key(&receipt.job_id) {
            torn(Some(receipt.job_id), "it is there, and so is its receipt".to_owned());
            continue;
        }
        let (gone, kept) = (receipt.deleted_annual, receipt.released);
        if whole.is_some_and(|rows| i64::from(*rows) != gone + kept) || (gone > 0 && kept > 0) {
            torn(Some(receipt.job_id), format!("{gone} of its predictions were deleted and {kept} released"));
        }
    }
    faults
}
