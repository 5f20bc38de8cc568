//! `joblink jobs show`

use clap::Args;
use client::{
    Again,
    operations::{ShowJob, show_job},
};

use super::list::word;
use crate::cli::{
    Exit,
    output::{self, bytes, clean, count, or_dash, time},
    remote::Remote,
};

/// Row errors that are shown; all of them are in the job's results.
const ROW_ERRORS: i64 = 10;

/// What `show` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The job
    id: String,
    #[command(flatten)]
    remote: Remote,
}

/// Everything about a job.
pub type Job = show_job::ShowJobJob;

/// Shows it.
pub async fn show(arguments: &Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let variables = show_job::Variables { id: arguments.id.clone(), row_errors: ROW_ERRORS };
    let found = server.ask::<ShowJob>(variables, Again::Yes).await?;
    let job = match (found.job, found.deletion_receipt) {
        (Some(job), _) => job,
        (None, Some(receipt)) => return Err(deleted(&arguments.id, &receipt.deleted_at)),
        (None, None) => return Err(missing(&arguments.id)),
    };
    if arguments.remote.json {
        output::say_document(&job)?;
        return Ok(());
    }
    output::say_pairs(&pairs(&job))?;
    if !job.artifacts.is_empty() {
        let mut table = output::table(&["FILE", "SIZE", "SHA-256", "NAME"]);
        table.add_rows(job.artifacts.iter().map(|file| {
            let sha256 = or_dash(file.sha256.as_deref().map(clean));
            [word(&file.kind), bytes(file.size), sha256, output::name(&file.name)]
        }));
        output::say("")?;
        output::say_table(table)?;
    }
    if !job.row_errors.nodes.is_empty() {
        let mut table = output::table(&["LINE", "COLUMN", "WHY NOT STORED"]);
        table.add_rows(job.row_errors.nodes.iter().map(|error| {
            [error.line.to_string(), or_dash(error.column.as_deref().map(output::name)), clean(&error.message)]
        }));
        output::say("")?;
        output::say_table(table)?;
    }
    Ok(())
}

/// That there is no such job, or not for the one who asks.
pub fn missing(id: &str) -> Exit {
    Exit::Failed(format!("there is no job {} that you may see; `joblink jobs list` shows those", output::name(id)))
}

fn deleted(id: &str, at: &str) -> Exit {
    let (id, at) = (output::name(id), time(Some(at)));
    Exit::Failed(format!("job {id} was deleted {at}; `joblink jobs receipt {id}` says by whom, and what went with it"))
}

fn pairs(job: &Job) -> Vec<(&'static str, String)> {
    let progress = &job.progress;
    let rows = format!(
        "{} of {} read, {} stored, {} not stored",
        progress.processed,
        or_dash(progress.total),
        progress.succeeded,
        progress.failed
    );
    let mut pairs = vec![
        ("Job", clean(&job.id)),
        ("File", format!("{} ({})", clean(&job.file_name), job.file_size.map_or_else(|| "-".to_owned(), bytes))),
        ("Kind", word(&job.kind)),
        ("Status", word(&job.status)),
        ("Made by", word(&job.origin)),
        ("Rows", rows),
        ("Predictions", job.predictions.total_count.to_string()),
        ("Created by", or_dash(job.created_by.as_ref().map(|user| clean(&user.name)))),
        ("Organization", or_dash(job.organization.as_ref().map(|organization| clean(&organization.name)))),
        ("Created", time(job.created_at.as_deref())),
        ("Started", time(job.started_at.as_deref())),
        ("Ended", time(job.finished_at.as_deref())),
        ("You may", may(&job.can)),
    ];
    if let Some(why) = &job.error_message {
        pairs.push(("Error", clean(why)));
    }
    if let Some(cancellation) = &job.cancellation {
        let notes = cancellation.notes.as_ref().map_or_else(String::new, |notes| format!("; {}", clean(notes)));
        let by = or_dash(cancellation.by.as_ref().map(|user| clean(&user.name)));
        let text = format!("{} by {by}: {}{notes}", time(Some(&cancellation.at)), clean(&cancellation.reason));
        pairs.push(("Cancelled", text));
    }
    if let Some(hold) = &job.hold {
        let by = or_dash(hold.by.as_ref().map(|user| clean(&user.name)));
        pairs.push(("Held", format!("{} by {by}: {}", time(Some(&hold.at)), clean(&hold.reason))));
    }
    if let Some(at) = &job.data_cleaned_at {
        let went = job.cleanup_summary.as_ref().map_or_else(String::new, |went| {
            let files = count(usize::try_from(went.artifacts).unwrap_or_default(), "file");
            format!(": {files} of {} went, its record and its predictions stay", bytes(went.bytes))
        });
        pairs.push(("Cleaned", format!("{}{went}", time(Some(at)))));
    }
    if job.row_errors.total_count > ROW_ERRORS {
        let all = usize::try_from(job.row_errors.total_count).unwrap_or_default();
        pairs.push(("Row errors", format!("{}, the first {ROW_ERRORS} below", count(all, "row"))));
    }
    pairs
}

fn may(can: &show_job::ShowJobJobCan) -> String {
    let all = [
        ("cancel", can.cancel),
        ("delete", can.delete),
        ("delete with --force", can.force_delete),
        ("hold", can.hold),
        ("retry", can.retry),
    ];
    let may: Vec<_> = all.into_iter().filter(|(_, may)| *may).map(|(what, _)| what).collect();
    if may.is_empty() { "look at it".to_owned() } else { may.join(", ") }
}
