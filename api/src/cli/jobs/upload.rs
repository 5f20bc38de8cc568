//! `joblink jobs upload`

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use client::{
    Again, Server,
    operations::{CreateJob, PredictionKind, create_job},
};
use sea_orm::prelude::Uuid;

use super::{
    filter,
    follow::{self, Standing},
    list::word,
};
use crate::cli::{
    Exit,
    output::{self, clean},
    progress::Progress,
    remote::Remote,
};

/// What `upload` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file: CSV or Excel (.xlsx), with a header
    file: PathBuf,
    /// Which kind of predictions it is for
    #[arg(long, value_name = "KIND", ignore_case = true, value_parser = filter::kind())]
    kind: PredictionKind,
    /// Wait for the job's end; the exit code is 1 if it did not complete
    #[arg(long)]
    wait: bool,
    /// A name of your own for this upload: done again under it within 24 hours, with the same file, it makes no second job.
    /// Without it each call makes a job
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

type Made = create_job::CreateJobCreateJobJob;

/// Sends the file, and prints the id of its job.
pub async fn upload(arguments: Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let json = arguments.remote.json;
    let job = create(&server, &arguments).await?;
    if !arguments.wait {
        return if json { output::say_document(&job) } else { output::say(clean(&job.id)) }.map(|_| ());
    }
    if !json {
        output::say(clean(&job.id))?;
    }
    let end = follow::unless_interrupted(wait(&server, &job.id)).await?;
    if json {
        output::say_document(&end)?;
    }
    judge(&end)
}

async fn create(server: &Server, arguments: &Arguments) -> Result<Made, Exit> {
    let path = &arguments.file;
    let unusable = |why: &dyn std::fmt::Display| {
        Exit::Failed(clean(&format!("cannot read {} ({why}); check that it is there and may be read", path.display())))
    };
    let about = tokio::fs::metadata(path).await.map_err(|error| unusable(&error))?;
    let name = path.file_name().filter(|_| about.is_file()).ok_or_else(|| unusable(&"it is no file"))?;
    let progress = Arc::new(Progress::of_bytes(about.len(), "sent"));
    let sent = progress.clone();
    let tell = move |bytes| sent.add(bytes);
    let staged = server.send_file(path, &name.to_string_lossy(), tell).await;
    drop(progress);
    // A key of its own lets a request whose answer was lost be sent again.
    let key = arguments.idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let (kind, upload_id) = (arguments.kind.clone(), staged?.upload_id);
    let variables = create_job::Variables { kind, upload_id, idempotency_key: key.clone() };
    let payload = server.ask::<CreateJob>(variables, Again::Yes).await.map_err(|error| {
        let again = error.may_pass();
        let key = clean(&key);
        match Exit::from(error) {
            Exit::Failed(text) if again => {
                Exit::Failed(format!("{text}; do it with --idempotency-key {key}, and there will be no second job"))
            }
            other => other,
        }
    })?;
    let payload =
        payload.create_job.ok_or_else(|| Exit::Failed("the server made no job and does not say why".to_owned()))?;
    if let Some(error) = payload.user_errors.first() {
        return Err(super::refused(&error.code, &error.message));
    }
    payload.job.ok_or_else(|| Exit::Failed("the server made no job and does not say why".to_owned()))
}

async fn wait(server: &Server, id: &str) -> Result<Standing, Exit> {
    let progress = Progress::of(0, "rows read");
    let number = |rows: i64| u64::try_from(rows).unwrap_or_default();
    let tell = |standing: &Standing| {
        if let Some(rows) = standing.progress {
            progress.set(number(rows.processed), number(rows.total.unwrap_or_default()));
        }
    };
    follow::follow(server, id, tell).await
}

fn judge(end: &Standing) -> Result<(), Exit> {
    let id = clean(&end.job_id);
    if end.deleted {
        return Err(Exit::Failed(format!("job {id} was deleted; `joblink jobs receipt {id}` says by whom")));
    }
    let status = end.status.as_ref().map(word).unwrap_or_default();
    if let Some(progress) = end.progress {
        output::tell(format!("{status}: {} rows stored, {} not stored", progress.succeeded, progress.failed));
    }
    if end.is_completed() {
        return Ok(());
    }
    let why =
        end.error_message.as_deref().map_or_else(String::new, |why| format!(" ({})", clean(why.trim_end_matches('.'))));
    Err(Exit::Failed(format!("job {id} is {status}{why}; `joblink jobs show {id}` says more")))
}
