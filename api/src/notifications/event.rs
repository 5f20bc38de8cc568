//! What is told of what: the bodies, in the form of Standard Webhooks (`type`, `timestamp`, `data`), with names as in the
//! GraphQL schema. They hold ids and counts, no names of files or people.

use entity::{deletion_receipt, retention_item, retention_run, stored::NotifiedEvent};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::database::now;

/// The most jobs that are named which a run failed for.
const MOST_ERRORS: u64 = 20;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub event: NotifiedEvent,
    /// To which job or run.
    pub target: Uuid,
    /// What is told.
    pub body: Value,
}

/// What is told of a run, as far as a mail needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunData {
    /// The run.
    pub run_id: Uuid,
    /// Jobs that it cleaned.
    pub cleaned: i64,
    /// Jobs that it deleted.
    pub deleted: i64,
    /// Jobs that it failed for.
    pub failed: i64,
    /// What failed, the first of them.
    #[serde(default)]
    pub errors: Vec<JobError>,
}

/// That a run failed for a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    /// The job.
    pub job_id: Uuid,
    /// Why, one sentence.
    pub error: String,
}

impl Event {
    fn new(event: NotifiedEvent, target: Uuid, data: &Value) -> Self {
        let body = json!({ "type": event.as_stored(), "timestamp": now(), "data": data });
        Self { event, target, body }
    }

    /// A job was deleted.
    pub fn job_deleted(receipt: &deletion_receipt::Model) -> Self {
        let data = json!({
            "jobId": receipt.job_id,
            "receiptId": receipt.id,
            "organizationId": receipt.organization_id,
            "jobKind": receipt.job_kind.to_uppercase(),
            "jobStatus": receipt.job_status.to_uppercase(),
            "trigger": receipt.trigger.to_uppercase(),
            "deletedAt": receipt.deleted_at,
            "deletedBy": receipt.deleted_by,
            "force": receipt.force,
            "deletedAnnualPredictions": receipt.deleted_annual,
            "deletedQuarterlyPredictions": receipt.deleted_quarterly,
            "releasedPredictions": receipt.released,
            "artifacts": receipt.artifacts,
            "artifactBytes": receipt.artifact_bytes,
        });
        Self::new(NotifiedEvent::JobDeleted, receipt.job_id, &data)
    }

    /// A run of the retention policy came to its end.
    pub async fn run_ended(db: &impl ConnectionTrait, run: &retention_run::Model) -> Result<Self, DbErr> {
        if run.failed == 0 {
            return Ok(Self::new(NotifiedEvent::RunFinished, run.id, &of_run(run)));
        }
        let failed = retention_item::Entity::find()
            .filter(retention_item::Column::RunId.eq(run.id))
            .filter(retention_item::Column::Error.is_not_null())
            .order_by_asc(retention_item::Column::Number)
            .limit(MOST_ERRORS)
            .all(db)
            .await?;
        let errors =
            failed.into_iter().map(|item| JobError { job_id: item.job_id, error: item.error.unwrap_or_default() });
        let mut data = of_run(run);
        data["errors"] = errors.map(|error| json!(error)).collect();
        Ok(Self::new(NotifiedEvent::RunFailed, run.id, &data))
    }

    /// A run was cut off: its process was gone, or a person stopped it.
    pub fn run_interrupted(run: &retention_run::Model) -> Self {
        Self::new(NotifiedEvent::RunInterrupted, run.id, &of_run(run))
    }
}

fn of_run(run: &retention_run::Model) -> Value {
    json!({
        "runId": run.id,
        "trigger": run.triggered_by.to_uppercase(),
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "cleaned": run.cleaned,
        "deleted": run.deleted,
        "failed": run.failed,
        "bytesFreed": run.bytes_freed,
    })
}
