//! A file that was sent becomes a job, or is refused.

use artifacts::{Key, StoreError};
use entity::{
    artifact, job,
    stored::{ArtifactKind, AuditAction, JobEventType, Kind},
};
use migration::counted::counted;
use sea_orm::{SqlErr, prelude::Uuid};

use super::{idempotency, input, log, status::JobStatus};
use crate::{
    app::App,
    audit::{self, Caller},
    auth,
    checkpoint::Checkpoint,
    database::{insert_row, now, settling},
    deletion::receipt,
    error::{Error, ErrorCode, Refusal},
    events,
    files::{ReceivedFile, file_name, staged},
};

/// Where the file of a new job comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It came with the request.
    Sent(ReceivedFile),
    /// It was sent ahead; the id of the upload.
    Staged(Uuid),
}

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Which kind of predictions the file is for.
    pub kind: Kind,
    /// The file.
    pub source: Source,
    /// The caller's own name for this request: sent again, it makes no second job.
    pub key: Option<String>,
}

/// Makes a pending job from a received file. Refused, or failed, nothing of it is left but the received file.
pub async fn create_job(app: &App, caller: &Caller, wanted: &NewJob) -> Result<Result<job::Model, Refusal>, Error> {
    let attempt = attempt(app, caller, wanted);
    let outcome = audit::noting_failure(&app.db, caller, AuditAction::CreateJob, None, attempt).await?;
    if let Err(refusal) = &outcome {
        refuse(app, caller, refusal).await?;
    }
    Ok(outcome)
}

/// Records that a request for a job was refused, perhaps before there was a file to look at.
pub async fn refuse(app: &App, caller: &Caller, refusal: &Refusal) -> Result<(), Error> {
    let organization = caller.viewer.organization_id();
    audit::record_refusal(app, caller, AuditAction::CreateJob, None, organization, refusal).await
}

async fn attempt(app: &App, caller: &Caller, wanted: &NewJob) -> Result<Result<job::Model, Refusal>, Error> {
    if let Some(key) = &wanted.key {
        if let Err(refusal) = idempotency::check(key) {
            return Ok(Err(refusal));
        }
        if let Some(answer) = idempotency::answered(app, caller, wanted, key).await? {
            return Ok(answer);
        }
    }
    let missing = match make(app, caller, wanted).await? {
        Made::Job(job) => return Ok(Ok(*job)),
        Made::Refused(refusal) => return Ok(Err(refusal)),
        Made::FileTaken(refusal) => refusal,
    };
    // Perhaps by the same request, sent before: it took the file and the key in one transaction.
    match &wanted.key {
        Some(key) => Ok(idempotency::answered(app, caller, wanted, key).await?.unwrap_or(Err(missing))),
        None => Ok(Err(missing)),
    }
}

/// What became of a request for a job.
enum Made {
    Job(Box<job::Model>),
    Refused(Refusal),
    /// Its file is not there, or its key is another request's.
    FileTaken(Refusal),
}

async fn make(app: &App, caller: &Caller, wanted: &NewJob) -> Result<Made, Error> {
    let file = match &wanted.source {
        Source::Sent(file) => file.clone(),
        Source::Staged(id) => match staged::find(app.db.reader(), &caller.viewer, *id).await? {
            Some(file) => file,
            None => return Ok(Made::FileTaken(no_upload())),
        },
    };
    let rows = match inspect(app, wanted.kind, &file).await {
        Err(Error::Store(error)) if error.is_missing() => return Ok(Made::FileTaken(taken(&wanted.source))),
        inspected => match inspected? {
            Ok(rows) => rows,
            Err(fault) => {
                let refusal = Refusal::new(ErrorCode::InvalidFile, fault).at(argument(&wanted.source));
                return Ok(Made::Refused(refusal));
            }
        },
    };
    let job = new_job(caller, wanted.kind, &file, rows);
    let input = input_of(&job, &file);
    let place = Key::Input { job: job.id, artifact: input.id };
    match put_in_place(app, wanted, &file, place).await {
        Err(error) if error.is_missing() => return Ok(Made::FileTaken(taken(&wanted.source))),
        Err(error) => {
            // In S3 it is a copy, and that may be there although the answer was lost.
            drop_input(app, place).await;
            return Err(error.into());
        }
        Ok(()) => {}
    }
    let detail = counted(rows, "row");
    let adding = Adding {
        action: AuditAction::CreateJob,
        detail: &detail,
        job: &job,
        input: &input,
        taken: Some((wanted, &file)),
    };
    match add(app, caller, adding).await {
        Ok(Added::Job) => {
            drop_waiting(app, wanted, &file).await;
            Ok(Made::Job(job.into()))
        }
        Err(error @ Error::CommitUnknown(_)) => Err(error),
        other => {
            take_back(app, wanted, &file, place).await;
            other?;
            Ok(Made::FileTaken(taken(&wanted.source)))
        }
    }
}

