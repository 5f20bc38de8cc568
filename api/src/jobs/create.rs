//! A file that was sent becomes a job, or is refused.

use artifacts::{Key, csv::CsvReader};
use entity::{
    artifact, job,
    stored::{ArtifactKind, AuditAction, JobEventType, Kind},
};
use sea_orm::{ActiveModelTrait, IntoActiveModel, prelude::Uuid};

use super::status::JobStatus;
use crate::{
    app::App,
    audit::{self, Caller},
    auth,
    checkpoint::Checkpoint,
    database::{now, retrying},
    error::{Error, ErrorCode, Refusal},
    events,
    predictions::row::Columns,
};

/// The longest file name that the table holds, in characters.
const LONGEST_NAME: usize = 255;
/// The argument that names the file.
const FILE: [&str; 3] = ["input", "source", "file"];

/// A file that was sent and stands in the store, outside any job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// Its id in the store.
    pub id: Uuid,
    /// The name that the sender gave.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hex, lower case.
    pub sha256: String,
}

/// Makes a pending job from a received file. Refused, or failed, nothing of it is left but the received file.
pub async fn create_job(
    app: &App,
    caller: &Caller,
    kind: Kind,
    file: &ReceivedFile,
) -> Result<Result<job::Model, Refusal>, Error> {
    let inspected = match inspect(app, kind, file).await {
        Err(Error::Store(error)) if error.is_missing() => {
            let message = "The file has become a job already; send it once for each job.";
            Err(Refusal::new(ErrorCode::ValidationFailed, message))
        }
        inspected => inspected?.map_err(|fault| Refusal::new(ErrorCode::InvalidFile, fault)),
    };
    let rows = match inspected {
        Ok(rows) => rows,
        Err(refusal) => {
            let refusal = refusal.at(&FILE);
            audit::record_refusal(&app.db, caller, AuditAction::CreateJob, None, &refusal).await?;
            return Ok(Err(refusal));
        }
    };
    let job = new_job(caller, kind, file, rows);
    let input = artifact::Model {
        id: Uuid::now_v7(),
        job_id: job.id,
        kind: ArtifactKind::Input.as_stored().to_owned(),
        name: job.original_filename.clone(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        sha256: Some(file.sha256.clone()),
        created_at: now(),
    };
    app.store.rename(Key::Upload(file.id), Key::Input { job: job.id, artifact: input.id }).await?;
    add(app, caller, AuditAction::CreateJob, format!("{rows} rows"), &job, &input).await?;
    Ok(Ok(job))
}

/// Adds a job whose input file stands in its place. Where that fails nothing of it is left.
pub async fn add(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    detail: String,
    job: &job::Model,
    input: &artifact::Model,
) -> Result<(), Error> {
    match retrying(|| insert(app, caller, action, &detail, job, input)).await {
        Ok(()) => {}
        Err(error @ Error::CommitUnknown(_)) => {
            // The job may be there, so its file stays.
            tracing::error!(job = %job.id, "it is unknown whether the job was made; its file is kept: {error}");
            return Err(error);
        }
        Err(error) => {
            if let Err(left) = app.store.delete(Key::Input { job: job.id, artifact: input.id }).await {
                tracing::warn!(job = %job.id, "an input file without a job is left behind: {left}");
            }
            return Err(error);
        }
    }
    tracing::info!(job = %job.id, kind = job.job_type, detail, bytes = input.size, "job created");
    app.job_created.notify_one();
    Ok(())
}

async fn insert(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    detail: &str,
    job: &job::Model,
    input: &artifact::Model,
) -> Result<(), Error> {
    app.checkpoints.pass(Checkpoint::JobBeforeInsert).await?;
    let transaction = app.db.begin().await?;
    if caller.viewer.user_id == auth::local_user_id() {
        auth::make_local_user(&*transaction).await?;
    }
    job.clone().into_active_model().reset_all().insert(&*transaction).await?;
    input.clone().into_active_model().reset_all().insert(&*transaction).await?;
    let entry = audit::Entry {
        action,
        target: Some(job.id),
        organization: job.organization_id,
        refusal: None,
        detail: Some(detail.to_owned()),
    };
    audit::record(&*transaction, caller, entry).await?;
    events::record(app, &transaction, job, JobEventType::Created).await?;
    transaction.commit().await.map_err(Error::of_commit)?;
    Ok(())
}

/// A job as it is before any worker has taken it.
pub fn waiting(job: job::Model) -> job::Model {
    let at = Some(now().naive_utc());
    job::Model {
        status: Some(JobStatus::Pending.as_stored().to_owned()),
        processed_rows: Some(0),
        successful_rows: Some(0),
        failed_rows: Some(0),
        error_message: None,
        error_details: None,
        celery_task_id: None,
        created_at: at,
        started_at: None,
        completed_at: None,
        updated_at: at,
        origin: Some(job::ORIGIN_JOBLINK.to_owned()),
        lease_token: None,
        lease_expires_at: None,
        cancelled_at: None,
        cancel_reason: None,
        cancel_notes: None,
        cancelled_by: None,
        held_at: None,
        hold_reason: None,
        held_by: None,
        ..job
    }
}

fn new_job(caller: &Caller, kind: Kind, file: &ReceivedFile, rows: u64) -> job::Model {
    waiting(job::Model {
        id: Uuid::now_v7(),
        organization_id: caller.viewer.organization_id(),
        user_id: caller.viewer.user_id,
        job_type: kind.as_stored().to_owned(),
        original_filename: file_name(&file.name),
        file_size: i32::try_from(file.size).ok(),
        total_rows: i32::try_from(rows).ok(),
        ..job::Model::default()
    })
}

/// A file's own name, without a folder, as the table can hold it.
fn file_name(given: &str) -> String {
    let own = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = own.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect();
    if clean.trim().is_empty() { "upload.csv".to_owned() } else { clean }
}

/// Reads the file once to its end: how many data rows it has, or in one sentence why it is no table of this kind.
async fn inspect(app: &App, kind: Kind, file: &ReceivedFile) -> Result<Result<u64, String>, Error> {
    let chunks = app.store.read(Key::Upload(file.id)).await?;
    let mut records = CsvReader::new(chunks);
    let header = records.next().await?;
    let Some(header) = header else { return Ok(Err("The file is empty.".to_owned())) };
    let line = header.line;
    let columns = match header.cells {
        Err(fault) => Err(format!("Line {line} {fault}; send a CSV file with a header.")),
        Ok(cells) if cells.iter().any(|cell| cell.contains('\0')) => {
            Err(format!("Line {line} is not text; send a CSV file with a header."))
        }
        Ok(cells) => Columns::find(kind, cells).map_err(|fault| format!("Line {line} {fault}.")),
    };
    if let Err(fault) = columns {
        return Ok(Err(fault));
    }
    let mut rows = 0;
    while records.next().await?.is_some() {
        rows += 1;
        if rows > app.limits.file_rows {
            return Ok(Err(format!("The file has more than {} rows; split it.", app.limits.file_rows)));
        }
    }
    Ok(if rows == 0 { Err("The file has a header but no data row.".to_owned()) } else { Ok(rows) })
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_name_is_never_a_path() {
        assert_eq!(file_name("../../etc/passwd"), "passwd");
        assert_eq!(file_name("C:\\data\\annual.csv"), "annual.csv");
        assert_eq!(file_name("a\0b\n.csv"), "ab.csv");
        assert_eq!(file_name("x/"), "upload.csv");
        assert_eq!(file_name(&"é".repeat(300)).chars().count(), 255);
    }
}
