//! What clients were told, compared with what is there afterwards.

use std::collections::{HashMap, HashSet};

use entity::{annual_prediction, deletion_receipt, job};
use sea_orm::{ConnectionTrait, EntityTrait, prelude::Uuid};

/// What a client was told that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is this job, of a file with so many rows that can all be stored.
    Created { job: Uuid, rows: i32 },
    /// It is cancelled.
    Cancelled { job: Uuid },
    /// It is gone with so many predictions, by this receipt.
    Deleted { job: Uuid, receipt: Uuid, predictions: i64 },
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

/// Compares all that clients were told with a database at rest, in which nobody else did anything, annual files were uploaded
/// and jobs were only deleted with their predictions.
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
            Told::Deleted { job, receipt, predictions } => {
                let is_there = |row: &&deletion_receipt::Model| row.id == *receipt && row.job_id == *job;
                !jobs.contains_key(job)
                    && receipts.iter().find(is_there).is_some_and(|row| row.deleted_annual == *predictions)
            }
        };
        if !holds {
            faults.push(Fault::Lost(fact.clone()));
        }
    }
    let mut torn = |job, why: String| faults.push(Fault::Torn { job, why });
    for (job, count) in &linked {
        match job {
            None => torn(None, format!("{count} predictions belong to no job")),
            Some(job) if !jobs.contains_key(job) => {
                torn(Some(*job), format!("{count} predictions of a job that is gone"));
            }
            Some(_) => {}
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
        } else if whole.is_some_and(|rows| i64::from(*rows) != receipt.deleted_annual) {
            torn(Some(receipt.job_id), format!("{} of its predictions were deleted", receipt.deleted_annual));
        }
    }
    faults
}