/// A file that was sent ahead also stays where it waits until its job is committed: a crash in between must not take it from
/// whoever asks again.
async fn put_in_place(app: &App, wanted: &NewJob, file: &ReceivedFile, place: Key) -> Result<(), StoreError> {
    match wanted.source {
        Source::Sent(_) => app.store.rename(Key::Upload(file.id), place).await,
        Source::Staged(_) => app.store.link(Key::Upload(file.id), place).await,
    }
}

async fn take_back(app: &App, wanted: &NewJob, file: &ReceivedFile, place: Key) {
    match wanted.source {
        Source::Staged(_) => drop_input(app, place).await,
        Source::Sent(_) => {
            if let Err(left) = app.store.rename(place, Key::Upload(file.id)).await {
                tracing::warn!(?place, "an input file without a job is left behind until the next sweep: {left}");
            }
        }
    }
}

async fn drop_waiting(app: &App, wanted: &NewJob, file: &ReceivedFile) {
    if matches!(wanted.source, Source::Staged(_))
        && let Err(left) = app.store.delete(Key::Upload(file.id)).await
    {
        tracing::warn!(upload = %file.id, "an upload that became a job is left until it is a day old: {left}");
    }
}

/// Removes a file that stands in the place of an input, without a job.
pub async fn drop_input(app: &App, place: Key) {
    if let Err(left) = app.store.delete(place).await {
        tracing::warn!(?place, "an input file without a job is left behind until the next sweep: {left}");
    }
}

/// The argument that names the file.
fn argument(source: &Source) -> &'static [&'static str] {
    match source {
        Source::Sent(_) => &["input", "source", "file"],
        Source::Staged(_) => &["input", "source", "uploadId"],
    }
}

fn taken(source: &Source) -> Refusal {
    let message = "The file is not there any more: a job has taken it; send it again for another one.";
    Refusal::new(ErrorCode::ValidationFailed, message).at(argument(source))
}

/// An upload that is unknown, somebody else's, taken, or too old.
pub fn no_upload() -> Refusal {
    let message = "No such upload waits: uploads go when a job takes them, or after 24 hours; send the file again.";
    Refusal::new(ErrorCode::NotFound, message).at(&["input", "source", "uploadId"])
}

/// What became of a job that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Job,
    /// Another request under the same key was faster.
    KeyTaken,
    /// Another request took the upload.
    UploadTaken,
}

/// A job that is to be added, whose input file stands in its place.
#[derive(Clone, Copy, Debug)]
pub struct Adding<'a> {
    /// What the audit log calls it.
    pub action: AuditAction,
    /// What it says of it.
    pub detail: &'a str,
    /// The job.
    pub job: &'a job::Model,
    /// Its input.
    pub input: &'a artifact::Model,
    /// What it takes: the file that waited, and the caller's key.
    pub taken: Option<(&'a NewJob, &'a ReceivedFile)>,
}

