//! `joblink jobs receipt`

use clap::Args;
use client::{
    Again,
    operations::{FindReceipt, find_receipt},
};

use super::list::word;
use crate::cli::{
    Exit,
    output::{self, bytes, clean, or_dash, time},
    remote::Remote,
};

/// What `receipt` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The job that was deleted
    id: String,
    #[command(flatten)]
    remote: Remote,
}

/// Shows it.
pub async fn receipt(arguments: Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let variables = find_receipt::Variables { job_id: arguments.id.clone() };
    let receipt = server.ask::<FindReceipt>(variables, Again::Yes).await?.deletion_receipt.ok_or_else(|| {
        let id = output::name(&arguments.id);
        Exit::Failed(format!("no deletion of a job {id} is known to you; `joblink jobs show` says whether it is there"))
    })?;
    if arguments.remote.json {
        output::say_document(&receipt)?;
    } else {
        output::say_pairs(&pairs(&receipt))?;
    }
    Ok(())
}

fn pairs(receipt: &find_receipt::Receipt) -> Vec<(&'static str, String)> {
    let predictions = format!(
        "{} annual and {} quarterly deleted, {} kept without their job",
        receipt.deleted_annual_predictions, receipt.deleted_quarterly_predictions, receipt.released_predictions
    );
    let files = &receipt.artifacts;
    let purge = match (&files.completed_at, &files.last_error) {
        (Some(at), _) => format!("gone from the store since {}", time(Some(at))),
        (None, _) if files.pending == 0 => "nothing to remove".to_owned(),
        (None, None) => format!("{} still to be removed from the store", files.pending),
        (None, Some(why)) => format!("{} still to be removed; the last attempt failed: {}", files.pending, clean(why)),
    };
    let mut pairs = vec![
        ("Receipt", clean(&receipt.id)),
        ("Job", clean(&receipt.job_id)),
        ("File", clean(&receipt.file_name)),
        ("Kind", word(&receipt.job_kind)),
        ("Status", word(&receipt.job_status)),
        ("Created by", or_dash(receipt.job_created_by.as_ref().map(|user| clean(&user.name)))),
        ("Created", time(receipt.job_created_at.as_deref())),
        ("Ended", time(receipt.job_finished_at.as_deref())),
        ("Deleted", time(Some(&receipt.deleted_at))),
        ("Deleted by", or_dash(receipt.deleted_by.as_ref().map(|user| clean(&user.name)))),
        ("Set off by", word(&receipt.trigger)),
        ("Reason", or_dash(receipt.reason.as_deref().map(clean))),
        ("Forced", if receipt.force { "yes" } else { "no" }.to_owned()),
        ("Predictions", predictions),
        (
            "Files",
            format!(
                "{}, {}; {purge}",
                output::count(usize::try_from(files.total).unwrap_or_default(), "file"),
                bytes(files.bytes)
            ),
        ),
    ];
    if let Some(why) = &receipt.error_message {
        pairs.push(("Error", clean(why)));
    }
    pairs
}
