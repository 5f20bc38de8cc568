//! `joblink jobs`: the command line of a running server, here or elsewhere.

mod archive;
mod cancel;
mod delete;
mod filter;
mod follow;
mod list;
mod receipt;
mod retry;
mod show;
mod upload;
mod watch;

use clap::Subcommand;

pub use self::list::word;
use super::{Exit, output};

/// What can be done with the jobs of a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List jobs, the newest first
    List(list::Arguments),
    /// Show everything about a job
    Show(show::Arguments),
    /// Send a file, from which a job makes predictions
    Upload(upload::Arguments),
    /// Show what happens to jobs as it happens
    Watch(watch::Arguments),
    /// Stop a job; what it has stored stays
    Cancel(cancel::Arguments),
    /// Delete jobs, with or without their predictions
    Delete(Box<delete::Arguments>),
    /// Run the file of a failed or cancelled job once more, as a new job
    Retry(retry::Arguments),
    /// Show the receipt of a deleted job
    Receipt(receipt::Arguments),
}

/// Does it.
pub async fn execute(command: Command) -> Result<(), Exit> {
    match command {
        Command::List(arguments) => list::list(&arguments).await,
        Command::Show(arguments) => show::show(&arguments).await,
        Command::Upload(arguments) => upload::upload(arguments).await,
        Command::Watch(arguments) => watch::watch(&arguments).await,
        Command::Cancel(arguments) => cancel::cancel(arguments).await,
        Command::Delete(arguments) => delete::delete(&arguments).await,
        Command::Retry(arguments) => retry::retry(arguments).await,
        Command::Receipt(arguments) => receipt::receipt(arguments).await,
    }
}

/// How the program ends where a server refused something: what is not there is a failure, all else a refusal.
fn refused(code: &client::operations::ErrorCode, message: &str) -> Exit {
    use client::operations::ErrorCode;
    let message = output::clean(message.trim_end_matches('.'));
    match code {
        ErrorCode::JOB_NOT_FOUND | ErrorCode::NOT_FOUND => Exit::Failed(message),
        _ => Exit::Refused(message),
    }
}
