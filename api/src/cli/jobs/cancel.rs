//! `joblink jobs cancel`

use clap::Args;
use client::{
    Again,
    operations::{CancelJob, cancel_job},
};

use super::list::word;
use crate::cli::{Exit, output, remote::Remote};

/// What `cancel` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The job
    id: String,
    /// Why; at most 500 characters
    #[arg(long, default_value = "user_request", value_name = "TEXT")]
    reason: String,
    /// What else there is to say; at most 500 characters
    #[arg(long, value_name = "TEXT")]
    notes: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Cancels it. Done twice, the first cancellation stands.
pub async fn cancel(arguments: Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let Arguments { id, reason, notes, remote } = arguments;
    let variables = cancel_job::Variables { id: id.clone(), reason: Some(reason), notes };
    let payload = server.ask::<CancelJob>(variables, Again::Yes).await?.cancel_job;
    let payload = payload.ok_or_else(|| super::show::missing(&id))?;
    if let Some(error) = payload.user_errors.first() {
        return Err(super::refused(&error.code, &error.message));
    }
    let job = payload.job.ok_or_else(|| super::show::missing(&id))?;
    if remote.json {
        output::say_document(&job)?;
    } else {
        output::say(format!("{}  {}  {}", output::clean(&job.id), word(&job.status), output::name(&job.file_name)))?;
    }
    Ok(())
}
