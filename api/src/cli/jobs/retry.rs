//! `joblink jobs retry`

use clap::Args;
use client::{
    Again,
    operations::{RetryJob, retry_job},
};

use super::show::missing;
use crate::cli::{Exit, output, remote::Remote};

/// What `retry` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The job that failed or was cancelled
    id: String,
    #[command(flatten)]
    remote: Remote,
}

/// Makes the new job, and prints its id. Each call makes one, so nothing is sent twice.
pub async fn retry(arguments: Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let variables = retry_job::Variables { id: arguments.id.clone() };
    let payload = server.ask::<RetryJob>(variables, Again::No).await?.retry_job;
    let payload = payload.ok_or_else(|| missing(&arguments.id))?;
    if let Some(error) = payload.user_errors.first() {
        return Err(super::refused(&error.code, &error.message));
    }
    let job = payload.job.ok_or_else(|| missing(&arguments.id))?;
    if arguments.remote.json {
        output::say_document(&job)?;
    } else {
        output::say(output::clean(&job.id))?;
        output::tell(format!("{} runs once more, as this job", output::name(&job.file_name)));
    }
    Ok(())
}