/// Adds a job.
pub async fn add(app: &App, caller: &Caller, adding: Adding<'_>) -> Result<Added, Error> {
    let Adding { detail, job, input, .. } = adding;
    let added = settling(|is_open| insert(app, caller, adding, is_open)).await.inspect_err(|error| {
        if matches!(error, Error::CommitUnknown(_)) {
            // The job may be there, so its file stays.
            tracing::error!(job = %job.id, "it is unknown whether the job was made; its file is kept: {error}");
        }
    })?;
    if added == Added::Job {
        app.checkpoints.pass(Checkpoint::JobCommitted).await?;
        tracing::info!(job = %job.id, kind = job.job_type, detail, bytes = input.size, "job created");
        app.job_waits.notify_one();
    }
    Ok(added)
}

async fn insert(
    app: &App,
    caller: &Caller,
    Adding { action, detail, job, input, taken }: Adding<'_>,
    is_open: bool,
) -> Result<Added, Error> {
    app.checkpoints.pass(Checkpoint::JobBeforeInsert).await?;
    let transaction = app.db.begin().await?;
    if caller.viewer.user_id == auth::local_user_id() {
        auth::make_local_user(&*transaction).await?;
    }
    // First, since here it waits for an attempt before, whose commit was not answered, and learns that it was done.
    match insert_row(&*transaction, job.clone()).await {
        Err(error) if is_open && matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            return Ok(Added::Job);
        }
        inserted => inserted?,
    }
    // Or it was done, and somebody has deleted the job since.
    if is_open && receipt::find(&*transaction, &caller.viewer, job.id).await?.is_some() {
        return Ok(Added::Job);
    }
    if let Some((wanted, file)) = taken {
        let staged = matches!(wanted.source, Source::Staged(_));
        if let Some(key) = &wanted.key
            && !idempotency::remember(&*transaction, caller, key, job, file, staged).await?
        {
            return Ok(Added::KeyTaken);
        }
        if staged && !staged::take(&*transaction, file.id).await? {
            return Ok(Added::UploadTaken);
        }
    }
    insert_row(&*transaction, input.clone()).await?;
    log::write(&*transaction, job.id, created(caller, detail, job, input)).await?;
    let entry = audit::Entry {
        action,
        target: Some(job.id),
        organization: job.organization_id,
        refusal: None,
        detail: Some(detail.to_owned()),
    };
    audit::record(&*transaction, caller, entry).await?;
    events::record(app, &transaction, job, JobEventType::Created).await?;
    app.checkpoints.pass(Checkpoint::JobBeforeCommit).await?;
    transaction.commit().await?;
    Ok(Added::Job)
}

/// The row of a new job's input.
fn input_of(job: &job::Model, file: &ReceivedFile) -> artifact::Model {
    artifact::Model {
        id: Uuid::now_v7(),
        job_id: job.id,
        kind: ArtifactKind::Input.as_stored().to_owned(),
        name: job.original_filename.clone(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        sha256: Some(file.sha256.clone()),
        created_at: now(),
    }
}

/// What the job's log says of its making.
fn created(caller: &Caller, detail: &str, job: &job::Model, input: &artifact::Model) -> String {
    let sha256 = input.sha256.as_deref().unwrap_or("unknown");
    format!(
        "Job {} created by {}: {detail}; file \"{}\", {}, SHA-256 {sha256}.",
        job.id,
        caller.viewer.name,
        input.name,
        counted(input.size, "byte")
    )
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

/// Reads the file once to its end: how many data rows it has, or in one sentence why it is no table of this kind.
async fn inspect(app: &App, kind: Kind, file: &ReceivedFile) -> Result<Result<u64, String>, Error> {
    let mut input = match input::open(app, kind, Key::Upload(file.id)).await? {
        Ok(input) => input,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut rows = 0;
    loop {
        match input.next().await {
            Ok(None) => break,
            Ok(Some(_)) => rows += 1,
            Err(Error::Unreadable(why)) => return Ok(Err(why)),
            Err(error) => return Err(error),
        }
        if rows > app.limits.file_rows {
            return Ok(Err(format!("The file has more than {}; split it.", counted(app.limits.file_rows, "row"))));
        }
    }
    Ok(if rows == 0 { Err("The file has a header but no data row.".to_owned()) } else { Ok(rows) })
}
